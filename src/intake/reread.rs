//! Reading a kept survey again, after the mapping was mended.
//!
//! The one place for it. What is kept was verified when it came; its headers are gone, so of its keys only an id in
//! the body can be found anew, and the store remembers the others. Invariant: reads exactly as a webhook's body is
//! read, so that a survey comes to the same whoever brings it, its sender or an operator.

use std::sync::Arc;

use super::Source;
use super::dedup::{self, Kind};
use super::read::{Problem, Reading, Unreadable};
use super::scheme::IdSource;
use crate::rules::{Decision, RuleSet};
use crate::store::operate::Quarantined;
use crate::store::{Content, DecisionRecord};
use crate::survey::Survey;

impl Source {
    /// Reads a kept survey as this source reads today. Usually it is one; a body that was kept as a whole, because
    /// `items` was missing or wrong, may be several. Never none.
    ///
    /// The keys of a single one are those that the store does not know: an id in the body, if there is one. Each of
    /// several has keys of its own.
    pub fn reread(&self, kept: &Quarantined) -> Vec<Reading> {
        let mut readings = self.read_kept(&kept.body, kept.accepted_at);
        match &mut readings[..] {
            [] => vec![self.as_it_is(
                kept,
                "a list without a survey: nothing is lost if it is erased",
            )],
            [
                Reading::Survey {
                    keys, content_key, ..
                }
                | Reading::Unreadable {
                    keys, content_key, ..
                },
            ] => {
                // That of the content alone is none where something else counts, such as a signed id.
                keys.retain(|key| key != content_key);
                readings
            }
            [_, ..] if matches!(self.scheme.id, IdSource::Header { signed: true, .. }) => {
                // Their keys are made of an id that is not kept: a repetition would not be recognised.
                let message = "several surveys, which are known by an id in a header: have the sender send them again";
                vec![self.as_it_is(kept, message)]
            }
            [_, ..] => readings,
        }
    }

    fn as_it_is(&self, kept: &Quarantined, message: &str) -> Reading {
        let digest = dedup::digest(&[&kept.body]);
        Reading::Unreadable {
            kind: Unreadable::Items,
            problems: vec![Problem::of_body(message)],
            keys: Vec::new(),
            content_key: dedup::key(&self.name, None, Kind::Content, &digest),
            body: kept.body.clone(),
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
