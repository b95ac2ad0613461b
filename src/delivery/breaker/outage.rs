//! The outage breaker: five failed calls in a row, from three interactions or confirmed by the code list. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::backoff;
use crate::ids::InteractionId;

/// Failed calls in a row that open it.
const ROW: usize = 5;
/// From at least so many interactions: one that always fails is its own trouble.
const INTERACTIONS: usize = 3;
const FIRST_PROBE: Duration = Duration::from_secs(1);
const LONGEST_PROBE: Duration = Duration::from_secs(30);
/// Opened again so soon, it was not over: the intervals go on growing.
const RELAPSE: Duration = Duration::from_mins(1);
/// A probe that got no slot is asked again after this.
const NO_SLOT_STEP: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Outage {
    phase: Phase,
    /// Failed calls in a row.
    row: usize,
    /// Different interactions among them; no more are kept than it takes.
    interactions: Vec<InteractionId>,
    last_detail: String,
    interval: Option<Duration>,
    closed_at: Option<Instant>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Closed,
    /// Enough failures, too few interactions: the code list decides.
    Suspect {
        probe_at: Instant,
    },
    Open {
        probe_at: Instant,
    },
}

impl Outage {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    pub(crate) fn row_is_empty(&self) -> bool {
        self.row == 0
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.is_open().then(|| {
            format!(
                "the platform does not answer ({}); deliveries wait and go on by themselves when it does",
                self.last_detail
            )
        })
    }

    pub(crate) fn probe_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Closed => None,
            Phase::Suspect { probe_at } | Phase::Open { probe_at } => Some(probe_at),
        }
    }

    /// A call failed as in an outage.
    pub(crate) fn failed(&mut self, interaction: InteractionId, detail: &str, now: Instant) {
        detail.clone_into(&mut self.last_detail);
        self.row += 1;
        if self.interactions.len() < INTERACTIONS && !self.interactions.contains(&interaction) {
            self.interactions.push(interaction);
        }
        if self.is_open() || self.row < ROW {
            return;
        }
        if self.interactions.len() >= INTERACTIONS {
            self.open(now);
        } else if matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Suspect { probe_at: now };
        }
    }

    /// A call was answered in a way that shows that the platform is there.
    pub(crate) fn answered(&mut self) {
        if !self.is_open() {
            self.phase = Phase::Closed;
            self.end_row();
        }
    }

    pub(crate) fn probe_failed(&mut self, detail: String, chance: f64, now: Instant) {
        if matches!(self.phase, Phase::Closed) {
            // An answer has ended the row while the probe was under way.
            return;
        }
        self.last_detail = detail;
        if self.is_open() {
            let grown = self
                .interval
                .map_or(FIRST_PROBE, |last| (last * 2).min(LONGEST_PROBE));
            self.interval = Some(grown);
            self.phase = Phase::Open {
                probe_at: now + backoff::spread(grown, chance),
            };
        } else {
            self.open(now);
        }
    }

    pub(crate) fn probe_answered(&mut self, now: Instant) {
        if self.is_open() {
            self.closed_at = Some(now);
        }
        self.phase = Phase::Closed;
        self.end_row();
    }

    pub(crate) fn probe_again(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Suspect { probe_at } | Phase::Open { probe_at } => {
                *probe_at = now + NO_SLOT_STEP;
            }
        }
    }

    fn open(&mut self, now: Instant) {
        let relapsed = self
            .closed_at
            .is_some_and(|closed| now.duration_since(closed) < RELAPSE);
        let interval = match self.interval {
            Some(last) if relapsed => (last * 2).min(LONGEST_PROBE),
            _ => FIRST_PROBE,
        };
        self.interval = Some(interval);
        self.phase = Phase::Open {
            probe_at: now + interval,
        };
    }

    fn end_row(&mut self) {
        self.row = 0;
        self.interactions.clear();
    }
}
