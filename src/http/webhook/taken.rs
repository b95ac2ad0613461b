//! Authentic surveys on their way into the store.
//!
//! Everything in here runs to its end whether the client waits or not. The store is given [`COMMIT_TIMEOUT`]; what it
//! commits later is committed all the same, and the sender's next try is then a duplicate.

use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

use super::super::problem::{Kind, Problem};
use super::super::server::COMMIT_TIMEOUT;
use super::Desk;
use super::answer::{self, PLAIN, Told};
use super::meter::Outcome;
use crate::clock::UnixMs;
use crate::ids::{CodeName, DeliveryId, InteractionId, RuleName};
use crate::intake::{self, Reading, Source, Unreadable};
use crate::rules::RuleSet;
use crate::store::{self, Content, NewDelivery, Receipt};

/// The surveys of one body: what the store gets, and what the answer needs once the store has it.
#[derive(Debug)]
pub(super) struct Taken {
    deliveries: Vec<NewDelivery>,
    fates: Vec<Fate>,
}

#[derive(Debug)]
enum Fate {
    Decided {
        interaction: InteractionId,
        rule: Option<RuleName>,
        code: Option<CodeName>,
    },
    Unreadable {
        kind: Unreadable,
        /// A JSON array, as it is kept.
        problems: Box<RawValue>,
    },
}

impl Taken {
    pub(super) fn decide(
        readings: Vec<Reading>,
        rules: &RuleSet,
        source: &Source,
        now: UnixMs,
    ) -> Self {
        let decided = readings
            .into_iter()
            .map(|reading| decide(reading, rules, source, now));
        let (deliveries, fates) = decided.unzip();
        Self { deliveries, fates }
    }

    /// Stores them, all or none, and says what to answer.
    pub(super) async fn keep(self, desk: &Desk, source: &Source) -> (Outcome, Response) {
        let Self { deliveries, fates } = self;
        // An empty list of surveys is nothing to store.
        if deliveries.is_empty() {
            return answer::several(source, Vec::new());
        }
        // Safe to cancel: what was handed over goes on.
        let receipts = match timeout(COMMIT_TIMEOUT, desk.intake.store.accept(deliveries)).await {
            Ok(Ok(receipts)) => receipts,
            Ok(Err(cause)) => return refused(desk, &cause),
            Err(_late) => {
                complain(desk, "slow", &"the commit took too long");
                return (Outcome::Unavailable, unavailable());
            }
        };
        if receipts.len() != fates.len() {
            complain(
                desk,
                "receipts",
                &"the store gave no receipt for each survey",
            );
            return (Outcome::Unavailable, unavailable());
        }
        let stored = fates.into_iter().zip(receipts);
        let mut told: Vec<Told> = stored
            .map(|(fate, receipt)| note(desk, source, fate, receipt))
            .collect();
        match told.pop() {
            Some(whole) if !source.reads_items() || whole.is_of_body() => {
                answer::one(source, whole)
            }
            last => {
                told.extend(last);
                answer::several(source, told)
            }
        }
    }
}

fn decide(reading: Reading, rules: &RuleSet, source: &Source, now: UnixMs) -> (NewDelivery, Fate) {
    let (keys, content_key, body, content, fate) = match reading {
        Reading::Survey {
            survey,
            keys,
            content_key,
            body,
        } => {
            let (decision, content) = intake::decided(&survey, rules);
            let fate = Fate::Decided {
                interaction: survey.interaction,
                rule: decision.rule,
                code: decision.code,
            };
            (keys, content_key, body, content, fate)
        }
        Reading::Unreadable {
            kind,
            problems,
            keys,
            content_key,
            body,
        } => {
            let problems = serde_json::value::to_raw_value(&problems).expect(PLAIN);
            let content = Content::Unreadable {
                problems: problems.get().to_owned(),
            };
            let fate = Fate::Unreadable { kind, problems };
            (keys, content_key, body, content, fate)
        }
    };
    let delivery = NewDelivery {
        id: DeliveryId::generate(),
        source: source.name.clone(),
        accepted_at: now,
        keys,
        content_key,
        body,
        content,
    };
    (delivery, fate)
}

/// After the commit: counts, logs and wakes for one survey. The info line is the end of its intake.
fn note(desk: &Desk, source: &Source, fate: Fate, receipt: Receipt) -> Told {
    let (source, id) = (&source.name, receipt.id());
    match (fate, receipt) {
        // An unreadable survey gets the same answer however often it comes.
        (
            Fate::Unreadable { kind, problems },
            Receipt::Stored(_) | Receipt::StillQuarantined(_),
        ) => {
            if let Receipt::Stored(_) = receipt {
                // They name fields and types, never a value.
                tracing::info!(%source, delivery.id = %id, problems = problems.get(), "survey quarantined");
            } else {
                tracing::debug!(%source, delivery.id = %id, "survey still unreadable");
            }
            Told::Unreadable {
                status: "quarantined",
                delivery: id,
                problems,
                kind,
            }
        }
        // Of what was accepted nothing is kept a second time, and it must not be told that it was.
        (fate, Receipt::Duplicate(_)) => {
            if let Fate::Unreadable { .. } = fate {
                tracing::info!(%source, delivery.id = %id, "survey seen before, and unreadable this time");
            } else {
                tracing::debug!(%source, delivery.id = %id, "survey seen before");
            }
            Told::Duplicate {
                status: "duplicate",
                delivery: id,
            }
        }
        (
            Fate::Decided {
                interaction,
                rule,
                code,
            },
            Receipt::Stored(_) | Receipt::StillQuarantined(_),
        ) => {
            if let Some(rule) = &rule {
                desk.metrics.rule_match(rule.as_str());
            }
            let status = if code.is_some() {
                desk.intake.wake.notify_one();
                "accepted"
            } else {
                "ignored"
            };
            // What is ignored ends here, and an end is worth a line; what is accepted ends when its code is assigned.
            if code.is_some() {
                tracing::debug!(%source, delivery.id = %id, interaction.id = %interaction, "survey accepted");
            } else {
                let rule = rule.as_ref().map(RuleName::as_str);
                tracing::info!(%source, delivery.id = %id, interaction.id = %interaction, rule, "survey ignored");
            }
            Told::Decided {
                status,
                delivery: id,
                interaction,
                rule,
                code,
            }
        }
    }
}

/// Our own trouble, so never a 4xx.
fn refused(desk: &Desk, cause: &store::Error) -> (Outcome, Response) {
    use store::Error as Store;
    let (word, outcome, kind) = match cause {
        Store::TooManyPending(_) => ("pending", Outcome::Overloaded, Kind::StoreFull),
        Store::TooManyQuarantined(_) => ("quarantined", Outcome::Overloaded, Kind::StoreFull),
        Store::Overloaded => ("queue", Outcome::Overloaded, Kind::Overloaded),
        Store::Row(_) => ("row", Outcome::Unavailable, Kind::StoreUnavailable),
        Store::Unavailable(_) | Store::Damaged(_) | Store::Newer(_) | Store::Held(_) => {
            ("store", Outcome::Unavailable, Kind::StoreUnavailable)
        }
    };
    complain(desk, word, cause);
    (outcome, Problem::new(kind).into_response())
}

fn unavailable() -> Response {
    Problem::new(Kind::StoreUnavailable).into_response()
}

fn complain(desk: &Desk, word: &'static str, cause: &dyn std::fmt::Display) {
    if let Some(count) = desk.troubles.say(word, Instant::now()) {
        tracing::error!(
            error = %cause,
            count,
            "surveys could not be stored; their senders were asked to try again"
        );
    }
}
