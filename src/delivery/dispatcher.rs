//! Leases what is due to a bounded pool of workers.
//!
//! Invariant: nothing is leased into a hold (breaker, pause, no code book) or further ahead than the pacer lets start
//! within a second; never more deliveries are in hand than `delivery.workers`.
//! It wakes on acceptance, on a worker's end, on the next due time, and scans every second besides: a command-line
//! tool may have changed something, and a lost wake-up must not matter.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::breaker::{BREAKERS, Pass};
use super::config::Mode;
use super::worker::Worker;
use crate::clock::UnixMs;
use crate::lifecycle::Lifecycle;
use crate::platform::pacer::Pacer;
use crate::store::LeaseAsk;

const SCAN_EVERY: Duration = Duration::from_secs(1);
/// A delivery is leased only when a slot is due within this.
const SLOT_WITHIN: Duration = Duration::from_secs(1);
/// Where the pace leaves no room, it is looked for again after this.
const ROOM_AGAIN: Duration = Duration::from_millis(20);

/// The dispatcher and the workers it feeds.
#[derive(Debug)]
pub(super) struct Dispatcher {
    pub worker: Arc<Worker>,
    pub pacer: Pacer,
    /// Notified when something was accepted.
    pub wake: Arc<Notify>,
    /// Stop leasing.
    pub closing: CancellationToken,
    pub lifecycle: Lifecycle,
    /// Dispatch was held at the last look.
    pub held: bool,
    /// Which of [`BREAKERS`] were open at the last look.
    pub open: [bool; 2],
}

enum Plan {
    Lease { limit: usize, trial: bool },
    Wait(Duration),
}

impl Dispatcher {
    /// Runs until told to close, then waits for the attempts in hand.
    pub(super) async fn run(mut self) {
        self.worker
            .metrics
            .workers
            .set(i64::try_from(self.worker.config.workers).unwrap_or(i64::MAX));
        let mut attempts = JoinSet::new();
        while !self.closing.is_cancelled() {
            while let Some(ended) = attempts.try_join_next() {
                self.check(ended);
            }
            let wait = match self.plan(attempts.len()) {
                Plan::Wait(wait) => wait,
                Plan::Lease { limit, trial } => match self.lease(limit, trial, &mut attempts).await
                {
                    // More may be due: look again at once.
                    None => continue,
                    Some(wait) => wait,
                },
            };
            self.note_busy(&attempts);
            self.wait(wait, &mut attempts).await;
        }
        // Who waits for a slot gives its lease back; who is on the wire goes on.
        self.pacer.close();
        while let Some(ended) = attempts.join_next().await {
            self.check(ended);
            self.note_busy(&attempts);
        }
    }

    /// The metric, and a line in the log for each change.
    fn tell_breakers(&mut self) {
        let now = BREAKERS.iter().zip(self.worker.gate.reasons());
        for ((breaker, reason), was_open) in now.zip(&mut self.open) {
            self.worker
                .metrics
                .breaker_open
                .with_label_values(&[breaker])
                .set(i64::from(reason.is_some()));
            match reason {
                Some(error) if !*was_open => tracing::warn!(breaker, error, "a breaker opened"),
                None if *was_open => tracing::info!(breaker, "a breaker closed"),
                _ => continue,
            }
            *was_open = !*was_open;
        }
    }

    fn plan(&mut self, in_hand: usize) -> Plan {
        let no_book = self.worker.config.mode == Mode::Live && self.worker.codes.book().is_none();
        let paused = self.pacer.paused().is_some_and(|left| left > SLOT_WITHIN);
        // Not asked where nothing could go: a trial is given once.
        let pass = if no_book || paused {
            Pass::Held
        } else {
            self.worker.gate.pass()
        };
        self.tell_breakers();
        let held = pass == Pass::Held;
        if self.held && !held {
            self.worker
                .held_until
                .store(self.worker.steady.now().0, Ordering::Relaxed);
        }
        self.held = held;
        if held {
            return Plan::Wait(SCAN_EVERY);
        }
        let idle = self.worker.config.workers.saturating_sub(in_hand);
        let room = self.pacer.room_within(SLOT_WITHIN);
        match (idle.min(room), pass) {
            (_, Pass::Trial) => Plan::Lease {
                limit: 1,
                trial: true,
            },
            (0, _) => Plan::Wait(if idle == 0 { SCAN_EVERY } else { ROOM_AGAIN }),
            (limit, _) => Plan::Lease {
                limit,
                trial: false,
            },
        }
    }

    /// Leases and hands out. Answers how long to wait, or none where a full lease suggests more.
    async fn lease(
        &self,
        limit: usize,
        trial: bool,
        attempts: &mut JoinSet<()>,
    ) -> Option<Duration> {
        let worker = &self.worker;
        let due_by = worker.steady.now();
        let ask = LeaseAsk {
            due_by,
            now: worker.steady.wall(),
            limit,
            newest_first: trial,
        };
        let answer = match worker.store.lease(ask).await {
            Ok(answer) => answer,
            Err(error) => {
                // The store tells its own trouble; here it is only waited out.
                tracing::debug!(%error, "nothing can be leased");
                return Some(SCAN_EVERY);
            }
        };
        if trial && answer.leased.is_empty() {
            let owed = worker.gate.nothing_to_try();
            worker.refund(owed).await;
        }
        let full = answer.leased.len() == limit;
        for leased in answer.leased {
            let worker = Arc::clone(worker);
            attempts.spawn(async move { worker.attempt(leased, trial).await });
        }
        if full {
            None
        } else {
            Some(until(answer.next_due, due_by))
        }
    }

    /// All of these are cancel-safe: they only wait.
    async fn wait(&self, wait: Duration, attempts: &mut JoinSet<()>) {
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = self.wake.notified() => {}
            () = self.worker.gate.pass_changed() => {}
            () = self.pacer.changed() => {}
            Some(ended) = attempts.join_next() => self.check(ended),
            () = tokio::time::sleep(wait) => {}
        }
    }

    fn check(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended {
            self.lifecycle.fail(format!("a worker died: {error}"));
        }
    }

    fn note_busy(&self, attempts: &JoinSet<()>) {
        self.worker
            .metrics
            .workers_busy
            .set(i64::try_from(attempts.len()).unwrap_or(i64::MAX));
    }
}

fn until(next_due: Option<UnixMs>, now: UnixMs) -> Duration {
    // At least a millisecond: what is due this instant was just looked for.
    next_due.map_or(SCAN_EVERY, |due| {
        due.since(now).clamp(Duration::from_millis(1), SCAN_EVERY)
    })
}
