//! Secrets as keys, and what is computed with them.
//!
//! A key is decoded for each message from the secret that is in force then, so that rotation needs no other step.
//! The decoded bytes are wiped after use, and tags are only ever compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::{Choice, ConstantTimeEq};

use super::config::{Encoding, SecretEncoding};
use super::encoding;

/// How a secret's text becomes a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyForm {
    pub(super) prefix: String,
    pub(super) encoding: SecretEncoding,
}

impl KeyForm {
    /// Says why a secret cannot be a key of this form, without a byte of it.
    pub(super) fn check(&self, secret: &[u8]) -> Result<(), String> {
        match self.with_key(secret, <[u8]>::is_empty) {
            Some(false) => Ok(()),
            Some(true) => Err(format!(
                "nothing is left of it after the prefix `{}`: give the whole secret",
                self.prefix
            )),
            None => Err(format!(
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
            )),
        }
    }

    /// Lends the key that the secret stands for; `None` if it does not decode.
    pub(super) fn with_key<T>(&self, secret: &[u8], use_it: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let text = secret
            .strip_prefix(self.prefix.as_bytes())
            .unwrap_or(secret);
        let encoded = match self.encoding {
            SecretEncoding::Text => return Some(use_it(text)),
            SecretEncoding::Base64 => Encoding::Base64,
            SecretEncoding::Hex => Encoding::Hex,
        };
        let key = SecretSlice::from(encoding::decode(encoded, text)?);
        Some(use_it(key.expose_secret()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

const KNOWN: &str = "hmac-sha1, hmac-sha256, hmac-sha384 and hmac-sha512";

impl Algorithm {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "hmac-sha1" => Ok(Self::HmacSha1),
            "hmac-sha256" => Ok(Self::HmacSha256),
            "hmac-sha384" => Ok(Self::HmacSha384),
            "hmac-sha512" => Ok(Self::HmacSha512),
            "digest-sha256" | "digest-sha384" | "ed25519" | "token" | "none" => Err(format!(
                "`{text}` is not in this version of wrapup; it knows {KNOWN}"
            )),
            _ => Err(format!("`{text}` is unknown; known are {KNOWN}")),
        }
    }

    /// Bytes of a tag. A shorter one is never taken: a cut tag is easier to guess.
    pub(super) fn tag_len(self) -> usize {
        match self {
            Self::HmacSha1 => 20,
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }

    /// The tag over the parts, one after the other.
    pub(super) fn tag(self, key: &[u8], parts: &[&[u8]]) -> Tag {
        match self {
            Self::HmacSha1 => tag::<Hmac<Sha1>>(key, parts),
            Self::HmacSha256 => tag::<Hmac<Sha256>>(key, parts),
            Self::HmacSha384 => tag::<Hmac<Sha384>>(key, parts),
            Self::HmacSha512 => tag::<Hmac<Sha512>>(key, parts),
        }
    }
}

fn tag<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Tag {
    let mut mac =
        <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    Tag::new(&mac.finalize().into_bytes())
}

/// A signature, ours or a received one. Compared in constant time only: there is no `PartialEq`.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Tag {
    /// The longest tag, that of HMAC-SHA512.
    pub(super) const MAX: usize = 64;

    fn new(bytes: &[u8]) -> Self {
        let mut tag = Self {
            bytes: [0; Self::MAX],
            len: bytes.len(),
        };
        tag.bytes[..bytes.len()].copy_from_slice(bytes);
        tag
    }

    /// A received tag; `None` unless it decodes to exactly `len` bytes.
    pub(super) fn decode(encoding: Encoding, text: &[u8], len: usize) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        let found = encoding::decode_into(encoding, text, &mut bytes)?;
        (found == len).then_some(Self { bytes, len })
    }

    pub(super) fn encode(&self, encoding: Encoding) -> String {
        encoding::encode(encoding, self.as_bytes())
    }

    pub(super) fn matches(&self, other: &Self) -> Choice {
        self.as_bytes().ct_eq(other.as_bytes())
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(prefix: &str, encoding: SecretEncoding) -> KeyForm {
        KeyForm {
            prefix: prefix.to_owned(),
            encoding,
        }
    }

    #[test]
    fn a_prefix_is_cut_where_present_and_the_rest_must_decode() {
        let standard = form("whsec_", SecretEncoding::Base64);
        for secret in ["whsec_AAECAw==", "AAECAw==", "whsec_AAECAw"] {
            let key = standard.with_key(secret.as_bytes(), <[u8]>::to_vec);
            assert_eq!(key, Some(vec![0, 1, 2, 3]), "{secret}");
        }
        for bad in ["whsec_?", "whsec_", "a secret of words"] {
            let problem = standard.check(bad.as_bytes()).unwrap_err();
            assert!(!problem.contains("words"), "{problem}");
        }
        let hex = form("", SecretEncoding::Hex);
        assert_eq!(hex.with_key(b"00fF", <[u8]>::to_vec), Some(vec![0, 255]));
        assert!(hex.check(b"0").is_err());
        assert!(form("", SecretEncoding::Text).check(b"\xff any").is_ok());
        assert!(form("x", SecretEncoding::Text).check(b"x").is_err());
    }

    #[test]
    fn a_cut_or_lengthened_tag_is_none() {
        let tag = Algorithm::HmacSha256.tag(b"key", &[b"bo", b"dy"]);
        let text = tag.encode(Encoding::Hex);
        assert_eq!(text.len(), 64);
        let again = Tag::decode(Encoding::Hex, text.as_bytes(), 32).unwrap();
        assert!(bool::from(tag.matches(&again)));
        assert!(Tag::decode(Encoding::Hex, &text.as_bytes()[..62], 32).is_none());
        assert!(Tag::decode(Encoding::Hex, format!("{text}00").as_bytes(), 32).is_none());
        assert!(Tag::decode(Encoding::Hex, "00".repeat(65).as_bytes(), 32).is_none());
    }
}
