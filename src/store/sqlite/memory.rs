//! What the writer knows of the file by heart, and when it has to read it anew.
//!
//! Invariant: within a transaction it is what the file says, whoever wrote there last.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use super::batch::Counts;
use super::recent::Recent;

/// After another process has changed the file, the tables are read through again once it has left it alone for this
/// long: a command that changes much does so in many short transactions.
const QUIET_BEFORE_SIEVING: Duration = Duration::from_secs(30);

/// What the writer knows of the file by heart.
#[derive(Debug)]
pub(super) struct Memory {
    /// A server's: it carries into the file's tables what only it knows, and sieves them.
    pub(super) carries: bool,
    /// Of the file when this was read. Another one: another process has changed the file.
    version: i64,
    recent: Option<Recent>,
    /// When the tables are to be read through. None: they have been.
    sieve_at: Option<Instant>,
}

impl Memory {
    pub(super) fn new(carries: bool) -> Self {
        Self {
            carries,
            version: 0,
            recent: None,
            sieve_at: None,
        }
    }

    /// Within a transaction: read anew where that is necessary.
    pub(super) fn recall(&mut self, db: &Connection) -> rusqlite::Result<&mut Recent> {
        let version = db
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if self.version != version {
            let first = self.version == 0;
            self.version = version;
            self.recent = None;
            let quiet = if first {
                Duration::ZERO
            } else {
                QUIET_BEFORE_SIEVING
            };
            self.sieve_at = Some(Instant::now() + quiet);
        }
        let recent = match self.recent.take() {
            Some(recent) => recent,
            None => Recent::read(db)?,
        };
        let recent = self.recent.insert(recent);
        if self.carries && self.sieve_at.is_some_and(|at| at <= Instant::now()) {
            recent.sieve(db)?;
            self.sieve_at = None;
        }
        Ok(recent)
    }

    pub(super) fn commit(&mut self, counts: &Counts) {
        if let Some(recent) = &mut self.recent {
            recent.commit(counts);
        }
    }

    pub(super) fn roll_back(&mut self) {
        if let Some(recent) = &mut self.recent {
            recent.roll_back();
        }
    }
}
