//! What the commands print, what they never print, and what their exit codes say.

use std::process::Stdio;

use uuid::Uuid;

use super::{coded, deliveries, lines, listed, run};
use crate::support::process::{Process, Workspace};
use crate::support::remote::{Remote, text};
use crate::support::{eventually, simulator};

/// Stands in the answers, and may be printed only where that is asked for.
const CANARY: &str = "canary-77c2e1";

fn survey(interaction: Uuid) -> String {
    format!(
        r#"{{"interactionId":"{interaction}","nps_score":10,"csat_score":5,"issue_type":"{CANARY}"}}"#
    )
}

#[tokio::test]
async fn one_look_tells_why_a_call_has_its_code() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interaction = Uuid::new_v4();
    let accepted = remote.post(&survey(interaction)).await;
    assert_eq!(accepted.status, 202);
    coded(&simulator, &[interaction]).await;
    let id = accepted.delivery().to_string();
    let ended = eventually(async || {
        !listed(&workspace, &["--state", "assigned"])
            .await
            .is_empty()
    });
    assert!(ended.await);
    let received = &simulator.control().received_for(interaction)[0];
    // By either id.
    for asked in [id.as_str(), &interaction.to_string()] {
        let (code, out) = deliveries(&workspace, &["show", asked]).await;
        assert_eq!(code, 0, "{out}");
        for told in [
            id.as_str(),
            &interaction.to_string(),
            "assigned since",
            "generic",
            "number 1",
            "promoter",
            &format!("WU_PROMPT_SUCCESS = {}", received.code_id.unwrap()),
            &received.event_id.unwrap().to_string(),
            "as they are in the file",
            "detractor        did not match",
            "promoter         matched",
            "everything-else  not reached",
            "accepted\n",
        ] {
            assert!(out.contains(told), "{told:?} is not in\n{out}");
        }
        assert!(
            !out.contains(&CANARY.to_uppercase()) && !out.contains(CANARY),
            "{out}"
        );
    }
    let (_, shown) = lines(&workspace, &["show", &id, "--json"]).await;
    assert_eq!(shown[0]["state"], "assigned");
    assert_eq!(shown[0]["wrapUpCode"], "WU_PROMPT_SUCCESS");
    assert_eq!(shown[0]["trace"][1]["finding"], "matched");
    assert_eq!(shown[0]["story"][0]["verdict"], "assigned");
    assert!(!shown[0].to_string().contains(CANARY), "{shown:?}");
    let (_, shown) = lines(&workspace, &["show", &id, "--json", "--answers"]).await;
    assert_eq!(shown[0]["fields"]["issue_type"], CANARY.to_uppercase());
    assert_eq!(shown[0]["body"], survey(interaction));
    let (_, out) = deliveries(&workspace, &["show", &id, "--answers"]).await;
    assert!(out.contains(CANARY), "{out}");
    // Other rules by now.
    let rules = std::fs::read_to_string(workspace.path("rules.toml")).unwrap();
    std::fs::write(workspace.path("rules.toml"), rules.replace("<= 6", "<= 5")).unwrap();
    let (_, out) = deliveries(&workspace, &["show", &id]).await;
    assert!(out.contains("the file has changed since"), "{out}");
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn lists_and_exports_tell_what_was_asked_for_and_no_answers() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interactions = [Uuid::new_v4(), Uuid::new_v4()];
    for interaction in interactions {
        assert_eq!(remote.post(&survey(interaction)).await.status, 202);
    }
    let unreadable = format!(r#"{{"interactionId":"{CANARY}"}}"#);
    let kept = remote.post(&unreadable).await;
    assert_eq!(kept.status, 422);
    coded(&simulator, &interactions).await;
    let (code, out) = deliveries(&workspace, &["list"]).await;
    assert_eq!((code, out.lines().count()), (0, 4), "{out}");
    assert!(out.starts_with("ACCEPTED"), "{out}");
    assert!(out.lines().nth(1).unwrap().contains("quarantined"), "{out}");
    assert!(!out.contains(CANARY), "{out}");
    let count = async |words: &[&str]| listed(&workspace, words).await.len();
    assert_eq!(count(&["--limit", "2"]).await, 2);
    assert_eq!(count(&["--source", "generic", "--since", "1h"]).await, 3);
    assert_eq!(count(&["--source", "other"]).await, 0);
    assert_eq!(count(&["--since", "2100-01-01T00:00:00Z"]).await, 0);
    let about = interactions[1].to_string();
    assert_eq!(count(&["--interaction", &about]).await, 1);
    let (_, out) = deliveries(&workspace, &["list", "--limit", "1", "--json"]).await;
    assert!(out.contains("\"more\": true"), "{out}");

    let (code, exported) = lines(&workspace, &["export"]).await;
    assert_eq!((code, exported.len()), (0, 3));
    assert_eq!(exported[0]["interactionId"], interactions[0].to_string());
    assert_eq!(exported[2]["problems"][0]["field"], "interaction_id");
    assert!(
        exported
            .iter()
            .all(|line| !line.to_string().contains(CANARY))
    );
    let (_, exported) = lines(
        &workspace,
        &["export", "--answers", "--state", "quarantined"],
    )
    .await;
    assert_eq!(exported.len(), 1);
    assert_eq!(exported[0]["body"], unreadable);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn what_is_erased_is_gone_from_the_file_and_does_not_come_back() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interaction = Uuid::new_v4();
    let accepted = remote.post(&survey(interaction)).await;
    let kept = remote.post(&format!(r#"{{"n":"{CANARY}"}}"#)).await;
    let other = Uuid::new_v4();
    assert_eq!(
        remote
            .post(&survey(other).replace(CANARY, "x"))
            .await
            .status,
        202
    );
    coded(&simulator, &[interaction, other]).await;
    let ended = eventually(async || listed(&workspace, &["--state", "assigned"]).await.len() == 2);
    assert!(ended.await);
    let about = interaction.to_string();
    let (code, out) = deliveries(&workspace, &["erase", "--interaction", &about]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("erased"), "{out}");
    let id = kept.delivery().to_string();
    let (code, told) = lines(&workspace, &["erase", &id, "--json"]).await;
    assert_eq!((code, &told[0]["outcome"]), (0, &"erased".into()));
    assert_eq!(deliveries(&workspace, &["show", &about]).await.0, 1);
    let again = remote.post(&survey(interaction)).await;
    assert_eq!((again.status, again.delivery()), (200, accepted.delivery()));
    let counted =
        eventually(async || (remote.metric("wrapup_deliveries", "").await - 1.0).abs() < 0.1);
    assert!(counted.await, "the service counts it no more");
    assert!(service.stop().await.success());
    let file = std::fs::read(workspace.path("wrapup.db")).unwrap();
    assert!(!workspace.path("wrapup.db-wal").exists());
    let holds = |text: &str| {
        file.windows(text.len())
            .any(|piece| piece == text.as_bytes())
    };
    assert!(!holds(CANARY) && !holds(&CANARY.to_uppercase()));
    assert_eq!(listed(&workspace, &[]).await.len(), 1);
}

#[tokio::test]
async fn the_code_book_is_listed_as_it_was_kept() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let mut told = (69, String::new());
    let kept = eventually(async || {
        told = run(&workspace, &["codes"]).await;
        told.0 == 0
    });
    assert!(kept.await, "{told:?}");
    let id = simulator.control().code_id("WU_PROMPT_SUCCESS").unwrap();
    let line = told
        .1
        .lines()
        .find(|line| line.starts_with("WU_PROMPT_SUCCESS "));
    assert!(line.unwrap().ends_with(&id.to_string()), "{told:?}");
    assert!(told.1.contains(" codes, loaded "), "{told:?}");
    let (code, out) = run(&workspace, &["codes", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(
        json["codes"].as_array().unwrap().len(),
        simulator.control().codes().len()
    );
    assert!(json["ageSeconds"].as_u64().unwrap() < 600);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn exit_codes_say_what_kind_of_trouble_it_is() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let id = Uuid::new_v4().to_string();
    let check = async |words: &[&str], code: i32, told: &str| {
        let (exit, out) = run(&workspace, words).await;
        assert_eq!(exit, code, "{words:?}: {out}");
        assert!(out.contains(told), "{words:?}: {out}");
    };
    // No file yet.
    for words in [&["deliveries", "list"][..], &["codes"]] {
        check(words, 69, "`wrapup serve` makes it").await;
    }
    assert!(
        !workspace.path("wrapup.db").exists(),
        "a look makes no file"
    );
    let service = Process::serve(&workspace).await;
    assert!(service.stop().await.success());
    check(
        &["deliveries", "list", "--state", "lost"],
        64,
        "quarantined",
    )
    .await;
    check(&["deliveries", "list", "--since", "soon"], 64, "2h").await;
    check(&["deliveries", "show", "x"], 64, "ID").await;
    for nothing in ["reprocess", "redrive", "erase"] {
        check(&["deliveries", nothing], 64, "required").await;
    }
    let either = "<ID|--interaction <UUID>>";
    check(&["deliveries", "erase"], 64, either).await;
    check(
        &["deliveries", "reprocess", &id, "--all"],
        64,
        "cannot be used",
    )
    .await;
    check(
        &["deliveries", "redrive", "--class", "rejected", "--all"],
        64,
        "cannot be used",
    )
    .await;
    check(&["deliveries", "show", &id], 1, &id).await;
    for unknown in ["reprocess", "redrive", "erase"] {
        check(&["deliveries", unknown, &id], 1, "no delivery has the id").await;
    }
    check(
        &["deliveries", "erase", "--interaction", &id],
        1,
        "no delivery is about",
    )
    .await;
    // Rules that a service would refuse decide nothing.
    let rules = std::fs::read_to_string(workspace.path("rules.toml")).unwrap();
    let failing = format!("{rules}\n[[case]]\nname = 'hopeful'\nsurvey = {{}}\nexpect = 'X'\n");
    std::fs::write(workspace.path("rules.toml"), failing).unwrap();
    check(&["deliveries", "reprocess", "--all"], 1, "hopeful").await;
    std::fs::write(workspace.path("rules.toml"), "[[rule").unwrap();
    check(&["deliveries", "reprocess", "--all"], 78, "rules.toml:1").await;
    check(&["deliveries", "list"], 0, "ACCEPTED").await;

    let database = workspace.path("wrapup.db");
    let newer = rusqlite::Connection::open(&database).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    check(&["deliveries", "list"], 78, "made by a later version").await;
    std::fs::write(&database, "no database at all").unwrap();
    check(&["deliveries", "list"], 69, "no SQLite database").await;
    check(&["codes"], 69, "no SQLite database").await;
    std::fs::write(workspace.config(), "nonsense").unwrap();
    check(&["deliveries", "list"], 78, "wrapup.toml:1").await;
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_makes_no_failure() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
    let sent = workspace.path("survey.json");
    std::fs::write(&sent, survey(Uuid::new_v4())).unwrap();
    let sent = sent.to_str().unwrap();
    let rules = workspace.path("rules.toml");
    let rules = rules.to_str().unwrap();
    for words in [
        &["deliveries", "list"][..],
        &["deliveries", "list", "--json"],
        &["deliveries", "export"],
        &["rules", "explain", sent],
        &["rules", "explain", "--json", sent],
        &["rules", "test", "--json"],
        &["rules", "backtest", "--json", "--rules", rules],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = workspace.command(words);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn();
        let ended = child.unwrap().wait_with_output().await.unwrap();
        let told = text(&ended.stderr);
        assert_eq!((ended.status.code(), told), (Some(0), ""), "{words:?}");
    }
}
