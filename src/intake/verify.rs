//! Is this message from whom it says, and of now? The one place where a [`Verified`] is made.
//!
//! The raw bytes are hashed, in place. Whether a signature fits is compared in constant time, for every item and
//! every secret; only what the scheme names is looked at, and none of the body is decoded but a form that it names.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};
use subtle::Choice;

use super::Source;
use super::algorithm::Algorithm;
use super::dedup::{self, Digest, Identity};
use super::form::{Field, Form};
use super::key::Piece;
use super::place::{self, Moment};
use super::scheme::{IdSource, Scheme, Timestamp};
use super::tag::Tag;
use super::template::Part;
use super::timestamp::{self, Age};
use crate::clock::UnixMs;

/// The most signatures of one message that are tried; the rest is as if it were not there. Senders that rotate
/// keys send two or three.
const MAX_ITEMS: usize = 64;

/// A request as it came, nothing of it believed.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// Path and query, as they were received.
    pub target: &'a str,
    /// What the path ends with where it is longer than the source's name.
    pub path_token: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// The body as it was received, of the length that the listener allows.
    pub body: Bytes,
    pub now: UnixMs,
}

/// A message whose signature fits. Nothing but verification can make one.
#[derive(Clone, Debug)]
pub struct Verified {
    body: Bytes,
    received_at: UnixMs,
    identity: Identity,
    body_digest: Digest,
}

impl Verified {
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// With what the body was before it was compressed, if that is what was signed: the same message, and the same
    /// in the eyes of [`super::dedup`].
    #[must_use]
    pub(super) fn decoded(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    pub fn received_at(&self) -> UnixMs {
        self.received_at
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn body_digest(&self) -> &Digest {
        &self.body_digest
    }
}

/// Why a message is not believed. The sender is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("the path does not end with the source's token")]
    PathToken,
    #[error("nothing stands where the signature or the token should")]
    SignatureMissing,
    #[error(
        "nothing that stands where the signature should is one: wrong prefix, encoding or length"
    )]
    SignatureMalformed,
    #[error(
        "no signature fits: another secret, another content, or a body that was changed on its way"
    )]
    Mismatch,
    #[error("the timestamp is missing")]
    TimestampMissing,
    #[error("there is more than one timestamp")]
    TimestampRepeated,
    #[error("the timestamp is not of the configured format")]
    TimestampMalformed,
    #[error(
        "authentic, but its timestamp is too far in the past: a replay, or a clock that is off"
    )]
    TooOld,
    #[error("authentic, but its timestamp is too far in the future: a clock that is off")]
    TooNew,
    #[error("the id is part of what is signed, and its header is missing")]
    IdMissing,
    #[error("a header that is part of what is signed is missing")]
    HeaderMissing,
    #[error("a header of which there can be one came more than once")]
    HeaderRepeated,
    #[error("the body should be a form, and cannot be read as one")]
    FormMalformed,
    #[error("a field of the form that is part of what is signed is missing")]
    FieldMissing,
    #[error("a field of the form that is part of what is signed came more than once")]
    FieldRepeated,
    #[error("the body is not of the content encoding that it says, so nothing can be verified")]
    EncodingBroken,
}

impl Refusal {
    pub const ALL: [Self; 16] = [
        Self::PathToken,
        Self::SignatureMissing,
        Self::SignatureMalformed,
        Self::Mismatch,
        Self::TimestampMissing,
        Self::TimestampRepeated,
        Self::TimestampMalformed,
        Self::TooOld,
        Self::TooNew,
        Self::IdMissing,
        Self::HeaderMissing,
        Self::HeaderRepeated,
        Self::FormMalformed,
        Self::FieldMissing,
        Self::FieldRepeated,
        Self::EncodingBroken,
    ];

