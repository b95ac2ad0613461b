//! Where the file lies, and which file that is.
//!
//! `SQLite` goes on writing to a file that was moved or removed, where nobody would find it; and a new connection takes
//! whatever has been put there since, and the old file's log for its own. So the writer looks before each transaction,
//! and everybody before a connection: a look costs 1 us.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ffi};

use super::connection::{self, Purpose};

#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Place {
    /// With the file that is there now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: which(path)?,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where another file is there, or none. What cannot be looked at is left to the database to judge.
    pub(super) fn check(&self) -> rusqlite::Result<()> {
        let same = match which(&self.path) {
            Ok(file) => file == self.file,
            Err(cause) => cause.kind() != ErrorKind::NotFound,
        };
        if same {
            return Ok(());
        }
        let moved = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
        Err(rusqlite::Error::SqliteFailure(moved, None))
    }

    pub(super) fn connect(&self, purpose: Purpose) -> rusqlite::Result<Connection> {
        self.check()?;
        connection::connect(&self.path, purpose)
    }
}

fn which(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}
