//! What operators see (DESIGN section 10): metrics with their labels, log lines with their fields, health.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use wrapup::simulator::{Fault, Interaction, Operation};
use wrapup::store::State;

use crate::support::app::{Answer, TestApp, answer, survey};
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::{eventually, load, simulator};

/// Each metric with the values of its label that stand there after the traffic of the test below, or after none.
const METRICS: &[(&str, &[&str])] = &[
    (
        "wrapup_webhooks_total",
        &[
            "outcome=\"accepted\",source=\"generic\"",
            "outcome=\"ignored\",source=\"generic\"",
            "outcome=\"duplicate\",source=\"generic\"",
            "outcome=\"quarantined\",source=\"generic\"",
            "outcome=\"unauthorized\",source=\"generic\"",
            "outcome=\"malformed\",source=\"generic\"",
            "outcome=\"too_large\",source=\"generic\"",
            "outcome=\"timeout\",source=\"generic\"",
            "outcome=\"overloaded\",source=\"generic\"",
            "outcome=\"unavailable\",source=\"generic\"",
            "outcome=\"unknown_source\",source=\"unknown\"",
        ],
    ),
    (
        "wrapup_webhook_duration_seconds_count",
        &["source=\"generic\""],
    ),
    (
        "wrapup_signature_failures_total",
        &["reason=\"mismatch\",source=\"generic\""],
    ),
    ("wrapup_rule_matches_total", &["rule=\"promoter\""]),
    (
        "wrapup_deliveries",
        &[
            "state=\"pending\"",
            "state=\"leased\"",
            "state=\"assigned\"",
            "state=\"ignored\"",
            "state=\"superseded\"",
            "state=\"kept\"",
            "state=\"shadowed\"",
            "state=\"quarantined\"",
            "state=\"dead\"",
        ],
    ),
    ("wrapup_oldest_due_seconds", &[""]),
    ("wrapup_delivery_duration_seconds_count", &[""]),
    (
        "wrapup_assignments_total",
        &[
            "verdict=\"assigned\"",
            "verdict=\"snooze\"",
            "verdict=\"retry\"",
            "verdict=\"dead\"",
        ],
    ),
    (
        "wrapup_dead_total",
        &[
            "class=\"rejected\"",
            "class=\"unknown-code\"",
            "class=\"exhausted\"",
            "class=\"expired\"",
        ],
    ),
    (
        "wrapup_platform_requests_total",
        &[
            "operation=\"token\",status=\"200\"",
            "operation=\"codes\",status=\"200\"",
            "operation=\"state\",status=\"200\"",
            "operation=\"assign\",status=\"200\"",
            "operation=\"assign\",status=\"409\"",
        ],
    ),
    (
        "wrapup_platform_request_duration_seconds_count",
        &["operation=\"assign\""],
    ),
    ("wrapup_pacer_wait_seconds_count", &[""]),
    ("wrapup_pacer_paused_seconds", &[""]),
    ("wrapup_rate_limited_total", &[""]),
    ("wrapup_codes", &[""]),
    ("wrapup_codes_age_seconds", &[""]),
    (
        "wrapup_codes_refresh_total",
        &["outcome=\"ok\"", "outcome=\"failed\""],
    ),
    (
        "wrapup_token_refresh_total",
        &["outcome=\"ok\"", "outcome=\"refused\""],
    ),
    (
        "wrapup_breaker_open",
        &["breaker=\"outage\"", "breaker=\"credentials\""],
    ),
    ("wrapup_workers_busy", &[""]),
    ("wrapup_workers", &[""]),
    ("wrapup_commit_batch_size_count", &[""]),
    ("wrapup_commit_duration_seconds_count", &[""]),
    (
        "wrapup_rules_reload_total",
        &["outcome=\"ok\"", "outcome=\"failed\""],
    ),
    ("wrapup_build_info", &["revision=", "version=\"0."]),
    ("wrapup_store_bytes", &[""]),
    ("process_cpu_seconds_total", &[""]),
    ("process_resident_memory_bytes", &[""]),
    ("process_open_fds", &[""]),
    ("process_start_time_seconds", &[""]),
];

async fn metrics(app: &TestApp) -> String {
    let url = format!("http://{}/metrics", app.service.admin);
    let answer = app.http.get(url).send().await.unwrap();
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    answer.text().await.unwrap()
}

