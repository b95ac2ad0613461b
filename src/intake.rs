//! From a request's bytes to surveys: is it authentic, was it seen before, what does it say.
//!
//! A [`Source`] is one sender, compiled from its configuration. [`Source::verify`] alone can make a [`Verified`];
//! [`Source::read`] takes nothing else, so that no unsigned byte is ever interpreted. Everything about a sender's
//! signatures is data: `config` holds the words, `preset` the known senders, `scheme` the compiled form.
//!
//! Not here: HTTP, rules, the store. No function does IO or asks the clock.

mod algorithm;
pub mod config;
mod dedup;
mod encoding;
mod envelope;
mod fields;
mod find;
mod form;
mod given;
mod inflate;
mod items;
mod key;
mod mend;
mod multipart;
mod need;
mod path;
mod payload;
mod pick;
mod place;
pub mod preset;
mod read;
mod reading;
mod reread;
mod scheme;
mod sign;
mod tag;
mod template;
mod timestamp;
mod tree;
mod verify;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, StatusCode};

pub use config::{FieldConfig, Invalid, SourceConfig, VerifyConfig};
pub use envelope::{Envelope, Payload};
pub use fields::INTERACTION_ID;
pub use given::{Given, check_path_token, check_secret};
#[cfg(test)]
pub(crate) use inflate::packed;
pub use inflate::{Codings, Untaken};
pub use reading::{Problem, Reading, Unreadable};
pub use reread::decided;
pub use sign::{SignError, Signed, Stamp};
pub use verify::{Received, Refusal, Verified};

use crate::clock::UnixMs;
use crate::ids::SourceName;
use crate::secret::Secret;
use crate::survey::FieldSpec;

/// One sender of surveys, ready to judge and read what it sends.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: SourceName,
    /// Answers that all is well.
    pub ack: StatusCode,
    pub invalid: Invalid,
    /// `GET` and `HEAD` answer 200.
    pub handshake: bool,
    /// What it was built from, its preset included; without its fields.
    pub words: SourceConfig,
    content_types: Vec<String>,
    /// In the order of their names.
    fields: Vec<FieldSpec>,
    reader: read::Reader,
    scheme: scheme::Scheme,
    ring: key::Ring,
    path_token: Option<Secret>,
    warnings: Vec<String>,
}

impl Source {
    /// Compiles a source. Every problem is told at once, as `key: what to do`, the key seen from `[[source]]`.
    pub fn build(config: &SourceConfig, given: impl Into<Given>) -> Result<Self, Vec<String>> {
        let given = given.into();
        let mut problems = Vec::new();
        let name = config.name.parse::<SourceName>();
        if let Err(problem) = &name {
            problems.push(format!("name: {problem}"));
        }
        let preset = preset(config).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let words = preset.map_or_else(|| config.clone(), |preset| preset.under(config));
        let ack = words.ack.unwrap_or(StatusCode::ACCEPTED.as_u16());
        let ack = StatusCode::from_u16(ack)
            .ok()
            .filter(StatusCode::is_success);
        if ack.is_none() {
            problems.push("ack: a status from 200 to 299".to_owned());
        }
        let body = payload::Kind::parse(words.body.as_deref().unwrap_or("json"));
        let body = body.unwrap_or_else(|problem| {
            problems.push(format!("body: {problem}"));
            payload::Kind::Json
        });
        let content_types = content_types(&words, &body, &mut problems);
        let (fields, routes) = fields::compile_all(&words, &mut problems);
        let mut needs = need::Needs::default();
        let items = words.items.as_deref();
        let items = items::Items::compile(items, words.max_items, &mut needs, &mut problems);
        let around = scheme::Around {
            body: &body,
            public_url: given.public_url.as_deref(),
            has_path_token: words.path_token.is_some() || given.path_token.is_some(),
        };
        // Without its preset a source would lack half of its keys: one problem is enough.
        let knows_its_preset = preset.is_some() || words.preset.is_none();
        let mut compiled = None;
        if knows_its_preset {
            match scheme::Scheme::compile(&words.verify, &around) {
                Ok(scheme) => compiled = Some(scheme),
                Err(found) => problems.extend(found),
            }
        }
        let (found, given_warnings) = given::check(&words, &given);
        problems.extend(found);
        if let Some((scheme, _)) = &compiled {
            let places = (&*fields, &*routes);
            problems.extend(given::check_coverage(&body, scheme, items.as_ref(), places).err());
        }
        match (name, ack, compiled) {
            (Ok(name), Some(ack), Some((scheme, warnings))) if problems.is_empty() => Ok(Self {
                name,
                ack,
                invalid: words.invalid.unwrap_or_default(),
                handshake: words.handshake.unwrap_or_default(),
                content_types,
                reader: read::Reader::new(body, items, needs, routes, scheme.id.path()),
                fields,
                scheme,
                ring: key::Ring::new(scheme::key_form(&words.verify), given.secrets),
                path_token: given.path_token,
                warnings: [warnings, given_warnings].concat(),
                words: SourceConfig {
                    fields: BTreeMap::new(),
                    ..words
                },
            }),
            _ => Err(problems),
        }
    }

