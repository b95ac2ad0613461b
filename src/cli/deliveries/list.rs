//! `wrapup deliveries list`: the newest deliveries, or those that are looked for.

use std::io::Write;

use serde::Serialize;
use uuid::Uuid;

use super::view::{self, View};
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::clock::UnixMs;
use crate::ids::{CodeName, InteractionId, SourceName};
use crate::store::operate::{Cursor, Filter, Operate};
use crate::store::{DeadClass, Record, State};

/// List deliveries, the newest first. Answers are not shown.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup deliveries list --state dead --state quarantined --since 24h\n  \
                  wrapup deliveries list --interaction a1b2c3d4-e5f6-7890-abcd-ef1234567890 --json"
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// For scripts: one JSON object with `deliveries`, and `more` if there are more than these.
    #[arg(long)]
    json: bool,
}

/// What `list` and `export` are restricted to.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only those in this state: pending, leased, assigned, ignored, superseded, kept, shadowed, quarantined or dead;
    /// given again: any of them.
    #[arg(long = "state", value_name = "STATE", value_parser = super::state)]
    states: Vec<State>,
    /// Only dead ones of this class: rejected, unknown-code, exhausted or expired.
    #[arg(long, value_name = "CLASS", value_parser = super::class)]
    class: Option<DeadClass>,
    /// Only those of this source.
    #[arg(long, value_name = "NAME", value_parser = super::source)]
    source: Option<SourceName>,
    /// Only those about this interaction.
    #[arg(long, value_name = "UUID")]
    interaction: Option<Uuid>,
    /// Only those accepted since then: 2h, 7d, or a moment in RFC 3339.
    #[arg(long, value_name = "WHEN", value_parser = super::since)]
    since: Option<UnixMs>,
}

impl Which {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            states: self.states.clone(),
            class: self.class,
            source: self.source.clone(),
            interaction: self.interaction.map(InteractionId),
            since: self.since,
        }
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    deliveries: Vec<View<'a>>,
    more: bool,
}

pub(super) async fn run(desk: &Desk, args: &Args) -> anyhow::Result<Exit> {
    let limit = usize::try_from(args.limit)?;
    // One more than is shown, to know whether there is more.
    let mut found = newest(desk, &args.which.filter(), limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let out = &mut std::io::stdout().lock();
    if args.json {
        let deliveries = found.iter().map(View::brief).collect();
        serde_json::to_writer_pretty(&mut *out, &Listed { deliveries, more })?;
        writeln!(out)?;
        return Ok(Exit::Ok);
    }
    write!(out, "{}", table(&found))?;
    if more {
        writeln!(std::io::stderr(), "there are more: --limit shows them")?;
    }
    Ok(Exit::Ok)
}

/// The newest of those that are meant.
pub(super) async fn newest(
    desk: &Desk,
    filter: &Filter,
    limit: usize,
) -> anyhow::Result<Vec<Record>> {
    let mut found = Vec::new();
    let mut from = Some(Cursor::newest_first());
    while let Some(cursor) = from
        && found.len() < limit
    {
        let page = desk.store.page(filter.clone(), cursor, limit - found.len());
        let page = page.await?;
        found.extend(page.found);
        from = page.next;
    }
    Ok(found)
}

fn table(records: &[Record]) -> String {
    let row = |record: &Record| {
        let text = |name: Option<&str>| view::plain(name.unwrap_or("-"));
        [
            record.accepted_at.to_rfc3339(),
            view::state(record),
            text(Some(record.source.as_str())),
            record
                .interaction
                .map_or_else(|| "-".to_owned(), |id| id.to_string()),
            text(record.code.as_ref().map(CodeName::as_str)),
            record.id.to_string(),
        ]
    };
    let head = [
        "ACCEPTED",
        "STATE",
        "SOURCE",
        "INTERACTION",
        "CODE",
        "DELIVERY",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(records.iter().map(row));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let width = rows.iter().map(|row| row[column].chars().count());
        width.max().unwrap_or(0)
    });
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
