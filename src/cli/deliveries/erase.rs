//! `wrapup deliveries erase`: for privacy.

use std::io::Write;

use anyhow::bail;
use uuid::Uuid;

use super::view::json_line;
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::ids::InteractionId;
use crate::store::operate::{Cursor, Erased, Filter, Operate};
use crate::store::{Record, State};

/// Deliveries in one read.
const PIECE: usize = 500;

/// Remove deliveries with everything that came in with them, for good.
///
/// Only the hashed keys stay by which a sender's repetition is recognised, so that it does not bring them back. The
/// code stays on the interaction. Copies of the file (backups, those of a migration) are not touched, and the file's log
/// holds what was removed until it begins anew. Exits with 1 if something was not erased.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("which").required(true).args(["ids", "interaction"]),
    after_help = "Example:\n  wrapup deliveries erase --interaction a1b2c3d4-e5f6-7890-abcd-ef1234567890\n  \
                  wrapup deliveries erase 0198c0de-0000-7000-8000-000000000000"
)]
pub(super) struct Args {
    /// Those of these ids.
    #[arg(value_name = "ID")]
    ids: Vec<Uuid>,
    /// All those about this interaction.
    #[arg(long, value_name = "UUID", conflicts_with = "ids")]
    interaction: Option<Uuid>,
    /// Those, too, that are on their way still: their code is then not assigned. Not one that a worker has in hand.
    #[arg(long)]
    force: bool,
    /// For scripts: one JSON object for each delivery, each on its line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(desk: &Desk, args: &Args) -> anyhow::Result<Exit> {
    let all = if let Some(interaction) = args.interaction {
        about(desk, args, interaction).await?
    } else {
        let named = super::named(desk, &args.ids).await?;
        erase(desk, args, &named).await?
    };
    Ok(if all { Exit::Ok } else { Exit::Failed })
}

/// However many there are. Answers whether all of them are gone.
async fn about(desk: &Desk, args: &Args, interaction: Uuid) -> anyhow::Result<bool> {
    let filter = Filter::about(InteractionId(interaction));
    let (mut any, mut all) = (false, true);
    let mut from = Some(Cursor::newest_first());
    while let Some(cursor) = from {
        let page = desk.store.page(filter.clone(), cursor, PIECE).await?;
        any |= !page.found.is_empty();
        all &= erase(desk, args, &page.found).await?;
        from = page.next;
    }
    if !any {
        bail!("no delivery is about the interaction {interaction}");
    }
    Ok(all)
}

async fn erase(desk: &Desk, args: &Args, records: &[Record]) -> anyhow::Result<bool> {
    let mut all = true;
    let out = &mut std::io::stdout().lock();
    for id in records.iter().map(|record| record.id) {
        let erased = desk.store.erase(id, args.force, desk.clock.now()).await?;
        let (outcome, detail) = told(erased);
        all &= outcome != "kept";
        if args.json {
            let line = serde_json::json!({"deliveryId": id, "outcome": outcome, "detail": detail});
            json_line(&line, out)?;
        } else {
            writeln!(out, "{id}  {outcome:7}  {detail}")?;
        }
    }
    Ok(all)
}

/// The outcome, and what there is to say about it.
fn told(erased: Erased) -> (&'static str, String) {
    match erased {
        Erased::Done(state) => ("erased", format!("it was {}", state.as_str())),
        Erased::Live(State::Leased) => (
            "kept",
            "it is leased: a worker has it in hand; try again in a while".to_owned(),
        ),
        Erased::Live(state) => (
            "kept",
            format!(
                "it is {}: wait until it has ended, or give --force",
                state.as_str()
            ),
        ),
        Erased::Unknown => ("unknown", "it is gone already".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_is_advised_only_where_it_helps() {
        for (state, helps) in [(State::Pending, true), (State::Leased, false)] {
            let (outcome, detail) = told(Erased::Live(state));
            assert_eq!((outcome, detail.contains("--force")), ("kept", helps));
        }
    }
}
