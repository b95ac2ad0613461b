//! What the writer does for its own sake.

use super::super::batch::{Batch, Work};
use crate::store::Error;

/// Written by a probe: large enough to need room on the disk.
const PROBE_BYTES: u32 = 16 * 1024;

/// A write for its own sake. A full disk, a lock or a mount that was made read-only is judged by this and nothing else.
pub(super) struct Probe;

impl Work for Probe {
    type Output = ();

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<(), Error>> {
        batch
            .db
            .prepare_cached(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', randomblob(?1))",
            )?
            .execute([PROBE_BYTES])?;
        Ok(Ok(()))
    }
}

/// Gets an answer when its turn comes.
pub(super) struct Nothing;

impl Work for Nothing {
    type Output = ();

    fn run(&self, _: &mut Batch<'_>) -> rusqlite::Result<Result<(), Error>> {
        Ok(Ok(()))
    }
}
