//! Dead deliveries that are tried again.

use std::time::Duration;

use uuid::Uuid;
use wrapup::metrics::Registry;
use wrapup::simulator::{Fault, Interaction, Operation};
use wrapup::store::operate::{Fate, Operate, Redrive};
use wrapup::store::sqlite::{Role, SqliteStore};
use wrapup::store::{DeadClass, State, Store};

use super::{deliveries, lines, listed};
use crate::support::app::TestApp;

/// Lets a delivery die of a 404.
async fn died(app: &TestApp, interaction: Uuid) -> wrapup::ids::DeliveryId {
    let missing = Fault::status(404)
        .on(Operation::State)
        .about(interaction)
        .times(2);
    app.simulator.control().add_fault(missing).unwrap();
    let id = app.promoter(interaction).await;
    app.until(id, |record| record.progress.looked_again).await;
    app.skip(Duration::from_secs(11));
    app.reaches(id, State::Dead).await;
    id
}

#[tokio::test]
async fn by_class_or_id_they_are_assigned_once_the_cause_is_gone() {
    let app = TestApp::fresh("").await;
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let ids = [died(&app, one).await, died(&app, other).await];
    let dead = listed(&app.workspace, &["--class", "rejected"]).await;
    assert_eq!(dead.len(), 2);
    assert!(
        dead[0]["reason"].as_str().unwrap().contains("not found"),
        "{dead:?}"
    );
    let id = ids[0].to_string();
    // Named twice, it is taken once.
    let (code, told) = lines(&app.workspace, &["redrive", &id, &id, "--json"]).await;
    assert_eq!((code, &told[0]["outcome"]), (0, &"pending".into()));
    assert_eq!(told[1]["summary"], serde_json::json!({"pending": 1}));
    app.reaches(ids[0], State::Assigned).await;
    assert_eq!(app.record(ids[1]).await.state, State::Dead);
    for (class, expected) in [("expired", "there is none\n"), ("rejected", "1 pending\n")] {
        let (code, out) = deliveries(&app.workspace, &["redrive", "--class", class]).await;
        assert_eq!(code, 0);
        assert!(out.ends_with(expected), "{out}");
    }
    let record = app.reaches(ids[1], State::Assigned).await;
    assert_eq!(record.seq, 2, "it keeps its number");
    let verdicts: Vec<_> = record.story.iter().map(|it| it.verdict.as_str()).collect();
    assert_eq!(verdicts, ["snooze", "dead", "redriven", "assigned"]);
    for interaction in [one, other] {
        assert!(app.simulator.control().assigned(interaction).is_some());
    }
    app.finish().await;
}

#[tokio::test]
async fn what_is_tried_again_has_its_whole_age_before_it() {
    let app = TestApp::fresh("[delivery]\nmax_age = \"1h\"\n").await;
    let interaction = Uuid::new_v4();
    let control = app.simulator.control();
    let open = Interaction::in_state(interaction, "connected");
    control.set_interaction(open).unwrap();
    let id = app.promoter(interaction).await;
    app.until(id, |record| record.progress.snoozes == 1).await;
    // What comes of the next try, which is due after so long.
    let tried_after = async |span: Duration| {
        let before = app.record(id).await.progress.snoozes;
        app.skip(span);
        app.until(id, |record| {
            record.progress.snoozes > before || record.state == State::Dead
        })
        .await
    };
    let mut dead = tried_after(Duration::from_mins(20)).await;
    while dead.state != State::Dead {
        dead = tried_after(Duration::from_mins(20)).await;
    }
    assert_eq!(dead.dead_class, Some(DeadClass::Expired), "{dead:?}");
    // On the clock of the service, which is hours ahead of a command's.
    let tool = tool(&app).await;
    let how = Redrive {
        at: app.clock.now(),
        force: false,
        dry_run: false,
    };
    let fates = tool.redrive(vec![dead.seq], how).await.unwrap();
    assert_eq!(fates, [Fate::Live { over: None }]);
    tool.close().await;
    app.until(id, |record| record.progress.snoozes == 1).await;
    // As many tries as were enough to expire before.
    for _ in 0..4 {
        let record = tried_after(Duration::from_mins(7)).await;
        assert_eq!(record.state, State::Pending, "{record:?}");
    }
    control
        .set_interaction(Interaction::completed(interaction))
        .unwrap();
    app.skip(Duration::from_mins(20));
    app.reaches(id, State::Assigned).await;
    app.finish().await;
}

/// The file of the running service, as a command opens it.
async fn tool(app: &TestApp) -> SqliteStore {
    let variables = std::iter::empty();
    let secrets = wrapup::config::Secrets::Needed;
    let loaded = wrapup::config::load(&app.workspace.config(), variables, secrets);
    let config = loaded.expect("the test's configuration").config;
    let repeat = config.delivery.repeat;
    let registry = Registry::new();
    let opening = SqliteStore::open(config.store, repeat, Role::Tool, &app.clock, &registry);
    opening.await.expect("a tool can open the file")
}
