//! The store as a command opens it: beside a running service or without one, in short transactions.

use std::path::Path;

use super::load;
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::metrics::Registry;
use crate::store;
use crate::store::sqlite::{Role, SqliteStore};
use crate::telemetry;

/// A command's hold on the store, and what it was told by.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) config: Config,
    pub(super) store: SqliteStore,
    pub(super) clock: Clock,
}

impl Desk {
    /// Needs no secrets: whoever looks after surveys seldom has them.
    pub(super) async fn open(file: &Path) -> anyhow::Result<Self> {
        telemetry::init("warn")?;
        let config = load(file, Secrets::Wanted)?.config;
        let clock = Clock::system();
        let store = open_store(&config, &clock).await?;
        Ok(Self {
            config,
            store,
            clock,
        })
    }
}

async fn open_store(config: &Config, clock: &Clock) -> Result<SqliteStore, store::Error> {
    // Nobody reads what a command counts.
    let registry = Registry::new();
    let repeat = config.delivery.repeat;
    SqliteStore::open(config.store.clone(), repeat, Role::Tool, clock, &registry).await
}
