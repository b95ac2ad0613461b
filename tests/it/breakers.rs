//! What holds everything up, what it costs (nothing), and how it ends: both breakers and trouble with the token.

use uuid::Uuid;
use wrapup::simulator::{Fault, Operation, RetryAfter};
use wrapup::store::State;

use crate::support::app::TestApp;
use crate::support::eventually;
use crate::support::remote::{output, text};

/// Waits until the breaker is open.
async fn opens(app: &TestApp, breaker: &str) {
    let open = eventually(async || app.metric("wrapup_breaker_open", breaker).await > 0.0).await;
    assert!(open, "the {breaker} breaker did not open");
}

#[tokio::test]
async fn a_second_401_opens_the_credentials_breaker_and_one_success_closes_it() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    control
        .add_fault(Fault::status(401).on(Operation::Assign))
        .unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.promoter(Uuid::new_v4()).await);
    }
    opens(&app, "credentials").await;
    let ready = app.admin("/readyz").await;
    assert_eq!(
        (ready.status, ready.body["status"].as_str()),
        (200, Some("degraded"))
    );
    assert_eq!(app.admin("/readyz?delivery=true").await.status, 503);
    // Why there is no code yet is told where one looks for it.
    app.until(ids[0], |record| !record.story.is_empty()).await;
    let words = ["deliveries", "show", &ids[0].to_string()];
    let told = output(&app.workspace, &words).await;
    let told = text(&told.stdout);
    assert!(told.contains("given-back"), "{told}");
    assert!(told.contains("401"), "{told}");
    control.clear_faults();
    for id in ids {
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!((record.progress.attempts, record.progress.refusals), (0, 0));
    }
    app.finish().await;
}

#[tokio::test]
async fn five_403_in_a_row_hold_everything_and_give_every_attempt_back() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    control
        .add_fault(Fault::status(403).on(Operation::Assign))
        .unwrap();
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(app.promoter(Uuid::new_v4()).await);
    }
    opens(&app, "credentials").await;
    control.clear_faults();
    for id in ids {
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!(record.progress.refusals, 0, "{record:#?}");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_outage_holds_the_backlog_and_costs_nothing() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    control.add_fault(Fault::status(503)).unwrap();
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(app.promoter(Uuid::new_v4()).await);
    }
    opens(&app, "outage").await;
    let ready = app.admin("/readyz").await;
    assert_eq!(ready.status, 200, "surveys are taken in an outage");
    assert!(
        ready.body["reasons"][0]
            .as_str()
            .unwrap()
            .contains("does not answer")
    );
    control.clear_faults();
    for id in ids {
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!(record.progress.attempts, 0, "{record:#?}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_refused_token_holds_everything_and_says_why() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    control.set_scopes(["interaction:view"]);
    control.revoke_tokens();
    let id = app.promoter(Uuid::new_v4()).await;
    opens(&app, "credentials").await;
    let ready = app.admin("/readyz?delivery=true").await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.body["reasons"]
            .to_string()
            .contains("interaction:write"),
        "{ready:?}"
    );
    control.set_scopes(["interaction:view", "interaction:write"]);
    let record = app.reaches(id, State::Assigned).await;
    assert_eq!(record.progress.attempts, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_token_endpoint_that_is_rate_limited_pauses_the_pace() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    for fault in [
        Fault::status(429).retry_after(RetryAfter::Seconds(1)),
        Fault::status(400)
            .body(r#"{"error":"invalid_request","error_description":"rate limit exceeded"}"#),
    ] {
        control
            .add_fault(fault.on(Operation::Token).times(1))
            .unwrap();
        control.revoke_tokens();
        let before = app.metric("wrapup_rate_limited_total", "").await;
        let id = app.promoter(Uuid::new_v4()).await;
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!(record.progress.attempts, 0);
        assert!(app.metric("wrapup_rate_limited_total", "").await > before);
        assert!(app.metric("wrapup_breaker_open", "").await < 0.5);
    }
    app.finish().await;
}
