//! From an authentic body to surveys: typed fields, or every problem that keeps it from being read.
//!
//! Invariant: nothing is dropped. What cannot be read comes back as [`Reading::Unreadable`] with its keys, to be
//! kept. Problems name fields, paths and types, never values: they are told to the sender.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Source;
use super::config::{Root, Take};
use super::dedup::{self, Digest, Identity, Part};
use super::fields::{INTERACTION_ID, Route};
use super::find::{self, Document, Finder};
use super::items::{self, Items, Kept};
use super::need::Needs;
use super::path::{Found, Path};
use super::payload::{self, Kind};
use super::reading::{Problem, Reading, Unreadable};
use super::verify::Verified;
use crate::clock::UnixMs;
use crate::ids::InteractionId;
use crate::store::DedupKey;
use crate::survey::{Fault, Fields, Node, Survey, Value};
/// How a source's bodies are read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    body: Kind,
    items: Option<Items>,
    /// In the order of the source's fields.
    places: Vec<Place>,
    /// Of the sender's id, where it stands in the body.
    id: Option<Finder>,
    /// Of a whole body, and of each item where there are items.
    body_needs: Needs,
    item_needs: Needs,
}

/// Where a field is looked for.
#[derive(Clone, Debug)]
struct Place {
    finder: Finder,
    /// In the whole body, although an item is read.
    in_body: bool,
}

impl Reader {
    /// `items` are what `body_needs` already has.
    pub(super) fn new(
        body: Kind,
        items: Option<Items>,
        mut body_needs: Needs,
        routes: Vec<Route>,
        id: Option<&Path>,
    ) -> Self {
        let mut item_needs = Needs::default();
        let of_items = items.is_some();
        let mut finder = |path: Path, take: Option<Take>, in_body: bool| {
            let needs = if of_items && !in_body {
                &mut item_needs
            } else {
                &mut body_needs
            };
            Finder::new(path, take, needs)
        };
        let places = routes.into_iter().map(|route| {
            let in_body = of_items && route.from == Root::Body;
            Place {
                finder: finder(route.path, route.take, in_body),
                in_body,
            }
        });
        let places: Vec<_> = places.collect();
        let id = id.map(|path| finder(path.clone(), None, false));
        Self {
            body,
            items,
            places,
            id,
            body_needs,
            item_needs,
        }
    }

    /// Where the field at this place is looked for.
    pub(super) fn path_of(&self, place: usize) -> Option<&str> {
        let place = self.places.get(place)?;
        Some(place.finder.path().text())
    }

    /// Whether a body is several surveys.
    pub(super) fn reads_items(&self) -> bool {
        self.items.is_some()
    }
}

/// The surveys of an authentic body.
pub(super) fn read(source: &Source, verified: &Verified) -> Vec<Reading> {
    Message::of(source, verified).read()
}

/// What is kept of a body whose content encoding is broken.
pub(super) fn unreadable(
    source: &Source,
    verified: &Verified,
    cause: impl fmt::Display,
) -> Reading {
    Message::of(source, verified).unreadable(Unreadable::Malformed, Problem::of_body(cause))
}

/// The surveys of a body, or of an item of one, that was verified and kept before. Their keys are an id in the body, or
/// that of their content.
pub(super) fn read_kept(source: &Source, body: &Bytes, received_at: UnixMs) -> Vec<Reading> {
    let digest = dedup::digest([&**body]);
    let message = Message {
        source,
        body,
        received_at,
        identity: &Identity::InBody { digest },
        digest: &digest,
    };
    // A list of two is read into a struct of two as well, and is a body.
    let of_items = source.reader.reads_items() && body.starts_with(b"{");
    let kept = of_items.then(|| serde_json::from_slice::<Kept<'_>>(body).ok());
    let Some(kept) = kept.flatten() else {
        return message.read();
    };
    let fields = source.fields.iter().zip(&source.reader.places);
    let found = fields.map(|(spec, place)| {
        let text = kept.body.get(&*spec.name);
        let found = text.map_or(Found::Nothing, |text| Found::One(find::node(text.get())));
        place.in_body.then_some(found)
    });
    let found: Vec<_> = found.collect();
    vec![message.item(0, kept.item.get(), &found, body.clone())]
}

/// An authentic message, and all that makes it another.
struct Message<'m> {
    source: &'m Source,
    body: &'m Bytes,
    received_at: UnixMs,
    identity: &'m Identity,
    /// Of the body.
    digest: &'m Digest,
}

