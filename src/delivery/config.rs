//! What delivery is told: validated values, no text left to parse.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::platform::Overwrite;
use crate::store::Repeat;

/// `[delivery]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Deliveries in work at the same time at most.
    pub workers: usize,
    /// At least four times `platform.request_timeout` and 10 s.
    pub lease: Duration,
    /// From acceptance; what would fall due later is dead, `expired`.
    pub max_age: Duration,
    /// Only for refusals that concern this delivery (403).
    pub max_attempts: u32,
    pub check_state: CheckState,
    pub overwrite: Overwrite,
    pub repeat: Repeat,
    pub mode: Mode,
}

/// When the interaction is looked at before it is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    #[default]
    Always,
    /// Only before a write is repeated.
    Repeats,
}

/// Whether codes are written to the platform at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Live,
    /// Decide and record, never write.
    Shadow,
}
