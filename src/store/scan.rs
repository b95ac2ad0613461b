//! What was decided on stored surveys, for whoever would decide again: read piece by piece, and never written.

use super::State;
use crate::clock::UnixMs;
use crate::ids::{CodeName, DeliveryId, RuleName, SourceName};

/// Surveys that one piece looks at, whatever was asked for: some milliseconds of reading.
pub const SCAN_MOST: usize = 1_000;

/// A stored survey and what was decided when it was accepted.
#[derive(Clone, Debug)]
pub struct Decided {
    pub id: DeliveryId,
    pub source: SourceName,
    pub accepted_at: UnixMs,
    pub state: State,
    /// A JSON object. None: it could not be read, so nothing was decided; or its fields are no longer kept.
    pub fields: Option<String>,
    /// None: no rule matched.
    pub rule: Option<RuleName>,
    /// None: ignored.
    pub code: Option<CodeName>,
}

/// A piece of a scan.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Those that were accepted at the moment that was asked for, or later, in order of acceptance. None may be among
    /// those looked at.
    pub surveys: Vec<Decided>,
    /// How many were looked at.
    pub looked_at: usize,
    /// The number to go on after. None: this was the last piece.
    pub after: Option<i64>,
}
