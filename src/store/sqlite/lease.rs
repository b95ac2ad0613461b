//! Leasing what is due, and taking leases and attempts back.

use rusqlite::{OptionalExtension, Row, params};

use super::batch::{self, Batch, Job, Work};
use super::rows;
use crate::clock::UnixMs;
use crate::store::{Error, LeaseAnswer, LeaseAsk, Leased, Progress, Refund, State};

pub(super) struct Lease(pub(super) LeaseAsk);

impl Work for Lease {
    type Output = LeaseAnswer;

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<LeaseAnswer, Error>> {
        let leased = if self.0.newest_first {
            let newest = take(batch, self.0, include_str!("sql/lease_newest.sql"))?;
            if newest.is_empty() {
                take(batch, self.0, include_str!("sql/lease_latest_due.sql"))?
            } else {
                newest
            }
        } else {
            take(batch, self.0, include_str!("sql/lease.sql"))?
        };
        let next_due = batch
            .db
            .prepare_cached(include_str!("sql/next_due.sql"))?
            .query_row([], |row| Ok(UnixMs(row.get(0)?)))
            .optional()?;
        Ok(Ok(LeaseAnswer { leased, next_due }))
    }

    fn needs_listener(&self) -> bool {
        true
    }

    /// A lease that nobody knows of would stand until the service starts again.
    fn undo(&self, unheard: LeaseAnswer) -> Option<Box<dyn Job>> {
        (!unheard.leased.is_empty()).then(|| batch::job(GiveBack(unheard.leased)).0)
    }
}

fn take(batch: &mut Batch<'_>, ask: LeaseAsk, sql: &str) -> rusqlite::Result<Vec<Leased>> {
    let limit = i64::try_from(ask.limit).unwrap_or(i64::MAX);
    let mut statement = batch.db.prepare_cached(sql)?;
    let mut leased = statement
        .query_map(params![ask.now.0, ask.due_by.0, limit], read)?
        .collect::<Result<Vec<_>, _>>()?;
    for _ in &leased {
        batch.counts.moved(State::Pending, State::Leased);
    }
    // RETURNING promises no order.
    if ask.newest_first {
        leased.sort_unstable_by_key(|it| std::cmp::Reverse(it.seq));
    } else {
        leased.sort_unstable_by_key(|it| (it.due_at, it.seq));
    }
    Ok(leased)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Leased> {
    Ok(Leased {
        seq: row.get(0)?,
        id: rows::id(row, 1)?,
        source: rows::name(row, 2)?,
        interaction: rows::interaction(row, 3)?,
        rule: rows::name(row, 4)?,
        code: rows::name(row, 5)?,
        accepted_at: UnixMs(row.get(6)?),
        leased_at: UnixMs(row.get(7)?),
        due_at: UnixMs(row.get(8)?),
        fence: row.get(9)?,
        progress: rows::progress(row, 10)?,
    })
}

/// Attempts given back: see [`crate::store::Store::refund`].
pub(super) struct GiveRefunds {
    pub(super) refunds: Vec<Refund>,
    pub(super) now: UnixMs,
}

impl Work for GiveRefunds {
    type Output = u64;

    fn weight(&self) -> usize {
        self.refunds.len()
    }

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<u64, Error>> {
        let mut given = 0;
        for refund in &self.refunds {
            // The fence is that of the last lease, so a row that was leased since has another.
            let now: Option<Progress> = batch
                .db
                .prepare_cached(
                    "SELECT progress FROM delivery WHERE seq = ?1 AND fence = ?2 AND state = 0",
                )?
                .query_row([refund.seq, refund.fence], |row| rows::progress(row, 0))
                .optional()?;
            let Some(now) = now else { continue };
            // A write that went out is no cost: it went out, and that must not be forgotten.
            let progress = Progress {
                wrap_up_time: now.wrap_up_time,
                unclear_write_at: now.unclear_write_at,
                lands_until: now.lands_until,
                written: now.written,
                ..refund.progress.clone()
            };
            batch
                .db
                .prepare_cached(
                    "UPDATE delivery SET progress = ?2, due_at = iif(due_at IS NULL, NULL, ?3) WHERE seq = ?1",
                )?
                .execute(params![
                    refund.seq,
                    rows::progress_text(&progress),
                    self.now.0
                ])?;
            given += 1;
        }
        Ok(Ok(given))
    }
}

/// Leases that nobody took: pending again, as if they had not been leased.
struct GiveBack(Vec<Leased>);

impl Work for GiveBack {
    type Output = ();

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<(), Error>> {
        for leased in &self.0 {
            let given_back = batch
                .db
                .prepare_cached(
                    "UPDATE delivery SET state = 0 WHERE seq = ?1 AND fence = ?2 AND state = 1",
                )?
                .execute([leased.seq, leased.fence])?;
            if given_back > 0 {
                batch.counts.moved(State::Leased, State::Pending);
                super::order::arrange(
                    batch,
                    leased.interaction,
                    leased.leased_at,
                    super::order::Inheritance::default(),
                )?;
            }
        }
        Ok(Ok(()))
    }
}
