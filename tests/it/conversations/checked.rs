//! `wrapup check --online` against the conversations API: it proves what it can, and writes nothing.

use wrapup::simulator::conversations::id_of;

use super::commands::{unlimited, workspace};
use crate::support::remote::{output, text};

/// What it says to people, on both streams, and its exit code.
async fn checked(workspace: &crate::support::process::Workspace, more: &[&str]) -> (String, i32) {
    let arguments = [&["check", "--online"], more].concat();
    let shown = output(workspace, &arguments).await;
    let said = format!("{}{}", text(&shown.stdout), text(&shown.stderr));
    (said, shown.status.code().expect("it ends by itself"))
}

#[tokio::test]
async fn credentials_codes_and_permissions_that_are_there_pass() {
    let simulator = unlimited("").await;
    let (said, exit) = checked(&workspace(&simulator), &[]).await;
    assert_eq!(exit, 0, "{said}");
    assert!(simulator.control().received().is_empty());
}

#[tokio::test]
async fn each_missing_permission_that_can_be_seen_is_named_in_one_run() {
    let simulator = unlimited("permissions = []").await;
    let (said, exit) = checked(&workspace(&simulator), &[]).await;
    assert_eq!(exit, 1, "{said}");
    for permission in ["routing:wrapupCode:view", "conversation:communication:view"] {
        assert!(said.contains(permission), "{permission}: {said}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_told() {
    let simulator = unlimited("client_secret = 'another'").await;
    let (said, exit) = checked(&workspace(&simulator), &[]).await;
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("client_secret"), "{said}");
}

#[tokio::test]
async fn a_rules_code_that_the_platform_lacks_is_told() {
    let simulator = unlimited("").await;
    simulator.control().remove_code("WU_PROMPT_TECH_ISSUE");
    let (said, exit) = checked(&workspace(&simulator), &[]).await;
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("WU_PROMPT_TECH_ISSUE"), "{said}");
}

#[tokio::test]
async fn the_leg_that_would_be_chosen_is_shown_and_nothing_is_written() {
    let script = "
        [[conversation]]
        id = 'moved'
        legs = [{ user = 'anna' }, { user = 'ben', queue = 'support', code = 'WU_PROMPT_GENERAL' }]
    ";
    let simulator = unlimited(script).await;
    let control = simulator.control();
    let conversation = id_of("moved").to_string();
    let (said, exit) = checked(&workspace(&simulator), &["--interaction", &conversation]).await;
    assert_eq!(exit, 0, "{said}");
    let standing = control.conversation(id_of("moved")).unwrap();
    let ben = &standing.legs[1];
    for id in [
        ben.user.unwrap(),
        ben.participant,
        ben.communication,
        ben.code_id.unwrap(),
    ] {
        assert!(said.contains(&id.to_string()), "{id}: {said}");
    }
    assert!(said.contains("WU_PROMPT_SUCCESS"), "{said}");
    assert!(control.received().is_empty());
}

#[tokio::test]
async fn a_conversation_that_is_not_there_is_told_as_that() {
    let simulator = unlimited("unknown = 'not-found'").await;
    let nowhere = id_of("nowhere").to_string();
    let (said, exit) = checked(&workspace(&simulator), &["--interaction", &nowhere]).await;
    assert_eq!(exit, 1, "{said}");
    let failed = said.lines().find(|line| line.starts_with("failed: "));
    assert!(failed.unwrap().contains(&nowhere), "{said}");
}

#[tokio::test]
async fn two_codes_with_one_name_are_told() {
    let simulator = unlimited("").await;
    let workspace = workspace(&simulator);
    let twin = wrapup::simulator::Code {
        division: Some("North".into()),
        ..wrapup::simulator::Code::named("WU_PROMPT_SUCCESS")
    };
    simulator.control().add_code(twin);
    let service = crate::support::process::Process::serve(&workspace).await;
    service.logged("WU_PROMPT_SUCCESS").await;
    let log = service.log();
    let told = log.lines().find(|line| line.contains("WU_PROMPT_SUCCESS"));
    assert!(told.unwrap().contains("\"WARN\""), "{log}");
    assert!(service.stop().await.success());
}
