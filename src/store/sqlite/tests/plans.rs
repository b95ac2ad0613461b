//! The queries that run for each survey use their index, whatever there is in the file.

use rusqlite::Connection;

use super::*;

fn plan(db: &Connection, sql: &str) -> String {
    let mut query = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    for place in 1..=query.parameter_count() {
        query.raw_bind_parameter(place, 1).unwrap();
    }
    let mut rows = query.raw_query();
    let mut plan = String::new();
    while let Some(row) = rows.next().unwrap() {
        plan += &row.get::<_, String>(3).unwrap();
        plan.push('\n');
    }
    plan
}

/// Each of `uses` is in the plan; nothing is scanned or sorted but by an index.
fn check(db: &Connection, name: &str, sql: &str, uses: &[&str]) {
    let plan = plan(db, sql);
    for index in uses {
        assert!(plan.contains(index), "{name} does not use {index}:\n{plan}");
    }
    assert!(
        !plan.contains("TEMP B-TREE FOR ORDER BY"),
        "{name} sorts:\n{plan}"
    );
    let scans = plan
        .lines()
        .any(|line| line.contains("SCAN") && !line.contains("USING"));
    assert!(!scans, "{name} scans a table:\n{plan}");
}

#[tokio::test]
async fn hot_queries_use_their_index() {
    let folder = Folder::new();
    let path = folder.0.path().join("wrapup.db");
    let store = open(&path).await.unwrap();
    for n in 0..50 {
        accept(&store, n).await.unwrap();
    }
    store.close().await;
    let db = Connection::open(&path).unwrap();
    let queue = "delivery_queue (state=? AND due_at";
    let by_seq = "INTEGER PRIMARY KEY (rowid";
    macro_rules! hot {
        ($($file:literal => $uses:expr;)*) => {
            $(check(&db, $file, include_str!(concat!("../sql/", $file, ".sql")), &$uses);)*
        };
    }
    hot! {
        "live" => ["PRIMARY KEY (interaction=?)"];
        "sibling" => [by_seq];
        "known_of" => [by_seq];
        "known_after" => [by_seq];
        "landing" => ["delivery_landing (interaction=?"];
        "landing_last" => ["delivery_landing"];
        "winner" => ["delivery_written (interaction=?)"];
        "lease" => [queue, by_seq];
        "lease_latest_due" => [queue, by_seq];
        "lease_newest" => [by_seq];
        "next_due" => [queue];
        "pull_in" => [queue];
        "scan" => [by_seq];
        "purge_ended" => ["delivery_ended (ended_at"];
        "settle_due" => [by_seq];
        "settle_end" => [by_seq];
    }
    let is_here = "SELECT 1 FROM delivery WHERE seq = ?1";
    check(&db, "is_here", is_here, &[by_seq]);
    // A handful of rows of one interaction are sorted; that is as it should be.
    for sql in [
        include_str!("../sql/last_written.sql"),
        include_str!("../sql/assigned_after.sql"),
    ] {
        let plan = plan(&db, sql);
        assert!(plan.contains("delivery_written (interaction=?"), "{plan}");
    }
}