    /// The metric's label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::PathToken => "path_token",
            Self::SignatureMissing => "missing",
            Self::SignatureMalformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampRepeated => "timestamp_repeated",
            Self::TimestampMalformed => "timestamp_malformed",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::IdMissing => "id_missing",
            Self::HeaderMissing => "header_missing",
            Self::HeaderRepeated => "header_repeated",
            Self::FormMalformed => "form_malformed",
            Self::FieldMissing => "field_missing",
            Self::FieldRepeated => "field_repeated",
            Self::EncodingBroken => "encoding",
        }
    }
}

/// Verifies one message. That it is too old or too new is only said of one whose signature fits.
pub(super) fn verify(source: &Source, received: &Received<'_>) -> Result<Verified, Refusal> {
    let (scheme, headers) = (&source.scheme, received.headers);
    if !source.opens(received.path_token) {
        return Err(Refusal::PathToken);
    }
    let form = scheme
        .needs_form()
        .then(|| Form::parse(&received.body).map_err(|_fault| Refusal::FormMalformed))
        .transpose()?;
    let query = received
        .target
        .split_once('?')
        .map_or("", |(_, query)| query);
    let values = match &scheme.place {
        Some(place) => place
            .values(headers, query, form.as_ref())
            .ok_or(Refusal::SignatureMissing)?,
        None => Vec::new(),
    };
    let mut claimed = None;
    if let Some(timestamp) = &scheme.timestamp {
        let text = claim(scheme, timestamp, headers, &values)?;
        let moment = timestamp.format.parse(text);
        claimed = Some((text, moment.ok_or(Refusal::TimestampMalformed)?, timestamp));
    }
    let id = match &scheme.id {
        IdSource::Header { name, .. } => single(headers, name)?,
        IdSource::Hash | IdSource::Path(_) => None,
    };
    if id.is_none() && matches!(scheme.id, IdSource::Header { needed: true, .. }) {
        return Err(Refusal::IdMissing);
    }
    let claim = Claim {
        received,
        form: form.as_ref(),
        id,
        timestamp: claimed.map(|(text, ..)| text),
    };
    let pieces = claim.pieces(scheme)?;
    check_proof(source, &values, &pieces)?;
    if let Some((_, moment, timestamp)) = claimed {
        match timestamp::age(moment, received.now, timestamp.tolerance) {
            Age::Fresh => {}
            Age::TooOld => return Err(Refusal::TooOld),
            Age::TooNew => return Err(Refusal::TooNew),
        }
    }
    let body_digest = dedup::digest([&*received.body]);
    Ok(Verified {
        body: received.body.clone(),
        received_at: received.now,
        identity: identity(scheme, id, &pieces, body_digest),
        body_digest,
    })
}

/// A header's only value; `None` where it is absent or empty.
fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&[u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::as_bytes);
    if values.next().is_some() {
        return Err(Refusal::HeaderRepeated);
    }
    Ok(first.filter(|value| !value.is_empty()))
}

/// The text of the moment that the sender claims.
fn claim<'a>(
    scheme: &'a Scheme,
    timestamp: &Timestamp,
    headers: &'a HeaderMap,
    values: &'a [Cow<'_, str>],
) -> Result<&'a [u8], Refusal> {
    match &timestamp.place {
        Moment::Header(name) => single(headers, name)?.ok_or(Refusal::TimestampMissing),
        Moment::Item(prefix) => {
            let items = place::items(values, scheme.separator.as_deref()).take(MAX_ITEMS);
            let mut found = items.filter_map(|item| item.strip_prefix(&**prefix));
            let first = found.next().ok_or(Refusal::TimestampMissing)?;
            if found.next().is_some() {
                return Err(Refusal::TimestampRepeated);
            }
            Ok(first.as_bytes())
        }
    }
}

/// What a message says of itself, as far as it can be signed.
#[derive(Clone, Copy)]
struct Claim<'a> {
    received: &'a Received<'a>,
    form: Option<&'a Form<'a>>,
    id: Option<&'a [u8]>,
    timestamp: Option<&'a [u8]>,
}

