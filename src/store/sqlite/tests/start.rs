//! Claims about a start: after a crash in the middle of things, with another clock.

use super::*;
use crate::store::operate::{Fate, Redrive};

async fn open_at(path: &Path, clock: &Clock) -> SqliteStore {
    let registry = Registry::new();
    SqliteStore::open(config(path), Repeat::Last, Role::Server, clock, &registry)
        .await
        .unwrap()
}

#[tokio::test]
async fn after_the_clock_was_stepped_back_nothing_waits_for_the_old_time() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let clock = Clock::system();
    let an_hour_ahead = clock.now().0 + 3_600_000;
    let store = open_at(&path, &clock).await;
    let mut ended = survey(2);
    ended.accepted_at = UnixMs(an_hour_ahead);
    if let Content::Readable { decision, .. } = &mut ended.content {
        decision.code = None;
    }
    let mut waits = survey(1);
    waits.accepted_at = UnixMs(an_hour_ahead);
    store.accept(vec![ended, waits]).await.unwrap();
    store.close().await;

    let store = open_at(&path, &clock).await;
    let now = clock.now().0;
    let answer = store.lease(ask(now, 10)).await.unwrap();
    assert_eq!(answer.leased.len(), 1);
    // What has ended is kept for its time from now on, not from the hour ahead.
    let beyond = UnixMs(now + 1_000);
    store.purge(beyond, beyond).await.unwrap();
    assert_eq!(store.list(0, 10).await.unwrap().len(), 1);
    let receipts = store.accept(vec![survey(2)]).await.unwrap();
    assert!(matches!(receipts[0], crate::store::Receipt::Stored(_)));
    store.close().await;
}

#[tokio::test]
async fn a_number_is_never_given_again_although_nothing_of_it_is_left() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let mut ignored = survey(1);
    if let Content::Readable { decision, .. } = &mut ignored.content {
        decision.code = None;
    }
    store.accept(vec![ignored.clone()]).await.unwrap();
    let first = store.list(0, 10).await.unwrap()[0].seq;
    let ever = UnixMs(i64::MAX);
    store.purge(ever, ever).await.unwrap();
    store.close().await;

    let store = open(&path).await.unwrap();
    assert!(store.list(0, 10).await.unwrap().is_empty());
    ignored.id = DeliveryId::generate();
    store.accept(vec![ignored]).await.unwrap();
    let second = store.list(0, 10).await.unwrap()[0].seq;
    assert!(second > first, "{second} after {first}");
    store.close().await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_many_leases_loses_none() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let many = (0..300).map(survey).collect();
    store.accept(many).await.unwrap();
    let leased = store.lease(ask(2_000, 120)).await.unwrap().leased;
    assert_eq!(leased.len(), 120);
    let killed = folder.0.path().join("killed.db");
    std::fs::copy(&path, &killed).unwrap();
    std::fs::copy(beside(&path, "-wal"), beside(&killed, "-wal")).unwrap();
    store.close().await;

    let store = open(&killed).await.unwrap();
    assert_eq!(store.census().await.unwrap().states[..2], [300, 0]);
    let now = Clock::system().now().0;
    let mut again = store.lease(ask(now, 1_000)).await.unwrap().leased;
    assert_eq!(again.len(), 300);
    again.sort_by_key(|it| it.seq);
    assert!(
        again[..120]
            .iter()
            .all(|it| it.progress.unclear_write_at == Some(UnixMs(2_000)))
    );
    assert!(
        again[120..]
            .iter()
            .all(|it| it.progress.unclear_write_at.is_none())
    );
    store.close().await;
}

/// Forces one that was superseded behind the one that took its place, after its keys were forgotten.
async fn forced_without_keys(path: &Path) -> SqliteStore {
    let store = open(path).await.unwrap();
    let old = accept(&store, 1).await.unwrap();
    let mut late = survey(2);
    late.content = survey(1).content;
    store.accept(vec![late]).await.unwrap();
    let seq = store.find(old).await.unwrap().unwrap().seq;
    let forgotten = rusqlite::Connection::open(path)
        .unwrap()
        .execute("DELETE FROM known WHERE seq = ?1", [seq])
        .unwrap();
    assert_eq!(forgotten, 1);
    let how = Redrive {
        at: UnixMs(2_000),
        force: true,
        dry_run: false,
    };
    let fates = store.redrive(vec![seq], how).await.unwrap();
    assert!(matches!(fates[0], Fate::Live { over: Some(_) }));
    assert!(store.find(old).await.unwrap().unwrap().seq > seq + 1);
    store
}

#[tokio::test]
async fn a_delivery_that_was_numbered_anew_without_its_keys_keeps_its_number() {
    for erased in [false, true] {
        let folder = Folder::new();
        let path = folder.0.path().join("wrapup.db");
        let store = forced_without_keys(&path).await;
        let newest = store.list(0, 10).await.unwrap().pop().unwrap();
        if erased {
            store.erase(newest.id, true, UnixMs(2_000)).await.unwrap();
        }
        store.close().await;

        let store = open(&path).await.unwrap();
        let next = accept(&store, 3).await.unwrap();
        let next = store.find(next).await.unwrap().unwrap();
        assert!(next.seq > newest.seq, "{} after {}", next.seq, newest.seq);
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_that_remembers_no_number_goes_on_after_its_deliveries() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    forced_without_keys(&path).await.close().await;
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("DELETE FROM meta WHERE key = 'newest'", [])
        .unwrap();
    drop(db);
    let store = open(&path).await.unwrap();
    accept(&store, 3).await.unwrap();
    store.close().await;
}
