//! Each row of the verdict table (DESIGN section 9), with the real service against the simulator.

use std::time::Duration;

use uuid::Uuid;
use wrapup::simulator::{Code, Fault, Interaction, Kind, Operation, RetryAfter};
use wrapup::store::{DeadClass, Record, State};

use crate::support::app::{SHORT_CALLS, TestApp, survey};
use crate::support::{PATIENCE, eventually};

async fn book_has(app: &TestApp, codes: f64) -> bool {
    (app.metric("wrapup_codes", "").await - codes).abs() < 0.5
}

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
async fn a_401_renews_the_token_once_for_all() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    let tokens = |control: &wrapup::simulator::Control| {
        control
            .calls()
            .iter()
            .filter(|call| call.operation == Operation::Token)
            .count()
    };
    let before = tokens(&control);
    control.revoke_tokens();
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(app.promoter(Uuid::new_v4()).await);
    }
    for id in ids {
        let record = app.reaches(id, State::Assigned).await;
        assert_eq!(record.progress.attempts, 0);
    }
    assert_eq!(
        tokens(&control) - before,
        1,
        "20 deliveries met the 401, one renewal served them"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_403_of_its_own_waits_a_minute_and_counts() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::completed(interaction).forbidden())
        .unwrap();
    let id = app.promoter(interaction).await;
    let record = app.until(id, |record| record.progress.refusals == 1).await;
    assert_eq!(record.state, State::Pending);
    assert_due_in(&record, 47..=73);
    app.finish().await;
}

#[tokio::test]
async fn a_403_is_exhausted_after_max_attempts_while_others_pass() {
    let app = TestApp::fresh("[delivery]\nmax_attempts = 2\n").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::completed(interaction).forbidden())
        .unwrap();
    let id = app.promoter(interaction).await;
    app.until(id, |record| record.progress.refusals == 1).await;
    let other = app.promoter(Uuid::new_v4()).await;
    app.reaches(other, State::Assigned).await;
    app.skip(Duration::from_secs(80));
    let record = app.reaches(id, State::Dead).await;
    assert_eq!(record.dead_class, Some(DeadClass::Exhausted));
    app.finish().await;
}

#[tokio::test]
async fn a_404_is_looked_for_twice_and_then_rejected() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .add_fault(Fault::status(404).on(Operation::State).about(interaction))
        .unwrap();
    let id = app.promoter(interaction).await;
    let record = app.until(id, |record| record.progress.looked_again).await;
    assert_due_in(&record, 10..=10);
    assert_eq!(record.progress.attempts, 0);
    app.skip(Duration::from_secs(11));
    let record = app.reaches(id, State::Dead).await;
    assert_eq!(record.dead_class, Some(DeadClass::Rejected));
    assert!(record.reason.unwrap().contains("interaction not found"));
    app.finish().await;
}

#[tokio::test]
async fn a_400_on_a_write_is_snoozed_if_the_interaction_is_not_completed() {
    let app = TestApp::fresh("[delivery]\ncheck_state = \"repeats\"\n").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::in_state(interaction, "connected"))
        .unwrap();
    let id = app.promoter(interaction).await;
    let record = app.until(id, |record| record.progress.snoozes == 1).await;
    assert_eq!(
        (record.state, record.progress.attempts),
        (State::Pending, 0)
    );
    app.finish().await;
}

#[tokio::test]
async fn a_400_for_a_code_that_was_made_anew_is_written_with_the_new_id() {
    let app = TestApp::fresh("[delivery]\ncheck_state = \"repeats\"\n").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    control.remove_code("WU_PROMPT_SUCCESS");
    let anew = Uuid::new_v4();
    control.add_code(Code {
        id: anew,
        ..Code::named("WU_PROMPT_SUCCESS")
    });
    // The book is asked for at most every 30 s, and was at the start: until then the refusal is believed.
    let mended = eventually(async || {
        let id = app.promoter(Uuid::new_v4()).await;
        let record = app.until(id, |record| record.ended_at.is_some()).await;
        record
            .code_id
            .is_some_and(|id| id.as_str() == anew.to_string())
    });
    assert!(mended.await, "no delivery was written with the new id");
    app.finish().await;
}

