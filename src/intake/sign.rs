//! What a sender would send: the other half of verification, for `wrapup sign`, the demo and the tests.

use ed25519_dalek::{Signer, SigningKey};
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderName, HeaderValue};

use super::Source;
use super::algorithm::Algorithm;
use super::config::Encoding;
use super::encoding;
use super::envelope::{Envelope, Payload};
use super::form;
use super::key::{Key, Piece};
use super::place::{Moment, Place};
use super::scheme::{IdSource, Scheme};
use super::tag::Tag;
use super::template::Part;
use crate::clock::UnixMs;
use crate::ids::SourceName;

/// Why a message could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("source {name} has {count} secrets, counted from 0; there is no secret {index}")]
    NoSuchSecret {
        name: SourceName,
        index: usize,
        count: usize,
    },
    #[error("the secret is not there, or cannot be decoded as verify.secret_encoding says")]
    Secret,
    #[error("the source's path_token is not there")]
    PathToken,
    #[error(
        "an id goes into a header: it cannot be empty, begin or end with a blank, or hold control characters"
    )]
    Id,
    #[error(
        "source {0} holds the sender's public key; to sign, the private key is needed (--signing-key)"
    )]
    NoPrivateKey(SourceName),
    #[error(
        "the private key is not understood: `whsk_` and base64, or hexadecimal, of 32 bytes (or 64, with the public \
         key behind)"
    )]
    PrivateKey,
    #[error("the private key is not the other half of secret {0}: nothing it signs would pass")]
    AnotherKey(usize),
}

/// With what a message is signed, and what it says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Which of the source's secrets, counted from 0.
    pub secret: usize,
    /// The text of an ed25519 private key; other algorithms need none.
    pub private_key: Option<&'a str>,
    pub now: UnixMs,
    /// Not used where ids stand in the body or are not sent.
    pub id: &'a str,
}

/// A request as its sender would make it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// Path and query. It may hold the source's token.
    pub target: String,
    pub content_type: String,
    /// Those that the scheme asks for.
    pub headers: Vec<(HeaderName, String)>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Signed")
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// What stands in a signed header or field whose value means nothing to us.
const ANY_VALUE: &str = "wrapup";

pub(super) fn sign(
    source: &Source,
    stamp: &Stamp<'_>,
    payload: Payload<'_>,
) -> Result<Signed, SignError> {
    let scheme = &source.scheme;
    let mut draft = Draft {
        source,
        target: target(source)?,
        headers: Vec::new(),
        claimed: String::new(),
        fields: match payload {
            Payload::Survey(_) => others(scheme, source).collect(),
            Payload::Body(_) => Vec::new(),
        },
        payload,
    };
    if let IdSource::Header { name, .. } = &scheme.id {
        let id = stamp.id;
        let is_clean = !id.is_empty() && id.trim() == id && HeaderValue::from_str(id).is_ok();
        if !is_clean {
            return Err(SignError::Id);
        }
        draft.headers.push((name.clone(), id.to_owned()));
    }
    if let Some(timestamp) = &scheme.timestamp {
        draft.claimed = timestamp.format.write(stamp.now);
        if let Moment::Header(name) = &timestamp.place {
            draft.headers.push((name.clone(), draft.claimed.clone()));
        }
    }
    for part in scheme.content.parts() {
        if let Part::Header(name) = part
            && draft.header(name).is_none()
        {
            let value = if *name == DATE {
                httpdate::fmt_http_date(std::time::UNIX_EPOCH + stamp.now.since(UnixMs(0)))
            } else {
                ANY_VALUE.to_owned()
            };
            draft.headers.push((name.clone(), value));
        }
    }
    let proof = if scheme.algorithm == Algorithm::None {
        None
    } else {
        Some(proof(&draft, stamp)?)
    };
    Ok(draft.finish(proof))
}

impl Source {
    /// The webhook's path, without the token that may end it.
    pub fn path(&self) -> String {
        format!("/webhooks/{}", self.name)
    }
}

/// Path, with the token where there is one.
fn target(source: &Source) -> Result<String, SignError> {
    let mut target = source.path();
    if let Some(token) = &source.path_token {
        let text = (!token.is_stand_in())
            .then(|| token.expose(|token| String::from_utf8(token.to_vec()).ok()));
        target.push('/');
        target.push_str(&text.flatten().ok_or(SignError::PathToken)?);
    }
    Ok(target)
}

/// The signed fields of a form besides that of the survey.
fn others<'a>(scheme: &'a Scheme, source: &'a Source) -> impl Iterator<Item = (&'a str, String)> {
    let body = source.words.body.as_deref();
    let read = body.and_then(|body| body.strip_prefix("form:"));
    let fields = scheme.content.fields();
    fields
        .filter(move |field| read.is_some_and(|read| read != *field))
        .map(|field| (field, ANY_VALUE.to_owned()))
}

/// A message that still lacks its proof.
struct Draft<'a> {
    source: &'a Source,
    target: String,
    headers: Vec<(HeaderName, String)>,
    /// The timestamp's text; empty where there is none.
    claimed: String,
    /// Of the form, besides the survey's.
    fields: Vec<(&'a str, String)>,
    payload: Payload<'a>,
}

