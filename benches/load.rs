//! The end-to-end load harness: the numbers of DESIGN section 13, each by one command.
//!
//! `cargo bench --bench load` runs all; `cargo bench --bench load -- accept latency` some of: accept, backlog (with
//! memory), latency, drain, pace, idle, conversations; and conversations-minute only where it is named, because it
//! takes its minutes. Everything stays on 127.0.0.1, is bounded in count and time, and ends by
//! itself. Ratios compare what ran in the same minute on the same machine; absolute figures are of that machine only.

#![expect(
    clippy::unwrap_used,
    reason = "a harness that cannot measure should stop where it stands"
)]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(unreachable_pub, reason = "a benchmark has no outside")]

#[path = "load/accept.rs"]
mod accept;
#[path = "load/conversations.rs"]
mod conversations;
#[path = "load/delivery.rs"]
mod delivery;
#[path = "load/figures.rs"]
mod figures;
#[path = "../tests/it/support/load.rs"]
#[expect(dead_code, reason = "the tests use more of it than the harness")]
mod load;
#[path = "../tests/it/support/process.rs"]
#[expect(dead_code, reason = "the tests use more of it than the harness")]
mod process;
#[path = "../tests/it/support/simulator.rs"]
#[expect(dead_code, reason = "the tests use more of it than the harness")]
mod simulator;

/// How long a service may take to come up or end.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--b"))
        .collect();
    if wanted.first().is_some_and(|first| first == "bare-handler") {
        return accept::bare_handler();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let all = wanted.is_empty();
        let asked = |name: &str| all || wanted.iter().any(|argument| argument == name);
        if asked("accept") {
            accept::against_bare(accept::Sender::Reqwest).await;
            accept::against_bare(accept::Sender::Raw).await;
        }
        if asked("latency") {
            accept::latency().await;
        }
        if asked("idle") {
            delivery::idle().await;
        }
        if asked("drain") {
            delivery::drain().await;
        }
        if asked("pace") {
            delivery::pace().await;
        }
        if asked("conversations") {
            conversations::pace(std::time::Duration::from_secs(6)).await;
        }
        if wanted
            .iter()
            .any(|argument| argument == "conversations-minute")
        {
            conversations::pace(std::time::Duration::from_mins(1)).await;
        }
        if asked("backlog") {
            accept::backlog().await;
        }
    });
}
