//! Genesys Cloud's public conversations API: read the conversation, choose the agent's leg, write its wrap-up, and
//! read it back, because the platform only promises to set it.
//!
//! Not here: tokens, statuses and pace (`client`), and when an assignment is tried again (`delivery`).
//! Invariants: nothing is written to a conversation that has not ended; a write is repeated only once the one before
//! it should long have been seen, and then after a fresh look; nothing goes on past the lease.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use uuid::Uuid;

use super::client::{Client, Missed};
use super::codes::{CodeList, Naming};
use super::pacer::{Lane, Pacer};
use super::{
    Assignment, Code, Config, Conversations, Error, Failure, Look, Outcome, Overwrite, Platform,
    Preview, Report, Step, TokenFailure,
};
use crate::clock::Clock;
use crate::ids::{CodeId, InteractionId};
use crate::metrics::Registry;

mod confirm;
mod leg;
mod preview;
mod queue;
mod recent;
mod wire;

pub use leg::{AGENT_ID, QUEUE_ID};
use leg::{Conversation, Leg};

#[derive(Debug)]
pub(super) struct ConversationsApi {
    client: Client,
    base_url: String,
    codes: CodeList,
    settings: Conversations,
    request_timeout: Duration,
    settles_within: Duration,
    recent: recent::Recent,
    queues: queue::Queues,
}

impl ConversationsApi {
    pub(super) fn new(
        config: Config,
        settings: Conversations,
        pacer: Pacer,
        clock: Clock,
        registry: &Registry,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(&config, pacer, clock, registry)?,
            codes: CodeList::new(&config, Naming::Name),
            settles_within: config.settles_within(),
            base_url: config.base_url,
            settings,
            request_timeout: config.request_timeout,
            recent: recent::Recent::default(),
            queues: queue::Queues::default(),
        })
    }

    /// For each slot; nothing for a call that could not end within the lease.
    fn patience(&self, wanted: &Assignment) -> Duration {
        let spare = wanted.left().saturating_sub(self.request_timeout);
        wanted.patience().min(spare)
    }

    /// The URL of something of a conversation. Ids come from the platform and from surveys: each is one segment.
    fn url(&self, segments: &[&str]) -> Result<Url, Failure> {
        let no_url = || Failure::Unavailable {
            status: None,
            detail: "platform.base_url is no URL that paths can be added to".to_owned(),
        };
        let mut url = Url::parse(&self.base_url).map_err(|_cause| no_url())?;
        url.path_segments_mut()
            .map_err(|()| no_url())?
            .pop_if_empty()
            .extend(["api", "v2", "conversations"])
            .extend(segments);
        Ok(url)
    }

    fn wrapup_url(&self, id: InteractionId, leg: &Leg) -> Result<Url, Failure> {
        self.url(&[
            leg.medium,
            &id.to_string(),
            "participants",
            &leg.participant,
            "communications",
            &leg.communication,
            "wrapup",
        ])
    }

    /// Reads the conversation as it is now.
    async fn read(&self, id: InteractionId, patience: Duration) -> Result<Conversation, Failure> {
        let url = self.url(&[&id.to_string()])?;
        let success = self
            .client
            .call("conversation", Lane::Deliveries, patience, |http| {
                http.get(url.clone())
            })
            .await
            .map_err(|missed| missed.failure)?;
        let read: wire::Conversation = success.json()?;
        let conversation = Conversation::from(read);
        self.recent.keep(id, &conversation);
        Ok(conversation)
    }

    /// The leg to write to, or what comes of the assignment without a write.
    async fn place(&self, wanted: &Assignment) -> Result<Leg, Outcome> {
        let leg = if let Some(leg) = self.known_leg(wanted) {
            leg
        } else {
            let read = self.read(wanted.interaction, self.patience(wanted)).await;
            self.judge(&read.map_err(looking)?, wanted)?
        };
        if self.settings.check_queue_codes {
            self.check_queue(wanted, &leg).await?;
        }
        Ok(leg)
    }

    /// The leg as far as a recent look tells, where that is enough.
    fn known_leg(&self, wanted: &Assignment) -> Option<Leg> {
        if wanted.look == Look::Now || wanted.overwrite == Overwrite::IfEmpty {
            return None;
        }
        let conversation = self.recent.get(wanted.interaction)?;
        // That the code is there already is only believed of a fresh look.
        self.judge(&conversation, wanted).ok()
    }

    /// What a look means: where to write, or why not.
    fn judge(&self, conversation: &Conversation, wanted: &Assignment) -> Result<Leg, Outcome> {
        if !conversation.ended {
            let state = "not ended".to_owned();
            return Err(Outcome::NotCompleted { state });
        }
        let leg = conversation
            .leg_for(wanted)
            .map_err(|reason| Outcome::Unfit { reason })?;
        let found = leg.code.as_ref();
        if wanted.wants(found) {
            return Err(Outcome::AlreadyAssigned);
        }
        if let Some(found) = wanted.spares(found) {
            return Err(Outcome::Kept { found });
        }
        match wanted.written_ago {
            Some(written_ago) if written_ago < self.settings.confirm_within => {
                Err(Outcome::Unconfirmed {
                    written_ago,
                    overdue: false,
                    detail: "the code cannot be seen yet".to_owned(),
                })
            }
            _ => Ok(leg.clone()),
        }
    }

    async fn check_queue(&self, wanted: &Assignment, leg: &Leg) -> Result<(), Outcome> {
        // Without a queue there is no list that would bind.
        let Some(queue) = &leg.queue else {
            return Ok(());
        };
        if self.queues.known_to_allow(queue, &wanted.code_id) {
            return Ok(());
        }
        let codes = self.queue_codes(wanted, leg).await.map_err(looking)?;
        let allowed = queue::allows(&codes, &wanted.code_id);
        self.queues.keep(queue, codes);
        if allowed {
            return Ok(());
        }
        Err(Outcome::Unfit {
            reason: format!(
                "queue {queue} does not allow code {} ({}): add it to the queue's wrap-up codes, or let the rules \
                 assign another",
                wanted.code, wanted.code_id
            ),
        })
    }

    async fn queue_codes(&self, wanted: &Assignment, leg: &Leg) -> Result<Vec<CodeId>, Failure> {
        let id = wanted.interaction.to_string();
        let url = self.url(&[&id, "participants", &leg.participant, "wrapupcodes"])?;
        let list: Vec<wire::QueueCode> = self
            .client
            .call(
                "queue_codes",
                Lane::Deliveries,
                self.patience(wanted),
                |http| http.get(url.clone()),
            )
            .await
            .map_err(|missed| missed.failure)?
            .json()?;
        let ids = list.into_iter().filter_map(|code| code.id);
        Ok(ids.map(CodeId::new).collect())
    }

    /// Puts the wrap-up on its way. Answers what support would ask for.
    async fn write(&self, wanted: &Assignment, leg: &Leg) -> Result<Option<String>, Missed> {
        let unsent = |failure| Missed {
            failure,
            sent: false,
        };
        let url = self.wrapup_url(wanted.interaction, leg).map_err(unsent)?;
        let notes = self.settings.notes.as_ref();
        let notes = notes.map(|notes| notes.fill(wanted)).unwrap_or_default();
        let wrapup = wire::NewWrapup {
            code: wanted.code_id.as_str(),
            notes: &notes,
        };
        let success = self
            .client
            .call("assign", Lane::Deliveries, self.patience(wanted), |http| {
                http.post(url.clone()).json(&wrapup)
            })
            .await?;
        Ok(success.correlation)
    }

    /// The platform said 400: whether for good, another look tells.
    async fn look_after_refusal(&self, wanted: &Assignment, refused: Failure) -> Outcome {
        match self.read(wanted.interaction, self.patience(wanted)).await {
            Err(failure) => looking(failure),
            Ok(conversation) => match self.judge(&conversation, wanted) {
                Err(told @ (Outcome::AlreadyAssigned | Outcome::NotCompleted { .. })) => told,
                _ => Outcome::Failed {
                    step: Step::Write,
                    failure: refused,
                },
            },
        }
    }
}

