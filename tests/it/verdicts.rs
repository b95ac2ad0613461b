//! Each row of the verdict table (DESIGN section 9), with the real service against the simulator.
//!
//! Here: what a write is answered with, and what policies ask for. In `refusals`: 401 to 4xx. In `waits`: what is not
//! decided at once.

mod refusals;
mod waits;

use std::time::Duration;

use uuid::Uuid;
use wrapup::simulator::{Fault, Interaction, Kind, Operation, RetryAfter};
use wrapup::store::{DeadClass, Record, State};

use crate::support::app::{SHORT_CALLS, TestApp, survey};
use crate::support::{PATIENCE, eventually};

fn assert_due_in(record: &Record, seconds: std::ops::RangeInclusive<i64>) {
    let waits =
        (record.due_at.expect("it is live").0 - record.story.last().expect("a story").at.0) / 1000;
    assert!(seconds.contains(&waits), "due in {waits} s: {record:#?}");
}

#[tokio::test]
async fn a_documented_2xx_assigns_and_is_recorded() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let old = control.code_id("WU_PROMPT_GENERAL").unwrap();
    control
        .set_interaction(Interaction::completed(interaction).with_code("WU_PROMPT_GENERAL"))
        .unwrap();
    let id = app.promoter(interaction).await;
    let record = app.reaches(id, State::Assigned).await;
    let received = control.received_for(interaction);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].code_name.as_deref(), Some("WU_PROMPT_SUCCESS"));
    assert_eq!(
        record.event.unwrap().as_str(),
        received[0].event_id.unwrap().to_string()
    );
    assert_eq!(
        record.code_id.unwrap().as_str(),
        received[0].code_id.unwrap().to_string()
    );
    assert_eq!(record.replaced.unwrap().as_str(), old.to_string());
    assert_eq!(record.progress.attempts, 0);
    app.finish().await;
}

#[tokio::test]
async fn every_other_2xx_and_3xx_is_unclear_and_a_look_decides() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let kinds = [
        Kind::NoEventId,
        Kind::Malformed,
        Kind::Truncated,
        Kind::Oversized,
        Kind::WrongContentType,
        Kind::Drop,
        Kind::DropMidBody,
        Kind::Redirect,
    ];
    for kind in kinds {
        let interaction = Uuid::new_v4();
        let fault = Fault::of(kind)
            .on(Operation::Assign)
            .about(interaction)
            .times(1)
            .after();
        control.add_fault(fault).unwrap();
        let id = app.promoter(interaction).await;
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!(
            control.received_for(interaction).len(),
            1,
            "{kind:?}: the look showed that the write had arrived"
        );
        assert_eq!(record.story[0].verdict, "retry", "{kind:?}");
        assert_eq!(record.progress.attempts, 1, "{kind:?}");
    }
    app.finish().await;
}

