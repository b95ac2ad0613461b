//! The verdict table (DESIGN section 9): what a call's outcome means for a delivery. Pure.
//!
//! Nothing here waits, writes or calls. It is given what happened and what the delivery remembers, and says what is
//! written next and what the breakers should hear.

mod bench;

use std::time::Duration;

use bench::Bench;

use super::backoff;
use crate::clock::UnixMs;
use crate::ids::CodeId;
use crate::platform::{Failure, Outcome, Report, Step};
use crate::store::{DeadClass, Entry, Next, Progress};

/// A name is given up once successful refreshes over this long have lacked it.
const CODE_PATIENCE: Duration = Duration::from_hours(1);

/// The settings that verdicts depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub max_age: Duration,
    /// Refusals with 403 before a delivery is `exhausted`.
    pub max_attempts: u32,
}

/// What was known when the outcome came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// Steady: what dues are reckoned from.
    pub now: UnixMs,
    /// What the clock on the wall says: for the story.
    pub wall: UnixMs,
    /// Or when an operator had it tried again.
    pub accepted_at: UnixMs,
    /// The moment sent as `wrapUpTime`, if a write was made.
    pub wrap_up_time: UnixMs,
    /// When dispatch was last released from a hold (breaker, pause, no token, no book, service down).
    pub held_until: UnixMs,
    /// The last assignment that the platform took, of any delivery.
    pub last_success: Option<UnixMs>,
    /// In `0.0..1.0`.
    pub chance: f64,
}

/// The word for the story and the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Assigned,
    Kept,
    /// Decided and recorded, by `delivery.mode = "shadow"`; nothing was written.
    Shadowed,
    Snooze,
    Retry,
    Dead,
    /// The lease goes back as if nothing had happened.
    GivenBack,
}

impl Verdict {
    pub(super) const ALL: [Self; 7] = [
        Self::Assigned,
        Self::Kept,
        Self::Shadowed,
        Self::Snooze,
        Self::Retry,
        Self::Dead,
        Self::GivenBack,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Kept => "kept",
            Self::Shadowed => "shadowed",
            Self::Snooze => "snooze",
            Self::Retry => "retry",
            Self::Dead => "dead",
            Self::GivenBack => "given-back",
        }
    }
}

/// What the breakers should hear of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Nothing was learnt.
    Silence,
    /// The platform answered and took us for who we are; `wrote`: it judged a write.
    Alive { wrote: bool },
    /// The platform answered, but only to say that there are too many calls.
    Busy,
    /// It looks as if the platform were down.
    Outage { detail: String },
    /// It refuses this one, or us: several in a row tell.
    Forbidden { detail: String },
    /// It says that we may not do such a thing at all.
    Barred { detail: String },
    /// It refuses us, beyond doubt.
    Refused { detail: String },
}

impl Signal {
    /// Whether it is a failure that a breaker may answer for: what it cost is given back then.
    pub(super) fn feeds(&self) -> bool {
        match self {
            Self::Silence | Self::Alive { .. } | Self::Busy => false,
            Self::Outage { .. }
            | Self::Forbidden { .. }
            | Self::Barred { .. }
            | Self::Refused { .. } => true,
        }
    }
}

/// What becomes of the delivery.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judgement {
    pub verdict: Verdict,
    pub next: Next,
    pub progress: Progress,
    pub signal: Signal,
    /// For the story; none where there was no slot, and nothing happened.
    pub entry: Option<Entry>,
}

impl Judgement {
    /// A trial of the credentials that failed: the next one is to take another delivery. What it cost is given back when
    /// the breaker closes, and it is due then.
    pub(super) fn put_off(&mut self, now: UnixMs) {
        if self.signal.feeds()
            && let Next::Due(due) = &mut self.next
        {
            *due = (*due).max(now + backoff::LONGEST / 2);
        }
    }
}

