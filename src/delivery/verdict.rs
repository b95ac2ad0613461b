//! The verdict table (DESIGN section 9): what a call's outcome means for a delivery. Pure.
//!
//! Nothing here waits, writes or calls. It is given what happened and what the delivery remembers, and says what is
//! written next and what the breakers should hear.

use std::time::Duration;

use super::backoff;
use crate::clock::UnixMs;
use crate::ids::CodeId;
use crate::platform::{Failure, Outcome, Report, Step, TokenFailure};
use crate::store::{DeadClass, Entry, Next, Progress};

/// A 404 is believed when it is seen twice, this far apart: a platform's read copy may lag.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(10);
/// A name is given up once successful refreshes over this long have lacked it.
const CODE_PATIENCE: Duration = Duration::from_hours(1);
/// No delivery expires before it had this many tries since dispatch was last held up.
const TRIES_BEFORE_EXPIRY: u32 = 3;
/// Where there is no token, a delivery is due again after about this long; a breaker opens before it hurts.
const NO_TOKEN_STEP: Duration = Duration::from_secs(2);

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
    /// It refuses us, beyond doubt.
    Refused { detail: String },
}

/// What becomes of the delivery.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judgement {
    pub verdict: Verdict,
    pub next: Next,
    pub progress: Progress,
    pub signal: Signal,
    /// For the story; none for a lease given back.
    pub entry: Option<Entry>,
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
        progress.written = Some(code_id.clone());
    }
    let bench = Bench {
        scene,
        policy,
        wrote: report.wrote,
    };
    match &report.outcome {
        Outcome::Assigned { event, replaced } => {
            let next = Next::Assigned {
                event: Some(event.clone()),
                code_id: code_id.clone(),
                replaced: replaced.clone(),
            };
            bench.end(Verdict::Assigned, next, progress, String::new())
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
            // The look has shown that no write arrived.
            progress.unclear_write_at = None;
            bench.snooze(wait, progress, None, format!("the interaction is {state}"))
        }
        Outcome::Failed { step, failure } => {
            bench.failed(*step, failure, code_id, before, progress)
        }
    }
}

/// Judges that the code book lacks the delivery's code. `lacked_by` is when the book that lacks it was loaded from the
/// platform; none where a refresh failed, which tells nothing.
pub(super) fn judge_unknown_code(
    before: &Progress,
    lacked_by: Option<UnixMs>,
    name: &str,
    scene: &Scene,
) -> Judgement {
    let mut progress = before.clone();
    let since =
        lacked_by.map(|loaded| (*progress.code_unknown_since.get_or_insert(loaded), loaded));
    let detail = format!("the platform lists no code named {name}");
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
    Judgement {
        verdict: Verdict::Snooze,
        next: Next::Due(scene.now + wait),
        progress,
        signal: Signal::Silence,
        entry: Some(entry(Verdict::Snooze, None, detail, scene)),
    }
}

struct Bench<'a> {
    scene: &'a Scene,
    policy: &'a Policy,
    wrote: bool,
}

