//! `wrapup deliveries reprocess`: quarantined surveys are read again, after the mapping was mended.

use std::collections::HashMap;

use anyhow::bail;
use serde_json::Value;
use tokio::time::Instant;

use super::again::{Became, How, PIECE, Run, Which};
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::ids::SourceName;
use crate::intake::{self, Problem, Rereading, Source};
use crate::rules::{Decision, RuleSet};
use crate::store::operate::{Cursor, Fate, Filter, Operate, Quarantined, Redrive, Reread};
use crate::store::{Content, State, Store};

/// Read quarantined surveys again, after their mapping was mended.
///
/// What can be read now becomes that delivery: it keeps its id and its number in the order of acceptance, and the rules
/// in the file decide. What still cannot be read stays where it is, with its new problems. The configuration that this
/// command reads counts, whatever a running service was started with: restart that one, so that it reads new surveys by
/// the mended mapping, too. It can be ended and run again at any time. Exits with 1 if some still cannot be read, with
/// 69 if the store is full.
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
    let mut states = State::ALL.iter().zip(census.states);
    let there = states.find(|(state, _)| **state == State::Quarantined);
    let mut run = Run::new(&args.how, there.filter(|_| args.which.all).map(|it| it.1));
    let last = desk.store.newest().await?;
    let mut from = Some(Cursor::oldest_first());
    while let Some(cursor) = from {
        let page = desk.store.quarantined(filter.clone(), cursor, PIECE);
        let page = page.await?;
        let surveys: Vec<_> = (page.found.into_iter())
            .filter(|survey| survey.seq <= last)
            .collect();
        if !reader.piece(desk, &surveys, how, &mut run).await? {
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
            reader.piece(desk, &found, how, &mut run).await?
        };
        if !room {
            break;
        }
    }
    Ok(run.end()?)
}

/// Reads and decides by the configuration as it is now.
struct Reader {
    sources: HashMap<SourceName, std::sync::Arc<Source>>,
    rules: RuleSet,
}

/// One survey that was read again, and what is told of it.
struct Read {
    survey: Reread,
    decision: Option<Decision>,
    problems: Option<Value>,
}

impl Reader {
    /// Rules that a running service would refuse decide nothing here either.
    fn new(desk: &Desk) -> anyhow::Result<Self> {
        let rules = desk.config.read_rules()?;
        let cases = rules.run_cases().into_iter();
        let failing: Vec<_> = cases
            .filter(|case| !case.passed)
            .map(|case| case.name)
            .collect();
        if !failing.is_empty() {
            bail!(
                "the rules fail their cases ({}), so they decide nothing: see `wrapup rules test`",
                failing.join(", ")
            );
        }
        let sources = desk.config.sources.iter();
        Ok(Self {
            sources: sources
                .map(|source| (source.name.clone(), std::sync::Arc::clone(source)))
                .collect(),
            rules,
        })
    }

    /// Reads outside of any transaction, and has the store resolve all of them in one. False: there is no room.
    async fn piece(
        &self,
        desk: &Desk,
        surveys: &[Quarantined],
        how: Redrive,
        run: &mut Run<'_>,
    ) -> anyhow::Result<bool> {
        let read: Vec<_> = surveys.iter().map(|survey| self.read(survey)).collect();
        let rereads = read.iter().map(|read| read.survey.clone()).collect();
        let begun = Instant::now();
        let fates = desk.store.resolve(rereads, how).await?;
        let told: Vec<_> = read.into_iter().zip(&fates).map(outcome).collect();
        let room = run.tell(&told)?;
        run.rest(begun).await;
        Ok(room)
    }

    fn read(&self, kept: &Quarantined) -> Read {
        let reading = match self.sources.get(&kept.source) {
            Some(source) => source.reread(kept),
            None => no_source(&kept.source),
        };
        let (keys, content, decision, problems) = match reading {
            Rereading::Survey { survey, keys } => {
                let (decision, content) = intake::decided(&survey, &self.rules);
                (keys, content, Some(decision), None)
            }
            Rereading::Unreadable { problems, .. } => {
                let text = Problem::list_json(&problems);
                let told = serde_json::to_value(&problems).ok();
                (
                    Vec::new(),
                    Content::Unreadable { problems: text },
                    None,
                    told,
                )
            }
        };
        Read {
            survey: Reread {
                seq: kept.seq,
                id: kept.id,
                keys,
                content,
            },
            decision,
            problems,
        }
    }
}

fn no_source(name: &SourceName) -> Rereading {
    let problem = Problem {
        field: None,
        path: None,
        expected: None,
        message: format!("no source is called `{name}` any more"),
    };
    Rereading::Unreadable {
        kind: intake::Unreadable::Fields,
        problems: vec![problem],
    }
}

fn outcome((read, fate): (Read, &Fate)) -> Became {
    let outcome = Became::of(read.survey.id, fate);
    match (read.decision, read.problems, fate) {
        (_, _, Fate::Gone) | (None, None, _) => outcome,
        (Some(decision), ..) => outcome.decided(decision.rule.as_ref(), decision.code.as_ref()),
        (None, Some(problems), _) => outcome.problems(problems),
    }
}
