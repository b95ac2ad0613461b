//! What delivery remembers for others: the pacer's pauses, in the store; and times that no clock step disturbs.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::clock::{Clock, UnixMs};
use crate::platform::pacer::PauseMemory;
use crate::store::Store;

/// Keeps the pacer's long pauses over a restart.
#[derive(Debug)]
pub struct StoredPause(pub Arc<dyn Store>);

#[async_trait]
impl PauseMemory for StoredPause {
    async fn remember(&self, until: UnixMs) {
        if let Err(error) = self.0.save_pause(Some(until)).await {
            // The pause holds all the same; only a restart within it would ask the platform too early, once.
            tracing::warn!(%error, "a pause of the platform could not be stored");
        }
    }
}

/// Wall time for due times, made steady: it goes forward with the wall and never back with it.
///
/// So a step back by an hour delays nothing while the process runs; what a restart finds too far ahead is pulled in.
#[derive(Debug)]
pub(super) struct Steady {
    clock: Clock,
    anchor: Mutex<(Instant, UnixMs)>,
}

impl Steady {
    pub(super) fn new(clock: Clock) -> Self {
        let anchor = Mutex::new((Instant::now(), clock.now()));
        Self { clock, anchor }
    }

    pub(super) fn now(&self) -> UnixMs {
        let mut anchor = self
            .anchor
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (since, at) = *anchor;
        let steady = at + since.elapsed();
        let wall = self.clock.now();
        if wall > steady {
            *anchor = (Instant::now(), wall);
            return wall;
        }
        steady
    }

    pub(super) fn wall(&self) -> UnixMs {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_is_not_followed_and_a_step_forward_is() {
        let clock = Clock::system();
        let steady = Steady::new(clock.clone());
        let before = steady.now();
        clock.step_ms(-3_600_000);
        assert!(steady.now() >= before);
        clock.step_ms(2 * 3_600_000);
        assert!(steady.now().0 >= before.0 + 3_599_000);
    }
}
