//! Several surveys for one interaction: the order of acceptance, `repeat = "last"` and `"first"`; and what a restart
//! keeps.

use std::time::Duration;

use uuid::Uuid;
use wrapup::simulator::{Fault, Interaction, Kind, Operation, RetryAfter};
use wrapup::store::State;
use wrapup::units::Span;

use crate::support::app::{SHORT_CALLS, TestApp, survey};
use crate::support::{PATIENCE, eventually, on_the_wire};

#[tokio::test]
async fn the_last_survey_wins_and_earlier_ones_that_wait_are_superseded() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::in_state(interaction, "connected"))
        .unwrap();
    let first = app.accepted(&survey(interaction, 10, 5)).await;
    app.until(first, |record| record.progress.snoozes == 1)
        .await;
    let second = app.accepted(&survey(interaction, 1, 1)).await;
    app.reaches(first, State::Superseded).await;
    app.until(second, |record| record.progress.snoozes == 1)
        .await;
    control
        .set_interaction(Interaction::completed(interaction))
        .unwrap();
    app.skip(Duration::from_secs(40));
    app.reaches(second, State::Assigned).await;
    assert_eq!(control.received_for(interaction).len(), 1);
    assert_eq!(
        control.assigned(interaction).as_deref(),
        Some("WU_PROMPT_ESCALATION")
    );
    app.finish().await;
}

#[tokio::test]
async fn a_later_survey_waits_for_the_call_of_an_earlier_one_and_writes_after_it() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let held = Fault::latency(PATIENCE)
        .on(Operation::Assign)
        .about(interaction);
    let held = control.add_fault(held).unwrap();
    let first = app.accepted(&survey(interaction, 10, 5)).await;
    on_the_wire(&control, 1).await;
    let second = app.accepted(&survey(interaction, 1, 1)).await;
    control.remove_fault(held);
    app.reaches(second, State::Assigned).await;
    app.reaches(first, State::Assigned).await;
    let names: Vec<_> = control
        .received_for(interaction)
        .into_iter()
        .map(|write| write.code_name.unwrap())
        .collect();
    assert_eq!(
        names,
        ["WU_PROMPT_SUCCESS".into(), "WU_PROMPT_ESCALATION".into()]
    );
    app.finish().await;
}

#[tokio::test]
async fn after_an_unclear_write_the_next_waits_and_confirms_by_a_look() {
    let repeats = "[delivery]\ncheck_state = \"repeats\"\n";
    let app = TestApp::fresh(&[SHORT_CALLS, repeats].concat()).await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let lost = Fault::of(Kind::Drop)
        .on(Operation::Assign)
        .about(interaction)
        .after();
    let held = Fault {
        latency: Some(Span(PATIENCE)),
        ..lost
    };
    let held = control.add_fault(held).unwrap();
    let first = app.accepted(&survey(interaction, 10, 5)).await;
    on_the_wire(&control, 1).await;
    let second = app.accepted(&survey(interaction, 1, 1)).await;
    control.remove_fault(held);
    app.reaches(first, State::Superseded).await;
    let record = app.reaches(second, State::Assigned).await;
    assert_eq!(
        record.replaced.unwrap().as_str(),
        control.code_id("WU_PROMPT_SUCCESS").unwrap().to_string()
    );
    assert_eq!(
        control.assigned(interaction).as_deref(),
        Some("WU_PROMPT_ESCALATION")
    );
    app.finish().await;
}

#[tokio::test]
async fn a_survey_waits_for_an_unclear_write_even_where_a_later_one_was_clear() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let lost = Fault::of(Kind::Drop)
        .on(Operation::Assign)
        .about(interaction)
        .times(1);
    control.add_fault(lost).unwrap();
    let first = app.accepted(&survey(interaction, 10, 5)).await;
    let first = app.reaches(first, State::Assigned).await;
    // For all that is known the call that was cut off is still on its way.
    let until = first.progress.lands_until.unwrap();
    let second = app.accepted(&survey(interaction, 1, 1)).await;
    let held = app.record(second).await;
    if held.accepted_at < until {
        assert_eq!(held.due_at, Some(until), "{held:?}");
        app.skip(Duration::from_secs(10));
    }
    app.reaches(second, State::Assigned).await;
    let writes = control.received_for(interaction);
    let newest = writes.iter().rfind(|write| write.applied());
    assert_eq!(
        newest.unwrap().code_name.as_deref(),
        Some("WU_PROMPT_ESCALATION")
    );
    app.finish().await;
}