fn looking(failure: Failure) -> Outcome {
    let step = Step::Look;
    Outcome::Failed { step, failure }
}

#[async_trait]
impl Platform for ConversationsApi {
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
        let leg = match self.place(wanted).await {
            Ok(leg) => leg,
            Err(outcome) => return Report::unwritten(outcome),
        };
        match self.write(wanted, &leg).await {
            Ok(correlation) => Report {
                outcome: self.confirm(wanted, &leg, correlation).await,
                wrote: true,
            },
            Err(Missed {
                failure: failure @ Failure::Refused { status: 400, .. },
                ..
            }) => Report {
                outcome: self.look_after_refusal(wanted, failure).await,
                wrote: true,
            },
            Err(Missed { failure, sent }) => {
                self.recent.forget(wanted.interaction);
                Report::failed(Step::Write, failure, sent)
            }
        }
    }

    async fn preview(&self, wanted: &Assignment) -> Result<Preview, Failure> {
        self.show(wanted).await
    }

    fn wants_answers(&self) -> bool {
        true
    }

    fn settles_within(&self) -> Duration {
        self.settles_within
    }

    async fn lacks(&self) -> Vec<Failure> {
        // No conversation has this id: who may read is told 404.
        let stranger = InteractionId(Uuid::new_v4());
        let patience = self.client.ordinary_patience();
        match self.read(stranger, patience).await {
            Err(failure @ (Failure::Barred { .. } | Failure::Forbidden { .. })) => vec![failure],
            Ok(_) | Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
