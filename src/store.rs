//! The durable record: the [`Store`] trait and its words. One implementation for each database.
//!
//! What holds whatever the database: `accept` answers after the commit; numbers of acceptance only grow; a delivery
//! that has ended never moves again but by an operator's command; a settlement with a stale fence changes nothing.

mod config;
#[cfg(test)]
mod conformance;
pub mod operate;
mod scan;
pub mod sqlite;
mod state;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use config::Config;
pub use scan::{Decided, SCAN_MOST, Scanned};
pub use state::{DeadClass, Repeat, State};

use crate::clock::UnixMs;
use crate::ids::{CodeId, CodeName, DeliveryId, EventId, InteractionId, RuleName, SourceName};

/// A key by which a survey is recognised when it comes again: SHA-256 over source, item, kind and the id or the
/// signed content. The store keeps 16 bytes of a keyed hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DedupKey(pub [u8; 32]);

/// A survey on its way into the store.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub source: SourceName,
    pub accepted_at: UnixMs,
    /// A survey is a duplicate if any of these is known.
    pub keys: Vec<DedupKey>,
    /// Of this item's bytes and nothing else: by it an unreadable survey that comes again is recognised.
    pub content_key: DedupKey,
    pub body: Bytes,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    Readable {
        interaction: InteractionId,
        /// The extracted fields as a JSON object.
        fields: String,
        decision: DecisionRecord,
    },
    /// Authentic but unreadable: kept with its problems (a JSON array, as the answer's `problems`).
    Unreadable { problems: String },
}

/// What the rules said, as it is kept with the delivery.
#[derive(Clone, Debug)]
pub struct DecisionRecord {
    /// None: no rule matched.
    pub rule: Option<RuleName>,
    /// None: ignored.
    pub code: Option<CodeName>,
    /// The rule set's hash, in hex.
    pub rules_hash: std::sync::Arc<str>,
    /// The names of its rules, in their order.
    pub rules: std::sync::Arc<[RuleName]>,
    /// Those that could not be evaluated, in the same order, and why.
    pub failures: Vec<(RuleName, String)>,
}

/// What `accept` did with one survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Stored under the id; for a readable one that was quarantined before, the id it had there.
    Stored(DeliveryId),
    /// Accepted already; nothing was inserted.
    Duplicate(DeliveryId),
    /// Unreadable still, and kept already; nothing was inserted.
    StillQuarantined(DeliveryId),
}

impl Receipt {
    pub fn id(self) -> DeliveryId {
        match self {
            Self::Stored(id) | Self::Duplicate(id) | Self::StillQuarantined(id) => id,
        }
    }
}

/// What a delivery remembers from one attempt to the next. The store keeps it as JSON and looks only at what a write
/// on the wire left: `wrap_up_time`, `unclear_write_at`, `lands_until` and `written`. A voided lease sets them, a refund
/// keeps them, and whoever follows a superseded delivery inherits `unclear_write_at`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Attempts that ended in retry.
    pub attempts: u32,
    /// Refusals with 403 while the credentials breaker was closed.
    pub refusals: u32,
    /// The first of them: only if others succeeded since is this delivery to blame.
    pub refused_since: Option<UnixMs>,
    /// Snoozes because the interaction was not completed.
    pub snoozes: u32,
    /// Looks for a write that was taken and could not be seen yet.
    pub confirms: u32,
    /// Snoozes because the code's name was not in the book.
    pub code_snoozes: u32,
    /// Looked at once more after a 404.
    pub looked_again: bool,
    /// Tries since `tries_from`, the end of the last hold of dispatch that this delivery knows of.
    pub tries: u32,
    pub tries_from: UnixMs,
    /// The first successful refresh of the book that lacked the name.
    pub code_unknown_since: Option<UnixMs>,
    /// The moment of the first write, sent unchanged with each repeat.
    pub wrap_up_time: Option<UnixMs>,
    /// A write whose outcome is not known: the interaction is looked at before the next.
    pub unclear_write_at: Option<UnixMs>,
    /// A write of unclear outcome may take effect until then, whatever a look or a later write has shown since.
    pub lands_until: Option<UnixMs>,
    /// The code id of the last write that may have taken effect: should it stand on the interaction, it is ours.
    pub written: Option<CodeId>,
    /// When an operator had it tried again: `delivery.max_age` counts from here.
    pub again_at: Option<UnixMs>,
}

