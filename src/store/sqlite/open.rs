//! Opening the file: looked at first, so that a file that is damaged or somebody else's is left exactly as it is.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::Role;
use super::batch::Terms;
use super::connection::{self, Purpose};
use super::fault::{self, Fault};
use super::keys::KeyHash;
use super::lock::open_private;
use super::memory::Memory;
use super::place::Place;
use super::recover;
use super::schema::{self, MIGRATIONS, Made};
use crate::clock::UnixMs;
use crate::store::Error;

/// Files up to this size are read through at start; a larger one would keep the service waiting.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;

/// How every `SQLite` file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// An opened file.
pub(super) struct Opened {
    pub(super) place: Place,
    pub(super) db: Connection,
    pub(super) memory: Memory,
    pub(super) hash: KeyHash,
    pub(super) page_bytes: u64,
}

/// Opens or, for a server, creates the file. The server's lock is held already.
pub(super) fn open(path: &Path, role: Role, terms: &Terms, now: UnixMs) -> Result<Opened, Error> {
    let explain = |error: rusqlite::Error| match fault::judge(&error, path) {
        Fault::Row(reason) => Error::Unavailable(format!("{}: {reason}", path.display())),
        Fault::Store {
            reason,
            damaged: true,
            ..
        } => Error::Damaged(reason),
        Fault::Store { reason, .. } => Error::Unavailable(reason),
    };
    if role == Role::Server {
        create(path)?;
    }
    let made = look(path, role, explain)?;
    let place = Place::of(path).map_err(|cause| cannot(path, "file cannot be found", &cause))?;
    let mut db = place.connect(Purpose::Write).map_err(explain)?;
    let mut memory = Memory::new(role == Role::Server);
    if role == Role::Server {
        set_up(&mut db, path, made).map_err(explain)?;
        let voided = recover::recover(&mut db, &mut memory, terms, now).map_err(explain)?;
        if voided > 0 {
            tracing::info!(
                count = voided,
                "deliveries that were under way when the service ended are taken up again"
            );
        }
    }
    let secret: Vec<u8> = db
        .query_row("SELECT value FROM meta WHERE key = 'hash_key'", [], |row| {
            row.get(0)
        })
        .map_err(explain)?;
    Ok(Opened {
        page_bytes: connection::page_bytes(&db).map_err(explain)?,
        hash: KeyHash::new(&secret),
        place,
        memory,
        db,
    })
}

/// The folder of the file, if there is none, for the owner alone.
pub(super) fn create_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) else {
        return Ok(());
    };
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|cause| cannot(folder, "folder cannot be made", &cause))
}

fn create(path: &Path) -> Result<(), Error> {
    // SQLite gives the log and its index the mode of the file.
    open_private(path)
        .map(drop)
        .map_err(|cause| cannot(path, "file cannot be opened for writing", &cause))
}

fn cannot(path: &Path, what: &str, cause: &std::io::Error) -> Error {
    let advice = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => fault::MAKE_ROOM,
        _ => "give this user the right to write there, or set store.url to another place",
    };
    Error::Unavailable(format!(
        "the store's {what} ({}: {cause}): {advice}",
        path.display()
    ))
}

/// Looks at the file, on a connection that leaves the log alone when it is closed.
fn look(
    path: &Path,
    role: Role,
    explain: impl Fn(rusqlite::Error) -> Error + Copy,
) -> Result<Made, Error> {
    let bytes = fs::metadata(path)
        .map_err(|cause| match cause.kind() {
            ErrorKind::NotFound if role == Role::Tool => Error::Unavailable(format!(
                "there is no store at {}: `wrapup serve` makes it; --config names another configuration",
                path.display()
            )),
            _ => cannot(path, "file cannot be found", &cause),
        })?
        .len();
    begins_well(path, bytes)?;
    let db = connection::connect(path, Purpose::Read).map_err(explain)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(explain)?;
    let made = schema::inspect(&db, MIGRATIONS).map_err(explain)?;
    match made {
        Made::Later(version) => {
            return Err(Error::Newer(format!(
                "{} was made by a later version of wrapup (its schema is {version}, this version knows {}): start that \
                 version, or put the copy in place that it made before it migrated the file",
                path.display(),
                MIGRATIONS.len()
            )));
        }
        Made::Foreign => {
            return Err(Error::Damaged(format!(
                "{} is a database of another program: set store.url to another file. Nothing was changed",
                path.display()
            )));
        }
        Made::Version(version) if version < 1 => {
            return Err(Error::Damaged(format!(
                "{} is damaged (its schema is {version}, which never was). {}",
                path.display(),
                fault::repair(path)
            )));
        }
        Made::New if role == Role::Tool => {
            return Err(Error::Unavailable(format!(
                "{} is empty: `wrapup serve` makes it",
                path.display()
            )));
        }
        Made::Version(version) if role == Role::Tool && version < newest() => {
            return Err(Error::Unavailable(format!(
                "{} was made by an earlier version: `wrapup serve` brings it up to date",
                path.display()
            )));
        }
        Made::New | Made::Version(_) => {}
    }
    if role == Role::Server {
        if bytes <= CHECKED_BYTES {
            check(&db, path).map_err(explain)??;
        } else {
            tracing::info!(
                bytes,
                "the store's file is large and was not checked for damage"
            );
        }
    }
    Ok(made)
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// An empty file is a new one; anything else must begin as a database does.
fn begins_well(path: &Path, bytes: u64) -> Result<(), Error> {
    let mut start = [0; 16];
    let read = fs::File::open(path)
        .and_then(|mut file| std::io::Read::read(&mut file, &mut start))
        .map_err(|cause| cannot(path, "file cannot be read", &cause))?;
    if bytes == 0 || (read == start.len() && &start == MAGIC) {
        return Ok(());
    }
    Err(Error::Damaged(format!(
        "{} is no SQLite database. {}",
        path.display(),
        fault::repair(path)
    )))
}

/// Reads the whole file through.
fn check(db: &Connection, path: &Path) -> rusqlite::Result<Result<(), Error>> {
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(Ok(()));
    }
    Ok(Err(Error::Damaged(format!(
        "{} is damaged ({}). {}",
        path.display(),
        verdict.lines().last().unwrap_or("no detail"),
        fault::repair(path)
    ))))
}

fn set_up(db: &mut Connection, path: &Path, made: Made) -> rusqlite::Result<()> {
    let journal: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if journal != "wal" {
        tracing::warn!(
            journal,
            "the store's file system takes no write-ahead log; it will be slow"
        );
    }
    if let Some(copy) = schema::migrate(db, path, MIGRATIONS, made)? {
        tracing::info!(copy = %copy.display(), "the store was brought up to date; this copy is of before");
    }
    if made == Made::New {
        // The pages of tables that one migration made and a later one replaced.
        db.execute_batch("VACUUM")?;
    }
    Ok(())
}
