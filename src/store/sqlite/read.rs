//! Reading, on a connection and a thread of its own: never the writer's.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, OptionalExtension, Row};
use tokio::sync::oneshot;

use super::connection::Purpose;
use super::fault::{self, Fault};
use super::place::Place;
use super::post::{Post, ended};
use super::rows;
use crate::clock::UnixMs;
use crate::ids::{CodeId, DeliveryId, InteractionId};
use crate::store::{Census, Entry, Error, Record, State};

/// Questions that wait; more are told that the store is overloaded.
const QUEUE: usize = 1_024;
/// Records in one answer, whatever was asked for.
const LIST_MOST: usize = 1_000;

type Question = Box<dyn FnOnce(&mut Desk) + Send>;

#[derive(Debug)]
pub(super) struct Reader(Post<Question>);

/// Where the thread keeps its connection.
struct Desk {
    place: Place,
    db: Option<Connection>,
}

impl Desk {
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let answer = self.connection().and_then(question);
        answer.map_err(|error| match fault::judge(&error, self.place.path()) {
            Fault::Row(text) => Error::Row(text),
            Fault::Store { reason, reopen, .. } => {
                if reopen {
                    self.db = None;
                }
                Error::Unavailable(reason)
            }
        })
    }

    fn connection(&mut self) -> rusqlite::Result<&Connection> {
        if self.db.is_none() {
            self.db = Some(self.place.connect(Purpose::Read)?);
        }
        Ok(self.db.as_ref().expect("it was opened just now"))
    }
}

impl Reader {
    pub(super) fn start(place: Place) -> Result<Self, Error> {
        let mut desk = Desk { place, db: None };
        let work = move |questions: Receiver<Question>| {
            for question in questions {
                question(&mut desk);
            }
        };
        Post::start("wrapup-reader", QUEUE, work).map(Self)
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Box::new(move |desk| {
            if !reply.is_closed() {
                // Whoever asked may have gone away meanwhile; then nobody wants to know.
                drop(reply.send(desk.ask(question)));
            }
        }))?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    pub(super) fn close(&self) -> Option<std::thread::JoinHandle<()>> {
        self.0.close()
    }
}

pub(super) fn last_written(
    db: &Connection,
    interaction: InteractionId,
) -> rusqlite::Result<Vec<CodeId>> {
    let mut query = db.prepare_cached(include_str!("sql/last_written.sql"))?;
    let mut found = query.query([interaction.0.as_bytes().as_slice()])?;
    let mut written = Vec::new();
    while let Some(row) = found.next()? {
        let code: CodeId = rows::name(row, 0)?;
        if !written.contains(&code) {
            written.push(code);
        }
        let known: bool = row.get(1)?;
        if known {
            break;
        }
    }
    Ok(written)
}

pub(super) fn fields(db: &Connection, seq: i64) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT fields FROM survey WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}

pub(super) fn find(db: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Record>> {
    let sql = concat!(include_str!("sql/record.sql"), "WHERE d.id = ?1");
    let found = db
        .prepare_cached(sql)?
        .query_row([id.0.as_bytes().as_slice()], record)
        .optional()?;
    found.map(|record| with_story(db, record)).transpose()
}

pub(super) fn by_number(db: &Connection, seq: i64) -> rusqlite::Result<Option<Record>> {
    let sql = concat!(include_str!("sql/record.sql"), "WHERE d.seq = ?1");
    let found = db
        .prepare_cached(sql)?
        .query_row([seq], record)
        .optional()?;
    found.map(|record| with_story(db, record)).transpose()
}

pub(super) fn list(db: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<Record>> {
    let sql = concat!(
        include_str!("sql/record.sql"),
        "WHERE d.seq > ?1 ORDER BY d.seq LIMIT ?2"
    );
    let limit = i64::try_from(limit.min(LIST_MOST)).unwrap_or(i64::MAX);
    let found: Vec<Record> = db
        .prepare_cached(sql)?
        .query_map([after, limit], record)?
        .collect::<Result<_, _>>()?;
    found
        .into_iter()
        .map(|record| with_story(db, record))
        .collect()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let interaction: Option<[u8; 16]> = row.get(3)?;
    Ok(Record {
        seq: row.get(0)?,
        id: rows::id(row, 1)?,
        source: rows::name(row, 2)?,
        interaction: interaction.map(|bytes| InteractionId(uuid::Uuid::from_bytes(bytes))),
        state: rows::state(row, 4)?,
        accepted_at: UnixMs(row.get(5)?),
        due_at: rows::moment(row, 6)?,
        ended_at: rows::moment(row, 7)?,
        rule: rows::name_if_any(row, 8)?,
        code: rows::name_if_any(row, 9)?,
        rules_hash: row.get(10)?,
        rules: rows::json(row, 11)?.unwrap_or_default(),
        failures: rows::json(row, 12)?.unwrap_or_default(),
        problems: rows::json(row, 13)?,
        code_id: rows::name_if_any(row, 14)?,
        event: rows::name_if_any(row, 15)?,
        replaced: rows::name_if_any(row, 16)?,
        dead_class: rows::dead_class(row, 17)?,
        reason: row.get(18)?,
        progress: rows::progress(row, 19)?,
        story: Vec::new(),
    })
}

fn with_story(db: &Connection, mut record: Record) -> rusqlite::Result<Record> {
    let mut query = db.prepare_cached("SELECT entry FROM story WHERE seq = ?1 ORDER BY n")?;
    let mut rows = query.query([record.seq])?;
    while let Some(row) = rows.next()? {
        record.story.extend(rows::json::<Entry>(row, 0)?);
    }
    Ok(record)
}

/// The highest number of a delivery that is here.
pub(super) fn newest(db: &Connection) -> rusqlite::Result<i64> {
    let newest: Option<i64> =
        db.query_row("SELECT max(seq) FROM delivery", [], |row| row.get(0))?;
    Ok(newest.unwrap_or(0))
}

/// The counts, which are kept, and the first of what is due. Costs the same whatever the backlog.
pub(super) fn census(db: &Connection, path: &Path) -> rusqlite::Result<Census> {
    let mut census = Census::default();
    let mut query = db.prepare_cached("SELECT state, n FROM counts")?;
    let mut counts = query.query([])?;
    while let Some(row) = counts.next()? {
        let state: State = rows::state(row, 0)?;
        census.states[rows::place(state)] = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
    }
    census.oldest_due = db
        .prepare_cached(include_str!("sql/next_due.sql"))?
        .query_row([], |row| Ok(UnixMs(row.get(0)?)))
        .optional()?;
    census.bytes = ["", "-wal"]
        .iter()
        .filter_map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(PathBuf::from(name)).ok()
        })
        .map(|file| file.len())
        .sum();
    Ok(census)
}
