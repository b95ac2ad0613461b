//! The conversations API, call by call, against a stub.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::platform::assignment::tests::wanted;
use crate::platform::stub::{Seen, Stub, json, pacer, with};
use crate::platform::{Api, Notes};

mod around;

const READ: &str = "/api/v2/conversations/a1b2c3d4-e5f6-7890-abcd-ef1234567890";
const WRAPUP: &str = "/api/v2/conversations/calls/a1b2c3d4-e5f6-7890-abcd-ef1234567890/participants/p-1/communications/x-1/wrapup";
const QUEUE_CODES: &str =
    "/api/v2/conversations/a1b2c3d4-e5f6-7890-abcd-ef1234567890/participants/p-1/wrapupcodes";

fn settings() -> Conversations {
    Conversations {
        notes: None,
        check_queue_codes: false,
        confirm_within: Duration::from_secs(3),
    }
}

fn api(stub: &Stub, settings: Conversations) -> ConversationsApi {
    let registry = Registry::new();
    let config = Config {
        api: Api::Conversations(settings.clone()),
        ..stub.config()
    };
    ConversationsApi::new(
        config,
        settings,
        pacer(&registry),
        Clock::system(),
        &registry,
    )
    .unwrap()
}

/// One agent with a call in a conversation that has ended; `code` stands there.
fn ended(code: Option<&str>) -> Value {
    json!({
        "id": "c", "endTime": "2026-01-31T10:00:00.000Z",
        "participants": [
            { "id": "p-0", "purpose": "customer", "calls": [{ "id": "x-0", "connectedTime": "2026-01-31T09:00:00Z" }] },
            { "id": "p-1", "purpose": "agent", "userId": "u-1", "queueId": "q-1", "wrapupRequired": true,
              "calls": [{ "id": "x-1", "state": "disconnected", "connectedTime": "2026-01-31T09:01:00Z",
                          "wrapup": code.map(|code| json!({ "code": code })) }] },
        ],
    })
}

