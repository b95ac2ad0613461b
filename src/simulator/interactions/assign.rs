//! `POST /api/v2/interactions/events`: puts a wrap-up code on an interaction.
//!
//! The body must be as the platform's page has it: every field, no other, each well formed. What is wrong is said in
//! words, all of it at once.

use chrono::DateTime;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::WRITE;
use super::state::{held, strict_uuid};
use crate::simulator::answer::Answer;
use crate::simulator::cases::COMPLETED;
use crate::simulator::record::{Operation, Written};
use crate::simulator::visit::{Asked, Done, Endpoint, Glance, require};
use crate::simulator::world::{World, lock};

/// What is kept of a `wrapUpTime` that is not one.
const MAX_TIME_CHARS: usize = 64;

pub(super) const ASSIGN: Endpoint = Endpoint {
    operation: Operation::Assign,
    glance,
    effect: |world, asked| assign(world, asked).unwrap_or_else(Done::from),
};

fn glance(world: &World, asked: &Asked) -> Glance {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let id = |value: &Value| value.as_str().and_then(strict_uuid);
    let code_id = id(&body["wrapUpCode"]["id"]);
    let time = body["wrapUpTime"].as_str();
    Glance {
        interaction: id(&body["interactionId"]),
        written: Some(Written {
            code_id,
            code_name: code_id.and_then(|id| world.name_of(id)),
            wrap_up_time: time.map(|time| time.chars().take(MAX_TIME_CHARS).collect()),
            ..Written::default()
        }),
    }
}

fn assign(world: &World, asked: &Asked) -> Result<Done, Answer> {
    require(world, &asked.head, WRITE)?;
    let kind = asked.head.headers.get(CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let message = "Content-Type must be application/json";
        return Err(Answer::error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported.media.type",
            message,
        ));
    }
    let event = Event::read(&asked.body).map_err(|problems| Answer::bad_request(&problems))?;
    let code_known = world.name_of(event.code).is_some();
    let mut cases = lock(&world.cases);
    let known = cases.standing(event.interaction, Instant::now());
    let standing = held(known, world.settings.unknown)?;
    if standing.state != COMPLETED {
        return Err(Answer::bad_request(&format!(
            "The interaction is not completed: its state is {}.",
            standing.state
        )));
    }
    if !code_known {
        let message = format!("wrapUpCode.id {} is not a known wrap-up code.", event.code);
        return Err(Answer::bad_request(&message));
    }
    cases.write(event.interaction, event.code).map_err(|full| {
        let message = full.to_string();
        Answer::error(StatusCode::INSUFFICIENT_STORAGE, "simulator.full", &message)
    })?;
    drop(cases);
    let id = Uuid::new_v4();
    Ok(Done {
        answer: Answer::json(StatusCode::OK, &json!({ "eventId": id })),
        event: Some(id),
    })
}

struct Event {
    interaction: Uuid,
    code: Uuid,
}

impl Event {
    /// Reads a body, or says all that is wrong with it.
    fn read(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|cause| format!("The body is not JSON: {cause}."))?;
        let Value::Object(body) = body else {
            return Err("The body is not a JSON object.".to_owned());
        };
        let mut problems = Vec::new();
        let known = ["eventType", "interactionId", "wrapUpCode", "wrapUpTime"];
        strangers(&body, &known, "", &mut problems);
        if body.get("eventType").and_then(Value::as_str) != Some("wrapup") {
            problems.push("eventType must be \"wrapup\"".to_owned());
        }
        let interaction = id(body.get("interactionId"), "interactionId", &mut problems);
        let code = if let Some(Value::Object(code)) = body.get("wrapUpCode") {
            strangers(code, &["id"], "wrapUpCode.", &mut problems);
            id(code.get("id"), "wrapUpCode.id", &mut problems)
        } else {
            problems.push("wrapUpCode must be an object with an id".to_owned());
            None
        };
        let time = body.get("wrapUpTime").and_then(Value::as_str);
        if !time.is_some_and(has_zone) {
            problems.push("wrapUpTime must be ISO 8601 with a zone designator".to_owned());
        }
        match (interaction, code) {
            (Some(interaction), Some(code)) if problems.is_empty() => {
                Ok(Self { interaction, code })
            }
            _ => Err(format!("Malformed event: {}.", problems.join("; "))),
        }
    }
}

fn id(value: Option<&Value>, name: &str, problems: &mut Vec<String>) -> Option<Uuid> {
    let id = value.and_then(Value::as_str).and_then(strict_uuid);
    if id.is_none() {
        problems.push(format!("{name} must be a UUID"));
    }
    id
}

fn strangers(object: &Map<String, Value>, known: &[&str], at: &str, problems: &mut Vec<String>) {
    let strange = object.keys().filter(|key| !known.contains(&key.as_str()));
    problems.extend(strange.map(|key| format!("{at}{key} is not a field of an event")));
}

/// `2026-01-31T09:30:00.000Z`, `+01:00` or `+0100`.
fn has_zone(text: &str) -> bool {
    text.as_bytes().get(10) == Some(&b'T')
        && (DateTime::parse_from_rfc3339(text).is_ok()
            || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Value {
        json!({
            "eventType": "wrapup",
            "interactionId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
            "wrapUpCode": {"id": "1c0f7c1e-6d0a-4f3e-9a51-000000000002"},
            "wrapUpTime": "2026-01-31T09:30:00.000Z",
        })
    }

    fn problems(body: &Value) -> String {
        Event::read(body.to_string().as_bytes())
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn the_documented_body_is_taken() {
        assert_eq!(problems(&good()), "");
    }

    #[test]
    fn each_field_is_judged() {
        for (pointer, value, said) in [
            ("/eventType", json!("wrap-up"), "eventType"),
            (
                "/interactionId",
                json!("a1b2c3d4e5f67890abcdef1234567890"),
                "interactionId",
            ),
            ("/interactionId", Value::Null, "interactionId"),
            ("/wrapUpCode", json!("x"), "wrapUpCode"),
            (
                "/wrapUpCode/id",
                json!("WU_PROMPT_SUCCESS"),
                "wrapUpCode.id",
            ),
            ("/wrapUpTime", json!("2026-01-31T09:30:00"), "wrapUpTime"),
            ("/wrapUpTime", json!("2026-01-31 09:30:00Z"), "wrapUpTime"),
            ("/wrapUpTime", json!(1_769_851_800), "wrapUpTime"),
        ] {
            let mut body = good();
            *body.pointer_mut(pointer).unwrap() = value;
            let text = problems(&body);
            assert!(text.contains(said), "{pointer}: {text}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once_and_no_stranger_let_in() {
        let mut body = good();
        body["eventType"] = Value::Null;
        body["wrapUpTime"] = Value::Null;
        body["note"] = json!("hello");
        let text = problems(&body);
        assert!(text.contains("eventType") && text.contains("wrapUpTime") && text.contains("note"));
    }

    #[test]
    fn zones_are_taken_in_every_form_and_required() {
        for good in [
            "2026-01-31T09:30:00Z",
            "2026-01-31T09:30:00.5+01:00",
            "2026-01-31T09:30:00-0500",
        ] {
            assert!(has_zone(good), "{good}");
        }
        for bad in [
            "2026-01-31T09:30:00",
            "2026-02-31T09:30:00Z",
            "31.01.2026",
            "",
        ] {
            assert!(!has_zone(bad), "{bad}");
        }
    }
}
