//! The table of DESIGN section 4, end to end: what a survey platform is answered, and what is stored then.
//!
//! Here: what is taken. In `bodies`: what is taken besides plain JSON. In `refusals`: what is not. In `unreadable`:
//! what is kept for somebody to look at. In `vocabulary`: what proves a message otherwise than by a header over its
//! body.

mod bodies;
mod refusals;
mod unreadable;
mod vocabulary;

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;
use wrapup::clock::Clock;
use wrapup::store::State;

use crate::support::app::{Answer, TestApp, answer, survey};
use crate::support::process::{SECRET, Workspace};
use crate::support::wire::Wire;
use crate::support::{eventually, load, simulator};

/// Base64, as the preset `standard-webhooks` wants it. DEMO ONLY.
const STANDARD_SECRET: &str = "whsec_ZGVtby1vbmx5LXN0YW5kYXJkLXNlY3JldA==";

/// One source for each way of answering; `FIELDS` stands for the fields of the shipped configuration.
const SOURCES: &str = r#"
[[source]]
name = "generic"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
FIELDS
[[source]]
name = "lenient"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
ack = 200
invalid = "accept"
handshake = true
content_types = ["text/plain"]
FIELDS
[[source]]
name = "standard"
preset = "standard-webhooks"
secrets = [{ value = "whsec_ZGVtby1vbmx5LXN0YW5kYXJkLXNlY3JldA==" }]
FIELDS
"#;
const FIELDS: &str = r#"
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
csat_score = { path = "$.csat_score", type = "number", default = 0 }
nps_score = { path = "$.nps_score", type = "number", default = 0 }
issue_type = { path = "$.issue_type", type = "string", default = "", case = "upper" }
"#;

async fn app(more: &str) -> TestApp {
    TestApp::fresh(&format!("{more}\n{}", SOURCES.replace("FIELDS", FIELDS))).await
}

/// Posts exactly this.
async fn post(app: &TestApp, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = app.http.post(app.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.body(body.to_vec())).await
}

/// Posts with the right signature of the preset `hmac-sha256`.
async fn post_signed(app: &TestApp, source: &str, body: &[u8]) -> Answer {
    post_as(app, source, body, "application/json").await
}

async fn post_as(app: &TestApp, source: &str, body: &[u8], content_type: &str) -> Answer {
    let signature = load::signature(SECRET.as_bytes(), body);
    let headers = [
        ("content-type", content_type),
        ("x-signature", signature.as_str()),
    ];
    post(app, &format!("/webhooks/{source}"), &headers, body).await
}

/// What the preset `standard-webhooks` expects: id, timestamp, signature.
fn standard_headers(id: &str, seconds: i64, body: &[u8]) -> [(&'static str, String); 3] {
    let key = base64::engine::general_purpose::STANDARD
        .decode(STANDARD_SECRET.trim_start_matches("whsec_"))
        .unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    let tag = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{tag}")),
    ]
}

/// Posts to the source `standard`, `skew` seconds away from now.
async fn post_standard(app: &TestApp, id: &str, skew: i64, body: &str) -> Answer {
    let seconds = app.clock.now().as_secs() + skew;
    let headers = standard_headers(id, seconds, body.as_bytes());
    let mut headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    headers.push(("content-type", "application/json"));
    post(app, "/webhooks/standard", &headers, body.as_bytes()).await
}

