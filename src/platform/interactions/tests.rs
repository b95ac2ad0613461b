//! The Interaction API, call by call, against a stub.

use axum::response::Response;
use http::Method;

use super::*;
use crate::platform::Overwrite;
use crate::platform::assignment::tests::wanted;
use crate::platform::stub::{Seen as Request, Stub, json, pacer, with};

const EVENTS: &str = "/api/v2/interactions/events";
const STATE: &str = "/api/v2/interactions/a1b2c3d4-e5f6-7890-abcd-ef1234567890";
const CODES: &str = "/api/v2/routing/wrapupcodes";

fn api(stub: &Stub) -> InteractionsApi {
    let registry = Registry::new();
    InteractionsApi::new(stub.config(), pacer(&registry), Clock::system(), &registry).unwrap()
}

/// Answers the state of the interaction and the write in turn; `nth` counts the requests to that path from 0.
async fn stub(
    answer: impl Fn(&Request, usize) -> Response + Clone + Send + Sync + 'static,
) -> Stub {
    let counts: std::sync::Arc<std::sync::Mutex<std::collections::HashMap<String, usize>>> =
        std::sync::Arc::default();
    Stub::start(move |seen: Request| {
        let (answer, counts) = (answer.clone(), std::sync::Arc::clone(&counts));
        async move {
            if seen.path == "/oauth/token" {
                return json(200, r#"{"access_token":"t","expires_in":60}"#);
            }
            let nth = {
                let mut counts = counts.lock().unwrap();
                let count = counts.entry(seen.path.clone()).or_default();
                *count += 1;
                *count - 1
            };
            answer(&seen, nth)
        }
    })
    .await
}

fn taken() -> Response {
    json(201, r#"{"eventId":"e-1"}"#)
}

fn assigned(replaced: Option<&str>) -> Outcome {
    Outcome::Assigned {
        event: Some(EventId::new("e-1")),
        replaced: replaced.map(CodeId::new),
        detail: String::new(),
    }
}

/// One look with the given answer, and a write that is taken.
#[track_caller]
fn check_look(state: &str, code: Option<&str>, wanted: &Assignment, expected: Option<&Outcome>) {
    let seen = Seen {
        state: state.to_owned(),
        code: code.map(CodeId::new),
    };
    assert_eq!(judge(&seen, wanted).as_ref(), expected);
}

#[test]
fn what_a_look_means() {
    let found = || CodeId::new("other");
    let always = wanted();
    let if_empty = Assignment {
        overwrite: Overwrite::IfEmpty,
        ..wanted()
    };
    let ours = Assignment {
        ours: vec![CodeId::new("OTHER")],
        ..if_empty.clone()
    };
    let not_yet = Outcome::NotCompleted {
        state: "active".to_owned(),
    };
    check_look("completed", None, &always, None);
    check_look("completed", Some("other"), &always, None);
    check_look(
        "completed",
        Some("wanted"),
        &always,
        Some(&Outcome::AlreadyAssigned),
    );
    check_look(
        "active",
        Some("wanted"),
        &if_empty,
        Some(&Outcome::AlreadyAssigned),
    );
    check_look("active", Some("other"), &if_empty, Some(&not_yet));
    check_look("completed", None, &if_empty, None);
    check_look(
        "completed",
        Some("other"),
        &if_empty,
        Some(&Outcome::Kept { found: found() }),
    );
    check_look("completed", Some("other"), &ours, None);
}

#[tokio::test]
async fn look_and_write() {
    let stub = stub(|seen, _| match seen.method {
        Method::POST => taken(),
        _ => json(
            200,
            r#"{"id":"x","state":"completed","wrapUpCode":{"id":"old"}}"#,
        ),
    })
    .await;
    let report = api(&stub).assign(&wanted()).await;
    assert_eq!(report.outcome, assigned(Some("old")));
    assert!(report.wrote);
    let seen = stub.seen();
    let paths: Vec<_> = seen.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/oauth/token", STATE, EVENTS]);
    assert!(
        String::from_utf8_lossy(&seen[2].body)
            .contains(r#""wrapUpTime":"1970-01-01T00:00:00.000Z""#)
    );
    assert_eq!(seen[2].headers["content-type"], "application/json");
    assert!(
        seen[2].headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("wrapup/")
    );
}

#[tokio::test]
async fn without_a_look_it_writes_at_once() {
    let stub = stub(|_, _| taken()).await;
    let report = api(&stub)
        .assign(&Assignment {
            look: Look::No,
            ..wanted()
        })
        .await;
    assert_eq!(report.outcome, assigned(None));
    assert_eq!(stub.count(STATE), 0);
}

#[tokio::test]
async fn a_look_that_fails_writes_nothing() {
    for (status, body) in [
        (404, ""),
        (503, ""),
        (200, "<html>"),
        (200, r#"{"id":"x"}"#),
    ] {
        let stub = stub(move |_, _| json(status, body)).await;
        let report = api(&stub).assign(&wanted()).await;
        assert!(!report.wrote);
        assert!(matches!(
            report.outcome,
            Outcome::Failed {
                step: Step::Look,
                ..
            }
        ));
        assert_eq!(stub.count(EVENTS), 0);
    }
}

#[tokio::test]
async fn a_2xx_without_an_event_id_is_unclear() {
    for body in [
        "",
        "ok",
        "{}",
        r#"{"eventId":""}"#,
        r#"{"eventId":7}"#,
        r#"{"eventId":"e"#,
    ] {
        let stub = stub(move |_, _| json(200, body)).await;
        let ask = Assignment {
            look: Look::No,
            ..wanted()
        };
        let report = api(&stub).assign(&ask).await;
        assert!(report.wrote, "{body}");
        assert!(
            matches!(
                report.outcome,
                Outcome::Failed {
                    step: Step::Write,
                    failure: Failure::Unavailable {
                        status: Some(200),
                        ..
                    }
                }
            ),
            "{body}: {report:?}"
        );
    }
}

/// A write answered by 400, after which a look shows this.
async fn after_a_400(second_look: &'static str) -> Outcome {
    let stub = stub(move |seen, nth| match (&seen.method, nth) {
        (&Method::POST, _) => json(400, r#"{"message":"no"}"#),
        (_, 0) => json(200, r#"{"state":"completed"}"#),
        _ => json(200, second_look),
    })
    .await;
    let report = api(&stub).assign(&wanted()).await;
    assert!(report.wrote);
    assert_eq!(stub.count(STATE), 2);
    report.outcome
}

#[tokio::test]
async fn a_400_is_looked_at_once_more() {
    assert!(matches!(
        after_a_400(r#"{"state":"active"}"#).await,
        Outcome::NotCompleted { .. }
    ));
    let there = r#"{"state":"completed","wrapUpCode":{"id":"wanted"}}"#;
    assert_eq!(after_a_400(there).await, Outcome::AlreadyAssigned);
    let refused = Outcome::Failed {
        step: Step::Write,
        failure: Failure::Refused {
            status: 400,
            detail: "no".to_owned(),
        },
    };
    assert_eq!(after_a_400(r#"{"state":"completed"}"#).await, refused);
    assert!(matches!(
        after_a_400("oops").await,
        Outcome::Failed {
            step: Step::Look,
            failure: Failure::Unavailable { .. }
        }
    ));
}

/// A list of three codes on two pages; `spoil` may give another answer to the nth request.
async fn codes(spoil: fn(usize) -> Option<Response>) -> (Result<Vec<Code>, Failure>, Stub) {
    let stub = stub(move |seen, nth| {
        if let Some(answer) = spoil(nth) {
            return answer;
        }
        assert!(seen.query.contains("pageSize=2") && seen.query.contains("divisionId=di%26v"));
        let entities = if seen.query.contains("pageNumber=1") {
            r#"{"id":"1","code":"A"},{"id":"2","code":"B"}"#
        } else {
            r#"{"id":"3","code":"C","name":"c"}"#
        };
        json(
            200,
            &format!(r#"{{"entities":[{entities}],"pageCount":2,"total":3}}"#),
        )
    })
    .await;
    (api(&stub).load_codes().await, stub)
}

#[tokio::test]
async fn codes_are_read_page_by_page() {
    let (codes, stub) = codes(|_| None).await;
    let names: Vec<_> = codes
        .unwrap()
        .iter()
        .map(|code| code.name.to_string())
        .collect();
    assert_eq!(names, ["A", "B", "C"]);
    assert_eq!(stub.count(CODES), 2);
}

#[tokio::test]
async fn a_429_asks_for_the_same_page_again() {
    let (codes, stub) =
        codes(|nth| (nth == 1).then(|| with(json(429, ""), "retry-after", "1"))).await;
    assert_eq!(codes.unwrap().len(), 3);
    let pages: Vec<_> = stub
        .seen()
        .into_iter()
        .filter(|one| one.path == CODES)
        .map(|one| one.query.contains("pageNumber=2"))
        .collect();
    assert_eq!(pages, [false, true, true]);
}

fn short_page() -> Response {
    json(
        200,
        r#"{"entities":[{"id":"1","code":"A"}],"pageCount":1,"total":3}"#,
    )
}

#[tokio::test]
async fn a_list_that_is_not_whole_is_read_once_more() {
    let (healed, _) = codes(|nth| if nth == 0 { Some(short_page()) } else { None }).await;
    assert_eq!(healed.unwrap().len(), 3);
    let (failed, stub) = codes(|_| Some(short_page())).await;
    assert!(matches!(failed, Err(Failure::Unavailable { .. })));
    assert_eq!(stub.count(CODES), 2);
}

#[tokio::test]
async fn an_empty_list_and_a_failing_page_are_failures() {
    let (empty, _) = codes(|_| Some(json(200, r#"{"entities":[],"pageCount":0,"total":0}"#))).await;
    assert!(matches!(empty, Err(Failure::Unavailable { .. })));
    let (failed, stub) = codes(|nth| (nth == 1).then(|| json(500, ""))).await;
    assert!(matches!(
        failed,
        Err(Failure::Unavailable {
            status: Some(500),
            ..
        })
    ));
    assert_eq!(stub.count(CODES), 2);
}

#[tokio::test]
async fn a_probe_is_one_page() {
    let stub = stub(|_, _| json(200, r#"{"entities":[],"pageCount":9}"#)).await;
    let api = api(&stub);
    api.probe().await.unwrap();
    api.renew_token().await.unwrap();
    assert_eq!(stub.count(CODES), 1);
    assert_eq!(stub.count("/oauth/token"), 2);
}

#[tokio::test]
async fn a_preview_says_what_would_be_and_writes_nothing() {
    let answers = [
        (r#"{"state":"completed"}"#, "none", "WU (WANTED)"),
        (
            r#"{"state":"completed","wrapUpCode":{"id":"wanted"}}"#,
            "wanted",
            "nothing: WU (WANTED) stands there already",
        ),
        (r#"{"state":"active"}"#, "", "nothing yet"),
    ];
    for (state, stands, would) in answers {
        let stub = stub(move |_, _| json(200, state)).await;
        let preview = api(&stub).preview(&wanted()).await.unwrap();
        let text = |name: &str| {
            let found = preview.lines.iter().find(|(line, _)| *line == name);
            found.map_or("", |(_, text)| text.as_str())
        };
        assert_eq!(text("code there now"), stands, "{preview:?}");
        assert!(text("would write").starts_with(would), "{preview:?}");
        assert_eq!(stub.count(STATE), 1);
        assert!(stub.seen().iter().all(|seen| seen.path != EVENTS));
    }
}
