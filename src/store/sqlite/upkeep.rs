//! What keeps the file in shape: pulling in what is due too far ahead, deleting what is old, remembering small things.

use rusqlite::{Connection, OptionalExtension, params};

use super::batch::{Batch, Work};
use super::rows;
use super::{connection, keys, known, meta};
use crate::clock::UnixMs;
use crate::store::{Error, State};

/// How many deliveries are pulled in by one transaction, so that accepts do not wait for all of them.
pub(super) const PULL_IN_PIECE: u32 = 2_000;
/// How many deliveries, and how many keys, are deleted by one transaction.
const PURGE_PIECE: u16 = 500;
/// By how much a moment may lie ahead of the clock before the clock must have been stepped back.
pub(super) const CLOCK_SLACK_MS: i64 = 1_000;

/// One piece of a pull-in. Answers how many it moved; fewer than a piece: these were the last.
pub(super) struct PullIn {
    pub(super) horizon: UnixMs,
    pub(super) now: UnixMs,
}

impl Work for PullIn {
    type Output = u32;

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<u32, Error>> {
        // Never below now, or what was pulled in would be pulled in again.
        let horizon = self.horizon.max(self.now);
        let moved = batch
            .db
            .prepare_cached(include_str!("sql/pull_in.sql"))?
            .execute(params![horizon.0, self.now.0, PULL_IN_PIECE])?;
        let moved = u32::try_from(moved).unwrap_or(u32::MAX);
        if moved < PULL_IN_PIECE {
            mend_moments(batch.db, self.now)?;
        }
        Ok(Ok(moved))
    }
}

/// Moments of rest that a clock gone wrong put into the future become now, or nothing would be purged until then.
pub(super) fn mend_moments(db: &Connection, now: UnixMs) -> rusqlite::Result<()> {
    let ahead = now.0.saturating_add(CLOCK_SLACK_MS);
    db.prepare_cached(
        "UPDATE delivery SET ended_at = ?2 WHERE ended_at IS NOT NULL AND ended_at > ?1",
    )?
    .execute([ahead, now.0])?;
    known::mend_moments(db, UnixMs(ahead), now)
}

/// One piece of a purge. Answers whether there is more.
pub(super) struct Purge {
    pub(super) ended: UnixMs,
    pub(super) keys: UnixMs,
}

impl Work for Purge {
    type Output = bool;

    fn weight(&self) -> usize {
        2 * usize::from(PURGE_PIECE)
    }

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<bool, Error>> {
        let db = batch.db;
        // What stays moves to other pages when its neighbours go, and must not stay behind in the old ones as well.
        let deliveries = connection::overwriting(db, || purge_deliveries(batch, self))?;
        let keys = keys::forget_older(batch, self.keys, usize::from(PURGE_PIECE))?;
        Ok(Ok(deliveries || keys))
    }
}

fn purge_deliveries(batch: &mut Batch<'_>, purge: &Purge) -> rusqlite::Result<bool> {
    let old: Vec<(i64, State, UnixMs)> = batch
        .db
        .prepare_cached(include_str!("sql/purge_ended.sql"))?
        .query_map(params![purge.ended.0, PURGE_PIECE], |row| {
            Ok((row.get(0)?, rows::state(row, 1)?, UnixMs(row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    for (seq, state, accepted_at) in &old {
        // The keys of a quarantined one counted for nothing while it was here, and must not begin to when it is gone.
        // Those that were kept only because it was here go with it: the search for old ones ends where many stay.
        if *state == State::Quarantined || *accepted_at < purge.keys {
            keys::forget(batch, *seq)?;
        }
        for sql in [
            "DELETE FROM story WHERE seq = ?1",
            "DELETE FROM survey WHERE seq = ?1",
            "DELETE FROM delivery WHERE seq = ?1",
        ] {
            batch.db.prepare_cached(sql)?.execute([seq])?;
        }
        batch.counts.remove(*state);
    }
    Ok(old.len() == usize::from(PURGE_PIECE))
}

/// The small things that must outlive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Codes,
    Pause,
}

impl Note {
    fn key(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Pause => "pause",
        }
    }
}

/// Keeps a note, or throws it away.
pub(super) struct Save {
    pub(super) note: Note,
    pub(super) text: Option<String>,
}

impl Work for Save {
    type Output = ();

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<(), Error>> {
        match &self.text {
            Some(text) => meta::put(batch.db, self.note.key(), text.as_bytes())?,
            None => {
                batch
                    .db
                    .prepare_cached("DELETE FROM meta WHERE key = ?1")?
                    .execute([self.note.key()])?;
            }
        }
        Ok(Ok(()))
    }
}

/// Reads a note. One that cannot be understood counts as none: it will be written anew.
pub(super) fn read_note<T: serde::de::DeserializeOwned>(
    db: &Connection,
    note: Note,
) -> rusqlite::Result<Option<T>> {
    let bytes: Option<Vec<u8>> = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([note.key()], |row| row.get(0))
        .optional()?;
    Ok(bytes.and_then(|bytes| {
        serde_json::from_slice(&bytes)
            .inspect_err(
                |cause| tracing::warn!(note = note.key(), error = %cause, "a note in the store cannot be read"),
            )
            .ok()
    }))
}
