//! Loading the book: when, how often, and what is told about it.
//!
//! Loads at start, every `refresh_every` with jitter, early when asked, and sooner after a failure. It takes no input
//! that a restart would lose: a request for a refresh only moves a load that would come anyway.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{ASKED_LOADS_APART, CodeBook, Codes, Load, Origin};
use crate::lifecycle::Lifecycle;
use crate::platform::Failure;

/// After a failed load: the first wait and the longest, doubling between.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Replicas that started together must not ask together for ever.
const JITTER: f64 = 0.1;

impl Codes {
    /// Keeps the book fresh until draining begins. `observer` hears of each load: what the code list brings tells
    /// breakers about the platform.
    pub async fn run(
        self,
        lifecycle: Lifecycle,
        observer: impl Fn(&Result<Arc<CodeBook>, Failure>) + Send + Sync,
    ) {
        loop {
            // A load is dropped half way without harm: nothing has changed until the whole list is there.
            let loaded = tokio::select! {
                biased;
                () = lifecycle.draining.cancelled() => return,
                loaded = self.load_alone() => loaded,
            };
            observer(&loaded);
            tokio::select! {
                biased;
                () = lifecycle.draining.cancelled() => return,
                () = self.next_load(jittered(self.0.config.refresh_every)) => {}
            }
        }
    }

    /// Returns when the next load is due: after `wait`, or earlier if somebody asks, and soon after a failure.
    async fn next_load(&self, wait: Duration) {
        let began = Instant::now();
        loop {
            let last = self.last();
            let ended = last.as_ref().map_or(began, |last| last.ended);
            let mut due = began + wait;
            if let Some(wait) = last.and_then(|last| retry(last.failed_in_a_row)) {
                due = due.min(ended + wait);
            }
            // A load that began after the request has answered it already.
            if self.0.wanted.load(Ordering::Acquire) {
                return sleep_until(due.min(ended + ASKED_LOADS_APART)).await;
            }
            // Both only wake; dropping either loses nothing, because what was asked for stands in `wanted`, and a load
            // that failed in `last`.
            tokio::select! {
                () = sleep_until(due) => return,
                () = self.0.asked.notified() => {}
            }
        }
    }

    async fn load_alone(&self) -> Result<Arc<CodeBook>, Failure> {
        let _flight = self.0.flight.lock().await;
        self.load().await
    }

    /// One load. The caller holds the flight.
    pub(super) async fn load(&self) -> Result<Arc<CodeBook>, Failure> {
        let inner = &self.0;
        inner.wanted.store(false, Ordering::Release);
        let outcome = inner.platform.load_codes().await.map(|codes| {
            let codes = codes.into_iter().map(|code| (code.name, code.id));
            Arc::new(CodeBook::new(codes, inner.clock.now(), Origin::Platform))
        });
        if let Ok(book) = &outcome {
            inner.book.store(Some(Arc::clone(book)));
        }
        self.tell(&outcome);
        let before = self.last().map_or(0, |last| last.failed_in_a_row);
        let failure = outcome.as_ref().err().cloned();
        *self.last_load() = Some(Load {
            ended: Instant::now(),
            failed_in_a_row: failure.as_ref().map_or(0, |_| before.saturating_add(1)),
            failure,
        });
        if let Ok(book) = &outcome {
            // Kept for a restart during an outage; this process has it in memory.
            if let Err(error) = inner.store.save_codes(book.to_saved()).await {
                tracing::warn!(%error, "the code book cannot be kept in the store");
            }
        }
        outcome
    }

    /// Metrics for each load; one line in the log for each change from good to bad and back.
    fn tell(&self, outcome: &Result<Arc<CodeBook>, Failure>) {
        let label = if outcome.is_ok() { "ok" } else { "failed" };
        self.0.refreshes.with_label_values(&[label]).inc();
        let was_good = self.last().map(|last| last.failure.is_none());
        match outcome {
            Ok(book) if was_good == Some(true) => {
                tracing::debug!(codes = book.len(), "the code book was loaded again");
            }
            Ok(book) => tracing::info!(codes = book.len(), "the code book is loaded"),
            Err(error) if was_good == Some(false) => {
                tracing::debug!(%error, "the code book still cannot be loaded");
            }
            Err(error) => {
                let in_force = self.book().map_or_else(
                    || "none".to_owned(),
                    |book| format!("of {}", book.loaded_at),
                );
                tracing::warn!(
                    %error,
                    book = in_force,
                    "the code book cannot be loaded; the last one stays, and it is tried again"
                );
            }
        }
    }
}

/// How long after the last of so many failures in a row; none where there was none.
fn retry(failed_in_a_row: u32) -> Option<Duration> {
    let doublings = failed_in_a_row.checked_sub(1)?.min(31);
    Some(
        FIRST_RETRY
            .saturating_mul(1 << doublings)
            .min(LONGEST_RETRY),
    )
}

fn jittered(span: Duration) -> Duration {
    span.mul_f64(rand::random_range(1.0 - JITTER..=1.0 + JITTER))
}
