//! What is read again while the service runs: rules and secrets, on SIGHUP. What is not valid changes nothing.

use std::os::unix::fs::symlink;
use std::path::Path;

use uuid::Uuid;
use wrapup::store::{Record, State};

use crate::support::app::survey;
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::remote::{Remote, records};
use crate::support::{PATIENCE, eventually, simulator};

const RELOADS: &str = "wrapup_rules_reload_total";

/// Other rules: everybody is escalated.
const ESCALATE: &str = r#"
[[rule]]
name = "everybody"
assign = "WU_PROMPT_ESCALATION"
"#;

async fn hang_up_until(service: &Process, remote: &Remote, outcome: &str, count: f64) {
    service.signal("HUP").await;
    let label = format!("outcome=\"{outcome}\"");
    let counted = eventually(async || remote.metric(RELOADS, &label).await >= count).await;
    assert!(counted, "{outcome} {count}\n{}", service.log());
}

/// What a promoter's survey comes to.
async fn rule(remote: &Remote) -> String {
    let answer = remote.post(&survey(Uuid::new_v4(), 10, 5)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body["rule"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn changed_rules_come_into_force_on_sighup() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    assert_eq!(rule(&remote).await, "promoter");
    hang_up_until(&service, &remote, "unchanged", 1.0).await;
    std::fs::write(workspace.path("rules.toml"), ESCALATE).unwrap();
    hang_up_until(&service, &remote, "ok", 1.0).await;
    assert_eq!(rule(&remote).await, "everybody");
    simulator::assigned(&simulator.control(), 2, PATIENCE).await;
    assert!(service.stop().await.success());

    let records = records(&workspace).await;
    let hashes: Vec<_> = records
        .iter()
        .map(|record| record.rules_hash.as_deref().unwrap())
        .collect();
    assert_ne!(
        hashes[0], hashes[1],
        "each keeps the rules that it was decided by"
    );
    let is_assigned = |record: &Record| record.state == State::Assigned;
    assert!(records.iter().all(is_assigned), "{records:#?}");
}

#[tokio::test]
async fn a_changed_rules_file_is_taken_over_without_a_signal() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    assert_eq!(rule(&remote).await, "promoter");
    std::fs::write(workspace.path("rules.toml"), ESCALATE).unwrap();
    service.logged("the rules were changed").await;
    assert_eq!(rule(&remote).await, "everybody");
    // One that is put in its place, as editors and orchestrators do it, and is not valid.
    std::fs::write(workspace.path("next"), "[[rule").unwrap();
    std::fs::rename(workspace.path("next"), workspace.path("rules.toml")).unwrap();
    remote.readyz_says(200, "rules.toml:1").await;
    assert!(remote.metric("wrapup_rules_refused", "").await > 0.9);
    assert_eq!(rule(&remote).await, "everybody");
    // Each change was read once.
    for (outcome, count) in [("unchanged", 0.0), ("ok", 1.0), ("failed", 1.0)] {
        let label = format!("outcome=\"{outcome}\"");
        let counted = remote.metric(RELOADS, &label).await;
        assert!((counted - count).abs() < 0.1, "{outcome} {counted}");
    }
    assert!(service.stop().await.success());
}

/// Puts a version of the folder of rules in place as the kubelet does: `..data` is a link that is swapped whole.
fn publish(workspace: &Workspace, version: &str, rules: &str) {
    let folder = workspace.path(version);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("rules.toml"), rules).unwrap();
    symlink(version, workspace.path("..data_tmp")).unwrap();
    std::fs::rename(workspace.path("..data_tmp"), workspace.path("..data")).unwrap();
}

