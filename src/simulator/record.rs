//! What the simulator remembers of the calls it got, for tests and integrators to ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fault::Kind;
use super::limit::Limit;
use crate::clock::UnixMs;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Token,
    Codes,
    State,
    Assign,
    /// Reading back what was assigned (conversations).
    Confirm,
    /// The codes that one participant may take (conversations).
    Allowed,
    /// A path or method that the API does not have.
    Other,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Codes => "codes",
            Self::State => "state",
            Self::Assign => "assign",
            Self::Confirm => "confirm",
            Self::Allowed => "allowed",
            Self::Other => "other",
        }
    }
}

/// One call, whatever it was. Numbered when it ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    pub number: u64,
    /// When it arrived, by the simulator's clock.
    pub at: UnixMs,
    /// When it arrived, in microseconds since the simulator's start; unlike `at` it never jumps.
    pub since_start_us: u64,
    pub operation: Operation,
    pub method: Box<str>,
    /// With the query.
    pub path: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Uuid>,
    /// None: the connection was closed without an answer, by a fault or by the caller.
    pub status: Option<u16>,
    /// Refused by a limit.
    pub limited: bool,
    /// The `ININ-Correlation-Id` of the answer (conversations).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Kind>,
}

/// One call that asked for a code to be assigned.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    pub number: u64,
    /// When it arrived, by the simulator's clock.
    pub at: UnixMs,
    /// As far as the body could be read.
    pub interaction: Option<Uuid>,
    pub code_id: Option<Uuid>,
    /// The name that the id stood for at that moment.
    pub code_name: Option<Arc<str>>,
    /// As it was sent.
    pub wrap_up_time: Option<Box<str>>,
    /// Whose wrap-up it is (conversations).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegPath>,
    /// As they were sent (conversations).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Box<str>>,
    /// It took effect: the code is on the interaction, or on its way there, whatever the caller was told. The
    /// Interaction API tells this id; the conversations API has none to tell.
    pub event_id: Option<Uuid>,
    /// What the caller was told; none: nothing.
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Kind>,
}

impl Received {
    pub fn applied(&self) -> bool {
        self.event_id.is_some()
    }
}

/// One agent's communication, as a path of the conversations API names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegPath {
    /// As it was written; it may be none that the API has.
    pub media: Box<str>,
    pub participant: Uuid,
    pub communication: Uuid,
}

/// What an assignment says, as far as it can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) code_id: Option<Uuid>,
    pub(super) code_name: Option<Arc<str>>,
    pub(super) wrap_up_time: Option<Box<str>>,
    pub(super) leg: Option<LegPath>,
    pub(super) notes: Option<Box<str>>,
}

/// Counts since the start or the last reset.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// By operation and status; `none` where no answer was given.
    pub calls: BTreeMap<Operation, BTreeMap<String, u64>>,
    /// Assignments that took effect.
    pub assigned: u64,
    pub limit: Limit,
    /// Calls refused by a limit (those of faults are not among them).
    pub limited: u64,
    /// The most calls that arrived within any one window of the limit.
    pub busiest_window: usize,
    pub tokens_issued: u64,
    pub tokens_alive: usize,
    pub interactions: usize,
    pub codes: usize,
    pub faults: usize,
    pub faults_struck: u64,
}

impl Stats {
    /// Calls of this operation, whatever came of them.
    pub fn calls_of(&self, operation: Operation) -> u64 {
        self.calls
            .get(&operation)
            .map_or(0, |by_status| by_status.values().sum())
    }

    /// Calls of this operation that were answered with this status.
    pub fn answered(&self, operation: Operation, status: u16) -> u64 {
        self.calls
            .get(&operation)
            .and_then(|by_status| by_status.get(&status.to_string()))
            .copied()
            .unwrap_or(0)
    }
}

/// Counters by operation and status, cheap to bump.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(BTreeMap<(Operation, Option<u16>), u64>);

impl Counts {
    pub(super) fn add(&mut self, operation: Operation, status: Option<StatusCode>) {
        let key = (operation, status.map(|status| status.as_u16()));
        *self.0.entry(key).or_default() += 1;
    }

    pub(super) fn table(&self) -> BTreeMap<Operation, BTreeMap<String, u64>> {
        let mut table: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((operation, status), count) in &self.0 {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            table.entry(*operation).or_default().insert(status, *count);
        }
        table
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
