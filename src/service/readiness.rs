//! What `/readyz` says: can webhooks be taken, and is what they bring delivered?
//!
//! Two different questions. Only the first may close the door; trouble with the platform after a good start, and a store
//! that it has filled, are told as degraded, because a load balancer must not turn surveys away when the back office is
//! shut.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::BackOffice;
use super::room::Room;
use crate::clock::Clock;
use crate::codes::Origin;
use crate::delivery::Mode;
use crate::http::{Readiness, Report};
use crate::lifecycle::Lifecycle;
use crate::store::Store;

/// A pause shorter than this is everyday pacing, not trouble.
const PAUSE_WORTH_TELLING: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) lifecycle: Lifecycle,
    pub(super) store: Arc<dyn Store>,
    pub(super) back: BackOffice,
    pub(super) clock: Clock,
    pub(super) mode: Mode,
    /// The book is stale when it is older than this.
    pub(super) book_stale_after: Duration,
    /// The last reload of the rules failed.
    pub(super) rules_trouble: Arc<ArcSwapOption<String>>,
    pub(super) room: Arc<Room>,
}

impl Readiness for Facts {
    fn report(&self) -> Report {
        let mut blocking = Vec::new();
        if self.lifecycle.draining.is_cancelled() {
            blocking.push("shutting down".to_owned());
        }
        if let Err(reason) = self.store.health() {
            blocking.push(reason);
        }
        let [outage, credentials] = self.back.breakers.reasons();
        let book = self.back.codes.book();
        let mut delivery = Vec::new();
        if book.is_none() {
            delivery.push(
                "no code book yet, neither from the platform nor from the store: it is asked for again and again; \
                 see the log for what the platform answers"
                    .to_owned(),
            );
        }
        delivery.extend(credentials);
        // Neither is taken back. With a kept book and before any answer nothing is known: open, but not for good.
        let started = book.is_some_and(|book| book.from == Origin::Platform)
            || self.back.breakers.were_let_in();
        let mut degraded = Vec::new();
        if started || self.mode == Mode::Shadow {
            degraded.append(&mut delivery);
        } else {
            blocking.append(&mut delivery);
        }
        degraded.extend(outage);
        degraded.extend(self.paused());
        degraded.extend(self.stale_book());
        degraded.extend(self.rules_trouble.load().as_deref().cloned());
        degraded.extend(self.room.reasons());
        Report { blocking, degraded }
    }
}

impl Facts {
    fn paused(&self) -> Option<String> {
        let left = self
            .back
            .pacer
            .paused()
            .filter(|left| *left > PAUSE_WORTH_TELLING)?;
        let left = humantime::format_duration(Duration::from_secs(left.as_secs()));
        Some(format!(
            "the platform asked for a pause of calls: {left} left; deliveries go on by themselves then"
        ))
    }

    fn stale_book(&self) -> Option<String> {
        let book = self.back.codes.book()?;
        let age = self.clock.now().since(book.loaded_at);
        (age > self.book_stale_after).then(|| {
            let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
            format!("the code book is {age} old: its refresh fails; see the log for what the platform answers")
        })
    }
}
