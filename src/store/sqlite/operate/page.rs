//! Looking through the file in pieces.
//!
//! A piece looks at a bounded number of rows, and each is a read of its own: whoever reads an old state for long keeps
//! the log from beginning anew.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::{read, rows};
use crate::clock::UnixMs;
use crate::ids::{InteractionId, SourceName};
use crate::store::operate::{Answers, Cursor, Direction, Filter, PAGE_MOST, Page, Quarantined};
use crate::store::{Record, State};

/// Rows that one piece looks at: some milliseconds.
const LOOKED_AT: u32 = 5_000;
/// A piece of quarantined surveys ends with the body that brings it here.
const BODIES_BYTES: usize = 4 * 1024 * 1024;

pub(super) fn records(
    db: &Connection,
    filter: &Filter,
    from: Cursor,
    limit: usize,
) -> rusqlite::Result<Page<Record>> {
    let seqs = numbers(db, filter, from, limit)?;
    let found = seqs.found.into_iter().map(|seq| read::by_number(db, seq));
    Ok(Page {
        // One may have gone since its number was found.
        found: found
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?,
        next: seqs.next,
    })
}

pub(super) fn quarantined(
    db: &Connection,
    mut filter: Filter,
    from: Cursor,
    limit: usize,
) -> rusqlite::Result<Page<Quarantined>> {
    filter.states = vec![State::Quarantined];
    let seqs = numbers(db, &filter, from, limit)?;
    let (mut found, mut next, mut bytes) = (Vec::new(), seqs.next, 0);
    let mut left = seqs.found.into_iter().peekable();
    while let Some(seq) = left.next() {
        let survey = survey(db, seq)?;
        bytes += survey.as_ref().map_or(0, |survey| survey.body.len());
        found.extend(survey);
        if bytes >= BODIES_BYTES && left.peek().is_some() {
            next = Some(from.at(seq));
            break;
        }
    }
    Ok(Page { found, next })
}

fn survey(db: &Connection, seq: i64) -> rusqlite::Result<Option<Quarantined>> {
    db.prepare_cached(
        "SELECT d.id, d.source, d.accepted_at, s.body FROM delivery d JOIN survey s ON s.seq = d.seq \
         WHERE d.seq = ?1 AND d.state = 7",
    )?
    .query_row([seq], |row| {
        let body: Option<Vec<u8>> = row.get(3)?;
        Ok(Quarantined {
            seq,
            id: rows::id(row, 0)?,
            source: rows::name(row, 1)?,
            accepted_at: UnixMs(row.get(2)?),
            body: Bytes::from(body.unwrap_or_default()),
        })
    })
    .optional()
}

/// The numbers of what the filter means.
fn numbers(
    db: &Connection,
    filter: &Filter,
    from: Cursor,
    limit: usize,
) -> rusqlite::Result<Page<i64>> {
    let limit = limit.min(PAGE_MOST);
    let mut query = db.prepare_cached(match from.direction() {
        Direction::NewestFirst => {
            "SELECT seq, state, source, interaction, accepted_at, dead_class FROM delivery \
             WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"
        }
        Direction::OldestFirst => {
            "SELECT seq, state, source, interaction, accepted_at, dead_class FROM delivery \
             WHERE seq > ?1 ORDER BY seq LIMIT ?2"
        }
    })?;
    let mut rows = query.query(params![from.beyond(), LOOKED_AT])?;
    let (mut found, mut looked_at, mut last) = (Vec::new(), 0, from.beyond());
    while let Some(row) = rows.next()? {
        looked_at += 1;
        last = row.get(0)?;
        if is_meant(filter, row)? {
            found.push(last);
            if found.len() >= limit {
                break;
            }
        }
    }
    let more = found.len() >= limit || looked_at == LOOKED_AT;
    Ok(Page {
        found,
        next: more.then(|| from.at(last)),
    })
}

fn is_meant(filter: &Filter, row: &Row<'_>) -> rusqlite::Result<bool> {
    let state = rows::state(row, 1)?;
    if !(filter.states.is_empty() || filter.states.contains(&state)) {
        return Ok(false);
    }
    let source = row.get_ref(2)?.as_str()?;
    let interaction: Option<[u8; 16]> = row.get(3)?;
    let interaction = interaction.map(|bytes| InteractionId(uuid::Uuid::from_bytes(bytes)));
    let accepted_at = UnixMs(row.get(4)?);
    let named = filter.source.as_ref().map(SourceName::as_str);
    Ok(named.is_none_or(|name| name == source)
        && (filter.interaction.is_none() || filter.interaction == interaction)
        && filter.since.is_none_or(|since| accepted_at >= since)
        && (filter.class.is_none() || filter.class == rows::dead_class(row, 5)?))
}

pub(super) fn answers(db: &Connection, seq: i64) -> rusqlite::Result<Option<Answers>> {
    db.prepare_cached("SELECT fields, body FROM survey WHERE seq = ?1")?
        .query_row([seq], |row| {
            let body: Option<Vec<u8>> = row.get(1)?;
            Ok(Answers {
                fields: rows::json(row, 0)?,
                body: body.map(Bytes::from),
            })
        })
        .optional()
}
