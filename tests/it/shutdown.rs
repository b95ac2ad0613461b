//! Ending in order (DESIGN section 9, "Shutdown"): the real binary under signals.
//!
//! Here: calls, leases and signals. In `connections`: what becomes of those who send.

mod connections;

use std::time::Duration;

use tokio::net::unix::pipe::OpenOptions;
use uuid::Uuid;
use wrapup::simulator::{Control, Fault, Operation, RetryAfter, Simulator};
use wrapup::store::State;

use crate::support::process::{Process, Workspace};
use crate::support::remote::{Remote, records};
use crate::support::{PATIENCE, eventually, on_the_wire, simulator};

/// The pace of the shipped configuration would only make the suite slow.
const FAST: &str = "[platform.rate_limit]\nrequests = 2000\n";
/// Whatever the platform does not answer stays on the wire until it is let go.
const PATIENT: &str = "[server]\nshutdown_grace = \"1m\"\n[platform]\nrequest_timeout = \"1m\"\n\
                       [delivery]\nlease = \"5m\"\n";

/// Holds every write until the fault is removed.
fn hold_writes(control: &Control) -> u64 {
    let endless = Fault::latency(PATIENCE).on(Operation::Assign);
    control.add_fault(endless).expect("a fault that can be")
}

async fn assigned(simulator: &Simulator, interactions: &[Uuid]) {
    let control = simulator.control();
    let all = control.wait_for(
        |control| {
            interactions
                .iter()
                .all(|it| control.assigned(*it).is_some())
        },
        PATIENCE,
    );
    assert!(all.await.is_ok(), "{:?}", control.stats());
}

#[tokio::test]
async fn calls_on_the_wire_finish_and_are_settled_within_the_grace() {
    let simulator = simulator::unlimited().await;
    let control = simulator.control();
    let held = hold_writes(&control);
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, PATIENT]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    for _ in 0..5 {
        remote.promoter().await;
    }
    on_the_wire(&control, 5).await;
    service.signal("INT").await;
    remote.closes().await;
    control.remove_fault(held);
    let (status, log) = service.last_words().await;
    assert_eq!(status.code(), Some(0), "SIGINT is as good as SIGTERM");
    assert!(log.contains("\"shut down\""), "{log}");
    let left = ["wrapup.db-wal", "wrapup.db-shm"].map(|name| workspace.path(name).exists());
    assert_eq!(left, [false, false], "the log was carried over");
    let records = records(&workspace).await;
    assert_eq!(records.len(), 5);
    for record in &records {
        assert_eq!(record.state, State::Assigned, "{record:#?}");
        assert!(record.event.is_some(), "{record:#?}");
    }
    assert_eq!(control.assigned_count(), 5);
}

/// As a file system that does not answer is: whoever opens it and reads waits.
#[tokio::test]
async fn a_rules_file_that_does_not_answer_does_not_hold_up_the_end() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let made = std::process::Command::new("mkfifo")
        .arg(workspace.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    std::fs::rename(workspace.path("pipe"), workspace.path("rules.toml")).unwrap();
    // A pipe can be opened for writing once somebody reads it.
    let mut writer = None;
    let read = eventually(async || {
        writer = OpenOptions::new()
            .open_sender(workspace.path("rules.toml"))
            .ok();
        writer.is_some()
    });
    assert!(read.await, "{}", service.log());
    service.signal("TERM").await;
    let (status, log) = service.last_words().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"shut down\""), "{log}");
}

#[tokio::test]
async fn who_waits_for_a_slot_gives_the_lease_back_at_no_cost() {
    let simulator = simulator::unlimited().await;
    // One page of codes, so that there are fewer slots to wait for; each is far longer than a signal takes.
    let slow = "[codes]\npage_size = 100\n\
                [platform.rate_limit]\nrequests = 1\nper = \"5s\"\nslack = \"0s\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[slow]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    remote.promoter().await;
    remote.promoter().await;
    // Token, codes, look: the write's slot is some seconds away.
    let control = simulator.control();
    let looked = eventually(async || control.stats().calls_of(Operation::State) > 0).await;
    assert!(looked, "{:?}", control.stats());
    service.signal("TERM").await;
    let (status, log) = service.last_words().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(control.stats().calls_of(Operation::Assign), 0, "{log}");
    for record in records(&workspace).await {
        assert_eq!(record.state, State::Pending, "{record:#?}");
        assert_eq!(record.progress.attempts, 0, "{record:#?}");
        assert_eq!(record.progress.unclear_write_at, None, "{record:#?}");
        assert!(
            record.due_at <= Some(wrapup::clock::Clock::system().now()),
            "{record:#?}"
        );
    }
}

