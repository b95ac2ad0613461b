//! One transaction of the writer, and the jobs that run in it.
//!
//! A job runs, perhaps more than once (a batch that is rolled back is run again), and is answered when its
//! transaction is committed, never earlier.

use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::known;
use super::recent::Recent;
use super::rows;
use crate::ids::{CodeName, DeliveryId, InteractionId, RuleName, SourceName};
use crate::store::{Error, Repeat, State};

/// What the writer keeps to.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) repeat: Repeat,
    pub(super) max_pending: u64,
    pub(super) max_quarantined: u64,
    pub(super) keep_body: bool,
    pub(super) settles_within: Duration,
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) db: &'a Connection,
    pub(super) terms: &'a Terms,
    pub(super) counts: Counts,
    pub(super) recent: &'a mut Recent,
    pub(super) known: known::Pending,
    /// Ended in this transaction because another takes their place: told when that is certain.
    pub(super) superseded: Vec<Superseded>,
}

impl<'a> Batch<'a> {
    /// In the transaction that is open on `db`.
    pub(super) fn begin(db: &'a Connection, terms: &'a Terms, recent: &'a mut Recent) -> Self {
        Self {
            db,
            terms,
            counts: Counts::from(recent.counts),
            recent,
            known: known::Pending::default(),
            superseded: Vec::new(),
        }
    }
}

/// A delivery's end that no worker sees.
#[derive(Clone, Debug)]
pub(super) struct Superseded {
    pub(super) source: SourceName,
    pub(super) id: DeliveryId,
    pub(super) interaction: InteractionId,
    pub(super) rule: Option<RuleName>,
    pub(super) code: Option<CodeName>,
    pub(super) by: DeliveryId,
}

impl Superseded {
    /// After the commit.
    pub(super) fn tell(&self) {
        tracing::info!(
            source = %self.source,
            delivery.id = %self.id,
            interaction.id = %self.interaction,
            rule = self.rule.as_ref().map(RuleName::as_str),
            code.name = self.code.as_ref().map(CodeName::as_str),
            by = %self.by,
            "superseded by another survey"
        );
    }
}

/// How many deliveries are in each state, and what this transaction changes in that.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    before: [i64; 9],
    change: [i64; 9],
}

impl Counts {
    fn from(before: [i64; 9]) -> Self {
        Self {
            before,
            change: [0; 9],
        }
    }

    /// As the file says, in the order of the states' numbers.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<[i64; 9]> {
        let mut counts = [0; 9];
        let mut query = db.prepare_cached("SELECT state, n FROM counts")?;
        let mut found = query.query([])?;
        while let Some(row) = found.next()? {
            counts[rows::place(rows::state(row, 0)?)] = row.get(1)?;
        }
        Ok(counts)
    }

    /// As they are once this transaction is committed.
    pub(super) fn after(&self) -> [i64; 9] {
        std::array::from_fn(|place| self.before[place] + self.change[place])
    }

    /// How many there are now, this transaction's changes included.
    pub(super) fn of(&self, state: State) -> u64 {
        let place = rows::place(state);
        u64::try_from(self.before[place] + self.change[place]).unwrap_or(0)
    }

    pub(super) fn live(&self) -> u64 {
        self.of(State::Pending) + self.of(State::Leased)
    }

    pub(super) fn add(&mut self, state: State) {
        self.change[rows::place(state)] += 1;
    }

    pub(super) fn remove(&mut self, state: State) {
        self.change[rows::place(state)] -= 1;
    }

    pub(super) fn moved(&mut self, from: State, to: State) {
        self.remove(from);
        self.add(to);
    }

    /// Writes the changes.
    pub(super) fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        for state in State::ALL {
            let change = self.change[rows::place(state)];
            if change != 0 {
                db.prepare_cached("UPDATE counts SET n = n + ?2 WHERE state = ?1")?
                    .execute(params![rows::number(state), change])?;
            }
        }
        Ok(())
    }
}

/// Something the writer does within a transaction.
pub(super) trait Work: Send + 'static {
    type Output: Send + 'static;

    /// Does it. The inner error is a refusal that leaves the rest of the batch alone, and must come before the first
    /// write; the outer one rolls the transaction back. May be called again after that.
    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<Self::Output, Error>>;

    /// How many rows it writes, about; a batch takes a bounded number.
    fn weight(&self) -> usize {
        1
    }

    /// Whether it is left out when nobody waits for its answer any more.
    fn needs_listener(&self) -> bool {
        false
    }

    /// What makes it undone, when it was committed and nobody took the answer.
    fn undo(&self, _unheard: Self::Output) -> Option<Box<dyn Job>> {
        None
    }
}

/// A [`Work`] with the one who waits for it, as the queue holds it.
pub(super) trait Job: Send {
    fn weight(&self) -> usize;
    fn run(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()>;
    /// After the commit. Answers with a job that has become necessary.
    fn answer(self: Box<Self>) -> Option<Box<dyn Job>>;
    fn refuse(self: Box<Self>, error: Error);
}

struct Call<W: Work> {
    work: W,
    outcome: Option<Answer<W>>,
    caller: oneshot::Sender<Answer<W>>,
}

type Answer<W> = Result<<W as Work>::Output, Error>;

/// Makes a job of `work`, and the place where its answer arrives.
pub(super) fn job<W: Work>(work: W) -> (Box<dyn Job>, oneshot::Receiver<Answer<W>>) {
    let (caller, answer) = oneshot::channel();
    let call = Call {
        work,
        outcome: None,
        caller,
    };
    (Box::new(call), answer)
}

impl<W: Work> Job for Call<W> {
    fn weight(&self) -> usize {
        self.work.weight()
    }

    fn run(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()> {
        self.outcome = None;
        if !(self.work.needs_listener() && self.caller.is_closed()) {
            self.outcome = Some(self.work.run(batch)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>) -> Option<Box<dyn Job>> {
        match self.caller.send(self.outcome?) {
            Err(Ok(unheard)) => self.work.undo(unheard),
            Ok(()) | Err(Err(_)) => None,
        }
    }

    fn refuse(self: Box<Self>, error: Error) {
        // A caller that has gone away does not want to know either.
        drop(self.caller.send(Err(error)));
    }
}
