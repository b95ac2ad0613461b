//! What the platform refuses: 401, 403, 404, 400 and the others.

use wrapup::simulator::Code;

use super::*;

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
    // The book was loaded a moment ago, at the start; that it is old now is not the delivery's fault.
    let id = app.promoter(Uuid::new_v4()).await;
    let record = app.reaches(id, State::Assigned).await;
    let written = record.code_id.unwrap();
    assert_eq!(written.as_str(), anew.to_string());
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
