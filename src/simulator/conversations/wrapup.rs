//! `POST` and `GET .../communications/{id}/wrapup`: wraps up one agent's communication, and reads it back.
//!
//! A write is answered before it is done: it shows on reads after `appears_after`. The body may hold the documented
//! fields and no other.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::held::{Case, Communication, Participant, Wrapup};
use super::read::WrapupBody;
use super::told::Medium;
use super::{Place, VIEW, WRAP_UP, allow, codes, peek};
use crate::simulator::answer::Answer;
use crate::simulator::fault::Fate;
use crate::simulator::record::{LegPath, Operation, Written};
use crate::simulator::tokens::Grant;
use crate::simulator::visit::{Asked, Done, Endpoint, Glance};
use crate::simulator::world::{World, later, lock};

/// The documented fields of a body.
const FIELDS: [&str; 7] = [
    "code",
    "name",
    "notes",
    "tags",
    "durationSeconds",
    "endTime",
    "provisional",
];

pub(super) const ASSIGN: Endpoint = Endpoint {
    operation: Operation::Assign,
    glance,
    effect: |world, asked| assign(world, asked).unwrap_or_else(Done::from),
};

pub(super) const CONFIRM: Endpoint = Endpoint {
    operation: Operation::Confirm,
    glance: |_, asked| Glance {
        interaction: Place::of(&asked.head).conversation,
        written: None,
    },
    effect: |world, asked| Done::from(confirm(world, asked).unwrap_or_else(|refusal| refusal)),
};

fn glance(world: &World, asked: &Asked) -> Glance {
    let place = Place::of(&asked.head);
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let code_id = body["code"]
        .as_str()
        .and_then(|code| Uuid::try_parse(code).ok());
    let leg = match place {
        Place {
            media: Some(media),
            participant: Some(participant),
            communication: Some(communication),
            ..
        } => Some(LegPath {
            media: media.into(),
            participant,
            communication,
        }),
        _ => None,
    };
    Glance {
        interaction: place.conversation,
        written: Some(Written {
            code_id,
            code_name: code_id.and_then(|id| world.name_of(id)),
            wrap_up_time: None,
            leg,
            notes: body["notes"].as_str().map(Box::from),
        }),
    }
}

fn assign(world: &World, asked: &Asked) -> Result<Done, Answer> {
    let rights = allow(world, &asked.head, WRAP_UP)?;
    let apps_may = lock(&world.access).apps_wrap_up;
    if rights.grant == Grant::ClientCredentials && !apps_may {
        let message =
            "The requester is not a user: wrapping up is for the users of this organisation.";
        return Err(Answer::error(
            StatusCode::BAD_REQUEST,
            "not.a.user",
            message,
        ));
    }
    let place = Place::of(&asked.head);
    let case = peek(world, &place)?;
    let (participant, leg) = find(&case, &place)?;
    let wrapup = input(asked)?;
    if !participant.is_agent() {
        let message = "Only a participant that is an agent with a user can be wrapped up.";
        return Err(Answer::bad_request(message));
    }
    if !case.has_ended() {
        let message = "The conversation has not ended.";
        return Err(Answer::bad_request(message));
    }
    if world.name_of(wrapup.code).is_none() {
        let message = format!("There is no wrap-up code {}.", wrapup.code);
        return Err(Answer::bad_request(&message));
    }
    if !codes::allows(world, participant.queue, wrapup.code) {
        let message = format!(
            "The queue of the participant does not have the wrap-up code {}.",
            wrapup.code
        );
        return Err(Answer::bad_request(&message));
    }
    let appears_after = match asked.fate {
        Fate::Late(after) => after,
        _ => world.settings.appears_after.0,
    };
    let times = match asked.fate {
        Fate::Lost => 0,
        Fate::Twice => 2,
        Fate::Once | Fate::Late(_) => 1,
    };
    if times > 0 {
        let leg = leg.id;
        let shows = later(Instant::now(), appears_after);
        let taken = lock(&world.conversations).write(case, leg, &wrapup, shows, times);
        taken.map_err(|full| {
            let status = StatusCode::INSUFFICIENT_STORAGE;
            Answer::error(status, "simulator.full", &full.to_string())
        })?;
    }
    Ok(Done {
        answer: Answer::bare(StatusCode::ACCEPTED),
        event: (times > 0).then(Uuid::new_v4),
    })
}

