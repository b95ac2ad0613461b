//! Bodies of several surveys: an item that could not be read, and a body that should have been taken apart.

use uuid::Uuid;
use wrapup::simulator::Simulator;

use super::{coded, deliveries, lines, listed};
use crate::support::process::{Process, Workspace};
use crate::support::remote::{Remote, output, text};
use crate::support::{eventually, simulator};

/// The workspace's source, with these keys besides.
fn batch(items: &str, score: &str) -> String {
    format!(
        r#"
        [[source]]
        name = "generic"
        preset = "hmac-sha256"
        secrets = [{{ value = "demo-only-survey-secret" }}]
        {items}
        [source.fields]
        interaction_id = {{ path = "$.id", type = "uuid", required = true }}
        csat_score = {{ path = "$.csat", type = "number", default = 5 }}
        nps_score = {{ path = "$.nps", type = "number", required = true {score} }}
        issue_type = {{ path = "$.form", {from} type = "string", default = "" }}
        [platform.rate_limit]
        requests = 2000
        "#,
        from = if items.is_empty() {
            ""
        } else {
            "from = \"body\","
        }
    )
}

/// Rules for these fields; the cases of the shipped ones are about others.
const RULES: &str =
    "[[rule]]\nname = 'promoter'\nwhen = 'nps_score >= 9'\nassign = 'WU_PROMPT_SUCCESS'\n";

fn workspace(simulator: &Simulator, source: &str) -> Workspace {
    let workspace = Workspace::new(&simulator.base_url(), &[source]);
    std::fs::write(workspace.path("rules.toml"), RULES).unwrap();
    workspace
}

