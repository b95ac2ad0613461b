//! Conversations as the platform tells them, and the leg that takes the code.

use serde_json::{Value, json};

use super::*;
use crate::platform::assignment::tests::wanted;

fn conversation(participants: &Value) -> Conversation {
    let body =
        json!({ "id": "c", "endTime": "2026-01-31T10:00:00.000Z", "participants": participants });
    let read: wire::Conversation = serde_json::from_value(body).unwrap();
    Conversation::from(read)
}

/// An agent with one communication, connected at a minute past nine.
fn agent(name: &str, queue: &str, medium: &str, minute: u32) -> Value {
    json!({
        "id": format!("p-{name}"), "purpose": "agent", "userId": format!("u-{name}"), "queueId": queue,
        medium: [{ "id": format!("x-{name}-{minute}"), "state": "disconnected",
                   "connectedTime": format!("2026-01-31T09:{minute:02}:00.000Z") }],
    })
}

#[track_caller]
fn check(participants: &Value, hints: &Value, expected: Result<&str, &str>) {
    let wanted = Assignment {
        answers: hints.as_object().unwrap().clone(),
        ..wanted()
    };
    let conversation = conversation(participants);
    let found = conversation.leg_for(&wanted);
    match (found, expected) {
        (Ok(leg), Ok(expected)) => {
            let path = format!("{}/{}/{}", leg.medium, leg.participant, leg.communication);
            assert_eq!(path, expected);
        }
        (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    }
}

#[test]
fn after_a_transfer_the_agent_that_was_connected_last_has_it() {
    let legs = json!([
        { "id": "p-c", "purpose": "customer", "calls": [{ "id": "x", "connectedTime": "2026-01-31T09:59:00Z" }] },
        agent("b", "q-2", "calls", 20),
        agent("a", "q-1", "calls", 5),
        { "id": "p-acd", "purpose": "acd", "queueId": "q-2", "calls": [{ "id": "y", "connectedTime": "2026-01-31T09:58:00Z" }] },
    ]);
    check(&legs, &json!({}), Ok("calls/p-b/x-b-20"));
    check(
        &legs,
        &json!({"agent_id": null, "queue_id": "  "}),
        Ok("calls/p-b/x-b-20"),
    );
}

#[test]
fn the_survey_may_name_the_agent_or_the_queue() {
    let legs = json!([
        agent("a", "q-1", "calls", 5),
        agent("a", "q-3", "calls", 30),
        agent("b", "q-2", "calls", 20),
    ]);
    check(&legs, &json!({"agent_id": "U-B"}), Ok("calls/p-b/x-b-20"));
    check(&legs, &json!({"agent_id": "u-a"}), Ok("calls/p-a/x-a-30"));
    check(&legs, &json!({"queue_id": "q-1"}), Ok("calls/p-a/x-a-5"));
    check(
        &legs,
        &json!({"agent_id": "u-a", "queue_id": "q-1"}),
        Ok("calls/p-a/x-a-5"),
    );
    check(
        &legs,
        &json!({"agent_id": "u-z"}),
        Err("the agent that the survey names"),
    );
    check(
        &legs,
        &json!({"queue_id": "q-z"}),
        Err("the queue that the survey names"),
    );
    check(
        &legs,
        &json!({"agent_id": "u-b", "queue_id": "q-1"}),
        Err("agent and the queue"),
    );
}

#[test]
fn in_conferences_consultations_and_callbacks_the_last_connected_communication_counts() {
    let conference = json!([
        agent("a", "q", "calls", 5),
        agent("b", "q", "calls", 7),
        { "id": "p-c", "purpose": "user", "userId": "u-c",
          "calls": [{ "id": "x-c", "state": "disconnected" }] },
    ]);
    check(&conference, &json!({}), Ok("calls/p-b/x-b-7"));
    let callback = json!([{
        "id": "p-a", "purpose": "agent", "userId": "u-a",
        "callbacks": [{ "id": "cb", "connectedTime": "2026-01-31T09:01:00Z" }],
        "calls": [{ "id": "call", "connectedTime": "2026-01-31T09:02:00+00:00" },
                  { "id": "second", "connectedTime": "2026-01-31T09:02:00Z" }],
    }]);
    check(&callback, &json!({}), Ok("calls/p-a/second"));
    let unanswered = json!([agent("a", "q", "callbacks", 5),
        { "id": "p-b", "purpose": "agent", "userId": "u-b", "calls": [{ "id": "rang" }] }]);
    check(&unanswered, &json!({}), Ok("callbacks/p-a/x-a-5"));
}

#[test]
fn each_medium_has_its_path() {
    for (array, medium) in [
        ("calls", "calls"),
        ("callbacks", "callbacks"),
        ("chats", "chats"),
        ("cobrowsesessions", "cobrowsesessions"),
        ("emails", "emails"),
        ("messages", "messages"),
        ("screenshares", "screenshares"),
        ("socialExpressions", "socials"),
        ("videos", "videos"),
    ] {
        let legs = json!([agent("a", "q", array, 5)]);
        check(&legs, &json!({}), Ok(&format!("{medium}/p-a/x-a-5")));
    }
    let several = json!([agent("a", "q", "calls", 5), agent("a", "q", "emails", 9)]);
    check(&several, &json!({}), Ok("emails/p-a/x-a-9"));
}

#[test]
fn a_conversation_that_nobody_can_wrap_up_says_why() {
    let customer = json!([{ "id": "p", "purpose": "customer", "calls": null }]);
    check(&customer, &json!({}), Err("had no agent"));
    check(&json!([]), &json!({"agent_id": "u"}), Err("had no agent"));
    let no_user = json!([{ "id": "p", "purpose": "agent", "calls": [{ "id": "x", "connectedTime": "2026-01-31T09:01:00Z" }] }]);
    check(&no_user, &json!({}), Err("no users"));
    let rang = json!([{ "id": "p", "purpose": "agent", "userId": "u", "calls": [{ "id": "x" }] }]);
    check(&rang, &json!({}), Err("ever connected"));
}

#[test]
fn the_code_that_stands_is_the_communications_or_that_of_a_participant_with_one() {
    let code = |participant: Value| {
        let conversation = conversation(&json!([participant]));
        let leg = conversation.leg_for(&wanted()).unwrap();
        leg.code.as_ref().map(ToString::to_string)
    };
    let call = |id: &str, code: Value| json!({ "id": id, "connectedTime": "2026-01-31T09:01:00Z", "wrapup": code });
    let agent = |calls: Value| json!({ "id": "p", "purpose": "agent", "userId": "u", "wrapup": {"code": "older"}, "calls": calls });
    let one = agent(json!([call("x", json!({"code": "own"}))]));
    assert_eq!(code(one).as_deref(), Some("own"));
    assert_eq!(
        code(agent(json!([call("x", Value::Null)]))).as_deref(),
        Some("older")
    );
    let two = agent(json!([call("x", Value::Null), call("y", json!({}))]));
    assert_eq!(code(two), None);
}

#[test]
fn a_conversation_without_an_end_has_not_ended() {
    for (end, ended) in [
        (json!("2026-01-31T10:00:00Z"), true),
        (Value::Null, false),
        (json!(""), false),
    ] {
        let read: wire::Conversation =
            serde_json::from_value(json!({ "endTime": end, "participants": [] })).unwrap();
        assert_eq!(Conversation::from(read).ended, ended);
    }
}
