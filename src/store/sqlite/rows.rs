//! Between rows and words: states as numbers, ids as bytes, progress as JSON.

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};
use uuid::Uuid;

use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId, RuleName};
use crate::store::{DeadClass, Entry, Progress, State};

/// A state as it stands in the file: its place in [`State::ALL`], which `schema_1.sql` and the queries rely on.
pub(super) fn number(state: State) -> i64 {
    match state {
        State::Pending => 0,
        State::Leased => 1,
        State::Assigned => 2,
        State::Ignored => 3,
        State::Superseded => 4,
        State::Kept => 5,
        State::Shadowed => 6,
        State::Quarantined => 7,
        State::Dead => 8,
    }
}

/// Its place in an array by state.
pub(super) fn place(state: State) -> usize {
    usize::try_from(number(state)).expect("a state's number is small and not negative")
}

pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<State> {
    let number: i64 = row.get(column)?;
    usize::try_from(number)
        .ok()
        .and_then(|place| State::ALL.get(place).copied())
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<DeliveryId> {
    uuid(row, column).map(DeliveryId)
}

pub(super) fn interaction(row: &Row<'_>, column: usize) -> rusqlite::Result<InteractionId> {
    uuid(row, column).map(InteractionId)
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_bytes(row.get(column)?))
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMs>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UnixMs))
}

/// A name or an id that is text.
pub(super) fn name<T: for<'a> From<&'a str>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    Ok(T::from(row.get_ref(column)?.as_str()?))
}

pub(super) fn name_if_any<T: for<'a> From<&'a str>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(T::from))
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|cause| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause))
    })
}

pub(super) fn dead_class(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DeadClass>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else {
        return Ok(None);
    };
    DeadClass::ALL
        .into_iter()
        .find(|class| class.as_str() == text)
        .map(Some)
        .ok_or_else(|| {
            let unknown = FromSqlError::Other(format!("no class of dead letters: {text}").into());
            rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(unknown))
        })
}

/// Progress as the file keeps it. A progress that cannot be read counts as none: one such row must not keep the others
/// from being leased.
pub(super) fn progress(row: &Row<'_>, column: usize) -> rusqlite::Result<Progress> {
    let Some(text) = row.get::<_, Option<String>>(column)? else {
        return Ok(Progress::default());
    };
    Ok(serde_json::from_str(&text).unwrap_or_else(|cause| {
        tracing::warn!(error = %cause, "a delivery's progress cannot be read; it starts anew");
        Progress::default()
    }))
}

/// The rules that could not be evaluated; usually there are none.
pub(super) fn failures_text(failures: &[(RuleName, String)]) -> Option<String> {
    let text = || serde_json::to_string(failures).expect("names and texts are always JSON");
    (!failures.is_empty()).then(text)
}

/// Only what differs from nothing, because each end of a delivery writes it.
pub(super) fn progress_text(progress: &Progress) -> Option<String> {
    if *progress == Progress::default() {
        return None;
    }
    let mut value = serde_json::to_value(progress).expect("a progress is plain data");
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !(value.is_null() || *value == 0 || *value == false));
    }
    Some(value.to_string())
}

/// How many entries a story keeps: the first ten and the latest. A day of retries has about a hundred.
const STORY_FIRST: i64 = 10;
const STORY_LATEST: i64 = 190;

/// Adds a line to a delivery's story.
pub(super) fn tell(db: &rusqlite::Connection, seq: i64, entry: &Entry) -> rusqlite::Result<()> {
    let text = serde_json::to_string(entry).expect("an entry is plain data");
    let n: i64 = db
        .prepare_cached(
            "INSERT INTO story (seq, n, entry) \
             VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM story WHERE seq = ?1), ?2) RETURNING n",
        )?
        .query_row(rusqlite::params![seq, text], |row| row.get(0))?;
    if n > STORY_FIRST + STORY_LATEST {
        db.prepare_cached("DELETE FROM story WHERE seq = ?1 AND n > ?2 AND n <= ?3")?
            .execute([seq, STORY_FIRST, n - STORY_LATEST])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_states_number_is_its_place() {
        for (place, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(super::place(state), place);
        }
    }

    #[test]
    fn progress_is_kept_without_what_says_nothing() {
        assert_eq!(progress_text(&Progress::default()), None);
        let progress = Progress {
            attempts: 2,
            wrap_up_time: Some(UnixMs(5)),
            ..Progress::default()
        };
        let text = progress_text(&progress).unwrap();
        assert_eq!(text, r#"{"attempts":2,"wrap_up_time":5}"#);
        assert_eq!(serde_json::from_str::<Progress>(&text).unwrap(), progress);
    }
}
