//! The crash test: nothing that was answered with 2xx is lost to `kill -9`.
//!
//! A load generator notes every 2xx as an obligation; the service is killed at random moments under load and started
//! again. At the end every obligation stands on the simulator with the right code, nothing else does, and writes were
//! repeated only for what was in flight at a kill.
//! `WRAPUP_CRASH_ROUNDS` sets the number of kills (default 20).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use wrapup::clock::{Clock, UnixMs};
use wrapup::simulator::{Received, Simulator};

use crate::support::load::{self, Shot};
use crate::support::process::{Process, SECRET, Workspace};
use crate::support::{PATIENCE, simulator};

const WORKERS: usize = 16;
const CONNECTIONS: usize = 16;
/// Sent in each round at most; most rounds end before.
const SHOTS: usize = 1_500;
/// How long before a kill a write may have been made whose settlement the kill prevented.
const IN_FLIGHT: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Ledger {
    /// Answered with 2xx: the code that must come to stand there.
    owed: HashMap<Uuid, &'static str>,
    /// Sent, but the connection died before the answer: stored or not.
    unsure: HashMap<Uuid, Shot>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_survey_is_lost_to_kill_9() {
    let rounds = std::env::var("WRAPUP_CRASH_ROUNDS")
        .map_or(20, |text| text.parse().expect("a number of rounds"));
    let simulator = simulator::unlimited().await;
    let settings =
        format!("[platform.rate_limit]\nrequests = 100000\n[delivery]\nworkers = {WORKERS}\n");
    let workspace = Workspace::new(&simulator.base_url(), &[&settings]);
    let (mut ledger, mut kills) = (Ledger::default(), Vec::new());
    for round in 1..=rounds {
        let service = Process::serve(&workspace).await;
        kills.push(fire_until_killed(service, &mut ledger).await);
        eprintln!(
            "round {round}/{rounds}: {} owed, {} unsure",
            ledger.owed.len(),
            ledger.unsure.len()
        );
    }

    let service = Process::serve(&workspace).await;
    resend_unsure(&service, &mut ledger).await;
    let fresh = load::shots(1, "generic", SECRET.as_bytes()).remove(0);
    assert_eq!(
        load::Line::to(service.public).send(&fresh.request).await,
        Some(202),
        "a fresh survey is taken"
    );
    ledger.owed.insert(fresh.interaction, fresh.code);

    let writes = all_paid(&simulator, &ledger).await;
    assert!(service.stop().await.success(), "it ends in order");
    judge(&writes, &ledger, &kills);
}

/// Answers when the service was killed.
async fn fire_until_killed(service: Process, ledger: &mut Ledger) -> UnixMs {
    let shots = Arc::new(load::shots(SHOTS, "generic", SECRET.as_bytes()));
    let firing = tokio::spawn(load::closed_loop(
        service.public,
        Arc::clone(&shots),
        CONNECTIONS,
    ));
    // A random moment under load is what is tested; nothing is asserted about it.
    tokio::time::sleep(Duration::from_millis(rand::random_range(30..400))).await;
    service.kill().await;
    let killed = Clock::system().now();
    let answers = firing.await.expect("the load generator lives");
    let mut shots: Vec<_> = Arc::into_inner(shots)
        .expect("nobody else holds them")
        .into_iter()
        .map(Some)
        .collect();
    for answer in answers {
        let shot = shots[answer.shot].take().expect("each shot is fired once");
        match answer.status {
            Some(200..=299) => {
                ledger.owed.insert(shot.interaction, shot.code);
            }
            Some(status) => assert_eq!(status, 503, "only overload may refuse a good survey"),
            None => {
                ledger.unsure.insert(shot.interaction, shot);
            }
        }
    }
    killed
}

/// Waits until every obligation was written, and answers all writes.
async fn all_paid(simulator: &Simulator, ledger: &Ledger) -> Vec<Received> {
    let control = simulator.control();
    let paid = control.wait_for(
        |control| {
            ledger
                .owed
                .iter()
                .all(|(interaction, code)| control.assigned(*interaction).as_deref() == Some(*code))
        },
        PATIENCE,
    );
    if paid.await.is_err() {
        let missing = ledger.owed.iter().filter(|(interaction, code)| {
            control.assigned(**interaction).as_deref() != Some(**code)
        });
        panic!(
            "{} obligations were not met in {PATIENCE:?}",
            missing.count()
        );
    }
    control
        .received()
        .into_iter()
        .filter(Received::applied)
        .collect()
}

/// As a survey platform would: what got no answer is sent again, and then it is owed, duplicate or not.
async fn resend_unsure(service: &Process, ledger: &mut Ledger) {
    let mut line = load::Line::to(service.public);
    for (interaction, shot) in std::mem::take(&mut ledger.unsure) {
        let status = line.send(&shot.request).await;
        assert!(
            matches!(status, Some(200 | 202)),
            "{interaction}: {status:?}"
        );
        ledger.owed.insert(interaction, shot.code);
    }
}

fn judge(writes: &[Received], ledger: &Ledger, kills: &[UnixMs]) {
    let mut by_interaction: HashMap<Uuid, Vec<&Received>> = HashMap::new();
    for write in writes {
        let interaction = write
            .interaction
            .expect("an applied write names its interaction");
        by_interaction.entry(interaction).or_default().push(write);
    }
    let mut repeated = 0;
    for (interaction, writes) in &by_interaction {
        let code = ledger
            .owed
            .get(interaction)
            .unwrap_or_else(|| panic!("{interaction} was never sent"));
        let right = writes
            .iter()
            .all(|write| write.code_name.as_deref() == Some(*code));
        assert!(right, "{interaction} has the wrong code");
        if let [first, _, ..] = writes.as_slice() {
            repeated += 1;
            let in_flight = kills
                .iter()
                .any(|kill| *kill >= first.at && kill.since(first.at) < IN_FLIGHT);
            assert!(
                in_flight,
                "{interaction} was written again, but no kill explains it"
            );
        }
    }
    assert!(
        repeated <= kills.len() * WORKERS,
        "{repeated} repeats for {} kills",
        kills.len()
    );
    eprintln!(
        "{} owed and assigned, {repeated} written twice, {} kills",
        ledger.owed.len(),
        kills.len()
    );
}
