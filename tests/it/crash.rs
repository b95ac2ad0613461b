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
/// A write that was on the wire at a death may be noted so much after it; no next life has begun to write by then.
const LATE: Duration = Duration::from_millis(100);

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
    // Each of these moments lies between one life of the service and the next.
    let (mut ledger, mut deaths) = (Ledger::default(), Vec::new());
    for round in 1..=rounds {
        let service = Process::serve(&workspace).await;
        fire_until_killed(service, &mut ledger).await;
        deaths.push(Clock::system().now());
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
    judge(&writes, &ledger, &deaths);
}

async fn fire_until_killed(service: Process, ledger: &mut Ledger) {
    let shots = Arc::new(load::shots(SHOTS, "generic", SECRET.as_bytes()));
    let firing = tokio::spawn(load::closed_loop(
        service.public,
        Arc::clone(&shots),
        CONNECTIONS,
    ));
    // A random moment under load is what is tested; nothing is asserted about it.
    tokio::time::sleep(Duration::from_millis(rand::random_range(30..400))).await;
    service.kill().await;
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
}

/// Waits until every obligation was written, for as long as writes come in, and answers all of them.
async fn all_paid(simulator: &Simulator, ledger: &Ledger) -> Vec<Received> {
    let control = simulator.control();
    for (interaction, code) in &ledger.owed {
        let is_paid = || control.assigned(*interaction).as_deref() == Some(*code);
        while !is_paid() {
            let count = control.assigned_count();
            let more = control.wait_for(|it| it.assigned_count() > count || is_paid(), PATIENCE);
            assert!(
                more.await.is_ok(),
                "nothing was written for {PATIENCE:?}, and {interaction} has no {code}"
            );
        }
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

fn judge(writes: &[Received], ledger: &Ledger, deaths: &[UnixMs]) {
    let mut by_interaction: HashMap<Uuid, Vec<&Received>> = HashMap::new();
    for write in writes {
        let interaction = write
            .interaction
            .expect("an applied write names its interaction");
        by_interaction.entry(interaction).or_default().push(write);
    }
    // What a death left unsettled is written again in a later life, and in no other case.
    let mut repeated_after = vec![0; deaths.len()];
    for (interaction, writes) in &mut by_interaction {
        let code = ledger
            .owed
            .get(interaction)
            .unwrap_or_else(|| panic!("{interaction} was never sent"));
        let right = writes
            .iter()
            .all(|write| write.code_name.as_deref() == Some(*code));
        assert!(right, "{interaction} has the wrong code");
        writes.sort_by_key(|write| write.at);
        for pair in writes.windows(2) {
            let death = deaths.partition_point(|death| pair[0].at.since(*death) > LATE);
            let between = deaths.get(death).is_some_and(|death| *death <= pair[1].at);
            assert!(between, "{interaction} was written twice in one life");
            repeated_after[death] += 1;
        }
    }
    let most = repeated_after.iter().max().expect("it was killed");
    assert!(*most <= WORKERS, "{most} repeats after one kill");
    eprintln!(
        "{} owed and assigned, {} written again, at most {most} of them after one of {} kills",
        ledger.owed.len(),
        repeated_after.iter().sum::<usize>(),
        deaths.len()
    );
}
