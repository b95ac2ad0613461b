//! The store in one `SQLite` file.
//!
//! One thread writes ([`writer`]), one reads ([`read`]), one carries the log over ([`checkpoint`]). All writes of all
//! callers go through the writer's queue and share its commits; whoever waits for an answer waits for a commit.
//! One server at a time holds the file ([`lock`]); command line tools open it beside in short transactions.

mod accept;
mod batch;
mod checkpoint;
mod connection;
mod fault;
mod health;
mod keys;
mod known;
mod lease;
mod lock;
mod memory;
mod meta;
mod open;
mod operate;
mod order;
mod place;
mod post;
mod read;
mod recent;
mod recover;
mod rows;
mod rule_set;
mod scan;
mod schema;
mod settle;
mod sieve;
#[cfg(test)]
mod tests;
mod upkeep;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{
    Census, Config, Error, LeaseAnswer, LeaseAsk, NewDelivery, Receipt, Record, Refund, Repeat,
    SavedCodes, Scanned, Settled, Settlement, Store,
};
use crate::clock::{Clock, UnixMs};
use crate::ids::{CodeId, DeliveryId, InteractionId};
use crate::metrics::Registry;

/// As what the file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `wrapup serve`: holds the lock, creates and migrates, takes up what was under way, carries the log over.
    Server,
    /// A command line tool beside a server, or alone: the file must exist and be of this version.
    Tool,
}

/// A [`Store`] in one file. [`Store::close`] it; dropping it commits what was handed over, too, but blocks.
#[derive(Debug)]
pub struct SqliteStore {
    place: place::Place,
    hash: keys::KeyHash,
    writer: Arc<writer::Writer>,
    reader: Arc<read::Reader>,
    checkpointer: Option<Arc<post::Post<()>>>,
    lock: Mutex<Option<lock::ServerLock>>,
}

impl SqliteStore {
    /// Opens the file. As a server: waits for the lock for up to `config.lock_wait`, creates or migrates the file,
    /// and voids the leases of the process before.
    ///
    /// # Errors
    /// [`Error::Held`], [`Error::Newer`], [`Error::Damaged`], or [`Error::Unavailable`] for what may pass.
    pub async fn open(
        config: Config,
        repeat: Repeat,
        role: Role,
        clock: &Clock,
        registry: &Registry,
    ) -> Result<Self, Error> {
        if role == Role::Server {
            open::create_folder(&config.path)?;
        }
        // Through a link it is the same file, with the same lock. A file that is not there yet has no other name.
        let path = std::fs::canonicalize(&config.path).unwrap_or(config.path);
        if path.is_dir() {
            return Err(Error::Unavailable(format!(
                "the store's path {} is a folder: name a file in it in store.url",
                path.display()
            )));
        }
        let mut lock = None;
        if role == Role::Server {
            lock = Some(lock::ServerLock::take(&path, config.lock_wait).await?);
        }
        let terms = batch::Terms {
            repeat,
            max_pending: config.max_pending,
            max_quarantined: config.max_quarantined,
            keep_body: config.keep_body,
            settles_within: config.settles_within,
        };
        let now = clock.now();
        let (opened, terms) = tokio::task::spawn_blocking(move || {
            open::open(&path, role, &terms, now).map(|opened| (opened, terms))
        })
        .await
        .unwrap_or_else(|_| Err(post::ended()))?;

        let (mut db, place) = (opened.db, opened.place);
        let log = Arc::new(checkpoint::Log::default());
        log.watch(&mut db)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let checkpointer = if role == Role::Server {
            let started = checkpoint::start(
                place.clone(),
                opened.page_bytes,
                checkpoint::Bounds::USUAL,
                Arc::clone(&log),
            )?;
            Some(Arc::new(started))
        } else {
            None
        };
        let parts = writer::Parts {
            place: place.clone(),
            db,
            memory: opened.memory,
            terms,
            log,
            checkpointer: checkpointer.clone(),
            page_bytes: opened.page_bytes,
        };
        let writer = writer::Writer::start(parts, registry)?;
        if role == Role::Server {
            writer.probed().await;
        }
        Ok(Self {
            hash: opened.hash,
            writer: Arc::new(writer),
            reader: Arc::new(read::Reader::start(place.clone())?),
            checkpointer,
            lock: Mutex::new(lock),
            place,
        })
    }

