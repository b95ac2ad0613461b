//! `wrapup rules backtest`: what other rules would have made of the surveys of the last days.
//!
//! Their answer is held against what was decided when each survey was accepted, whatever rules were in force then: that
//! is what happened. Reads the store in short pieces, beside a running service or alone, and writes nothing.

mod tally;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono::DateTime;
use tokio::time::Instant;

use crate::cli::Exit;
use crate::clock::{Clock, UnixMs};
use crate::config::Config;
use crate::metrics::Registry;
use crate::rules::RuleSet;
use crate::store::sqlite::{Role, SqliteStore};
use crate::store::{self, SCAN_MOST, Store};
use crate::telemetry;

use tally::Tally;

/// Between two lines of progress: short runs show none.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Tries other rules on stored surveys, and shows what would change
///
/// Each survey's stored fields are decided by the rules of FILE, and the answer is compared with what was decided when
/// the survey was accepted. Nothing is written; it works beside a running service. Exits with 0 whatever would change.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wrapup rules backtest --rules config/rules-next.toml --since 7d\n  \
                      wrapup rules backtest --rules rules-next.toml --since 2026-01-31T00:00:00Z --json"
)]
pub(super) struct Args {
    /// The rules to try
    #[arg(long, value_name = "FILE")]
    pub(super) rules: PathBuf,
    /// Surveys accepted since then: a duration, such as `7d` or `12h`, or a moment, such as `2026-01-31T00:00:00Z`
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: Since,
    /// Only surveys of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How many deliveries to name for each change
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=1000))]
    examples: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Ago(Duration),
    At(UnixMs),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ago) = humantime::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        DateTime::parse_from_rfc3339(text)
            .map(|moment| Self::At(UnixMs(moment.timestamp_millis())))
            .map_err(|_why| {
                "write a duration, such as 7d, or a moment, such as 2026-01-31T00:00:00Z".to_owned()
            })
    }
}

impl Since {
    fn moment(self, now: UnixMs) -> UnixMs {
        match self {
            Self::Ago(ago) => now - ago,
            Self::At(moment) => moment,
        }
    }
}

pub(super) async fn run(config: &Config, rules: &RuleSet, args: &Args) -> anyhow::Result<Exit> {
    let known = config.sources.iter().map(|source| source.name.as_str());
    let known: Vec<_> = known.collect();
    if let Some(wanted) = &args.source
        && !known.contains(&wanted.as_str())
    {
        // It may have been one when its surveys came.
        let known = known.join(", ");
        tell(&format!(
            "note: `{wanted}` is no source of the configuration; there are {known}"
        ));
    }
    let failing = rules.run_cases().iter().filter(|case| !case.passed).count();
    if failing > 0 {
        let (file, cases) = (args.rules.display(), rules.run_cases().len());
        tell(&format!(
            "note: {failing} of {cases} cases of {file} fail; `wrapup rules test --rules {file}` shows them"
        ));
    }
    let clock = Clock::system();
    let since = args.since.moment(clock.now());
    let mut tally = Tally::new(config, rules, usize::from(args.examples));
    match scan(config, &clock, since, args.source.as_deref(), &mut tally).await {
        Ok(()) => {}
        Err(error) => {
            tell(&telemetry::chain(&error));
            return Ok(match error {
                store::Error::Newer(_) => Exit::Config,
                _ => Exit::Unavailable,
            });
        }
    }
    let mut out = std::io::stdout().lock();
    tally.print(since, args.json, &mut out)?;
    out.flush()?;
    Ok(Exit::Ok)
}

async fn scan(
    config: &Config,
    clock: &Clock,
    since: UnixMs,
    source: Option<&str>,
    tally: &mut Tally<'_>,
) -> Result<(), store::Error> {
    let (registry, repeat) = (Registry::new(), config.delivery.repeat);
    let store =
        SqliteStore::open(config.store.clone(), repeat, Role::Tool, clock, &registry).await?;
    let scanned = scan_all(&store, since, source, tally).await;
    store.close().await;
    scanned
}

async fn scan_all(
    store: &SqliteStore,
    since: UnixMs,
    source: Option<&str>,
    tally: &mut Tally<'_>,
) -> Result<(), store::Error> {
    let all: u64 = store.census().await?.states.iter().sum();
    let mut progress = Progress::new(all, std::io::stderr().is_terminal());
    let mut after = Some(0);
    while let Some(from) = after {
        let piece = store.scan(since, from, SCAN_MOST).await?;
        for survey in &piece.surveys {
            if source.is_none_or(|wanted| survey.source.as_str() == wanted) {
                tally.add(survey);
            }
        }
        if let Some(text) = progress.more(piece.looked_at) {
            write_err(&text);
        }
        after = piece.after;
    }
    progress.end();
    Ok(())
}

/// Lines on stderr, for whoever waits.
struct Progress {
    all: u64,
    looked_at: u64,
    told: Instant,
    /// On a terminal one line is written over and over.
    live: bool,
    begun: bool,
}

impl Progress {
    fn new(all: u64, live: bool) -> Self {
        Self {
            all,
            looked_at: 0,
            told: Instant::now(),
            live,
            begun: false,
        }
    }

    /// What is to be written, if it is time to.
    fn more(&mut self, looked_at: usize) -> Option<String> {
        self.looked_at += u64::try_from(looked_at).unwrap_or(0);
        if self.told.elapsed() < TOLD_EVERY {
            return None;
        }
        self.told = Instant::now();
        self.begun = true;
        let line = format!("looked at {} of {} deliveries", self.looked_at, self.all);
        Some(if self.live {
            format!("\r{line}")
        } else {
            format!("{line}\n")
        })
    }

    fn end(&self) {
        if self.begun && self.live {
            write_err("\n");
        }
    }
}

fn tell(line: &str) {
    write_err(&format!("{line}\n"));
}

fn write_err(text: &str) {
    let mut err = std::io::stderr().lock();
    // Whoever closed stderr does not want to be told.
    drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_duration_or_a_moment() {
        let now = UnixMs(1_769_851_800_000);
        for (text, expected) in [
            ("7d", Some(1_769_247_000_000)),
            ("90s", Some(1_769_851_710_000)),
            ("1d 12h", Some(1_769_722_200_000)),
            ("2026-01-31T09:30:00Z", Some(1_769_851_800_000)),
            ("2026-01-31T10:30:00+01:00", Some(1_769_851_800_000)),
            ("yesterday", None),
            ("2026-01-31", None),
            ("", None),
        ] {
            let got = text.parse::<Since>().ok().map(|since| since.moment(now).0);
            assert_eq!(got, expected, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn long_runs_tell_how_far_they_are_and_short_ones_nothing() {
        let mut progress = Progress::new(5_000, false);
        assert_eq!(progress.more(1_000), None);
        tokio::time::advance(TOLD_EVERY).await;
        let told = progress.more(1_000);
        assert_eq!(told.as_deref(), Some("looked at 2000 of 5000 deliveries\n"));
        assert_eq!(progress.more(1_000), None);
        progress.live = true;
        tokio::time::advance(TOLD_EVERY).await;
        let told = progress.more(1_000);
        assert_eq!(told.as_deref(), Some("\rlooked at 4000 of 5000 deliveries"));
    }
}
