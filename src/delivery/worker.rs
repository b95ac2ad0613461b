//! One attempt of one delivery: code id, call, verdict, settlement.
//!
//! Everything that decides is elsewhere (`verdict`); everything that waits here has a limit: the platform's calls have
//! theirs, and a settlement that the store cannot take is offered again until the service is stopped, because only it
//! lets the delivery go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::breaker::Gate;
use super::config::{CheckState, Config, Mode};
use super::memory::Steady;
use super::metrics::Metrics;
use super::verdict::{self, Judgement, Policy, Scene, Verdict};
use crate::clock::UnixMs;
use crate::codes::Codes;
use crate::ids::CodeId;
use crate::platform::{Assignment, Failure, Look, Outcome, Overwrite, Platform, Report, Step};
use crate::store::{Entry, Leased, Next, Refund, Settled, Settlement, Store};

/// Between two offers of a settlement that the store could not take.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// What all attempts share.
#[derive(Debug)]
pub(super) struct Worker {
    pub store: Arc<dyn Store>,
    pub platform: Arc<dyn Platform>,
    pub codes: Codes,
    pub gate: Gate,
    pub config: Config,
    pub steady: Steady,
    pub metrics: Metrics,
    /// When dispatch was last released from a hold.
    pub held_until: AtomicI64,
    /// When the platform last took an assignment; 0: not yet.
    pub last_success: AtomicI64,
    /// The grace period is over: calls on the wire are given up; the next start voids their leases.
    pub stopped: CancellationToken,
}

impl Worker {
    /// Brings one leased delivery to its settlement. `trial`: it tries the credentials out.
    pub(super) async fn attempt(&self, leased: Leased, trial: bool) {
        let started = Instant::now();
        let judged = tokio::select! {
            judged = self.judge(&leased, started) => judged,
            () = self.stopped.cancelled() => return,
        };
        let mut judged = judged;
        if trial {
            judged.put_off(self.steady.now());
        }
        let Some(settled) = self.settle(&leased, &judged).await else {
            return;
        };
        self.tell(&leased, &judged, settled);
        let spent = Refund {
            seq: leased.seq,
            fence: leased.fence,
            progress: leased.progress.clone(),
        };
        let owed = self.gate.hear(
            &judged.signal,
            leased.interaction,
            spent,
            trial,
            Instant::now(),
        );
        self.refund(owed).await;
    }

    /// Gives back what breakers owe. A failure is logged: the attempt then counts, and nothing else is lost.
    pub(super) async fn refund(&self, owed: Vec<Refund>) {
        if owed.is_empty() {
            return;
        }
        if let Err(error) = self.store.refund(owed, self.steady.wall()).await {
            tracing::warn!(%error, "attempts could not be given back");
        }
    }

    fn scene(&self, leased: &Leased) -> Scene {
        let success = self.last_success.load(Ordering::Relaxed);
        Scene {
            now: self.steady.now(),
            wall: self.steady.wall(),
            accepted_at: leased.progress.again_at.unwrap_or(leased.accepted_at),
            wrap_up_time: leased.progress.wrap_up_time.unwrap_or(leased.leased_at),
            held_until: UnixMs(self.held_until.load(Ordering::Relaxed)),
            last_success: (success > 0).then_some(UnixMs(success)),
            chance: rand::random(),
        }
    }

    async fn judge(&self, leased: &Leased, started: Instant) -> Judgement {
        let known = self
            .codes
            .book()
            .and_then(|book| book.get(&leased.code).cloned());
        if self.config.mode == Mode::Shadow {
            return self.shadow(leased, known);
        }
        let Some(code_id) = known else {
            return self.unknown_code(leased, started).await;
        };
        self.assign(leased, code_id, started).await
    }

    fn policy(&self) -> Policy {
        Policy {
            max_age: self.config.max_age,
            max_attempts: self.config.max_attempts,
        }
    }

