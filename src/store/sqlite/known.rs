//! The keys of what was accepted, apart from the deliveries, which they outlive.
//!
//! One row holds those of many neighbours: a row for each was a seventh of the trees that an accept writes to. A row is
//! named after the first number that it may hold, and ends where the next one begins.

use bytes::{Buf, BufMut, TryGetError};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::batch::Batch;
use super::keys::{KEY_BYTES, Key};
use super::recent;
use crate::clock::UnixMs;
use crate::ids::DeliveryId;

/// In one row: about a page of the file. Fewer in the unit tests, so that they meet rows of every kind.
const ENTRIES: usize = if cfg!(test) { 4 } else { 64 };

/// What is remembered of one survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) id: DeliveryId,
    /// Of first sight.
    pub(super) at: UnixMs,
    /// In the order in which they were remembered.
    pub(super) keys: Vec<Key>,
}

impl Entry {
    fn write(&self, into: &mut Vec<u8>) {
        into.put_i64(self.seq);
        into.put_i64(self.at.0);
        into.put_slice(self.id.0.as_bytes());
        into.put_u16(u16::try_from(self.keys.len()).expect("a survey has a handful of keys"));
        into.put_slice(self.keys.as_flattened());
    }

    fn read(from: &mut &[u8]) -> Result<Self, TryGetError> {
        let (seq, at) = (from.try_get_i64()?, from.try_get_i64()?);
        let mut id = [0; 16];
        from.try_copy_to_slice(&mut id)?;
        let mut keys = vec![[0; KEY_BYTES]; from.try_get_u16()?.into()];
        for key in &mut keys {
            from.try_copy_to_slice(key)?;
        }
        Ok(Self {
            seq,
            id: DeliveryId(Uuid::from_bytes(id)),
            at: UnixMs(at),
            keys,
        })
    }

    fn read_all(mut from: &[u8]) -> Result<Vec<Self>, TryGetError> {
        let mut entries = Vec::with_capacity(ENTRIES);
        while !from.is_empty() {
            entries.push(Self::read(&mut from)?);
        }
        Ok(entries)
    }
}

/// Entries of the open transaction that are not in the file yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: Vec<Entry>,
    /// The newest number that was in here, written or not.
    newest: i64,
}

impl Pending {
    /// Puts them into the file.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if let Some(first) = self.entries.first() {
            put_row(db, first.seq, &self.entries)?;
            self.entries.clear();
        }
        Ok(())
    }

    /// Forgets them, because what they came with is taken back.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// What is remembered under a number.
pub(super) fn get(batch: &Batch<'_>, seq: i64) -> rusqlite::Result<Option<Entry>> {
    let mut pending = batch.known.entries.iter();
    if let Some(entry) = pending.find(|entry| entry.seq == seq) {
        return Ok(Some(entry.clone()));
    }
    let (_, entries) = row_of(batch.db, seq)?;
    Ok(entries.into_iter().find(|entry| entry.seq == seq))
}

/// Remembers it, in place of what its number had before.
pub(super) fn put(batch: &mut Batch<'_>, entry: Entry) -> rusqlite::Result<()> {
    let known = &mut batch.known;
    if batch.recent.is_new(entry.seq) && entry.seq > known.newest {
        if known.entries.len() == ENTRIES {
            known.write(batch.db)?;
        }
        known.newest = entry.seq;
        known.entries.push(entry);
        return Ok(());
    }
    known.write(batch.db)?;
    let (first, mut entries) = row_of(batch.db, entry.seq)?;
    entries.retain(|other| other.seq != entry.seq);
    let place = entries.partition_point(|other| other.seq < entry.seq);
    entries.insert(place, entry);
    put_row(batch.db, first, &entries)
}

/// Takes away and answers what its number has.
pub(super) fn take(batch: &mut Batch<'_>, seq: i64) -> rusqlite::Result<Option<Entry>> {
    batch.known.write(batch.db)?;
    let (first, mut entries) = row_of(batch.db, seq)?;
    let Some(place) = entries.iter().position(|entry| entry.seq == seq) else {
        return Ok(None);
    };
    let entry = entries.remove(place);
    put_row(batch.db, first, &entries)?;
    recent::note_newest(batch.recent, batch.db)?;
    Ok(Some(entry))
}

