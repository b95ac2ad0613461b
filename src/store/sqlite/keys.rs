//! By which keys a survey is recognised when it comes again.
//!
//! The store keeps 16 bytes of a keyed hash of each key, and the key of the hash stays in the file: who sees the
//! hashes alone cannot try out ids or answers. Keys live longer than deliveries.

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::OptionalExtension;
use sha2::Sha256;

use super::batch::Batch;
use super::known::{self, Entry};
use super::{recent, rows};
use crate::clock::UnixMs;
use crate::ids::DeliveryId;
use crate::store::{DedupKey, State};

pub(super) const KEY_BYTES: usize = 16;

pub(super) type Key = [u8; KEY_BYTES];

/// Hashes keys. Cheap to clone, and used outside of the writer's thread.
#[derive(Clone)]
pub(super) struct KeyHash(Hmac<Sha256>);

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHash")
    }
}

impl KeyHash {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    /// Of a key that makes a survey a duplicate.
    pub(super) fn dedup(&self, key: &DedupKey) -> Key {
        self.hash(0, key)
    }

    /// Of a key by which an unreadable survey is recognised. Another domain, so that it never stands in a dedup key's way.
    pub(super) fn content(&self, key: &DedupKey) -> Key {
        self.hash(1, key)
    }

    fn hash(&self, domain: u8, key: &DedupKey) -> Key {
        let mut mac = self.0.clone();
        mac.update(&[domain]);
        mac.update(&key.0);
        let full = mac.finalize().into_bytes();
        let mut short = [0; KEY_BYTES];
        short.copy_from_slice(&full[..KEY_BYTES]);
        short
    }
}

/// Who was seen under a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) seq: i64,
    pub(super) id: DeliveryId,
    /// Unreadable still: it holds nothing against a readable one.
    pub(super) quarantined: bool,
}

pub(super) fn find(batch: &Batch<'_>, key: &Key) -> rusqlite::Result<Option<Sighting>> {
    let Some(seq) = recent::holder(batch.recent, batch.db, key)? else {
        return Ok(None);
    };
    let delivery = batch
        .db
        .prepare_cached("SELECT id, state FROM delivery WHERE seq = ?1")?
        .query_row([seq], |row| {
            let state: i64 = row.get(1)?;
            Ok(Sighting {
                seq,
                id: rows::id(row, 0)?,
                quarantined: state == rows::number(State::Quarantined),
            })
        })
        .optional()?;
    if delivery.is_some() {
        return Ok(delivery);
    }
    // It was purged or erased, and counts.
    let of_gone = |entry: Entry| Sighting {
        seq,
        id: entry.id,
        quarantined: false,
    };
    Ok(known::get(batch, seq)?.map(of_gone))
}

/// Whether a key that is known already is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takeover {
    /// By a readable survey: whoever has the key is quarantined, or this would be a duplicate.
    Yes,
    /// By an unreadable one: the first keeps it.
    No,
}

/// Remembers the keys of a delivery.
pub(super) fn remember(
    batch: &mut Batch<'_>,
    entry: Entry,
    takeover: Takeover,
) -> rusqlite::Result<()> {
    for key in &entry.keys {
        if takeover == Takeover::Yes || recent::holder(batch.recent, batch.db, key)?.is_none() {
            recent::hold(batch.recent, batch.db, key, entry.seq)?;
        }
    }
    known::put(batch, entry)
}

/// Forgets the keys of the delivery `seq`, but for those that another has taken over. Answers what was remembered.
pub(super) fn forget(batch: &mut Batch<'_>, seq: i64) -> rusqlite::Result<Option<Entry>> {
    let entry = known::take(batch, seq)?;
    entry.iter().try_for_each(|entry| let_go(batch, entry))?;
    Ok(entry)
}

/// Forgets the keys of the oldest entries, as far as they were first seen before a moment and their deliveries are gone.
/// Answers whether there is more.
pub(super) fn forget_older(
    batch: &mut Batch<'_>,
    before: UnixMs,
    limit: usize,
) -> rusqlite::Result<bool> {
    let (old, more) = known::take_older(batch, before, limit)?;
    old.iter().try_for_each(|entry| let_go(batch, entry))?;
    Ok(more)
}

fn let_go(batch: &mut Batch<'_>, entry: &Entry) -> rusqlite::Result<()> {
    for key in &entry.keys {
        recent::let_go(batch.recent, batch.db, key, entry.seq)?;
    }
    Ok(())
}

/// Leaves the delivery `seq` the keys that it holds and no other: it is no longer quarantined, or gone, and from now on
/// all that it has would count.
pub(super) fn keep_own(batch: &mut Batch<'_>, seq: i64) -> rusqlite::Result<()> {
    let Some(mut entry) = known::get(batch, seq)? else {
        return Ok(());
    };
    let mut own = Vec::with_capacity(entry.keys.len());
    for key in entry.keys {
        if recent::holder(batch.recent, batch.db, &key)? == Some(seq) {
            own.push(key);
        }
    }
    entry.keys = own;
    known::put(batch, entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_the_secret_and_on_what_the_key_is_for() {
        let key = DedupKey([7; 32]);
        let (one, other) = (KeyHash::new(b"one"), KeyHash::new(b"other"));
        assert_eq!(one.dedup(&key), one.clone().dedup(&key));
        assert_ne!(one.dedup(&key), other.dedup(&key));
        assert_ne!(one.dedup(&key), one.content(&key));
    }
}