#[tokio::test]
async fn every_metric_is_there_with_its_labels() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let assigned = app.promoter(Uuid::new_v4()).await;
    app.reaches(assigned, State::Assigned).await;
    let refused = Uuid::new_v4();
    let fault = Fault::status(409).on(Operation::Assign).about(refused);
    control.add_fault(fault).unwrap();
    let dead = app.promoter(refused).await;
    app.reaches(dead, State::Dead).await;
    assert_eq!(app.post("{}").await.status, 422);
    let forged = load::signature(b"another", b"{}");
    for path in ["/webhooks/generic", "/webhooks/nobody-0815"] {
        let request = app.http.post(app.url(path)).header("x-signature", &forged);
        assert!(answer(request.body("{}")).await.status >= 400);
    }

    let text = metrics(&app).await;
    let missing: Vec<String> = METRICS
        .iter()
        .flat_map(|(name, labels)| labels.iter().map(move |labels| (*name, *labels)))
        .filter(|(name, labels)| {
            !text.lines().any(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
            })
        })
        .map(|(name, labels)| format!("{name}{{{labels}}}"))
        .collect();
    assert!(missing.is_empty(), "missing: {missing:#?}\n{text}");
    for (name, labels, value) in [
        ("wrapup_webhooks_total", "outcome=\"accepted\"", 2.0),
        (
            "wrapup_webhooks_total",
            "outcome=\"unknown_source\",source=\"unknown\"",
            1.0,
        ),
        ("wrapup_signature_failures_total", "mismatch", 1.0),
        ("wrapup_rule_matches_total", "promoter", 2.0),
        ("wrapup_deliveries", "assigned", 1.0),
        ("wrapup_deliveries", "quarantined", 1.0),
        ("wrapup_assignments_total", "\"assigned\"", 1.0),
        ("wrapup_dead_total", "rejected", 1.0),
        ("wrapup_codes", "", 32.0),
        ("wrapup_workers", "", 32.0),
        ("wrapup_breaker_open", "", 0.0),
    ] {
        let got = app.metric(name, labels).await;
        assert!((got - value).abs() < 0.1, "{name}{{{labels}}} is {got}");
    }
    // Labels are bounded: what a client writes, and ids, are in none.
    let interaction = refused.to_string();
    for id in ["nobody-0815", interaction.as_str(), &dead.to_string()] {
        assert!(!text.contains(id), "{id} in\n{text}");
    }
    // Each has a help text, and there is none of ours that the contract does not name.
    for line in text
        .lines()
        .filter(|line| line.starts_with("# TYPE wrapup_"))
    {
        let name = line.split(' ').nth(2).unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        let known = |(known, _): &(&str, _)| known.strip_suffix("_count").unwrap_or(known) == name;
        assert!(METRICS.iter().any(known), "{name} is not in the contract");
    }
    app.finish().await;
}

/// The process's log, line by line.
fn lines(service: &Process) -> Vec<Value> {
    let log = service.log();
    let parsed = log.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"))
    });
    parsed.collect()
}

/// The lines about a delivery at `info` and above.
fn about(service: &Process, delivery: &str) -> Vec<Value> {
    lines(service)
        .into_iter()
        .filter(|line| line["delivery.id"] == delivery)
        .collect()
}

