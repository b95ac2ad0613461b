//! What is erased is gone from the file's bytes, too.

use std::fs;

use super::*;
use crate::store::Receipt;
use crate::store::operate::{Erased, Redrive, Reread};

/// Keeps an unreadable survey, does something with it, erases it, and looks for its body in the file.
async fn check_gone(what: &str, way: impl AsyncFn(&SqliteStore, Reread)) {
    const MARK: &str = "canary-5d81b0;";
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open_lean(&path).await;
    let mut unreadable = survey(1);
    unreadable.body = Bytes::from(MARK.repeat(1_500));
    unreadable.content = Content::Unreadable {
        problems: format!(r#"["{}"]"#, "x".repeat(10_000)),
    };
    let id = unreadable.id;
    store.accept(vec![unreadable]).await.unwrap();
    let kept = Reread {
        seq: store.find(id).await.unwrap().unwrap().seq,
        id,
        keys: Vec::new(),
        body: None,
        content: survey(1).content,
    };
    way(&store, kept).await;
    let erased = store.erase(id, true, UnixMs(2_000)).await.unwrap();
    assert!(matches!(erased, Erased::Done(_)), "{what}: {erased:?}");
    store.close().await;
    let bytes = fs::read(&path).unwrap();
    let found = bytes.windows(MARK.len()).any(|it| it == MARK.as_bytes());
    assert!(!found, "{what}: its body is still in the file");
}

#[tokio::test]
async fn nothing_of_what_is_erased_is_left_in_the_file_whatever_was_done_with_it() {
    let how = Redrive {
        at: UnixMs(2_000),
        force: true,
        dry_run: false,
    };
    check_gone("kept", async |_, _| ()).await;
    check_gone("repeated by its sender", async |store, kept| {
        let receipts = store.accept(vec![survey(1)]).await.unwrap();
        assert_eq!(receipts, [Receipt::Stored(kept.id)]);
    })
    .await;
    check_gone("read again", async |store, kept| {
        store.resolve(vec![kept], how).await.unwrap();
    })
    .await;
    check_gone("unreadable still", async |store, mut kept| {
        kept.content = Content::Unreadable {
            problems: "[]".to_owned(),
        };
        store.resolve(vec![kept], how).await.unwrap();
    })
    .await;
    check_gone("forced behind a later one", async |store, kept| {
        let mut late = survey(2);
        late.content = survey(1).content;
        store.accept(vec![late]).await.unwrap();
        store.resolve(vec![kept], how).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_erased_was_not_left_behind_when_its_neighbours_were_purged() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..300 {
        let mut new = survey(n);
        new.accepted_at = UnixMs(if n % 10 == 3 { 5_000 } else { 1_000 });
        new.body = Bytes::from(format!("canary-{n:04};{}", "x".repeat(300)));
        if let Content::Readable { decision, .. } = &mut new.content {
            decision.code = None;
        }
        if n % 10 == 3 {
            ids.push(new.id);
        }
        store.accept(vec![new]).await.unwrap();
    }
    store.purge(UnixMs(3_000), UnixMs(0)).await.unwrap();
    assert_eq!(store.list(0, 1_000).await.unwrap().len(), ids.len());
    for id in ids {
        store.erase(id, false, UnixMs(6_000)).await.unwrap();
    }
    store.close().await;
    let bytes = fs::read(&path).unwrap();
    for n in (3..300).step_by(10) {
        let mark = format!("canary-{n:04};");
        let found = bytes.windows(mark.len()).any(|it| it == mark.as_bytes());
        assert!(!found, "{mark} is still in the file");
    }
}