impl<'a> Claim<'a> {
    /// What should have been signed, in pieces.
    fn pieces(self, scheme: &'a Scheme) -> Result<Vec<Piece<'a>>, Refusal> {
        let parts = scheme.content.parts();
        let mut pieces = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let bytes = match part {
                Part::Literal(text) => text,
                Part::Body => &*self.received.body,
                Part::Id => self.id.ok_or(Refusal::IdMissing)?,
                Part::Timestamp => self.timestamp.ok_or(Refusal::TimestampMissing)?,
                Part::Header(name) => {
                    single(self.received.headers, name)?.ok_or(Refusal::HeaderMissing)?
                }
                Part::Form(field) => match self.form.map(|form| form.single(field)) {
                    Some(Field::One(value)) => value,
                    Some(Field::Several) => return Err(Refusal::FieldRepeated),
                    Some(Field::Missing) | None => return Err(Refusal::FieldMissing),
                },
                Part::Url => {
                    pieces.push(Piece::Bytes(scheme.url.as_bytes()));
                    self.received.target.as_bytes()
                }
                Part::Secret => {
                    pieces.push(Piece::Secret);
                    continue;
                }
            };
            pieces.push(Piece::Bytes(bytes));
        }
        Ok(pieces)
    }
}

/// Any secret that fits any item will do.
fn check_proof(
    source: &Source,
    values: &[Cow<'_, str>],
    pieces: &[Piece<'_>],
) -> Result<(), Refusal> {
    let scheme = &source.scheme;
    if scheme.algorithm == Algorithm::None {
        return Ok(());
    }
    let items: Vec<Tag> = place::items(values, scheme.separator.as_deref())
        .take(MAX_ITEMS)
        .filter_map(|item| tag(scheme, item))
        .collect();
    if items.is_empty() {
        return Err(Refusal::SignatureMalformed);
    }
    let fits = source.ring.keys().fold(Choice::from(0), |fits, made| {
        let proves = |key: &super::key::Key| key.proves(pieces, &items);
        fits | made.key.as_ref().map_or(Choice::from(0), proves)
    });
    if bool::from(fits) {
        Ok(())
    } else {
        Err(Refusal::Mismatch)
    }
}

/// The item's tag after the first prefix with which it is one; `None`: the item is skipped.
fn tag(scheme: &Scheme, item: &str) -> Option<Tag> {
    let after_prefix = scheme
        .prefixes
        .iter()
        .filter_map(|prefix| item.strip_prefix(&**prefix));
    let mut tags = after_prefix.filter_map(|text| match scheme.encoding {
        Some(encoding) => Tag::decode(encoding, text.as_bytes(), scheme.algorithm.tag_len()),
        None => (!text.is_empty()).then(|| Tag::of_token(text.as_bytes())),
    });
    tags.next()
}

fn identity(
    scheme: &Scheme,
    id: Option<&[u8]>,
    pieces: &[Piece<'_>],
    body_digest: Digest,
) -> Identity {
    let digest = || {
        if scheme.content.is_body_alone() {
            body_digest
        } else {
            dedup::digest(pieces.iter().filter_map(|piece| match piece {
                Piece::Bytes(bytes) => Some(*bytes),
                // Else the keys of what is known would change with the secret, and hold something of it.
                Piece::Secret => None,
            }))
        }
    };
    match (&scheme.id, id) {
        (IdSource::Header { signed: true, .. }, Some(id)) => Identity::SignedId(id.into()),
        (IdSource::Header { .. }, id) => Identity::Content {
            digest: digest(),
            id: id.map(Into::into),
        },
        (IdSource::Path(_), _) => Identity::InBody { digest: digest() },
        (IdSource::Hash, _) => Identity::Content {
            digest: digest(),
            id: None,
        },
    }
}

#[cfg(test)]
mod tests;
