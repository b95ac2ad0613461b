//! Where a delivery stands, why it died, and which of several surveys wins.

use serde::{Deserialize, Serialize};

/// Which of several surveys for one interaction wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repeat {
    #[default]
    Last,
    First,
}

/// Where a delivery stands. `Pending` and `Leased` are live, the others are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Pending,
    Leased,
    Assigned,
    Ignored,
    Superseded,
    Kept,
    Shadowed,
    Quarantined,
    Dead,
}

impl State {
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Leased,
        Self::Assigned,
        Self::Ignored,
        Self::Superseded,
        Self::Kept,
        Self::Shadowed,
        Self::Quarantined,
        Self::Dead,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Assigned => "assigned",
            Self::Ignored => "ignored",
            Self::Superseded => "superseded",
            Self::Kept => "kept",
            Self::Shadowed => "shadowed",
            Self::Quarantined => "quarantined",
            Self::Dead => "dead",
        }
    }
}

/// Why a delivery is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadClass {
    /// The platform refused this one.
    Rejected,
    /// Successful refreshes of the code book over an hour lacked the name.
    UnknownCode,
    /// Refused with 403 `max_attempts` times while others succeeded.
    Exhausted,
    /// Older than `max_age`.
    Expired,
}

impl DeadClass {
    pub const ALL: [Self; 4] = [
        Self::Rejected,
        Self::UnknownCode,
        Self::Exhausted,
        Self::Expired,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::UnknownCode => "unknown-code",
            Self::Exhausted => "exhausted",
            Self::Expired => "expired",
        }
    }
}
