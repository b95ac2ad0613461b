//! The credentials breaker: the platform refuses us: by token, by saying what we lack, or by five 403 in a row. Pure.
//!
//! While it is open, every 30 s: a new token, the probe, and if these pass one delivery, another each time. One
//! success closes it.

use std::time::Duration;

use tokio::time::Instant;

use crate::ids::InteractionId;
use crate::store::Refund;

const EVERY: Duration = Duration::from_secs(30);
/// Refusals with 403 for so many different interactions in a row are about us, not about them.
const ROW: usize = 5;
/// A write that was let in shows that we are not without the permission, but at most without it for some: for as long,
/// a refusal that names what we lack counts as one of a row.
const LET_IN_HOLDS: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(crate) struct Credentials {
    phase: Phase,
    row: Vec<InteractionId>,
    /// When a trial showed that we may write after all.
    let_in_at: Option<Instant>,
    /// What trials have cost; given back when it closes, or when all had their turn.
    tried: Vec<Refund>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Closed,
    Open {
        reason: String,
        /// Opened by refused calls, not by a refused token: only a write that the platform judged shows that it lets us write.
        by_403: bool,
        renew_at: Instant,
        trial: Trial,
    },
}

#[derive(Debug, Default, PartialEq)]
enum Trial {
    #[default]
    NotYet,
    Ready,
    Given,
}

impl Credentials {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    pub(crate) fn row_is_empty(&self) -> bool {
        self.row.is_empty()
    }

    pub(crate) fn reason(&self) -> Option<String> {
        match &self.phase {
            Phase::Closed => None,
            Phase::Open { reason, .. } => Some(format!(
                "the platform refuses this client: {reason}; deliveries wait until it is mended"
            )),
        }
    }

    pub(crate) fn renew_at(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open {
                renew_at, trial, ..
            } if *trial != Trial::Ready => Some(*renew_at),
            _ => None,
        }
    }

    /// Whether one delivery may go; it may only once for each renewal.
    pub(crate) fn take_trial(&mut self) -> bool {
        match &mut self.phase {
            Phase::Open { trial, .. } if *trial == Trial::Ready => {
                *trial = Trial::Given;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn refused(&mut self, detail: String, now: Instant) {
        match &mut self.phase {
            Phase::Closed => self.open(detail, false, now),
            Phase::Open { reason, .. } => *reason = detail,
        }
    }

    pub(crate) fn forbidden(&mut self, interaction: InteractionId, detail: &str, now: Instant) {
        if self.is_open() {
            return;
        }
        if !self.row.contains(&interaction) {
            self.row.push(interaction);
        }
        if self.row.len() >= ROW {
            self.open(
                format!("403 for {ROW} interactions in a row: {detail}"),
                true,
                now,
            );
        }
    }

    /// A call was refused for what this client may not do at all. One is enough.
    pub(crate) fn barred(&mut self, interaction: InteractionId, detail: &str, now: Instant) {
        if let Phase::Open { reason, by_403, .. } = &mut self.phase {
            detail.clone_into(reason);
            *by_403 = true;
        } else if self
            .let_in_at
            .is_some_and(|at| now.duration_since(at) < LET_IN_HOLDS)
        {
            self.forbidden(interaction, detail, now);
        } else {
            self.open(detail.to_owned(), true, now);
        }
    }

    /// A call was answered in a way that shows that we are let in; `wrote`: the platform judged a write.
    pub(crate) fn passed(&mut self, trial: bool, wrote: bool, now: Instant) {
        match &self.phase {
            Phase::Open { by_403, .. } if trial && (wrote || !by_403) => {
                if *by_403 {
                    self.let_in_at = Some(now);
                }
                self.phase = Phase::Closed;
                self.row.clear();
            }
            Phase::Closed => self.row.clear(),
            Phase::Open { .. } => {}
        }
    }

    /// An error holds the refusal; none where it could not be tried whether we are refused still.
    pub(crate) fn renewed(&mut self, outcome: Result<(), Option<String>>, now: Instant) {
        if let Phase::Open {
            reason,
            renew_at,
            trial,
            ..
        } = &mut self.phase
        {
            *renew_at = now + EVERY;
            match outcome {
                Ok(()) => *trial = Trial::Ready,
                Err(refusal) => {
                    *trial = Trial::NotYet;
                    if let Some(refusal) = refusal {
                        *reason = refusal;
                    }
                }
            }
        }
    }

    pub(crate) fn tried(&mut self, spent: Refund) {
        // As it was before its first trial, to the lease that was told of last.
        match self.tried.iter_mut().find(|it| it.seq == spent.seq) {
            Some(known) => known.fence = spent.fence,
            None => self.tried.push(spent),
        }
    }

    /// No delivery was due for the trial. If none was ever tried, token and probe must do; else all had their turn,
    /// and go round again.
    pub(crate) fn nothing_to_try(&mut self) -> Vec<Refund> {
        if self.tried.is_empty() {
            self.phase = Phase::Closed;
            self.row.clear();
        }
        std::mem::take(&mut self.tried)
    }

    pub(crate) fn owed(&mut self) -> Vec<Refund> {
        std::mem::take(&mut self.tried)
    }

    fn open(&mut self, reason: String, by_403: bool, now: Instant) {
        self.phase = Phase::Open {
            reason,
            by_403,
            renew_at: now + EVERY,
            trial: Trial::NotYet,
        };
        self.row.clear();
    }
}
