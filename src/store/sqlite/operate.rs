//! [`Operate`] for the file: pages on the reader's thread, changes through the writer's queue.

mod again;
mod erase;
mod page;
mod redrive;
mod resolve;

use async_trait::async_trait;

use super::{SqliteStore, read};
use crate::clock::UnixMs;
use crate::ids::DeliveryId;
use crate::store::operate::{
    Answers, Cursor, Erased, Fate, Filter, Operate, Page, Quarantined, Redrive, Reread,
};
use crate::store::{Error, Record};

#[async_trait]
impl Operate for SqliteStore {
    async fn page(
        &self,
        filter: Filter,
        from: Cursor,
        limit: usize,
    ) -> Result<Page<Record>, Error> {
        self.reader
            .ask(move |db| page::records(db, &filter, from, limit))
            .await
    }

    async fn answers(&self, seq: i64) -> Result<Option<Answers>, Error> {
        self.reader.ask(move |db| page::answers(db, seq)).await
    }

    async fn quarantined(
        &self,
        filter: Filter,
        from: Cursor,
        limit: usize,
    ) -> Result<Page<Quarantined>, Error> {
        self.reader
            .ask(move |db| page::quarantined(db, filter, from, limit))
            .await
    }

    async fn newest(&self) -> Result<i64, Error> {
        self.reader.ask(read::newest).await
    }

    async fn resolve(&self, surveys: Vec<Reread>, how: Redrive) -> Result<Vec<Fate>, Error> {
        let resolve = resolve::Resolve::new(surveys, &self.hash, how);
        self.writer.call(resolve).await
    }

    async fn redrive(&self, seqs: Vec<i64>, how: Redrive) -> Result<Vec<Fate>, Error> {
        self.writer.call(redrive::Again { seqs, how }).await
    }

    async fn erase(&self, id: DeliveryId, force: bool, at: UnixMs) -> Result<Erased, Error> {
        self.writer.call(erase::Erase { id, force, at }).await
    }
}
