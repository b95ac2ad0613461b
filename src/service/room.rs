//! Whether the store has room for more surveys, looked at every second.
//!
//! A store that is full turns new surveys away with 503, and knows repetitions still. That is told as degraded and does
//! not close the door: what fills the store is a back office that takes nothing, so that all replicas are full at the
//! same time, and a load balancer with none of them left would tell senders nothing that is true.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::store::{self, Census, State, Store};

/// Two small reads each time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Room {
    store: Arc<dyn Store>,
    max_pending: u64,
    max_quarantined: u64,
    /// In sentences that say what to do; none while there is room.
    reasons: ArcSwap<Vec<String>>,
}

impl Room {
    pub(super) fn new(store: &Arc<dyn Store>, config: &store::Config) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            max_pending: config.max_pending,
            max_quarantined: config.max_quarantined,
            reasons: ArcSwap::default(),
        })
    }

    /// As of the last look.
    pub(super) fn reasons(&self) -> Vec<String> {
        self.reasons.load().to_vec()
    }

    /// Looks until told to close.
    pub(super) async fn watch(self: Arc<Self>, closing: CancellationToken) {
        loop {
            match self.store.census().await {
                Ok(census) => self.reasons.store(Arc::new(self.judge(&census))),
                // A store that cannot be read tells its own trouble.
                Err(error) => tracing::debug!(%error, "the store could not be counted"),
            }
            // Both are safe to cancel: they only wait.
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn judge(&self, census: &Census) -> Vec<String> {
        let mut reasons = Vec::new();
        let live = census.of(State::Pending) + census.of(State::Leased);
        if live >= self.max_pending {
            reasons.push(format!(
                "the store is full: {live} deliveries wait, the limit of store.max_pending, and new surveys are \
                 answered with 503; mend what holds deliveries up, or raise the limit if the disk allows"
            ));
        }
        let quarantined = census.of(State::Quarantined);
        if quarantined >= self.max_quarantined {
            reasons.push(format!(
                "{quarantined} surveys are quarantined, the limit of store.max_quarantined, and unreadable ones are \
                 answered with 503; mend the mapping and run `wrapup deliveries reprocess --all`, or erase them"
            ));
        }
        reasons
    }
}
