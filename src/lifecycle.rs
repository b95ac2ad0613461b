//! Starting to stop, and being sure that everything has: signals, two stages of cancellation, tracked tasks.
//!
//! Invariant: a task that was spawned here and ends before the service stops, by return or by panic, brings the
//! whole service down in order. A half-alive service is worse than one that its supervisor starts again.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::runtime::Handle;
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

    /// Runs `work` where it is awaited; if that future is dropped before it has ended, goes on with it as a task, like
    /// [`Self::spawn_work`]. For what must come to its end whether anybody waits or not, at no cost while somebody does.
    pub fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> SeenThrough<T> {
        SeenThrough {
            work: Some(Box::pin(work)),
            tracker: self.tracker.clone(),
        }
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

/// See [`Lifecycle::see_through`].
#[must_use = "nothing is done before it is awaited"]
pub struct SeenThrough<T: Send + 'static> {
    /// None: it has ended, or panicked.
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    tracker: TaskTracker,
}

impl<T: Send + 'static> std::fmt::Debug for SeenThrough<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeenThrough").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Future for SeenThrough<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut work = self.work.take().expect("it is not polled after its end");
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for SeenThrough<T> {
    fn drop(&mut self) {
        // Without a runtime there is nobody left to do it: the process ends.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            drop(self.tracker.spawn_on(work, &runtime));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_seen_through() {
        let lifecycle = Lifecycle::new();
        let (go, gone) = oneshot::channel::<()>();
        let (done, outcome) = oneshot::channel();
        let mut work = Box::pin(lifecycle.see_through(async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        }));
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(outcome.await, Ok(7));
        lifecycle.finished().await;
    }

    #[tokio::test]
    async fn work_that_is_awaited_ends_in_its_place() {
        let lifecycle = Lifecycle::new();
        assert_eq!(lifecycle.see_through(async { 7 }).await, 7);
        lifecycle.finished().await;
    }
}
