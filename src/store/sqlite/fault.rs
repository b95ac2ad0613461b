//! What a failure of the database means: one row's fault, or the store's, and what a person can do about it.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

/// What to do about a full disk.
pub(super) const MAKE_ROOM: &str =
    "the disk or the quota is full: make room, or move the file to a larger disk";

/// A failure, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The database refuses this row and would take others.
    Row(String),
    /// The store cannot be used now.
    Store {
        /// What is wrong and what to do.
        reason: String,
        /// The connection may be spoilt: go on with a new one.
        reopen: bool,
        /// The file itself is damaged, so that waiting will not help.
        damaged: bool,
    },
}

impl Fault {
    pub(super) fn store(reason: String, reopen: bool) -> Self {
        Self::Store {
            reason,
            reopen,
            damaged: false,
        }
    }
}

/// Judges a failure at the file `path`.
pub(super) fn judge(error: &rusqlite::Error, path: &Path) -> Fault {
    let Some(code) = error.sqlite_error_code() else {
        return Fault::Row(error.to_string());
    };
    let file = path.display();
    // Of a header that is damaged in this place SQLite has no code of its own.
    let bad_header = matches!(
        error,
        rusqlite::Error::SqliteFailure(_, Some(text)) if text == "unsupported file format"
    );
    let code = if bad_header {
        ErrorCode::NotADatabase
    } else {
        code
    };
    let (reopen, advice) = match code {
        ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch => {
            return Fault::Row(error.to_string());
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            return Fault::Store {
                reason: format!("{file} is damaged ({error}). {}", repair(path)),
                reopen: true,
                damaged: true,
            };
        }
        ErrorCode::DiskFull => (false, MAKE_ROOM),
        // The log's index could not be made or made longer; nothing but room is missing.
        ErrorCode::SystemIoFailure
            if error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHMSIZE) =>
        {
            (true, MAKE_ROOM)
        }
        ErrorCode::SystemIoFailure => (
            true,
            "the disk does not take or give data: look at the kernel's log, the mount and the disk",
        ),
        // The connection is the right one still, should the file come back.
        ErrorCode::ReadOnly
            if error.sqlite_extended_error_code() == Some(ffi::SQLITE_READONLY_DBMOVED) =>
        {
            (
                false,
                "the file of the store was moved or removed: put it back, or restart to begin with what is there now",
            )
        }
        ErrorCode::ReadOnly => (
            true,
            "it can only be read: mount its folder for writing, and let this user write the file and the folder",
        ),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => (
            true,
            "it cannot be opened: it must exist, and this user must be able to write the file and its folder",
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            false,
            "another process holds it in a transaction: end that process (`fuser` names it)",
        ),
        ErrorCode::OutOfMemory => (false, "there is no memory left for it"),
        _ => (true, "the database failed in a way that should not happen"),
    };
    let detail = error.sqlite_extended_error_code().unwrap_or_default();
    Fault::store(format!("{file}: {advice} ({error}, {detail})"), reopen)
}

/// What to do with a damaged file. It is never overwritten, so that whatever is left in it can be had.
pub(super) fn repair(path: &Path) -> String {
    let file = path.display();
    format!(
        "Nothing was changed. Stop wrapup and copy {file}* away; then restore a backup, or save what can be read with \
         `sqlite3 {file} .recover | sqlite3 recovered.db` and put recovered.db in its place"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result_code: i32, expected: &str) {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(result_code), None);
        let got = match judge(&error, Path::new("/x/wrapup.db")) {
            Fault::Row(_) => "row",
            Fault::Store { damaged: true, .. } => "damaged",
            Fault::Store { reason, .. } if reason.contains(MAKE_ROOM) => "room",
            Fault::Store { reopen: true, .. } => "reopen",
            Fault::Store { .. } => "wait",
        };
        assert_eq!(got, expected, "{result_code}");
    }

    #[test]
    fn only_a_rows_own_fault_is_blamed_on_the_row() {
        check(ffi::SQLITE_CONSTRAINT, "row");
        check(ffi::SQLITE_CONSTRAINT_UNIQUE, "row");
        check(ffi::SQLITE_TOOBIG, "row");
        check(ffi::SQLITE_FULL, "room");
        check(ffi::SQLITE_IOERR_SHMSIZE, "room");
        check(ffi::SQLITE_BUSY, "wait");
        check(ffi::SQLITE_READONLY_DBMOVED, "wait");
        check(ffi::SQLITE_IOERR_WRITE, "reopen");
        check(ffi::SQLITE_READONLY, "reopen");
        check(ffi::SQLITE_CANTOPEN, "reopen");
        check(ffi::SQLITE_ERROR, "reopen");
        check(ffi::SQLITE_CORRUPT, "damaged");
        check(ffi::SQLITE_NOTADB, "damaged");
    }
}
