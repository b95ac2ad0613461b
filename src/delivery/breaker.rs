//! The two breakers, as one gate that the dispatcher asks before it leases.
//!
//! *Outage* opens when the platform seems to be down; *credentials* when it refuses us. While either is open nothing
//! is dispatched, so that an outage never turns a backlog into dead letters. The state machines ([`outage`],
//! [`credentials`]) are pure; this file holds the lock, the wake-up and what is owed: deliveries whose attempts fed an
//! opening breaker get them back ([`Store::refund`](crate::store::Store::refund)).

mod credentials;
mod fed;
mod outage;

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::time::Instant;

pub(super) use credentials::Credentials;
use fed::Fed;
pub(super) use outage::Outage;

use super::verdict::Signal;
use crate::ids::InteractionId;
use crate::platform::{Failure, TokenFailure};
use crate::store::Refund;

/// What the dispatcher may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Open,
    /// One delivery, the newest, to try the credentials with.
    Trial,
    Held,
}

/// What the probe task has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nothing until something changes.
    Rest,
    /// Ask the platform whether it is there, at that moment.
    ProbeAt(Instant),
    /// A new token and the probe, at that moment.
    RenewAt(Instant),
}

/// Both breakers behind one lock. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// For the dispatcher.
    pass_changed: Notify,
    /// For the probe task. One listener each, so that a change while it is busy is kept for it.
    duty_changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    outage: Outage,
    credentials: Credentials,
    /// Attempts that failed in the present rows, or while a breaker has been open.
    fed: Fed,
    /// The platform has taken us for who we are.
    let_in: bool,
}

