//! Claims about trouble while running: it is told with what to do, costs nobody else anything, and heals by itself.

use std::fs;
use std::io::Write;
use std::process::Command;

use futures_util::future::join_all;
use rusqlite::Connection;

use super::*;
use crate::store::Receipt;

fn unavailable(answer: Result<DeliveryId, Error>, reason: &str) {
    match answer {
        Err(Error::Unavailable(text)) => assert!(text.contains(reason), "{text}"),
        other => panic!("{other:?}"),
    }
}

/// Says why a test proves nothing here.
fn skip(why: &str) {
    writeln!(std::io::stderr(), "SKIPPED, NOTHING PROVEN: {why}").unwrap();
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A small disk; taken away when the test ends.
struct Disk(TempDir);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let path = folder.path().to_str().unwrap();
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", path]).then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_heals_when_there_is_room() {
    let Some(disk) = Disk::mount("4m") else {
        return skip("a full disk needs the right to mount a tmpfs");
    };
    let path = disk.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let ballast = disk.0.path().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let mut accepted = Vec::new();
    let refused = loop {
        let n = u64::try_from(accepted.len()).unwrap();
        match accept(&store, n).await {
            Ok(id) => accepted.push(id),
            Err(error) => break error,
        }
    };
    unavailable(Err(refused), "is full");
    assert!(store.health().unwrap_err().contains("make room"));
    // A scan that writes nothing proves nothing.
    store.lease(ask(0, 1)).await.unwrap();
    assert!(store.health().is_err());

    drop(file);
    fs::remove_file(&ballast).unwrap();
    until("it heals", || store.health().is_ok()).await;
    let n = u64::try_from(accepted.len()).unwrap();
    accept(&store, n).await.unwrap();
    for id in accepted {
        assert!(store.find(id).await.unwrap().is_some());
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_written_is_told_and_heals() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let before = accept(&store, 1).await.unwrap();
    let (file, log) = (path.to_str().unwrap(), beside(&path, "-wal"));
    let log = log.to_str().unwrap();
    if !run("chattr", &["+i", file, log]) {
        return skip("an immutable file needs root, and a file system that has them");
    }
    let mut refused = Vec::new();
    // The first meets the failing write, the second a connection that could only be opened for reading.
    for n in [2, 2] {
        refused.push(accept(&store, n).await);
    }
    let health = store.health();
    let read = store.find(before).await;
    let mended = run("chattr", &["-i", file, log]);
    assert!(mended);
    for answer in refused {
        unavailable(answer, file);
    }
    assert!(health.is_err());
    assert!(read.unwrap().is_some());
    until("it heals", || store.health().is_ok()).await;
    let receipts = store.accept(vec![survey(2)]).await.unwrap();
    assert!(matches!(receipts[0], Receipt::Stored(_)), "{receipts:?}");
    store.close().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_at_start() {
    let Some(disk) = Disk::mount("1m") else {
        return skip("a read-only mount needs the right to mount a tmpfs");
    };
    let path = disk.0.path().join("wrapup.db");
    open(&path).await.unwrap().close().await;
    let remount = async |mode: &str| {
        let options = format!("remount,{mode}");
        let arguments = ["-o", &options, disk.0.path().to_str().unwrap()];
        // What another test starts has our files open, too, until it has become what it shall be.
        until(mode, || run("mount", &arguments)).await;
    };
    remount("ro").await;
    let refused = open(&path).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Unavailable(text) if text.contains("writable")),
        "{refused:?}"
    );
    remount("rw").await;
    open(&path).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_is_told_and_heals() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    unavailable(accept(&store, 1).await, "another process");
    assert!(store.health().unwrap_err().contains("fuser"));
    other.execute_batch("ROLLBACK").unwrap();
    until("it heals", || store.health().is_ok()).await;
    accept(&store, 1).await.unwrap();

    // A short transaction of another is waited for.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (accepted, ()) = tokio::join!(accept(&store, 2), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.execute_batch("COMMIT").unwrap();
    });
    accepted.unwrap();
    store.health().unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_the_queue_holds_is_refused_at_once() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // While the writer waits for the lock its queue fills up. What it holds in its hands comes on top.
    let many = u64::try_from(super::super::writer::QUEUE + 2_000).unwrap();
    let (answers, ()) = tokio::join!(join_all((0..many).map(|n| accept(&store, n))), async {
        other.execute_batch("COMMIT").unwrap();
    });
    let (mut stored, mut overloaded) = (0, 0);
    for answer in answers {
        match answer {
            Ok(_) => stored += 1,
            Err(Error::Overloaded) => overloaded += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(overloaded > 0);
    assert_eq!(store.census().await.unwrap().states[0], stored);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_database_refuses_costs_the_others_nothing() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let first = accept(&store, 1_000).await.unwrap();
    // An id that is taken, under other keys: a row that no transaction will ever take.
    let surveys = (0..60).map(|n| {
        let mut new = survey(n);
        if n % 20 == 7 {
            new.id = first;
        }
        new
    });
    let answers = join_all(surveys.map(|new| store.accept(vec![new]))).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match answer {
            Err(Error::Row(_)) => assert_eq!(n % 20, 7),
            Ok(_) => assert_ne!(n % 20, 7),
            Err(other) => panic!("{other:?}"),
        }
    }
    store.health().unwrap();
    assert_eq!(store.census().await.unwrap().states[0], 58);
    // The refused left nothing: no key is known.
    let mut mended = survey(7);
    mended.id = DeliveryId::generate();
    let receipts = store.accept(vec![mended]).await.unwrap();
    assert!(matches!(receipts[0], Receipt::Stored(_)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_together_share_a_commit() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let registry = Registry::new();
    let store = SqliteStore::open(
        config(&path),
        Repeat::Last,
        Role::Server,
        &Clock::system(),
        &registry,
    )
    .await
    .unwrap();
    let answers = join_all((0..500).map(|n| accept(&store, n))).await;
    assert!(answers.iter().all(Result::is_ok));
    let text = registry.render();
    let figure = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(
        (figure("wrapup_commit_batch_size_sum") - 500.0).abs() < 0.1,
        "{text}"
    );
    assert!(figure("wrapup_commit_batch_size_count") < 50.0);
    assert!(figure("wrapup_commit_duration_seconds_count") < 50.0);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_moved_away_takes_nothing_until_it_is_back() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let before = accept(&store, 1).await.unwrap();
    let aside = folder.0.path().join("aside.db");
    fs::rename(&path, &aside).unwrap();
    unavailable(accept(&store, 2).await, "moved or removed");
    assert!(store.health().unwrap_err().contains("put it back"));

    fs::rename(&aside, &path).unwrap();
    until("it heals", || store.health().is_ok()).await;
    accept(&store, 2).await.unwrap();
    assert!(store.find(before).await.unwrap().is_some());
    store.close().await;
    let store = open(&path).await.unwrap();
    assert_eq!(store.list(0, 10).await.unwrap().len(), 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_in_the_stores_place_is_left_alone() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let (aside, other) = (
        folder.0.path().join("aside.db"),
        folder.0.path().join("other.db"),
    );
    open(&other).await.unwrap().close().await;
    let untouched = fs::read(&other).unwrap();

    let store = open(&path).await.unwrap();
    accept(&store, 1).await.unwrap();
    fs::rename(&path, &aside).unwrap();
    fs::rename(&other, &path).unwrap();
    unavailable(accept(&store, 2).await, "moved or removed");
    // Nor is anything read there.
    let read = store.list(0, 10).await;
    assert!(
        matches!(&read, Err(Error::Unavailable(text)) if text.contains("moved or removed")),
        "{read:?}"
    );
    store.close().await;
    assert_eq!(fs::read(&path).unwrap(), untouched);

    // A start with what is there does not take the other's log for its own.
    let log = fs::metadata(beside(&path, "-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);
    let store = open(&path).await.unwrap();
    assert!(store.list(0, 10).await.unwrap().is_empty());
    store.close().await;
    fs::rename(&aside, &path).unwrap();
    let store = open(&path).await.unwrap();
    assert_eq!(store.list(0, 10).await.unwrap().len(), 1);
    store.close().await;
}
