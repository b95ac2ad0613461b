//! The whole loop: a mapping that is wrong, surveys that are answered with 422, a mended file, codes.

use std::process::Stdio;

use uuid::Uuid;
use wrapup::store::State;

use super::{coded, deliveries, lines, listed, mend, promoter, wrongly_mapped};
use crate::support::app::TestApp;
use crate::support::process::Process;
use crate::support::remote::{Remote, records};
use crate::support::{eventually, simulator};

#[tokio::test]
async fn beside_a_running_service_the_codes_reach_their_interactions() {
    let simulator = simulator::unlimited().await;
    let workspace = wrongly_mapped(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interactions = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let mut ids = Vec::new();
    for interaction in interactions {
        let answer = remote.post(&promoter(interaction)).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        ids.push(answer.delivery());
    }
    let hopeless = remote.post(r#"{"nps_score":10}"#).await;
    assert_eq!(hopeless.status, 422, "{hopeless:?}");
    let kept = listed(&workspace, &["--state", "quarantined"]).await;
    assert_eq!(kept.len(), 4);
    assert_eq!(
        kept[3]["deliveryId"],
        ids[0].to_string(),
        "the newest first"
    );
    // As long as nothing is mended, nothing is to be had.
    let (code, out) = deliveries(&workspace, &["reprocess", "--all"]).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.ends_with("4 quarantined\n"), "{out}");

    mend(&workspace, &simulator);
    let (code, told) = lines(&workspace, &["reprocess", "--all", "--dry-run", "--json"]).await;
    assert_eq!(code, 1, "one cannot be read still");
    let summary = serde_json::json!({"summary": {"pending": 3, "quarantined": 1}, "dryRun": true});
    assert_eq!(told[4], summary);
    assert_eq!(
        listed(&workspace, &["--state", "quarantined"]).await.len(),
        4
    );

    let (code, out) = deliveries(&workspace, &["reprocess", "--all"]).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.ends_with("3 pending, 1 quarantined\n"), "{out}");
    assert!(out.contains("WU_PROMPT_SUCCESS (by promoter)"), "{out}");
    assert!(out.contains("interaction_id ($.conversation): "), "{out}");
    coded(&simulator, &interactions).await;
    for (state, count) in [("assigned", 3.0), ("quarantined", 1.0), ("pending", 0.0)] {
        let label = format!("state=\"{state}\"");
        let counted = eventually(async || {
            (remote.metric("wrapup_deliveries", &label).await - count).abs() < 0.1
        });
        assert!(counted.await, "{state}");
    }
    // The service still reads by the old mapping; a repetition finds the survey all the same.
    let again = remote.post(&promoter(interactions[0])).await;
    assert_eq!(again.delivery(), ids[0], "{again:?}");
    assert!(service.stop().await.success());
    let service = Process::serve(&workspace).await;
    let again = Remote::to(&service).post(&promoter(interactions[0])).await;
    assert_eq!((again.status, again.delivery()), (200, ids[0]), "{again:?}");
    assert!(service.stop().await.success());
    for interaction in interactions {
        let writes = simulator.control().received_for(interaction);
        assert_eq!(writes.len(), 1, "never twice");
    }
    let records = records(&workspace).await;
    assert_eq!(records.len(), 4);
    for (record, (number, id)) in records.iter().zip((1..).zip(ids)) {
        assert_eq!((record.id, record.seq), (id, number), "as they came");
        assert_eq!(record.story[0].verdict, "reprocessed");
    }
}

