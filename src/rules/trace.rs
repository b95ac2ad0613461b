//! A decision and the way to it: one step for every rule, whether it was reached or not.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{CodeName, RuleName};

/// What the rules say about a survey. Kept with the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The first rule that matched.
    pub rule: Option<RuleName>,
    /// `None`: nothing is assigned, because no rule matched or the rule says `ignore`.
    pub code: Option<CodeName>,
    /// One step for each rule, in the file's order.
    pub trace: Vec<Step>,
}

impl Decision {
    /// `[{"rule":"detractor","finding":"not-evaluated","why":"nps_score is missing"},...]`
    pub fn trace_json(&self) -> String {
        serde_json::to_string(&self.trace).expect("names and texts are always JSON")
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
