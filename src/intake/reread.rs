//! Reading a kept survey again, after the mapping was mended.
//!
//! The one place for it. What is kept was verified when it came; its headers are gone, so of its keys only an id in
//! the body can be found anew, and the store remembers the others. Invariant: reads exactly as a webhook's body is
//! read, so that a survey comes to the same whoever brings it, its sender or an operator.

use std::sync::Arc;

use super::Source;
use super::dedup::{self, Kind};
use super::payload;
use super::read::{self, Problem, Unreadable};
use crate::rules::{Decision, RuleSet};
use crate::store::operate::Quarantined;
use crate::store::{Content, DecisionRecord, DedupKey};
use crate::survey::Survey;

/// What a kept survey is today.
#[derive(Clone, Debug, PartialEq)]
pub enum Rereading {
    Survey {
        survey: Survey,
        /// Those that can be found in the body.
        keys: Vec<DedupKey>,
    },
    Unreadable {
        kind: Unreadable,
        problems: Vec<Problem>,
    },
}

impl Source {
    /// Reads a kept survey as this source reads today.
    pub fn reread(&self, kept: &Quarantined) -> Rereading {
        let json = match payload::parse(&kept.body, &self.need) {
            Ok(json) => json,
            Err(malformed) => {
                return Rereading::Unreadable {
                    kind: Unreadable::Malformed,
                    problems: vec![Problem::of_the_whole(malformed.to_string())],
                };
            }
        };
        match read::fields(self, &json) {
            Ok((interaction, fields)) => {
                let id = read::id_in_body(self, &json);
                let key = |id: String| dedup::key(&self.name, None, Kind::Id, id.as_bytes());
                Rereading::Survey {
                    survey: Survey {
                        source: self.name.clone(),
                        interaction,
                        received_at: kept.accepted_at,
                        fields,
                    },
                    keys: id.map(key).into_iter().collect(),
                }
            }
            Err(problems) => Rereading::Unreadable {
                kind: Unreadable::Fields,
                problems,
            },
        }
    }
}

/// What the rules say of a survey, and the record of both for the store.
pub fn decided(survey: &Survey, rules: &RuleSet) -> (Decision, Content) {
    let decision = rules.decide(survey);
    let content = Content::Readable {
        interaction: survey.interaction,
        fields: serde_json::to_string(&survey.fields).expect("typed values are always JSON"),
        decision: DecisionRecord {
            rule: decision.rule.clone(),
            code: decision.code.clone(),
            rules_hash: Arc::clone(rules.hash()),
            trace: decision.trace_json(),
        },
    };
    (decision, content)
}