/// Of the oldest entries, `limit` or a few more, takes away those first seen before a moment whose delivery is gone.
/// Answers them, and whether they were so many of what it looked at that it is worth while to look for more.
pub(super) fn take_older(
    batch: &mut Batch<'_>,
    before: UnixMs,
    limit: usize,
) -> rusqlite::Result<(Vec<Entry>, bool)> {
    batch.known.write(batch.db)?;
    let mut looked_at = 0;
    let mut old = Vec::new();
    let mut query = batch
        .db
        .prepare_cached("SELECT seq, entries FROM known ORDER BY seq")?;
    let mut is_here = batch
        .db
        .prepare_cached("SELECT 1 FROM delivery WHERE seq = ?1")?;
    let mut rows = query.query([])?;
    let mut left = Vec::new();
    while looked_at < limit
        && let Some(row) = rows.next()?
    {
        let (first, entries) = read_row(row)?;
        looked_at += entries.len();
        let (mut gone, mut stay) = (Vec::new(), Vec::new());
        for entry in entries {
            if entry.at < before && !is_here.exists([entry.seq])? {
                gone.push(entry);
            } else {
                stay.push(entry);
            }
        }
        if !gone.is_empty() {
            old.extend(gone);
            left.push((first, stay));
        }
    }
    drop(rows);
    for (first, entries) in &left {
        put_row(batch.db, *first, entries)?;
    }
    if !old.is_empty() {
        recent::note_newest(batch.recent, batch.db)?;
    }
    let most = 2 * old.len() >= looked_at;
    Ok((old, most && looked_at >= limit))
}

/// Every entry after a number, oldest first.
pub(super) fn after(
    db: &Connection,
    seq: i64,
    mut each: impl FnMut(&Entry) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut query = db.prepare(include_str!("sql/known_after.sql"))?;
    let mut rows = query.query([seq])?;
    while let Some(row) = rows.next()? {
        let (_, entries) = read_row(row)?;
        entries
            .iter()
            .filter(|it| it.seq > seq)
            .try_for_each(&mut each)?;
    }
    Ok(())
}

/// The numbers of the oldest and of the newest entry, about: none lies outside.
pub(super) fn span(db: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let end = |sql| db.query_row(sql, [], read_row).optional();
    let oldest = end("SELECT seq, entries FROM known ORDER BY seq LIMIT 1")?;
    let newest = end("SELECT seq, entries FROM known ORDER BY seq DESC LIMIT 1")?;
    let newest = newest.and_then(|(_, entries)| Some(entries.last()?.seq));
    Ok(oldest.map(|(first, _)| first).zip(newest))
}

/// Moments of first sight after `ahead` become `now`. There is no index by time; the rows are in order but for what the
/// clock did, so the newest tell.
pub(super) fn mend_moments(db: &Connection, ahead: UnixMs, now: UnixMs) -> rusqlite::Result<()> {
    let mut last = i64::MAX;
    loop {
        let (first, mut entries) = row_of(db, last)?;
        let wrong = entries.iter_mut().filter(|entry| entry.at > ahead);
        if wrong.map(|entry| entry.at = now).count() == 0 {
            return Ok(());
        }
        put_row(db, first, &entries)?;
        last = first - 1;
    }
}

/// The row that a number belongs to; without one, as it would begin with it.
fn row_of(db: &Connection, seq: i64) -> rusqlite::Result<(i64, Vec<Entry>)> {
    let found = db
        .prepare_cached(include_str!("sql/known_of.sql"))?
        .query_row([seq], read_row)
        .optional()?;
    Ok(found.unwrap_or((seq, Vec::new())))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<(i64, Vec<Entry>)> {
    let entries = Entry::read_all(row.get_ref(1)?.as_blob()?).map_err(|cause| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, Box::new(cause))
    })?;
    Ok((row.get(0)?, entries))
}

/// Without entries there is no row.
fn put_row(db: &Connection, first: i64, entries: &[Entry]) -> rusqlite::Result<()> {
    if entries.is_empty() {
        db.prepare_cached("DELETE FROM known WHERE seq = ?1")?
            .execute([first])?;
        return Ok(());
    }
    let mut bytes = Vec::new();
    for entry in entries {
        entry.write(&mut bytes);
    }
    db.prepare_cached(
        "INSERT INTO known (seq, entries) VALUES (?1, ?2) ON CONFLICT (seq) DO UPDATE SET entries = excluded.entries",
    )?
    .execute(params![first, bytes])?;
    Ok(())
}
