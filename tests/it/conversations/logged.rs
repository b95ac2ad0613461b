//! What only a process shows: its log, and the demo.

use std::time::Duration;

use uuid::Uuid;
use wrapup::simulator::{
    Api, DEMO_CLIENT_SECRET, Fault, Limit, Operation, RetryAfter, Settings, Simulator,
};

use crate::support::process::{Process, Workspace};
use crate::support::remote::{Remote, output, text};

async fn simulator() -> Simulator {
    let settings = Settings {
        api: Api::Conversations,
        limit: Some(Limit::Off),
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("it starts")
}

fn workspace(simulator: &Simulator) -> Workspace {
    let more = format!(
        "[platform]\napi = \"conversations\"\n[platform.auth]\ngrant = \"client-credentials\"\n\
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
    let simulator = simulator().await;
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
    let simulator = simulator().await;
    let control = simulator.control();
    let workspace = workspace(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
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

#[tokio::test]
async fn the_service_and_the_printed_settings_of_the_simulator_fit() {
    let simulator = simulator().await;
    let workspace = workspace(&simulator);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let id: Uuid = remote.promoter().await;
    let control = simulator.control();
    let patience = Duration::from_secs(30);
    let stands = control.wait_for(|control| control.assigned(id).is_some(), patience);
    stands.await.unwrap();
    assert!(service.stop().await.success());
}