#[tokio::test]
async fn with_the_service_stopped_they_wait_for_its_start() {
    let simulator = simulator::unlimited().await;
    let workspace = wrongly_mapped(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interaction = Uuid::new_v4();
    let kept = remote.post(&promoter(interaction)).await;
    let other = remote.post(&promoter(Uuid::new_v4())).await;
    assert_eq!((kept.status, other.status), (422, 422));
    assert!(service.stop().await.success());
    mend(&workspace, &simulator);
    let id = kept.delivery().to_string();
    let (code, told) = lines(&workspace, &["reprocess", &id, "--json"]).await;
    assert_eq!(code, 0);
    assert_eq!(told[0]["deliveryId"], id);
    assert_eq!(told[0]["outcome"], "pending");
    assert_eq!(told[0]["wrapUpCode"], "WU_PROMPT_SUCCESS");
    let left = listed(&workspace, &["--state", "quarantined"]).await;
    assert_eq!(left.len(), 1, "only the one that was named");
    // Named again it is left alone.
    let (code, told) = lines(&workspace, &["reprocess", &id, "--json"]).await;
    assert_eq!((code, &told[0]["outcome"]), (0, &"unchanged".into()));
    let service = Process::serve(&workspace).await;
    coded(&simulator, &[interaction]).await;
    let by_source = ["reprocess", "--source", "generic"];
    assert_eq!(deliveries(&workspace, &by_source).await.0, 0);
    let (_, out) = deliveries(&workspace, &by_source).await;
    assert_eq!(out, "there is none\n");
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_later_survey_of_the_interaction_wins_unless_forced() {
    let simulator = simulator::unlimited().await;
    let workspace = wrongly_mapped(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interaction = Uuid::new_v4();
    let early = remote.post(&promoter(interaction)).await;
    assert_eq!(early.status, 422);
    let late = format!(r#"{{"interactionId":"{interaction}","nps_score":1}}"#);
    let late = remote.post(&late).await;
    assert_eq!(late.status, 202);
    let control = simulator.control();
    let has = async |code: &str| control.assigned(interaction).as_deref() == Some(code);
    assert!(eventually(async || has("WU_PROMPT_ESCALATION").await).await);
    mend(&workspace, &simulator);
    let id = early.delivery().to_string();
    let (_, told) = lines(&workspace, &["reprocess", &id, "--json"]).await;
    assert_eq!(told[0]["outcome"], "superseded");
    assert_eq!(told[0]["other"], late.delivery().to_string());
    let (_, told) = lines(&workspace, &["redrive", &id, "--json"]).await;
    assert_eq!(told[0]["outcome"], "unchanged", "it is not dead");
    let (code, out) = deliveries(&workspace, &["redrive", &id, "--force"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("forced over"), "{out}");
    assert!(eventually(async || has("WU_PROMPT_SUCCESS").await).await);
    let (_, out) = deliveries(&workspace, &["show", &id]).await;
    assert!(out.contains("forced over"), "{out}");
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_senders_repetition_at_the_same_moment_makes_no_second_delivery() {
    const SURVEYS: usize = 120;
    let simulator = simulator::unlimited().await;
    let workspace = wrongly_mapped(&simulator);
    let clock = wrapup::clock::Clock::system();
    let app = TestApp::on(simulator, workspace, clock).await;
    let interactions: Vec<_> = (0..SURVEYS).map(|_| Uuid::new_v4()).collect();
    let mut kept = Vec::new();
    for interaction in &interactions {
        kept.push(app.post(&promoter(*interaction)).await.delivery());
    }
    mend(&app.workspace, &app.simulator);
    let app = app.restart().await;
    let repeating = async {
        for (interaction, id) in interactions.iter().zip(&kept).rev() {
            let answer = app.post(&promoter(*interaction)).await;
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
            assert_eq!(answer.delivery(), *id);
        }
    };
    let words = ["reprocess", "--all", "--json"];
    let ((), (code, told)) = tokio::join!(repeating, lines(&app.workspace, &words));
    assert_eq!(code, 0, "{told:?}");
    for id in kept {
        app.reaches(id, State::Assigned).await;
    }
    for interaction in interactions {
        let writes = app.simulator.control().received_for(interaction);
        assert_eq!(writes.len(), 1, "{interaction}");
    }
    assert_eq!(
        app.service.store.list(0, 1_000).await.unwrap().len(),
        SURVEYS
    );
    app.finish().await;
}

#[tokio::test]
async fn a_command_that_is_killed_leaves_each_survey_as_it_was_or_as_it_became() {
    const SURVEYS: usize = 600;
    let simulator = simulator::unlimited().await;
    let workspace = wrongly_mapped(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interactions: Vec<_> = (0..SURVEYS).map(|_| Uuid::new_v4()).collect();
    for interaction in &interactions {
        assert_eq!(remote.post(&promoter(*interaction)).await.status, 422);
    }
    mend(&workspace, &simulator);
    let left = async || {
        remote
            .metric("wrapup_deliveries", "state=\"quarantined\"")
            .await
    };
    let mut command = workspace.command(&["deliveries", "reprocess", "--all"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let begun = eventually(async || left().await < 599.5 || child.try_wait().unwrap().is_some());
    assert!(begun.await);
    child.kill().await.unwrap();
    assert!(left().await < 599.5, "something was done");
    for record in records(&workspace).await {
        let is_whole = match record.state {
            State::Quarantined => record.problems.is_some() && record.code.is_none(),
            _ => record.problems.is_none() && record.code.is_some(),
        };
        assert!(is_whole, "{record:?}");
    }
    assert_eq!(deliveries(&workspace, &["reprocess", "--all"]).await.0, 0);
    coded(&simulator, &interactions).await;
    for interaction in &interactions {
        assert_eq!(simulator.control().received_for(*interaction).len(), 1);
    }
    assert!(service.stop().await.success());
}