/// Judges what came of an assignment that sent `code_id`.
pub(super) fn judge(
    report: &Report,
    code_id: &CodeId,
    before: &Progress,
    scene: &Scene,
    policy: &Policy,
) -> Judgement {
    let mut progress = before.clone();
    if report.wrote {
        progress.wrap_up_time.get_or_insert(scene.wrap_up_time);
    }
    if may_have_been_set(report) {
        progress.written = Some(code_id.clone());
    }
    let bench = Bench {
        scene,
        policy,
        wrote: report.wrote,
    };
    match &report.outcome {
        Outcome::Assigned {
            event,
            replaced,
            detail,
        } => {
            let next = Next::Assigned {
                event: event.clone(),
                code_id: code_id.clone(),
                replaced: replaced.clone(),
            };
            bench.end(Verdict::Assigned, next, progress, detail.clone())
        }
        Outcome::AlreadyAssigned => {
            let next = Next::Assigned {
                event: None,
                code_id: code_id.clone(),
                replaced: None,
            };
            bench.end(
                Verdict::Assigned,
                next,
                progress,
                "a look found the code already there".to_owned(),
            )
        }
        Outcome::Kept { found } => {
            let detail = format!("another code stands there: {found}");
            bench.end(
                Verdict::Kept,
                Next::Kept {
                    found: found.clone(),
                },
                progress,
                detail,
            )
        }
        Outcome::NotCompleted { state } => {
            let wait = backoff::not_completed(progress.snoozes, scene.chance);
            progress.snoozes += 1;
            // The look has shown that no write arrived, and that the interaction is there.
            progress.unclear_write_at = None;
            progress.looked_again = false;
            bench.snooze(wait, progress, None, format!("the interaction is {state}"))
        }
        Outcome::Unfit { reason } => bench.reject(None, reason.clone(), progress),
        Outcome::Unconfirmed {
            written_ago,
            overdue,
            detail,
        } => bench.unconfirmed(*written_ago, *overdue, detail, progress),
        Outcome::Failed { step, failure } => {
            bench.failed(*step, failure, code_id, before, progress)
        }
    }
}

/// Whether a write went out that may have taken effect: what was refused has not.
fn may_have_been_set(report: &Report) -> bool {
    report.wrote
        && match &report.outcome {
            Outcome::Assigned { .. } | Outcome::Unconfirmed { .. } => true,
            Outcome::Failed { step, failure } => match step {
                Step::Confirm => true,
                Step::Write => matches!(failure, Failure::Unavailable { .. }),
                // Of a look after a 400.
                Step::Look => false,
            },
            Outcome::AlreadyAssigned
            | Outcome::Kept { .. }
            | Outcome::NotCompleted { .. }
            | Outcome::Unfit { .. } => false,
        }
}

/// Judges that the code book lacks the delivery's code. `lacked_by` is when the book that lacks it was loaded from the
/// platform; none where a refresh failed, which tells nothing.
pub(super) fn judge_unknown_code(
    before: &Progress,
    lacked_by: Option<UnixMs>,
    name: &str,
    scene: &Scene,
    policy: &Policy,
) -> Judgement {
    let mut progress = before.clone();
    let since =
        lacked_by.map(|loaded| (*progress.code_unknown_since.get_or_insert(loaded), loaded));
    let detail = match lacked_by {
        Some(_) => format!("the platform lists no code named {name}"),
        None => format!(
            "no code named {name} is known here, and the platform's list could not be loaded to look for it"
        ),
    };
    if since.is_some_and(|(first, last)| last.since(first) >= CODE_PATIENCE) {
        return dead(
            DeadClass::UnknownCode,
            detail,
            progress,
            Signal::Silence,
            None,
            scene,
        );
    }
    let wait = backoff::code_unknown(progress.code_snoozes, scene.chance);
    progress.code_snoozes += 1;
    let bench = Bench {
        scene,
        policy,
        wrote: false,
    };
    bench.again(
        Verdict::Snooze,
        wait,
        progress,
        Signal::Silence,
        None,
        detail,
    )
}

fn dead(
    class: DeadClass,
    reason: String,
    progress: Progress,
    signal: Signal,
    status: Option<u16>,
    scene: &Scene,
) -> Judgement {
    let entry = entry(Verdict::Dead, status, reason.clone(), scene);
    Judgement {
        verdict: Verdict::Dead,
        next: Next::Dead { class, reason },
        progress,
        signal,
        entry: Some(entry),
    }
}

fn entry(verdict: Verdict, status: Option<u16>, detail: String, scene: &Scene) -> Entry {
    Entry {
        at: scene.wall,
        verdict: verdict.as_str().to_owned(),
        status,
        detail,
    }
}

#[cfg(test)]
mod tests;
