//! Is this message from whom it says, and of now? The one place where a [`Verified`] is made.
//!
//! The raw bytes are hashed, in place. Whether a signature fits is compared in constant time, for every item and
//! every secret; only headers that the scheme names are looked at, and none of the body is decoded.

use bytes::Bytes;
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};
use subtle::Choice;

use super::dedup::{self, Digest, Identity};
use super::key::Tag;
use super::scheme::{IdSource, Scheme};
use super::template::Part;
use super::timestamp::{self, Age};
use crate::clock::UnixMs;
use crate::secret::Secret;

/// The most signatures of one message that are tried; the rest is as if it were not there. Senders that rotate
/// keys send two or three.
const MAX_ITEMS: usize = 64;

/// A request as it came, nothing of it believed.
#[derive(Clone, Debug)]
pub struct Received<'a> {
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
    #[error("the header that should hold the signature is missing")]
    SignatureMissing,
    #[error("nothing in the signature's header is a signature: wrong prefix, encoding or length")]
    SignatureMalformed,
    #[error(
        "no signature fits: another secret, another content, or a body that was changed on its way"
    )]
    Mismatch,
    #[error("the timestamp's header is missing")]
    TimestampMissing,
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
    #[error("the body is not of the content encoding that it says, so nothing can be verified")]
    EncodingBroken,
}

impl Refusal {
    pub const ALL: [Self; 11] = [
        Self::SignatureMissing,
        Self::SignatureMalformed,
        Self::Mismatch,
        Self::TimestampMissing,
        Self::TimestampMalformed,
        Self::TooOld,
        Self::TooNew,
        Self::IdMissing,
        Self::HeaderMissing,
        Self::HeaderRepeated,
        Self::EncodingBroken,
    ];

    /// The metric's label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SignatureMissing => "missing",
            Self::SignatureMalformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampMalformed => "timestamp_malformed",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::IdMissing => "id_missing",
            Self::HeaderMissing => "header_missing",
            Self::HeaderRepeated => "header_repeated",
            Self::EncodingBroken => "encoding",
        }
    }
}

/// Verifies one message. That it is too old or too new is only said of one whose signature fits.
pub(super) fn verify(
    scheme: &Scheme,
    secrets: &[Secret],
    received: &Received<'_>,
) -> Result<Verified, Refusal> {
    let headers = received.headers;
    if !headers.contains_key(&scheme.signature) {
        return Err(Refusal::SignatureMissing);
    }
    let mut claimed = None;
    if let Some(timestamp) = &scheme.timestamp {
        let text = single(headers, &timestamp.header)?.ok_or(Refusal::TimestampMissing)?;
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
    let parts = content(scheme, received, id, claimed.map(|(text, ..)| text))?;
    check_signature(scheme, secrets, headers, &parts)?;
    if let Some((_, moment, timestamp)) = claimed {
        match timestamp::age(moment, received.now, timestamp.tolerance) {
            Age::Fresh => {}
            Age::TooOld => return Err(Refusal::TooOld),
            Age::TooNew => return Err(Refusal::TooNew),
        }
    }
    let body_digest = dedup::digest(&[&received.body]);
    Ok(Verified {
        body: received.body.clone(),
        received_at: received.now,
        identity: identity(scheme, id, &parts, body_digest),
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

/// What should have been signed, in pieces.
fn content<'a>(
    scheme: &'a Scheme,
    received: &'a Received<'_>,
    id: Option<&'a [u8]>,
    timestamp: Option<&'a [u8]>,
) -> Result<Vec<&'a [u8]>, Refusal> {
    let pieces = scheme.content.parts().iter().map(|part| match part {
        Part::Literal(text) => Ok(&**text),
        Part::Body => Ok(&*received.body),
        Part::Id => id.ok_or(Refusal::IdMissing),
        Part::Timestamp => timestamp.ok_or(Refusal::TimestampMissing),
        Part::Header(name) => single(received.headers, name)?.ok_or(Refusal::HeaderMissing),
    });
    pieces.collect()
}

/// Any secret that fits any item will do.
fn check_signature(
    scheme: &Scheme,
    secrets: &[Secret],
    headers: &HeaderMap,
    parts: &[&[u8]],
) -> Result<(), Refusal> {
    let items: Vec<Tag> = items(scheme, headers)
        .take(MAX_ITEMS)
        .filter_map(|item| tag(scheme, item))
        .collect();
    if items.is_empty() {
        return Err(Refusal::SignatureMalformed);
    }
    let mut fits = Choice::from(0);
    for secret in secrets {
        // A secret that does not decode has been refused when it was read; it fits nothing.
        let tag = secret
            .expose(|secret| (scheme.key).with_key(secret, |key| scheme.algorithm.tag(key, parts)));
        let Some(tag) = tag else { continue };
        fits = items
            .iter()
            .fold(fits, |fits, item| fits | tag.matches(item));
    }
    if bool::from(fits) {
        Ok(())
    } else {
        Err(Refusal::Mismatch)
    }
}

/// Each value of the signature's header, split where the scheme has a separator.
fn items<'a>(scheme: &'a Scheme, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
    // A value with anything but visible ASCII in it cannot hold a signature in hex or base64.
    let values = headers
        .get_all(&scheme.signature)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(move |value| {
        let mut rest = Some(value);
        std::iter::from_fn(move || {
            let text = rest?;
            let split = (scheme.separator.as_deref()).and_then(|by| text.split_once(by));
            let (item, tail) = split.map_or((text, None), |(item, tail)| (item, Some(tail)));
            rest = tail;
            Some(item.trim())
        })
    })
}

/// The item's tag after the first prefix with which it is one; `None`: the item is skipped.
fn tag(scheme: &Scheme, item: &str) -> Option<Tag> {
    let after_prefix = scheme
        .prefixes
        .iter()
        .filter_map(|prefix| item.strip_prefix(&**prefix));
    let mut tags = after_prefix.filter_map(|text| {
        let text = text.as_bytes();
        Tag::decode(scheme.encoding, text, scheme.algorithm.tag_len())
    });
    tags.next()
}

fn identity(scheme: &Scheme, id: Option<&[u8]>, parts: &[&[u8]], body_digest: Digest) -> Identity {
    let digest = || {
        if scheme.content.is_body_alone() {
            body_digest
        } else {
            dedup::digest(parts)
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
