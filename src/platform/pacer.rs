//! The one rate limiter that all calls to the platform pass.
//!
//! Two lanes wait for one [`Schedule`]: token, code book and probes go before deliveries. There is no task behind it:
//! whoever stands first in line keeps the timer, and when it fires hands every due moment to those in front. So a
//! pacer works wherever a call is made, in the service as in `wrapup check`.
//!
//! Invariants: a moment is taken when it is about to be used, never far ahead, so that the order of the lanes holds
//! and a pause voids nothing that was promised; a waiter that is dropped loses no slot, the next in line gets it;
//! whenever the first in line changes, the new first is woken.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{Gauge, Histogram, IntCounter};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::config::RateLimit;
use super::schedule::Schedule;
use crate::clock::{Clock, UnixMs};
use crate::metrics::{FAST_SECONDS, Registry};

mod usage;
mod waiter;

use usage::Usage;
pub(super) use usage::{Lowered, Told};
use waiter::{Step, Waiter};

/// The longest pause that is believed. A daily quota is the longest that platforms ask for.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(24);
/// Pauses up to this are not worth a write: a restart takes about as long.
const WORTH_REMEMBERING: Duration = Duration::from_secs(5);
/// Pauses from this are worth a line in the log.
const WORTH_TELLING: Duration = Duration::from_mins(1);
/// "As long as it takes": longer than any pause, short enough for every clock's arithmetic.
pub const ENDLESS_PATIENCE: Duration = Duration::from_hours(24 * 7);

/// Keeps a long pause over a restart; `delivery` implements it on the store.
#[async_trait::async_trait]
pub trait PauseMemory: Send + Sync + std::fmt::Debug + 'static {
    /// Pauses are only extended, so a later moment replaces an earlier one.
    async fn remember(&self, until: UnixMs);
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Token, code book, probes: without them no delivery gets anywhere.
    First,
    Deliveries,
}

/// There is no slot within the caller's patience: the pacer is paused, or too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no slot within the time there was")]
pub struct NoSlot;

/// Shared by every caller of one platform. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Pacer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    line: Mutex<Line>,
    /// The schedule's zero.
    origin: Instant,
    clock: Clock,
    memory: Option<Arc<dyn PauseMemory>>,
    pause_changed: Notify,
    /// The service ends.
    closing: CancellationToken,
    wait_seconds: Histogram,
    paused_seconds: Gauge,
    rate_limited: IntCounter,
}

/// Everything that changes, under one lock that is never held across an await.
#[derive(Debug)]
struct Line {
    schedule: Schedule,
    usage: Usage,
    first: VecDeque<Arc<waiter::Ticket>>,
    deliveries: VecDeque<Arc<waiter::Ticket>>,
    /// The end of the last long pause that the log has told of.
    told_until: Duration,
    /// What the memory holds; rounded up to whole seconds, so that a burst of 429s is one write.
    remembered: Option<UnixMs>,
    /// The service ends: nothing more starts.
    closed: bool,
}

impl Pacer {
    /// The first slot is one spacing away. Without a `memory` a pause ends with the process.
    pub fn new(
        limit: &RateLimit,
        clock: Clock,
        memory: Option<Arc<dyn PauseMemory>>,
        registry: &Registry,
    ) -> Self {
        Self(Arc::new(Inner {
            line: Mutex::new(Line {
                schedule: Schedule::new(limit),
                usage: Usage::new(limit),
                first: VecDeque::new(),
                deliveries: VecDeque::new(),
                told_until: Duration::ZERO,
                remembered: None,
                closed: false,
            }),
            origin: Instant::now(),
            clock,
            memory,
            pause_changed: Notify::new(),
            closing: CancellationToken::new(),
            wait_seconds: registry.histogram(
                "wrapup_pacer_wait_seconds",
                "How long calls to the platform waited for their slot.",
                FAST_SECONDS,
            ),
            paused_seconds: registry.seconds(
                "wrapup_pacer_paused_seconds",
                "How much longer no call goes to the platform, because it said so.",
            ),
            rate_limited: registry.counter(
                "wrapup_rate_limited_total",
                "Answers of the platform that said we are too fast.",
            ),
        }))
    }

    /// Waits until a call may start. Start it at once.
    ///
    /// Fails at once where the slot would lie beyond `patience`, and as soon as a pause begins that makes it so.
    /// Safe to cancel: the slot of a caller that went away goes to the next.
    pub async fn slot(&self, lane: Lane, patience: Duration) -> Result<(), NoSlot> {
        let asked = Instant::now();
        let mut waiter = Waiter::enrol(self, lane, asked, patience)?;
        loop {
            match waiter.step() {
                Step::Go => break,
                Step::TooLate => return Err(NoSlot),
                // Both are safe to cancel: a wake-up only means "look again".
                Step::WaitUntil(then) => tokio::select! {
                    () = waiter.woken() => {}
                    () = sleep_until(then) => {}
                },
            }
        }
        self.0.wait_seconds.observe(asked.elapsed().as_secs_f64());
        Ok(())
    }

    /// The platform said that we are too fast: counts it, pauses, and keeps a long pause.
    pub async fn rate_limited(&self, retry_after: Duration) {
        self.0.rate_limited.inc();
        self.pause_for(retry_after).await;
    }

