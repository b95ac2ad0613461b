//! Files that cannot be written for a while: disks that fail or turn read-only, and somebody else's lock.

use super::*;

/// Limits the size of files that the process can write; "unlimited" lets go.
async fn limit_file_size(service: &Process, bytes: &str) {
    let pid = service.pid().to_string();
    let done = tokio::process::Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(done.await.expect("prlimit runs").success());
}

#[tokio::test]
async fn a_disk_that_turns_read_only_is_told_and_heals_when_it_can_be_written_again() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let service = Process::serve(&workspace).await;
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
    let service = Process::serve(&workspace).await;
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

#[tokio::test]
async fn a_file_that_was_moved_away_is_told_and_heals_when_it_is_back() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    for _ in 0..20 {
        ledger.send(&remote, 10).await;
    }
    let (file, aside) = (workspace.path("wrapup.db"), workspace.path("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    for _ in 0..5 {
        assert_eq!(ledger.send(&remote, 10).await.status, 503);
    }
    remote.readyz_says(503, "moved or removed: put it").await;
    // What is put there instead is not taken for it.
    std::fs::copy(&aside, &file).unwrap();
    assert_eq!(ledger.send(&remote, 10).await.status, 503);
    std::fs::rename(&aside, &file).unwrap();
    remote.readyz_says(200, "\"ready\"").await;
    assert_eq!(ledger.send(&remote, 10).await.status, 202);
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}
