//! The crash test: nothing that was answered with 2xx is lost to `kill -9`.
//!
//! A load generator notes every 2xx as an obligation; the service is killed at random moments under load and started
//! again. At the end every obligation stands on the simulator with the right code, nothing else does, and writes were
//! repeated only for what was in flight at a kill.
//! `WRAPUP_CRASH_ROUNDS` sets the number of kills (default 20).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::support::load::{self, Shot};
use crate::support::process::{Process, Workspace};
use crate::support::{PATIENCE, simulator};

const WORKERS: usize = 16;
const CONNECTIONS: usize = 16;
/// Sent in each round at most; most rounds end before.
const SHOTS: usize = 1_500;

#[derive(Default)]
struct Ledger {
    /// Answered with 2xx.
    owed: HashMap<Uuid, &'static str>,
    /// Sent, but the connection died before the answer: stored or not.
    unsure: HashMap<Uuid, &'static str>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_survey_is_lost_to_kill_9() {
    let rounds = std::env::var("WRAPUP_CRASH_ROUNDS").map_or(20, |text| text.parse().expect("a number of rounds"));
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator, &format!("[delivery]\nworkers = {WORKERS}\n"));
    let mut ledger = Ledger::default();
    let mut kills = Vec::new();
    for round in 0..rounds {
        let service = Process::serve(&workspace).await;
        fire_until_killed(service, &mut ledger, &mut kills).await;
        eprintln!("round {}/{rounds}: {} owed, {} unsure", round + 1, ledger.owed.len(), ledger.unsure.len());
    }

    let service = Process::serve(&workspace).await;
    resend_unsure(&service, &workspace, &mut ledger).await;
    let fresh = load::shots(1, "generic", workspace.secret());
    assert_eq!(load::Line::to(service.public).send(&fresh[0].request).await, Some(202), "a fresh survey is taken");
    ledger.owed.insert(fresh[0].interaction, fresh[0].code);

    let owed: HashSet<Uuid> = ledger.owed.keys().copied().collect();
    let control = simulator.control();
    control
        .wait_for(PATIENCE, |received| {
            let mut left = owed.clone();
            for write in received.successes() {
                left.remove(&write.interaction);
            }
            left.is_empty()
        })
        .await
        .unwrap_or_else(|_| panic!("not every obligation was assigned in {PATIENCE:?}"));
    service.stop().await;
    judge(&control.received(), &ledger, &kills);
}

async fn fire_until_killed(service: Process, ledger: &mut Ledger, kills: &mut Vec<u64>) {
    let shots = Arc::new(load::shots(SHOTS, "generic", service.secret()));
    let address = service.public;
    let firing = tokio::spawn({
        let shots = Arc::clone(&shots);
        async move { load::closed_loop(address, shots, CONNECTIONS).await }
    });
    // A random moment under load is what is tested; nothing is asserted about it.
    tokio::time::sleep(Duration::from_millis(rand::random_range(30..400))).await;
    kills.push(unix_ms());
    service.kill().await;
    for answer in firing.await.expect("the load generator lives") {
        let Shot { interaction, code, .. } = &shots[answer.shot];
        match answer.status {
            Some(200..=299) => ledger.owed.insert(*interaction, code),
            Some(_) => None,
            None => ledger.unsure.insert(*interaction, code),
        };
    }
}

/// As a survey platform would: what got no answer is sent again, and then it is owed, duplicate or not.
async fn resend_unsure(service: &Process, ledger: &mut Ledger) {
    let mut line = load::Line::to(service.public);
    for (interaction, shot) in std::mem::take(&mut ledger.unsure) {
        let status = line.send(&shot.request).await;
        assert!(matches!(status, Some(200 | 202)), "{interaction}: {status:?}");
        ledger.owed.insert(interaction, shot.code);
    }
}

fn judge(writes: &[Write], ledger: &Ledger, kills: &[UnixMs]) {
    let mut by_interaction: HashMap<Uuid, Vec<&Write>> = HashMap::new();
    for write in writes {
        by_interaction.entry(write.interaction).or_default().push(write);
    }
    let mut repeated = 0;
    for (interaction, writes) in &by_interaction {
        let code = ledger.owed.get(interaction).unwrap_or_else(|| panic!("{interaction} was never sent"));
        assert!(writes.iter().all(|write| write.code == *code), "{interaction} has the wrong code");
        if let [first, _, ..] = writes.as_slice() {
            repeated += 1;
            let in_flight = kills.iter().any(|kill| kill.0.abs_diff(first.at.0) < IN_FLIGHT_MS);
            assert!(in_flight, "{interaction} was written again, but no kill explains it");
        }
    }
    assert!(repeated <= kills.len() * WORKERS, "{repeated} repeats for {} kills", kills.len());
    eprintln!("{} owed and assigned, {repeated} written twice, {} kills", ledger.owed.len(), kills.len());
}
