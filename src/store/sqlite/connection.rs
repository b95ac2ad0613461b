//! One connection and how it is set up. Who holds which: the writer one, the reader one, the checkpointer one.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// Of a new file. An accept writes at the right edges of its tables, so that larger pages mean fewer writes; at 2048 the
/// log had twice the pieces.
const PAGE_BYTES: u32 = 4096;

/// The writer's page cache.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// The reader's: it looks up single rows.
const READER_CACHE_KIB: i64 = 1024;
const CHECKPOINTER_CACHE_KIB: i64 = 128;

/// How long a transaction waits for another process (a command line tool) before the caller hears of it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A log longer than this is cut when it begins anew: only a reader that stood still makes it so long.
const LOG_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Statements that are kept prepared; there are about thirty.
const STATEMENTS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
    Checkpoint,
}

/// Opens the file, which must exist: a file that was taken away is not replaced by an empty one.
pub(super) fn connect(path: &Path, purpose: Purpose) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    // Plans do not depend on what is bound. Without this a query on a partial index is compiled anew each time another
    // value is bound, which was a quarter of the writer's time.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    let cache = match purpose {
        Purpose::Write => WRITER_CACHE_KIB,
        Purpose::Read => READER_CACHE_KIB,
        Purpose::Checkpoint => CHECKPOINTER_CACHE_KIB,
    };
    // Negative: KiB instead of pages.
    db.pragma_update(None, "cache_size", -cache)?;
    db.pragma_update(None, "mmap_size", 0)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "foreign_keys", false)?;
    // FULL: a commit answers when the log is on the disk, and not before.
    db.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints belong to the checkpointer.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
    Ok(db)
}

/// Fills with zeros what `work` deletes and every page that it frees, so that nothing of it is left in the file for an
/// erasure to miss. Around what is rare or is meant to go, because each free page is then written.
pub(super) fn overwriting<T>(
    db: &Connection,
    work: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    db.pragma_update(None, "secure_delete", true)?;
    let done = work();
    db.pragma_update(None, "secure_delete", false)?;
    done
}

/// The file's page size.
pub(super) fn page_bytes(db: &Connection) -> rusqlite::Result<u64> {
    let bytes: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(u64::try_from(bytes).unwrap_or(u64::from(PAGE_BYTES)))
}
