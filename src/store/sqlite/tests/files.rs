//! Claims about the file: whose it is, what it may look like, and that a bad one is left as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use super::*;
use crate::store::Receipt;

/// A file with some surveys in it, closed in order.
async fn filled(path: &Path) {
    let store = open(path).await.unwrap();
    for n in 0..200 {
        accept(&store, n).await.unwrap();
    }
    store.close().await;
}

/// Spoils a good file, and sees that it is refused for this reason and left alone.
async fn check_refused(spoil: impl FnOnce(&Path), kind: fn(&Error) -> bool, reason: &str) {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    filled(&path).await;
    spoil(&path);
    let before = fs::read(&path).unwrap();
    let refused = open(&path).await.unwrap_err();
    assert!(kind(&refused), "{refused:?}");
    assert!(refused.to_string().contains(reason), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before, "it was changed");
}

fn damaged(error: &Error) -> bool {
    matches!(error, Error::Damaged(_))
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let spoil = |path: &Path| fs::write(path, "a shopping list").unwrap();
    check_refused(spoil, damaged, "is no SQLite database").await;
    let spoil = |path: &Path| fs::write(path, vec![0; 8192]).unwrap();
    check_refused(spoil, damaged, ".recover").await;
}

#[tokio::test]
async fn a_truncated_file_is_left_alone() {
    let spoil = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    check_refused(spoil, damaged, ".recover").await;
    let spoil = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..50]).unwrap();
    check_refused(spoil, damaged, "damaged").await;
}

#[tokio::test]
async fn a_file_with_a_spoilt_page_is_left_alone() {
    for page in [1, 4, 9] {
        let spoil = |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
            fs::write(path, bytes).unwrap();
        };
        check_refused(spoil, damaged, ".recover").await;
    }
}

#[tokio::test]
async fn a_file_with_a_spoilt_header_is_left_alone() {
    for at in [16, 20, 40, 44, 56] {
        let spoil = |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[at..at + 8].fill(0xa5);
            fs::write(path, bytes).unwrap();
        };
        check_refused(spoil, damaged, "Nothing was changed").await;
    }
}

#[tokio::test]
async fn a_folder_is_no_place_for_a_store() {
    let folder = Folder::new();
    for role in [Role::Server, Role::Tool] {
        let path = folder.0.path().join(".");
        let registry = Registry::new();
        let clock = Clock::system();
        let opened = SqliteStore::open(config(&path), Repeat::Last, role, &clock, &registry);
        let refused = opened.await.unwrap_err();
        assert!(
            matches!(&refused, Error::Unavailable(text) if text.contains("is a folder")),
            "{refused:?}"
        );
    }
    assert!(!beside(folder.0.path(), ".lock").exists());
}

#[tokio::test]
async fn a_later_versions_file_is_left_alone() {
    let spoil = |path: &Path| {
        let db = Connection::open(path).unwrap();
        db.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
            .unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
    };
    let newer = |error: &Error| matches!(error, Error::Newer(_));
    check_refused(spoil, newer, "made by a later version").await;
}

#[tokio::test]
async fn another_programs_file_is_left_alone() {
    let spoil = |path: &Path| {
        fs::remove_file(path).unwrap();
        let db = Connection::open(path).unwrap();
        db.execute_batch("CREATE TABLE songs (x)").unwrap();
    };
    check_refused(spoil, damaged, "another program").await;
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let folder = Folder::new();
    let path = folder.0.path().join("data/deep/wrapup.db");
    let store = open(&path).await.unwrap();
    accept(&store, 1).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o600, "{suffix}");
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    store.close().await;
    assert!(!beside(&path, "-wal").exists());
}

#[tokio::test]
async fn one_server_at_a_time_holds_the_file() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let first = open(&path).await.unwrap();
    let refused = open(&path).await.unwrap_err();
    let pid = format!("pid {}", std::process::id());
    assert!(
        matches!(&refused, Error::Held(text) if text.contains(&pid)),
        "{refused:?}"
    );
    accept(&first, 1).await.unwrap();
    first.close().await;
    let second = open(&path).await.unwrap();
    accept(&second, 2).await.unwrap();
    // Dropping lets go, too.
    drop(second);
    open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_tool_that_was_alone_leaves_nothing_beside_the_file() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    filled(&path).await;
    // Often, because two connections that close at the same moment do not do so each time.
    for _ in 0..200 {
        let tool = open_tool(&path).await.unwrap();
        assert_eq!(tool.list(0, 1).await.unwrap().len(), 1);
        tool.close().await;
        for suffix in ["-wal", "-shm"] {
            assert!(!beside(&path, suffix).exists(), "{suffix}");
        }
    }
}

