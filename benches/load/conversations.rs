//! The conversations API against its strict window of 300 a minute: how much of the allowance is used.
//!
//! Every assignment is three calls there: read, write, read back. The window is run ten times as fast, and as it is
//! where `conversations-minute` is asked for.

use std::time::Duration;

use wrapup::simulator::{
    Api, Call, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, Limit, Operation, Settings,
};

use crate::accept::fill;
use crate::figures::line;
use crate::process::{Process, Workspace};
use crate::simulator;

const REQUESTS: u32 = 300;
const CALLS_EACH: u32 = 3;
/// Windows that are filled with work.
const WINDOWS: u32 = 4;

pub async fn pace(per: Duration) {
    let deliveries = usize::try_from(REQUESTS * WINDOWS / CALLS_EACH).unwrap();
    let settings = Settings {
        api: Api::Conversations,
        limit: Some(Limit::per(REQUESTS, per)),
        ..Settings::default()
    };
    let simulator = simulator::with(settings).await;
    let control = simulator.control();
    let workspace = Workspace::new(&simulator.base_url(), &[&configuration(per)]);
    fill(&workspace, deliveries).await;
    let service = Process::serve(&workspace).await;
    simulator::assigned(&control, deliveries, per * (WINDOWS + 2)).await;
    let calls = control.calls();
    let arrived = |number: usize| calls.get(number).map(|call| call.since_start_us);
    let write = |call: &Call| call.operation == Operation::Assign;
    // From the first write to the last one there was work.
    let first = calls.iter().position(write).unwrap();
    let last = calls.iter().rposition(write).unwrap();
    let took = Duration::from_micros(arrived(last).unwrap() - arrived(first).unwrap());
    let used = f64::from(u32::try_from(last - first).unwrap());
    let allowed = f64::from(REQUESTS) * took.as_secs_f64() / per.as_secs_f64();
    let stats = control.stats();
    let figure = format!("{:.1} %, {} x 429", 100.0 * used / allowed, stats.limited);
    let per = humantime::format_duration(per);
    line(
        &format!("conversations: of a strict window of {REQUESTS} per {per}"),
        &figure,
        ">= 97 %, no 429",
    );
    service.stop().await;
}

fn configuration(per: Duration) -> String {
    format!(
        r#"
        [platform]
        api = "conversations"
        [platform.auth]
        grant = "client-credentials"
        client_id = {{ value = "{DEMO_CLIENT_ID}" }}
        client_secret = {{ value = "{DEMO_CLIENT_SECRET}" }}
        [platform.rate_limit]
        requests = {REQUESTS}
        per = "{}ms"
        "#,
        per.as_millis()
    )
}