/// A breaker's name, for metrics.
pub(super) const BREAKERS: [&str; 2] = ["outage", "credentials"];

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it was held is a bug of ours; the state machines have no half-done states.
        self.0
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn pass(&self) -> Pass {
        let mut state = self.lock();
        if state.outage.is_open() {
            Pass::Held
        } else if state.credentials.is_open() {
            if state.credentials.take_trial() {
                // Whether or not it comes to anything, the next renewal is 30 s after the last.
                self.0.duty_changed.notify_one();
                Pass::Trial
            } else {
                Pass::Held
            }
        } else {
            Pass::Open
        }
    }

    /// Resolves when a breaker may have opened, closed or have a trial to give. For one listener: the dispatcher.
    pub(super) async fn pass_changed(&self) {
        self.0.pass_changed.notified().await;
    }

    /// Resolves when [`Self::duty`] may have changed. For one listener: the probe task.
    pub(super) async fn duty_changed(&self) {
        self.0.duty_changed.notified().await;
    }

    fn announce(&self) {
        self.0.pass_changed.notify_one();
        self.0.duty_changed.notify_one();
    }

    /// Tells what came of a delivery's attempt, after it was settled. Answers what is owed back now.
    pub(super) fn hear(
        &self,
        signal: &Signal,
        interaction: InteractionId,
        spent: Refund,
        trial: bool,
        now: Instant,
    ) -> Vec<Refund> {
        let mut state = self.lock();
        let was_held = state.held();
        state.hear(signal, interaction, trial, now);
        if trial && signal.feeds() {
            // Not at once: the next trial takes another delivery.
            state.credentials.tried(spent);
        } else if signal.feeds() {
            state.fed.add(spent);
        }
        let owed = if state.held() {
            state.fed.owed()
        } else if was_held {
            state.credentials.owed()
        } else {
            Vec::new()
        };
        state.tidy();
        let stirred = was_held || !matches!(signal, Signal::Alive { .. } | Signal::Silence);
        drop(state);
        if stirred {
            self.announce();
        }
        owed
    }

    /// Tells what a load of the code list brought: it is a call like others, but nobody's attempt.
    pub(super) fn hear_codes(&self, outcome: Result<(), &Failure>, now: Instant) {
        let mut state = self.lock();
        match outcome {
            Ok(()) => state.outage.answered(),
            Err(
                Failure::Token(TokenFailure::Refused { .. })
                | Failure::Unauthorized { .. }
                | Failure::Barred { .. },
            ) => {
                let reason = outcome.err().map(ToString::to_string).unwrap_or_default();
                state.credentials.refused(reason, now);
            }
            Err(_) => return,
        }
        state.tidy();
        drop(state);
        self.announce();
    }

    pub(super) fn duty(&self) -> Duty {
        let state = self.lock();
        if let Some(at) = state.outage.probe_at() {
            Duty::ProbeAt(at)
        } else if let Some(at) = state.credentials.renew_at() {
            Duty::RenewAt(at)
        } else {
            Duty::Rest
        }
    }

    /// The outage breaker's probe has come back. `chance` is in `0.0..1.0`.
    pub(super) fn probed(
        &self,
        outcome: Result<(), &Failure>,
        chance: f64,
        now: Instant,
    ) -> Vec<Refund> {
        let mut state = self.lock();
        match outcome {
            Err(
                failure @ (Failure::Unavailable { .. }
                | Failure::Token(TokenFailure::Unavailable { .. })),
            ) => {
                state.outage.probe_failed(failure.to_string(), chance, now);
            }
            // It never left: paused, or many wait. That tells nothing.
            Err(Failure::NoSlot | Failure::Token(TokenFailure::NoSlot)) => {
                state.outage.probe_again(now);
            }
            Err(
                failure @ (Failure::Token(TokenFailure::Refused { .. })
                | Failure::Unauthorized { .. }
                | Failure::Barred { .. }),
            ) => {
                state.outage.probe_answered(now);
                state.credentials.refused(failure.to_string(), now);
            }
            _ => state.outage.probe_answered(now),
        }
        let owed = if state.held() {
            state.fed.owed()
        } else {
            Vec::new()
        };
        state.tidy();
        drop(state);
        self.announce();
        owed
    }

    /// The credentials breaker's new token and probe have come back: if they passed, one delivery may be tried.
    pub(super) fn renewed(&self, outcome: Result<(), &Failure>, now: Instant) {
        let mut state = self.lock();
        let outcome = outcome.map_err(|failure| refuses(failure).then(|| failure.to_string()));
        state.credentials.renewed(outcome, now);
        drop(state);
        self.announce();
    }

    /// There was no delivery to try. Answers what is owed back if that closed the breaker or all have had their turn.
    pub(super) fn nothing_to_try(&self) -> Vec<Refund> {
        let mut state = self.lock();
        let owed = state.credentials.nothing_to_try();
        state.tidy();
        drop(state);
        self.announce();
        owed
    }

    pub(super) fn were_let_in(&self) -> bool {
        self.lock().let_in
    }

    /// Whether each of [`BREAKERS`] is open, and why.
    pub(super) fn reasons(&self) -> [Option<String>; 2] {
        let state = self.lock();
        [state.outage.reason(), state.credentials.reason()]
    }
}

/// Whether it says anything about us. Trouble of another kind leaves open whether we are refused still.
pub(super) fn refuses(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Token(TokenFailure::Refused { .. })
            | Failure::Unauthorized { .. }
            | Failure::Forbidden { .. }
            | Failure::Barred { .. }
    )
}

impl State {
    fn held(&self) -> bool {
        self.outage.is_open() || self.credentials.is_open()
    }

    /// With no row going on, and no breaker open, what failed has paid for itself.
    fn tidy(&mut self) {
        if !self.held() && self.outage.row_is_empty() && self.credentials.row_is_empty() {
            self.fed.forget();
        }
    }

    fn hear(&mut self, signal: &Signal, interaction: InteractionId, trial: bool, now: Instant) {
        match signal {
            Signal::Silence => {}
            Signal::Busy => self.outage.answered(),
            Signal::Outage { detail } => self.outage.failed(interaction, detail, now),
            Signal::Alive { wrote } => {
                self.let_in = true;
                self.outage.answered();
                self.credentials.passed(trial, *wrote, now);
            }
            Signal::Forbidden { detail } => {
                self.outage.answered();
                self.credentials.forbidden(interaction, detail, now);
            }
            Signal::Barred { detail } => {
                self.outage.answered();
                self.credentials.barred(interaction, detail, now);
            }
            Signal::Refused { detail } => {
                self.outage.answered();
                self.credentials.refused(detail.clone(), now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
