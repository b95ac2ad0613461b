//! A store in memory: recognises duplicates by their keys, and can be told to fail or to wait.

use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore};

use crate::clock::UnixMs;
use crate::ids::{CodeId, DeliveryId, InteractionId};
use crate::store::{
    Census, Content, Error, LeaseAnswer, LeaseAsk, NewDelivery, Receipt, Record, Refund,
    SavedCodes, Scanned, Settled, Settlement, Store,
};

#[derive(Debug)]
pub(super) struct FakeStore {
    pub(super) rows: Mutex<Vec<NewDelivery>>,
    /// How many surveys each `accept` was given.
    pub(super) calls: Mutex<Vec<usize>>,
    /// What every `accept` fails with.
    pub(super) fails: Mutex<Option<Error>>,
    /// What `accept` fails with where it would insert.
    pub(super) full: Mutex<Option<Error>>,
    /// A commit takes one permit.
    pub(super) commits: Semaphore,
    /// Told when a row was handed over.
    pub(super) handed_over: Notify,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            calls: Mutex::default(),
            fails: Mutex::default(),
            full: Mutex::default(),
            commits: Semaphore::new(1000),
            handed_over: Notify::new(),
        }
    }
}

fn unavailable<T>() -> Result<T, Error> {
    Err(Error::Unavailable("not in this store".to_owned()))
}

impl FakeStore {
    fn insert(&self, new: NewDelivery) -> Result<Receipt, Error> {
        let mut rows = self.rows.lock().unwrap();
        let unreadable = matches!(new.content, Content::Unreadable { .. });
        let known = rows.iter().find(|row| {
            let row_unreadable = matches!(row.content, Content::Unreadable { .. });
            (unreadable && row.content_key == new.content_key)
                || (!row_unreadable && row.keys.iter().any(|key| new.keys.contains(key)))
        });
        if let Some(known) = known {
            return Ok(match known.content {
                Content::Unreadable { .. } => Receipt::StillQuarantined(known.id),
                Content::Readable { .. } => Receipt::Duplicate(known.id),
            });
        }
        if let Some(full) = self.full.lock().unwrap().clone() {
            return Err(full);
        }
        let id = new.id;
        rows.push(new);
        Ok(Receipt::Stored(id))
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn accept(&self, surveys: Vec<NewDelivery>) -> Result<Vec<Receipt>, Error> {
        self.calls.lock().unwrap().push(surveys.len());
        self.handed_over.notify_one();
        self.commits.acquire().await.unwrap().forget();
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        surveys.into_iter().map(|new| self.insert(new)).collect()
    }

    async fn lease(&self, _: LeaseAsk) -> Result<LeaseAnswer, Error> {
        unavailable()
    }
    async fn settle(&self, _: Settlement) -> Result<Settled, Error> {
        unavailable()
    }
    async fn pull_in(&self, _: UnixMs, _: UnixMs) -> Result<u64, Error> {
        unavailable()
    }
    async fn refund(&self, _: Vec<Refund>, _: UnixMs) -> Result<u64, Error> {
        unavailable()
    }
    async fn last_written(&self, _: InteractionId) -> Result<Vec<CodeId>, Error> {
        unavailable()
    }
    async fn fields(&self, _: i64) -> Result<Option<String>, Error> {
        unavailable()
    }
    async fn find(&self, _: DeliveryId) -> Result<Option<Record>, Error> {
        unavailable()
    }
    async fn list(&self, _: i64, _: usize) -> Result<Vec<Record>, Error> {
        unavailable()
    }
    async fn scan(&self, _: UnixMs, _: i64, _: usize) -> Result<Scanned, Error> {
        unavailable()
    }
    async fn census(&self) -> Result<Census, Error> {
        unavailable()
    }
    async fn save_codes(&self, _: SavedCodes) -> Result<(), Error> {
        unavailable()
    }
    async fn saved_codes(&self) -> Result<Option<SavedCodes>, Error> {
        unavailable()
    }
    async fn save_pause(&self, _: Option<UnixMs>) -> Result<(), Error> {
        unavailable()
    }
    async fn saved_pause(&self) -> Result<Option<UnixMs>, Error> {
        unavailable()
    }
    async fn purge(&self, _: UnixMs, _: UnixMs) -> Result<bool, Error> {
        unavailable()
    }
    fn health(&self) -> Result<(), String> {
        Ok(())
    }
    async fn close(&self) {}
}
