//! What becomes of authentic bodies.

mod forms;
mod hostile;
mod items;

use serde_json::{Value as Json, json};

use super::super::tests::{NOW, signed, source, verify};
use super::super::{Payload, Stamp};
use super::*;
use crate::clock::UnixMs;

const ID: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

const FIELDS: &str = "
[fields]
interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
csat_score = { path = '$.csat_score', type = 'number', default = 0, min = 0, max = 5 }
nps_score = { path = '$.nps_score', type = 'number', required = true }
issue_type = { path = '$.issue_type', type = 'string', default = '', case = 'upper' }
answers = { path = '$.answers[?@.ref==\"x\"].value', type = 'integer' }
last = { path = '$.answers[*].value', type = 'integer', take = 'last' }
";

fn read(verify_keys: &str, body: &[u8]) -> Reading {
    let toml = format!("preset = 'hmac-sha256'\n{verify_keys}\n{FIELDS}");
    let source = source(&toml, &["s"]).unwrap();
    let verified = verify(&source, &signed(&source, body, "7"), body).unwrap();
    let mut readings = source.read(&verified);
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

#[track_caller]
fn problems(body: &str, expected: Unreadable) -> Vec<Problem> {
    match read("", body.as_bytes()) {
        Reading::Unreadable {
            kind,
            problems,
            body: kept,
            ..
        } => {
            assert_eq!(kind, expected, "{body}");
            assert_eq!(kept, body.as_bytes());
            problems
        }
        Reading::Survey { .. } => panic!("{body} was read"),
    }
}

#[test]
fn a_body_becomes_typed_fields() {
    let body = json!({
        "interactionId": ID.to_uppercase(),
        "nps_score": "10",
        "issue_type": "billing",
        "answers": [{"ref": "x", "value": 9.0}, {"ref": "y", "value": 2}],
    });
    let Reading::Survey {
        survey, body: kept, ..
    } = read("", body.to_string().as_bytes())
    else {
        panic!("not read");
    };
    assert_eq!(survey.interaction.to_string(), ID);
    assert_eq!(survey.received_at, NOW);
    assert_eq!(kept, body.to_string());
    assert_eq!(
        serde_json::to_value(&survey.fields).unwrap(),
        json!({
            "interaction_id": ID, "csat_score": 0.0, "nps_score": 10.0, "issue_type": "BILLING",
            "answers": 9, "last": 2,
        })
    );
}

#[test]
fn every_problem_is_told_at_once_and_no_value() {
    let body = json!({
        "interactionId": "canary",
        "csat_score": 99,
        "nps_score": null,
        "answers": [{"ref": "x", "value": 1}, {"ref": "x", "value": "canary"}],
    });
    let problems = problems(&body.to_string(), Unreadable::Fields);
    let told = Problem::list_json(&problems);
    assert!(!told.contains("canary") && !told.contains("99"), "{told}");
    let fields: Vec<_> = problems
        .iter()
        .map(|problem| problem.field.as_deref().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "answers",
            "csat_score",
            "interaction_id",
            "last",
            "nps_score"
        ]
    );
    let last = serde_json::to_value(&problems[4]).unwrap();
    assert_eq!(
        last,
        json!({"field": "nps_score", "path": "$.nps_score", "type": "number", "message": "missing"})
    );
    assert!(problems[0].message.starts_with("found more than once"));
}

#[test]
fn another_shape_is_a_problem_of_each_required_field() {
    for body in ["[1]", "7", "\"text\"", "null", "{}"] {
        let problems = problems(body, Unreadable::Fields);
        let paths: Vec<_> = problems
            .iter()
            .map(|problem| problem.path.as_deref().unwrap())
            .collect();
        assert_eq!(paths, ["$.interactionId", "$.nps_score"], "{body}");
    }
}