    /// Heeds what an answer to a call that was sent at `sent` says of the platform's counting.
    pub(super) fn heed(&self, told: Told, sent: Instant) {
        let now = self.now();
        let sent = sent.saturating_duration_since(self.0.origin);
        let mut line = self.line();
        let lowered = line.usage.heed(told, sent, now);
        line.schedule.lower(lowered);
        // Whoever stands in front keeps a timer for a moment that may lie elsewhere now.
        line.wake_front();
    }

    /// Nothing starts within `span` from now (at most [`LONGEST_PAUSE`]). The pause holds when this is called, even if
    /// the future is dropped while the memory writes.
    pub async fn pause_for(&self, span: Duration) {
        let span = span.min(LONGEST_PAUSE);
        self.begin_pause(span);
        self.tell(span);
        if span <= WORTH_REMEMBERING {
            return;
        }
        let Some(memory) = &self.0.memory else { return };
        let until = whole_second(self.0.clock.now() + span);
        let news = {
            let mut line = self.line();
            let news = line.remembered.is_none_or(|known| until > known);
            if news {
                line.remembered = Some(until);
            }
            news
        };
        if news {
            memory.remember(until).await;
        }
    }

    /// Pauses until a moment of wall time, as [`Self::pause_for`] does.
    pub async fn pause_until(&self, until: UnixMs) {
        self.pause_for(until.since(self.0.clock.now())).await;
    }

    /// Takes up a pause that was kept by an earlier process.
    pub fn resume_from(&self, saved: UnixMs) {
        let left = saved.since(self.0.clock.now()).min(LONGEST_PAUSE);
        if left.is_zero() {
            return;
        }
        self.line().remembered = Some(saved);
        self.begin_pause(left);
        tracing::info!(until = %saved, "the platform's pause from before the restart still holds");
    }

    /// How much longer the pause lasts, if one is on.
    pub fn paused(&self) -> Option<Duration> {
        let now = self.now();
        let end = self.line().schedule.paused_until(now)?;
        Some(end.saturating_sub(now))
    }

    /// Wakes when a pause begins, grows or ends. What happens after this call and before the first poll counts, too.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + '_ {
        let begun = self.0.pause_changed.notified();
        let end = self.line().schedule.paused_until(self.now());
        async move {
            match end {
                None => begun.await,
                Some(end) => tokio::select! {
                    () = begun => {}
                    () = sleep_until(self.instant(end)) => {}
                },
            }
        }
    }

    /// How many more deliveries could start within `span`, beside all that already wait.
    pub fn room_within(&self, span: Duration) -> usize {
        let now = self.now();
        let line = self.line();
        line.schedule
            .room_within(span, now)
            .saturating_sub(line.first.len() + line.deliveries.len())
    }

    /// Between two slots.
    pub fn spacing(&self) -> Duration {
        let now = self.now();
        self.line().schedule.spacing(now)
    }

    /// Lets nothing more start, and sends everybody in line away with [`NoSlot`]: the service ends. Calls that have
    /// started are not touched.
    pub fn close(&self) {
        let mut line = self.line();
        line.closed = true;
        for ticket in line.first.iter().chain(&line.deliveries) {
            ticket.wake();
        }
        drop(line);
        self.0.closing.cancel();
    }

    /// Waits between two calls of one assignment, but not beyond [`Self::close`]. Answers whether that has not come.
    pub async fn rest(&self, span: Duration) -> bool {
        // Both are safe to cancel.
        tokio::select! {
            biased;
            () = self.0.closing.cancelled() => false,
            () = sleep(span) => true,
        }
    }

    /// Brings the gauges up to date; called before each scrape.
    pub fn refresh(&self) {
        self.0
            .paused_seconds
            .set(self.paused().unwrap_or_default().as_secs_f64());
    }

    /// One line in the log for each long pause, however many answers ask for it.
    fn tell(&self, span: Duration) {
        if span < WORTH_TELLING {
            return;
        }
        let end = self.now().saturating_add(span);
        let mut line = self.line();
        let known = end <= line.told_until.saturating_add(WORTH_TELLING);
        if !known {
            line.told_until = end;
        }
        drop(line);
        if !known {
            let pause = humantime::format_duration(Duration::from_secs(span.as_secs()));
            let until = self.0.clock.now() + span;
            tracing::warn!(%pause, %until, "the platform wants no calls for a long time (a quota?): surveys are \
                still taken, deliveries go on by themselves after that");
        }
    }

    fn begin_pause(&self, span: Duration) {
        let end = self.now().saturating_add(span);
        let mut line = self.line();
        if !line.schedule.pause_until(end) {
            return;
        }
        // Everyone looks whether the new end is within their patience.
        for ticket in line.first.iter().chain(&line.deliveries) {
            ticket.wake();
        }
        drop(line);
        self.0.pause_changed.notify_waiters();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing in there panics half way; if something did, pacing must go on all the same.
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.0.origin.elapsed()
    }

    fn instant(&self, moment: Duration) -> Instant {
        self.0
            .origin
            .checked_add(moment)
            .unwrap_or_else(|| Instant::now() + ENDLESS_PATIENCE)
    }
}

fn whole_second(moment: UnixMs) -> UnixMs {
    UnixMs(moment.0.saturating_add(999).div_euclid(1000) * 1000)
}

#[cfg(test)]
mod tests;
