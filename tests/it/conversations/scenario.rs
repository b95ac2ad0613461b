//! The form of a scenario's file.

use serde::Deserialize;
use wrapup::simulator::{Limit, Operation};
use wrapup::store::{DeadClass, State};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What it shows, in a sentence.
    pub(super) says: String,
    /// A simulator's script; without a limit unless it has one.
    #[serde(default)]
    pub(super) simulator: toml::Table,
    /// Goes over the configuration.
    #[serde(default)]
    pub(super) service: toml::Table,
    #[serde(rename = "step")]
    pub(super) steps: Vec<Step>,
}

/// One thing that is done, or that must be so.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Step {
    /// A signed survey is posted, and must be taken.
    Survey(Survey),
    Do(Deed),
    /// As many surveys, each about a conversation of its own.
    Surveys(u32),
    /// A fault of the simulator's, as in its script; `about` is a conversation.
    Fault(toml::Table),
    Access(Access),
    Limits(Limits),
    /// So many calls of somebody else who shares the limit.
    Others(usize),
    /// Wall time jumps ahead, for the service and the simulator.
    Skip(wrapup::units::Span),
    /// Waits until the delivery of a survey is as told.
    Until(Until),
    /// Waits until `/readyz` answers so.
    Readyz(Readyz),
    /// Waits until a metric is there.
    Metric(Metric),
    /// Waits until so many calls of a kind were made since the start.
    Reaches(Count),
    /// All calls about a conversation, or of a kind, must be these, in this order.
    Calls(Calls),
}

/// What needs no more words.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Deed {
    /// No fault is in force any more.
    ClearFaults,
    RevokeTokens,
    /// The service ends in order and starts again.
    Restart,
    /// No call was refused by a limit, and no window held more than it allows.
    CheckLimit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Survey {
    pub(super) about: String,
    /// What later steps call it; without one, as the conversation.
    pub(super) name: Option<String>,
    pub(super) nps: i64,
    pub(super) csat: i64,
    pub(super) issue: String,
    pub(super) agent: Option<String>,
    pub(super) queue: Option<String>,
    pub(super) comment: Option<String>,
    /// The comment is said so many times.
    pub(super) times: usize,
}

impl Default for Survey {
    /// A promoter.
    fn default() -> Self {
        Self {
            about: String::new(),
            name: None,
            nps: 10,
            csat: 5,
            issue: "billing".to_owned(),
            agent: None,
            queue: None,
            comment: None,
            times: 1,
        }
    }
}

/// What the client may do from now on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Access {
    pub(super) revoke: Option<String>,
    pub(super) all: bool,
    pub(super) apps_wrap_up: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) rate: Option<Limit>,
    pub(super) quota: Option<Limit>,
    pub(super) tokens: Option<Limit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Until {
    pub(super) survey: String,
    pub(super) state: Option<State>,
    /// It has as many entries in its story, or more.
    pub(super) entries: Option<usize>,
    pub(super) class: Option<DeadClass>,
    /// A part of why it is dead.
    pub(super) reason: Option<String>,
    /// The code that was written, by name or id.
    pub(super) code: Option<String>,
    /// The name of the code that stood there before; empty: none did.
    pub(super) replaced: Option<String>,
    pub(super) attempts: Option<u32>,
    pub(super) refusals: Option<u32>,
    /// The whole story: each entry's verdict, and after `: ` a part of what it says.
    pub(super) story: Option<Vec<String>>,
    /// The story, or the reason, holds the `ININ-Correlation-Id` of the last call of this kind about it.
    pub(super) names_call: Option<Operation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Readyz {
    /// `ok` or `degraded`.
    pub(super) is: String,
    /// Parts of its reasons.
    #[serde(default)]
    pub(super) says: Vec<String>,
    /// What it answers to `?delivery=true`.
    pub(super) delivery: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Metric {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: String,
    #[serde(default)]
    pub(super) at_least: f64,
    pub(super) at_most: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Count {
    pub(super) on: Operation,
    pub(super) count: u64,
}

/// Each call is written as method, path with words for ids, what is sent, and the answer's status.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calls {
    pub(super) about: Option<String>,
    pub(super) on: Option<Operation>,
    pub(super) are: Vec<String>,
}
