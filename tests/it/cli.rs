//! The command line: exit codes, and commands used one after the other.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use uuid::Uuid;

use crate::support::app::survey;
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::remote::{Remote, output, text};
use crate::support::{PATIENCE, eventually, simulator};

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
async fn an_address_that_is_taken_exits_with_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[server]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let workspace = Workspace::new(NOBODY, &[&listen]);
    let refused = output(&workspace, &["serve"]).await;
    exited(&refused, 69);
    assert!(text(&refused.stderr).contains("cannot listen on"));
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

/// Both presets under names of their own, and a service with them.
const BOTH: &str = r#"
[[source]]
name = "plain"
preset = "hmac-sha256"
secrets = [{ value = "first-survey-secret" }, { value = "second-survey-secret" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
csat_score = { path = "$.csat_score", type = "number", default = 0 }
nps_score = { path = "$.nps_score", type = "number", default = 0 }
issue_type = { path = "$.issue_type", type = "string", default = "", case = "upper" }
[[source]]
name = "standard"
preset = "standard-webhooks"
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
"#;

#[tokio::test]
async fn signed_headers_are_taken_for_both_presets() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[BOTH]);
    let service = Process::serve(&workspace).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |source: &str, body: &str, headers: &str| {
        let url = format!("http://{}/webhooks/{source}", service.public);
        let mut request = http.post(url).header("content-type", "application/json");
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        request
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for (source, more) in [
        ("plain", "--secret=0"),
        ("plain", "--secret=1"),
        ("standard", "--id=msg_1"),
    ] {
        let body = survey(Uuid::new_v4(), 10, 5);
        let signed = fed(&mut workspace.command(&["sign", source, "-", more]), &body).await;
        let headers = exited(&signed, 0);
        assert_eq!(
            send(source, &body, headers).await,
            202,
            "{source} {more}: {headers}"
        );
        assert_eq!(
            send(source, &format!("{body} "), headers).await,
            401,
            "{source} {more}"
        );
    }
    let mut command = workspace.command(&["sign", "standard", "-", "--json", "--id", "msg_2"]);
    let signed = fed(&mut command, SAMPLE).await;
    let message: serde_json::Value = serde_json::from_str(exited(&signed, 0)).unwrap();
    assert_eq!(message["method"], "POST");
    assert_eq!(message["headers"]["webhook-id"], "msg_2");
    let nobody = fed(&mut workspace.command(&["sign", "nobody", "-"]), SAMPLE).await;
    exited(&nobody, 1);
    assert!(
        text(&nobody.stderr).contains("plain, standard"),
        "it names those there are"
    );
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn the_printed_curl_command_is_answered_with_202() {
    if Command::new("curl")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        assert!(std::env::var("CI").is_err(), "CI has curl");
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let url = format!("http://{}/webhooks/generic", service.public);
    let interaction = Uuid::new_v4();
    // What a shell could stumble over, in the payload and in its file's name.
    let awkward =
        survey(interaction, 10, 5).replacen('{', "{\"said\": \"it's $HOME `x` \\\\ \\\"\",\n", 1);
    let file = workspace.path("it's a survey.json");
    std::fs::write(&file, &awkward).unwrap();
    let from_file = output(
        &workspace,
        &[
            "sign",
            "generic",
            file.to_str().unwrap(),
            "--curl",
            "--url",
            &url,
        ],
    )
    .await;
    let other = survey(Uuid::new_v4(), 10, 5).replacen('{', "{\"said\": \"it's @ $HOME\",\n", 1);
    let mut command = workspace.command(&["sign", "generic", "-", "--curl", "--url", &url]);
    let from_stdin = fed(&mut command, &other).await;
    for signed in [from_file, from_stdin] {
        let line = exited(&signed, 0).trim_end();
        let pasted = fed(
            &mut Command::new("sh"),
            &format!("{line} -w ' %{{http_code}}'\n"),
        )
        .await;
        let answer = exited(&pasted, 0);
        assert!(answer.ends_with(" 202"), "{line}\n{answer}");
        assert!(answer.contains("\"status\":\"accepted\""), "{answer}");
    }
    let assigned = eventually(async || simulator.control().assigned(interaction).is_some()).await;
    assert!(assigned, "{}", service.log());
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_started_simulator_prints_settings_that_can_be_used() {
    let nowhere = Workspace::new(NOBODY, &[]);
    let mut command = nowhere.command(&["simulate", "--listen", "127.0.0.1:0"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut settings = String::new();
    while !settings.contains("/control/received") {
        let line = tokio::time::timeout(PATIENCE, lines.next_line());
        let line = line.await.expect("in time").unwrap().expect("it goes on");
        settings = format!("{settings}{line}\n");
    }
    let table: toml::Table = toml::from_str(&settings).expect("it can be pasted");
    let base_url = table["platform"]["base_url"].as_str().unwrap().to_owned();

    let workspace = Workspace::new(NOBODY, &[&settings]);
    std::fs::create_dir(workspace.path("demo")).unwrap();
    std::fs::copy(
        repository("config/demo/demo-client.pem"),
        workspace.path("demo/demo-client.pem"),
    )
    .unwrap();
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interaction = remote.promoter().await.to_string();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let received = eventually(async || {
        let answer = http
            .get(format!("{base_url}/control/received"))
            .send()
            .await;
        answer.unwrap().text().await.unwrap().contains(&interaction)
    });
    assert!(received.await, "{}", service.log());
    assert!(service.stop().await.success());
    let pid = child.id().expect("it runs").to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(told.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("in time");
    assert_eq!(ended.unwrap().code(), Some(0));
}

#[tokio::test]
async fn the_demo_ends_with_0_and_prints_plain_lines_where_nobody_looks() {
    let workspace = Workspace::new(NOBODY, &[]);
    // It needs no configuration, and disturbs none.
    std::fs::remove_file(workspace.config()).unwrap();
    let shown = output(&workspace, &["demo", "--once"]).await;
    let told = exited(&shown, 0);
    assert!(told.contains("9 of 9 as expected"), "{told}");
    for line in [
        "202 accepted",
        "200 duplicate",
        "401 unauthorized",
        "422 invalid-survey",
        "WU_PROMPT_SUCCESS",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains(['\u{1b}', '\r', '\u{8}']), "{told:?}");
    assert_eq!(text(&shown.stderr), "");
}

#[tokio::test]
async fn the_health_check_says_up_down_or_wrong() {
    let workspace = Workspace::new(NOBODY, &[]);
    let service = Process::serve(&workspace).await;
    let (admin, public) = (service.admin, service.public);
    let listen = format!("[admin]\nlisten = \"{admin}\"\n");
    workspace.configure(NOBODY, &[&listen]);
    let up = output(&workspace, &["healthcheck"]).await;
    assert_eq!(exited(&up, 0), format!("http://{admin}/livez: alive\n"));
    let elsewhere = format!("http://{public}/livez");
    exited(
        &output(&workspace, &["healthcheck", "--url", &elsewhere]).await,
        0,
    );
    let wrong = format!("http://{admin}/nothing-here");
    exited(
        &output(&workspace, &["healthcheck", "--url", &wrong]).await,
        1,
    );
    // It asks although somebody is editing the file.
    std::fs::write(
        workspace.config(),
        format!("{listen}[platform]\nnonsense = 1\n"),
    )
    .unwrap();
    exited(&output(&workspace, &["healthcheck"]).await, 0);
    assert!(service.stop().await.success());
    exited(&output(&workspace, &["healthcheck"]).await, 69);
}