#[tokio::test]
async fn a_tool_works_beside_a_server() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let missing = open_tool(&path).await.unwrap_err();
    assert!(matches!(missing, Error::Unavailable(_)), "{missing:?}");
    assert!(!path.exists());

    let server = open(&path).await.unwrap();
    let id = accept(&server, 1).await.unwrap();
    server.lease(ask(2_000, 1)).await.unwrap();
    let tool = open_tool(&path).await.unwrap();
    let seen = tool.find(id).await.unwrap().unwrap();
    assert_eq!(seen.state, crate::store::State::Leased);
    let receipts = tool.accept(vec![survey(2)]).await.unwrap();
    tool.close().await;
    assert_eq!(
        server.accept(vec![survey(2)]).await.unwrap(),
        [Receipt::Duplicate(receipts[0].id())]
    );
    let states = server.census().await.unwrap().states;
    assert_eq!(states[..2], [1, 1]);
    server.close().await;
}

#[tokio::test]
async fn what_was_committed_survives_a_crash_and_a_torn_log() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    for n in 0..100 {
        accept(&store, n).await.unwrap();
    }
    // As the disk is when the process is killed now; and with the end of the log lost.
    let copy = |name: &str, cut: usize| {
        let target = folder.0.path().join(name);
        fs::copy(&path, &target).unwrap();
        let log = fs::read(beside(&path, "-wal")).unwrap();
        fs::write(beside(&target, "-wal"), &log[..log.len() - cut]).unwrap();
        target
    };
    let (killed, torn) = (copy("killed.db", 0), copy("torn.db", 700));
    store.close().await;

    let store = open(&killed).await.unwrap();
    for n in 0..100 {
        let receipts = store.accept(vec![survey(n)]).await.unwrap();
        assert!(matches!(receipts[0], Receipt::Duplicate(_)), "{n}");
    }
    assert_eq!(store.census().await.unwrap().states[0], 100);
    store.close().await;

    let store = open(&torn).await.unwrap();
    let left = store.list(0, 1_000).await.unwrap().len();
    assert_eq!(left, 99);
    assert_eq!(store.census().await.unwrap().states[0], 99);
    store.close().await;
}

#[tokio::test]
async fn bodies_are_kept_only_where_they_are_wanted_or_needed() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open_lean(&path).await;
    accept(&store, 1).await.unwrap();
    let mut unreadable = survey(2);
    unreadable.content = Content::Unreadable {
        problems: "[]".to_owned(),
    };
    store.accept(vec![unreadable]).await.unwrap();
    store.close().await;
    let bodies = || -> Vec<bool> {
        let db = Connection::open(&path).unwrap();
        let mut query = db
            .prepare("SELECT body IS NOT NULL FROM survey ORDER BY seq")
            .unwrap();
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(bodies(), [false, true]);

    // Resolved, its body goes, too.
    let store = open_lean(&path).await;
    accept(&store, 2).await.unwrap();
    store.close().await;
    assert_eq!(bodies(), [false, false]);
}

#[tokio::test]
async fn what_another_process_changed_is_known_to_the_server_at_its_next_write() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let server = open(&path).await.unwrap();
    accept(&server, 1).await.unwrap();
    let tool = open_tool(&path).await.unwrap();
    let by_tool = accept(&tool, 2).await.unwrap();
    tool.close().await;

    // The same survey is a duplicate, and another one for its interaction takes its place.
    let again = server.accept(vec![survey(2)]).await.unwrap();
    assert_eq!(again, [Receipt::Duplicate(by_tool)]);
    let mut later = survey(3);
    later.content = survey(2).content;
    server.accept(vec![later]).await.unwrap();
    let record = server.find(by_tool).await.unwrap().unwrap();
    assert_eq!(record.state, crate::store::State::Superseded);
    server.close().await;
}

#[tokio::test]
async fn a_link_to_the_file_is_the_same_file() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let link = folder.0.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let store = open(&path).await.unwrap();
    let id = accept(&store, 1).await.unwrap();
    let refused = open(&link).await.unwrap_err();
    assert!(matches!(refused, Error::Held(_)), "{refused:?}");
    store.close().await;
    let store = open(&link).await.unwrap();
    assert!(store.find(id).await.unwrap().is_some());
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(refused, Error::Held(_)), "{refused:?}");
    store.close().await;
    assert!(!beside(&link, ".lock").exists());
}
