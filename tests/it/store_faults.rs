//! Full disks, read-only and locked files: 503, a reason, and healing. Damaged and foreign files: left as they are.
//!
//! Here: what they share, and the log's length. In `full`: full disks. In `refused`: files that cannot be written for a
//! while. In `files`: what is found at the start.

mod files;
mod full;
mod refused;

use std::collections::HashMap;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;
use wrapup::simulator::Simulator;

use crate::support::app::{Answer, survey};
use crate::support::mount::Mount;
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::remote::{Remote, output, records, text};
use crate::support::{PATIENCE, eventually, load, simulator};

const FAST: &str = "[platform.rate_limit]\nrequests = 2000\n";

/// What a sender and the service agree on.
#[derive(Default)]
struct Ledger {
    /// Answered with 2xx.
    owed: Vec<Uuid>,
    /// Answered with 503: the sender tries again.
    again: HashMap<Uuid, String>,
}

impl Ledger {
    /// Sends a new survey of about `bytes`, and answers what came back.
    async fn send(&mut self, remote: &Remote, bytes: usize) -> Answer {
        let interaction = Uuid::new_v4();
        let plain = survey(interaction, 10, 5);
        let padding = "x".repeat(bytes);
        let body = plain.replacen('{', &format!("{{\"comment\":\"{padding}\","), 1);
        let answer = remote.post(&body).await;
        match answer.status {
            202 => self.owed.push(interaction),
            503 => {
                let again = answer.headers.get("retry-after");
                assert!(again.is_some(), "{answer:?}");
                let kind = "urn:wrapup:problem:store-unavailable";
                assert_eq!(answer.body["type"], kind, "{answer:?}");
                self.again.insert(interaction, body);
            }
            _ => panic!("neither taken nor our own fault: {answer:?}"),
        }
        answer
    }

    /// Sends until the store takes no more.
    async fn send_until_refused(&mut self, remote: &Remote, bytes: usize) {
        let refused = eventually(async || self.send(remote, bytes).await.status == 503);
        assert!(refused.await, "{} were taken", self.owed.len());
    }

    /// What was refused is sent again, and then everything comes to stand on its interaction, once.
    async fn settle(mut self, remote: &Remote, simulator: &Simulator) {
        for (interaction, body) in std::mem::take(&mut self.again) {
            let answer = remote.post(&body).await;
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
            self.owed.push(interaction);
        }
        let control = simulator.control();
        let all = control.wait_for(
            |control| self.owed.iter().all(|it| control.assigned(*it).is_some()),
            PATIENCE,
        );
        assert!(all.await.is_ok(), "{:?}", control.stats());
    }
}

/// A service whose store is in a folder of its own.
fn apart(simulator: &Simulator, more: &str) -> Workspace {
    let folder = "[store]\nurl = \"sqlite:store/wrapup.db\"\n";
    Workspace::new(&simulator.base_url(), &[FAST, folder, more])
}

fn assert_exit(output: &Output, code: i32, told: &str) {
    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{log}");
    assert!(log.contains(told), "{told:?} is not in {log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_bounded_under_load() {
    const SURVEYS: usize = 30_000;
    /// `LONG_BYTES` of the store, and what comes in while it is carried over.
    const BOUND: u64 = 64 * 1024 * 1024;
    let simulator = simulator::unlimited().await;
    // Nothing is delivered: what is tried out is the way in.
    let shadow = "[delivery]\nmode = \"shadow\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, shadow]);
    let service = Process::serve(&workspace).await;
    let log = workspace.path("wrapup.db-wal");
    let shots = Arc::new(load::shots(SURVEYS, "generic", SECRET.as_bytes()));
    let firing = load::closed_loop(service.public, Arc::clone(&shots), 32);
    let firing = tokio::spawn(firing);
    let mut longest = 0;
    while !firing.is_finished() {
        longest = longest.max(std::fs::metadata(&log).map_or(0, |seen| seen.len()));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answers = firing.await.unwrap();
    assert_eq!(answers.len(), SURVEYS);
    let mut line = load::Line::to(service.public);
    for answer in answers.iter().filter(|it| it.status != Some(202)) {
        // A disk that takes its time; the sender tries again.
        assert_eq!(answer.status, Some(503), "{answer:?}");
        let again = &shots[answer.shot].request;
        let taken = eventually(async || matches!(line.send(again).await, Some(200 | 202)));
        assert!(taken.await, "{answer:?}");
    }
    eprintln!("the longest log was {} KiB", longest / 1024);
    assert!(longest > 0 && longest <= BOUND, "{longest}");
    assert!(service.stop().await.success());
    assert!(!log.exists(), "at the end all of it is in the file");
}