impl Progress {
    /// Attempts of either kind, as people count them.
    pub fn spent(&self) -> u32 {
        self.attempts.saturating_add(self.refusals)
    }
}

/// A delivery in a worker's hands.
#[derive(Clone, Debug)]
pub struct Leased {
    /// Order of acceptance.
    pub seq: i64,
    pub id: DeliveryId,
    pub source: SourceName,
    pub interaction: InteractionId,
    pub rule: RuleName,
    pub code: CodeName,
    pub accepted_at: UnixMs,
    pub leased_at: UnixMs,
    pub due_at: UnixMs,
    /// A settlement must show it; a later lease has another.
    pub fence: i64,
    pub progress: Progress,
}

/// Which deliveries to lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseAsk {
    /// What is due by this moment.
    pub due_by: UnixMs,
    /// Recorded as `leased_at`.
    pub now: UnixMs,
    pub limit: usize,
    /// The newest first, for trying credentials out; else the longest due first.
    pub newest_first: bool,
}

#[derive(Debug, Default)]
pub struct LeaseAnswer {
    pub leased: Vec<Leased>,
    /// When the next delivery that was not leased falls due, if there is one.
    pub next_due: Option<UnixMs>,
}

/// What becomes of a leased delivery.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub seq: i64,
    pub interaction: InteractionId,
    pub fence: i64,
    pub at: UnixMs,
    pub next: Next,
    pub progress: Progress,
    /// Goes into the delivery's story; none for a lease given back.
    pub entry: Option<Entry>,
    /// Whoever comes next for this interaction waits until then (after an unclear write) and confirms by a look:
    /// a survey that is here already, and one that is still to come.
    pub sibling_waits_until: Option<UnixMs>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Live again, due then.
    Due(UnixMs),
    Assigned {
        /// None where the wanted code was there already.
        event: Option<EventId>,
        code_id: CodeId,
        replaced: Option<CodeId>,
    },
    Kept {
        found: CodeId,
    },
    Shadowed {
        code_id: Option<CodeId>,
    },
    Dead {
        class: DeadClass,
        reason: String,
    },
}

/// One line of a delivery's story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: UnixMs,
    /// `assigned`, `retry`, `snooze`, `dead`, `kept`, `shadowed`; from the store `superseded` (the detail says by whom),
    /// `late` (a settlement that came after its lease) and `voided` (the service ended during the call), and from
    /// operators' commands `reprocessed` and `redriven`.
    pub verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub detail: String,
}

/// A delivery whose attempt is given back: see [`Store::refund`].
#[derive(Clone, Debug)]
pub struct Refund {
    pub seq: i64,
    /// The fence of the lease whose attempt it was.
    pub fence: i64,
    /// As it was before that attempt.
    pub progress: Progress,
}

/// What a settlement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// It would have been live again, but a later survey for the interaction exists (`repeat = "last"`).
    Superseded,
    /// The fence was stale: nothing changed but the story (an event id, if there was one).
    Fenced,
}

/// A code book as it is kept for a restart during an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCodes {
    pub loaded_at: UnixMs,
    pub codes: Vec<(CodeName, CodeId)>,
}

/// Numbers for `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// In the order of [`State::ALL`].
    pub states: [u64; 9],
    /// When the first of what waits falls due; may lie ahead.
    pub oldest_due: Option<UnixMs>,
    /// Of the file and its log.
    pub bytes: u64,
}

impl Census {
    /// How many are in this state.
    pub fn of(&self, state: State) -> u64 {
        let mut all = State::ALL.iter().zip(self.states);
        all.find(|(it, _)| **it == state)
            .map_or(0, |(_, count)| count)
    }
}

/// A delivery as an operator or a test sees it. Bodies and answers stay in the store.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub id: DeliveryId,
    pub seq: i64,
    pub source: SourceName,
    pub interaction: Option<InteractionId>,
    pub state: State,
    pub accepted_at: UnixMs,
    /// None while pending: another of the interaction comes first.
    pub due_at: Option<UnixMs>,
    pub ended_at: Option<UnixMs>,
    pub rule: Option<RuleName>,
    pub code: Option<CodeName>,
    /// Of the rule set that decided; None: unreadable.
    pub rules_hash: Option<String>,
    /// The names of its rules, in their order.
    pub rules: Vec<RuleName>,
    /// Those that could not be evaluated, in the same order, and why.
    pub failures: Vec<(RuleName, String)>,
    pub problems: Option<serde_json::Value>,
    /// The code that was written, or would have been (shadowed), or was found on the interaction (kept).
    pub code_id: Option<CodeId>,
    pub event: Option<EventId>,
    pub replaced: Option<CodeId>,
    pub dead_class: Option<DeadClass>,
    pub reason: Option<String>,
    pub progress: Progress,
    pub story: Vec<Entry>,
}

