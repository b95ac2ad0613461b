//! Deliveries that have ended are tried again.

use rusqlite::{OptionalExtension, params};

use super::super::batch::{Batch, Work};
use super::super::rows;
use super::again::{self, Columns, Place};
use crate::ids::{CodeId, InteractionId};
use crate::store::operate::{Fate, Redrive};
use crate::store::{Entry, Error, Progress, State};

pub(super) struct Again {
    pub(super) seqs: Vec<i64>,
    pub(super) how: Redrive,
}

impl Work for Again {
    type Output = Vec<Fate>;

    fn weight(&self) -> usize {
        self.seqs.len()
    }

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<Vec<Fate>, Error>> {
        let redriven = self.seqs.iter().map(|seq| redrive(batch, *seq, self.how));
        redriven.collect::<Result<_, _>>().map(Ok)
    }
}

/// An end that can be taken back.
struct Ended {
    interaction: InteractionId,
    state: State,
    progress: Progress,
    /// Class and reason, if it is dead.
    why: Option<String>,
}

fn redrive(batch: &mut Batch<'_>, seq: i64, how: Redrive) -> rusqlite::Result<Fate> {
    let Some(ended) = find(batch, seq)? else {
        return Ok(Fate::Gone);
    };
    if ended.state != State::Dead && !how.force {
        return Ok(Fate::Gone);
    }
    let place = again::place(batch, seq, ended.interaction, how)?;
    let fate = place.fate();
    if how.dry_run || matches!(fate, Fate::NoRoom { .. }) {
        return Ok(fate);
    }
    let mut seq = seq;
    if matches!(place, Place::Live { renumber: true, .. }) {
        seq = again::renumber(batch, seq)?;
    }
    write(batch, seq, &ended, &fate, how)?;
    let was = match &ended.why {
        Some(why) => format!("was {}: {why}", ended.state.as_str()),
        None => format!("was {}", ended.state.as_str()),
    };
    let entry = Entry {
        at: how.at,
        verdict: "redriven".to_owned(),
        status: None,
        detail: again::told(was, &fate),
    };
    again::follow_up(batch, (seq, ended.interaction), &fate, &entry)?;
    Ok(fate)
}

fn find(batch: &Batch<'_>, seq: i64) -> rusqlite::Result<Option<Ended>> {
    batch
        .db
        .prepare_cached(
            "SELECT interaction, state, progress, dead_class, reason FROM delivery \
             WHERE seq = ?1 AND ended_at IS NOT NULL AND interaction IS NOT NULL AND rule IS NOT NULL \
             AND code IS NOT NULL",
        )?
        .query_row([seq], |row| {
            let class = rows::dead_class(row, 3)?;
            let reason: Option<String> = row.get(4)?;
            Ok(Ended {
                interaction: rows::interaction(row, 0)?,
                state: rows::state(row, 1)?,
                progress: rows::progress(row, 2)?,
                why: class.map(|class| {
                    format!("{}, {}", class.as_str(), reason.unwrap_or_default())
                }),
            })
        })
        .optional()
}

fn write(
    batch: &mut Batch<'_>,
    seq: i64,
    ended: &Ended,
    fate: &Fate,
    how: Redrive,
) -> rusqlite::Result<()> {
    let columns = match fate {
        Fate::Live { .. } => Columns::live(how.at),
        _ => Columns::ended(State::Superseded, how.at),
    };
    let progress = again::progress(&ended.progress, how.at);
    batch
        .db
        .prepare_cached(
            "UPDATE delivery SET state = ?2, due_at = ?3, ended_at = ?4, progress = ?5, \
             code_id = ?6, event = NULL, replaced = NULL, dead_class = NULL, reason = NULL WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            rows::number(columns.state),
            columns.due_at,
            columns.ended_at,
            rows::progress_text(&progress),
            // As when a settlement makes it live again: what stands there is ours if we wrote it.
            progress.written.as_ref().map(CodeId::as_str),
        ])?;
    batch.counts.moved(ended.state, columns.state);
    Ok(())
}
