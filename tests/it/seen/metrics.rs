//! Every metric of the contract, and none that it does not name.

use super::*;

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
    ("wrapup_rules_refused", &[""]),
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
        // Some are counted just after what they count can be seen.
        let mut got = f64::NAN;
        let counted = eventually(async || {
            got = app.metric(name, labels).await;
            (got - value).abs() < 0.1
        });
        assert!(counted.await, "{name}{{{labels}}} is {got}");
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
