//! The tools for whoever writes rules: explain, check, test and backtest.

mod bodies;

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::survey;
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::remote::{Remote, output, text};
use crate::support::{eventually, simulator};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

/// Two sources that share some fields.
const TWO: &str = r#"
[[source]]
name = "phone"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
[source.fields]
interaction_id = { path = "$.id", type = "uuid", required = true }
score = { path = "$.answers.score", type = "integer", default = 3 }
topic = { path = "$.answers.topic", type = "string" }
[[source]]
name = "mail"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
[source.fields]
interaction_id = { path = "$.id", type = "uuid", required = true }
score = { path = "$.score", type = "number" }
comment = { path = "$.comment", type = "string" }
"#;

const RULES_OF_TWO: &str = r#"
[[rule]]
name = "refund"
when = "source == 'phone' && topic.trim().lower().matches('^refund')"
assign = "REFUND"
[[rule]]
name = "no-topic"
when = "topic == null && score > 4.5"
assign = "HAPPY"
[[rule]]
name = "rest"
assign = "REST"
[[case]]
name = "one source has a topic"
source = "phone"
survey = { topic = " Refunds, please", score = 1 }
expect = "REFUND"
[[case]]
name = "to the other it is null, and its scores have fractions"
source = "mail"
survey = { score = 4.75 }
expect = "HAPPY"
[[case]]
name = "the first source is meant where none is named"
survey = { score = 5, topic = "praise" }
expect = "REST"
"#;

fn of_two(rules: &str) -> Workspace {
    let workspace = Workspace::new(NOBODY, &[TWO]);
    std::fs::write(workspace.path("rules.toml"), rules).unwrap();
    workspace
}

async fn run(workspace: &Workspace, arguments: &[&str], code: i32) -> String {
    let ended = output(workspace, arguments).await;
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(
        ended.status.code(),
        Some(code),
        "{arguments:?}\n{out}\n{err}"
    );
    assert!(!err.contains("panicked"), "{err}");
    format!("{out}{err}")
}

async fn run_json(workspace: &Workspace, arguments: &[&str], code: i32) -> Value {
    let ended = output(workspace, arguments).await;
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(
        ended.status.code(),
        Some(code),
        "{arguments:?}\n{out}\n{err}"
    );
    serde_json::from_str(out).unwrap_or_else(|why| panic!("{why}: {out}"))
}

#[tokio::test]
async fn rules_hold_for_several_sources_and_what_one_lacks_is_null() {
    let workspace = of_two(RULES_OF_TWO);
    let told = run(&workspace, &["rules", "test"], 0).await;
    assert!(told.contains("3 of 3 cases passed"), "{told}");
    let unknown = RULES_OF_TWO.replace("topic == null", "topick == null");
    std::fs::write(workspace.path("rules.toml"), unknown).unwrap();
    let told = run(&workspace, &["check"], 78).await;
    assert!(told.contains("no source declares `topick`"), "{told}");
}

#[tokio::test]
async fn one_name_with_two_types_is_a_problem_of_the_configuration() {
    let workspace = of_two(RULES_OF_TWO);
    let clashing = TWO.replace(
        "path = \"$.score\", type = \"number\"",
        "path = \"$.score\", type = \"string\"",
    );
    workspace.configure(NOBODY, &[&clashing]);
    let told = run(&workspace, &["check"], 78).await;
    assert!(
        told.contains("score") && told.contains("is string here"),
        "{told}"
    );
}

#[tokio::test]
async fn check_warns_of_fields_that_no_rule_uses_and_of_rules_that_are_never_reached() {
    let early = RULES_OF_TWO.replacen("when = \"topic == null && score > 4.5\"\n", "", 1);
    let early: String = early.split("[[case]]").next().unwrap().to_owned();
    let workspace = of_two(&early);
    let report = run_json(&workspace, &["check", "--json"], 0).await;
    assert_eq!(report["ok"], true);
    let warnings: Vec<&str> = report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for part in [
        "rule 'rest' is never reached: rule 'no-topic' before it always matches",
        "source phone: no rule uses score",
        "source mail: no rule uses comment, score",
    ] {
        assert!(
            warnings.iter().any(|warning| warning.ends_with(part)),
            "{part}: {warnings:#?}"
        );
    }
    // The others are of the ports of the test.
    assert_eq!(warnings.len(), 5, "{warnings:#?}");
    let told = run(&workspace, &["check"], 0).await;
    assert!(
        told.contains("warning: source mail: no rule uses comment, score"),
        "{told}"
    );
    assert!(told.contains("5 warnings"), "{told}");
}