    async fn unknown_code(&self, leased: &Leased, started: Instant) -> Judgement {
        let lacked_by = match self.codes.refresh_now().await {
            Ok(book) => match book.get(&leased.code).cloned() {
                Some(code_id) => return self.assign(leased, code_id, started).await,
                None => Some(book.loaded_at),
            },
            Err(_) => None,
        };
        verdict::judge_unknown_code(
            &leased.progress,
            lacked_by,
            leased.code.as_str(),
            &self.scene(leased),
            &self.policy(),
        )
    }

    async fn assign(&self, leased: &Leased, code_id: CodeId, started: Instant) -> Judgement {
        let policy = self.policy();
        let mut progress = leased.progress.clone();
        progress.code_unknown_since = None;
        let Ok(ours) = self.ours(leased).await else {
            return give_back(leased, &self.scene(leased), &policy);
        };
        let Ok(answers) = self.answers(leased).await else {
            return give_back(leased, &self.scene(leased), &policy);
        };
        let now = self.steady.now();
        let mut assignment = Assignment {
            interaction: leased.interaction,
            code_id,
            code: leased.code.clone(),
            rule: leased.rule.clone(),
            answers,
            wrap_up_time: progress.wrap_up_time.unwrap_or(leased.leased_at),
            look: self.look(leased),
            overwrite: self.config.overwrite,
            ours,
            written_ago: progress.unclear_write_at.map(|at| now.since(at)),
            lease_ends: started + self.config.lease,
        };
        let mut report = self.platform.assign(&assignment).await;
        if is_400_to_a_write(&report)
            && let Ok(book) = self.codes.refresh_now().await
            && let Some(other) = book
                .get(&leased.code)
                .filter(|id| **id != assignment.code_id)
        {
            // The code was made anew under the same name since the book was loaded.
            assignment.code_id = other.clone();
            assignment.look = Look::No;
            report = self.platform.assign(&assignment).await;
        }
        verdict::judge(
            &report,
            &assignment.code_id,
            &progress,
            &self.scene(leased),
            &policy,
        )
    }

    fn look(&self, leased: &Leased) -> Look {
        let progress = &leased.progress;
        if progress.unclear_write_at.is_some() || progress.wrap_up_time.is_some() {
            Look::Now
        } else if self.config.check_state == CheckState::Always {
            Look::Usual
        } else {
            Look::No
        }
    }

