//! `wrapup deliveries export`: everything, for other programs.

use std::io::{BufWriter, Write};

use super::list::Which;
use super::view::{View, json_line};
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::store::operate::{Cursor, Operate};

/// Deliveries in one read.
const PIECE: usize = 500;

/// Write deliveries as JSON lines, in order of acceptance.
///
/// Each line holds what `show --json` tells. What was answered is written only with --answers.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup deliveries export --since 30d > deliveries.jsonl\n  \
                  wrapup deliveries export --state quarantined --answers | jq -r .body"
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Write what was answered, too: the fields, and the body as far as it is kept. This is personal data.
    #[arg(long)]
    answers: bool,
}

pub(super) async fn run(desk: &Desk, args: &Args) -> anyhow::Result<Exit> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let filter = args.which.filter();
    // What comes while this runs is for the next time.
    let last = desk.store.newest().await?;
    let mut from = Some(Cursor::oldest_first());
    while let Some(cursor) = from {
        let page = desk.store.page(filter.clone(), cursor, PIECE).await?;
        for record in page.found.iter().filter(|record| record.seq <= last) {
            let answered = super::answered(desk, record, args.answers).await?;
            json_line(&View::whole(record, answered), &mut out)?;
        }
        from = page.next.filter(|next| next.beyond() < last);
    }
    out.flush()?;
    Ok(Exit::Ok)
}