/// Answers by method and path; `nth` counts the requests to that method and path from 0.
async fn stub(answer: impl Fn(&Seen, usize) -> Response + Clone + Send + Sync + 'static) -> Stub {
    let counts: Arc<Mutex<HashMap<(Method, String), usize>>> = Arc::default();
    Stub::start(move |seen: Seen| {
        let (answer, counts) = (answer.clone(), Arc::clone(&counts));
        async move {
            if seen.path == "/oauth/token" {
                return json(200, r#"{"access_token":"t","expires_in":3600}"#);
            }
            let nth = {
                let mut counts = counts.lock().unwrap();
                let count = counts.entry((seen.method.clone(), seen.path.clone()));
                let count = count.or_default();
                *count += 1;
                *count - 1
            };
            answer(&seen, nth)
        }
    })
    .await
}

/// The conversation as told, a write that is taken, and the code to be read `after` so many looks.
async fn willing(conversation: Value, after: usize) -> Stub {
    stub(
        move |seen, nth| match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", READ) => json(200, &conversation.to_string()),
            ("POST", WRAPUP) => with(json(202, ""), "inin-correlation-id", "corr-1"),
            ("GET", WRAPUP) if nth >= after => json(200, r#"{"code":"wanted","notes":"n"}"#),
            ("GET", WRAPUP) => json(404, r#"{"code":"not.found"}"#),
            _ => json(500, ""),
        },
    )
    .await
}

fn calls(stub: &Stub) -> Vec<String> {
    stub.seen()
        .iter()
        .filter(|seen| seen.path != "/oauth/token")
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

#[tokio::test]
async fn an_assignment_reads_writes_and_reads_back() {
    let stub = willing(ended(Some("before")), 0).await;
    let report = api(&stub, settings()).assign(&wanted()).await;
    let Outcome::Assigned {
        event: None,
        replaced,
        detail,
    } = &report.outcome
    else {
        panic!("{report:?}")
    };
    assert!(report.wrote);
    assert_eq!(replaced.as_ref().map(CodeId::as_str), Some("before"));
    assert!(detail.contains("ININ-Correlation-Id corr-1"), "{detail}");
    let expected = [
        format!("GET {READ}"),
        format!("POST {WRAPUP}"),
        format!("GET {WRAPUP}"),
    ];
    assert_eq!(calls(&stub), expected, "three requests for one assignment");
    let write = &stub.seen()[2];
    assert_eq!(&write.body[..], br#"{"code":"WANTED"}"#);
}

#[tokio::test]
async fn the_note_goes_with_the_code() {
    let stub = willing(ended(None), 0).await;
    let notes = Notes::parse("NPS {nps_score} ({rule})", |name| name == "nps_score").unwrap();
    let with_notes = Conversations {
        notes: Some(notes),
        ..settings()
    };
    let mut wanted = wanted();
    wanted.answers.insert("nps_score".to_owned(), json!(9.0));
    api(&stub, with_notes).assign(&wanted).await;
    let body: Value = serde_json::from_slice(&stub.seen()[2].body).unwrap();
    assert_eq!(body, json!({"code": "WANTED", "notes": "NPS 9 (promoter)"}));
}

#[tokio::test]
async fn a_write_that_takes_its_time_is_looked_for_again() {
    let stub = willing(ended(None), 1).await;
    let report = api(&stub, settings()).assign(&wanted()).await;
    assert!(
        matches!(report.outcome, Outcome::Assigned { .. }),
        "{report:?}"
    );
    assert_eq!(calls(&stub).len(), 4);
}

#[tokio::test]
async fn a_write_that_is_never_seen_is_overdue_and_not_repeated_by_itself() {
    let stub = willing(ended(None), usize::MAX).await;
    let short = Conversations {
        confirm_within: Duration::from_millis(700),
        ..settings()
    };
    let report = api(&stub, short).assign(&wanted()).await;
    let Outcome::Unconfirmed {
        written_ago,
        overdue: true,
        ..
    } = report.outcome
    else {
        panic!("{report:?}")
    };
    assert!(written_ago >= Duration::from_millis(700));
    assert_eq!(
        calls(&stub)
            .iter()
            .filter(|call| call.starts_with("POST"))
            .count(),
        1
    );
}

#[tokio::test]
async fn looking_for_a_write_ends_with_the_lease_and_with_the_service() {
    let stub = willing(ended(None), usize::MAX).await;
    let api = api(&stub, settings());
    // The token is there before the lease begins to run out.
    api.renew_token().await.unwrap();
    let short = stub.config().request_timeout + Duration::from_millis(400);
    let wanted = Assignment {
        lease_ends: Instant::now() + short,
        ..wanted()
    };
    let report = api.assign(&wanted).await;
    let early =
        |report: &Report| matches!(report.outcome, Outcome::Unconfirmed { overdue: false, .. });
    assert!(early(&report) && report.wrote, "{report:?}");

    let whole = Assignment {
        lease_ends: Instant::now() + Duration::from_secs(30),
        ..wanted
    };
    let (report, ()) = tokio::join!(api.assign(&whole), async {
        let writes = |call: &&String| call.starts_with("POST");
        while calls(&stub).iter().filter(writes).count() < 2 {
            tokio::task::yield_now().await;
        }
        api.client.close();
    });
    assert!(early(&report), "{report:?}");
}

/// What comes of an assignment where the conversation is told so; nothing may be written.
async fn unwritten(conversation: Value, wanted: &Assignment) -> Outcome {
    let stub = willing(conversation, 0).await;
    let report = api(&stub, settings()).assign(wanted).await;
    assert!(!report.wrote);
    assert_eq!(calls(&stub), [format!("GET {READ}")]);
    report.outcome
}

#[tokio::test]
async fn what_a_look_shows_decides() {
    let if_empty = Assignment {
        overwrite: Overwrite::IfEmpty,
        ..wanted()
    };
    let found = CodeId::new("other");
    assert_eq!(
        unwritten(ended(Some("wanted")), &wanted()).await,
        Outcome::AlreadyAssigned
    );
    assert_eq!(
        unwritten(ended(Some("other")), &if_empty).await,
        Outcome::Kept { found }
    );
    let mut running = ended(Some("wanted"));
    running["endTime"] = Value::Null;
    let state = "not ended".to_owned();
    assert_eq!(
        unwritten(running, &wanted()).await,
        Outcome::NotCompleted { state }
    );
    let mut nobody = ended(None);
    nobody["participants"].as_array_mut().unwrap().truncate(1);
    let told = unwritten(nobody, &wanted()).await;
    assert!(
        matches!(&told, Outcome::Unfit { reason } if reason.contains("no agent")),
        "{told:?}"
    );
}

#[tokio::test]
async fn after_an_unclear_write_nothing_is_written_until_it_should_have_been_seen() {
    let just_now = Assignment {
        written_ago: Some(Duration::from_secs(1)),
        look: Look::Now,
        ..wanted()
    };
    let told = unwritten(ended(None), &just_now).await;
    assert!(
        matches!(told, Outcome::Unconfirmed { overdue: false, .. }),
        "{told:?}"
    );
    let long_ago = Assignment {
        written_ago: Some(Duration::from_secs(3)),
        ..just_now
    };
    let stub = willing(ended(None), 0).await;
    let report = api(&stub, settings()).assign(&long_ago).await;
    assert!(
        matches!(report.outcome, Outcome::Assigned { .. }),
        "{report:?}"
    );
}

/// The write is answered so.
async fn refused(status: u16, body: &'static str, second: Value) -> Report {
    let stub = stub(
        move |seen, nth| match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", READ) if nth == 0 => json(200, &ended(None).to_string()),
            ("GET", READ) => json(200, &second.to_string()),
            ("POST", WRAPUP) => json(status, body),
            _ => json(500, ""),
        },
    )
    .await;
    api(&stub, settings()).assign(&wanted()).await
}

#[tokio::test]
async fn a_refused_write_is_told_apart_by_what_it_means() {
    let failure = |report: Report| match report.outcome {
        Outcome::Failed { step, failure } => (step, failure),
        other => panic!("{other:?}"),
    };
    let (step, told) = failure(refused(403, r#"{"code":"missing.permissions"}"#, json!({})).await);
    assert_eq!(step, Step::Write);
    assert!(
        matches!(&told, Failure::Barred { detail, .. } if detail.contains("conversation:participant:wrapup")),
        "{told}"
    );
    let (_, told) = failure(refused(400, r#"{"code":"not.a.user"}"#, json!({})).await);
    assert!(
        matches!(told, Failure::Barred { status: 400, .. }),
        "{told}"
    );
    let (_, told) = failure(refused(400, r#"{"code":"bad.request"}"#, ended(None)).await);
    assert!(
        matches!(told, Failure::Refused { status: 400, .. }),
        "{told}"
    );
    let report = refused(400, r#"{"code":"bad.request"}"#, ended(Some("wanted"))).await;
    assert_eq!(report.outcome, Outcome::AlreadyAssigned);
    let (step, told) = failure(refused(503, "", json!({})).await);
    assert_eq!(step, Step::Write);
    assert!(
        matches!(
            told,
            Failure::Unavailable {
                status: Some(503),
                ..
            }
        ),
        "{told}"
    );
}

#[tokio::test]
async fn a_look_back_that_fails_does_not_forget_the_write() {
    let stub = stub(|seen, _| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", READ) => json(200, &ended(None).to_string()),
        ("POST", WRAPUP) => json(202, ""),
        _ => json(502, ""),
    })
    .await;
    let report = api(&stub, settings()).assign(&wanted()).await;
    assert!(report.wrote);
    let Outcome::Failed {
        step: Step::Confirm,
        ..
    } = report.outcome
    else {
        panic!("{report:?}")
    };
}

#[tokio::test]
async fn who_may_not_read_wrap_ups_reads_the_conversation_back() {
    let stub = stub(
        |seen, nth| match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", READ) if nth == 0 => json(200, &ended(None).to_string()),
            ("GET", READ) => json(200, &ended(Some("wanted")).to_string()),
            ("POST", WRAPUP) => json(202, ""),
            _ => json(403, r#"{"code":"missing.permissions"}"#),
        },
    )
    .await;
    let report = api(&stub, settings()).assign(&wanted()).await;
    assert!(
        matches!(report.outcome, Outcome::Assigned { .. }),
        "{report:?}"
    );
    assert_eq!(calls(&stub).len(), 4);
}