#[tokio::test]
async fn the_first_survey_wins_once_it_is_assigned() {
    let app = TestApp::fresh("[delivery]\nrepeat = \"first\"\n").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::in_state(interaction, "connected"))
        .unwrap();
    let first = app.accepted(&survey(interaction, 10, 5)).await;
    app.until(first, |record| record.progress.snoozes == 1)
        .await;
    let second = app.accepted(&survey(interaction, 1, 1)).await;
    assert_eq!(app.record(second).await.state, State::Pending);
    control
        .set_interaction(Interaction::completed(interaction))
        .unwrap();
    app.skip(Duration::from_secs(40));
    app.reaches(first, State::Assigned).await;
    app.reaches(second, State::Superseded).await;
    let third = app.accepted(&survey(interaction, 2, 1)).await;
    app.reaches(third, State::Superseded).await;
    assert_eq!(control.received_for(interaction).len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn when_the_first_dies_the_next_takes_its_place() {
    let app = TestApp::fresh("[delivery]\nrepeat = \"first\"\n").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    control
        .set_interaction(Interaction::in_state(interaction, "connected"))
        .unwrap();
    let first = app.accepted(&survey(interaction, 10, 5)).await;
    app.until(first, |record| record.progress.snoozes == 1)
        .await;
    let second = app.accepted(&survey(interaction, 1, 1)).await;
    control
        .set_interaction(Interaction::completed(interaction))
        .unwrap();
    control
        .add_fault(
            Fault::status(409)
                .on(Operation::Assign)
                .about(interaction)
                .times(1),
        )
        .unwrap();
    app.skip(Duration::from_secs(40));
    app.reaches(first, State::Dead).await;
    app.reaches(second, State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn a_long_pause_outlives_a_restart_and_surveys_are_still_taken() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let interaction = Uuid::new_v4();
    let fault = Fault::status(429)
        .on(Operation::Assign)
        .about(interaction)
        .times(1);
    control
        .add_fault(fault.retry_after(RetryAfter::Seconds(3600)))
        .unwrap();
    let first = app.promoter(interaction).await;
    assert!(
        eventually(async || app.metric("wrapup_pacer_paused_seconds", "").await > 3000.0).await
    );
    let app = app.restart().await;
    let calls = control.calls().len();
    assert!(app.metric("wrapup_pacer_paused_seconds", "").await > 3000.0);
    let ready = app.admin("/readyz").await;
    assert_eq!(
        (ready.status, ready.body["status"].as_str()),
        (200, Some("degraded"))
    );
    let second = app.promoter(Uuid::new_v4()).await;
    assert_eq!(control.calls().len(), calls, "nothing was called");
    for id in [first, second] {
        assert_eq!(app.record(id).await.state, State::Pending);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_restart_in_an_outage_works_with_the_last_good_code_book() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    control
        .add_fault(Fault::status(503).on(Operation::Codes))
        .unwrap();
    let app = app.restart().await;
    let id = app.promoter(Uuid::new_v4()).await;
    app.reaches(id, State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn a_look_before_the_first_answer_makes_no_good_start_of_refused_credentials() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let warm = app.promoter(Uuid::new_v4()).await;
    app.reaches(warm, State::Assigned).await;
    let refused = Fault::status(401).on(Operation::Token);
    let held = Fault {
        latency: Some(Span(PATIENCE)),
        ..refused.clone()
    };
    let held = control.add_fault(held).unwrap();
    let app = app.restart().await;
    // The code book is a kept one, and of the credentials nothing is known yet.
    assert_eq!(app.admin("/readyz").await.status, 200);
    control.add_fault(refused).unwrap();
    control.remove_fault(held);
    let closed = eventually(async || app.admin("/readyz").await.status == 503).await;
    assert!(closed, "{:?}", app.admin("/readyz").await.body);
    control.clear_faults();
    let open = eventually(async || app.admin("/readyz").await.status == 200).await;
    assert!(open, "{:?}", app.admin("/readyz").await.body);
    app.finish().await;
}

#[tokio::test]
async fn a_step_of_the_clock_delays_nothing() {
    let app = TestApp::fresh("").await;
    for step in [-3_600_000, 3_600_000] {
        app.clock.step_ms(step);
        let id = app.promoter(Uuid::new_v4()).await;
        app.reaches(id, State::Assigned).await;
    }
    app.finish().await;
}
