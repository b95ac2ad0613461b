//! What is said of configurations and rules, good and bad.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::support::process::SECRET;

/// The shipped configuration, with the variables that it names.
fn shipped(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wrapup"));
    command
        .arg("--config")
        .arg(repository("config/wrapup.toml"))
        .args(arguments)
        .env("SURVEY_SECRET", "canary-survey-secret")
        .env("GENESYS_CLIENT_ID", "canary-client-id")
        .env(
            "WRAPUP__PLATFORM__AUTH__PRIVATE_KEY",
            "{ file = \"demo/demo-client.pem\" }",
        );
    command
}

#[tokio::test]
async fn what_is_shipped_is_in_order() {
    let checked = shipped(&["check"]).output().await.unwrap();
    let told = exited(&checked, 0);
    for part in [
        "wrapup.toml: ok;",
        "cases 12 of 12 passed",
        "sources generic",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let checked = shipped(&["check", "--json"]).output().await.unwrap();
    let report: serde_json::Value = serde_json::from_str(exited(&checked, 0)).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    let demo = Command::new(env!("CARGO_BIN_EXE_wrapup"))
        .args(["check", "--config"])
        .arg(repository("config/demo/wrapup.toml"))
        .output();
    exited(&demo.await.unwrap(), 0);
}

#[tokio::test]
async fn everything_wrong_with_a_configuration_is_told_at_once_with_its_place() {
    let workspace = Workspace::new(NOBODY, &[]);
    let broken = r#"[server]
listen = "nowhere"
max_bodyy = "1KiB"
[platform]
base_url = "http://127.0.0.1:9"
[platform.auth]
client_id = { env = "WRAPUP_TEST_UNSET" }
private_key = { file = "missing.pem" }
[delivery]
workers = 0
max_age = "soon"
[[source]]
name = "Not A Name"
preset = "hmac-sha256"
secrets = [{ value = "canary-survey-secret" }]
[source.fields]
interaction_id = { path = "$.[", type = "uuid", required = true }
"#;
    std::fs::write(workspace.config(), broken).unwrap();
    let file = workspace.config().display().to_string();
    for command in ["check", "serve"] {
        let mut child = workspace.command(&[command]);
        child.env("WRAPUP__STORE__NONSENSE", "1");
        let refused = child.output().await.unwrap();
        exited(&refused, 78);
        let told = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
        for (line, key) in [
            (2, "server.listen"),
            (3, "server.max_bodyy"),
            (7, "platform.auth.client_id"),
            (8, "platform.auth.private_key"),
            (10, "delivery.workers"),
            (11, "delivery.max_age"),
            (13, "source[0].name"),
            (17, "source[0].fields.interaction_id"),
        ] {
            let found = told.lines().any(|problem| {
                let place = problem.strip_prefix(&format!("{file}:{line}:"));
                let column = place.and_then(|rest| rest.split_once(": "));
                column.is_some_and(|(column, rest)| {
                    column.parse::<u32>().is_ok() && rest.starts_with(key)
                })
            });
            assert!(found, "{command}: {key} in line {line}:\n{told}");
        }
        assert!(told.contains("WRAPUP__STORE__NONSENSE"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn a_configuration_that_is_not_there_exits_with_78() {
    let workspace = Workspace::new(NOBODY, &[]);
    std::fs::remove_file(workspace.config()).unwrap();
    for command in ["check", "serve", "config"] {
        let refused = output(&workspace, &[command]).await;
        exited(&refused, 78);
        let told = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
        assert!(
            told.contains("WRAPUP_CONFIG"),
            "it says how to name one: {told}"
        );
    }
}

#[tokio::test]
async fn the_configuration_in_force_is_shown_without_its_secrets() {
    let workspace = Workspace::new(
        NOBODY,
        &["[admin]\ntoken = { value = \"canary-admin-token\" }\n"],
    );
    let mut command = workspace.command(&["config"]);
    command.env("WRAPUP__DELIVERY__MODE", "shadow");
    let shown = command.output().await.unwrap();
    let told = exited(&shown, 0);
    let table: toml::Table = toml::from_str(told).expect("it could be read again");
    assert_eq!(table["delivery"]["mode"].as_str(), Some("shadow"));
    assert!(told.contains("WRAPUP__DELIVERY__MODE"), "{told}");
    let json = output(&workspace, &["config", "--json"]).await;
    let json = exited(&json, 0);
    let parsed: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(parsed["config"]["server"].is_object(), "{json}");
    for secret in ["canary", SECRET] {
        assert!(!told.contains(secret), "{told}");
        assert!(!json.contains(secret), "{json}");
    }
    let shown = shipped(&["config"]).output().await.unwrap();
    assert!(!exited(&shown, 0).contains("canary"));
}

#[tokio::test]
async fn a_failing_case_exits_with_1_and_shows_what_came_out() {
    let workspace = Workspace::new(NOBODY, &[]);
    let passed = output(&workspace, &["rules", "test"]).await;
    assert!(exited(&passed, 0).contains("12 of 12 cases passed"));
    let rules = std::fs::read_to_string(workspace.path("rules.toml")).unwrap();
    let hopeful = "[[case]]\nname = 'hopeful'\nsurvey = {}\nexpect = 'WU_PROMPT_SUCCESS'\n";
    let other = workspace.path("next.toml");
    std::fs::write(&other, format!("{rules}\n{hopeful}")).unwrap();

    let failed = output(
        &workspace,
        &["rules", "test", "--rules", other.to_str().unwrap()],
    )
    .await;
    let told = exited(&failed, 1);
    assert!(told.contains("FAIL  hopeful (line "), "{told}");
    assert!(
        told.contains("expected WU_PROMPT_SUCCESS, got WU_PROMPT_ESCALATION"),
        "{told}"
    );
    std::fs::rename(&other, workspace.path("rules.toml")).unwrap();
    let failed = output(&workspace, &["check"]).await;
    let told = exited(&failed, 1);
    assert!(
        told.contains("case `hopeful`: expected WU_PROMPT_SUCCESS"),
        "{told}"
    );
    // No service stays down at night for a case.
    let service = Process::serve(&workspace).await;
    service.logged("a case of the rules fails").await;
    assert!(service.stop().await.success());

    std::fs::write(
        workspace.path("rules.toml"),
        "[[rule]]\nname = 'x'\nwhen = 'nope == 1'\nassign = 'Y'\n",
    )
    .unwrap();
    for arguments in [["check"].as_slice(), &["rules", "test"], &["serve"]] {
        let refused = output(&workspace, arguments).await;
        exited(&refused, 78);
        let told = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
        assert!(told.contains("rules.toml:3:"), "{arguments:?}: {told}");
        assert!(told.contains("nope"), "{arguments:?}: {told}");
    }
}

#[tokio::test]
async fn a_variable_whose_name_is_no_text_is_refused_as_any_unknown_key() {
    let workspace = Workspace::new(NOBODY, &[]);
    let name = OsStr::from_bytes(b"WRAPUP__\xff");
    let mut command = workspace.command(&["check"]);
    let refused = command.env(name, "1").output().await.unwrap();
    exited(&refused, 78);
    let told = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
    assert!(told.contains("environment WRAPUP__\u{fffd}"), "{told}");
}