impl Draft<'_> {
    fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        values.next().map(|(_, value)| value.as_str())
    }

    fn envelope(&self, more: Option<(&str, &str)>) -> Envelope {
        let fields = self.fields.iter();
        let fields: Vec<_> = fields
            .map(|(name, value)| (*name, &**value))
            .chain(more)
            .collect();
        self.source.fill(self.payload, &fields)
    }

    fn finish(mut self, proof: Option<String>) -> Signed {
        let mut field = None;
        if let (Some(place), Some(proof)) = (&self.source.scheme.place, proof) {
            match place {
                Place::Header(name) => self.headers.push((name.clone(), proof)),
                Place::Bearer => self
                    .headers
                    .push((AUTHORIZATION, format!("Bearer {proof}"))),
                Place::Basic => {
                    let credentials = encoding::encode(Encoding::Base64, proof.as_bytes());
                    self.headers
                        .push((AUTHORIZATION, format!("Basic {credentials}")));
                }
                Place::Query(name) => {
                    self.target.push('?');
                    self.target
                        .push_str(&form::write([(&**name, proof.as_bytes())]));
                }
                Place::Form(name) => field = Some((&**name, proof)),
            }
        }
        let more = field.as_ref().map(|(name, proof)| (*name, &**proof));
        let Envelope { content_type, body } = self.envelope(more);
        Signed {
            target: self.target,
            content_type,
            headers: self.headers,
            body,
        }
    }
}

/// The value that proves the message: the token, or the signature's items.
fn proof(draft: &Draft<'_>, stamp: &Stamp<'_>) -> Result<String, SignError> {
    let (source, scheme) = (draft.source, &draft.source.scheme);
    let made = source.ring.keys().nth(stamp.secret);
    let made = made.ok_or_else(|| SignError::NoSuchSecret {
        name: source.name.clone(),
        index: stamp.secret,
        count: source.ring.len(),
    })?;
    let key = made.key.as_ref().ok_or(SignError::Secret)?;
    let prefix = scheme.prefixes.first().map_or("", String::as_str);
    let Some(encoding) = scheme.encoding else {
        let token = str::from_utf8(key.bytes()).map_err(|_why| SignError::Secret)?;
        return Ok(format!("{prefix}{token}"));
    };
    let body = draft.envelope(None).body;
    let form = (scheme.needs_form()).then(|| form::Form::parse(&body));
    let form = form.transpose().ok().flatten();
    let url = [&*scheme.url, &*draft.target].concat();
    let pieces: Vec<Piece<'_>> = (scheme.content.parts().iter())
        .map(|part| match part {
            Part::Literal(text) => Piece::Bytes(text),
            Part::Body => Piece::Bytes(&body),
            Part::Id => Piece::Bytes(stamp.id.as_bytes()),
            Part::Timestamp => Piece::Bytes(draft.claimed.as_bytes()),
            Part::Header(name) => Piece::Bytes(draft.header(name).unwrap_or_default().as_bytes()),
            Part::Form(field) => {
                let mut values = form.iter().flat_map(|form| form.all(field));
                Piece::Bytes(values.next().unwrap_or_default())
            }
            Part::Url => Piece::Bytes(url.as_bytes()),
            Part::Secret => Piece::Secret,
        })
        .collect();
    let tag = match key.tag(&pieces) {
        Some(tag) => tag,
        None => by_private_key(source, key, stamp, &pieces)?,
    };
    let item = format!("{prefix}{}", tag.encode(encoding));
    Ok(match scheme.timestamp.as_ref().map(|it| &it.place) {
        Some(Moment::Item(prefix)) => {
            let separator = scheme.separator.as_deref().unwrap_or_default();
            format!("{prefix}{}{separator}{item}", draft.claimed)
        }
        _ => item,
    })
}

fn by_private_key(
    source: &Source,
    public: &Key,
    stamp: &Stamp<'_>,
    pieces: &[Piece<'_>],
) -> Result<Tag, SignError> {
    let text = stamp.private_key;
    let text = text.ok_or_else(|| SignError::NoPrivateKey(source.name.clone()))?;
    let text = text.trim();
    let bare = text.strip_prefix("whsk_").unwrap_or(text).as_bytes();
    let bytes = [Encoding::Hex, Encoding::Base64]
        .into_iter()
        .filter_map(|encoding| encoding::decode(encoding, bare))
        .find(|bytes| matches!(bytes.len(), 32 | 64))
        .ok_or(SignError::PrivateKey)?;
    let seed = bytes.first_chunk::<32>().ok_or(SignError::PrivateKey)?;
    let key = SigningKey::from_bytes(seed);
    if key.verifying_key().as_bytes().as_slice() != public.bytes() {
        return Err(SignError::AnotherKey(stamp.secret));
    }
    let content: Vec<u8> = (pieces.iter())
        .flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Secret => public.bytes(),
        })
        .copied()
        .collect();
    Ok(Tag::new(&key.sign(&content).to_bytes()))
}