#[tokio::test]
async fn rules_of_a_swapped_link_and_of_an_edit_that_hides_are_taken_over() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let file = workspace.path("rules.toml");
    let shipped = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    publish(&workspace, "..1", &shipped);
    symlink("..data/rules.toml", &file).unwrap();
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    assert_eq!(rule(&remote).await, "promoter");
    publish(&workspace, "..2", ESCALATE);
    let outcome = async |outcome: &str, count: f64| {
        let label = format!("outcome=\"{outcome}\"");
        let counted = eventually(async || remote.metric(RELOADS, &label).await >= count).await;
        assert!(counted, "{outcome} {count}\n{}", service.log());
    };
    outcome("ok", 1.0).await;
    assert_eq!(rule(&remote).await, "everybody");

    // In place, as long as before, and with the time of before.
    let before = std::fs::metadata(&file).unwrap();
    std::fs::write(&file, ESCALATE.replace("everybody", "allpeople")).unwrap();
    let written = std::fs::File::options().write(true).open(&file).unwrap();
    written.set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(before.len(), std::fs::metadata(&file).unwrap().len());
    outcome("ok", 2.0).await;
    assert_eq!(rule(&remote).await, "allpeople");

    // Gone: told once, and the rules stay. Back: all is well again.
    std::fs::rename(workspace.path("..data"), workspace.path("..gone")).unwrap();
    outcome("failed", 1.0).await;
    remote.readyz_says(200, "cannot be read").await;
    assert_eq!(rule(&remote).await, "allpeople");
    std::fs::rename(workspace.path("..gone"), workspace.path("..data")).unwrap();
    outcome("unchanged", 1.0).await;
    remote.readyz_says(200, "\"ready\"").await;
    assert!((remote.metric(RELOADS, "outcome=\"failed\"").await - 1.0).abs() < 0.1);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn rules_that_are_not_valid_leave_the_running_ones_in_force() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.readyz_says(200, "\"ready\"").await;
    let shipped = std::fs::read_to_string(workspace.path("rules.toml")).unwrap();
    let failing = format!(
        "{shipped}\n[[case]]\nname = 'hopeful'\nsurvey = {{}}\nexpect = 'WU_PROMPT_SUCCESS'\n"
    );
    let attempts = [
        ("[[rule", "rules.toml:1"),
        (
            "[[rule]]\nname = 'x'\nwhen = 'no_such_field > 1'\nassign = 'Y'\n",
            "no_such_field",
        ),
        (failing.as_str(), "hopeful"),
    ];
    for (nth, (text, told)) in (1_u32..).zip(attempts) {
        std::fs::write(workspace.path("rules.toml"), text).unwrap();
        hang_up_until(&service, &remote, "failed", f64::from(nth)).await;
        remote.readyz_says(200, "degraded").await;
        remote.readyz_says(200, told).await;
        remote.readyz_says(200, "SIGHUP").await;
        let strict = remote.get(remote.admin, "/readyz?delivery=true").await;
        assert_eq!(strict.status, 503, "{strict:?}");
        let public = remote.get(remote.public, "/readyz").await;
        assert_eq!((public.status, public.body.get("reasons")), (200, None));
        assert_eq!(rule(&remote).await, "promoter");
    }
    std::fs::remove_file(workspace.path("rules.toml")).unwrap();
    hang_up_until(&service, &remote, "failed", 4.0).await;
    assert_eq!(rule(&remote).await, "promoter");

    std::fs::write(workspace.path("rules.toml"), &shipped).unwrap();
    hang_up_until(&service, &remote, "unchanged", 1.0).await;
    remote.readyz_says(200, "\"ready\"").await;
    assert!(service.stop().await.success());
}

/// Lets the source read its secret from a file.
fn keep_secret_in(file: &Path, workspace: &Workspace) {
    std::fs::write(file, SECRET).unwrap();
    let config = std::fs::read_to_string(workspace.config()).unwrap();
    let (value, name) = (
        format!("value = \"{SECRET}\""),
        file.file_name().unwrap().display(),
    );
    assert!(config.contains(&value), "{config}");
    let moved = config.replace(&value, &format!("file = \"{name}\""));
    std::fs::write(workspace.config(), moved).unwrap();
}

#[tokio::test]
async fn a_rotated_secret_is_taken_up_and_a_bad_one_is_not() {
    const ROTATED: &str = "rotated-survey-secret";
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let file = workspace.path("survey.secret");
    keep_secret_in(&file, &workspace);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let status = async |secret| {
        let body = survey(Uuid::new_v4(), 10, 5);
        remote.post_signed(&body, secret).await.status
    };
    assert_eq!(status(SECRET).await, 202);
    assert_eq!(status(ROTATED).await, 401);

    std::fs::write(&file, format!("{ROTATED}\n")).unwrap();
    service.signal("HUP").await;
    service.logged("a secret was rotated").await;
    assert_eq!(status(ROTATED).await, 202);
    assert_eq!(
        status(SECRET).await,
        401,
        "the old one is worth nothing now"
    );

    std::fs::write(&file, "\n").unwrap();
    service.signal("HUP").await;
    service.logged("the old one stays in force").await;
    assert_eq!(
        status(ROTATED).await,
        202,
        "an empty secret protects nothing"
    );
    std::fs::remove_file(&file).unwrap();
    service.signal("HUP").await;
    service.logged("cannot be read").await;
    assert_eq!(status(ROTATED).await, 202);
    let log = service.log();
    assert!(!log.contains(ROTATED) && !log.contains(SECRET), "{log}");
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_key_that_is_none_does_not_replace_one_that_works() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.readyz_says(200, "\"ready\"").await;
    std::fs::write(workspace.path("client.pem"), "-----BEGIN NONSENSE-----").unwrap();
    service.signal("HUP").await;
    service.logged("the old one stays in force").await;
    // A new token is signed with the key in force.
    simulator.control().revoke_tokens();
    let interaction = remote.promoter().await;
    let assigned = eventually(async || simulator.control().assigned(interaction).is_some()).await;
    assert!(assigned, "{}", service.log());
    assert!(service.stop().await.success());
}
