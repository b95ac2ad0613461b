//! The write-ahead log is carried over into the file beside the accepts, and kept bounded under constant load.
//!
//! The heavy part, copying pages and syncing the file, is done here on a connection of its own and blocks nobody. A log
//! can begin anew only when all of it has been carried over, which under constant load never happens by itself; so when
//! the log is long and little is left, the writer does the last piece between two of its transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

use super::connection::Purpose;
use super::place::Place;
use super::post::Post;
use crate::store::Error;

/// How long the log becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// It is carried over each time it has grown by this much.
    step_bytes: u64,
    /// From here on the writer is asked to help it to begin anew.
    long_bytes: u64,
}

impl Bounds {
    /// A step is some milliseconds of the disk's time; twice the long one is what the log reaches under full load.
    pub(super) const USUAL: Self = Self {
        step_bytes: 4 * 1024 * 1024,
        long_bytes: 32 * 1024 * 1024,
    };
}

/// A log longer than this is told in the log: somebody reads an old state and never ends.
const STUCK_BYTES: u64 = 256 * 1024 * 1024;
/// What may be left to the writer: some milliseconds of its time.
const LEFT_TO_WRITER_BYTES: u64 = 2 * 1024 * 1024;
/// How often the log is carried over before the writer is asked, however much is left.
const CATCH_UPS: usize = 3;
/// A log that stopped growing is carried over after this time.
const REST: Duration = Duration::from_secs(30);

/// What writer and checkpointer know of the log together.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Its length in pages after the last commit, as `SQLite`'s hook says.
    pages: AtomicU64,
    /// The writer is asked to do the last piece.
    finish: AtomicBool,
}

impl Log {
    /// Lets the connection tell the length of the log after each of its commits.
    pub(super) fn watch(self: &Arc<Self>, db: &mut Connection) -> rusqlite::Result<()> {
        let log = Arc::clone(self);
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            log.pages
                .store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))
    }

    pub(super) fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// The writer's part, outside of a transaction.
    pub(super) fn finish_if_asked(&self, db: &Connection) -> rusqlite::Result<()> {
        if self.finish.swap(false, Ordering::Relaxed) {
            carry_over(db, "PASSIVE")?;
        }
        Ok(())
    }
}

/// Tells the checkpointer when it is time. Belongs to the writer.
#[derive(Debug)]
pub(super) struct Growth {
    step: u64,
    told_at: u64,
}

impl Growth {
    pub(super) fn new(page_bytes: u64, bounds: Bounds) -> Self {
        Self {
            step: (bounds.step_bytes / page_bytes).max(1),
            told_at: 0,
        }
    }

    /// Whether the log has grown by a step since this said so last.
    pub(super) fn is_due(&mut self, pages: u64) -> bool {
        if pages < self.told_at {
            // The log began anew.
            self.told_at = 0;
        }
        let due = pages - self.told_at >= self.step;
        if due {
            self.told_at = pages;
        }
        due
    }
}

/// Starts the thread. A message means: now.
pub(super) fn start(
    place: Place,
    page_bytes: u64,
    bounds: Bounds,
    log: Arc<Log>,
) -> Result<Post<()>, Error> {
    let mut checkpointer = Checkpointer {
        place,
        page_bytes,
        bounds,
        log,
        db: None,
    };
    // One message is enough: it says that there is something to do, not how much.
    Post::start("wrapup-log", 1, move |pokes| checkpointer.run(&pokes))
}

struct Checkpointer {
    place: Place,
    page_bytes: u64,
    bounds: Bounds,
    log: Arc<Log>,
    db: Option<Connection>,
}

impl Checkpointer {
    fn run(&mut self, pokes: &Receiver<()>) {
        loop {
            let last = match pokes.recv_timeout(REST) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            let mode = if last { "TRUNCATE" } else { "PASSIVE" };
            if let Err(cause) = self.work(mode) {
                // Nothing is lost, and the writer's health tells what matters; the next turn tries again.
                tracing::debug!(error = %cause, "the log was not carried over");
                self.db = None;
            }
            if last {
                return;
            }
        }
    }