/// For each field that reads from the whole body, what it found there.
type FoundInBody<'a> = [Option<Found<Node<'a>>>];

impl<'m> Message<'m> {
    fn of(source: &'m Source, verified: &'m Verified) -> Self {
        Self {
            source,
            body: verified.body(),
            received_at: verified.received_at(),
            identity: verified.identity(),
            digest: verified.body_digest(),
        }
    }

    fn read(&self) -> Vec<Reading> {
        self.surveys()
            .unwrap_or_else(|(kind, problem)| vec![self.unreadable(kind, problem)])
    }

    /// The body as a whole.
    fn unreadable(&self, kind: Unreadable, problem: Problem) -> Reading {
        let (keys, content_key) = self.keys(None);
        Reading::Unreadable {
            kind,
            problems: vec![problem],
            keys,
            content_key,
            body: self.body.clone(),
        }
    }

    fn surveys(&self) -> Result<Vec<Reading>, (Unreadable, Problem)> {
        let reader = &self.source.reader;
        let mended = OnceCell::new();
        let malformed = |fault: payload::Fault| {
            let kind = match fault {
                payload::Fault::NoField => Unreadable::Fields,
                _ => Unreadable::Malformed,
            };
            (kind, Problem::of_body(fault))
        };
        let text = payload::text(&reader.body, self.body).map_err(malformed)?;
        let document = Document::read(&text, &reader.body_needs, &mended)
            .map_err(|cause| malformed(cause.into()))?;
        let Some(items) = &reader.items else {
            return Ok(vec![self.survey(&document)]);
        };
        let odd = |fault| {
            let path = Some(Arc::clone(items.path().text()));
            let problem = Problem::of_body(fault);
            (Unreadable::Items, Problem { path, ..problem })
        };
        let texts = items.split(&document).map_err(odd)?;
        let found: Vec<_> = (reader.places.iter())
            .map(|place| place.in_body.then(|| self.find(place, &document)))
            .collect();
        let repeated = found.iter().flatten().filter_map(|found| match found {
            Found::One(node) => Some(items::text_of(node).len()),
            Found::Nothing | Found::Several => None,
        });
        Items::bear(texts.len(), repeated.sum()).map_err(odd)?;
        let readings = texts.iter().enumerate().map(|(index, text)| {
            let kept = kept(self.source, text, &found);
            self.item(index, text, &found, kept)
        });
        Ok(readings.collect())
    }

    /// A body that is one survey.
    fn survey(&self, document: &Document<'_>) -> Reading {
        let (keys, content_key) = self.keys(self.id(document).as_deref());
        let fields = fields(self.source, |_, place| self.find(place, document));
        self.reading(fields, keys, content_key, self.body.clone())
    }

    /// One of several, which is known to be JSON.
    fn item(&self, index: usize, text: &str, in_body: &FoundInBody<'_>, kept: Bytes) -> Reading {
        let source = self.source;
        let digest = dedup::digest([&*kept]);
        let content = dedup::key(&source.name, None, dedup::Kind::Content, &digest);
        let part = Part::Item {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            content,
        };
        let keys = |id: Option<&str>| self.identity.keys(&source.name, part, id);
        let mended = OnceCell::new();
        let document = match Document::read(text, &source.reader.item_needs, &mended) {
            Ok(document) => document,
            Err(cause) => {
                let fault = payload::Fault::from(cause);
                let problems = Err(vec![Problem::of_body(fault)]);
                return self.reading(problems, keys(None), content, kept);
            }
        };
        let keys = keys(self.id(&document).as_deref());
        let fields = fields(source, |index, place| match &in_body[index] {
            Some(found) => found.clone(),
            None => self.find(place, &document),
        });
        self.reading(fields, keys, content, kept)
    }

