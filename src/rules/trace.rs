//! A decision and the way to it: one step for every rule, whether it was reached or not.
//!
//! Each decision is kept with its trace as JSON, and nearly all of that text is the same for every survey. So it is
//! rendered once for each rule set, and a decision copies the pieces that it needs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{CodeName, RuleName};

/// What the rules say about a survey. Kept with the delivery.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The first rule that matched.
    pub rule: Option<RuleName>,
    /// `None`: nothing is assigned, because no rule matched or the rule says `ignore`.
    pub code: Option<CodeName>,
    pub(super) way: Way,
}

impl Decision {
    /// One step for each rule, in the file's order.
    pub fn trace(&self) -> Vec<Step> {
        self.way.steps()
    }

    /// `[{"rule":"detractor","finding":"not-evaluated","why":"nps_score is missing"},...]`
    pub fn trace_json(&self) -> String {
        self.way.json()
    }
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub rule: RuleName,
    pub finding: Finding,
    /// Why the condition could not be evaluated; never holds a survey's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    Matched,
    NotMatched,
    /// Counts as not matched.
    NotEvaluated,
    /// An earlier rule matched.
    NotReached,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Matched => "matched",
            Self::NotMatched => "did not match",
            Self::NotEvaluated => "could not be evaluated",
            Self::NotReached => "not reached",
        })
    }
}

/// A trace in short: where the decision fell, and which of the rules before could not be evaluated.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) pieces: Arc<Pieces>,
    /// The place of the rule that matched.
    pub(super) decider: Option<usize>,
    /// Places, in their order, and reasons.
    pub(super) failures: Vec<(usize, String)>,
}

impl Way {
    fn steps(&self) -> Vec<Step> {
        let mut failures = self.failures.iter().peekable();
        let rules = self.pieces.rules.iter().enumerate();
        rules
            .map(|(place, rule)| {
                let why = failures.next_if(|(failed, _)| *failed == place);
                let finding = match self.decider {
                    _ if why.is_some() => Finding::NotEvaluated,
                    Some(decider) if place == decider => Finding::Matched,
                    Some(decider) if place > decider => Finding::NotReached,
                    _ => Finding::NotMatched,
                };
                Step {
                    rule: rule.clone(),
                    finding,
                    why: why.map(|(_, why)| why.clone()),
                }
            })
            .collect()
    }

    fn json(&self) -> String {
        let pieces = &*self.pieces;
        let reached = self.decider.unwrap_or(pieces.rules.len());
        let mut json = String::with_capacity(pieces.longest);
        json.push('[');
        let mut from = 0;
        for (failed, why) in &self.failures {
            json += pieces.not_matched.run(from, *failed);
            let step = Step {
                rule: pieces.rules[*failed].clone(),
                finding: Finding::NotEvaluated,
                why: Some(why.clone()),
            };
            json += &rendered(&step);
            from = failed + 1;
        }
        json += pieces.not_matched.run(from, reached);
        json += pieces.matched.run(reached, reached + 1);
        json += pieces.not_reached.run(reached + 1, pieces.rules.len());
        if json.ends_with(',') {
            json.pop();
        }
        json.push(']');
        json
    }
}

/// The steps of a rule set that need no reason, as JSON.
#[derive(Debug)]
pub(super) struct Pieces {
    rules: Vec<RuleName>,
    matched: Line,
    not_matched: Line,
    not_reached: Line,
    /// Room for a trace without reasons.
    longest: usize,
}

impl Pieces {
    pub(super) fn of(rules: Vec<RuleName>) -> Self {
        let line = |finding| Line::of(&rules, finding);
        let (matched, not_matched, not_reached) = (
            line(Finding::Matched),
            line(Finding::NotMatched),
            line(Finding::NotReached),
        );
        Self {
            longest: "[]".len() + not_matched.text.len().max(not_reached.text.len()),
            rules,
            matched,
            not_matched,
            not_reached,
        }
    }
}

/// One finding for every rule; any run of rules is a piece of it.
#[derive(Debug)]
struct Line {
    text: String,
    /// Where the step of each rule begins, and where the last one ends.
    begins: Vec<usize>,
}

impl Line {
    fn of(rules: &[RuleName], finding: Finding) -> Self {
        let mut line = Self {
            text: String::new(),
            begins: vec![0],
        };
        for rule in rules {
            line.text += &rendered(&Step {
                rule: rule.clone(),
                finding,
                why: None,
            });
            line.begins.push(line.text.len());
        }
        line
    }

    /// The steps from one rule to before another, each with a comma; empty where there are none.
    fn run(&self, from: usize, to: usize) -> &str {
        let run = self.begins.get(from).zip(self.begins.get(to));
        let run = run.and_then(|(from, to)| self.text.get(*from..*to));
        run.unwrap_or_default()
    }
}

/// A step with a comma.
fn rendered(step: &Step) -> String {
    let mut json = serde_json::to_string(step).expect("names and texts are always JSON");
    json.push(',');
    json
}
