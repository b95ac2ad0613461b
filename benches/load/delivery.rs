//! Delivery: drain without a limit, drain at the pace of a strict limit, and the way of one survey when idle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;
use wrapup::clock::UnixMs;
use wrapup::ids::{CodeName, DeliveryId, InteractionId, RuleName, SourceName};
use wrapup::store::{Content, DecisionRecord, DedupKey, NewDelivery};

use crate::accept::fill;
use crate::figures::{line, per_second, percentile};
use crate::load;
use crate::process::{Process, SECRET, Workspace};
use crate::simulator;

const UNLIMITED: &str = "[platform.rate_limit]\nrequests = 100000\nslack = \"1ms\"\n[delivery]\ncheck_state = \"repeats\"\n";
const DRAIN: usize = 30_000;
const PACED: usize = 3_000;
const IDLE: usize = 500;
const PATIENCE: Duration = Duration::from_mins(2);

/// A pending delivery as the webhook would store it.
pub fn pending(n: usize, now: UnixMs) -> NewDelivery {
    let id = DeliveryId::generate();
    let mut key = [0; 32];
    key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    let interaction = InteractionId(Uuid::new_v4());
    let body = format!(
        "{{\"interactionId\":\"{interaction}\",\"csat_score\":5,\"nps_score\":10,\"issue_type\":\"billing\",\"n\":{n}}}"
    );
    NewDelivery {
        id,
        source: SourceName::from("generic"),
        accepted_at: now,
        keys: vec![DedupKey(key)],
        content_key: DedupKey(key),
        body: Bytes::from(body),
        content: Content::Readable {
            interaction,
            fields: r#"{"csat_score":5.0,"issue_type":"BILLING","nps_score":10.0}"#.to_owned(),
            decision: DecisionRecord {
                rule: Some(RuleName::from("promoter")),
                code: Some(CodeName::from("WU_PROMPT_SUCCESS")),
                rules_hash: "0".repeat(64).into(),
                rules: ["detractor", "promoter"].map(RuleName::from).into(),
                failures: Vec::new(),
            },
        },
    }
}

pub async fn drain() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[UNLIMITED]);
    fill(&workspace, DRAIN).await;
    let control = simulator.control();
    let service = Process::serve(&workspace).await;
    simulator::assigned(&control, 1, PATIENCE).await;
    let started = Instant::now();
    simulator::assigned(&control, DRAIN, PATIENCE).await;
    let figure = format!("{:.0}/s", per_second(DRAIN - 1, started.elapsed()));
    line(
        "drain with no limit, instant platform",
        &figure,
        ">= 3000/s",
    );
    service.stop().await;
}

pub async fn pace() {
    let simulator = simulator::limited(100, Duration::from_secs(1)).await;
    let workspace = Workspace::new(
        &simulator.base_url(),
        &["[delivery]\ncheck_state = \"repeats\"\n"],
    );
    fill(&workspace, PACED).await;
    let control = simulator.control();
    let service = Process::serve(&workspace).await;
    simulator::assigned(&control, 1, PATIENCE).await;
    let started = Instant::now();
    simulator::assigned(&control, PACED, PATIENCE).await;
    let refused = control.stats().limited;
    let figure = format!(
        "{:.1}/s, {refused} x 429",
        per_second(PACED - 1, started.elapsed())
    );
    line(
        "drain against a strict sliding window of 100/s",
        &figure,
        ">= 94/s, no 429",
    );
    service.stop().await;
}

pub async fn idle() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[UNLIMITED]);
    let service = Process::serve(&workspace).await;
    let control = simulator.control();
    let shots = Arc::new(load::shots(IDLE, "generic", SECRET.as_bytes()));
    let mut line_to = load::Line::to(service.public);
    let mut times = Vec::new();
    for (n, shot) in shots.iter().enumerate() {
        let started = Instant::now();
        assert_eq!(line_to.send(&shot.request).await, Some(202));
        simulator::assigned(&control, n + 1, PATIENCE).await;
        times.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let figure = format!(
        "p50 {:.1?}, p99 {:.1?}",
        percentile(&mut times, 50),
        percentile(&mut times, 99)
    );
    line(
        "webhook to assignment, idle, instant platform",
        &figure,
        "p50 <= 5 ms, p99 <= 20 ms",
    );
    service.stop().await;
}
