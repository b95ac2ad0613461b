//! The Interaction API: list codes, read an interaction's state, assign by an event.
//!
//! Not here: tokens, statuses and pace (`client`), and when an assignment is tried again (`delivery`).
//! Invariant: a write is only sent after what the assignment wanted looked at has been looked at, and no 400 is
//! believed to be final before a second look.

use async_trait::async_trait;
use reqwest::{RequestBuilder, Url};

use super::client::{Client, Missed};
use super::pacer::{Lane, Pacer};
use super::{
    Assignment, Code, Config, Error, Failure, Outcome, Overwrite, Platform, Report, Step,
    TokenFailure,
};
use crate::clock::Clock;
use crate::ids::{CodeId, EventId};
use crate::metrics::Registry;

mod codes;
mod wire;

#[derive(Debug)]
pub(super) struct InteractionsApi {
    client: Client,
    base_url: String,
    division_id: Option<String>,
    page_size: u32,
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
            base_url: config.base_url,
            division_id: config.division_id,
            page_size: config.page_size,
        })
    }

    async fn look(&self, wanted: &Assignment) -> Result<Seen, Failure> {
        let url = format!(
            "{}/api/v2/interactions/{}",
            self.base_url, wanted.interaction
        );
        let success = self
            .client
            .call("state", Lane::Deliveries, wanted.patience, |http| {
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
            .call("assign", Lane::Deliveries, wanted.patience, |http| {
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

    fn codes_page(&self, http: &reqwest::Client, number: u32) -> RequestBuilder {
        let path = format!("{}/api/v2/routing/wrapupcodes", self.base_url);
        let mut query = vec![
            ("pageSize", self.page_size.to_string()),
            ("pageNumber", number.to_string()),
        ];
        if let Some(division) = &self.division_id {
            query.push(("divisionId", division.clone()));
        }
        match Url::parse_with_params(&path, &query) {
            Ok(url) => http.get(url),
            // Not a URL: the client says so when it builds the request.
            Err(_) => http.get(path),
        }
    }
}

#[async_trait]
impl Platform for InteractionsApi {
    async fn load_codes(&self) -> Result<Vec<Code>, Failure> {
        codes::load(self).await
    }

    async fn probe(&self) -> Result<(), Failure> {
        let patience = self.client.ordinary_patience();
        self.client
            .call("codes", Lane::First, patience, |http| {
                self.codes_page(http, 1)
            })
            .await
            .map_err(|missed| missed.failure)?
            .json::<wire::CodesPage>()
            .map(drop)
    }

    async fn renew_token(&self) -> Result<(), TokenFailure> {
        self.client.renew_token().await
    }

    async fn assign(&self, wanted: &Assignment) -> Report {
        let mut replaced = None;
        if wanted.look {
            let told = match self.look(wanted).await {
                Ok(seen) => {
                    let told = judge(&seen, wanted);
                    replaced = seen.code;
                    told
                }
                Err(failure) => Some(Outcome::Failed {
                    step: Step::Look,
                    failure,
                }),
            };
            if let Some(outcome) = told {
                return Report {
                    outcome,
                    wrote: false,
                };
            }
        }
        match self.write(wanted).await {
            Ok(event) => Report {
                outcome: Outcome::Assigned { event, replaced },
                wrote: true,
            },
            Err(Missed {
                failure: failure @ Failure::Refused { status: 400, .. },
                ..
            }) => Report {
                outcome: self.look_after_refusal(wanted, failure).await,
                wrote: true,
            },
            Err(Missed { failure, sent }) => Report {
                outcome: Outcome::Failed {
                    step: Step::Write,
                    failure,
                },
                wrote: sent,
            },
        }
    }
}

/// What a look means before a write; `None`: go on and write.
fn judge(seen: &Seen, wanted: &Assignment) -> Option<Outcome> {
    let is = |id: &CodeId| {
        seen.code
            .as_ref()
            .is_some_and(|found| found.as_str().eq_ignore_ascii_case(id.as_str()))
    };
    if is(&wanted.code_id) {
        return Some(Outcome::AlreadyAssigned);
    }
    if !seen.state.eq_ignore_ascii_case("completed") {
        return Some(Outcome::NotCompleted {
            state: seen.state.clone(),
        });
    }
    let theirs = seen
        .code
        .as_ref()
        .filter(|_| !wanted.ours.as_ref().is_some_and(is));
    match (wanted.overwrite, theirs) {
        (Overwrite::IfEmpty, Some(found)) => Some(Outcome::Kept {
            found: found.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