/// Why the store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// `store.max_pending` live deliveries are stored.
    #[error("{0} deliveries are waiting, the limit of store.max_pending")]
    TooManyPending(u64),
    /// `store.max_quarantined` unreadable surveys are stored.
    #[error("{0} surveys are quarantined, the limit of store.max_quarantined")]
    TooManyQuarantined(u64),
    /// The writer's queue is full.
    #[error("the store's queue is full")]
    Overloaded,
    /// It cannot be written or read now; it heals by itself once the cause is gone.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// One row was refused by the database; the rest of its batch went through.
    #[error("the database refused this row: {0}")]
    Row(String),
    /// The file is damaged or is no database.
    #[error("{0}")]
    Damaged(String),
    /// The schema was made by a later version of wrapup.
    #[error("{0}")]
    Newer(String),
    /// Another server holds the file.
    #[error("{0}")]
    Held(String),
}

/// The durable record of every accepted survey. All methods are safe to cancel; what was handed over goes on.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Stores the surveys of one request, all or none, and answers after the commit, in order.
    /// Sets off what follows from them: earlier ones of the interaction are superseded (`last`), later ones wait.
    async fn accept(&self, surveys: Vec<NewDelivery>) -> Result<Vec<Receipt>, Error>;

    /// Leases what is due and not blocked. A lease is durable, and void when the process ends. One whose answer nobody
    /// takes is given back.
    async fn lease(&self, ask: LeaseAsk) -> Result<LeaseAnswer, Error>;

    /// Writes a leased delivery's fate, and frees, supersedes or delays its siblings.
    async fn settle(&self, settlement: Settlement) -> Result<Settled, Error>;

    /// Makes everything that waits for a moment after `horizon` due at `now`: the clock was stepped back. Answers how
    /// many.
    async fn pull_in(&self, horizon: UnixMs, now: UnixMs) -> Result<u64, Error>;

    /// Gives deliveries their progress from before an attempt back and makes them due at `now`: they failed because
    /// of an outage, not of themselves. What a write left in the progress stays. One whose fence or state has changed
    /// since is left alone. Answers how many.
    async fn refund(&self, refunds: Vec<Refund>, now: UnixMs) -> Result<u64, Error>;

    /// What this service wrote last on the interaction: the code that is known to have been set last, and before it, the
    /// newest first, those of later writes that may have taken effect.
    async fn last_written(&self, interaction: InteractionId) -> Result<Vec<CodeId>, Error>;

    /// The extracted fields of a delivery, as a JSON object; none where they were erased.
    async fn fields(&self, seq: i64) -> Result<Option<String>, Error>;

    async fn find(&self, id: DeliveryId) -> Result<Option<Record>, Error>;

    /// The deliveries with a number above `after`, at most `limit` and never more than 1,000, in order of acceptance.
    async fn list(&self, after: i64, limit: usize) -> Result<Vec<Record>, Error>;

    /// Reads what was decided on surveys with a number above `after`: looks at `limit` of them, never more than
    /// [`SCAN_MOST`], and hands out those that were accepted at `since` or later.
    async fn scan(&self, since: UnixMs, after: i64, limit: usize) -> Result<Scanned, Error>;

    async fn census(&self) -> Result<Census, Error>;

    async fn save_codes(&self, codes: SavedCodes) -> Result<(), Error>;
    async fn saved_codes(&self) -> Result<Option<SavedCodes>, Error>;

    /// Remembers until when the platform wants no calls; `None` forgets it.
    async fn save_pause(&self, until: Option<UnixMs>) -> Result<(), Error>;
    async fn saved_pause(&self) -> Result<Option<UnixMs>, Error>;

    /// Deletes what ended before `ended` and forgets keys first seen before `keys`; a bounded piece at a time.
    /// Answers whether there is more. Keys outlive their deliveries, but for those of quarantined ones.
    async fn purge(&self, ended: UnixMs, keys: UnixMs) -> Result<bool, Error>;

    /// Ok while the last write worked; else the reason and what to do.
    fn health(&self) -> Result<(), String>;

    /// Commits what was handed over and closes. Later calls fail with [`Error::Unavailable`].
    async fn close(&self);
}