fn confirm(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    allow(world, &asked.head, VIEW)?;
    let place = Place::of(&asked.head);
    let case = peek(world, &place)?;
    let (_, leg) = find(&case, &place)?;
    Ok(match &leg.wrapup {
        Some(wrapup) => Answer::json(StatusCode::OK, &WrapupBody::of(wrapup)),
        None => Answer::json(StatusCode::OK, &json!({})),
    })
}

/// What the path names, each part checked against the one before.
fn find<'a>(
    case: &'a Case,
    place: &Place<'_>,
) -> Result<(&'a Participant, &'a Communication), Answer> {
    let medium = place.media.and_then(|media| {
        let mut all = Medium::ALL.into_iter();
        all.find(|medium| medium.as_str() == media)
    });
    let medium = medium.ok_or_else(|| Answer::not_found("There is no such medium."))?;
    let participant = place.participant.and_then(|id| case.participant(id));
    let participant = participant.ok_or_else(|| {
        Answer::error(
            StatusCode::NOT_FOUND,
            "conversation.error.not.conversation.participant",
            "The participant is not one of this conversation.",
        )
    })?;
    let leg = place
        .communication
        .and_then(|id| participant.communication(id, medium));
    let message = "The participant has no such communication on this medium.";
    let leg = leg.ok_or_else(|| Answer::not_found(message))?;
    Ok((participant, leg))
}

/// Reads a body, or says all that is wrong with it.
fn input(asked: &Asked) -> Result<Wrapup, Answer> {
    let kind = asked.head.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok());
    let media_type = kind.unwrap_or_default().split(';').next();
    if !media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json")) {
        let message = "Content-Type must be application/json.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Answer::error(status, "unsupported.media.type", message));
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&asked.body) else {
        return Err(Answer::bad_request("The body is not a JSON object."));
    };
    let code = body.get("code").and_then(Value::as_str).unwrap_or_default();
    if code.is_empty() {
        return Err(Answer::error(
            StatusCode::BAD_REQUEST,
            "conversation.error.wrapup.code.required",
            "A wrap-up needs a code.",
        ));
    }
    let problems = problems(&body);
    match Uuid::try_parse(code) {
        Ok(code) if problems.is_empty() => Ok(Wrapup {
            code,
            notes: text(&body, "notes"),
            tags: strings(body.get("tags")).unwrap_or_default(),
            duration_seconds: body.get("durationSeconds").and_then(Value::as_u64),
            end_time: text(&body, "endTime"),
        }),
        Ok(_) => Err(Answer::bad_request(&problems.join("; "))),
        Err(_) => Err(Answer::bad_request(
            "code must be the id of a wrap-up code.",
        )),
    }
}

fn problems(body: &Map<String, Value>) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, value) in body {
        let fits = match name.as_str() {
            "code" | "name" | "notes" => value.is_string(),
            "tags" => strings(Some(value)).is_some(),
            "durationSeconds" => value.is_u64(),
            "endTime" => {
                let time = value.as_str();
                time.is_some_and(|time| chrono::DateTime::parse_from_rfc3339(time).is_ok())
            }
            "provisional" => value.is_boolean(),
            _ => {
                let known = FIELDS.join(", ");
                problems.push(format!("{name} is not a field of a wrap-up ({known})"));
                continue;
            }
        };
        if !fits {
            problems.push(format!("{name} is not what it must be"));
        }
    }
    problems
}

fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    let all = value?.as_array()?.iter();
    all.map(|one| one.as_str().map(str::to_owned)).collect()
}
