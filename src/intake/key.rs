//! Secrets as keys: how a secret's text becomes one, and what a key can prove.
//!
//! A key is made once for each value of its secret and kept as long as that is in force, so that rotation needs no
//! other step and a message costs no decoding. Decoded bytes are wiped when they are dropped. Whether a tag fits is
//! only ever found out in constant time.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::Choice;

use super::algorithm::{Algorithm, Hash};
use super::config::{Encoding, SecretEncoding};
use super::encoding;
use super::place::Place;
use super::tag::Tag;
use crate::secret::Secret;

/// How a secret's text becomes a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyForm {
    pub(super) prefix: String,
    pub(super) encoding: SecretEncoding,
    /// What the key is for, where that is known.
    pub(super) algorithm: Option<Algorithm>,
    /// Where a token has to stand.
    pub(super) place: Option<Place>,
}

impl KeyForm {
    /// Says why a secret cannot be a key of this form, without a byte of it.
    pub(super) fn check(&self, secret: &[u8]) -> Result<(), String> {
        let Some(bytes) = self.decode(secret) else {
            return Err(format!(
                "it is not {}{}: copy it from the sender unchanged, or set verify.secret_encoding",
                match self.encoding {
                    SecretEncoding::Base64 => "base64",
                    SecretEncoding::Hex => "hexadecimal",
                    SecretEncoding::Text => "text",
                },
                if self.prefix.is_empty() {
                    String::new()
                } else {
                    format!(" (after the prefix `{}`, where it has it)", self.prefix)
                },
            ));
        };
        let bytes = bytes.expose_secret();
        if bytes.is_empty() {
            return Err(format!(
                "nothing is left of it after the prefix `{}`: give the whole secret",
                self.prefix
            ));
        }
        match self.algorithm {
            Some(Algorithm::Ed25519) => public_key(bytes).map(drop),
            Some(Algorithm::Token) => self.check_token(bytes),
            _ => Ok(()),
        }
    }