#[tokio::test]
async fn any_other_refusal_is_dead_with_the_platforms_message_and_the_code_id() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    for status in [400, 409, 422] {
        let interaction = Uuid::new_v4();
        let fault = Fault::status(status)
            .on(Operation::Assign)
            .about(interaction);
        control
            .add_fault(fault.body(r#"{"message":"not on a Sunday"}"#))
            .unwrap();
        let id = app.promoter(interaction).await;
        let record = app.reaches(id, State::Dead).await;
        let reason = record.reason.unwrap();
        assert_eq!(record.dead_class, Some(DeadClass::Rejected), "{status}");
        assert!(reason.contains("not on a Sunday"), "{status}: {reason}");
        assert!(
            reason.contains(&control.code_id("WU_PROMPT_SUCCESS").unwrap().to_string()),
            "{status}: {reason}"
        );
    }
    // Counted once it is written down.
    let counted =
        eventually(async || app.metric("wrapup_dead_total", "rejected").await.round() >= 3.0);
    assert!(counted.await);
    assert!(app.metric("wrapup_dead_total", "rejected").await < 3.5);
    app.finish().await;
}

#[tokio::test]
async fn an_interaction_that_is_not_completed_is_snoozed_until_it_is() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::in_state(interaction, "connected").for_looks(2))
        .unwrap();
    let id = app.promoter(interaction).await;
    let record = app.until(id, |record| record.progress.snoozes == 1).await;
    assert_due_in(&record, 23..=37);
    app.skip(Duration::from_secs(37));
    let record = app.until(id, |record| record.progress.snoozes == 2).await;
    assert_due_in(&record, 47..=73);
    app.skip(Duration::from_secs(73));
    let record = app.reaches(id, State::Assigned).await;
    assert_eq!(record.progress.attempts, 0);
    assert_eq!(
        control.received_for(interaction).len(),
        1,
        "looked at, not written to, before it was completed"
    );
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_code_leads_to_no_call_and_waits_for_the_book() {
    let app = TestApp::fresh("[codes]\nrefresh_every = \"1s\"\n").await;
    let control = app.simulator.control();
    let general = control
        .codes()
        .into_iter()
        .find(|code| *code.name == *"General")
        .unwrap();
    control.remove_code("WU_PROMPT_GENERAL");
    assert!(eventually(async || book_has(&app, 31.0).await).await);
    let interaction = Uuid::new_v4();
    let id = app.accepted(&survey(interaction, 8, 0)).await;
    let record = app
        .until(id, |record| record.progress.code_snoozes == 1)
        .await;
    assert_due_in(&record, 47..=73);
    assert!(control.received_for(interaction).is_empty());
    control.add_code(general);
    assert!(eventually(async || book_has(&app, 32.0).await).await);
    app.skip(Duration::from_secs(75));
    app.reaches(id, State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_code_dies_after_an_hour_of_successful_refreshes_without_it() {
    let app = TestApp::fresh("[codes]\nrefresh_every = \"1s\"\n").await;
    let control = app.simulator.control();
    control.remove_code("WU_PROMPT_GENERAL");
    assert!(eventually(async || book_has(&app, 31.0).await).await);
    let id = app.accepted(&survey(Uuid::new_v4(), 8, 0)).await;
    app.until(id, |record| record.progress.code_unknown_since.is_some())
        .await;
    for _ in 0..8 {
        let record = app.record(id).await;
        if record.state == State::Dead {
            break;
        }
        let before = record.progress.code_snoozes;
        app.skip(Duration::from_secs(12 * 60 + 1));
        app.until(id, |record| {
            record.progress.code_snoozes > before || record.state == State::Dead
        })
        .await;
    }
    let record = app.reaches(id, State::Dead).await;
    assert_eq!(record.dead_class, Some(DeadClass::UnknownCode));
    app.finish().await;
}

#[tokio::test]
async fn what_is_too_old_expires_after_three_tries() {
    let app = TestApp::fresh("[delivery]\nmax_age = \"1s\"\n").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .add_fault(Fault::status(500).on(Operation::Assign).about(interaction))
        .unwrap();
    let id = app.promoter(interaction).await;
    let mut record = app.until(id, |record| record.progress.tries >= 1).await;
    while record.state != State::Dead {
        let tries = record.progress.tries;
        app.skip(Duration::from_secs(5));
        record = app
            .until(id, |record| {
                record.progress.tries > tries || record.state == State::Dead
            })
            .await;
    }
    assert_eq!(record.dead_class, Some(DeadClass::Expired));
    assert!(record.progress.tries >= 3);
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
