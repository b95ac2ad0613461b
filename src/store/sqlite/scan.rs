//! Reading what was decided, on the reader's connection: a piece is one statement, so that no reader keeps an old state
//! of the file for long, and the writer is never waited for.

use rusqlite::Connection;

use super::rows;
use crate::clock::UnixMs;
use crate::store::{Decided, SCAN_MOST, Scanned};

pub(super) fn scan(
    db: &Connection,
    since: UnixMs,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Scanned> {
    let limit = limit.clamp(1, SCAN_MOST);
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = db.prepare_cached(include_str!("sql/scan.sql"))?;
    let mut found = query.query([after, since.0, most])?;
    let (mut surveys, mut looked_at, mut last) = (Vec::new(), 0, after);
    while let Some(row) = found.next()? {
        looked_at += 1;
        last = row.get(0)?;
        let accepted_at = UnixMs(row.get(3)?);
        if accepted_at < since {
            continue;
        }
        surveys.push(Decided {
            id: rows::id(row, 1)?,
            source: rows::name(row, 2)?,
            accepted_at,
            state: rows::state(row, 4)?,
            fields: row.get(5)?,
            rule: rows::name_if_any(row, 6)?,
            code: rows::name_if_any(row, 7)?,
        });
    }
    Ok(Scanned {
        surveys,
        looked_at,
        after: (looked_at == limit).then_some(last),
    })
}
