//! `wrapup codes`: the code book as the service kept it last.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::Exit;
use super::file::Desk;
use crate::clock::UnixMs;
use crate::store::{SavedCodes, Store};
use crate::units::Span;

/// List the platform's wrap-up codes, as the service loaded them last.
///
/// Read from the store, with the service stopped or running; the platform is not asked (`wrapup check --online` does
/// that). Exits with 69 where no book was kept yet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wrapup codes\n  wrapup codes --json | jq -r '.codes[].name'")]
pub(super) struct Args {
    /// For scripts: one JSON object with `loadedAt`, `ageSeconds` and `codes`.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    loaded_at: String,
    age_seconds: u64,
    codes: Vec<Code<'a>>,
}

#[derive(Serialize)]
struct Code<'a> {
    name: &'a str,
    id: &'a str,
}

pub(super) async fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let desk = Desk::open(file).await?;
    let saved = desk.store.saved_codes().await?;
    let Some(mut saved) = saved.filter(|saved| !saved.codes.is_empty()) else {
        writeln!(
            std::io::stderr(),
            "no code book was kept yet: the service keeps one when the platform has answered; \
             `wrapup check --online` asks it now"
        )?;
        return Ok(Exit::Unavailable);
    };
    saved.codes.sort();
    let text = if args.json {
        json(&saved, desk.clock.now())?
    } else {
        lines(&saved, desk.clock.now())
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn json(saved: &SavedCodes, now: UnixMs) -> serde_json::Result<String> {
    let codes = saved.codes.iter().map(|(name, id)| Code {
        name: name.as_str(),
        id: id.as_str(),
    });
    let report = Report {
        loaded_at: saved.loaded_at.to_rfc3339(),
        age_seconds: now.since(saved.loaded_at).as_secs(),
        codes: codes.collect(),
    };
    serde_json::to_string_pretty(&report).map(|text| text + "\n")
}

fn lines(saved: &SavedCodes, now: UnixMs) -> String {
    use std::fmt::Write as _;
    let names = saved.codes.iter().map(|(name, _)| name.as_str());
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, id) in &saved.codes {
        writeln!(text, "{:width$}  {id}", name.as_str()).expect("a text takes everything");
    }
    let seconds = now.since(saved.loaded_at).as_secs();
    let age = Span(std::time::Duration::from_secs(seconds));
    writeln!(
        text,
        "{} codes, loaded {} ({age} ago)",
        saved.codes.len(),
        saved.loaded_at
    )
    .expect("a text takes everything");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_listed_with_their_age() {
        let saved = SavedCodes {
            loaded_at: UnixMs(0),
            codes: vec![("LONG_NAME".into(), "2".into()), ("A".into(), "1".into())],
        };
        assert_eq!(
            lines(&saved, UnixMs(90_000)),
            "LONG_NAME  2\nA          1\n2 codes, loaded 1970-01-01T00:00:00.000Z (90s ago)\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&json(&saved, UnixMs(90_000)).unwrap()).unwrap();
        assert_eq!(json["ageSeconds"], 90);
        assert_eq!(json["codes"][1]["name"], "A");
    }
}
