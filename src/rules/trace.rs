//! A decision and the way to it: one step for every rule, whether it was reached or not.
//!
//! What is kept with each delivery is short: which rules there were, which of them decided, and which could not be
//! evaluated. The steps follow from that.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{CodeName, RuleName};

/// What the rules say about a survey.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The first rule that matched.
    pub rule: Option<RuleName>,
    /// `None`: nothing is assigned, because no rule matched or the rule says `ignore`.
    pub code: Option<CodeName>,
    /// Rules before it that could not be evaluated, in the file's order, and why; never holds a survey's values.
    pub failures: Vec<(RuleName, String)>,
    pub(super) rules: Arc<[RuleName]>,
}

impl Decision {
    /// One step for each rule, in the file's order.
    pub fn trace(&self) -> Vec<Step> {
        trace(&self.rules, self.rule.as_ref(), &self.failures)
    }
}

/// The way to a decision of `rules`, from what is kept of it: one step for each rule, in their order.
pub fn trace(
    rules: &[RuleName],
    decider: Option<&RuleName>,
    failures: &[(RuleName, String)],
) -> Vec<Step> {
    let decider = decider.and_then(|decider| rules.iter().position(|rule| rule == decider));
    let mut failures = failures.iter().peekable();
    let rules = rules.iter().enumerate();
    rules
        .map(|(place, rule)| {
            let why = failures.next_if(|(failed, _)| failed == rule);
            let finding = match decider {
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
