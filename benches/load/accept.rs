//! Durable accept: throughput against a bare handler, with a backlog, and latency.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wrapup::clock::Clock;
use wrapup::metrics::Registry;
use wrapup::store::sqlite::{Role, SqliteStore};
use wrapup::store::{Repeat, Store};

use crate::figures::{line, median, percentile, rate, resident_mib};
use crate::load;
use crate::process::{Process, SECRET, Workspace};

const CONNECTIONS: usize = 64;
const SHOTS: usize = 60_000;
const WARM_UP: usize = 3_000;
const RUNS: usize = 3;
const BACKLOG: usize = 1_000_000;
/// Nothing listens there: accepting is measured alone, as in an outage of the platform.
const NOBODY: &str = "http://127.0.0.1:9";

/// What the ratio is measured against: axum, the body read, an answer of the same size.
pub fn bare_handler() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let handler = |body: Bytes| async move {
            std::hint::black_box(body.len());
            (http::StatusCode::ACCEPTED, axum::Json(serde_json::json!({
                "status": "accepted", "deliveryId": uuid::Uuid::nil(), "interactionId": uuid::Uuid::nil(),
                "rule": "promoter", "wrapUpCode": "WU_PROMPT_SUCCESS"
            })))
        };
        let router = axum::Router::new().route("/webhooks/{source}", axum::routing::post(handler));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}

struct Bare {
    child: std::process::Child,
    address: SocketAddr,
}

impl Bare {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("bare-handler")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            address: address.trim().parse().unwrap(),
            child,
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// With what the surveys are sent. Both sides of the ratio share the machine with it, so what it costs counts twice.
#[derive(Clone, Copy, Debug)]
pub enum Sender {
    /// The harness's own, which does nothing that it need not: a third of what reqwest costs.
    Raw,
    /// A client as senders have them.
    Reqwest,
}

async fn fire(address: SocketAddr, count: usize) -> f64 {
    fire_with(Sender::Raw, address, count).await
}

async fn fire_with(sender: Sender, address: SocketAddr, count: usize) -> f64 {
    let shots = Arc::new(load::shots(count, "generic", SECRET.as_bytes()));
    let started = Instant::now();
    let answers = match sender {
        Sender::Raw => load::closed_loop(address, shots, CONNECTIONS).await,
        Sender::Reqwest => load::closed_loop_of_reqwest(address, shots, CONNECTIONS).await,
    };
    let took = started.elapsed();
    assert_eq!(answers.len(), count);
    rate(&answers, 202, took)
}

pub async fn against_bare(sender: Sender) {
    let (mut bare, mut durable) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let server = Bare::start();
        fire_with(sender, server.address, WARM_UP).await;
        bare.push(fire_with(sender, server.address, SHOTS).await);
        drop(server);
        let workspace = Workspace::new(NOBODY, &[]);
        let service = Process::serve(&workspace).await;
        fire_with(sender, service.public, WARM_UP).await;
        durable.push(fire_with(sender, service.public, SHOTS).await);
        commits(service.admin).await;
        service.stop().await;
    }
    println!("accept, runs: bare {bare:.0?}, durable {durable:.0?} requests/s");
    let (bare, durable) = (median(&mut bare), median(&mut durable));
    let figure = format!("{:.2} ({durable:.0}/{bare:.0})", durable / bare);
    let name = match sender {
        Sender::Raw => "durable accept / bare axum handler, 64 connections, raw",
        Sender::Reqwest => "durable accept / bare axum handler, 64 connections, reqwest",
    };
    line(name, &figure, ">= 0.5");
}

/// What a commit held and took on average: where the time of an accept goes.
async fn commits(admin: SocketAddr) {
    let text = reqwest::get(format!("http://{admin}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let value = |name: &str| -> f64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok())
            .unwrap_or(f64::NAN)
    };
    let mean = |name: &str| value(&format!("{name}_sum")) / value(&format!("{name}_count"));
    let (batch, seconds) = (
        mean("wrapup_commit_batch_size"),
        mean("wrapup_commit_duration_seconds"),
    );
    println!(
        "  commits: {batch:.1} requests each, {:.2} ms",
        seconds * 1000.0
    );
}

pub async fn latency() {
    const PER_SECOND: f64 = 2_000.0;
    let workspace = Workspace::new(NOBODY, &[]);
    let service = Process::serve(&workspace).await;
    fire(service.public, WARM_UP).await;
    let shots = Arc::new(load::shots(20_000, "generic", SECRET.as_bytes()));
    let answers = load::open_loop(service.public, shots, CONNECTIONS, PER_SECOND).await;
    assert!(answers.iter().all(|answer| answer.status == Some(202)));
    let mut times: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    let figure = format!(
        "{:.1?} (p50 {:.1?})",
        percentile(&mut times, 99),
        percentile(&mut times, 50)
    );
    line("p99 of accept at 2,000/s, open loop", &figure, "<= 10 ms");
    service.stop().await;
}

/// Fills the store of a workspace with pending deliveries, through the store itself.
pub async fn fill(workspace: &Workspace, count: usize) {
    let config = wrapup::store::Config {
        path: workspace.path("wrapup.db"),
        lock_wait: Duration::from_secs(10),
        max_pending: 10_000_000,
        max_quarantined: 10_000,
        retention: Duration::from_hours(24),
        remember: Duration::from_hours(24),
        keep_body: true,
        settles_within: Duration::from_secs(10),
    };
    let (clock, registry) = (Clock::system(), Registry::new());
    let opening = SqliteStore::open(config, Repeat::Last, Role::Server, &clock, &registry);
    let store: Arc<dyn Store> = Arc::new(opening.await.unwrap());
    for start in (0..count).step_by(1_000) {
        let batch = (start..(start + 1_000).min(count))
            .map(|n| crate::delivery::pending(n, clock.now()))
            .collect();
        store.accept(batch).await.unwrap();
    }
    store.close().await;
}

pub async fn backlog() {
    const ROOM: &[&str] = &["[store]\nmax_pending = 10000000\n"];
    let (mut idle, mut empty) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let workspace = Workspace::new(NOBODY, ROOM);
        let service = Process::serve(&workspace).await;
        idle.push(resident_mib(service.pid()));
        fire(service.public, WARM_UP).await;
        empty.push(fire(service.public, SHOTS).await);
        service.stop().await;
    }

    let workspace = Workspace::new(NOBODY, ROOM);
    println!("filling the store with {BACKLOG} deliveries ...");
    fill(&workspace, BACKLOG).await;
    let (mut laden, mut full) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let service = Process::serve(&workspace).await;
        fire(service.public, WARM_UP).await;
        full.push(fire(service.public, SHOTS).await);
        laden.push(resident_mib(service.pid()));
        service.stop().await;
    }
    println!("accept, runs: empty {empty:.0?}, 1,000,000 pending {full:.0?} requests/s");
    let (empty, full) = (median(&mut empty), median(&mut full));
    let figure = format!("{:.2} ({full:.0}/{empty:.0})", full / empty);
    line("accept with 1,000,000 pending / empty", &figure, ">= 0.8");
    for (name, mib, reach) in [
        ("resident memory, idle", &mut idle, "<= 25 MiB"),
        (
            "resident memory, 1,000,000 pending",
            &mut laden,
            "<= 100 MiB",
        ),
    ] {
        line(name, &format!("{:.1} MiB", median(mib)), reach);
    }
}
