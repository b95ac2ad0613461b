//! Full disks, read-only and locked files: 503, a reason, and healing. Damaged and foreign files: left as they are.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;
use wrapup::simulator::Simulator;
use wrapup::store::State;

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

#[tokio::test]
async fn a_full_disk_is_told_and_heals_when_there_is_room_again() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let Some(_mount) = Mount::tmpfs(&workspace.path("store"), "4m") else {
        return;
    };
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    // Something else fills the disk, down to the last page, and the store has to notice by itself.
    let ballast = workspace.path("store/ballast");
    fill(&ballast);
    ledger.send_until_refused(&remote, 20_000).await;
    remote
        .readyz_says(503, "the disk or the quota is full: make room")
        .await;
    let public = remote.get(remote.public, "/readyz").await;
    assert_eq!((public.status, public.body.get("reasons")), (503, None));
    assert_eq!(remote.get(remote.admin, "/livez").await.status, 200);
    let refused = remote
        .metric("wrapup_webhooks_total", "outcome=\"unavailable\"")
        .await;
    assert!(refused > 0.0);
    for _ in 0..20 {
        ledger.send(&remote, 20_000).await;
    }
    std::fs::remove_file(&ballast).unwrap();
    remote.readyz_says(200, "\"ready\"").await;
    for _ in 0..5 {
        assert_eq!(ledger.send(&remote, 10).await.status, 202);
    }
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
    let records = records(&workspace).await;
    assert!(
        records.iter().all(|record| record.state == State::Assigned),
        "{records:#?}"
    );
}