    /// Whether a request of this content type is for us.
    pub fn takes(&self, content_type: Option<&str>) -> bool {
        let essence = content_type.unwrap_or_default();
        let essence = essence
            .split_once(';')
            .map_or(essence, |(essence, _)| essence);
        let essence = essence.trim().to_ascii_lowercase();
        self.content_types.iter().any(|taken| {
            if taken.starts_with('+') {
                essence.contains('/') && essence.ends_with(&**taken)
            } else {
                *taken == essence
            }
        })
    }

    /// Is it authentic, and of now? Over the raw bytes, in constant time.
    pub fn verify(&self, received: &Received<'_>) -> Result<Verified, Refusal> {
        verify::verify(self, received)
    }

    /// The surveys of an authentic body, in their order; none only of a body of several that is an empty list.
    pub fn read(&self, verified: &Verified) -> Vec<Reading> {
        read::read(self, verified)
    }

    /// Verifies and reads a message whose body may be compressed: whether its signature is over what came or over
    /// what that becomes is a matter of the source. `max` holds for the inflated body, too.
    pub fn take(
        &self,
        received: Received<'_>,
        codings: &Codings,
        max: usize,
    ) -> Result<Vec<Reading>, Rejected> {
        if codings.is_identity() {
            return Ok(self.read(&self.verify(&received)?));
        }
        match self.words.verify.over.unwrap_or_default() {
            config::Over::Decoded => {
                let body = match codings.undo(received.body.clone(), max) {
                    Ok(body) => body,
                    Err(inflate::Fault::TooLarge) => return Err(Rejected::TooLarge),
                    // There is nothing that a signature could fit.
                    Err(inflate::Fault::Broken) => return Err(Refusal::EncodingBroken.into()),
                };
                Ok(self.read(&self.verify(&Received { body, ..received })?))
            }
            config::Over::Received => {
                let verified = self.verify(&received)?;
                match codings.undo(received.body, max) {
                    Ok(body) => Ok(self.read(&verified.decoded(body))),
                    Err(inflate::Fault::TooLarge) => Err(Rejected::TooLarge),
                    Err(cause @ inflate::Fault::Broken) => {
                        Ok(vec![read::unreadable(self, &verified, cause)])
                    }
                }
            }
        }
    }

    /// Reads what was kept: a body, or one item of a body. See [`Self::reread`].
    pub(crate) fn read_kept(&self, body: &Bytes, received_at: UnixMs) -> Vec<Reading> {
        read::read_kept(self, body, received_at)
    }

    /// Whether a body is several surveys, and is answered with a list.
    pub fn reads_items(&self) -> bool {
        self.reader.reads_items()
    }

    /// The request in which this sender would send it.
    pub fn sign(&self, stamp: &Stamp<'_>, payload: Payload<'_>) -> Result<Signed, SignError> {
        sign::sign(self, stamp, payload)
    }

    /// The fields that rules can use, in the order of their names.
    pub fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    /// Where the value of a field is looked for.
    pub fn path_of(&self, field: &str) -> Option<&str> {
        let place = self.fields.iter().position(|spec| *spec.name == *field)?;
        self.reader.path_of(place)
    }

    /// The same source, but what a sender left out stays out: by it a value is told from a default.
    #[must_use]
    pub fn without_defaults(&self) -> Self {
        let mut plain = self.clone();
        for field in &mut plain.fields {
            field.required &= field.default.take().is_none();
        }
        plain
    }

    /// The secrets that are accepted, to be read again when they may have changed.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.ring.secrets().chain(&self.path_token)
    }

    /// Headers in which a secret itself is sent.
    pub fn sensitive_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let is_token = self.scheme.algorithm == algorithm::Algorithm::Token;
        let place = self.scheme.place.as_ref().filter(|_| is_token);
        place.and_then(place::Place::header).into_iter()
    }

    /// What should be told at start, as `key: what`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What `check` tells besides: the price of what is configured, right as it may be.
    pub fn notes(&self) -> Vec<String> {
        self.scheme.price().map(str::to_owned).into_iter().collect()
    }
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the body is over the limit once it is inflated")]
    TooLarge,
}

fn preset(config: &SourceConfig) -> Result<Option<&'static preset::Preset>, String> {
    let Some(name) = config.preset.as_deref() else {
        return Ok(None);
    };
    preset::find(name).map(Some).ok_or_else(|| {
        let known: Vec<_> = preset::all().map(|(name, _)| name).collect();
        format!(
            "preset: `{name}` is unknown; known are {}; any other scheme can be written out under [source.verify]",
            known.join(", ")
        )
    })
}

fn content_types(
    config: &SourceConfig,
    body: &payload::Kind,
    problems: &mut Vec<String>,
) -> Vec<String> {
    let Some(list) = &config.content_types else {
        let types = body.content_types().iter().copied();
        return types.map(str::to_owned).collect();
    };
    if list.is_empty() {
        problems.push("content_types: an empty list takes nothing; leave it out".to_owned());
    }
    for (index, kind) in list.iter().enumerate() {
        let is_kind = kind.is_empty() || kind.starts_with('+') || kind.contains('/');
        if !is_kind || kind.contains([';', ' ']) {
            problems.push(format!(
                "content_types[{index}]: write `type/subtype` without parameters, `+suffix`, or an empty text for none"
            ));
        }
    }
    list.iter().map(|kind| kind.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