async fn post(service: &Process, body: &str, secret: &str) -> Answer {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(format!("http://{}/webhooks/generic", service.public))
        .header(
            "x-signature",
            load::signature(secret.as_bytes(), body.as_bytes()),
        );
    answer(request.body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_end_of_a_survey_is_one_line_in_the_words_of_the_vocabulary() {
    let simulator = simulator::unlimited().await;
    let control = simulator.control();
    let pace = "[platform.rate_limit]\nrequests = 2000\n";
    let workspace = Workspace::new(&simulator.base_url(), &[pace]);
    let rules = std::fs::read_to_string(workspace.path("rules.toml")).unwrap();
    let noise = "[[rule]]\nname = \"noise\"\nwhen = \"nps_score == 7\"\nignore = true\n";
    std::fs::write(workspace.path("rules.toml"), format!("{noise}{rules}")).unwrap();
    let service = Process::serve(&workspace).await;

    let (fine, refused, waiting) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let fault = Fault::status(409).on(Operation::Assign).about(refused);
    control
        .add_fault(fault.body(r#"{"message":"not on a Sunday"}"#))
        .unwrap();
    control
        .set_interaction(Interaction::in_state(waiting, "connected"))
        .unwrap();
    let decided = [
        "source",
        "delivery.id",
        "interaction.id",
        "rule",
        "code.name",
    ];
    let with = |more: &[&'static str]| [&decided[..], more].concat();
    let cases = [
        (
            survey(fine, 10, 5),
            "INFO",
            "assigned",
            with(&["code.id", "attempt"]),
        ),
        (
            survey(refused, 10, 5),
            "WARN",
            "dead",
            with(&["attempt", "error"]),
        ),
        (
            survey(fine, 7, 5),
            "INFO",
            "survey ignored",
            vec!["source", "delivery.id", "interaction.id", "rule"],
        ),
        (
            "{}".to_owned(),
            "INFO",
            "survey quarantined",
            vec!["source", "delivery.id"],
        ),
    ];
    for (body, level, message, fields) in cases {
        let answer = post(&service, &body, SECRET).await;
        let id = answer.delivery().to_string();
        let end = |line: &Value| line["message"] == message;
        let told = eventually(async || about(&service, &id).iter().any(end)).await;
        assert!(told, "{message}:\n{}", service.log());
        let ends: Vec<_> = about(&service, &id).into_iter().filter(end).collect();
        let [line] = ends.as_slice() else {
            panic!("not one line: {ends:#?}");
        };
        assert_eq!(line["level"], level, "{line}");
        for field in fields {
            assert!(!line[field].is_null(), "{field} is not in {line}");
        }
    }

    // Superseded by a later one, at once or by the worker that had it.
    let first = post(&service, &survey(waiting, 3, 5), SECRET)
        .await
        .delivery();
    let second = post(&service, &survey(waiting, 10, 5), SECRET)
        .await
        .delivery();
    let told = |line: &Value| {
        line["level"] == "INFO" && line["message"].as_str().unwrap().contains("superseded")
    };
    let first = first.to_string();
    let superseded = eventually(async || about(&service, &first).iter().any(told)).await;
    assert!(superseded, "{second:?}:\n{}", service.log());
    assert_eq!(about(&service, &first).into_iter().filter(told).count(), 1);

    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_signatures_are_one_line_for_each_reason_in_ten_seconds() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let began = tokio::time::Instant::now();
    for _ in 0..30 {
        assert_eq!(post(&service, "{}", "another").await.status, 401);
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..3 {
        let url = format!("http://{}/webhooks/generic", service.public);
        assert_eq!(answer(http.post(url).body("{}")).await.status, 401);
    }
    let refused = |reason: &str| -> Vec<Value> {
        let all = lines(&service).into_iter();
        all.filter(|line| line["message"] == "signature refused" && line["reason"] == reason)
            .collect()
    };
    assert!(eventually(async || !refused("missing").is_empty()).await);
    if began.elapsed() < Duration::from_secs(10) {
        assert_eq!(
            (refused("mismatch").len(), refused("missing").len()),
            (1, 1)
        );
    }
    let line = refused("mismatch").remove(0);
    assert_eq!(
        (&line["level"], &line["source"]),
        (&"WARN".into(), &"generic".into())
    );
    assert_eq!(line["count"], 1);
    // The rest is told with the first that comes after the ten seconds.
    let counted = eventually(async || {
        post(&service, "{}", "another").await;
        refused("mismatch").len() >= 2
    });
    assert!(counted.await);
    let count = refused("mismatch")[1]["count"].as_u64().unwrap();
    assert!(count >= 30, "29 were not told, and one more came: {count}");
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn health_is_on_both_listeners_and_reasons_on_one() {
    let app = TestApp::fresh("").await;
    let control = app.simulator.control();
    let public = async |path: &str| answer(app.http.get(app.url(path))).await;
    assert!(eventually(async || public("/readyz").await.status == 200).await);
    for path in ["/livez", "/readyz", "/readyz?delivery=true"] {
        for seen in [public(path).await, app.admin(path).await] {
            assert_eq!(seen.status, 200, "{path}: {seen:?}");
            assert!(seen.body["reasons"].is_null(), "{path}: {seen:?}");
            assert_eq!(seen.headers["cache-control"], "no-store");
        }
        let head = answer(app.http.head(app.url(path))).await;
        assert_eq!(head.status, 200, "{path}");
    }
    // Metrics are the operators' alone.
    assert_eq!(public("/metrics").await.status, 404);

    control
        .add_fault(Fault::status(401).on(Operation::Assign))
        .unwrap();
    app.promoter(Uuid::new_v4()).await;
    let degraded = async || app.admin("/readyz").await.body["status"] == "degraded";
    assert!(eventually(degraded).await);
    let told = app.admin("/readyz").await;
    assert_eq!(told.status, 200, "the door stays open");
    assert_eq!(
        told.body["reasons"].as_array().unwrap().len(),
        1,
        "{told:?}"
    );
    let untold = public("/readyz").await;
    assert_eq!(untold.status, 200);
    assert_eq!(untold.body["status"], "degraded");
    assert!(untold.body["reasons"].is_null(), "{untold:?}");
    for seen in [
        public("/readyz?delivery=true").await,
        app.admin("/readyz?delivery=true").await,
    ] {
        assert_eq!(seen.status, 503);
    }
    assert_eq!(public("/livez").await.status, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breaker_that_opens_and_closes_is_told_once_each() {
    let simulator = simulator::unlimited().await;
    let control = simulator.control();
    let pace = "[platform.rate_limit]\nrequests = 2000\n";
    let workspace = Workspace::new(&simulator.base_url(), &[pace]);
    let service = Process::serve(&workspace).await;
    service.logged("the code book is loaded").await;
    let down = Fault::status(503).on(Operation::State);
    control.add_fault(down).unwrap();
    control
        .add_fault(Fault::status(503).on(Operation::Codes))
        .unwrap();
    for _ in 0..6 {
        assert_eq!(
            post(&service, &survey(Uuid::new_v4(), 10, 5), SECRET)
                .await
                .status,
            202
        );
    }
    service.logged("\"message\":\"a breaker opened\"").await;
    control.clear_faults();
    service.logged("\"message\":\"a breaker closed\"").await;
    let told: Vec<_> = lines(&service)
        .into_iter()
        .filter(|line| line["message"].as_str().unwrap().starts_with("a breaker "))
        .collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(
        (&told[0]["level"], &told[0]["breaker"]),
        (&"WARN".into(), &"outage".into())
    );
    assert!(
        told[0]["error"].as_str().unwrap().contains("503"),
        "{}",
        told[0]
    );
    assert_eq!(told[1]["level"], "INFO");
    assert!(service.stop().await.success());
}
