//! The order of several surveys for one interaction.
//!
//! Invariant, at each commit: of the live deliveries of an interaction at most one is leased or unblocked. Under
//! `last` it is the newest, or an older one that was leased when the newest came; under `first` the oldest.

use rusqlite::{OptionalExtension, params};

use super::batch::{Batch, Superseded};
use super::{recent, rows};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId};
use crate::store::{Entry, Progress, Repeat, State};

/// A live delivery among those of its interaction.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) seq: i64,
    pub(super) id: DeliveryId,
    pub(super) leased: bool,
    /// None: blocked.
    pub(super) due_at: Option<UnixMs>,
    pub(super) not_before: Option<UnixMs>,
    pub(super) progress: Progress,
}

/// What a delivery that gives way leaves to the one that follows it: a write whose outcome is unclear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inheritance {
    /// No call for the interaction before then.
    pub(super) not_before: Option<UnixMs>,
    /// When the unclear write went out: the follower looks before it writes.
    pub(super) unclear_write_at: Option<UnixMs>,
}

impl Inheritance {
    pub(super) fn merge(&mut self, other: Self) {
        self.not_before = self.not_before.max(other.not_before);
        self.unclear_write_at = self.unclear_write_at.max(other.unclear_write_at);
    }

    pub(super) fn of(sibling: &Sibling) -> Self {
        Self {
            not_before: sibling.not_before,
            unclear_write_at: sibling.progress.unclear_write_at,
        }
    }

    /// When a delivery that could go at `at` may go.
    pub(super) fn due(self, at: UnixMs) -> UnixMs {
        self.not_before.map_or(at, |moment| moment.max(at))
    }
}

/// A write that may take effect until then.
pub(super) fn may_land(batch: &Batch<'_>, until: Option<UnixMs>) -> Inheritance {
    Inheritance {
        not_before: until,
        unclear_write_at: until.map(|until| until - batch.terms.settles_within),
    }
}

/// What those that have ended leave to one of the interaction that comes at `at`: a write that may still take effect.
pub(super) fn landing(
    batch: &Batch<'_>,
    interaction: InteractionId,
    at: UnixMs,
) -> rusqlite::Result<Inheritance> {
    if !batch.recent.may_land_after(at) {
        return Ok(Inheritance::default());
    }
    let until: Option<i64> = batch
        .db
        .prepare_cached(include_str!("sql/landing.sql"))?
        .query_row([interaction.0.as_bytes().as_slice()], |row| row.get(0))?;
    // Further ahead than that it is of a clock that has been stepped back since.
    let longest = at + batch.terms.settles_within;
    let until = until.map(|until| UnixMs(until).min(longest));
    Ok(may_land(batch, until.filter(|until| *until > at)))
}

/// Everything live for the interaction, oldest first.
pub(super) fn siblings(
    batch: &Batch<'_>,
    interaction: InteractionId,
) -> rusqlite::Result<Vec<Sibling>> {
    let seqs = recent::live(batch.recent, batch.db, interaction)?;
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = batch.db.prepare_cached(include_str!("sql/sibling.sql"))?;
    let mut siblings = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let sibling = query.query_row([seq], |row| {
            Ok(Sibling {
                seq: row.get(0)?,
                id: rows::id(row, 1)?,
                leased: rows::state(row, 2)? == State::Leased,
                due_at: rows::moment(row, 3)?,
                not_before: rows::moment(row, 4)?,
                progress: rows::progress(row, 5)?,
            })
        });
        siblings.extend(sibling.optional()?);
    }
    Ok(siblings)
}

