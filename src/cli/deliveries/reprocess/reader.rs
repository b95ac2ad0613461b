//! Kept surveys, read and decided by the configuration as it is now.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::bail;
use serde_json::Value;

use crate::cli::file::Desk;
use crate::ids::{DeliveryId, SourceName};
use crate::intake::{self, Problem, Reading, Source};
use crate::rules::{Decision, RuleSet};
use crate::store::operate::{Quarantined, Redrive, Reread};
use crate::store::{Content, NewDelivery};

pub(super) struct Reader {
    sources: HashMap<SourceName, Arc<Source>>,
    rules: RuleSet,
}

/// One survey that was read again, and what is told of it.
pub(super) struct Read {
    pub(super) survey: Reread,
    pub(super) decision: Option<Decision>,
    pub(super) problems: Option<Value>,
    /// Those that the body held beside it, and what was decided of each.
    pub(super) others: Vec<(NewDelivery, Option<Decision>)>,
}

impl Reader {
    /// Rules that a running service would refuse decide nothing here either.
    pub(super) fn new(desk: &Desk) -> anyhow::Result<Self> {
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
        let named = |source: &Arc<Source>| (source.name.clone(), Arc::clone(source));
        Ok(Self {
            sources: sources.map(named).collect(),
            rules,
        })
    }

    pub(super) fn read(&self, kept: &Quarantined, how: Redrive) -> Read {
        let Some(source) = self.sources.get(&kept.source) else {
            let problem = format!("no source is called `{}` any more", kept.source);
            return unreadable(kept, &[Problem::of_body(problem)]);
        };
        let mut readings = source.reread(kept);
        if readings.len() == 1 {
            return match readings.remove(0) {
                Reading::Unreadable { problems, .. } => unreadable(kept, &problems),
                survey @ Reading::Survey { .. } => self.resolved(kept, survey, None, Vec::new()),
            };
        }
        let first = readings
            .iter()
            .position(|reading| matches!(reading, Reading::Survey { .. }));
        let Some(first) = first else {
            return unreadable(kept, &problems_of_all(&readings));
        };
        let survey = readings.remove(first);
        let body = match &survey {
            Reading::Survey { body, .. } | Reading::Unreadable { body, .. } => body.clone(),
        };
        let others = readings.into_iter();
        let others = others.map(|reading| self.other(kept, reading, how));
        self.resolved(kept, survey, Some(body), others.collect())
    }

    /// A reading that takes the kept one's place.
    fn resolved(
        &self,
        kept: &Quarantined,
        reading: Reading,
        body: Option<bytes::Bytes>,
        others: Vec<(NewDelivery, Option<Decision>)>,
    ) -> Read {
        let (keys, _, _, content, decision) = self.decide(reading);
        Read {
            survey: Reread {
                seq: kept.seq,
                id: kept.id,
                keys,
                body,
                content,
            },
            decision,
            problems: None,
            others,
        }
    }

    /// Another of the same body: as if it came now.
    fn other(
        &self,
        kept: &Quarantined,
        reading: Reading,
        how: Redrive,
    ) -> (NewDelivery, Option<Decision>) {
        let (keys, content_key, body, content, decision) = self.decide(reading);
        let new = NewDelivery {
            id: DeliveryId::generate(),
            source: kept.source.clone(),
            accepted_at: how.at,
            keys,
            content_key,
            body,
            content,
        };
        (new, decision)
    }

    fn decide(&self, reading: Reading) -> Decided {
        match reading {
            Reading::Survey {
                survey,
                keys,
                content_key,
                body,
            } => {
                let (decision, content) = intake::decided(&survey, &self.rules);
                (keys, content_key, body, content, Some(decision))
            }
            Reading::Unreadable {
                problems,
                keys,
                content_key,
                body,
                ..
            } => {
                let problems = Problem::list_json(&problems);
                let content = Content::Unreadable { problems };
                (keys, content_key, body, content, None)
            }
        }
    }
}

type Decided = (
    Vec<crate::store::DedupKey>,
    crate::store::DedupKey,
    bytes::Bytes,
    Content,
    Option<Decision>,
);

fn unreadable(kept: &Quarantined, problems: &[Problem]) -> Read {
    let text = Problem::list_json(problems);
    Read {
        survey: Reread {
            seq: kept.seq,
            id: kept.id,
            keys: Vec::new(),
            body: None,
            content: Content::Unreadable { problems: text },
        },
        decision: None,
        problems: serde_json::to_value(problems).ok(),
        others: Vec::new(),
    }
}

/// Which of several surveys has which problems.
fn problems_of_all(readings: &[Reading]) -> Vec<Problem> {
    let mut all = Vec::new();
    for (number, reading) in (1..).zip(readings) {
        if let Reading::Unreadable { problems, .. } = reading {
            all.extend(problems.iter().map(|problem| Problem {
                message: format!("survey {number} of {}: {}", readings.len(), problem.message),
                ..problem.clone()
            }));
        }
    }
    all
}
