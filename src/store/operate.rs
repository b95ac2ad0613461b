//! What operators do with what is stored: look through it, have it tried again, erase it.
//!
//! [`Operate`] is used beside a running service as well as without one. Invariants: each call is one short transaction,
//! so that a crash leaves each delivery as it was or as it became; what was changed meanwhile, by a worker or by a
//! sender's repetition, is left alone; a delivery keeps its id, and its number but for a [`Redrive::force`].

use async_trait::async_trait;
use bytes::Bytes;

use super::{Content, DeadClass, DedupKey, Error, Record, State, Store};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId, SourceName};

/// Records in one page, whatever was asked for.
pub const PAGE_MOST: usize = 1_000;

/// Which deliveries are meant. What is left out restricts nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of them; empty: all.
    pub states: Vec<State>,
    pub class: Option<DeadClass>,
    pub source: Option<SourceName>,
    pub interaction: Option<InteractionId>,
    /// Accepted at this moment or later.
    pub since: Option<UnixMs>,
}

impl Filter {
    pub fn state(state: State) -> Self {
        Self {
            states: vec![state],
            ..Self::default()
        }
    }

    pub fn about(interaction: InteractionId) -> Self {
        Self {
            interaction: Some(interaction),
            ..Self::default()
        }
    }
}

/// By number of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    NewestFirst,
    OldestFirst,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    direction: Direction,
    /// Only numbers beyond this, in the direction.
    beyond: i64,
}

impl Cursor {
    pub fn newest_first() -> Self {
        Self {
            direction: Direction::NewestFirst,
            beyond: i64::MAX,
        }
    }

    pub fn oldest_first() -> Self {
        Self {
            direction: Direction::OldestFirst,
            beyond: i64::MIN,
        }
    }

    pub fn direction(self) -> Direction {
        self.direction
    }

    pub fn beyond(self) -> i64 {
        self.beyond
    }

    /// The same direction, from there on.
    #[must_use]
    pub fn at(self, beyond: i64) -> Self {
        Self { beyond, ..self }
    }
}

/// A piece of what was asked for. One may be empty although more follows: it is bounded by rows that were looked at.
#[derive(Debug)]
pub struct Page<T> {
    pub found: Vec<T>,
    /// Where the next piece begins; none: this was the last.
    pub next: Option<Cursor>,
}

/// What came in, as far as it is kept.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The extracted fields; none of an unreadable one.
    pub fields: Option<serde_json::Value>,
    /// None with `store.keep_body = false`.
    pub body: Option<Bytes>,
}

/// A survey that could not be read. It was verified before it was kept, and nothing else is ever kept: who holds one
/// may read it.
#[derive(Clone, Debug)]
pub struct Quarantined {
    pub seq: i64,
    pub id: DeliveryId,
    pub source: SourceName,
    pub accepted_at: UnixMs,
    /// As it was kept.
    pub body: Bytes,
}

/// What reading a quarantined survey again came to.
#[derive(Clone, Debug)]
pub struct Reread {
    pub seq: i64,
    pub id: DeliveryId,
    /// Keys that it has beside those that are remembered: an id in its body that was not found before.
    pub keys: Vec<DedupKey>,
    /// What is kept in place of the body, if it is one of several that the body held.
    pub body: Option<Bytes>,
    pub content: Content,
}

/// How [`Operate::resolve`] and [`Operate::redrive`] go about it.
#[derive(Clone, Copy, Debug)]
pub struct Redrive {
    pub at: UnixMs,
    /// A later survey of the interaction, or one that was assigned, does not keep it from being tried.
    pub force: bool,
    /// Says what would become of it, and changes nothing.
    pub dry_run: bool,
}

/// What became of a delivery that was to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On its way. `over`: the later one, or the one that was assigned, that would have kept it from it.
    Live { over: Option<DeliveryId> },
    /// The rules assign nothing.
    Ignored,
    /// Another of the interaction comes after it or was assigned.
    Superseded { by: DeliveryId },
    /// The same survey was accepted meanwhile, under another id.
    Duplicate { of: DeliveryId },
    /// Still unreadable; its problems were written anew.
    Quarantined,
    /// Somebody else has changed, resolved or removed it meanwhile.
    Gone,
    /// `store.max_pending` deliveries are on their way: it was left as it was.
    NoRoom { live: u64 },
}

/// What became of a delivery that was to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    Done(State),
    /// It is on its way still.
    Live(State),
    Unknown,
}

/// What the operators' commands ask of a store.
#[async_trait]
pub trait Operate: Store {
    /// A piece of the deliveries that the filter means, at most `limit` and never more than [`PAGE_MOST`].
    async fn page(&self, filter: Filter, from: Cursor, limit: usize)
    -> Result<Page<Record>, Error>;

    /// What came in with a delivery. None: there is no such delivery.
    async fn answers(&self, seq: i64) -> Result<Option<Answers>, Error>;

    /// A piece of the quarantined surveys, in order of acceptance. The filter's states do not count.
    async fn quarantined(
        &self,
        filter: Filter,
        from: Cursor,
        limit: usize,
    ) -> Result<Page<Quarantined>, Error>;

    /// The highest number that was given.
    async fn newest(&self) -> Result<i64, Error>;

    /// Lets quarantined surveys become what reading them again came to, in one transaction and in the order given.
    async fn resolve(&self, surveys: Vec<Reread>, how: Redrive) -> Result<Vec<Fate>, Error>;

    /// Has deliveries that have ended tried again, in one transaction and in the order given: dead ones, and with
    /// `force` any that has a code.
    async fn redrive(&self, seqs: Vec<i64>, how: Redrive) -> Result<Vec<Fate>, Error>;

    /// Removes everything that a delivery holds, but for its keys: a repetition does not bring it back. One that is
    /// pending only with `force`, a leased one never.
    async fn erase(&self, id: DeliveryId, force: bool, at: UnixMs) -> Result<Erased, Error>;
}
