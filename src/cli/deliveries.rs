//! `wrapup deliveries`: what an operator sees of stored surveys, and what can be done with them.
//!
//! Works on the store's file, with the service stopped or running. Each command is a module; here is what they share:
//! how deliveries are named and how moments are written.

mod again;
mod erase;
mod export;
mod list;
mod redrive;
mod reprocess;
mod show;
mod view;

use std::collections::HashSet;
use std::path::Path;

use anyhow::bail;
use uuid::Uuid;

use super::Exit;
use super::file::Desk;
use crate::clock::{Clock, UnixMs};
use crate::ids::{DeliveryId, SourceName};
use crate::store::operate::Operate;
use crate::store::{DeadClass, Record, State, Store};
use view::Answered;

/// Look at stored deliveries, have them tried again, erase or export them.
///
/// Works on the store's file, with the service stopped or running: what is changed takes effect within a second.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wrapup deliveries list --state quarantined")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Reprocess(reprocess::Args),
    Redrive(redrive::Args),
    Erase(erase::Args),
    Export(export::Args),
}

pub(super) async fn run(file: &Path, args: Args) -> anyhow::Result<Exit> {
    let desk = Desk::open(file).await?;
    let exit = match args.command {
        Command::List(args) => list::run(&desk, &args).await,
        Command::Show(args) => show::run(&desk, &args).await,
        Command::Reprocess(args) => reprocess::run(&desk, &args).await,
        Command::Redrive(args) => redrive::run(&desk, &args).await,
        Command::Erase(args) => erase::run(&desk, &args).await,
        Command::Export(args) => export::run(&desk, &args).await,
    };
    desk.store.close().await;
    exit
}

fn state(text: &str) -> Result<State, String> {
    let found = State::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| format!("known are {}", words(State::ALL.map(State::as_str))))
}

fn class(text: &str) -> Result<DeadClass, String> {
    let mut all = DeadClass::ALL.into_iter();
    let found = all.find(|class| class.as_str() == text);
    found.ok_or_else(|| format!("known are {}", words(DeadClass::ALL.map(DeadClass::as_str))))
}

fn words<const N: usize>(words: [&str; N]) -> String {
    words.join(", ")
}

fn source(text: &str) -> Result<SourceName, String> {
    text.parse().map_err(|why| format!("{why}"))
}

/// A moment: RFC 3339, or how long ago.
fn since(text: &str) -> Result<UnixMs, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Clock::system().now() - ago);
    }
    let moment = chrono::DateTime::parse_from_rfc3339(text);
    moment
        .map(|moment| UnixMs(moment.timestamp_millis()))
        .map_err(|_why| {
            "write how long ago, as 2h or 7d, or a moment, as 2026-01-31T09:30:00Z".to_owned()
        })
}

/// The deliveries of these ids, each once, all of which must be there: else nothing is begun.
async fn named(desk: &Desk, ids: &[Uuid]) -> anyhow::Result<Vec<Record>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let mut asked = HashSet::new();
    for id in ids.iter().filter(|id| asked.insert(**id)) {
        match desk.store.find(DeliveryId(*id)).await? {
            Some(record) => found.push(record),
            None => missing.push(id.to_string()),
        }
    }
    if !missing.is_empty() {
        bail!(
            "no delivery has the id {}: `wrapup deliveries show` takes an interaction's id, too; what ended long ago \
             is no longer kept (store.retention)",
            missing.join(", ")
        );
    }
    Ok(found)
}

/// What was answered, where that was asked for.
async fn answered(desk: &Desk, record: &Record, wanted: bool) -> anyhow::Result<Option<Answered>> {
    if !wanted {
        return Ok(None);
    }
    Ok(desk.store.answers(record.seq).await?.map(Answered::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_states_and_classes_are_read_as_people_write_them() {
        assert_eq!(since("1970-01-01T01:00:01+01:00"), Ok(UnixMs(1_000)));
        let hour_ago = Clock::system().now() - std::time::Duration::from_hours(1);
        assert!(since("1h").unwrap().since(hour_ago) < std::time::Duration::from_mins(1));
        assert!(since("yesterday").unwrap_err().contains("2h"));
        assert_eq!(state("dead"), Ok(State::Dead));
        assert!(state("lost").unwrap_err().contains("quarantined"));
        assert_eq!(class("unknown-code"), Ok(DeadClass::UnknownCode));
        assert!(class("old").unwrap_err().contains("expired"));
        assert!(source("A b").unwrap_err().contains("a-z"));
    }
}