#[tokio::test]
async fn explain_shows_fields_paths_defaults_trace_and_code() {
    let workspace = of_two(RULES_OF_TWO);
    let id = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";
    let payload = workspace.path("payload.json");
    std::fs::write(
        &payload,
        json!({ "id": id, "answers": { "topic": "refund \u{1b}[31m" } }).to_string(),
    )
    .unwrap();
    let payload = payload.to_str().unwrap();
    let told = run(
        &workspace,
        &["rules", "explain", "--source", "phone", payload],
        0,
    )
    .await;
    for line in [
        "source       phone",
        "interaction  a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "3                                       $.answers.score   (nothing there: the default)",
        r#""refund \u001b[31m"                     $.answers.topic"#,
        "    > refund    matched ",
        "      no-topic  not reached ",
        "code         REFUND (by refund)",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let arguments = ["rules", "explain", "--source", "phone", payload, "--json"];
    let told = run_json(&workspace, &arguments, 0).await;
    assert_eq!(told["paths"]["score"], "$.answers.score");
    assert_eq!(told["defaults"], json!(["score"]));
    assert_eq!(told["fields"]["score"], 3);
    assert_eq!(told["trace"][0]["finding"], "matched");
    assert_eq!(told["wrapUpCode"], "REFUND");

    // The same bytes from the other source: other paths, other answers.
    let told = run(
        &workspace,
        &["rules", "explain", "--source", "mail", payload],
        0,
    )
    .await;
    assert!(
        told.contains("null                                    $.comment   (nothing there)"),
        "{told}"
    );
    assert!(told.contains("(topic, score are missing)"), "{told}");

    std::fs::write(payload, r#"{"id":"nobody","score":"many"}"#).unwrap();
    let told = run(
        &workspace,
        &["rules", "explain", "--source", "mail", payload],
        1,
    )
    .await;
    for line in [
        "interaction_id ($.id, uuid): ",
        "score ($.score, number): expected a number",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    assert!(!told.contains("nobody") && !told.contains("many"), "{told}");
    let arguments = ["rules", "explain", "--source", "mail", payload, "--json"];
    let told = run_json(&workspace, &arguments, 1).await;
    assert_eq!(told["problems"][1]["path"], "$.score");
    run(
        &workspace,
        &["rules", "explain", "--source", "fax", payload],
        64,
    )
    .await;
}

/// Promoters as before, detractors by another rule, and technical issues are for nobody.
const OTHER: &str = r#"
[[rule]]
name = "very-low"
when = "nps_score < 7"
assign = "WU_PROMPT_ESCALATION"
[[rule]]
name = "promoter"
when = "nps_score >= 9 && csat_score >= 4"
assign = "WU_PROMPT_SUCCESS"
[[rule]]
name = "of-somebody"
when = "received_at < timestamp('2020-01-01T00:00:00Z')"
assign = "WU_PROMPT_GENERAL"
"#;

#[tokio::test]
async fn a_backtest_tells_what_would_change_beside_a_running_service_and_without_it() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    std::fs::write(workspace.path("next.toml"), OTHER).unwrap();
    let next = workspace.path("next.toml").display().to_string();
    let arguments = ["rules", "backtest", "--rules", &next, "--since", "1h"];
    // No service has made the store yet.
    let told = run(&workspace, &arguments, 69).await;
    assert!(told.contains("wrapup.db"), "{told}");

    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut general = Vec::new();
    for (nps, csat) in [(10, 5), (9, 4), (2, 1), (8, 5), (7, 3)] {
        let answer = remote.post(&survey(Uuid::new_v4(), nps, csat)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        if nps == 8 || nps == 7 {
            general.push(answer.body["deliveryId"].clone());
        }
    }
    assert_eq!(remote.post_signed("{}", SECRET).await.status, 422);

    let beside = run_json(&workspace, &[&arguments[..], &["--json"]].concat(), 0).await;
    let compared = json!({
        "compared": 5, "unchanged": 3, "unchangedByAnotherRule": 1, "changed": 2, "unreadable": 1, "withoutFields": 0,
    });
    for (name, count) in compared.as_object().unwrap() {
        assert_eq!(&beside[name], count, "{name}: {beside:#}");
    }
    let changes = beside["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{beside:#}");
    assert_eq!(changes[0]["from"], "WU_PROMPT_GENERAL");
    assert_eq!(changes[0]["to"], Value::Null);
    assert_eq!(changes[0]["count"], 2);
    for (example, id) in changes[0]["examples"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&general)
    {
        assert_eq!(&example["deliveryId"], id);
        assert_eq!(example["fromRule"], "everything-else");
        assert_eq!(example["toRule"], Value::Null);
    }
    let matched: Vec<_> = beside["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["matched"].clone())
        .collect();
    assert_eq!(matched, [json!(1), json!(2), json!(0), json!(2)]);
    // It changed nothing, and the service goes on.
    let assigned = eventually(async || {
        remote
            .metric("wrapup_deliveries", "state=\"assigned\"")
            .await
            > 4.5
    })
    .await;
    assert!(assigned, "{}", service.log());
    assert!(service.stop().await.success());

    let arguments = [&arguments[..], &["--examples", "1"]].concat();
    let alone = run(&workspace, &arguments, 0).await;
    for line in [
        "         5  compared",
        "         3  get the same code, 1 of them by another rule",
        "         2  get another one",
        "         1  not compared: they could not be read, and are quarantined",
        "         2  WU_PROMPT_GENERAL -> ignored",
        "         0  of-somebody",
        "         2  (no rule matches)",
    ] {
        assert!(alone.contains(line), "{line}:\n{alone}");
    }
    assert!(alone.contains(general[0].as_str().unwrap()), "{alone}");
    assert!(
        !alone.contains(general[1].as_str().unwrap()),
        "one example: {alone}"
    );
}

#[tokio::test]
async fn a_backtest_looks_no_further_back_than_it_is_told_and_tells_what_fields_were_lacking() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.promoter().await;
    assert!(service.stop().await.success());

    let more = r#"
        [[source]]
        name = "generic"
        preset = "hmac-sha256"
        secrets = [{ value = "demo-only-survey-secret" }]
        [source.fields]
        interaction_id = { path = "$.interactionId", type = "uuid", required = true }
        nps_score = { path = "$.nps_score", type = "number", default = 0 }
        csat_score = { path = "$.csat_score", type = "number", default = 0 }
        team = { path = "$.team", type = "string", default = "" }
    "#;
    workspace.configure(&simulator.base_url(), &[more]);
    let rules = "[[rule]]\nname = 'team'\nwhen = \"team == 'a'\"\nassign = 'A'\n\
                 [[case]]\nname = 'hopeful'\nsurvey = {}\nexpect = 'A'\n";
    std::fs::write(workspace.path("next.toml"), rules).unwrap();
    let next = workspace.path("next.toml").display().to_string();
    let arguments = ["rules", "backtest", "--rules", &next];
    let told = run(&workspace, &arguments, 0).await;
    for line in [
        "         1  of generic were read without the field team: it counts as missing",
        "         1  WU_PROMPT_SUCCESS -> ignored",
        "note: 1 of 1 cases of ",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let other_source = run_json(
        &workspace,
        &[&arguments[..], &["--source", "fax", "--json"]].concat(),
        0,
    )
    .await;
    assert_eq!(other_source["compared"], 0);
    let later = wrapup::clock::Clock::system().now() + Duration::from_mins(1);
    let later = later.to_rfc3339();
    let none = run_json(
        &workspace,
        &[&arguments[..], &["--since", &later, "--json"]].concat(),
        0,
    )
    .await;
    assert_eq!(none["compared"], 0);
    for wrong in ["soon", "-1d", "2026-01-31"] {
        run(
            &workspace,
            &[&arguments[..], &["--since", wrong]].concat(),
            64,
        )
        .await;
    }
    std::fs::write(
        workspace.path("next.toml"),
        "[[rule]]\nname = 'x'\nwhen = 'nope'\nassign = 'A'\n",
    )
    .unwrap();
    let told = run(&workspace, &arguments, 78).await;
    assert!(told.contains("next.toml:3:"), "{told}");
}
