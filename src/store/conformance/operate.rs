//! Claims about what operators do: reprocess, redrive, erase, look through.

mod erase;
mod page;
mod redrive;
mod resolve;

pub(crate) use erase::*;
pub(crate) use page::*;
pub(crate) use redrive::*;
pub(crate) use resolve::*;

use super::*;
use crate::store::operate::{Cursor, Erased, Fate, Filter, Operate, Redrive, Reread};

const USUAL: Redrive = Redrive {
    at: UnixMs(2_000),
    force: false,
    dry_run: false,
};
const FORCE: Redrive = Redrive {
    force: true,
    ..USUAL
};

/// What reading the quarantined survey again as `sample` comes to.
async fn reread(store: &dyn Operate, id: DeliveryId, sample: &Sample) -> Reread {
    Reread {
        seq: record(store, id).await.seq,
        id,
        keys: Vec::new(),
        body: None,
        content: sample.delivery().content,
    }
}

async fn resolve(store: &dyn Operate, id: DeliveryId, sample: &Sample, how: Redrive) -> Fate {
    let survey = reread(store, id, sample).await;
    store.resolve(vec![survey], how).await.unwrap().remove(0)
}

async fn redrive(store: &dyn Operate, id: DeliveryId, how: Redrive) -> Fate {
    let seq = record(store, id).await.seq;
    store.redrive(vec![seq], how).await.unwrap().remove(0)
}

const LIVE: Fate = Fate::Live { over: None };
