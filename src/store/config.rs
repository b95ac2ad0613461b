//! What the store is told: validated values, no text left to parse.

use std::path::PathBuf;
use std::time::Duration;

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The database file. Absolute, or relative to the working directory.
    pub path: PathBuf,
    /// How long `serve` waits for another server to let go of the file.
    pub lock_wait: Duration,
    /// Live deliveries (pending and leased) beyond which new surveys are answered with 503.
    pub max_pending: u64,
    /// Unreadable surveys that are kept at most.
    pub max_quarantined: u64,
    /// How long a delivery is kept after its end.
    pub retention: Duration,
    /// How long duplicates are recognised; at least `retention`.
    pub remember: Duration,
    /// `false`: of a readable survey only the extracted fields are kept.
    pub keep_body: bool,
    /// For how long after a write of unclear outcome the platform may still let it take effect.
    pub settles_within: Duration,
}