/// Ends a pending delivery because another takes its place, and answers what it leaves.
pub(super) fn supersede(
    batch: &mut Batch<'_>,
    sibling: &Sibling,
    at: UnixMs,
    by: DeliveryId,
) -> rusqlite::Result<Inheritance> {
    let ended = batch
        .db
        .prepare_cached(
            "UPDATE delivery SET state = ?2, due_at = NULL, ended_at = ?3 WHERE seq = ?1 \
             RETURNING source, interaction, rule, code",
        )?
        .query_row(
            params![sibling.seq, rows::number(State::Superseded), at.0],
            |row| {
                Ok(Superseded {
                    source: rows::name(row, 0)?,
                    id: sibling.id,
                    interaction: rows::interaction(row, 1)?,
                    rule: rows::name_if_any(row, 2)?,
                    code: rows::name_if_any(row, 3)?,
                    by,
                })
            },
        )?;
    recent::ends(batch.recent, batch.db, ended.interaction, sibling.seq)?;
    batch.recent.lands(sibling.not_before);
    batch.superseded.push(ended);
    batch.counts.moved(State::Pending, State::Superseded);
    rows::tell(batch.db, sibling.seq, &superseded_entry(at, by))?;
    Ok(Inheritance::of(sibling))
}

pub(super) fn superseded_entry(at: UnixMs, by: DeliveryId) -> Entry {
    Entry {
        at,
        verdict: "superseded".to_owned(),
        status: None,
        detail: format!("by {by}"),
    }
}

/// Brings the live deliveries of an interaction into order, after one of them has ended or was given back, or when
/// the file is opened: who gives way is superseded, who waits is blocked, whose turn it is becomes due.
/// Changes nothing where all is in order already.
pub(super) fn arrange(
    batch: &mut Batch<'_>,
    interaction: InteractionId,
    at: UnixMs,
    mut left: Inheritance,
) -> rusqlite::Result<()> {
    let mut live = siblings(batch, interaction)?;
    if batch.terms.repeat == Repeat::Last
        && let Some(newest) = live.last().cloned()
    {
        for older in live.iter().filter(|it| !it.leased && it.seq != newest.seq) {
            left.merge(supersede(batch, older, at, newest.id)?);
        }
        live.retain(|it| it.leased || it.seq == newest.seq);
    }
    // Under `last` one pending delivery is left at most; under `first` the oldest is the one whose turn it is.
    let busy = live.iter().any(|it| it.leased);
    for (place, waiting) in live.iter().filter(|it| !it.leased).enumerate() {
        if busy || place > 0 {
            block(batch, waiting, left)?;
        } else {
            release(batch, waiting, at, left)?;
            left = Inheritance::default();
        }
    }
    Ok(())
}

/// Every pending delivery of the interaction gives way: under `first`, when `by` has been assigned.
pub(super) fn supersede_rest(
    batch: &mut Batch<'_>,
    interaction: InteractionId,
    at: UnixMs,
    by: DeliveryId,
) -> rusqlite::Result<()> {
    for sibling in siblings(batch, interaction)? {
        if !sibling.leased {
            supersede(batch, &sibling, at, by)?;
        }
    }
    Ok(())
}

fn block(batch: &Batch<'_>, sibling: &Sibling, left: Inheritance) -> rusqlite::Result<()> {
    if sibling.due_at.is_some() || left != Inheritance::default() {
        put(batch, sibling, None, left)?;
    }
    Ok(())
}

fn release(
    batch: &Batch<'_>,
    sibling: &Sibling,
    at: UnixMs,
    left: Inheritance,
) -> rusqlite::Result<()> {
    if sibling.due_at.is_none() || left != Inheritance::default() {
        let mut own = Inheritance::of(sibling);
        own.merge(left);
        let due = own.due(sibling.due_at.unwrap_or(at));
        put(batch, sibling, Some(due), left)?;
    }
    Ok(())
}

fn put(
    batch: &Batch<'_>,
    sibling: &Sibling,
    due: Option<UnixMs>,
    left: Inheritance,
) -> rusqlite::Result<()> {
    let mut progress = sibling.progress.clone();
    progress.unclear_write_at = progress.unclear_write_at.max(left.unclear_write_at);
    batch
        .db
        .prepare_cached(
            "UPDATE delivery SET due_at = ?2, not_before = ?3, progress = ?4 WHERE seq = ?1",
        )?
        .execute(params![
            sibling.seq,
            due.map(|moment| moment.0),
            sibling
                .not_before
                .max(left.not_before)
                .map(|moment| moment.0),
            rows::progress_text(&progress)
        ])?;
    Ok(())
}
