//! What a server puts right when it opens the file: leases of the process before, the order, moments in the future.
//!
//! A lease belongs to a process. One that stands in the file at start is of a process that ended in the middle of a
//! call, so a write may have gone out: the delivery is looked at before it is written again.

use rusqlite::{Connection, params};

use super::batch::{Batch, Superseded, Terms};
use super::memory::Memory;
use super::order::{self, Inheritance};
use super::recent;
use super::rows;
use super::upkeep::{self, CLOCK_SLACK_MS, Note};
use crate::clock::UnixMs;
use crate::ids::CodeName;
use crate::store::{Entry, Progress, SavedCodes, State};

/// Puts everything right, in one transaction. Answers how many leases were void.
pub(super) fn recover(
    db: &mut Connection,
    memory: &mut Memory,
    terms: &Terms,
    now: UnixMs,
) -> rusqlite::Result<usize> {
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut batch = Batch::begin(&transaction, terms, memory.recall(&transaction)?);
    if ahead_of(batch.db, now)? {
        tracing::warn!("the clock was stepped back: everything live is due now");
        batch
            .db
            .prepare("UPDATE delivery SET due_at = ?1 WHERE ended_at IS NULL AND state = 0 AND due_at > ?1")?
            .execute([now.0])?;
        upkeep::mend_moments(batch.db, now)?;
    }
    let voided = void_leases(&mut batch, now)?;
    for interaction in recent::crowded(batch.recent, batch.db)? {
        order::arrange(&mut batch, interaction, now, Inheritance::default())?;
    }
    let Batch {
        counts, superseded, ..
    } = batch;
    counts.write(&transaction)?;
    transaction.commit()?;
    memory.commit(&counts);
    superseded.iter().for_each(Superseded::tell);
    Ok(voided)
}

/// Whether the file knows of moments that are still to come.
fn ahead_of(db: &Connection, now: UnixMs) -> rusqlite::Result<bool> {
    let latest: Option<i64> = db.query_row(
        "SELECT (SELECT max(leased_at) FROM delivery WHERE ended_at IS NULL AND state = 1), \
                (SELECT accepted_at FROM delivery ORDER BY seq DESC LIMIT 1)",
        [],
        |row| Ok(row.get::<_, Option<i64>>(0)?.max(row.get(1)?)),
    )?;
    Ok(latest.is_some_and(|latest| latest > now.0.saturating_add(CLOCK_SLACK_MS)))
}

struct Void {
    seq: i64,
    leased_at: UnixMs,
    code: CodeName,
    progress: Progress,
}

fn void_leases(batch: &mut Batch<'_>, now: UnixMs) -> rusqlite::Result<usize> {
    let leased: Vec<Void> = batch
        .db
        .prepare(
            "SELECT seq, leased_at, code, progress FROM delivery WHERE ended_at IS NULL AND state = 1",
        )?
        .query_map([], |row| {
            Ok(Void {
                seq: row.get(0)?,
                leased_at: rows::moment(row, 1)?.unwrap_or(now),
                code: rows::name(row, 2)?,
                progress: rows::progress(row, 3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    if leased.is_empty() {
        return Ok(0);
    }
    // It went out at the latest when the process ended, which nobody wrote down.
    let lands_until = now + batch.terms.settles_within;
    let book: Option<SavedCodes> = upkeep::read_note(batch.db, Note::Codes)?;
    for void in &leased {
        let mut progress = void.progress.clone();
        progress.wrap_up_time.get_or_insert(void.leased_at);
        progress.unclear_write_at = Some(void.leased_at);
        progress.lands_until = Some(lands_until);
        if let Some(book) = &book
            && let Some((_, id)) = book.codes.iter().find(|(name, _)| *name == void.code)
        {
            progress.written = Some(id.clone());
        }
        batch
            .db
            .prepare_cached(
                "UPDATE delivery SET state = 0, due_at = ?2, progress = ?3, code_id = ?4, not_before = ?5 WHERE seq = ?1",
            )?
            .execute(params![
                void.seq,
                now.0,
                rows::progress_text(&progress),
                progress.written.as_ref().map(crate::ids::CodeId::as_str),
                lands_until.0
            ])?;
        batch.counts.moved(State::Leased, State::Pending);
        let entry = Entry {
            at: now,
            verdict: "voided".to_owned(),
            status: None,
            detail: "the service ended while this was under way".to_owned(),
        };
        rows::tell(batch.db, void.seq, &entry)?;
    }
    Ok(leased.len())
}
