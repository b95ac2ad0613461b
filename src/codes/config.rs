//! What the code book is told: validated values, no text left to parse.

use std::time::Duration;

/// `[codes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Between two loads of the whole list, before jitter.
    pub refresh_every: Duration,
    /// Codes for each page: 1 to 500.
    pub page_size: u32,
}
