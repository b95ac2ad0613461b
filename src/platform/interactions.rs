//! The Interaction API: list codes, read an interaction's state, assign by an event.
//!
//! Not here: tokens, statuses and pace (`client`), and when an assignment is tried again (`delivery`).
//! Invariant: a write is only sent after what the assignment wanted looked at has been looked at, and no 400 is
//! believed to be final before a second look.

use std::time::Duration;

use async_trait::async_trait;

use super::client::{Client, Missed};
use super::codes::{CodeList, Naming};
use super::pacer::{Lane, Pacer};
use super::{
    Assignment, Code, Config, Error, Failure, Look, Outcome, Platform, Preview, Report, Step,
    TokenFailure,
};
use crate::clock::Clock;
use crate::ids::{CodeId, EventId};
use crate::metrics::Registry;

mod wire;

#[derive(Debug)]
pub(super) struct InteractionsApi {
    client: Client,
    base_url: String,
    codes: CodeList,
    settles_within: Duration,
}

/// What a look showed.
#[derive(Debug)]
struct Seen {
    state: String,
    code: Option<CodeId>,
}

impl InteractionsApi {
    pub(super) fn new(
        config: Config,
        pacer: Pacer,
        clock: Clock,
        registry: &Registry,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(&config, pacer, clock, registry)?,
            codes: CodeList::new(&config, Naming::Code),
            settles_within: config.settles_within(),
            base_url: config.base_url,
        })
    }

    async fn look(&self, wanted: &Assignment) -> Result<Seen, Failure> {
        let url = format!(
            "{}/api/v2/interactions/{}",
            self.base_url, wanted.interaction
        );
        let success = self
            .client
            .call("state", Lane::Deliveries, wanted.patience(), |http| {
                http.get(&url)
            })
            .await
            .map_err(|missed| missed.failure)?;
        let seen: wire::Interaction = success.json()?;
        Ok(Seen {
            state: seen.state,
            code: seen
                .wrap_up_code
                .and_then(|code| code.id)
                .filter(|id| !id.is_empty())
                .map(CodeId::new),
        })
    }

    async fn write(&self, wanted: &Assignment) -> Result<EventId, Missed> {
        let url = format!("{}/api/v2/interactions/events", self.base_url);
        let event = wire::NewEvent::new(wanted);
        let success = self
            .client
            .call("assign", Lane::Deliveries, wanted.patience(), |http| {
                http.post(&url).json(&event)
            })
            .await?;
        let taken = success.json::<wire::Taken>().and_then(|taken| {
            if taken.event_id.is_empty() {
                Err(success.undocumented("holds no `eventId`"))
            } else {
                Ok(EventId::new(taken.event_id))
            }
        });
        taken.map_err(|failure| Missed {
            failure,
            sent: true,
        })
    }

    /// The platform said 400: whether for good, another look tells.
    async fn look_after_refusal(&self, wanted: &Assignment, refused: Failure) -> Outcome {
        match self.look(wanted).await {
            Err(failure) => Outcome::Failed {
                step: Step::Look,
                failure,
            },
            Ok(seen) => match judge(&seen, wanted) {
                Some(told @ (Outcome::AlreadyAssigned | Outcome::NotCompleted { .. })) => told,
                _ => Outcome::Failed {
                    step: Step::Write,
                    failure: refused,
                },
            },
        }
    }
}

#[async_trait]
impl Platform for InteractionsApi {
    async fn load_codes(&self) -> Result<Vec<Code>, Failure> {
        self.codes.load(&self.client).await
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.codes.probe(&self.client).await
    }

    async fn renew_token(&self) -> Result<(), TokenFailure> {
        self.client.renew_token().await
    }

    async fn assign(&self, wanted: &Assignment) -> Report {
        let mut replaced = None;
        if wanted.look != Look::No {
            match self.look(wanted).await {
                Ok(seen) => {
                    if let Some(outcome) = judge(&seen, wanted) {
                        return Report::unwritten(outcome);
                    }
                    replaced = seen.code;
                }
                Err(failure) => return Report::failed(Step::Look, failure, false),
            }
        }
        match self.write(wanted).await {
            Ok(event) => Report {
                outcome: Outcome::Assigned {
                    event: Some(event),
                    replaced,
                    detail: String::new(),
                },
                wrote: true,
            },
            Err(Missed {
                failure: failure @ Failure::Refused { status: 400, .. },
                ..
            }) => Report {
                outcome: self.look_after_refusal(wanted, failure).await,
                wrote: true,
            },
            Err(Missed { failure, sent }) => Report::failed(Step::Write, failure, sent),
        }
    }

    async fn preview(&self, wanted: &Assignment) -> Result<Preview, Failure> {
        let seen = self.look(wanted).await?;
        let mut preview = Preview::default();
        preview.line("state", seen.state.clone());
        if let Some(Outcome::NotCompleted { .. }) = judge(&seen, wanted) {
            preview.line("would write", "nothing yet: it is looked at again later");
        } else {
            preview.verdict(wanted, seen.code.as_ref());
        }
        Ok(preview)
    }

    fn settles_within(&self) -> Duration {
        self.settles_within
    }
}

/// What a look means before a write; `None`: go on and write.
fn judge(seen: &Seen, wanted: &Assignment) -> Option<Outcome> {
    let found = seen.code.as_ref();
    if wanted.wants(found) {
        return Some(Outcome::AlreadyAssigned);
    }
    if !seen.state.eq_ignore_ascii_case("completed") {
        return Some(Outcome::NotCompleted {
            state: seen.state.clone(),
        });
    }
    let found = wanted.spares(found)?;
    Some(Outcome::Kept { found })
}

#[cfg(test)]
mod tests;
