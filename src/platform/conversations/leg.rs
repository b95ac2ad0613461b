//! Whose communication takes the code. Pure.
//!
//! A wrap-up belongs to one agent's part in one medium, its leg. A conversation may have many: transfers, conferences,
//! consultations, callbacks that became calls. The survey may name the agent or the queue; else the leg that was
//! connected last counts, because that agent has the last word with the customer.

use chrono::DateTime;

use super::wire;
use crate::ids::CodeId;
use crate::platform::Assignment;

/// The survey's fields that name the agent (a user's id) and the queue, where they are mapped.
pub const AGENT_ID: &str = "agent_id";
pub const QUEUE_ID: &str = "queue_id";

/// What an ended or running conversation says about legs; nothing of it is about the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) ended: bool,
    /// Participants of an agent's purpose, and those of them that are a user of the organisation.
    agents: usize,
    users: usize,
    /// Those that were connected, in the order in which they were.
    legs: Vec<Leg>,
}

/// One agent's communication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) participant: String,
    pub(super) communication: String,
    /// As paths call it.
    pub(super) medium: &'static str,
    pub(super) user: String,
    pub(super) queue: Option<String>,
    /// In ms; a moment that cannot be read comes first.
    pub(super) connected_ms: i64,
    pub(super) code: Option<CodeId>,
}

impl From<wire::Conversation> for Conversation {
    fn from(read: wire::Conversation) -> Self {
        let mut agents = 0;
        let mut users = 0;
        let mut legs = Vec::new();
        for participant in &read.participants {
            let purpose = participant.purpose.as_deref().unwrap_or_default();
            if !["agent", "user"]
                .iter()
                .any(|it| purpose.eq_ignore_ascii_case(it))
            {
                continue;
            }
            agents += 1;
            let Some(user) = text(participant.user_id.as_ref()) else {
                continue;
            };
            users += 1;
            legs.extend(legs_of(participant, user));
        }
        // A stable sort: of those connected at once the later listed comes last.
        legs.sort_by_key(|leg| leg.connected_ms);
        Self {
            ended: text(read.end_time.as_ref()).is_some(),
            agents,
            users,
            legs,
        }
    }
}

fn legs_of(participant: &wire::Participant, user: &str) -> Vec<Leg> {
    let Some(id) = text(participant.id.as_ref()) else {
        return Vec::new();
    };
    let connected = participant.communications().filter_map(|(medium, one)| {
        let connected_ms = text(one.connected_time.as_ref()).map(moment_ms)?;
        Some(Leg {
            participant: id.to_owned(),
            communication: text(one.id.as_ref())?.to_owned(),
            medium,
            user: user.to_owned(),
            queue: text(participant.queue_id.as_ref()).map(str::to_owned),
            connected_ms,
            code: code(one.wrapup.as_ref()),
        })
    });
    let mut legs: Vec<Leg> = connected.collect();
    // An older way of writing leaves the code on the participant; with one leg it is clear which one it is of.
    if let [only] = legs.as_mut_slice()
        && only.code.is_none()
    {
        only.code = code(participant.wrapup.as_ref());
    }
    legs
}

pub(super) fn code(wrapup: Option<&wire::Wrapup>) -> Option<CodeId> {
    text(wrapup?.code.as_ref()).map(CodeId::from)
}

fn text(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

fn moment_ms(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).map_or(i64::MIN, |moment| moment.timestamp_millis())
}

impl Conversation {
    /// The leg that takes the code, or why there is none.
    pub(super) fn leg_for(&self, wanted: &Assignment) -> Result<&Leg, String> {
        let named = |field: &str| {
            let value = wanted.answers.get(field)?.as_str()?.trim();
            (!value.is_empty()).then_some(value)
        };
        let (agent, queue) = (named(AGENT_ID), named(QUEUE_ID));
        let fits = |leg: &&Leg| {
            let is_agents = agent.is_none_or(|id| leg.user.eq_ignore_ascii_case(id));
            let of_queue = |id: &str| {
                leg.queue
                    .as_ref()
                    .is_some_and(|queue| queue.eq_ignore_ascii_case(id))
            };
            is_agents && queue.is_none_or(of_queue)
        };
        self.legs
            .iter()
            .rfind(fits)
            .ok_or_else(|| self.why_none(agent.is_some(), queue.is_some()))
    }

    fn why_none(&self, by_agent: bool, by_queue: bool) -> String {
        let why = match (self.agents, self.users, self.legs.len()) {
            (0, ..) => "the conversation had no agent",
            (_, 0, _) => {
                "the conversation's agents are no users of the organisation: nobody can be wrapped up for"
            }
            (.., 0) => "no agent was ever connected to the conversation",
            _ => match (by_agent, by_queue) {
                (true, true) => {
                    "no leg of the conversation is of the agent and the queue that the survey names (fields \
                     `agent_id` and `queue_id`)"
                }
                (true, false) => {
                    "no leg of the conversation is of the agent that the survey names (field `agent_id`)"
                }
                _ => {
                    "no leg of the conversation is of the queue that the survey names (field `queue_id`)"
                }
            },
        };
        why.to_owned()
    }

    pub(super) fn legs(&self) -> usize {
        self.legs.len()
    }

    /// What stands on one communication.
    pub(super) fn code_on(&self, communication: &str) -> Option<CodeId> {
        let mut legs = self.legs.iter();
        let leg = legs.find(|leg| leg.communication == communication)?;
        leg.code.clone()
    }

    /// A write of ours was seen on the leg.
    pub(super) fn note_code(&mut self, communication: &str, code: &CodeId) {
        let written = self
            .legs
            .iter_mut()
            .filter(|leg| leg.communication == communication);
        for leg in written {
            leg.code = Some(code.clone());
        }
    }
}

#[cfg(test)]
mod tests;
