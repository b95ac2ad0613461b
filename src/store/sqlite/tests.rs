//! The suite that every store passes, and what only a file can do: be damaged, locked, full, taken by another.

mod erased;
mod files;
mod plans;
mod scan;
mod start;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;

use super::{Role, SqliteStore};
use crate::clock::{Clock, UnixMs};
use crate::ids::{DeliveryId, InteractionId, RuleName};
use crate::metrics::Registry;
use crate::store::conformance::{Bed, Terms, conformance};
use crate::store::operate::Operate;
use crate::store::{
    Config, Content, DecisionRecord, DedupKey, Error, LeaseAsk, NewDelivery, Repeat, Store,
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Bed for Folder {
    async fn operate(&self, terms: Terms) -> Arc<dyn Operate> {
        let config = Config {
            max_pending: terms.max_pending,
            max_quarantined: terms.max_quarantined,
            ..config(&self.0.path().join("wrapup.db"))
        };
        Arc::new(open_with(config, terms.repeat).await.unwrap())
    }
}

conformance!(Folder::new());

fn config(path: &Path) -> Config {
    Config {
        path: path.to_owned(),
        // A process that another test starts holds our locks, too, until it has become what it shall be.
        lock_wait: Duration::from_secs(1),
        max_pending: 1_000_000,
        max_quarantined: 1_000,
        retention: Duration::from_hours(1),
        remember: Duration::from_hours(2),
        keep_body: true,
        settles_within: crate::store::conformance::SETTLES_WITHIN,
    }
}

/// Keeps no body that can be read.
async fn open_lean(path: &Path) -> SqliteStore {
    let lean = Config {
        keep_body: false,
        ..config(path)
    };
    open_with(lean, Repeat::Last).await.unwrap()
}

async fn open_with(config: Config, repeat: Repeat) -> Result<SqliteStore, Error> {
    let registry = Registry::new();
    SqliteStore::open(config, repeat, Role::Server, &Clock::system(), &registry).await
}

async fn open(path: &Path) -> Result<SqliteStore, Error> {
    open_with(config(path), Repeat::Last).await
}

async fn open_tool(path: &Path) -> Result<SqliteStore, Error> {
    let registry = Registry::new();
    let config = config(path);
    SqliteStore::open(
        config,
        Repeat::Last,
        Role::Tool,
        &Clock::system(),
        &registry,
    )
    .await
}

/// A readable survey about an interaction of its own.
fn survey(n: u64) -> NewDelivery {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&n.to_le_bytes());
    NewDelivery {
        id: DeliveryId::generate(),
        source: "generic".into(),
        accepted_at: UnixMs(1_000),
        keys: vec![DedupKey(key)],
        content_key: DedupKey(key),
        body: Bytes::from(format!(
            r#"{{"interactionId":"{n}","comment":"{}"}}"#,
            "x".repeat(200)
        )),
        content: Content::Readable {
            interaction: InteractionId(uuid::Uuid::from_u64_pair(
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                n,
            )),
            fields: r#"{"csat_score":5,"issue_type":"BILLING","nps_score":10}"#.to_owned(),
            decision: DecisionRecord {
                rule: Some("promoter".into()),
                code: Some("WU_PROMPT_SUCCESS".into()),
                rules_hash: "ab".repeat(32).into(),
                rules: ["detractor", "promoter"].map(RuleName::from).into(),
                failures: Vec::new(),
            },
        },
    }
}

async fn accept(store: &SqliteStore, n: u64) -> Result<DeliveryId, Error> {
    let receipts = store.accept(vec![survey(n)]).await?;
    Ok(receipts[0].id())
}

fn ask(now: i64, limit: usize) -> LeaseAsk {
    LeaseAsk {
        due_by: UnixMs(now),
        now: UnixMs(now),
        limit,
        newest_first: false,
    }
}

/// Waits until `is_so`, for as long as a healing store may take.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The path with something behind it, as `-wal` or `.lock`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