    /// A token has to arrive as it is written.
    fn check_token(&self, token: &[u8]) -> Result<(), String> {
        let text = str::from_utf8(token).map_err(|_why| "a token is text".to_owned())?;
        if text.trim() != text {
            return Err("a token begins and ends with no blank: none would arrive".to_owned());
        }
        match &self.place {
            Some(Place::Basic) if !text.contains(':') => {
                Err("for `basic` it is `user:password`, both in one".to_owned())
            }
            Some(Place::Header(_) | Place::Bearer)
                if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) =>
            {
                Err("a token in a header is made of visible ASCII characters".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The bytes that the secret stands for; `None` if it does not decode.
    fn decode(&self, secret: &[u8]) -> Option<SecretSlice<u8>> {
        let text = secret
            .strip_prefix(self.prefix.as_bytes())
            .unwrap_or(secret);
        let bytes = match self.encoding {
            SecretEncoding::Text => text.to_vec(),
            SecretEncoding::Base64 => encoding::decode(Encoding::Base64, text)?,
            SecretEncoding::Hex => encoding::decode(Encoding::Hex, text)?,
        };
        Some(SecretSlice::from(bytes))
    }
}

/// A key that a signature could be made for without its private half proves nothing; one that is no point fits none.
fn public_key(bytes: &[u8]) -> Result<VerifyingKey, String> {
    let Ok(bytes) = <&[u8; 32]>::try_from(bytes) else {
        return Err(format!(
            "a public key of ed25519 has 32 bytes, this has {}: it is the sender's public key that belongs here",
            bytes.len()
        ));
    };
    match VerifyingKey::from_bytes(bytes) {
        Ok(key) if key.is_weak() => Err(
            "this ed25519 key is a weak one: anybody could sign for it. Copy the sender's key"
                .to_owned(),
        ),
        Ok(key) => Ok(key),
        Err(_) => Err("this is no ed25519 key: nothing could ever be signed for it".to_owned()),
    }
}

/// A piece of what is signed.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    Bytes(&'a [u8]),
    /// The key's own bytes.
    Secret,
}

/// A secret, made ready.
pub(super) struct Key {
    bytes: SecretSlice<u8>,
    ready: Ready,
}

/// HMACs have hashed their key already.
enum Ready {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha384(Hmac<Sha384>),
    HmacSha512(Hmac<Sha512>),
    Digest(Hash),
    Ed25519(Box<VerifyingKey>),
    Token(Tag),
}

impl Key {
    /// `None`: the secret does not decode, or nothing is proved by keys.
    pub(super) fn new(form: &KeyForm, secret: &[u8]) -> Option<Self> {
        let bytes = form.decode(secret)?;
        let key = bytes.expose_secret();
        let ready = match form.algorithm? {
            Algorithm::Hmac(Hash::Sha1) => Ready::HmacSha1(hmac(key)),
            Algorithm::Hmac(Hash::Sha256) => Ready::HmacSha256(hmac(key)),
            Algorithm::Hmac(Hash::Sha384) => Ready::HmacSha384(hmac(key)),
            Algorithm::Hmac(Hash::Sha512) => Ready::HmacSha512(hmac(key)),
            Algorithm::Digest(hash) => Ready::Digest(hash),
            Algorithm::Ed25519 => Ready::Ed25519(Box::new(public_key(key).ok()?)),
            Algorithm::Token => Ready::Token(Tag::of_token(key)),
            Algorithm::None => return None,
        };
        Some(Self { bytes, ready })
    }

    /// The secret's own bytes, as they are sent where the secret is a token.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// The tag over the pieces, one after the other; `None` where only the holder of a private key can make it.
    pub(super) fn tag(&self, pieces: &[Piece<'_>]) -> Option<Tag> {
        let parts = || self.resolved(pieces);
        Some(match &self.ready {
            Ready::HmacSha1(mac) => over(mac, parts()),
            Ready::HmacSha256(mac) => over(mac, parts()),
            Ready::HmacSha384(mac) => over(mac, parts()),
            Ready::HmacSha512(mac) => over(mac, parts()),
            Ready::Digest(Hash::Sha1) => digest::<Sha1>(parts()),
            Ready::Digest(Hash::Sha256) => digest::<Sha256>(parts()),
            Ready::Digest(Hash::Sha384) => digest::<Sha384>(parts()),
            Ready::Digest(Hash::Sha512) => digest::<Sha512>(parts()),
            Ready::Token(tag) => *tag,
            Ready::Ed25519(_) => return None,
        })
    }

    /// Whether any of the items is right for the pieces.
    pub(super) fn proves(&self, pieces: &[Piece<'_>], items: &[Tag]) -> Choice {
        if let Ready::Ed25519(key) = &self.ready {
            let content: Vec<u8> = self.resolved(pieces).flatten().copied().collect();
            return items.iter().fold(Choice::from(0), |fits, item| {
                let signature = Signature::from_slice(item.as_bytes());
                // Nothing here is secret: key and signature are public.
                let right = signature.is_ok_and(|it| key.verify_strict(&content, &it).is_ok());
                fits | Choice::from(u8::from(right))
            });
        }
        self.tag(pieces).map_or(Choice::from(0), |tag| {
            let fits = |fits, item| fits | tag.matches(item);
            items.iter().fold(Choice::from(0), fits)
        })
    }

    fn resolved<'a>(&'a self, pieces: &'a [Piece<'_>]) -> impl Iterator<Item = &'a [u8]> {
        pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Secret => self.bytes(),
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)")
}

fn over<'a>(mac: &(impl Mac + Clone), parts: impl Iterator<Item = &'a [u8]>) -> Tag {
    let mut mac = mac.clone();
    parts.for_each(|part| mac.update(part));
    Tag::new(&mac.finalize().into_bytes())
}

fn digest<'a, D: Digest>(parts: impl Iterator<Item = &'a [u8]>) -> Tag {
    let mut hash = D::new();
    parts.for_each(|part| hash.update(part));
    Tag::new(&hash.finalize())
}

/// The keys of a source's secrets, each made anew when its secret has changed.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    form: KeyForm,
    slots: Vec<Arc<Slot>>,
}

#[derive(Debug)]
struct Slot {
    secret: Secret,
    made: ArcSwap<Made>,
}

/// What was made of a secret, and of which of its values.
#[derive(Debug)]
pub(super) struct Made {
    generation: u64,
    /// A secret that does not decode has been refused when it was read; it fits nothing.
    pub(super) key: Option<Key>,
}

impl Ring {
    pub(super) fn new(form: KeyForm, secrets: Vec<Secret>) -> Self {
        let slots = secrets.into_iter().map(|secret| {
            let made = ArcSwap::from(make(&form, &secret));
            Arc::new(Slot { secret, made })
        });
        let slots = slots.collect();
        Self { form, slots }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.slots.iter().map(|slot| &slot.secret)
    }

    /// The keys that are in force now.
    pub(super) fn keys(&self) -> impl Iterator<Item = Guard<Arc<Made>>> {
        self.slots.iter().map(|slot| {
            let made = slot.made.load();
            if made.generation == slot.secret.generation() {
                return made;
            }
            let fresh = make(&self.form, &slot.secret);
            slot.made.store(Arc::clone(&fresh));
            Guard::from_inner(fresh)
        })
    }
}

fn make(form: &KeyForm, secret: &Secret) -> Arc<Made> {
    let generation = secret.generation();
    let key = if secret.is_stand_in() {
        None
    } else {
        secret.expose(|secret| Key::new(form, secret))
    };
    Arc::new(Made { generation, key })
}

#[cfg(test)]
mod tests;
