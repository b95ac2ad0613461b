//! Writing a leased delivery's fate, and what follows from it for the others of its interaction.

use rusqlite::{OptionalExtension, params};

use super::batch::{Batch, Work};
use super::order::{self, Inheritance};
use super::{recent, rows};
use crate::clock::UnixMs;
use crate::ids::{CodeId, DeliveryId, EventId, InteractionId};
use crate::store::{DeadClass, Entry, Error, Next, Repeat, Settled, Settlement, State};

pub(super) struct Settle(pub(super) Settlement);

impl Work for Settle {
    type Output = Settled;

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<Settled, Error>> {
        settle(batch, &self.0).map(Ok)
    }
}

fn settle(batch: &mut Batch<'_>, it: &Settlement) -> rusqlite::Result<Settled> {
    let Some(row) = find(batch, it.seq)? else {
        return Ok(Settled::Fenced);
    };
    if row.state != State::Leased || row.fence != it.fence {
        if let Some(entry) = late(it) {
            rows::tell(batch.db, it.seq, &entry)?;
        }
        return Ok(Settled::Fenced);
    }
    if let Some(entry) = &it.entry {
        rows::tell(batch.db, it.seq, entry)?;
    }
    if let Next::Due(due) = it.next {
        return live_again(batch, it, &row, due);
    }
    let end = End::of(it);
    write_end(batch, it, row.interaction, &end)?;
    if batch.terms.repeat == Repeat::First && matches!(end.state, State::Assigned | State::Kept) {
        order::supersede_rest(batch, row.interaction, it.at, row.id)?;
    } else {
        order::arrange(batch, row.interaction, it.at, inheritance(batch, it))?;
    }
    Ok(Settled::Done)
}

fn live_again(
    batch: &mut Batch<'_>,
    it: &Settlement,
    row: &Found,
    due: UnixMs,
) -> rusqlite::Result<Settled> {
    let later = if batch.terms.repeat == Repeat::Last {
        order::siblings(batch, row.interaction)?
            .pop()
            .filter(|sibling| sibling.seq > it.seq)
    } else {
        None
    };
    if let Some(later) = later {
        rows::tell(batch.db, it.seq, &order::superseded_entry(it.at, later.id))?;
        write_end(batch, it, row.interaction, &End::superseded(it))?;
        order::arrange(batch, row.interaction, it.at, inheritance(batch, it))?;
        return Ok(Settled::Superseded);
    }
    batch
        .db
        .prepare_cached(include_str!("sql/settle_due.sql"))?
        .execute(params![
            it.seq,
            due.0,
            it.sibling_waits_until.map(|moment| moment.0),
            rows::progress_text(&it.progress),
            it.progress.written.as_ref().map(CodeId::as_str),
        ])?;
    batch.counts.moved(State::Leased, State::Pending);
    Ok(Settled::Done)
}

struct Found {
    id: DeliveryId,
    state: State,
    fence: i64,
    interaction: InteractionId,
}

/// The row as it is now. None: it was purged, or never was leased.
fn find(batch: &Batch<'_>, seq: i64) -> rusqlite::Result<Option<Found>> {
    batch
        .db
        .prepare_cached(
            "SELECT id, state, fence, interaction FROM delivery WHERE seq = ?1 AND interaction IS NOT NULL",
        )?
        .query_row([seq], |row| {
            Ok(Found {
                id: rows::id(row, 0)?,
                state: rows::state(row, 1)?,
                fence: row.get(2)?,
                interaction: rows::interaction(row, 3)?,
            })
        })
        .optional()
}

/// What a settlement that comes too late leaves in the story. A lease that was merely given back leaves nothing.
fn late(it: &Settlement) -> Option<Entry> {
    let (verdict, status) = match (&it.next, &it.entry) {
        (Next::Assigned { event, .. }, entry) => (
            event.as_ref().map_or_else(
                || "assigned".to_owned(),
                |event| format!("assigned, event {event}"),
            ),
            entry.as_ref().and_then(|entry| entry.status),
        ),
        (_, Some(entry)) => (entry.verdict.clone(), entry.status),
        (_, None) => return None,
    };
    Some(Entry {
        at: it.at,
        verdict: "late".to_owned(),
        status,
        detail: verdict,
    })
}

/// What the delivery leaves to the next of its interaction. A clear answer leaves what an earlier write of its own may
/// still do.
fn inheritance(batch: &Batch<'_>, it: &Settlement) -> Inheritance {
    let landing = order::may_land(batch, it.sibling_waits_until);
    Inheritance {
        unclear_write_at: it.progress.unclear_write_at.or(landing.unclear_write_at),
        ..landing
    }
}

/// The columns of an end.
struct End<'a> {
    state: State,
    code_id: Option<&'a CodeId>,
    event: Option<&'a EventId>,
    replaced: Option<&'a CodeId>,
    dead_class: Option<DeadClass>,
    reason: Option<&'a str>,
}

impl<'a> End<'a> {
    fn superseded(it: &'a Settlement) -> Self {
        Self {
            state: State::Superseded,
            code_id: it.progress.written.as_ref(),
            event: None,
            replaced: None,
            dead_class: None,
            reason: None,
        }
    }

    fn of(it: &'a Settlement) -> Self {
        let bare = Self::superseded(it);
        match &it.next {
            Next::Due(_) => bare,
            Next::Assigned {
                event,
                code_id,
                replaced,
            } => Self {
                state: State::Assigned,
                code_id: Some(code_id),
                event: event.as_ref(),
                replaced: replaced.as_ref(),
                ..bare
            },
            Next::Kept { found } => Self {
                state: State::Kept,
                code_id: Some(found),
                ..bare
            },
            Next::Shadowed { code_id } => Self {
                state: State::Shadowed,
                code_id: code_id.as_ref(),
                ..bare
            },
            Next::Dead { class, reason } => Self {
                state: State::Dead,
                dead_class: Some(*class),
                reason: Some(reason),
                ..bare
            },
        }
    }
}

fn write_end(
    batch: &mut Batch<'_>,
    it: &Settlement,
    interaction: InteractionId,
    end: &End<'_>,
) -> rusqlite::Result<()> {
    batch
        .db
        .prepare_cached(include_str!("sql/settle_end.sql"))?
        .execute(params![
            it.seq,
            rows::number(end.state),
            it.at.0,
            rows::progress_text(&it.progress),
            end.code_id.map(CodeId::as_str),
            end.event.map(EventId::as_str),
            end.replaced.map(CodeId::as_str),
            end.dead_class.map(DeadClass::as_str),
            end.reason,
            it.sibling_waits_until.map(|moment| moment.0),
        ])?;
    batch.recent.lands(it.sibling_waits_until);
    batch.counts.moved(State::Leased, end.state);
    recent::ends(batch.recent, batch.db, interaction, it.seq)
}
