//! Numbers that are noted in the file, in `meta`.

use rusqlite::{Connection, OptionalExtension, params};

/// 0 where it was never noted.
pub(super) fn read(db: &Connection, note: &str) -> rusqlite::Result<i64> {
    let found: Option<i64> = db
        .query_row(
            "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE key = ?1",
            [note],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.unwrap_or(0))
}

pub(super) fn write(db: &Connection, note: &str, number: i64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(params![note, number.to_string().as_bytes()])?;
    Ok(())
}