impl Bench<'_> {
    fn failed(
        &self,
        step: Step,
        failure: &Failure,
        code_id: &CodeId,
        before: &Progress,
        mut progress: Progress,
    ) -> Judgement {
        match failure {
            Failure::NoSlot | Failure::Token(TokenFailure::NoSlot) => {
                self.give_back(progress, Signal::Silence)
            }
            // The pacer is paused: due at once, and let out at the pace when the pause ends.
            Failure::RateLimited { .. } | Failure::Token(TokenFailure::RateLimited { .. }) => {
                let entry = entry(Verdict::Snooze, Some(429), failure.to_string(), self.scene);
                Judgement {
                    verdict: Verdict::Snooze,
                    next: Next::Due(self.scene.now),
                    progress,
                    signal: Signal::Busy,
                    entry: Some(entry),
                }
            }
            Failure::Unavailable { status, detail } => {
                progress.attempts += 1;
                if step == Step::Write && self.wrote {
                    progress.unclear_write_at = Some(self.scene.now);
                }
                let wait = backoff::retry(progress.attempts, self.scene.chance);
                self.retry(
                    wait,
                    progress,
                    Signal::Outage {
                        detail: detail.clone(),
                    },
                    *status,
                    detail.clone(),
                )
            }
            Failure::Token(TokenFailure::Unavailable { status, detail }) => {
                let wait = backoff::spread(NO_TOKEN_STEP, self.scene.chance);
                Judgement {
                    verdict: Verdict::Retry,
                    next: Next::Due(self.scene.now + wait),
                    progress,
                    signal: Signal::Outage {
                        detail: failure.to_string(),
                    },
                    entry: Some(entry(Verdict::Retry, *status, detail.clone(), self.scene)),
                }
            }
            Failure::Unauthorized { .. } | Failure::Token(TokenFailure::Refused { .. }) => self
                .give_back(
                    progress,
                    Signal::Refused {
                        detail: failure.to_string(),
                    },
                ),
            Failure::Forbidden { detail } => self.forbidden(progress, detail),
            Failure::NotFound { .. } if !before.looked_again => {
                progress.looked_again = true;
                let detail = "404: looked for once more".to_owned();
                self.snooze(SECOND_LOOK_AFTER, progress, Some(404), detail)
            }
            Failure::NotFound { detail } => {
                let reason = format!("interaction not found ({detail})");
                self.reject(Some(404), reason, progress)
            }
            Failure::Refused { status, detail } => {
                let reason = format!("the platform refused code id {code_id}: {detail}");
                self.reject(Some(*status), reason, progress)
            }
        }
    }

    fn forbidden(&self, mut progress: Progress, detail: &str) -> Judgement {
        progress.refusals += 1;
        let since = *progress.refused_since.get_or_insert(self.scene.now);
        let signal = Signal::Forbidden {
            detail: detail.to_owned(),
        };
        let others_pass = self
            .scene
            .last_success
            .is_some_and(|success| success >= since);
        if progress.refusals >= self.policy.max_attempts && others_pass {
            let reason = format!(
                "refused with 403 {} times while others passed: {detail}",
                progress.refusals
            );
            return dead(
                DeadClass::Exhausted,
                reason,
                progress,
                signal,
                Some(403),
                self.scene,
            );
        }
        let wait = backoff::forbidden(progress.refusals, self.scene.chance);
        self.retry(wait, progress, signal, Some(403), detail.to_owned())
    }

    fn end(
        &self,
        verdict: Verdict,
        next: Next,
        mut progress: Progress,
        detail: String,
    ) -> Judgement {
        progress.unclear_write_at = None;
        let entry = entry(verdict, None, detail, self.scene);
        Judgement {
            verdict,
            next,
            progress,
            signal: Signal::Alive { wrote: self.wrote },
            entry: Some(entry),
        }
    }

    fn snooze(
        &self,
        wait: Duration,
        progress: Progress,
        status: Option<u16>,
        detail: String,
    ) -> Judgement {
        self.again(
            Verdict::Snooze,
            wait,
            progress,
            Signal::Alive { wrote: self.wrote },
            status,
            detail,
        )
    }

    fn retry(
        &self,
        wait: Duration,
        progress: Progress,
        signal: Signal,
        status: Option<u16>,
        detail: String,
    ) -> Judgement {
        self.again(Verdict::Retry, wait, progress, signal, status, detail)
    }

    /// Live again after `wait`, or expired: but only as the verdict of an attempt, and only after a fair number of them.
    fn again(
        &self,
        verdict: Verdict,
        wait: Duration,
        mut progress: Progress,
        signal: Signal,
        status: Option<u16>,
        detail: String,
    ) -> Judgement {
        if progress.tries_from == self.scene.held_until {
            progress.tries += 1;
        } else {
            progress.tries_from = self.scene.held_until;
            progress.tries = 1;
        }
        let due = self.scene.now + wait;
        if due > self.scene.accepted_at + self.policy.max_age
            && progress.tries >= TRIES_BEFORE_EXPIRY
        {
            let reason = format!("older than delivery.max_age; last: {detail}");
            return dead(
                DeadClass::Expired,
                reason,
                progress,
                signal,
                status,
                self.scene,
            );
        }
        let entry = entry(verdict, status, detail, self.scene);
        Judgement {
            verdict,
            next: Next::Due(due),
            progress,
            signal,
            entry: Some(entry),
        }
    }

    fn give_back(&self, progress: Progress, signal: Signal) -> Judgement {
        Judgement {
            verdict: Verdict::GivenBack,
            next: Next::Due(self.scene.now),
            progress,
            signal,
            entry: None,
        }
    }

    fn reject(&self, status: Option<u16>, reason: String, mut progress: Progress) -> Judgement {
        progress.unclear_write_at = None;
        dead(
            DeadClass::Rejected,
            reason,
            progress,
            Signal::Alive { wrote: self.wrote },
            status,
            self.scene,
        )
    }
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
