//! Starting to stop, and being sure that everything has: signals, two stages of cancellation, tracked tasks.
//!
//! Invariant: a task that was spawned here and ends before the service stops, by return or by panic, brings the
//! whole service down in order. A half-alive service is worse than one that its supervisor starts again.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::OnceLock;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Shared by all long-running parts of one service. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// The end is announced: `/readyz` says 503, webhooks are still taken while the load balancer notices.
    pub draining: CancellationToken,
    /// Begin nothing new: listeners close, leasing stops, waits end.
    pub closing: CancellationToken,
    /// Stop now: the grace period is over.
    pub stopped: CancellationToken,
    tracker: TaskTracker,
    failure: Arc<OnceLock<String>>,
}

impl Lifecycle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` as a part of the service, for as long as it runs. If it ends before draining began, the service drains.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let this = self.clone();
        self.tracker.spawn(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            let why = match ended {
                Err(_) => format!("task {name} panicked"),
                Ok(()) if !this.draining.is_cancelled() => format!("task {name} ended early"),
                Ok(()) => return,
            };
            tracing::error!(error = %why, "a task of the service died; shutting down");
            this.fail(why);
        });
    }

    /// Runs work that may end at any time but must be waited for at shutdown (a request in progress).
    pub fn spawn_work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tracker.spawn(work)
    }

    /// Records why the service cannot go on, and begins draining.
    pub fn fail(&self, why: String) {
        if let Err(later) = self.failure.set(why) {
            tracing::debug!(error = %later, "a further failure while shutting down");
        }
        self.draining.cancel();
    }

    /// Why the service stopped by itself, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Waits until every task has ended. Call after both tokens have been cancelled, or with a timeout.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
