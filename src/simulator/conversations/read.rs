//! `GET /api/v2/conversations/{id}`: who took part in what, and what stands there.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::held::{Case, Communication, Participant, Wrapup};
use super::told::Medium;
use super::{Place, VIEW, allow, see};
use crate::clock::UnixMs;
use crate::simulator::answer::Answer;
use crate::simulator::record::Operation;
use crate::simulator::visit::{Asked, Done, Endpoint, Glance};
use crate::simulator::world::{World, lock};

pub(super) const CONVERSATION: Endpoint = Endpoint {
    operation: Operation::State,
    glance: |_, asked| Glance {
        interaction: Place::of(&asked.head).conversation,
        written: None,
    },
    effect: |world, asked| Done::from(read(world, asked).unwrap_or_else(|refusal| refusal)),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody {
    id: Uuid,
    start_time: String,
    /// Absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    participants: Vec<ParticipantBody>,
    self_uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantBody {
    id: Uuid,
    purpose: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_id: Option<Uuid>,
    wrapup_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrapup: Option<WrapupBody>,
    attributes: Map<String, Value>,
    /// All of them are there, most of them empty.
    #[serde(flatten)]
    media: BTreeMap<&'static str, Vec<CommunicationBody>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommunicationBody {
    id: Uuid,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrapup: Option<WrapupBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_call_work: Option<AfterCallWork>,
}

/// A wrap-up as reads show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrapupBody {
    code: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
}

#[derive(Serialize)]
struct AfterCallWork {
    state: &'static str,
}

fn read(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    allow(world, &asked.head, VIEW)?;
    let id = Place::of(&asked.head).conversation;
    let known = id.and_then(|id| lock(&world.conversations).look(id, Instant::now()));
    let case = see(world, id, known)?;
    Ok(Answer::json(StatusCode::OK, &ConversationBody::of(&case)))
}

impl ConversationBody {
    fn of(case: &Case) -> Self {
        let at = |after: Duration| (case.began + after).to_rfc3339();
        let participants = case.participants.iter();
        let last = participants
            .flat_map(|participant| &participant.communications)
            .map(|leg| leg.disconnected)
            .max();
        let body = |participant| ParticipantBody::of(participant, case.began, case.has_ended());
        Self {
            id: case.id,
            start_time: at(Duration::ZERO),
            end_time: case.has_ended().then(|| at(last.unwrap_or_default())),
            participants: case.participants.iter().map(body).collect(),
            self_uri: format!("/api/v2/conversations/{}", case.id),
        }
    }
}

impl ParticipantBody {
    fn of(participant: &Participant, began: UnixMs, ended: bool) -> Self {
        let mut media: BTreeMap<_, Vec<_>> = Medium::ALL
            .map(|medium| (medium.array(), Vec::new()))
            .into();
        for leg in &participant.communications {
            let body = CommunicationBody::of(leg, participant.is_agent(), began, ended);
            media.entry(leg.medium.array()).or_default().push(body);
        }
        let mut legs = participant.communications.iter().rev();
        let wrapup = legs.find_map(|leg| leg.wrapup.as_ref());
        Self {
            id: participant.id,
            purpose: participant.purpose.clone(),
            user_id: participant.user,
            queue_id: participant.queue,
            wrapup_required: participant.is_agent(),
            wrapup: wrapup.map(WrapupBody::of),
            attributes: Map::new(),
            media,
        }
    }
}

impl CommunicationBody {
    fn of(leg: &Communication, agents: bool, began: UnixMs, ended: bool) -> Self {
        let at = |after: Duration| (began + after).to_rfc3339();
        // In an open conversation whoever was connected still is.
        let live = !ended && leg.connected.is_some();
        Self {
            id: leg.id,
            state: if live { "connected" } else { "disconnected" },
            connected_time: leg.connected.map(at),
            disconnected_time: (!live).then(|| at(leg.disconnected)),
            wrapup: leg.wrapup.as_ref().map(WrapupBody::of),
            after_call_work: (agents && !live).then_some(AfterCallWork {
                state: if leg.wrapup.is_some() {
                    "complete"
                } else {
                    "pending"
                },
            }),
        }
    }
}

impl WrapupBody {
    pub(super) fn of(wrapup: &Wrapup) -> Self {
        Self {
            code: wrapup.code,
            notes: wrapup.notes.clone(),
            tags: wrapup.tags.clone(),
            duration_seconds: wrapup.duration_seconds,
            end_time: wrapup.end_time.clone(),
        }
    }
}
