//! From the arguments to what is printed: configuration, rules file and a survey's body.
//!
//! Needs no secrets: whoever writes rules seldom has them. A body to be explained is read as one that was kept before.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde::de::IgnoredAny;

use super::explain::{self, Explained, Explanation};
use super::{Args, Command, Explain, backtest, print_cases};
use crate::cli::{Exit, given, load};
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::intake::{Reading, Source};
use crate::rules::RuleSet;
use crate::survey::Fields;

pub(in crate::cli) async fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let mut config = load(file, Secrets::Wanted)?.config;
    let other = match &args.command {
        Command::Test(args) => args.rules.as_ref(),
        Command::Explain(args) => args.rules.as_ref(),
        Command::Backtest(args) => Some(&args.rules),
    };
    if let Some(rules) = other {
        config.rules.file.clone_from(rules);
    }
    let rules = config.read_rules()?;
    match &args.command {
        Command::Test(args) => {
            let passed = print_cases(&rules, args.json, &mut std::io::stdout().lock())?;
            Ok(if passed { Exit::Ok } else { Exit::Failed })
        }
        Command::Explain(args) => explain(&config, &rules, args),
        Command::Backtest(args) => backtest::run(&config, &rules, args).await,
    }
}

fn explain(config: &Config, rules: &RuleSet, args: &Explain) -> anyhow::Result<Exit> {
    let source = source(config, args.source.as_deref())?;
    let body = as_sent(source, body(args, config.server.max_body)?);
    let now = Clock::system().now();
    let readings = source.read_kept(&body, now);
    let plain = source.without_defaults().read_kept(&body, now);
    let out = &mut std::io::stdout().lock();
    let several = source.reads_items();
    let mut all_read = true;
    let mut explanations = Vec::new();
    for (nth, reading) in readings.iter().enumerate() {
        if several && !args.json {
            let gap = if nth > 0 { "\n" } else { "" };
            writeln!(out, "{gap}survey {} of {}", nth + 1, readings.len())?;
        }
        match reading {
            Reading::Survey { survey, .. } => {
                let explained = Explained {
                    source,
                    survey,
                    written: plain.get(nth).and_then(fields_of),
                };
                if args.json {
                    explanations.push(Explanation::of(rules, &explained));
                } else {
                    explain::print(rules, &explained, out)?;
                }
            }
            Reading::Unreadable { problems, .. } => {
                all_read = false;
                if args.json {
                    explanations.push(Explanation::of_unreadable(source, problems));
                } else {
                    explain::print_unreadable(source, problems, out)?;
                }
            }
        }
    }
    if args.json {
        match explanations.as_slice() {
            [one] if !several => serde_json::to_writer_pretty(&mut *out, one)?,
            list => serde_json::to_writer_pretty(&mut *out, list)?,
        }
        writeln!(out)?;
    } else if readings.is_empty() {
        writeln!(
            out,
            "this body is an empty list: it would be answered, and nothing kept"
        )?;
    }
    out.flush()?;
    Ok(if all_read { Exit::Ok } else { Exit::Failed })
}

/// JSON for a source of forms is put where its sender would put it; anything else is the body as it comes.
fn as_sent(source: &Source, given: Bytes) -> Bytes {
    match serde_json::from_slice::<IgnoredAny>(&given) {
        Ok(_) => source.envelope(&given).body.into(),
        Err(_no_json) => given,
    }
}

fn fields_of(reading: &Reading) -> Option<&Fields> {
    match reading {
        Reading::Survey { survey, .. } => Some(&survey.fields),
        Reading::Unreadable { .. } => None,
    }
}

/// The named one, or the first.
fn source<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<&'a Source> {
    let mut sources = config.sources.iter().map(|source| &**source);
    match name {
        Some(name) => Ok(given::source(sources, name)?),
        None => sources.next().context("the configuration has no source"),
    }
}

/// The body, as far as the service would take it.
fn body(args: &Explain, max_body: usize) -> anyhow::Result<Bytes> {
    let body = given::survey(&args.body, u64::try_from(max_body)?)?;
    ensure!(
        body.len() <= max_body,
        "the survey is larger than server.max_body: it would be answered with 413"
    );
    Ok(Bytes::from(body))
}