    /// The survey's fields, where the platform has a use for them.
    async fn answers(
        &self,
        leased: &Leased,
    ) -> Result<serde_json::Map<String, serde_json::Value>, crate::store::Error> {
        if !self.platform.wants_answers() {
            return Ok(serde_json::Map::new());
        }
        let fields = self.store.fields(leased.seq).await?;
        // What the store holds was written by us; should it ever not be an object, the code is worth more than a note.
        Ok(fields
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    async fn ours(&self, leased: &Leased) -> Result<Vec<CodeId>, crate::store::Error> {
        match self.config.overwrite {
            Overwrite::Always => Ok(Vec::new()),
            Overwrite::IfEmpty => self.store.last_written(leased.interaction).await,
        }
    }

    fn shadow(&self, leased: &Leased, code_id: Option<CodeId>) -> Judgement {
        let detail = match &code_id {
            Some(id) => format!("would have assigned code id {id}"),
            None if self.codes.book().is_none() => {
                "would have assigned a code; no code book has been loaded yet, so its id is not known".to_owned()
            }
            None => "would have assigned a code that the book does not hold now".to_owned(),
        };
        let at = self.steady.wall();
        Judgement {
            verdict: Verdict::Shadowed,
            next: Next::Shadowed { code_id },
            progress: leased.progress.clone(),
            signal: verdict::Signal::Silence,
            entry: Some(Entry {
                at,
                verdict: Verdict::Shadowed.as_str().to_owned(),
                status: None,
                detail,
            }),
        }
    }

    /// Writes the verdict down. None: the service was stopped first; the next start voids the lease.
    async fn settle(&self, leased: &Leased, judged: &Judgement) -> Option<Settled> {
        let mut progress = judged.progress.clone();
        let unclear = progress.unclear_write_at;
        let landing = unclear.map(|at| at + self.platform.settles_within());
        progress.lands_until = progress.lands_until.max(landing);
        let now = self.steady.now();
        let settlement = Settlement {
            seq: leased.seq,
            interaction: leased.interaction,
            fence: leased.fence,
            at: self.steady.wall(),
            next: judged.next.clone(),
            sibling_waits_until: progress.lands_until.filter(|until| *until > now),
            progress,
            entry: judged.entry.clone(),
        };
        let mut complained = false;
        loop {
            match self.store.settle(settlement.clone()).await {
                Ok(settled) => return Some(settled),
                Err(error) if !complained => {
                    complained = true;
                    tracing::error!(delivery.id = %leased.id, %error, "a verdict cannot be stored; it is offered again every second");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(SETTLE_AGAIN) => {}
                () = self.stopped.cancelled() => return None,
            }
        }
    }

    fn tell(&self, leased: &Leased, judged: &Judgement, settled: Settled) {
        self.metrics
            .verdicts
            .with_label_values(&[judged.verdict.as_str()])
            .inc();
        if settled == Settled::Fenced {
            tracing::warn!(delivery.id = %leased.id, interaction.id = %leased.interaction,
                "a verdict came after its lease had ended; nothing was changed");
            return;
        }
        let attempt = judged.progress.spent();
        let told = judged
            .entry
            .as_ref()
            .map_or("", |entry| entry.detail.as_str());
        match &judged.next {
            Next::Assigned { code_id, .. } => {
                let wall = self.steady.wall();
                self.last_success
                    .store(self.steady.now().0, Ordering::Relaxed);
                self.metrics
                    .duration
                    .observe(wall.since(leased.accepted_at).as_secs_f64());
                tracing::info!(source = %leased.source, delivery.id = %leased.id, interaction.id = %leased.interaction,
                    rule = %leased.rule, code.name = %leased.code, code.id = %code_id, attempt, "assigned");
            }
            Next::Dead { class, reason } => {
                self.metrics.dead.with_label_values(&[class.as_str()]).inc();
                // An end like the others; who has to look is told by an alert on the metric.
                tracing::info!(source = %leased.source, delivery.id = %leased.id, interaction.id = %leased.interaction,
                    rule = %leased.rule, code.name = %leased.code, attempt, class = class.as_str(), error = %reason, "dead");
            }
            Next::Kept { .. } | Next::Shadowed { .. } => {
                tracing::info!(source = %leased.source, delivery.id = %leased.id, interaction.id = %leased.interaction,
                    rule = %leased.rule, code.name = %leased.code, "{}: {told}", judged.verdict.as_str());
            }
            Next::Due(_) if settled == Settled::Superseded => {
                tracing::info!(source = %leased.source, delivery.id = %leased.id, interaction.id = %leased.interaction,
                    rule = %leased.rule, code.name = %leased.code, "superseded by a later survey");
            }
            Next::Due(due) => {
                tracing::debug!(delivery.id = %leased.id, interaction.id = %leased.interaction, attempt,
                    http.status = judged.entry.as_ref().and_then(|entry| entry.status), due = %due, "{}: {told}", judged.verdict.as_str());
            }
        }
    }
}

fn is_400_to_a_write(report: &Report) -> bool {
    matches!(
        report.outcome,
        Outcome::Failed {
            step: Step::Write,
            failure: Failure::Refused { status: 400, .. }
        }
    )
}

fn give_back(leased: &Leased, scene: &Scene, policy: &Policy) -> Judgement {
    let outcome = Outcome::Failed {
        step: Step::Look,
        failure: Failure::NoSlot,
    };
    verdict::judge(
        &Report {
            outcome,
            wrote: false,
        },
        &CodeId::from(""),
        &leased.progress,
        scene,
        policy,
    )
}