#[test]
fn what_is_not_json_is_malformed() {
    let deep = "[".repeat(129) + &"]".repeat(129);
    for body in ["", "{", "{} {}", "nps=10", &deep] {
        let problems = problems(body, Unreadable::Malformed);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].field, None);
    }
    let latin1 = read("", b"{\"issue_type\":\"caf\xe9\"}");
    let Reading::Unreadable { kind, .. } = latin1 else {
        panic!("read")
    };
    assert_eq!(kind.status(), 400);
    assert_eq!(Unreadable::Fields.status(), 422);
}

fn keys(reading: &Reading) -> (&[DedupKey], DedupKey) {
    match reading {
        Reading::Survey {
            keys, content_key, ..
        }
        | Reading::Unreadable {
            keys, content_key, ..
        } => (keys, *content_key),
    }
}

#[test]
fn keys_follow_what_is_signed() {
    let body = json!({"interactionId": ID, "nps_score": 1, "eventId": "e1"}).to_string();
    // An unsigned header: the id, and the content.
    let plain = read("", body.as_bytes());
    let (both, content) = keys(&plain);
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], content);
    // Signed: the id alone, and the same id as before is the same key.
    let with_id = read("verify.content = '{id}{body}'", body.as_bytes());
    assert_eq!(keys(&with_id), (&both[..1], content));
    // In the signed body: alone; missing there: the hash.
    let in_body = read("verify.id = 'path:$.eventId'", body.as_bytes());
    let (alone, _) = keys(&in_body);
    assert_eq!(alone.len(), 1);
    assert!(!both.contains(&alone[0]));
    for (path, body) in [("$.nothing", &*body), ("$.eventId", "not JSON")] {
        let absent = read(&format!("verify.id = 'path:{path}'"), body.as_bytes());
        let (alone, content) = keys(&absent);
        assert_eq!(alone, [content]);
    }
    let hash = read("verify.id = 'hash'", body.as_bytes());
    assert_eq!(keys(&hash), (&both[1..], content));
}

#[test]
fn a_message_sent_again_has_the_same_content_key_whatever_its_headers() {
    // Retried, it comes with a new timestamp, which is signed.
    let source = source(
        "preset = 'hmac-sha256'\nverify.timestamp = 'header:x-time'\nverify.content = '{timestamp}{body}'",
        &["s"],
    )
    .unwrap();
    let content_key = |moment: UnixMs, id: &str| {
        let stamp = Stamp {
            secret: 0,
            private_key: None,
            now: moment,
            id,
        };
        let headers = super::super::tests::map(&source.sign(&stamp, Payload::Body(b"[]")).unwrap());
        let reading = source
            .read(&verify(&source, &headers, b"[]").unwrap())
            .remove(0);
        keys(&reading).1
    };
    assert_eq!(
        content_key(NOW, "1"),
        content_key(UnixMs(NOW.0 + 1000), "2")
    );
}

#[test]
fn the_interaction_is_required_of_every_source() {
    #[track_caller]
    fn check(field: &str, expected: &str) {
        let toml = format!("preset = 'hmac-sha256'\n[fields]\n{field}");
        let problems = source(&toml, &["s"]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
    let field = |rest: &str| format!("interaction_id = {{ path = '$.id', {rest} }}");
    check("", "fields.interaction_id: missing: say where");
    check(
        &field("type = 'uuid'"),
        "fields.interaction_id.required: no survey",
    );
    check(
        &field("type = 'string', required = true"),
        "fields.interaction_id.type: interactions have",
    );
    check(
        &field(&format!("type = 'uuid', required = true, default = '{ID}'")),
        "fields.interaction_id.default: every survey",
    );
    let good = field("type = 'uuid', required = true");
    check(
        &format!("{good}\n2nd = {{ path = '$.x', type = 'string' }}"),
        "fields.2nd: a field's name",
    );
    check(
        &format!("{good}\nx = {{ path = 'x', type = 'string' }}"),
        "fields.x.path: `x` is no JSONPath",
    );
    check(
        &format!("{good}\nx = {{ path = '$.x', type = 'uuid', min = 1 }}"),
        "fields.x.min: only for",
    );
}
