//! What has to wait: interactions that go on, codes that nobody knows, and how long is too long.

use super::*;

async fn book_has(app: &TestApp, codes: f64) -> bool {
    (app.metric("wrapup_codes", "").await - codes).abs() < 0.5
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
