//! What stands at a configured path, in a document that was read.
//!
//! A document keeps the text of what its paths lead to. Only what a query looks into is built as a tree.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::config::Take;
use super::mend::mend;
use super::need::{Needs, Slot, Values};
use super::path::{self, Found, Path};
use super::pick::Picked;
use super::tree::Tree;
use crate::survey::Node;

/// A path, and where its steps end in the documents that it is for.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    path: Path,
    take: Option<Take>,
    slot: Slot,
    /// Where in what was picked of the array in the slot.
    pick: Option<usize>,
}

/// The values of one JSON text that paths lead to.
pub(super) struct Document<'a> {
    values: Values<'a>,
    /// By slot, for those that a query looks into.
    trees: Vec<(Slot, Json)>,
    /// By slot, for arrays of which single elements are needed.
    picked: Vec<(Slot, Vec<Picked<'a>>)>,
}

impl Finder {
    /// Adds what is needed of a document for this path.
    pub(super) fn new(path: Path, take: Option<Take>, needs: &mut Needs) -> Self {
        let as_tree = path.query().is_some() && path.pick().is_none();
        let slot = needs.add(path.steps(), as_tree);
        let pick = path.pick().map(|pick| needs.pick(slot, pick));
        Self {
            path,
            take,
            slot,
            pick,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn find<'a>(&self, document: &'a Document<'_>) -> Found<Node<'a>> {
        let Some(query) = self.path.query() else {
            return document
                .text(self.slot)
                .map_or(Found::Nothing, |text| Found::One(node(text)));
        };
        if let Some(picked) = self.pick.and_then(|pick| document.picked(self.slot, pick)) {
            let value = match self.take {
                None if picked.several => return Found::Several,
                None | Some(Take::First) => picked.first,
                Some(Take::Last) => picked.last,
            };
            return value.map_or(Found::Nothing, |text| Found::One(node(text)));
        }
        match document
            .tree(self.slot)
            .map(|tree| path::query(query, tree, self.take))
        {
            None | Some(Found::Nothing) => Found::Nothing,
            Some(Found::Several) => Found::Several,
            Some(Found::One(found)) => Found::One(Node::from(found)),
        }
    }

    /// The same in a form, where a field that was sent several times is an array of its values.
    pub(super) fn find_in_form<'a>(&self, document: &'a Document<'_>) -> Found<Node<'a>> {
        let Some(text) = document
            .text(self.slot)
            .filter(|_| self.path.query().is_none())
        else {
            return self.find(document);
        };
        let values: Vec<&RawValue> = match serde_json::from_str(text) {
            Ok(values) => values,
            Err(_) => return Found::One(node(text)),
        };
        let value = match self.take {
            None => return Found::Several,
            Some(Take::First) => values.first(),
            Some(Take::Last) => values.last(),
        };
        value.map_or(Found::Nothing, |value| Found::One(node(value.get())))
    }
}

impl<'a> Document<'a> {
    /// Reads a text that is not nested too deeply. `mended` is where it is kept in case it must be mended first.
    pub(super) fn read(
        text: &'a str,
        needs: &Needs,
        mended: &'a OnceCell<String>,
    ) -> serde_json::Result<Self> {
        let values = match needs.find(text) {
            Ok(values) => values,
            Err(cause) => match mend(text) {
                Some(text) => needs.find(mended.get_or_init(|| text))?,
                None => return Err(cause),
            },
        };
        let mut trees = Vec::new();
        for slot in needs.trees() {
            if let Some(text) = values[*slot] {
                trees.push((*slot, tree(text)?));
            }
        }
        let mut picked = Vec::new();
        for picks in needs.picks() {
            let Some(text) = values[picks.slot] else {
                continue;
            };
            match picks.find(text) {
                Ok(found) => picked.push((picks.slot, found)),
                // An object, or to be mended: the library knows what to do.
                Err(_) if needs.trees().contains(&picks.slot) => {}
                Err(_) => trees.push((picks.slot, tree(text)?)),
            }
        }
        Ok(Self {
            values,
            trees,
            picked,
        })
    }

    fn picked(&self, slot: Slot, pick: usize) -> Option<&Picked<'a>> {
        let (_, found) = self.picked.iter().find(|(of, _)| *of == slot)?;
        found.get(pick)
    }

    /// The text of what stands there.
    pub(super) fn text(&self, slot: Slot) -> Option<&'a str> {
        self.values[slot]
    }

    pub(super) fn tree(&self, slot: Slot) -> Option<&Json> {
        let mut trees = self.trees.iter();
        trees.find(|(of, _)| *of == slot).map(|(_, tree)| tree)
    }
}

fn tree(text: &str) -> serde_json::Result<Json> {
    let Tree(tree) = parse_mended(text)?;
    Ok(tree)
}

/// As it is, else mended where that helps.
fn parse_mended<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    parse(text).or_else(|cause| mend(text).map_or(Err(cause), |text| parse(&text)))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    // The depth was counted before.
    json.disable_recursion_limit();
    let value = T::deserialize(&mut json)?;
    json.end().map(|()| value)
}

/// What a text that is known to be JSON says, without what surrounds it.
pub(super) fn node(text: &str) -> Node<'_> {
    match text.as_bytes().first() {
        None | Some(b'n') => Node::Null,
        Some(b't') => Node::Boolean(true),
        Some(b'f') => Node::Boolean(false),
        Some(b'[' | b'{') => Node::Nested,
        Some(b'"') => Node::Text(string(text)),
        Some(_) => Node::Number(Cow::Borrowed(text)),
    }
}

fn string(text: &str) -> Cow<'_, str> {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match inside {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        _ => Cow::Owned(parse_mended(text).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
