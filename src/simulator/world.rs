//! All that one simulator knows, shared by its API, its control API and its Rust handle.
//!
//! Invariant: every lock is held for one small step, never across an await, and never two at once; a call costs the
//! same however much has been recorded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::Error;
use super::assertion::Judge;
use super::book::Book;
use super::cases::{Cases, Interaction};
use super::conversations::{Access, Conversation, Held};
use super::fault::plan::Plan;
use super::fault::{BadFault, Fate, Fault};
use super::log::Log;
use super::meter::Meter;
use super::record::{Call, Counts, Received, Stats};
use super::settings::{Api, Settings};
use super::tokens::{Tokens, Worth};
use crate::clock::{Clock, UnixMs};

/// Longer spans are as good as for ever, and would overflow the clock.
const FOR_EVER: Duration = Duration::from_hours(10 * 365 * 24);

#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) judge: Judge,
    clock: Clock,
    started: Instant,
    pub(super) meter: Mutex<Meter>,
    pub(super) tokens: Mutex<Tokens>,
    pub(super) book: Mutex<Book>,
    pub(super) cases: Mutex<Cases>,
    pub(super) conversations: Mutex<Held>,
    pub(super) access: Mutex<Access>,
    pub(super) faults: Mutex<Plan>,
    pub(super) calls: Mutex<Log<Call>>,
    pub(super) received: Mutex<Log<Received>>,
    pub(super) tally: Mutex<Tally>,
    /// Told whenever something has been recorded or set.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: Counts,
    pub(super) assigned: u64,
}

/// A told interaction or code that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl World {
    /// `token_url` is what a JWT's `aud` must be.
    pub(super) fn new(settings: Settings, token_url: String) -> Result<Arc<Self>, Error> {
        let judge = Judge::new(
            &settings.public_key,
            settings.client_id.clone(),
            token_url,
            settings.clock_leeway.0,
        )
        .map_err(Error::Key)?;
        let world = Self {
            judge,
            clock: settings.clock.clone(),
            started: Instant::now(),
            meter: Mutex::new(Meter::new(&settings)),
            tokens: Mutex::new(Tokens::new(&settings)),
            book: Mutex::new(Book::default()),
            cases: Mutex::new(Cases::new(settings.max_interactions)),
            conversations: Mutex::new(Held::new(settings.max_interactions)),
            access: Mutex::new(Access::new(&settings)),
            faults: Mutex::default(),
            calls: Mutex::new(Log::new(settings.max_calls)),
            received: Mutex::new(Log::new(settings.max_received)),
            tally: Mutex::default(),
            changed: Notify::new(),
            settings,
        };
        world.play().map_err(|refused| Error::Script(refused.0))?;
        Ok(Arc::new(world))
    }

    /// Everything as at the start: what was recorded, told or issued is gone, the script holds again.
    pub(super) fn reset(&self) {
        *lock(&self.meter) = Meter::new(&self.settings);
        *lock(&self.access) = Access::new(&self.settings);
        *lock(&self.tokens) = Tokens::new(&self.settings);
        lock(&self.cases).clear();
        lock(&self.conversations).clear();
        lock(&self.faults).reset();
        lock(&self.calls).clear();
        lock(&self.received).clear();
        let mut tally = lock(&self.tally);
        tally.calls.clear();
        tally.assigned = 0;
        drop(tally);
        self.play().expect("the script was played at the start");
        self.changed.notify_waiters();
    }

    fn play(&self) -> Result<(), Refused> {
        *lock(&self.book) = Book::new(self.settings.codes.clone());
        for interaction in &self.settings.interactions {
            self.set_interaction(interaction.clone())?;
        }
        for conversation in &self.settings.conversations {
            self.set_conversation(conversation)?;
        }
        for fault in &self.settings.faults {
            let added = self.add_fault(fault.clone());
            added.map_err(|bad| Refused(bad.to_string()))?;
        }
        Ok(())
    }

    pub(super) fn add_fault(&self, fault: Fault) -> Result<u64, BadFault> {
        self.check_fault(&fault)?;
        lock(&self.faults).add(fault)
    }

    pub(super) fn check_fault(&self, fault: &Fault) -> Result<(), BadFault> {
        if fault.fate() != Fate::Once && self.settings.api == Api::Interactions {
            let text = "a write of the Interaction API is done when it is answered: `lost`, `twice` and `late` are \
                        for the conversations API";
            return Err(BadFault(text.to_owned()));
        }
        fault.check()
    }

    pub(super) fn set_conversation(&self, told: &Conversation) -> Result<(), Refused> {
        let case = told.make(self.now(), Instant::now(), |code| {
            lock(&self.book).resolve(code)
        })?;
        lock(&self.conversations)
            .set(told.id, case)
            .map_err(|full| Refused(full.to_string()))
    }

    pub(super) fn set_interaction(&self, told: Interaction) -> Result<(), Refused> {
        let code = match &told.code {
            None => None,
            Some(name) => {
                let id = lock(&self.book).resolve(name);
                Some(id.ok_or_else(|| Refused(format!("interaction: no code is called {name}")))?)
            }
        };
        lock(&self.cases)
            .set(told, code, Instant::now())
            .map_err(|full| Refused(full.to_string()))
    }

    pub(super) fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// Microseconds from the start to `at`.
    pub(super) fn since_start_us(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// A token's worth at this moment.
    pub(super) fn worth(&self, token: &str) -> Worth {
        lock(&self.tokens).worth(token, Instant::now())
    }

    pub(super) fn name_of(&self, code: Uuid) -> Option<Arc<str>> {
        lock(&self.book).name(code).map(Arc::clone)
    }

    pub(super) fn stats(&self) -> Stats {
        let (calls, assigned) = {
            let tally = lock(&self.tally);
            (tally.calls.table(), tally.assigned)
        };
        let (limit, limited, busiest_window) = {
            let meter = lock(&self.meter);
            (meter.limit(), meter.refused(), meter.busiest())
        };
        let (tokens_issued, tokens_alive) = {
            let tokens = lock(&self.tokens);
            (tokens.issued(), tokens.alive(Instant::now()))
        };
        let (faults, faults_struck) = {
            let faults = lock(&self.faults);
            (faults.armed(), faults.struck())
        };
        Stats {
            calls,
            assigned,
            limit,
            limited,
            busiest_window,
            tokens_issued,
            tokens_alive,
            interactions: lock(&self.cases).len() + lock(&self.conversations).len(),
            codes: lock(&self.book).all().len(),
            faults,
            faults_struck,
        }
    }
}

/// `by` after `now`, at most [`FOR_EVER`].
pub(super) fn later(now: Instant, by: Duration) -> Instant {
    now + by.min(FOR_EVER)
}

/// Every step under a lock leaves what it guards whole, so a panic elsewhere does not spoil it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