#[track_caller]
fn assert_status(answer: &Answer, status: u16, said: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["status"], said, "{answer:?}");
    assert_eq!(
        answer.headers["content-type"], "application/json",
        "{answer:?}"
    );
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, slug: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.body["type"],
        format!("urn:wrapup:problem:{slug}"),
        "{answer:?}"
    );
    assert_eq!(answer.body["status"], status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

/// How many deliveries there are, in whatever state.
async fn rows(app: &TestApp) -> u64 {
    let census = app.service.store.census().await.unwrap();
    census.states.iter().sum()
}

#[tokio::test]
async fn an_accepted_survey_is_told_its_id_rule_and_the_name_of_its_code() {
    let app = app("").await;
    let interaction = Uuid::new_v4();
    let body = survey(interaction, 10, 5).replace(
        &interaction.to_string(),
        &interaction.to_string().to_uppercase(),
    );
    let answer = app.post(&body).await;
    assert_status(&answer, 202, "accepted");
    let expected = json!({
        "status": "accepted",
        "deliveryId": answer.delivery(),
        "interactionId": interaction.to_string(),
        "rule": "promoter",
        "wrapUpCode": "WU_PROMPT_SUCCESS",
    });
    assert_eq!(answer.body, expected);
    assert_eq!(answer.delivery().0.get_version_num(), 7);
    app.reaches(answer.delivery(), State::Assigned).await;
    // A query is the sender's own affair.
    let body = survey(Uuid::new_v4(), 10, 5);
    let queried = post_signed(&app, "generic?from=ivr", body.as_bytes()).await;
    assert_status(&queried, 202, "accepted");
    let lenient = post_as(
        &app,
        "lenient",
        survey(Uuid::new_v4(), 3, 5).as_bytes(),
        "text/plain",
    )
    .await;
    assert_status(&lenient, 200, "accepted");
    assert_eq!(lenient.body["wrapUpCode"], "WU_PROMPT_ESCALATION");
    app.finish().await;
}

#[tokio::test]
async fn a_survey_that_no_rule_or_an_ignoring_rule_matches_is_recorded_and_assigned_nothing() {
    let clock = Clock::system();
    let simulator = simulator::on_clock(&clock).await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let rules = "[[rule]]\nname = \"noise\"\nwhen = \"nps_score == 7\"\nignore = true\n\
                 [[rule]]\nname = \"low\"\nwhen = \"nps_score < 7\"\nassign = \"WU_PROMPT_ESCALATION\"\n";
    std::fs::write(workspace.path("rules.toml"), rules).unwrap();
    let app = TestApp::on(simulator, workspace, clock).await;
    for (nps, rule) in [(7, json!("noise")), (9, Value::Null)] {
        let interaction = Uuid::new_v4();
        let body = survey(interaction, nps, 5);
        let answer = app.post(&body).await;
        assert_status(&answer, 202, "ignored");
        assert_eq!(answer.body["rule"], rule);
        assert_eq!(answer.body["wrapUpCode"], Value::Null);
        assert_eq!(answer.body["interactionId"], interaction.to_string());
        app.reaches(answer.delivery(), State::Ignored).await;
        let again = app.post(&body).await;
        assert_status(&again, 200, "duplicate");
        assert_eq!(again.delivery(), answer.delivery());
    }
    assert_eq!(app.simulator.control().received().len(), 0);
    app.finish().await;
}

#[tokio::test]
async fn with_an_unsigned_id_a_duplicate_is_known_by_either_key() {
    let app = app("").await;
    let (one, other) = (survey(Uuid::new_v4(), 10, 5), survey(Uuid::new_v4(), 9, 5));
    let first = app.post_with(&one, &[("x-delivery-id", "1")]).await;
    assert_status(&first, 202, "accepted");
    for (what, body, id) in [
        ("the same", &one, Some("1")),
        ("by its hash, without an id", &one, None),
        ("by its hash although the id differs", &one, Some("2")),
        ("by its id although the content differs", &other, Some("1")),
    ] {
        let headers: Vec<_> = id.map(|id| ("x-delivery-id", id)).into_iter().collect();
        let answer = app.post_with(body, &headers).await;
        assert_status(&answer, 200, "duplicate");
        assert_eq!(answer.delivery(), first.delivery(), "{what}");
    }
    // The replay under the id 2 has poisoned nothing: that id is free for its own survey.
    let second = app.post_with(&other, &[("x-delivery-id", "2")]).await;
    assert_status(&second, 202, "accepted");
    assert_ne!(second.delivery(), first.delivery());
    // Keys are each source's own.
    let elsewhere = post_as(&app, "lenient", one.as_bytes(), "text/plain").await;
    assert_status(&elsewhere, 200, "accepted");
    assert_eq!(rows(&app).await, 3);
    app.finish().await;
}

#[tokio::test]
async fn a_signed_id_is_the_only_key() {
    let app = app("").await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let first = post_standard(&app, "msg_1", 0, &body).await;
    assert_status(&first, 202, "accepted");
    let other = survey(Uuid::new_v4(), 9, 5);
    for (skew, body) in [(0, &body), (7, &body), (1, &other)] {
        let again = post_standard(&app, "msg_1", skew, body).await;
        assert_status(&again, 200, "duplicate");
        assert_eq!(again.delivery(), first.delivery());
    }
    let second = post_standard(&app, "msg_2", 0, &body).await;
    assert_status(&second, 202, "accepted");
    assert_ne!(second.delivery(), first.delivery());
    app.finish().await;
}

#[tokio::test]
async fn a_duplicate_is_known_after_a_restart() {
    let app = app("").await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let first = app.accepted(&body).await;
    let app = app.restart().await;
    let again = app.post(&body).await;
    assert_status(&again, 200, "duplicate");
    assert_eq!(again.delivery(), first);
    app.finish().await;
}

#[tokio::test]
async fn a_client_that_leaves_after_its_body_changes_nothing() {
    let app = app("").await;
    let control = app.simulator.control();
    let interactions: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    for interaction in &interactions {
        let mut wire = Wire::to(app.service.public).await;
        let body = survey(*interaction, 10, 5);
        wire.send(load::framed("generic", SECRET.as_bytes(), &body))
            .await;
        drop(wire);
    }
    let all_there = eventually(async || {
        interactions
            .iter()
            .all(|interaction| control.assigned(*interaction).is_some())
    });
    assert!(all_there.await, "{} rows", rows(&app).await);
    app.finish().await;
}

#[tokio::test]
async fn get_and_head_are_a_handshake_where_the_source_says_so() {
    let app = app("").await;
    for method in [http::Method::GET, http::Method::HEAD] {
        let request = app
            .http
            .request(method.clone(), app.url("/webhooks/lenient"));
        let shaken = answer(request).await;
        assert_eq!(shaken.status, 200, "{method}: {shaken:?}");
        let request = app
            .http
            .request(method.clone(), app.url("/webhooks/generic"));
        assert_eq!(answer(request).await.status, 405, "{method}");
    }
    let request = app.http.put(app.url("/webhooks/lenient"));
    let refused = answer(request).await;
    assert_problem(&refused, 405, "method-not-allowed");
    assert_eq!(refused.headers["allow"], "GET, HEAD, POST");
    app.finish().await;
}
