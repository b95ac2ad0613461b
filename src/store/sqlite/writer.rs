//! The one who writes: takes all waiting jobs into one transaction, commits, then answers them.
//!
//! Invariants: nobody is answered before the commit. A row that the database refuses costs only its own caller an
//! error. Trouble of the store itself fails the batch at once, says why, and is over as soon as a probe works again:
//! no restart is needed.

mod own;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use super::batch::{self, Batch, Job, Superseded, Terms, Work};
use super::checkpoint::{self, Bounds, Growth, Log};
use super::connection::Purpose;
use super::fault::{self, Fault};
use super::health::Health;
use super::memory::Memory;
use super::place::Place;
use super::post::{Post, ended};
use crate::metrics::{FAST_SECONDS, Registry};
use crate::store::Error;

use own::{Nothing, Probe};

/// Jobs that wait for the writer; more are told at once that the store is overloaded. Four full batches.
pub(super) const QUEUE: usize = 4_096;
/// Jobs in one transaction. More would make the first of them wait without making the disk any faster.
const BATCH_JOBS: usize = 1_024;
/// Rows in one transaction, where jobs bring many each. One job is taken whatever its size.
const BATCH_ROWS: usize = 4_096;
/// While the store cannot be written, how often that is tried.
const PROBE_IN_TROUBLE: Duration = Duration::from_secs(1);
/// While nothing is written, how often it is tried all the same, so that `/readyz` is not the last to know.
const PROBE_AT_REST: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Writer {
    post: Post<Box<dyn Job>>,
    health: Arc<Health>,
}

/// What the writer's thread is given.
pub(super) struct Parts {
    pub(super) place: Place,
    pub(super) db: Connection,
    pub(super) memory: Memory,
    pub(super) terms: Terms,
    pub(super) log: Arc<Log>,
    /// Whom to tell that the log has grown. None: somebody else's file, somebody else's log.
    pub(super) checkpointer: Option<Arc<Post<()>>>,
    pub(super) page_bytes: u64,
}

impl Writer {
    pub(super) fn start(parts: Parts, registry: &Registry) -> Result<Self, Error> {
        let health = Arc::new(Health::default());
        let mut bench = Bench {
            growth: Growth::new(parts.page_bytes, Bounds::USUAL),
            health: Arc::clone(&health),
            metrics: Metrics::new(registry),
            last_try: Instant::now(),
            probing: false,
            place: parts.place,
            db: Some(parts.db),
            memory: parts.memory,
            terms: parts.terms,
            log: parts.log,
            checkpointer: parts.checkpointer,
        };
        let post = Post::start("wrapup-writer", QUEUE, move |jobs| bench.run(&jobs))?;
        Ok(Self { post, health })
    }