    fn work(&mut self, mode: &str) -> rusqlite::Result<()> {
        let db = match self.db.take() {
            Some(db) => db,
            None => self.place.connect(Purpose::Checkpoint)?,
        };
        let mut state = carry_over(&db, mode)?;
        if state.length * self.page_bytes >= self.bounds.long_bytes {
            for _ in 0..CATCH_UPS {
                if state.left() * self.page_bytes <= LEFT_TO_WRITER_BYTES {
                    break;
                }
                state = carry_over(&db, mode)?;
            }
            self.log.finish.store(true, Ordering::Relaxed);
        }
        let bytes = state.length * self.page_bytes;
        if bytes >= STUCK_BYTES {
            tracing::warn!(
                bytes,
                "the store's log grows: another process keeps a read transaction open on the file; end it"
            );
        }
        self.db = Some(db);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Carried {
    length: u64,
    done: u64,
}

impl Carried {
    fn left(self) -> u64 {
        self.length.saturating_sub(self.done)
    }
}

/// Carries all of it over and empties it: its file has been moved away, and another file in that place would take the
/// log for its own.
pub(super) fn empty(db: &Connection) -> rusqlite::Result<()> {
    carry_over(db, "TRUNCATE").map(drop)
}

fn carry_over(db: &Connection, mode: &str) -> rusqlite::Result<Carried> {
    db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        // -1 where there is no log.
        let pages = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Carried {
            length: pages(row.get(1)?),
            done: pages(row.get(2)?),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::connection;
    use super::*;

    #[test]
    fn growth_is_told_once_for_each_step_and_again_after_a_new_beginning() {
        let mut growth = Growth::new(Bounds::USUAL.step_bytes / 10, Bounds::USUAL);
        assert!(!growth.is_due(9));
        assert!(growth.is_due(10));
        assert!(!growth.is_due(19));
        assert!(growth.is_due(25));
        assert!(!growth.is_due(3));
        assert!(growth.is_due(13));
    }

    #[test]
    fn under_constant_load_the_log_stays_bounded() {
        let bounds = Bounds {
            step_bytes: 256 * 1024,
            long_bytes: 1024 * 1024,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(super::super::lock::open_private(&path).unwrap());
        let mut db = connection::connect(&path, Purpose::Write).unwrap();
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
            .unwrap();
        db.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)")
            .unwrap();
        let page_bytes = connection::page_bytes(&db).unwrap();
        let log = Arc::new(Log::default());
        log.watch(&mut db).unwrap();
        let place = Place::of(&path).unwrap();
        let checkpointer = start(place, page_bytes, bounds, Arc::clone(&log)).unwrap();
        let mut growth = Growth::new(page_bytes, bounds);
        let (mut written, mut longest, mut beginnings, mut before) = (0, 0, 0, 0);
        // As the writer does, without a pause: 60 times what the log may hold.
        for n in 0..6_000 {
            db.execute(
                "INSERT OR REPLACE INTO t VALUES (?1, randomblob(9000))",
                [n % 500],
            )
            .unwrap();
            written += 9_000;
            let pages = log.pages();
            longest = longest.max(pages * page_bytes);
            beginnings += u32::from(pages < before);
            before = pages;
            log.finish_if_asked(&db).unwrap();
            if growth.is_due(pages) {
                drop(checkpointer.send(()));
            }
        }
        // How far it runs ahead depends on the machine's threads; unbounded would be all of it.
        assert!(longest < written / 4, "{longest} of {written}");
        assert!(beginnings >= 3, "{beginnings}");
        drop(db);
        checkpointer.close().unwrap().join().unwrap();
        assert!(!folder.path().join("a.db-wal").exists());
    }
}