#[tokio::test]
async fn a_store_that_filled_its_disk_itself_goes_on_when_the_disk_grows() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let store = workspace.path("store");
    let Some(_mount) = Mount::tmpfs(&store, "3m") else {
        return;
    };
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send_until_refused(&remote, 100_000).await;
    remote.readyz_says(503, "make room").await;
    let grown = std::process::Command::new("mount")
        .args(["-o", "remount,size=32m"])
        .arg(&store)
        .status();
    assert!(grown.unwrap().success());
    remote.readyz_says(200, "\"ready\"").await;
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn nothing_answered_is_lost_when_the_service_ends_on_a_full_disk() {
    let simulator = simulator::unlimited().await;
    let short = "[server]\nshutdown_grace = \"1s\"\n";
    let workspace = apart(&simulator, short);
    let Some(_mount) = Mount::tmpfs(&workspace.path("store"), "4m") else {
        return;
    };
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    let ballast = workspace.path("store/ballast");
    fill(&ballast);
    ledger.send_until_refused(&remote, 20_000).await;
    assert_eq!(service.stop().await.code(), Some(0));
    std::fs::remove_file(&ballast).unwrap();
    let service = Process::serve(&workspace).await;
    ledger.settle(&Remote::to(&service), &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_what_to_do() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let store = workspace.path("store");
    let Some(_mount) = Mount::tmpfs(&store, "4m") else {
        return;
    };
    fill(&store.join("ballast"));
    // Neither a new file nor one that was used.
    assert_exit(&output(&workspace, &["serve"]).await, 69, "make room");
    std::fs::remove_file(store.join("ballast")).unwrap();
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    let settled = eventually(async || records(&workspace).await[0].state == State::Assigned);
    assert!(settled.await, "{}", service.log());
    service.kill().await;
    // Nothing has to be put right in the file, so that it can be opened; it still cannot take anything.
    fill(&store.join("ballast"));
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let known = remote.readyz().await;
    assert_eq!(known.status, 503, "from the start: {known:?}");
    assert!(known.body.to_string().contains("make room"), "{known:?}");
    ledger.send_until_refused(&remote, 20_000).await;
    let still = remote.readyz().await;
    assert_eq!(still.status, 503, "{still:?}");
    std::fs::remove_file(store.join("ballast")).unwrap();
    remote.readyz_says(200, "\"ready\"").await;
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
    // No room even for the log's index.
    fill(&store.join("ballast"));
    assert_exit(&output(&workspace, &["serve"]).await, 69, "make room");
}

/// Takes all the room there is.
fn fill(file: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(file).unwrap();
    for size in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Limits the size of files that the process can write; "unlimited" lets go.
async fn limit_file_size(service: &Process, bytes: &str) {
    let pid = service.pid().to_string();
    let done = tokio::process::Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(done.await.expect("prlimit runs").success());
}

/// With a limit that has been hit the kernel sends SIGXFSZ, which would end the process as `kill -9` does.
fn deaf_to_limits(workspace: &Workspace) -> Process {
    Process::launch(workspace, |command| {
        let binary = command.as_std().get_program().to_owned();
        let variables: Vec<_> = command
            .as_std()
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
            .collect();
        let mut shell = tokio::process::Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve"])
            .arg(binary)
            .envs(variables)
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        *command = shell;
        command
    })
}

#[tokio::test]
async fn a_disk_that_turns_read_only_is_told_and_heals_when_it_can_be_written_again() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let service = deaf_to_limits(&workspace).listening().await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    // As after an error of the disk: first a write fails, and then the file can only be opened for reading.
    let Some(mount) = Mount::read_only(&workspace.path("store")) else {
        return;
    };
    limit_file_size(&service, "0").await;
    ledger.send_until_refused(&remote, 10).await;
    limit_file_size(&service, "unlimited").await;
    remote
        .readyz_says(503, "mount its folder for writing")
        .await;
    for _ in 0..5 {
        assert_eq!(ledger.send(&remote, 10).await.status, 503);
    }
    drop(mount);
    remote.readyz_says(200, "\"ready\"").await;
    assert_eq!(ledger.send(&remote, 10).await.status, 202);
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn writes_that_fail_are_told_and_heal() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let service = deaf_to_limits(&workspace).listening().await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    limit_file_size(&service, "0").await;
    ledger.send_until_refused(&remote, 10).await;
    remote
        .readyz_says(503, "the disk does not take or give data")
        .await;
    limit_file_size(&service, "unlimited").await;
    remote.readyz_says(200, "\"ready\"").await;
    assert_eq!(ledger.send(&remote, 10).await.status, 202);
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_file_that_somebody_else_holds_is_told_and_heals() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    let other = Connection::open(workspace.path("wrapup.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(ledger.send(&remote, 10).await.status, 503);
    remote
        .readyz_says(
            503,
            "another process holds it in a transaction: end that process",
        )
        .await;
    // The first of these keeps the writer waiting, so that others wait for longer than a sender is kept waiting.
    let slow = eventually(async || {
        let (first, second) = (survey(Uuid::new_v4(), 10, 5), survey(Uuid::new_v4(), 10, 5));
        let later = async {
            tokio::task::yield_now().await;
            remote.post(&second).await
        };
        let (first, second) = tokio::join!(remote.post(&first), later);
        assert_eq!(
            (first.status, second.status),
            (503, 503),
            "{first:?} {second:?}"
        );
        service.log().contains("the commit took too long")
    });
    assert!(slow.await, "{}", service.log());
    other.execute_batch("ROLLBACK").unwrap();
    remote.readyz_says(200, "\"ready\"").await;
    assert_eq!(ledger.send(&remote, 10).await.status, 202);
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_short_transaction_of_a_tool_costs_nobody_an_error() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let other = Connection::open(workspace.path("wrapup.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    let mut ledger = Ledger::default();
    for _ in 0..10 {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let body = survey(Uuid::new_v4(), 10, 5);
        let (answer, ()) = tokio::join!(remote.post(&body), async {
            // As long as a tool may take. Nothing is asserted about it.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            other.execute_batch("COMMIT").unwrap();
        });
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(ledger.send(&remote, 10).await.status, 202);
        // A tool reads what the server has just committed.
        assert!(records(&workspace).await.len() >= ledger.owed.len());
    }
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}

/// A file that a service used and closed.
async fn used(simulator: &Simulator) -> (Workspace, PathBuf) {
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    for _ in 0..50 {
        remote.promoter().await;
    }
    assert!(service.stop().await.success());
    let file = workspace.path("wrapup.db");
    (workspace, file)
}

/// What is stored: the file and its log. An index of the log and a log without anything in it store nothing.
fn bytes_of(file: &Path) -> [Vec<u8>; 2] {
    let log = file.with_extension("db-wal");
    [
        std::fs::read(file).unwrap(),
        std::fs::read(log).unwrap_or_default(),
    ]
}

fn assert_exit(output: &Output, code: i32, told: &str) {
    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{log}");
    assert!(log.contains(told), "{told:?} is not in {log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn a_damaged_file_is_told_and_left_as_it_is() {
    let simulator = simulator::unlimited().await;
    let (workspace, file) = used(&simulator).await;
    let sound = std::fs::read(&file).unwrap();
    let page = 2048;
    assert!(sound.len() > 8 * page, "{}", sound.len());
    let mut spoilt: Vec<(String, Vec<u8>)> = Vec::new();
    let mut damaged = sound.clone();
    damaged[..100].fill(b'?');
    spoilt.push(("a garbage header".to_owned(), damaged));
    spoilt.push(("cut in half".to_owned(), sound[..sound.len() / 2].to_vec()));
    spoilt.push(("cut within a page".to_owned(), sound[..page + 100].to_vec()));
    spoilt.push(("less than a header".to_owned(), sound[..10].to_vec()));
    spoilt.push(("another file".to_owned(), b"just some notes\n".repeat(500)));
    for nth in [1, 3, 7] {
        let mut damaged = sound.clone();
        damaged[nth * page..(nth + 1) * page].fill(0xA5);
        spoilt.push((format!("page {nth} overwritten"), damaged));
    }
    for (what, bytes) in spoilt {
        eprintln!("{what}");
        std::fs::write(&file, bytes).unwrap();
        let before = bytes_of(&file);
        let output = output(&workspace, &["serve"]).await;
        assert_exit(&output, 69, "Nothing was changed. Stop wrapup and copy");
        assert!(bytes_of(&file) == before, "{what}: it was changed");
    }
    std::fs::write(&file, sound).unwrap();
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_damaged_log_loses_nothing_that_is_in_the_file() {
    let simulator = simulator::unlimited().await;
    let (workspace, _) = used(&simulator).await;
    // SQLite's own rule: a log ends at its first frame that is not whole. Garbage is a log without a frame.
    std::fs::write(workspace.path("wrapup.db-wal"), b"garbage".repeat(1000)).unwrap();
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
    assert_eq!(records(&workspace).await.len(), 51);
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_as_it_is() {
    let simulator = simulator::unlimited().await;
    let (workspace, file) = used(&simulator).await;
    let db = Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    db.close().unwrap();
    let before = bytes_of(&file);
    let output = output(&workspace, &["serve"]).await;
    assert_exit(&output, 78, "made by a later version");
    assert!(bytes_of(&file) == before, "it was changed");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let file = workspace.path("wrapup.db");
    let db = Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE accounts (x)").unwrap();
    db.close().unwrap();
    let before = bytes_of(&file);
    let output = output(&workspace, &["serve"]).await;
    assert_exit(&output, 69, "a database of another program");
    assert!(bytes_of(&file) == before, "it was changed");
}

#[tokio::test]
async fn a_second_server_gives_up_and_says_who_holds_the_file() {
    let simulator = simulator::unlimited().await;
    let soon = "[store]\nlock_wait = \"200ms\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, soon]);
    let first = Process::serve(&workspace).await;
    let output = output(&workspace, &["serve"]).await;
    assert_exit(
        &output,
        69,
        &format!("is in use by another server (pid {} on ", first.pid()),
    );
    Remote::to(&first).promoter().await;
    assert!(first.stop().await.success());
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_told() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    std::fs::create_dir(workspace.path("store")).unwrap();
    let Some(mount) = Mount::read_only(&workspace.path("store")) else {
        return;
    };
    let refused = output(&workspace, &["serve"]).await;
    assert_exit(&refused, 69, "writable for this user");
    drop(mount);
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
    // Now there is a file, but it cannot be written.
    let _mount = Mount::read_only(&workspace.path("store"));
    let refused = output(&workspace, &["serve"]).await;
    assert_exit(&refused, 69, "Read-only file system");
}

#[tokio::test]
async fn every_file_of_the_store_is_for_its_owner_alone() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    let folder = workspace.path("store");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    let all = [
        "wrapup.db",
        "wrapup.db-shm",
        "wrapup.db-wal",
        "wrapup.db.lock",
    ];
    assert_eq!(names, all);
    assert!(service.stop().await.success());
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
