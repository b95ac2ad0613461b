//! From an accepted survey to the code on the interaction: dispatcher, workers, verdicts, breakers.
//!
//! Reading order: [`dispatcher`] decides when and how many, [`worker`] makes one attempt, [`verdict`] says what it
//! means, [`breaker`] holds everything up while the platform is down or refuses us.
//! Invariant: whatever the dispatcher leases is settled exactly once or given back; what a crash leaves leased is
//! voided at the next start.

mod backoff;
mod breaker;
mod config;
mod dispatcher;
mod housekeeping;
mod memory;
mod metrics;
mod probe;
mod verdict;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use tokio::sync::Notify;

pub use config::{CheckState, Config, Mode};
pub use housekeeping::Keep;
pub use memory::StoredPause;

use crate::clock::Clock;
use crate::codes::Codes;
use crate::lifecycle::Lifecycle;
use crate::metrics::Registry;
use crate::platform::pacer::Pacer;
use crate::platform::{Failure, Platform};
use crate::store::Store;
use breaker::Gate;
use dispatcher::Dispatcher;
use memory::Steady;
use worker::Worker;

/// What delivery is made of.
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub keep: Keep,
    pub store: Arc<dyn Store>,
    pub platform: Arc<dyn Platform>,
    pub codes: Codes,
    pub pacer: Pacer,
    pub clock: Clock,
    /// Notified when something was accepted.
    pub wake: Arc<Notify>,
}

/// The breakers, as others see them: they hear what the code list brings, and say what is held up and why.
/// Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Breakers(Gate);

impl Breakers {
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells what a load of the code list brought.
    pub fn hear_codes(&self, outcome: Result<(), &Failure>) {
        self.0.hear_codes(outcome, tokio::time::Instant::now());
    }

    /// Why nothing is delivered now, if nothing is: outage, then credentials.
    pub fn reasons(&self) -> [Option<String>; 2] {
        self.0.reasons()
    }

    /// Whether the platform has taken us for who we are, once since the start.
    pub fn were_let_in(&self) -> bool {
        self.0.were_let_in()
    }
}

/// Starts dispatcher, probe task and housekeeping as parts of the service.
pub fn start(parts: Parts, breakers: &Breakers, lifecycle: &Lifecycle, registry: &Registry) {
    let housekeeping = housekeeping::run(
        Arc::clone(&parts.store),
        Steady::new(parts.clock.clone()),
        parts.keep,
        lifecycle.closing.clone(),
    );
    let worker = Arc::new(Worker {
        store: parts.store,
        platform: parts.platform,
        codes: parts.codes,
        gate: breakers.0.clone(),
        config: parts.config,
        steady: Steady::new(parts.clock),
        metrics: metrics::Metrics::new(registry),
        held_until: AtomicI64::new(0),
        last_success: AtomicI64::new(0),
        stopped: lifecycle.stopped.clone(),
    });
    let dispatcher = Dispatcher {
        worker: Arc::clone(&worker),
        pacer: parts.pacer,
        wake: parts.wake,
        closing: lifecycle.closing.clone(),
        lifecycle: lifecycle.clone(),
        // The service was down until now: that is a hold that ends with the first look.
        held: true,
        open: [false; 2],
    };
    lifecycle.spawn("dispatcher", dispatcher.run());
    lifecycle.spawn("probe", probe::run(worker, lifecycle.closing.clone()));
    lifecycle.spawn("housekeeping", housekeeping);
}
