//! The command line: exit codes, and commands used one after the other.
//!
//! In `configuration`: what is said of one. In `signing`: `wrapup sign`, and its headers used. In `running`: the
//! commands that go on, or look at one that does.

mod configuration;
mod running;
mod signing;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::process::{Process, Workspace};
use crate::support::remote::{output, text};
use crate::support::{PATIENCE, eventually};

/// Of the reference of the Interaction API.
const SAMPLE: &str = r#"{"interactionId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","csat_score":5,"nps_score":10,"issue_type":"billing"}"#;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Gives the command its standard input, and waits for its end.
async fn fed(command: &mut Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("it ends in time")
        .expect("it can be waited for")
}

/// Checks the exit code; answers what was written to stdout.
fn exited(output: &Output, code: i32) -> &str {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout:\n{out}\nstderr:\n{err}"
    );
    assert!(!err.contains("panicked"), "{err}");
    out
}

#[tokio::test]
async fn what_cannot_be_understood_exits_with_64() {
    let workspace = Workspace::new(NOBODY, &[]);
    for line in [
        "",
        "nonsense",
        "serve --nonsense",
        "rules",
        "rules nonsense",
        "sign",
        "sign generic - --curl --json",
        "demo --rate 5",
        "demo --target garbage",
        "demo --target http://127.0.0.1:9 --rate 1e-300",
        "sign generic - --url garbage",
        "simulate --limit many",
        "healthcheck --url https://127.0.0.1/livez",
    ] {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let refused = output(&workspace, &arguments).await;
        assert_eq!(exited(&refused, 64), "", "{line:?} is no data");
        assert!(!refused.stderr.is_empty(), "{line:?}");
    }
}

#[tokio::test]
async fn an_argument_that_names_nothing_there_is_exits_with_64_and_says_what_there_is() {
    let workspace = Workspace::new(NOBODY, &[]);
    let file = workspace.path("sample.json");
    std::fs::write(&file, SAMPLE).unwrap();
    let file = file.to_str().unwrap();
    for (line, told) in [
        ("sign nope FILE", "there are generic"),
        ("sign generic missing.json", "missing.json cannot be read"),
        ("sign generic .", ". cannot be read"),
        ("sign generic FILE --secret 7", "there is no secret 7"),
        ("rules explain --source nope FILE", "there are generic"),
        ("rules explain missing.json", "missing.json cannot be read"),
        ("deliveries list --state nope", "quarantined"),
    ] {
        let arguments = line.split(' ').map(|word| word.replace("FILE", file));
        let arguments: Vec<_> = arguments.collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let refused = output(&workspace, &arguments).await;
        assert_eq!(exited(&refused, 64), "", "{line:?} is no data");
        let err = text(&refused.stderr);
        assert!(err.contains(told), "{line:?}: {err}");
    }
    // A file that stands for a part of the configuration is as one that the configuration names.
    for line in [
        "rules test --rules missing.toml",
        "rules explain --rules missing.toml",
        "rules backtest --rules missing.toml",
        "simulate --script missing.toml",
        "simulate --public-key missing.pem",
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let refused = output(&workspace, &arguments).await;
        assert_eq!(exited(&refused, 78), "", "{line:?} is no data");
        let err = text(&refused.stderr);
        assert!(err.contains("missing."), "{line:?}: {err}");
    }
}

#[tokio::test]
async fn what_is_said_of_logs_and_cannot_be_read_exits_with_78() {
    let workspace = Workspace::new(NOBODY, &[]);
    for (name, value) in [("WRAPUP_LOG_FORMAT", "xml"), ("RUST_LOG", "[[[")] {
        let mut command = workspace.command(&["serve"]);
        let refused = command.env(name, value).output().await.unwrap();
        assert_eq!(exited(&refused, 78), "");
        let told = text(&refused.stderr);
        assert!(told.starts_with(name), "{told}");
    }
}

#[tokio::test]
async fn every_command_has_a_help_with_an_example() {
    let workspace = Workspace::new(NOBODY, &[]);
    let all = output(&workspace, &["--help"]).await;
    let all = exited(&all, 0);
    let version = output(&workspace, &["--version"]).await;
    assert!(exited(&version, 0).starts_with("wrapup "));
    for line in [
        "serve",
        "check",
        "config",
        "rules",
        "rules test",
        "rules explain",
        "rules backtest",
        "sign",
        "deliveries",
        "deliveries list",
        "deliveries show",
        "deliveries reprocess",
        "deliveries redrive",
        "deliveries erase",
        "deliveries export",
        "codes",
        "simulate",
        "demo",
        "healthcheck",
    ] {
        let mut arguments: Vec<_> = line.split(' ').collect();
        assert!(all.contains(arguments[0]), "{line}");
        arguments.push("--help");
        let help = output(&workspace, &arguments).await;
        let help = exited(&help, 0);
        let (_, example) = help
            .split_once("\nExample")
            .unwrap_or_else(|| panic!("{line}: {help}"));
        assert!(
            example.contains(&format!("wrapup {line}")) || example.contains(line),
            "{help}"
        );
    }
}

#[tokio::test]
async fn whoever_has_seen_enough_ends_the_reading_in_peace() {
    let workspace = Workspace::new(NOBODY, &[]);
    let mut shell = Command::new("sh");
    let line =
        "\"$0\" config | head -n 1; \"$0\" --help | head -n 1; \"$0\" rules test | head -n 1";
    shell
        .args(["-c", line, env!("CARGO_BIN_EXE_wrapup")])
        .env("WRAPUP_CONFIG", workspace.config());
    let cut = shell.output().await.unwrap();
    assert_eq!(text(&cut.stdout).lines().count(), 3);
    assert_eq!(text(&cut.stderr), "");
}

#[tokio::test]
async fn a_help_that_cannot_be_written_is_an_error_and_one_that_is_not_read_is_none() {
    let mut shell = Command::new("sh");
    let line = "\"$0\" --help > /dev/full; echo $?; { \"$0\" --help; echo $? >&2; } | true";
    shell.args(["-c", line, env!("CARGO_BIN_EXE_wrapup")]);
    let told = shell.output().await.unwrap();
    assert_eq!(text(&told.stdout), "1\n");
    let err = text(&told.stderr);
    assert!(err.starts_with("No space left"), "{err}");
    assert!(err.ends_with("\n0\n"), "{err}");
}

#[tokio::test]
async fn the_sample_of_the_reference_is_explained() {
    let workspace = Workspace::new(NOBODY, &[]);
    let explained = fed(&mut workspace.command(&["rules", "explain"]), SAMPLE).await;
    let told = exited(&explained, 0);
    assert!(
        told.contains("code         WU_PROMPT_SUCCESS (by promoter)"),
        "{told}"
    );
    assert!(
        told.contains("BILLING"),
        "fields are shown as rules see them: {told}"
    );

    let file = workspace.path("sample.json");
    std::fs::write(&file, SAMPLE).unwrap();
    let arguments = ["rules", "explain", file.to_str().unwrap(), "--json"];
    let explained = output(&workspace, &arguments).await;
    let told: serde_json::Value = serde_json::from_str(exited(&explained, 0)).unwrap();
    assert_eq!(told["wrapUpCode"], "WU_PROMPT_SUCCESS");
    assert_eq!(told["rule"], "promoter");

    let unreadable = fed(&mut workspace.command(&["rules", "explain"]), "{}").await;
    let told = exited(&unreadable, 1);
    assert!(
        told.contains("interaction_id ($.interactionId, uuid)"),
        "{told}"
    );
}