    /// Hands the work over and waits for its commit. Dropping the future does not take it back.
    pub(super) async fn call<W: Work>(&self, work: W) -> Result<W::Output, Error> {
        let (job, answer) = batch::job(work);
        self.post.send(job)?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Waits until the first probe has said how things are.
    pub(super) async fn probed(&self) {
        if let Err(error) = self.call(Nothing).await {
            tracing::debug!(%error, "the store was opened and cannot be used");
        }
    }

    pub(super) fn health(&self) -> Result<(), String> {
        self.health.read()
    }

    pub(super) fn close(&self) -> Option<std::thread::JoinHandle<()>> {
        self.post.close()
    }
}

#[derive(Debug)]
struct Metrics {
    batch_size: prometheus::Histogram,
    duration: prometheus::Histogram,
}

impl Metrics {
    fn new(registry: &Registry) -> Self {
        Self {
            batch_size: registry.histogram(
                "wrapup_commit_batch_size",
                "Jobs that shared one commit of the store.",
                &[
                    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
                ],
            ),
            duration: registry.histogram(
                "wrapup_commit_duration_seconds",
                "From the beginning of a transaction to the end of its commit.",
                FAST_SECONDS,
            ),
        }
    }
}

/// What the thread works with.
struct Bench {
    place: Place,
    /// None: it failed and will be opened anew.
    db: Option<Connection>,
    memory: Memory,
    terms: Terms,
    log: Arc<Log>,
    growth: Growth,
    checkpointer: Option<Arc<Post<()>>>,
    health: Arc<Health>,
    metrics: Metrics,
    /// Of the last transaction that wrote, or tried to, and told something about the health.
    last_try: Instant,
    /// The transaction is a probe.
    probing: bool,
}

/// Why a transaction was rolled back.
struct Failed {
    /// The job that was running, if it was one.
    job: Option<usize>,
    fault: Fault,
}

impl Bench {
    fn run(&mut self, queue: &Receiver<Box<dyn Job>>) {
        if self.checkpointer.is_some() {
            // A file that can be opened may lie on a disk that is full.
            self.probe();
        }
        loop {
            match queue.recv_timeout(self.probe_in()) {
                Ok(first) => {
                    let mut jobs = gather(first, queue);
                    while !jobs.is_empty() {
                        jobs = self.commit(jobs);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.probe_in().is_zero() {
                self.probe();
            }
        }
    }

    /// Its outcome is the health that it leaves.
    fn probe(&mut self) {
        self.probing = true;
        self.commit(VecDeque::from([batch::job(Probe).0]));
        self.probing = false;
    }

    fn probe_in(&self) -> Duration {
        let every = if self.health.is_good() {
            PROBE_AT_REST
        } else {
            PROBE_IN_TROUBLE
        };
        every.saturating_sub(self.last_try.elapsed())
    }

    /// Commits the jobs and answers them. Where the database refuses a row, those before it are repeated and
    /// committed, its job alone gets the error, and the rest follows. Answers with jobs that have become necessary.
    fn commit(&mut self, mut jobs: VecDeque<Box<dyn Job>>) -> VecDeque<Box<dyn Job>> {
        let mut necessary = VecDeque::new();
        while !jobs.is_empty() {
            match self.attempt(&mut jobs) {
                Ok(()) => necessary.extend(jobs.drain(..).filter_map(Job::answer)),
                Err(Failed {
                    job: Some(at),
                    fault: Fault::Row(reason),
                }) => {
                    let mut rest = jobs.split_off(at);
                    let refused = rest.pop_front();
                    necessary.extend(self.commit(jobs));
                    if let Some(refused) = refused {
                        tracing::error!(error = %reason, "the database refused a row");
                        refused.refuse(Error::Row(reason));
                    }
                    jobs = rest;
                }
                Err(Failed { fault, .. }) => {
                    let reason = self.suffer(fault);
                    for job in jobs.drain(..) {
                        job.refuse(Error::Unavailable(reason.clone()));
                    }
                }
            }
        }
        necessary
    }

    /// Takes note of trouble, and answers what callers are told.
    fn suffer(&mut self, fault: Fault) -> String {
        self.last_try = Instant::now();
        let (reason, reopen) = match fault {
            Fault::Row(reason) => (reason, true),
            Fault::Store { reason, reopen, .. } => (reason, reopen),
        };
        if reopen {
            self.db = None;
            self.memory = Memory::new(self.memory.carries);
        }
        self.health.bad(&reason);
        // On a full disk there may be room in the log once it has been carried over.
        self.poke();
        reason
    }

    /// One transaction. A panic counts as trouble of the store: the connection is thrown away, the thread goes on.
    fn attempt(&mut self, jobs: &mut VecDeque<Box<dyn Job>>) -> Result<(), Failed> {
        let started = Instant::now();
        let transacted = catch_unwind(AssertUnwindSafe(|| self.transact(jobs)));
        let wrote = transacted.unwrap_or_else(|_| {
            Err(Failed {
                job: None,
                fault: Fault::store(
                    "a job panicked; this is a mistake in wrapup".to_owned(),
                    true,
                ),
            })
        })?;
        if wrote {
            // In trouble only a probe tells that it is over: on a full disk a small row may find room where no
            // survey does.
            if self.probing || self.health.is_good() {
                self.last_try = Instant::now();
                self.health.good();
            }
            if !self.probing {
                let jobs = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
                self.metrics.batch_size.observe(f64::from(jobs));
                self.metrics
                    .duration
                    .observe(started.elapsed().as_secs_f64());
            }
            if self.growth.is_due(self.log.pages()) {
                self.poke();
            }
        }
        Ok(())
    }

    /// Answers whether anything was written.
    fn transact(&mut self, jobs: &mut VecDeque<Box<dyn Job>>) -> Result<bool, Failed> {
        let blame = |job: Option<usize>, error: &rusqlite::Error, path| Failed {
            job,
            fault: fault::judge(error, path),
        };
        let path = self.place.path();
        if let Err(moved) = self.place.check() {
            if let Some(db) = &self.db
                && let Err(error) = checkpoint::empty(db)
            {
                tracing::debug!(error = %error, "the log of a file that was moved could not be emptied");
            }
            return Err(blame(None, &moved, path));
        }
        if self.db.is_none() {
            let opened = self.place.connect(Purpose::Write).and_then(|mut db| {
                self.log.watch(&mut db)?;
                Ok(db)
            });
            self.db = Some(opened.map_err(|error| blame(None, &error, path))?);
        }
        let db = self.db.as_ref().expect("it was opened just now");
        let before = db.total_changes();
        let mut at = None;
        let transaction = Transaction { db };
        if let Err(error) = transaction.run(&self.terms, &mut self.memory, jobs, &mut at) {
            self.memory.roll_back();
            return Err(blame(at, &error, path));
        }
        let wrote = db.total_changes() != before;
        if wrote && let Err(error) = self.log.finish_if_asked(db) {
            // What was committed is safe in the log; the next turn tries again.
            tracing::debug!(error = %error, "the log could not be finished");
        }
        Ok(wrote)
    }

    fn poke(&self) {
        if let Some(checkpointer) = &self.checkpointer {
            // Full: it knows already. Closed: it does a last turn by itself.
            drop(checkpointer.send(()));
        }
    }
}

/// Rolls back when it is dropped before its commit.
struct Transaction<'a> {
    db: &'a Connection,
}

impl Transaction<'_> {
    /// Runs the jobs and commits. `at` tells which job was running when it failed.
    fn run(
        self,
        terms: &Terms,
        memory: &mut Memory,
        jobs: &mut VecDeque<Box<dyn Job>>,
        at: &mut Option<usize>,
    ) -> rusqlite::Result<()> {
        let db = self.db;
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let carries = memory.carries;
        let mut batch = Batch::begin(db, terms, memory.recall(db)?);
        for (place, job) in jobs.iter_mut().enumerate() {
            *at = Some(place);
            job.run(&mut batch)?;
        }
        *at = None;
        batch.counts.write(db)?;
        batch.known.write(db)?;
        if carries {
            batch.recent.carry(db)?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        batch.recent.commit(&batch.counts);
        batch.superseded.iter().for_each(Superseded::tell);
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SQLite has rolled back by itself after some failures.
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::debug!(error = %error, "a transaction could not be rolled back");
        }
    }
}

/// All that waits, as far as it fits into one transaction.
fn gather(first: Box<dyn Job>, queue: &Receiver<Box<dyn Job>>) -> VecDeque<Box<dyn Job>> {
    let mut rows = first.weight();
    let mut jobs = VecDeque::from([first]);
    while jobs.len() < BATCH_JOBS
        && rows < BATCH_ROWS
        && let Ok(job) = queue.try_recv()
    {
        rows += job.weight();
        jobs.push_back(job);
    }
    jobs
}
