//! What only a process shows: its log, and the demo.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use wrapup::simulator::{
    Api, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, Fault, Limit, Operation, RetryAfter, Settings,
    Simulator,
};

use crate::support::process::{Process, Workspace};
use crate::support::remote::{Remote, output, text};
use crate::support::{PATIENCE, eventually, simulator};

/// As fast as it goes, with what the script says.
pub(super) async fn unlimited(script: &str) -> Simulator {
    let settings = Settings {
        api: Api::Conversations,
        limit: Some(Limit::Off),
        ..toml::from_str(script).expect("a script")
    };
    Simulator::start(settings).await.expect("it starts")
}

pub(super) fn workspace(simulator: &Simulator) -> Workspace {
    let more = format!(
        "[platform]\napi = \"conversations\"\n[platform.auth]\ngrant = \"client-credentials\"\n\
         client_id = {{ value = \"{DEMO_CLIENT_ID}\" }}\n\
         client_secret = {{ value = \"{DEMO_CLIENT_SECRET}\" }}\n\
         [platform.rate_limit]\nrequests = 1000\nper = \"1s\"\n"
    );
    Workspace::new(&simulator.base_url(), &[&more])
}

/// The lines that hold all of the texts.
fn lines_with(log: &str, texts: &[&str]) -> usize {
    let lines = log.lines();
    lines
        .filter(|line| texts.iter().all(|text| line.contains(text)))
        .count()
}

#[tokio::test]
async fn a_refusal_is_logged_with_the_id_that_support_asks_for() {
    let simulator = unlimited("").await;
    let control = simulator.control();
    let refusal = Fault::status(409).on(Operation::Assign);
    control.add_fault(refusal).unwrap();
    let workspace = workspace(&simulator);
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    service.logged("\"dead\"").await;
    let calls = control.calls();
    let call = calls
        .iter()
        .rfind(|call| call.operation == Operation::Assign);
    let id = call.unwrap().correlation_id.unwrap().to_string();
    assert_eq!(
        lines_with(&service.log(), &["\"dead\"", &id]),
        1,
        "{}",
        service.log()
    );
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_pause_of_hours_is_told_in_one_line() {
    let simulator = unlimited("").await;
    let control = simulator.control();
    let workspace = workspace(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.promoter().await;
    simulator::assigned(&control, 1, PATIENCE).await;
    let pause = Fault::status(429).retry_after(RetryAfter::Seconds(5 * 3600));
    control.add_fault(pause).unwrap();
    remote.promoter().await;
    remote.readyz_says(200, "pause").await;
    // Everything goes on being taken, and nothing more is said.
    for _ in 0..20 {
        remote.promoter().await;
    }
    let log = service.log();
    assert_eq!(lines_with(&log, &["\"WARN\"", "pause"]), 1, "{log}");
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn the_demo_of_the_conversations_api_comes_out_as_expected() {
    let nobody = Workspace::new("http://127.0.0.1:9", &[]);
    let shown = output(&nobody, &["demo", "--once", "--api", "conversations"]).await;
    let told = text(&shown.stdout);
    assert_eq!(
        shown.status.code(),
        Some(0),
        "{told}\n{}",
        text(&shown.stderr)
    );
    assert!(told.contains("9 of 9 as expected"), "{told}");
}

/// What the simulator prints is put into wrapup.toml as it stands.
#[tokio::test]
async fn what_the_simulator_prints_is_all_that_the_service_needs() {
    let nobody = Workspace::new("http://127.0.0.1:9", &[]);
    let arguments = [
        "simulate",
        "--api",
        "conversations",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut command = nobody.command(&arguments);
    let mut simulator = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(simulator.stdout.take().expect("piped")).lines();
    let mut told = String::new();
    while !told.contains("/control/stats") {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("in time").expect("text");
        told += &line.expect("it says where it is");
        told.push('\n');
    }
    let settings: toml::Table = toml::from_str(&told).expect("it prints TOML");
    let url = settings["platform"]["base_url"]
        .as_str()
        .expect("where it is");
    let workspace = Workspace::new(url, &[&told]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.promoter().await;
    let assigned = eventually(async || {
        let states = remote.metric("wrapup_deliveries", "assigned").await;
        states >= 1.0
    });
    assert!(assigned.await, "{}", service.log());
    assert!(service.stop().await.success());
    simulator.kill().await.expect("it runs");
}
