//! What must be done now and then: forgetting what is old, and pulling in what a stepped clock put too far ahead.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backoff;
use super::memory::Steady;
use crate::store::Store;

const PULL_IN_EVERY: Duration = Duration::from_secs(30);
/// Pulls for each purge.
const PURGE_EVERY: u32 = 20;

/// How long things are kept: `store.retention` and `store.remember`.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub retention: Duration,
    pub remember: Duration,
}

/// Runs until told to close. A failure is logged and tried again at the next turn.
pub(super) async fn run(
    store: Arc<dyn Store>,
    steady: Steady,
    keep: Keep,
    closing: CancellationToken,
) {
    let mut turn = 0_u32;
    loop {
        let now = steady.now();
        match store.pull_in(now + backoff::LONGEST, now).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(
                count,
                "the clock was stepped back: deliveries due far ahead are due now"
            ),
            Err(error) => tracing::debug!(%error, "due times could not be looked at"),
        }
        if turn.is_multiple_of(PURGE_EVERY) {
            purge(&store, &steady, keep, &closing).await;
        }
        turn = turn.wrapping_add(1);
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(PULL_IN_EVERY) => {}
        }
    }
}

async fn purge(store: &Arc<dyn Store>, steady: &Steady, keep: Keep, closing: &CancellationToken) {
    while !closing.is_cancelled() {
        let now = steady.wall();
        match store.purge(now - keep.retention, now - keep.remember).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "old deliveries could not be deleted");
                return;
            }
        }
    }
}
