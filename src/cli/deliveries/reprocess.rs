//! `wrapup deliveries reprocess`: quarantined surveys are read again, after the mapping was mended.

mod reader;

use tokio::time::Instant;

use self::reader::{Read, Reader};
use super::again::{Became, How, PIECE, Run, Which};
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::store::operate::{Cursor, Fate, Filter, Operate, Quarantined, Redrive};
use crate::store::{Error, Receipt, State, Store};

/// Read quarantined surveys again, after their mapping was mended.
///
/// What can be read now becomes that delivery: it keeps its id and its number in the order of acceptance, and the rules
/// in the file decide. What still cannot be read stays where it is, with its new problems. A body that turns out to
/// hold several surveys becomes the first of them that can be read; the others are accepted as new. The configuration
/// that this command reads counts, whatever a running service was started with: restart that one, so that it reads new
/// surveys by the mended mapping, too. It can be ended and run again at any time. Exits with 1 if some still cannot be
/// read, with 69 if the store is full.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup deliveries reprocess --source typeform --dry-run\n  \
                  wrapup deliveries reprocess --all"
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

pub(super) async fn run(desk: &Desk, args: &Args) -> anyhow::Result<Exit> {
    let reader = Reader::new(desk)?;
    let how = Redrive {
        at: desk.clock.now(),
        force: args.how.force,
        dry_run: args.how.dry_run,
    };
    if args.which.ids.is_empty() {
        some(desk, args, &reader, how).await
    } else {
        named(desk, args, &reader, how).await
    }
}

/// All that the filter means, and that were there when this began.
async fn some(desk: &Desk, args: &Args, reader: &Reader, how: Redrive) -> anyhow::Result<Exit> {
    let filter = Filter {
        source: args.which.source.clone(),
        since: args.which.since,
        ..Filter::default()
    };
    let census = desk.store.census().await?;
    let there = census.of(State::Quarantined);
    let mut run = Run::new(&args.how, args.which.all.then_some(there));
    let last = desk.store.newest().await?;
    let mut from = Some(Cursor::oldest_first());
    while let Some(cursor) = from {
        let page = desk.store.quarantined(filter.clone(), cursor, PIECE);
        let page = page.await?;
        let surveys: Vec<_> = (page.found.into_iter())
            .filter(|survey| survey.seq <= last)
            .collect();
        if !piece(desk, reader, &surveys, how, &mut run).await? {
            break;
        }
        from = page.next.filter(|next| next.beyond() < last);
    }
    Ok(run.end()?)
}

async fn named(desk: &Desk, args: &Args, reader: &Reader, how: Redrive) -> anyhow::Result<Exit> {
    let records = super::named(desk, &args.which.ids).await?;
    let mut run = Run::new(&args.how, None);
    for record in records {
        let before = Cursor::oldest_first().at(record.seq - 1);
        let page = desk.store.quarantined(Filter::default(), before, 1).await?;
        let found: Vec<_> = (page.found.into_iter())
            .filter(|survey| survey.id == record.id)
            .collect();
        let room = if found.is_empty() {
            let advice = "only quarantined surveys are read again";
            run.tell(&[Became::unchanged(record.id, record.state, advice)])?
        } else {
            piece(desk, reader, &found, how, &mut run).await?
        };
        if !room {
            break;
        }
    }
    Ok(run.end()?)
}

/// Reads outside of any transaction, and has the store resolve all of them in one. False: there is no room.
async fn piece(
    desk: &Desk,
    reader: &Reader,
    surveys: &[Quarantined],
    how: Redrive,
    run: &mut Run<'_>,
) -> anyhow::Result<bool> {
    let read: Vec<_> = surveys.iter().map(|kept| reader.read(kept, how)).collect();
    let begun = Instant::now();
    let (mut single, mut several) = (Vec::new(), Vec::new());
    for read in read {
        if read.others.is_empty() {
            single.push(read);
        } else {
            several.push(read);
        }
    }
    let rereads = single.iter().map(|read| read.survey.clone()).collect();
    let fates = desk.store.resolve(rereads, how).await?;
    let told: Vec<_> = single.iter().zip(&fates).map(outcome).collect();
    let mut room = run.tell(&told)?;
    for read in several {
        room = room && run.tell(&one_of_several(desk, read, how).await?)?;
    }
    run.rest(begun).await;
    Ok(room)
}

/// The others first: whoever ends the command between the two finds them by their keys the next time, and the row
/// still there.
async fn one_of_several(desk: &Desk, read: Read, how: Redrive) -> anyhow::Result<Vec<Became>> {
    let (deliveries, decisions): (Vec<_>, Vec<_>) = read.others.iter().cloned().unzip();
    let receipts: Vec<_> = if how.dry_run {
        let ids = deliveries.iter().map(|delivery| delivery.id);
        ids.map(Receipt::Stored).collect()
    } else {
        match desk.store.accept(deliveries).await {
            Ok(receipts) => receipts,
            Err(Error::TooManyPending(live)) => {
                return Ok(vec![Became::of(read.survey.id, &Fate::NoRoom { live })]);
            }
            Err(Error::TooManyQuarantined(kept)) => {
                return Ok(vec![Became::crowded_out(read.survey.id, kept)]);
            }
            Err(error) => return Err(error.into()),
        }
    };
    let fates = desk.store.resolve(vec![read.survey.clone()], how).await?;
    let mut told: Vec<_> = fates.iter().map(|fate| outcome((&read, fate))).collect();
    let others = receipts.into_iter().zip(&decisions);
    told.extend(
        others.map(|(receipt, decision)| Became::one_of_several(receipt, decision.as_ref())),
    );
    Ok(told)
}

fn outcome((read, fate): (&Read, &Fate)) -> Became {
    let outcome = Became::of(read.survey.id, fate);
    match (&read.decision, &read.problems, fate) {
        (_, _, Fate::Gone) | (None, None, _) => outcome,
        (Some(decision), ..) => outcome.decided(decision.rule.as_ref(), decision.code.as_ref()),
        (None, Some(problems), _) => outcome.problems(problems.clone()),
    }
}