fn body(interactions: &[Uuid], scores: &[&str]) -> String {
    let items = interactions.iter().zip(scores);
    let items: Vec<_> = items
        .map(|(id, score)| format!(r#"{{"id":"{id}","nps":{score}}}"#))
        .collect();
    format!(r#"{{"form":"calls","answers":[{}]}}"#, items.join(","))
}

#[tokio::test]
async fn an_item_that_could_not_be_read_is_read_again_on_its_own() {
    let simulator = simulator::unlimited().await;
    let items = "items = \"$.answers[*]\"";
    let workspace = workspace(&simulator, &batch(items, ""));
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interactions = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let answer = remote
        .post(&body(&interactions, &["10", "\"Great\"", "\"Great\""]))
        .await;
    assert_eq!(answer.status, 422, "{answer:?}");
    coded(&simulator, &interactions[..1]).await;
    assert_eq!(
        listed(&workspace, &["--state", "quarantined"]).await.len(),
        2
    );
    let mended = batch(items, ", map = { Great = 10, \"10\" = 10, \"9\" = 9 }");
    workspace.configure(&simulator.base_url(), &[&mended]);
    let (code, out) = deliveries(&workspace, &["reprocess", "--all"]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.ends_with("2 pending\n"), "{out}");
    coded(&simulator, &interactions).await;
    let id = answer.body["deliveries"][1]["deliveryId"].as_str().unwrap();
    let (_, shown) = lines(&workspace, &["show", id, "--json", "--answers"]).await;
    assert_eq!(
        shown[0]["fields"]["issue_type"], "calls",
        "of the rest of the body"
    );
    assert_eq!(shown[0]["number"], 2);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_body_that_should_have_been_taken_apart_becomes_its_surveys() {
    let simulator = simulator::unlimited().await;
    let workspace = workspace(&simulator, &batch("", ""));
    let service = Process::serve(&workspace).await;
    let interactions = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let sent = body(&interactions, &["\"Great\"", "10", "9"]);
    let kept = Remote::to(&service).post(&sent).await;
    assert_eq!(kept.status, 422, "{kept:?}");
    let items = "items = \"$.answers[*]\"";
    workspace.configure(&simulator.base_url(), &[&batch(items, "")]);
    let words = ["reprocess", "--all", "--json"];
    let (code, told) = lines(&workspace, &["reprocess", "--all", "--json", "--dry-run"]).await;
    assert_eq!((code, told.len()), (1, 4), "{told:?}");
    assert_eq!(listed(&workspace, &[]).await.len(), 1);
    let (code, told) = lines(&workspace, &words).await;
    assert_eq!((code, told.len()), (1, 4), "{told:?}");
    let id = kept.delivery().to_string();
    assert_eq!(told[0]["deliveryId"], id, "the first that can be read");
    assert_eq!(
        told[3]["summary"],
        serde_json::json!({"pending": 2, "quarantined": 1})
    );
    coded(&simulator, &interactions[1..]).await;
    let (_, shown) = lines(&workspace, &["show", &id, "--json"]).await;
    assert_eq!(shown[0]["interactionId"], interactions[1].to_string());

    // What is left is read again as any item, and a repetition of the whole finds all of them.
    let mended = batch(items, ", map = { Great = 10, \"10\" = 10, \"9\" = 9 }");
    workspace.configure(&simulator.base_url(), &[&mended]);
    assert_eq!(lines(&workspace, &words).await.0, 0);
    coded(&simulator, &interactions).await;
    assert!(service.stop().await.success());
    let service = Process::serve(&workspace).await;
    let again = Remote::to(&service).post(&sent).await;
    assert_eq!(again.status, 200, "{again:?}");
    let all = again.body["deliveries"].as_array().unwrap();
    assert!(
        all.iter().all(|one| one["status"] == "duplicate"),
        "{again:?}"
    );
    assert_eq!(all[1]["deliveryId"], id);
    assert_eq!(listed(&workspace, &[]).await.len(), 3);
    for interaction in interactions {
        assert_eq!(simulator.control().received_for(interaction).len(), 1);
    }
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn of_an_interaction_with_very_many_surveys_none_goes_untold_or_unerased() {
    let simulator = simulator::unlimited().await;
    let items = "items = \"$.answers[*]\"";
    let workspace = workspace(&simulator, &batch(items, ""));
    let service = Process::serve(&workspace).await;
    let interaction = Uuid::new_v4();
    for numbers in [0..1_000, 1_000..1_150] {
        let answers: Vec<_> = numbers
            .map(|n| format!(r#"{{"id":"{interaction}","nps":10,"n":{n}}}"#))
            .collect();
        let sent = format!(r#"{{"answers":[{}]}}"#, answers.join(","));
        let answer = Remote::to(&service).post(&sent).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let ended = eventually(async || {
        let state = ["--state", "pending", "--state", "leased"];
        listed(&workspace, &state).await.is_empty()
    });
    assert!(ended.await);
    let about = interaction.to_string();
    let shown = output(&workspace, &["deliveries", "show", &about, "--json"]).await;
    assert_eq!(text(&shown.stdout).lines().count(), 100);
    let told = text(&shown.stderr);
    assert!(told.contains("1050 more"), "{told}");
    let (code, told) = lines(&workspace, &["erase", "--interaction", &about, "--json"]).await;
    assert_eq!((code, told.len()), (0, 1_150));
    assert!(listed(&workspace, &[]).await.is_empty());
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_full_quarantine_keeps_no_other_body_from_being_read_again() {
    let simulator = simulator::unlimited().await;
    let store = "[store]\nmax_quarantined = 2";
    let workspace = Workspace::new(&simulator.base_url(), &[&batch("", ""), store]);
    std::fs::write(workspace.path("rules.toml"), RULES).unwrap();
    let service = Process::serve(&workspace).await;
    let interactions: [Uuid; 4] = std::array::from_fn(|_| Uuid::new_v4());
    let remote = Remote::to(&service);
    let mut kept = Vec::new();
    for (two, scores) in interactions
        .chunks(2)
        .zip([["\"Great\"", "10"], ["10", "9"]])
    {
        let answer = remote.post(&body(two, &scores)).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        kept.push(answer.delivery().to_string());
    }
    let items = batch("items = \"$.answers[*]\"", "");
    workspace.configure(&simulator.base_url(), &[&items, store]);
    let words = ["reprocess", "--all", "--json"];
    let (code, told) = lines(&workspace, &words).await;
    assert_eq!(code, 69, "{told:?}");
    assert_eq!(told[0]["deliveryId"], kept[0]);
    assert_eq!(told[0]["outcome"], "no-room");
    let detail = told[0]["detail"].as_str().unwrap();
    assert!(detail.contains("store.max_quarantined"), "{detail}");
    let summary = serde_json::json!({"no-room": 1, "pending": 2});
    assert_eq!(told.last().unwrap()["summary"], summary);
    // Which has made room.
    let (code, told) = lines(&workspace, &words).await;
    let summary = serde_json::json!({"pending": 1, "quarantined": 1});
    assert_eq!((code, &told.last().unwrap()["summary"]), (1, &summary));
    coded(&simulator, &interactions[1..]).await;
    assert!(service.stop().await.success());
}
