//! A signature's bytes, ours or received, or what stands for a token. Compared in constant time only.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::config::Encoding;
use super::encoding;

/// There is no `PartialEq`: `==` would stop at the first byte that differs.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Tag {
    /// The longest tags, those of HMAC-SHA512 and Ed25519.
    const MAX: usize = 64;

    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut tag = Self {
            bytes: [0; Self::MAX],
            len: bytes.len(),
        };
        tag.bytes[..bytes.len()].copy_from_slice(bytes);
        tag
    }

    /// What stands for a token: tokens of different lengths would else be told apart by the time it takes.
    pub(super) fn of_token(token: &[u8]) -> Self {
        Self::new(&Sha256::digest(token))
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

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_or_lengthened_tag_is_none() {
        let tag = Tag::of_token(b"any");
        let text = tag.encode(Encoding::Hex);
        assert_eq!(text.len(), 64);
        let again = Tag::decode(Encoding::Hex, text.as_bytes(), 32).unwrap();
        assert!(bool::from(tag.matches(&again)));
        assert!(Tag::decode(Encoding::Hex, &text.as_bytes()[..62], 32).is_none());
        assert!(Tag::decode(Encoding::Hex, format!("{text}00").as_bytes(), 32).is_none());
        assert!(Tag::decode(Encoding::Hex, "00".repeat(65).as_bytes(), 32).is_none());
    }
}
