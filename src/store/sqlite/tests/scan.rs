//! A tool reads what was decided while a server takes surveys.

use std::collections::BTreeSet;

use super::*;
use crate::store::Decided;

async fn scanned(store: &SqliteStore) -> Vec<Decided> {
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let piece = store.scan(UnixMs(0), from, 7).await.unwrap();
        all.extend(piece.surveys);
        after = piece.after;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_and_the_writer_do_not_wait_for_each_other() {
    const SURVEYS: u64 = 300;
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let server = open(&path).await.unwrap();
    let tool = open_tool(&path).await.unwrap();
    let taking = async {
        let mut ids = BTreeSet::new();
        for n in 0..SURVEYS {
            ids.insert(accept(&server, n).await.unwrap());
        }
        ids
    };
    let looking = async {
        loop {
            let all = scanned(&tool).await;
            let ids: BTreeSet<_> = all.iter().map(|survey| survey.id).collect();
            assert_eq!(ids.len(), all.len(), "none is seen twice");
            if all.len() == usize::try_from(SURVEYS).unwrap() {
                return ids;
            }
        }
    };
    let (taken, seen) = tokio::join!(taking, looking);
    assert_eq!(seen, taken);
    tool.close().await;
    server.close().await;
}