    /// Answers what closes the queues, ends the threads and lets the lock go.
    ///
    /// One thread after the other: of two connections that close at the same moment each takes the other for one that
    /// stays, and neither carries the log over and takes it away.
    fn shut(&self) -> impl FnOnce() + Send + 'static {
        let reader = Arc::clone(&self.reader);
        let writer = Arc::clone(&self.writer);
        let checkpointer = self.checkpointer.clone();
        let lock = self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        move || {
            join(reader.close());
            join(writer.close());
            // Last, because the writer may have asked for it until now.
            join(checkpointer.and_then(|it| it.close()));
            drop(lock);
        }
    }
}

fn join(thread: Option<std::thread::JoinHandle<()>>) {
    if thread.is_some_and(|it| it.join().is_err()) {
        tracing::error!("a thread of the store panicked");
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shut()();
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, surveys: Vec<NewDelivery>) -> Result<Vec<Receipt>, Error> {
        if surveys.is_empty() {
            return Ok(Vec::new());
        }
        self.writer
            .call(accept::Accept::new(surveys, &self.hash))
            .await
    }

    async fn lease(&self, ask: LeaseAsk) -> Result<LeaseAnswer, Error> {
        self.writer.call(lease::Lease(ask)).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled, Error> {
        self.writer.call(settle::Settle(settlement)).await
    }

    async fn pull_in(&self, horizon: UnixMs, now: UnixMs) -> Result<u64, Error> {
        let mut all = 0;
        loop {
            let moved = self.writer.call(upkeep::PullIn { horizon, now }).await?;
            all += u64::from(moved);
            if moved < upkeep::PULL_IN_PIECE {
                return Ok(all);
            }
        }
    }

    async fn refund(&self, refunds: Vec<Refund>, now: UnixMs) -> Result<u64, Error> {
        self.writer.call(lease::GiveRefunds { refunds, now }).await
    }

    async fn last_written(&self, interaction: InteractionId) -> Result<Vec<CodeId>, Error> {
        self.reader
            .ask(move |db| read::last_written(db, interaction))
            .await
    }

    async fn fields(&self, seq: i64) -> Result<Option<String>, Error> {
        self.reader.ask(move |db| read::fields(db, seq)).await
    }

    async fn find(&self, id: DeliveryId) -> Result<Option<Record>, Error> {
        self.reader.ask(move |db| read::find(db, id)).await
    }

    async fn list(&self, after: i64, limit: usize) -> Result<Vec<Record>, Error> {
        self.reader
            .ask(move |db| read::list(db, after, limit))
            .await
    }

    async fn scan(&self, since: UnixMs, after: i64, limit: usize) -> Result<Scanned, Error> {
        self.reader
            .ask(move |db| scan::scan(db, since, after, limit))
            .await
    }

    async fn census(&self) -> Result<Census, Error> {
        let place = self.place.clone();
        self.reader
            .ask(move |db| read::census(db, place.path()))
            .await
    }

    async fn save_codes(&self, codes: SavedCodes) -> Result<(), Error> {
        let text = serde_json::to_string(&codes).expect("names and ids are plain data");
        let save = upkeep::Save {
            note: upkeep::Note::Codes,
            text: Some(text),
        };
        self.writer.call(save).await
    }

    async fn saved_codes(&self) -> Result<Option<SavedCodes>, Error> {
        self.reader
            .ask(|db| upkeep::read_note(db, upkeep::Note::Codes))
            .await
    }

    async fn save_pause(&self, until: Option<UnixMs>) -> Result<(), Error> {
        let save = upkeep::Save {
            note: upkeep::Note::Pause,
            text: until.map(|moment| moment.0.to_string()),
        };
        self.writer.call(save).await
    }

    async fn saved_pause(&self) -> Result<Option<UnixMs>, Error> {
        self.reader
            .ask(|db| upkeep::read_note(db, upkeep::Note::Pause))
            .await
    }

    async fn purge(&self, ended: UnixMs, keys: UnixMs) -> Result<bool, Error> {
        self.writer.call(upkeep::Purge { ended, keys }).await
    }

    fn health(&self) -> Result<(), String> {
        self.writer.health()
    }

    async fn close(&self) {
        if tokio::task::spawn_blocking(self.shut()).await.is_err() {
            tracing::error!("the store could not be closed in order");
        }
    }
}