#[tokio::test]
async fn failures_that_may_pass_are_retried_with_the_same_wrap_up_time() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    for status in [408, 425, 500, 502, 503] {
        let interaction = Uuid::new_v4();
        control
            .add_fault(
                Fault::status(status)
                    .on(Operation::Assign)
                    .about(interaction)
                    .times(2),
            )
            .unwrap();
        let id = app.promoter(interaction).await;
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!(record.progress.attempts, 2, "{status}");
        let received = control.received_for(interaction);
        assert_eq!(received.len(), 3, "{status}");
        assert!(
            received
                .iter()
                .all(|write| write.wrap_up_time == received[0].wrap_up_time),
            "{status}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_failure_that_may_pass() {
    let app = TestApp::fresh(SHORT_CALLS).await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let late = Fault::latency(PATIENCE)
        .on(Operation::Assign)
        .about(interaction)
        .times(1);
    control.add_fault(late).unwrap();
    let id = app.promoter(interaction).await;
    let record = app.reaches(id, State::Assigned).await;
    assert_eq!(record.progress.attempts, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_429_pauses_everything_and_costs_no_attempt() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let fault = Fault::status(429)
        .on(Operation::Assign)
        .about(interaction)
        .times(1);
    control
        .add_fault(fault.retry_after(RetryAfter::Seconds(2)))
        .unwrap();
    let id = app.promoter(interaction).await;
    let record = app.reaches(id, State::Assigned).await;
    assert_eq!(record.progress.attempts, 0);
    assert_eq!(record.story[0].status, Some(429));
    let calls = control.calls();
    let refused = calls.iter().find(|call| call.status == Some(429)).unwrap();
    let next = calls
        .iter()
        .find(|call| call.since_start_us > refused.since_start_us)
        .unwrap();
    assert!(
        next.since_start_us - refused.since_start_us >= 1_990_000,
        "Retry-After is a floor"
    );
    assert!(app.metric("wrapup_rate_limited_total", "").await >= 1.0);
    app.finish().await;
}

#[tokio::test]
async fn shadow_mode_decides_and_writes_nothing() {
    let app = TestApp::fresh("[delivery]\nmode = \"shadow\"\n").await;
    let interaction = Uuid::new_v4();
    let id = app.promoter(interaction).await;
    let record = app.reaches(id, State::Shadowed).await;
    assert_eq!(record.code.unwrap().as_str(), "WU_PROMPT_SUCCESS");
    assert!(app.simulator.control().received_for(interaction).is_empty());
    app.finish().await;
}

#[tokio::test]
async fn if_empty_keeps_what_somebody_else_set_and_replaces_what_we_did() {
    let app = TestApp::fresh("[delivery]\noverwrite = \"if-empty\"\n").await;
    let control = app.simulator.control();
    let (theirs, ours) = (Uuid::new_v4(), Uuid::new_v4());
    control
        .set_interaction(Interaction::completed(theirs).with_code("WU_PROMPT_GENERAL"))
        .unwrap();
    let kept = app.promoter(theirs).await;
    app.reaches(kept, State::Kept).await;
    assert!(control.received_for(theirs).is_empty());
    let first = app.promoter(ours).await;
    app.reaches(first, State::Assigned).await;
    let second = app.accepted(&survey(ours, 2, 1)).await;
    app.reaches(second, State::Assigned).await;
    assert_eq!(
        control.assigned(ours).as_deref(),
        Some("WU_PROMPT_ESCALATION")
    );
    app.finish().await;
}

#[tokio::test]
async fn if_empty_replaces_our_own_code_although_the_first_write_failed() {
    let app = TestApp::fresh("[delivery]\noverwrite = \"if-empty\"\n").await;
    let control = app.simulator.control();
    for status in [503, 429] {
        let interaction = Uuid::new_v4();
        let first = app.promoter(interaction).await;
        app.reaches(first, State::Assigned).await;
        control
            .add_fault(
                Fault::status(status)
                    .retry_after(RetryAfter::Seconds(0))
                    .on(Operation::Assign)
                    .about(interaction)
                    .times(1),
            )
            .unwrap();
        let second = app.accepted(&survey(interaction, 2, 1)).await;
        app.reaches(second, State::Assigned).await;
        assert_eq!(
            control.assigned(interaction).as_deref(),
            Some("WU_PROMPT_ESCALATION"),
            "{status}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn if_empty_keeps_a_code_that_we_were_refused_and_somebody_else_set() {
    let app = TestApp::fresh("[delivery]\noverwrite = \"if-empty\"\n").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let refused = Fault::status(409).on(Operation::Assign).about(interaction);
    control.add_fault(refused.times(1)).unwrap();
    let first = app.promoter(interaction).await;
    app.reaches(first, State::Dead).await;
    control
        .set_interaction(Interaction::completed(interaction).with_code("WU_PROMPT_SUCCESS"))
        .unwrap();
    let second = app.accepted(&survey(interaction, 2, 1)).await;
    app.reaches(second, State::Kept).await;
    app.finish().await;
}

#[tokio::test]
async fn check_state_repeats_looks_only_before_a_repeat() {
    let app = TestApp::fresh("[delivery]\ncheck_state = \"repeats\"\n").await;
    let control = app.simulator.control();
    let looks = |interaction: Uuid| {
        let about = |call: &&wrapup::simulator::Call| call.interaction == Some(interaction);
        control
            .calls()
            .iter()
            .filter(about)
            .filter(|call| call.operation == Operation::State)
            .count()
    };
    let plain = Uuid::new_v4();
    let id = app.promoter(plain).await;
    app.reaches(id, State::Assigned).await;
    assert_eq!(looks(plain), 0);
    let lost = Uuid::new_v4();
    control
        .add_fault(
            Fault::of(Kind::Drop)
                .on(Operation::Assign)
                .about(lost)
                .times(1)
                .after(),
        )
        .unwrap();
    let id = app.promoter(lost).await;
    app.reaches(id, State::Assigned).await;
    assert_eq!((looks(lost), control.received_for(lost).len()), (1, 1));
    app.finish().await;
}