#[tokio::test]
async fn a_pause_is_not_waited_for_and_holds_after_the_next_start() {
    const PAUSE: Duration = Duration::from_secs(8);
    let simulator = simulator::unlimited().await;
    let control = simulator.control();
    let no = Fault::status(429).on(Operation::State).times(1);
    let no = no.retry_after(RetryAfter::Seconds(PAUSE.as_secs()));
    control.add_fault(no).unwrap();
    // Two are leased at a time, so that the second waits in line when the first is refused.
    let pace = "[platform.rate_limit]\nrequests = 2\nslack = \"0s\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[pace]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut surveys = Vec::new();
    for _ in 0..4 {
        surveys.push(remote.promoter().await);
    }
    remote.readyz_says(200, "pause").await;
    service.signal("TERM").await;
    let (status, log) = service.last_words().await;
    assert_eq!(status.code(), Some(0), "{log}");
    for record in records(&workspace).await {
        assert_eq!(record.state, State::Pending, "{record:#?}");
        assert_eq!(record.progress.attempts, 0, "{record:#?}");
    }

    let service = Process::serve(&workspace).await;
    assigned(&simulator, &surveys).await;
    let calls = control.calls();
    let refused = calls
        .iter()
        .position(|call| call.status == Some(429))
        .unwrap();
    let next = calls.get(refused + 1).expect("calls went on");
    let between = next.at.since(calls[refused].at);
    assert!(between >= PAUSE, "{between:?}: {:#?}", &calls[refused..]);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_call_longer_than_the_grace_is_abandoned_and_looked_at_first_after_the_next_start() {
    let simulator = simulator::unlimited().await;
    let control = simulator.control();
    let endless = Fault::latency(PATIENCE).on(Operation::Assign).times(1);
    control.add_fault(endless.after()).unwrap();
    let more = "[server]\nshutdown_grace = \"1s\"\n[delivery]\ncheck_state = \"repeats\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, more]);
    let service = Process::serve(&workspace).await;
    let interaction = Remote::to(&service).promoter().await;
    on_the_wire(&control, 1).await;
    service.signal("TERM").await;
    let (status, log) = service.last_words().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the grace period is over"), "{log}");

    let service = Process::serve(&workspace).await;
    let settled = eventually(async || records(&workspace).await[0].state == State::Assigned).await;
    let record = records(&workspace).await.remove(0);
    assert!(settled, "{record:#?}");
    assert_eq!(
        record.progress.attempts, 0,
        "an end of ours is no attempt: {record:#?}"
    );
    let about: Vec<_> = control
        .calls()
        .into_iter()
        .filter(|call| call.interaction == Some(interaction))
        .map(|call| call.operation)
        .collect();
    // The first write took effect, so the look is the end of it.
    assert_eq!(about, [Operation::Assign, Operation::State]);
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_nothing_answered_is_lost() {
    let simulator = simulator::unlimited().await;
    let control = simulator.control();
    let endless = Fault::latency(PATIENCE).on(Operation::Assign).before();
    let endless = control.add_fault(endless).unwrap();
    let patient = "[server]\nshutdown_delay = \"1h\"\nshutdown_grace = \"1h\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, patient]);
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM")] {
        let service = Process::serve(&workspace).await;
        let remote = Remote::to(&service);
        for _ in 0..10 {
            remote.promoter().await;
        }
        service.signal(first).await;
        remote.readyz_says(503, "shutting down").await;
        for _ in 0..10 {
            remote.promoter().await;
        }
        service.signal(second).await;
        let (status, log) = service.last_words().await;
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("a second signal"), "{log}");
    }
    control.remove_fault(endless);
    workspace.configure(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let surveys: Vec<_> = records(&workspace)
        .await
        .iter()
        .map(|record| record.interaction.expect("it was readable").0)
        .collect();
    assert_eq!(surveys.len(), 40);
    assigned(&simulator, &surveys).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_hangup_never_ends_it() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let first = Process::serve(&workspace).await;
    // Not while it waits for the store, before anything is up ...
    let second = Process::launch(&workspace, |command| command);
    second.logged("waiting for another server").await;
    second.signal("HUP").await;
    // ... nor while it serves ...
    for _ in 0..3 {
        first.signal("HUP").await;
    }
    first.logged("SIGHUP: reading").await;
    Remote::to(&first).promoter().await;
    assert!(first.stop().await.success());
    let second = second.listening().await;
    // ... nor while it ends.
    second.signal("TERM").await;
    second.signal("HUP").await;
    let (status, log) = second.last_words().await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn it_can_be_stopped_while_it_waits_for_the_store() {
    let simulator = simulator::unlimited().await;
    let patient = "[store]\nlock_wait = \"1h\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, patient]);
    let first = Process::serve(&workspace).await;
    let second = Process::launch(&workspace, |command| command);
    second.logged("waiting for another server").await;
    second.signal("TERM").await;
    let (status, log) = second.last_words().await;
    assert_eq!(status.code(), Some(0), "{log}");
    Remote::to(&first).promoter().await;
    assert!(first.stop().await.success());
}
