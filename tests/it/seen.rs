//! What operators see (DESIGN section 10): metrics with their labels, log lines with their fields, health.

mod metrics;

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use wrapup::simulator::{Fault, Interaction, Operation};
use wrapup::store::State;

use crate::support::app::{Answer, TestApp, answer, survey};
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::{eventually, load, simulator};

/// The process's log, line by line.
fn lines(service: &Process) -> Vec<Value> {
    let log = service.log();
    let parsed = log.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"))
    });
    parsed.collect()
}

/// The lines about a delivery, at `info` and above.
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
            "INFO",
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
            vec!["source", "delivery.id", "problems"],
        ),
    ];
    for (body, level, message, fields) in cases {
        let answer = post(&service, &body, SECRET).await;
        let id = answer.delivery().to_string();
        let end = |line: &Value| line["message"] == message;
        let told = eventually(async || about(&service, &id).iter().any(end)).await;
        assert!(told, "{message}:\n{}", service.log());
        let all = about(&service, &id);
        let [line] = all.as_slice() else {
            panic!("not one line: {all:#?}");
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
    assert_eq!(about(&service, &first).len(), 1, "{}", service.log());
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_that_comes_too_late_has_its_line_too() {
    let simulator = simulator::unlimited().await;
    let first_wins = "[delivery]\nrepeat = \"first\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[first_wins]);
    let service = Process::serve(&workspace).await;
    let interaction = Uuid::new_v4();
    post(&service, &survey(interaction, 10, 5), SECRET).await;
    service.logged("\"message\":\"assigned\"").await;
    let late = post(&service, &survey(interaction, 3, 5), SECRET).await;
    let late = late.delivery().to_string();
    assert!(eventually(async || !about(&service, &late).is_empty()).await);
    let all = about(&service, &late);
    assert_eq!(all.len(), 1, "{all:#?}");
    let line = &all[0];
    assert_eq!(line["message"], "superseded by another survey");
    for field in ["source", "interaction.id", "rule", "code.name", "by"] {
        assert!(line[field].is_string(), "{field} is not in {line}");
    }
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_before_it_is_read_is_told_by_source() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &["[server]\nmax_body = \"1KiB\"\n"]);
    let service = Process::serve(&workspace).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/webhooks/generic", service.public);
    for (kind, body, status, error) in [
        ("text/plain", "{}".to_owned(), 415, "content type"),
        ("application/json", "x".repeat(2000), 413, "too large"),
    ] {
        let request = http.post(&url).header("content-type", kind).body(body);
        assert_eq!(answer(request).await.status, status);
        let told = |line: &Value| {
            line["level"] == "WARN"
                && line["source"] == "generic"
                && line["http.status"] == status
                && line["error"]
                    .as_str()
                    .is_some_and(|text| text.contains(error))
        };
        let seen = eventually(async || lines(&service).iter().any(told)).await;
        assert!(seen, "{status}:\n{}", service.log());
    }
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
    let mut posted = 30;
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
    // The rest is told with the first that comes after the ten seconds, and each of them once.
    let mut told = 0;
    let counted = eventually(async || {
        post(&service, "{}", "another").await;
        posted += 1;
        let counts = refused("mismatch");
        told = counts
            .iter()
            .filter_map(|line| line["count"].as_u64())
            .sum();
        told > 30
    });
    assert!(counted.await, "{}", service.log());
    assert!(told <= posted, "{told} of {posted}");
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

#[tokio::test]
async fn a_full_store_is_told_with_what_to_do_and_leaves_the_door_open() {
    let app = TestApp::fresh("[store]\nmax_pending = 1\nmax_quarantined = 1\n").await;
    let control = app.simulator.control();
    let says = async |status: &str, part: &str| {
        let mut last = None;
        let said = eventually(async || {
            let answer = app.admin("/readyz").await;
            let said = answer.body["status"] == status && answer.body.to_string().contains(part);
            last = Some(answer);
            said
        });
        assert!(said.await, "{status} {part}: {last:?}");
        last.unwrap()
    };
    says("ready", "").await;
    let interaction = Uuid::new_v4();
    let waits = Interaction::in_state(interaction, "connected");
    control.set_interaction(waits).unwrap();
    let body = survey(interaction, 10, 5);
    let id = app.accepted(&body).await;
    let told = says("degraded", "store.max_pending").await;
    // New surveys are turned away; but a repetition is known, and every replica would be full at the same time.
    assert_eq!(told.status, 200);
    assert_eq!(app.post(&survey(Uuid::new_v4(), 10, 5)).await.status, 503);
    assert_eq!(app.post(&body).await.status, 200);
    assert_eq!(app.admin("/readyz?delivery=true").await.status, 503);
    let public = answer(app.http.get(app.url("/readyz"))).await;
    assert_eq!(
        (public.status, &public.body["reasons"]),
        (200, &Value::Null)
    );

    assert_eq!(app.post("{}").await.status, 422);
    let told = says("degraded", "store.max_quarantined").await;
    assert!(told.body.to_string().contains("deliveries reprocess"));

    let done = Interaction::completed(interaction);
    control.set_interaction(done).unwrap();
    app.skip(Duration::from_secs(40));
    app.reaches(id, State::Assigned).await;
    let gone = eventually(async || {
        let answer = app.admin("/readyz").await;
        !answer.body.to_string().contains("store.max_pending")
    });
    assert!(gone.await);
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
