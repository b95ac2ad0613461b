//! The keys by which a survey is recognised when it comes again.
//!
//! A key is the SHA-256 of (source, item, kind, bytes), each with its length before it, so that no two of these can
//! run into each other. The bytes are the sender's id, or the SHA-256 of what was signed.

use sha2::{Digest as _, Sha256};

use crate::ids::SourceName;
use crate::store::DedupKey;

pub(super) type Digest = [u8; 32];

/// What makes one message another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The sender's id, covered by the signature: it alone counts.
    SignedId(Box<[u8]>),
    /// The hash of what was signed, and an id that a replayer could have changed: either makes a duplicate.
    Content {
        digest: Digest,
        id: Option<Box<[u8]>>,
    },
    /// An id in the signed body, if it is there; else the hash.
    InBody { digest: Digest },
}

impl Identity {
    /// The keys for one survey of the message. `in_body` is the id that was found where the scheme looks for one.
    pub(super) fn keys(
        &self,
        source: &SourceName,
        part: Part<'_>,
        in_body: Option<&str>,
    ) -> Vec<DedupKey> {
        let id_key = |id: &[u8]| key(source, part.index(), Kind::Id, id);
        let content_key = |signed: &Digest| match part {
            Part::Whole { digest, content } if signed == digest => content,
            Part::Whole { .. } => key(source, None, Kind::Content, signed),
            Part::Item { content, .. } => content,
        };
        match (self, in_body) {
            (Self::SignedId(id), _) => vec![id_key(id)],
            // Each item has its own, which is the same wherever among others the item stands.
            (Self::InBody { .. }, Some(id)) => vec![key(source, None, Kind::Id, id.as_bytes())],
            (
                Self::Content {
                    digest,
                    id: Some(id),
                },
                _,
            ) => {
                vec![id_key(id), content_key(digest)]
            }
            (Self::Content { digest, id: None } | Self::InBody { digest }, _) => {
                vec![content_key(digest)]
            }
        }
    }
}

/// What of a message is one survey.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// With the body's digest, and its key.
    Whole {
        digest: &'a Digest,
        content: DedupKey,
    },
    /// With the key of the item's own bytes.
    Item { index: u32, content: DedupKey },
}

impl Part<'_> {
    fn index(&self) -> Option<u32> {
        match self {
            Self::Whole { .. } => None,
            Self::Item { index, .. } => Some(*index),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Id,
    Content,
}

/// The SHA-256 of the parts, one after the other.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

pub(super) fn key(source: &SourceName, item: Option<u32>, kind: Kind, bytes: &[u8]) -> DedupKey {
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        let len = u64::try_from(bytes.len()).expect("no machine addresses more than 64 bits");
        hash.update(len.to_be_bytes());
        hash.update(bytes);
    };
    put(source.as_str().as_bytes());
    match item {
        None => put(b""),
        Some(index) => put(&index.to_be_bytes()),
    }
    put(match kind {
        Kind::Id => b"id",
        Kind::Content => b"content",
    });
    put(bytes);
    DedupKey(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_where_anything_differs() {
        let a = SourceName::from("a");
        let ab = SourceName::from("ab");
        let all = [
            key(&a, None, Kind::Id, b"x"),
            key(&a, None, Kind::Id, b""),
            key(&a, None, Kind::Content, b"x"),
            key(&a, Some(0), Kind::Id, b"x"),
            key(&a, Some(1), Kind::Id, b"x"),
            key(&ab, None, Kind::Id, b"x"),
            key(&a, None, Kind::Id, b"bx"),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        // Stored keys outlive the program that made them: this one may never change.
        assert_eq!(
            hex::encode(key(&a, None, Kind::Id, b"x").0),
            "1026943c8226d6b2494b00495d26fe6b4321bb5ba82827f1004c83137413d0a5"
        );
    }

    #[test]
    fn a_signed_id_is_the_only_key_and_an_unsigned_one_stands_beside_the_hash() {
        let source = SourceName::from("generic");
        let digest = digest([b"bo".as_slice(), b"dy"]);
        let by_id = key(&source, None, Kind::Id, b"7");
        let by_content = key(&source, None, Kind::Content, &digest);
        let id = || Box::from(b"7".as_slice());
        let part = Part::Whole {
            digest: &digest,
            content: by_content,
        };
        let keys = |identity: Identity, in_body| identity.keys(&source, part, in_body);
        assert_eq!(keys(Identity::SignedId(id()), None), [by_id]);
        assert_eq!(
            keys(
                Identity::Content {
                    digest,
                    id: Some(id())
                },
                None
            ),
            [by_id, by_content]
        );
        assert_eq!(
            keys(Identity::Content { digest, id: None }, None),
            [by_content]
        );
        assert_eq!(keys(Identity::InBody { digest }, Some("7")), [by_id]);
        assert_eq!(keys(Identity::InBody { digest }, None), [by_content]);
    }

    #[test]
    fn an_item_is_known_by_its_own_id_and_bytes_and_by_its_place_in_a_message_with_an_id() {
        let source = SourceName::from("batch");
        let (body, own) = (digest([b"body".as_slice()]), digest([b"item".as_slice()]));
        let content = key(&source, None, Kind::Content, &own);
        let part = |index| Part::Item { index, content };
        let keys =
            |identity: Identity, index, in_body| identity.keys(&source, part(index), in_body);
        let in_body = || Identity::InBody { digest: body };
        assert_eq!(keys(in_body(), 0, Some("7")), keys(in_body(), 1, Some("7")));
        assert_eq!(keys(in_body(), 1, None), [content]);
        let message = |id: &[u8]| Identity::SignedId(id.into());
        assert_ne!(keys(message(b"7"), 0, None), keys(message(b"7"), 1, None));
        let unsigned = Identity::Content {
            digest: body,
            id: Some(b"7".as_slice().into()),
        };
        assert_eq!(
            keys(unsigned, 1, None),
            [keys(message(b"7"), 1, None)[0], content]
        );
    }

    #[test]
    fn each_item_of_a_message_has_keys_of_its_own() {
        let source = SourceName::from("generic");
        let digest = digest([b"body".as_slice()]);
        let content = |bytes| key(&source, None, Kind::Content, bytes);
        let whole = Part::Whole {
            digest: &digest,
            content: content(&digest),
        };
        let item = |index, bytes| Part::Item {
            index,
            content: content(bytes),
        };
        let id = || Some(Box::from(b"7".as_slice()));
        for identity in [
            Identity::SignedId(b"7".as_slice().into()),
            Identity::Content { digest, id: id() },
            Identity::Content { digest, id: None },
            Identity::InBody { digest },
        ] {
            let keys = |part| identity.keys(&source, part, None);
            let all = [keys(whole), keys(item(0, b"a")), keys(item(1, b"b"))].concat();
            let distinct: std::collections::HashSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "{identity:?}");
        }
        // But an id that the item itself has is known again wherever the item comes.
        let own = |part, id| Identity::InBody { digest }.keys(&source, part, Some(id));
        assert_eq!(own(item(0, b"a"), "7"), own(item(1, b"b"), "7"));
        assert_eq!(own(item(0, b"a"), "7"), own(whole, "7"));
        assert_ne!(own(whole, "7"), own(whole, "8"));
    }
}
