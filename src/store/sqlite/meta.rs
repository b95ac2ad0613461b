//! What is noted in the file, in its table `meta`.

use rusqlite::{Connection, OptionalExtension, params};

/// Notes it, in place of what was noted under this name.
pub(super) fn put(db: &Connection, note: &str, value: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(params![note, value])?;
    Ok(())
}

pub(super) fn put_number(db: &Connection, note: &str, number: i64) -> rusqlite::Result<()> {
    put(db, note, number.to_string().as_bytes())
}

/// 0 where it was never noted.
pub(super) fn number(db: &Connection, note: &str) -> rusqlite::Result<i64> {
    let found: Option<i64> = db
        .query_row(
            "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE key = ?1",
            [note],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.unwrap_or(0))
}
