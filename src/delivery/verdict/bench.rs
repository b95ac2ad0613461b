//! One report on the bench: what each failure costs, when the delivery is tried again, and when it has expired.

use std::time::Duration;

use super::{Judgement, Policy, Scene, Signal, Verdict, dead, entry};
use crate::delivery::backoff;
use crate::ids::CodeId;
use crate::platform::{Failure, Step, TokenFailure};
use crate::store::{DeadClass, Next, Progress};

/// A 404 is believed when it is seen twice, this far apart: a platform's read copy may lag.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(10);
/// No delivery expires before it had this many tries since dispatch was last held up.
const TRIES_BEFORE_EXPIRY: u32 = 3;
/// Where there is no token, a delivery is due again after about this long; a breaker opens before it hurts.
const NO_TOKEN_STEP: Duration = Duration::from_secs(2);

/// A refused delivery is due again after this: its breaker hears of it once it is settled, and only then makes it due.
const HEARD_AFTER: Duration = Duration::from_secs(1);

/// Where one report is judged.
pub(super) struct Bench<'a> {
    pub(super) scene: &'a Scene,
    pub(super) policy: &'a Policy,
    pub(super) wrote: bool,
}

impl Bench<'_> {
    pub(super) fn failed(
        &self,
        step: Step,
        failure: &Failure,
        code_id: &CodeId,
        before: &Progress,
        mut progress: Progress,
    ) -> Judgement {
        if step == Step::Confirm {
            // Whatever became of the look, the write went out.
            progress.unclear_write_at = Some(self.scene.now);
        }
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
            Failure::Unauthorized { .. } => self.refused(Some(401), failure, progress),
            Failure::Token(TokenFailure::Refused { status, .. }) => {
                self.refused(*status, failure, progress)
            }
            Failure::Forbidden { detail } => {
                let signal = Signal::Forbidden {
                    detail: detail.clone(),
                };
                self.forbidden(progress, 403, detail, signal)
            }
            Failure::Barred { status, detail } => {
                let signal = Signal::Barred {
                    detail: detail.clone(),
                };
                self.forbidden(progress, *status, detail, signal)
            }
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
                let reason = match step {
                    Step::Look | Step::Confirm => {
                        format!("the platform refused to show the interaction: {detail}")
                    }
                    Step::Write => format!("the platform refused code id {code_id}: {detail}"),
                };
                self.reject(Some(*status), reason, progress)
            }
        }
    }

    /// An attempt of its own kind. Where a breaker opens for it, it is given back.
    fn forbidden(
        &self,
        mut progress: Progress,
        status: u16,
        detail: &str,
        signal: Signal,
    ) -> Judgement {
        progress.refusals += 1;
        let since = *progress.refused_since.get_or_insert(self.scene.now);
        let others_pass = self
            .scene
            .last_success
            .is_some_and(|success| success >= since);
        if progress.refusals >= self.policy.max_attempts && others_pass {
            let reason = format!(
                "refused with {status} {} times while others passed: {detail}",
                progress.refusals
            );
            return dead(
                DeadClass::Exhausted,
                reason,
                progress,
                signal,
                Some(status),
                self.scene,
            );
        }
        let wait = backoff::forbidden(progress.refusals, self.scene.chance);
        self.retry(wait, progress, signal, Some(status), detail.to_owned())
    }

    /// A write was taken and cannot be seen. It costs an attempt only when it should have been there.
    pub(super) fn unconfirmed(
        &self,
        written_ago: Duration,
        overdue: bool,
        detail: &str,
        mut progress: Progress,
    ) -> Judgement {
        progress.unclear_write_at = Some(self.scene.now - written_ago);
        progress.looked_again = false;
        let signal = Signal::Alive { wrote: self.wrote };
        if overdue {
            progress.attempts += 1;
            progress.confirms = 0;
            let wait = backoff::retry(progress.attempts, self.scene.chance);
            let detail = format!("{detail}; it is looked for once more and then written again");
            return self.retry(wait, progress, signal, None, detail);
        }
        let wait = backoff::confirm(progress.confirms, self.scene.chance);
        progress.confirms += 1;
        self.snooze(wait, progress, None, detail.to_owned())
    }

    pub(super) fn end(
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

    pub(super) fn snooze(
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
    pub(super) fn again(
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

    /// Not this delivery's fault, and it costs nothing; but its story tells why it has no code yet.
    fn refused(&self, status: Option<u16>, failure: &Failure, progress: Progress) -> Judgement {
        let detail = failure.to_string();
        let signal = Signal::Refused {
            detail: detail.clone(),
        };
        Judgement {
            next: Next::Due(self.scene.now + HEARD_AFTER),
            entry: Some(entry(Verdict::GivenBack, status, detail, self.scene)),
            ..self.give_back(progress, signal)
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

    pub(super) fn reject(
        &self,
        status: Option<u16>,
        reason: String,
        mut progress: Progress,
    ) -> Judgement {
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
