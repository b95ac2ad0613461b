//! The place of a delivery that is tried again among those of its interaction.
//!
//! It keeps its number. Under `last` one that a later survey follows, live or assigned, gives way to that; under
//! `first` any that was assigned. `force` overrides: behind a live one it is numbered anew, because what is live stays
//! in the order of its numbers.

use rusqlite::{OptionalExtension, params};

use super::super::batch::Batch;
use super::super::keys::{self, Takeover};
use super::super::known;
use super::super::order;
use super::super::{connection, recent, rows};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId};
use crate::store::operate::{Fate, Redrive};
use crate::store::{Entry, Progress, Repeat, State};

/// Found without a write, so that it can be told without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Live {
        /// Whom `force` overrode.
        over: Option<DeliveryId>,
        renumber: bool,
    },
    Behind(DeliveryId),
    NoRoom(u64),
}

impl Place {
    pub(super) fn fate(self) -> Fate {
        match self {
            Self::Live { over, .. } => Fate::Live { over },
            Self::Behind(by) => Fate::Superseded { by },
            Self::NoRoom(live) => Fate::NoRoom { live },
        }
    }
}

pub(super) fn place(
    batch: &Batch<'_>,
    seq: i64,
    interaction: InteractionId,
    how: Redrive,
) -> rusqlite::Result<Place> {
    let live = order::siblings(batch, interaction)?;
    let last = batch.terms.repeat == Repeat::Last;
    let later = live.iter().rev().find(|it| last && it.seq > seq);
    let ahead = match later {
        Some(later) => Some(later.id),
        None => assigned(batch, seq, interaction)?,
    };
    match ahead {
        Some(by) if !how.force => return Ok(Place::Behind(by)),
        _ => {}
    }
    let renumber = later.is_some();
    let gives_way = |it: &order::Sibling| last && !it.leased && (renumber || it.seq < seq);
    let waiting = batch.counts.live();
    if waiting >= batch.terms.max_pending && !live.iter().any(gives_way) {
        return Ok(Place::NoRoom(waiting));
    }
    Ok(Place::Live {
        over: ahead,
        renumber,
    })
}

/// The one whose code counts already, assigned or kept: under `last` a later one, under `first` any.
fn assigned(
    batch: &Batch<'_>,
    seq: i64,
    interaction: InteractionId,
) -> rusqlite::Result<Option<DeliveryId>> {
    let after = match batch.terms.repeat {
        Repeat::Last => seq,
        Repeat::First => i64::MIN,
    };
    batch
        .db
        .prepare_cached(include_str!("../sql/assigned_after.sql"))?
        .query_row(
            params![interaction.0.as_bytes().as_slice(), after, seq],
            |row| rows::id(row, 0),
        )
        .optional()
}

/// Gives a delivery that has ended the newest number. Answers it.
pub(super) fn renumber(batch: &mut Batch<'_>, seq: i64) -> rusqlite::Result<i64> {
    let new = batch.recent.next_number();
    connection::overwriting(batch.db, || {
        for sql in [
            "UPDATE delivery SET seq = ?2 WHERE seq = ?1",
            "UPDATE survey SET seq = ?2 WHERE seq = ?1",
            "UPDATE story SET seq = ?2 WHERE seq = ?1",
        ] {
            batch.db.prepare_cached(sql)?.execute([seq, new])?;
        }
        Ok(())
    })?;
    match keys::forget(batch, seq)? {
        Some(entry) => keys::remember(batch, known::Entry { seq: new, ..entry }, Takeover::No)?,
        None => recent::note_newest(batch.recent, batch.db)?,
    }
    Ok(new)
}

/// What a delivery remembers when it is tried again: writes that went out, and nothing else.
pub(super) fn progress(before: &Progress, at: UnixMs) -> Progress {
    Progress {
        wrap_up_time: before.wrap_up_time,
        unclear_write_at: before.unclear_write_at,
        lands_until: before.lands_until,
        written: before.written.clone(),
        again_at: Some(at),
        ..Progress::default()
    }
}

/// State and moments of a delivery in its place: live and due, or superseded.
pub(super) struct Columns {
    pub(super) state: State,
    pub(super) due_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
}

impl Columns {
    pub(super) fn live(at: UnixMs) -> Self {
        Self {
            state: State::Pending,
            due_at: Some(at.0),
            ended_at: None,
        }
    }

    pub(super) fn ended(state: State, at: UnixMs) -> Self {
        Self {
            state,
            due_at: None,
            ended_at: Some(at.0),
        }
    }
}

/// Tells what was done, and brings the interaction into order where the delivery is live.
pub(super) fn follow_up(
    batch: &mut Batch<'_>,
    (seq, interaction): (i64, InteractionId),
    fate: &Fate,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let at = entry.at;
    rows::tell(batch.db, seq, entry)?;
    match fate {
        Fate::Live { .. } => {
            recent::lives(batch.recent, batch.db, interaction, seq)?;
            let left = order::landing(batch, interaction, at)?;
            order::arrange(batch, interaction, at, left)
        }
        Fate::Superseded { by } | Fate::Duplicate { of: by } => {
            rows::tell(batch.db, seq, &order::superseded_entry(at, *by))
        }
        Fate::Ignored | Fate::Quarantined | Fate::Gone | Fate::NoRoom { .. } => Ok(()),
    }
}

/// The entry's detail, which says where something was overridden.
pub(super) fn told(what: String, fate: &Fate) -> String {
    match fate {
        Fate::Live { over: Some(over) } => format!("{what}; forced over {over}"),
        Fate::Duplicate { of } => format!("{what}; {of} is the same survey"),
        _ => what,
    }
}
