//! The code book: wrap-up code names and their ids, as the platform listed them last, and what keeps it fresh.
//!
//! Not here: reading the list page by page (`platform`), and what an unknown name means for a delivery (`delivery`).
//! Invariants: a book is swapped whole, never changed; a load that fails keeps the last good book, which also outlives
//! a restart in the store; one load is on the way at any time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prometheus::{Gauge, IntCounterVec, IntGauge};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

pub use config::Config;

use crate::clock::{Clock, UnixMs};
use crate::ids::{CodeId, CodeName};
use crate::metrics::Registry;
use crate::platform::{Failure, Platform};
use crate::store::{SavedCodes, Store};

mod config;
mod refresher;

/// Loads that somebody asks for (an unknown name, a 400) are at least this far apart: a rule with a typing error
/// must not spend the platform's limit on lists of codes.
pub const ASKED_LOADS_APART: Duration = Duration::from_secs(30);
/// How long [`Codes::refresh_now`] is waited for: less than a delivery's lease.
const NOW_TAKES_AT_MOST: Duration = Duration::from_secs(10);

/// Where a book comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Platform,
    /// Kept by an earlier process: the platform has not answered since the start.
    Store,
}

/// One snapshot of all codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBook {
    codes: HashMap<CodeName, CodeId>,
    pub loaded_at: UnixMs,
    pub from: Origin,
}

impl CodeBook {
    pub fn new(
        codes: impl IntoIterator<Item = (CodeName, CodeId)>,
        loaded_at: UnixMs,
        from: Origin,
    ) -> Self {
        Self {
            codes: codes.into_iter().collect(),
            loaded_at,
            from,
        }
    }

    pub fn get(&self, name: &CodeName) -> Option<&CodeId> {
        self.codes.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&CodeName, &CodeId)> {
        self.codes.iter()
    }

    pub fn len(&self) -> usize {
        self.codes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    fn to_saved(&self) -> SavedCodes {
        let mut codes: Vec<_> = self
            .iter()
            .map(|(name, id)| (name.clone(), id.clone()))
            .collect();
        codes.sort();
        SavedCodes {
            loaded_at: self.loaded_at,
            codes,
        }
    }
}

/// The book in force and the way to a newer one. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Codes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    platform: Arc<dyn Platform>,
    store: Arc<dyn Store>,
    clock: Clock,
    book: ArcSwapOption<CodeBook>,
    /// Somebody has asked for a newer book since the last load began.
    wanted: AtomicBool,
    asked: Notify,
    /// Held by whoever is loading. When the last load ended that was made because somebody asked for it now.
    flight: tokio::sync::Mutex<Option<Instant>>,
    last: Mutex<Option<Load>>,
    count: IntGauge,
    age_seconds: Gauge,
    refreshes: IntCounterVec,
}

/// How the last load ended, and when.
#[derive(Clone, Debug)]
struct Load {
    ended: Instant,
    failure: Option<Failure>,
    /// Up to this one.
    failed_in_a_row: u32,
}

impl Codes {
    /// No book yet: [`Self::restore`] takes up the kept one, [`Self::run`] loads it.
    pub fn new(
        config: Config,
        platform: Arc<dyn Platform>,
        store: Arc<dyn Store>,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        let refreshes = registry.counters(
            "wrapup_codes_refresh_total",
            "Loads of the list of wrap-up codes.",
            &["outcome"],
        );
        for outcome in ["ok", "failed"] {
            refreshes.with_label_values(&[outcome]).reset();
        }
        Self(Arc::new(Inner {
            config,
            platform,
            store,
            clock,
            book: ArcSwapOption::empty(),
            wanted: AtomicBool::new(false),
            asked: Notify::new(),
            flight: tokio::sync::Mutex::default(),
            last: Mutex::default(),
            count: registry.gauge("wrapup_codes", "Wrap-up codes in the code book."),
            age_seconds: registry.seconds(
                "wrapup_codes_age_seconds",
                "Since the code book was loaded from the platform.",
            ),
            refreshes,
        }))
    }

    /// Takes up the book that an earlier process kept, where there is no newer one. A store that cannot be read is
    /// told in the log: the platform is asked anyway.
    pub async fn restore(&self) {
        match self.0.store.saved_codes().await {
            Ok(Some(saved)) if !saved.codes.is_empty() => {
                let book = CodeBook::new(saved.codes, saved.loaded_at, Origin::Store);
                let empty: Option<Arc<CodeBook>> = None;
                self.0.book.compare_and_swap(&empty, Some(Arc::new(book)));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the kept code book cannot be read"),
        }
    }

    /// The book in force. `None` only until the first load of a new installation.
    pub fn book(&self) -> Option<Arc<CodeBook>> {
        self.0.book.load_full()
    }

    pub fn get(&self, name: &CodeName) -> Option<CodeId> {
        self.0.book.load().as_ref()?.get(name).cloned()
    }

    /// The next load comes as early as [`ASKED_LOADS_APART`] allows. Does not wait.
    pub fn request_refresh(&self) {
        self.0.wanted.store(true, Ordering::Release);
        self.0.asked.notify_one();
    }

    /// A book that is loaded now, unless one was because of such a question less than [`ASKED_LOADS_APART`] ago; the
    /// failure, if the last load failed. One load for all who ask. [`Failure::NoSlot`] where it takes too long.
    ///
    /// A load that came by itself does not count: a code may have been made anew since, and a delivery would die of it.
    pub async fn refresh_now(&self) -> Result<Arc<CodeBook>, Failure> {
        let load = async {
            let mut last_asked = self.0.flight.lock().await;
            if last_asked.is_some_and(|ended| ended.elapsed() < ASKED_LOADS_APART) {
                return self.as_of(self.last_failure());
            }
            let loaded = self.load().await;
            *last_asked = Some(Instant::now());
            if loaded.is_err() {
                // The refresher tries again soon, whoever asks.
                self.0.asked.notify_one();
            }
            loaded
        };
        // Safe to drop half way: nothing has changed until the whole list is there.
        timeout(NOW_TAKES_AT_MOST, load)
            .await
            .unwrap_or_else(|_took_too_long| {
                self.request_refresh();
                Err(Failure::NoSlot)
            })
    }

    /// How the last load of this process failed, if it did; `None` after a good one and before the first.
    pub fn last_failure(&self) -> Option<Failure> {
        self.last()?.failure
    }

    /// Brings the gauges up to date; called before each scrape.
    pub fn refresh_metrics(&self) {
        if let Some(book) = self.book() {
            let age = self.0.clock.now().since(book.loaded_at);
            self.0.age_seconds.set(age.as_secs_f64());
            self.0
                .count
                .set(i64::try_from(book.len()).unwrap_or(i64::MAX));
        }
    }

    fn as_of(&self, failure: Option<Failure>) -> Result<Arc<CodeBook>, Failure> {
        match failure {
            Some(failure) => Err(failure),
            None => self.book().ok_or(Failure::NoSlot),
        }
    }

    fn last(&self) -> Option<Load> {
        self.last_load().clone()
    }

    fn last_load(&self) -> MutexGuard<'_, Option<Load>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
