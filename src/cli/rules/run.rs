//! From the arguments to what is printed: configuration, rules file and a survey's body.
//!
//! Needs no secrets: whoever writes rules seldom has them. A survey to be explained is put into the body that its
//! sender would send, and read as if that were authentic.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use bytes::Bytes;

use super::{Args, Command, Explain, print_cases, print_explanation, print_unreadable};
use crate::cli::{Exit, load};
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::intake::{Problem, Reading, Source};

pub(in crate::cli) fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let mut config = load(file, Secrets::Wanted)?.config;
    let (rules, json) = match &args.command {
        Command::Test(args) => (&args.rules, args.json),
        Command::Explain(args) => (&args.rules, args.json),
    };
    if let Some(rules) = rules {
        config.rules.file.clone_from(rules);
    }
    let rules = config.read_rules()?;
    let out = &mut std::io::stdout().lock();
    let Command::Explain(args) = &args.command else {
        let passed = print_cases(&rules, json, out)?;
        return Ok(if passed { Exit::Ok } else { Exit::Failed });
    };
    let source = source(&config, args.source.as_deref())?;
    let mut all_read = true;
    for reading in readings(source, &body(args, config.server.max_body)?) {
        match reading {
            Reading::Survey { survey, .. } => print_explanation(&rules, &survey, json, out)?,
            Reading::Unreadable { problems, .. } => {
                all_read = false;
                let problems: Vec<String> = problems.iter().map(told).collect();
                print_unreadable(&problems, json, out)?;
            }
        }
    }
    out.flush()?;
    Ok(if all_read { Exit::Ok } else { Exit::Failed })
}

/// `field (path, type): what is wrong`, as far as it is known.
fn told(problem: &Problem) -> String {
    let path = problem.path.as_deref().map(str::to_owned);
    let expected = problem.expected.map(|kind| kind.to_string());
    let details: Vec<String> = path.into_iter().chain(expected).collect();
    match (&problem.field, details.is_empty()) {
        (Some(field), false) => format!("{field} ({}): {}", details.join(", "), problem.message),
        (Some(field), true) => format!("{field}: {}", problem.message),
        (None, _) => problem.message.clone(),
    }
}

fn source<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<&'a Source> {
    let mut sources = config.sources.iter();
    let found = match name {
        None => sources.next(),
        Some(name) => sources.find(|source| source.name.as_str() == name),
    };
    let known = || config.sources.iter().map(|source| source.name.as_str());
    found.map(|source| &**source).with_context(|| {
        let known: Vec<_> = known().collect();
        format!("no such source; there are {}", known.join(", "))
    })
}

/// The body, as far as the service would take it.
fn body(args: &Explain, max_body: usize) -> anyhow::Result<Bytes> {
    let limit = u64::try_from(max_body)?;
    let named = || format!("the survey {} cannot be read", args.body.display());
    let mut body = Vec::new();
    if args.body.as_os_str() == "-" {
        let stdin = std::io::stdin().lock();
        stdin.take(limit + 1).read_to_end(&mut body)
    } else {
        let file = std::fs::File::open(&args.body).with_context(named)?;
        file.take(limit + 1).read_to_end(&mut body)
    }
    .with_context(named)?;
    if body.len() > max_body {
        return Err(anyhow!(
            "the survey is larger than server.max_body: it would be answered with 413"
        ));
    }
    Ok(Bytes::from(body))
}

/// As of a webhook with this survey, signed or not.
fn readings(source: &Source, survey: &Bytes) -> Vec<Reading> {
    let body = source.envelope(survey).body.into();
    source.read_kept(&body, Clock::system().now())
}
