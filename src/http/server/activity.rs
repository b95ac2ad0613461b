//! What one connection is doing, and until when it may go on doing it.
//!
//! Not a timer: it only says when the time is over; [`super::connection`] waits for that moment. Kept up to date by
//! the two ends that see it: the socket (bytes come in) and the service (requests begin and end).
//!
//! hyper's own header timeout is not used because it also runs on idle kept connections, which must live longer than
//! the load balancer's idle time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{COMMIT_TIMEOUT, Limits};

/// Where a connection stands once its first bytes have come. (Before that, [`super::connection`] waits for them.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Some of a request's head came (with HTTP/2: the connection was opened, but no request came yet).
    Head,
    /// At least one request was answered, and nothing of a next one came.
    Idle,
    /// At least one request is in flight.
    Busy,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// When that began; not kept while requests are in flight.
    since: Instant,
    /// When the requests began whose response body is not dropped yet, in this order. More than one only with HTTP/2.
    in_flight: VecDeque<Instant>,
}

#[derive(Debug)]
pub(super) struct Activity {
    limits: Limits,
    state: Mutex<State>,
    /// Bytes say something about requests. Not so with HTTP/2, where PING and SETTINGS come at any time.
    bytes_are_heads: bool,
}

impl Activity {
    /// `since` is when the connection was accepted; its first bytes have been read already.
    pub(super) fn new(limits: Limits, since: Instant, bytes_are_heads: bool) -> Arc<Self> {
        Arc::new(Self {
            limits,
            bytes_are_heads,
            state: Mutex::new(State {
                phase: Phase::Head,
                since,
                in_flight: VecDeque::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics while it holds the lock, and the numbers would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came in.
    pub(super) fn read(&self) {
        if !self.bytes_are_heads {
            return;
        }
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    /// A request begins. It is in flight until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        let began = Instant::now();
        let mut state = self.state();
        state.in_flight.push_back(began);
        state.phase = Phase::Busy;
        InFlight {
            activity: Arc::clone(self),
            began,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// When this connection is closed if nothing happens until then.
    pub(super) fn deadline(&self, stopping: bool) -> Instant {
        let state = self.state();
        let limits = &self.limits;
        // Whoever never takes one answer does not gain time by asking for another.
        *state.in_flight.front().unwrap_or(&state.since)
            + match state.phase {
                Phase::Head => limits.header_timeout,
                // A client that does not read its GOAWAY must not hold up the shutdown.
                Phase::Idle if stopping => limits.header_timeout,
                Phase::Idle => limits.keep_alive,
                // A last resort: body and commit have their own timers, which answer.
                Phase::Busy => limits.request_timeout + COMMIT_TIMEOUT + limits.header_timeout,
            }
    }
}

/// One request in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    began: Instant,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        let mine = state.in_flight.iter().position(|at| *at == self.began);
        if let Some(mine) = mine {
            state.in_flight.remove(mine);
        }
        if state.in_flight.is_empty() {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits {
            max_connections: 1,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            keep_alive: Duration::from_secs(75),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_counts_from_the_moment_its_phase_began() {
        let secs = Duration::from_secs;
        let start = Instant::now();
        let one = Activity::new(limits(), start, true);
        tokio::time::advance(secs(3)).await;
        one.read();
        assert_eq!(one.deadline(false), start + secs(10), "half the first head");
        let request = one.begin();
        assert_eq!(one.deadline(false), start + secs(3 + 20 + 3 + 10), "busy");
        drop(request);
        assert_eq!(one.deadline(false), start + secs(3 + 75), "idle");
        assert_eq!(one.deadline(true), start + secs(3 + 10), "idle, stopping");
        tokio::time::advance(secs(40)).await;
        one.read();
        tokio::time::advance(secs(4)).await;
        one.read();
        assert_eq!(
            one.deadline(false),
            start + secs(43 + 10),
            "from its first byte"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_never_taken_is_not_waited_for_longer_because_others_are() {
        let secs = Duration::from_secs;
        let start = Instant::now();
        let one = Activity::new(limits(), start, false);
        let stuck = one.begin();
        for _ in 0..5 {
            tokio::time::advance(secs(3)).await;
            drop(one.begin());
        }
        assert_eq!(one.deadline(false), start + secs(20 + 3 + 10));
        let second = one.begin();
        drop(stuck);
        assert_eq!(one.deadline(false), start + secs(15 + 20 + 3 + 10));
        drop(second);
        assert_eq!(one.deadline(false), start + secs(15 + 75), "idle");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_http2_do_not_shorten_an_idle_connection() {
        let start = Instant::now();
        let one = Activity::new(limits(), start, false);
        let (first, second) = (one.begin(), one.begin());
        drop(first);
        assert_eq!(one.phase(), Phase::Busy);
        drop(second);
        one.read();
        assert_eq!(one.phase(), Phase::Idle);
        assert_eq!(one.deadline(false), start + Duration::from_secs(75));
    }
}
