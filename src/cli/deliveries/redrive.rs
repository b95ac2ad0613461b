//! `wrapup deliveries redrive`: dead deliveries are tried again.

use tokio::time::Instant;

use super::again::{Became, How, PIECE, Run, Which};
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::store::operate::{Cursor, Filter, Operate, Redrive};
use crate::store::{DeadClass, Record, State};

/// Have dead deliveries tried again, after the cause was mended.
///
/// Each keeps its id and its number in the order of acceptance, and what the rules decided when it came; its attempts
/// and its age (`delivery.max_age`) count anew. With --force and ids, any delivery that has a code and has ended is
/// tried again. Exits with 69 if the store is full.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup deliveries redrive --class unknown-code\n  \
                  wrapup deliveries redrive 0198c0de-0000-7000-8000-000000000000 --force"
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Those of this class: rejected, unknown-code, exhausted or expired.
    #[arg(
        long,
        value_name = "CLASS",
        value_parser = super::class,
        group = "which",
        conflicts_with_all = ["ids", "all"]
    )]
    class: Option<DeadClass>,
    #[command(flatten)]
    how: How,
}

pub(super) async fn run(desk: &Desk, args: &Args) -> anyhow::Result<Exit> {
    let how = Redrive {
        at: desk.clock.now(),
        force: args.how.force,
        dry_run: args.how.dry_run,
    };
    let mut run = Run::new(&args.how, None);
    if !args.which.ids.is_empty() {
        let records = super::named(desk, &args.which.ids).await?;
        for piece in records.chunks(PIECE) {
            if !redrive(desk, piece, how, &mut run).await? {
                break;
            }
        }
        return Ok(run.end()?);
    }
    let filter = Filter {
        states: vec![State::Dead],
        class: args.class,
        source: args.which.source.clone(),
        since: args.which.since,
        ..Filter::default()
    };
    // Not what dies while this runs, for a second time perhaps.
    let last = desk.store.newest().await?;
    let mut from = Some(Cursor::oldest_first());
    while let Some(cursor) = from {
        let page = desk.store.page(filter.clone(), cursor, PIECE).await?;
        let dead: Vec<_> = (page.found.into_iter())
            .filter(|record| record.seq <= last)
            .collect();
        if !redrive(desk, &dead, how, &mut run).await? {
            break;
        }
        from = page.next.filter(|next| next.beyond() < last);
    }
    Ok(run.end()?)
}

/// One piece. False: there is no room for more.
async fn redrive(
    desk: &Desk,
    records: &[Record],
    how: Redrive,
    run: &mut Run<'_>,
) -> anyhow::Result<bool> {
    let (again, other): (Vec<_>, Vec<_>) = records.iter().partition(|record| fits(record, how));
    let begun = Instant::now();
    let seqs = again.iter().map(|record| record.seq).collect();
    let fates = desk.store.redrive(seqs, how).await?;
    let again = again.iter().zip(&fates).map(|(record, fate)| {
        Became::of(record.id, fate).decided(record.rule.as_ref(), record.code.as_ref())
    });
    let other = other.iter().map(|record| {
        let advice = match record.state {
            State::Pending | State::Leased => "it is on its way",
            State::Ignored => "the rules assign it nothing",
            State::Quarantined => "`wrapup deliveries reprocess` reads it again",
            _ => "only dead ones are tried again; --force tries any",
        };
        Became::unchanged(record.id, record.state, advice)
    });
    let room = run.tell(&again.chain(other).collect::<Vec<_>>())?;
    run.rest(begun).await;
    Ok(room)
}

fn fits(record: &Record, how: Redrive) -> bool {
    let ended = record.ended_at.is_some() && record.code.is_some();
    record.state == State::Dead || (how.force && ended)
}