    fn reading(
        &self,
        fields: Result<(InteractionId, Fields), Vec<Problem>>,
        keys: Vec<DedupKey>,
        content_key: DedupKey,
        body: Bytes,
    ) -> Reading {
        match fields {
            Ok((interaction, fields)) => Reading::Survey {
                survey: Survey {
                    source: self.source.name.clone(),
                    interaction,
                    received_at: self.received_at,
                    fields,
                },
                keys,
                content_key,
                body,
            },
            Err(problems) => Reading::Unreadable {
                kind: Unreadable::Fields,
                problems,
                keys,
                content_key,
                body,
            },
        }
    }

    fn find<'a>(&self, place: &Place, document: &'a Document<'_>) -> Found<Node<'a>> {
        match self.source.reader.body {
            Kind::Form => place.finder.find_in_form(document),
            Kind::Json | Kind::FormField(_) | Kind::MultipartField(_) => {
                place.finder.find(document)
            }
        }
    }

    /// The sender's id where the scheme looks for it in the body: one node, a text that is not blank or a number.
    fn id<'a>(&self, document: &'a Document<'_>) -> Option<Cow<'a, str>> {
        match self.source.reader.id.as_ref()?.find(document) {
            Found::One(Node::Text(id)) if !id.trim().is_empty() => Some(id),
            Found::One(Node::Number(id)) => Some(id),
            _ => None,
        }
    }

    /// The keys of the whole body, and its content's.
    fn keys(&self, id: Option<&str>) -> (Vec<DedupKey>, DedupKey) {
        let name = &self.source.name;
        let content = dedup::key(name, None, dedup::Kind::Content, self.digest);
        let part = Part::Whole {
            digest: self.digest,
            content,
        };
        (self.identity.keys(name, part, id), content)
    }
}

/// The typed fields, or every problem with them. `find` is told the field's index and place.
fn fields<'a>(
    source: &Source,
    find: impl Fn(usize, &Place) -> Found<Node<'a>>,
) -> Result<(InteractionId, Fields), Vec<Problem>> {
    let mut fields = Fields::new();
    let mut problems = Vec::new();
    for (index, (spec, place)) in source.fields.iter().zip(&source.reader.places).enumerate() {
        let value = match find(index, place) {
            Found::Nothing => spec.take(None),
            Found::One(node) => spec.take(Some(&node)),
            Found::Several => Err(Fault::Several),
        };
        match value {
            Ok(value) => drop(fields.insert(Arc::clone(&spec.name), value)),
            Err(fault) => {
                let path = place.finder.path().text();
                problems.push(Problem::of_field(spec, path, &fault));
            }
        }
    }
    let interaction = match fields.get(INTERACTION_ID) {
        Some(Value::String(id)) => Uuid::try_parse(id).ok().map(InteractionId),
        _ => None,
    };
    match interaction {
        Some(interaction) if problems.is_empty() => Ok((interaction, fields)),
        _ => Err(problems),
    }
}

/// What is kept of an item.
fn kept(source: &Source, text: &str, in_body: &FoundInBody<'_>) -> Bytes {
    let found = source.fields.iter().zip(in_body);
    let found = found.filter_map(|(spec, found)| {
        let text = match found.as_ref()? {
            Found::Nothing => return None,
            Found::One(node) => items::text_of(node),
            // Found again, it is no value either.
            Found::Several => "[]".to_owned(),
        };
        let text = RawValue::from_string(text).expect("a value's text is JSON");
        Some((Cow::Borrowed(&*spec.name), text))
    });
    let found: BTreeMap<_, _> = found.collect();
    let item = serde_json::from_str(text).expect("an item is a part of a body that is JSON");
    let body = found
        .iter()
        .map(|(name, text)| (name.clone(), &**text))
        .collect();
    let kept = serde_json::to_vec(&Kept { item, body });
    kept.expect("JSON with names and texts is JSON").into()
}

#[cfg(test)]
mod tests;
