//! Quarantined surveys become what reading them again came to.
//!
//! The row stays where it is: id, number, story and keys go on. From then on its keys count. A survey that its sender
//! repeated meanwhile is no longer here under its number, or is found by its keys.

use rusqlite::{OptionalExtension, params};

use super::super::batch::{Batch, Work};
use super::super::keys::{self, Key, KeyHash, Takeover};
use super::super::{connection, known, rows, rule_set};
use super::again::{self, Columns, Place};
use crate::clock::UnixMs;
use crate::ids::{CodeName, DeliveryId, InteractionId, RuleName};
use crate::store::operate::{Fate, Redrive, Reread};
use crate::store::{Content, DecisionRecord, Entry, Error, Progress, State};

pub(super) struct Resolve {
    surveys: Vec<(Reread, Vec<Key>)>,
    how: Redrive,
}

impl Resolve {
    pub(super) fn new(surveys: Vec<Reread>, hash: &KeyHash, how: Redrive) -> Self {
        let hashed = |survey: Reread| {
            let keys = survey.keys.iter().map(|key| hash.dedup(key)).collect();
            (survey, keys)
        };
        Self {
            surveys: surveys.into_iter().map(hashed).collect(),
            how,
        }
    }
}

impl Work for Resolve {
    type Output = Vec<Fate>;

    fn weight(&self) -> usize {
        self.surveys.len()
    }

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<Vec<Fate>, Error>> {
        let resolved = self.surveys.iter();
        let resolved = resolved.map(|(survey, keys)| resolve(batch, survey, keys, self.how));
        resolved.collect::<Result<_, _>>().map(Ok)
    }
}

fn resolve(
    batch: &mut Batch<'_>,
    survey: &Reread,
    new_keys: &[Key],
    how: Redrive,
) -> rusqlite::Result<Fate> {
    if !is_quarantined(batch, survey)? {
        return Ok(Fate::Gone);
    }
    let (interaction, fields, decision) = match &survey.content {
        Content::Readable {
            interaction,
            fields,
            decision,
        } => (*interaction, fields, decision),
        Content::Unreadable { problems } => {
            if !how.dry_run {
                still_unreadable(batch, survey.seq, problems)?;
            }
            return Ok(Fate::Quarantined);
        }
    };
    let known = known::get(batch, survey.seq)?;
    let mut place = Place::Live {
        over: None,
        renumber: false,
    };
    let fate = if let Some(of) = accepted_as(batch, survey.seq, known.as_ref(), new_keys)? {
        Fate::Duplicate { of }
    } else if decision.code.is_none() {
        Fate::Ignored
    } else {
        place = again::place(batch, survey.seq, interaction, how)?;
        place.fate()
    };
    if how.dry_run || matches!(fate, Fate::NoRoom { .. }) {
        return Ok(fate);
    }
    let mut seq = survey.seq;
    if matches!(place, Place::Live { renumber: true, .. }) {
        seq = again::renumber(batch, seq)?;
    }
    write(
        batch,
        (seq, survey),
        (interaction, fields, decision),
        &fate,
        how.at,
    )?;
    if matches!(fate, Fate::Duplicate { .. }) {
        keys::keep_own(batch, seq)?;
    } else {
        count_keys(batch, (seq, survey.id), how.at, new_keys)?;
    }
    let entry = Entry {
        at: how.at,
        verdict: "reprocessed".to_owned(),
        status: None,
        detail: again::told("it can be read now".to_owned(), &fate),
    };
    again::follow_up(batch, (seq, interaction), &fate, &entry)?;
    Ok(fate)
}

fn is_quarantined(batch: &Batch<'_>, survey: &Reread) -> rusqlite::Result<bool> {
    let found = batch
        .db
        .prepare_cached("SELECT 1 FROM delivery WHERE seq = ?1 AND id = ?2 AND state = 7")?
        .query_row(
            params![survey.seq, survey.id.0.as_bytes().as_slice()],
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

fn still_unreadable(batch: &Batch<'_>, seq: i64, problems: &str) -> rusqlite::Result<()> {
    connection::overwriting(batch.db, || {
        batch
            .db
            .prepare_cached(
                "UPDATE survey SET problems = ?2 WHERE seq = ?1 AND problems IS NOT ?2",
            )?
            .execute(params![seq, problems])
    })?;
    Ok(())
}

/// Whether the survey was accepted under one of its keys meanwhile, from other bytes or under another id. Of what is
/// remembered of an unreadable survey, the last is the key of its content, which is none that makes a duplicate.
fn accepted_as(
    batch: &Batch<'_>,
    seq: i64,
    known: Option<&known::Entry>,
    new_keys: &[Key],
) -> rusqlite::Result<Option<DeliveryId>> {
    let remembered = known.and_then(|entry| entry.keys.split_last());
    let remembered = remembered.map_or(&[][..], |(_content, keys)| keys);
    for key in remembered.iter().chain(new_keys) {
        if let Some(sighting) = keys::find(batch, key)?
            && sighting.seq != seq
            && !sighting.quarantined
        {
            return Ok(Some(sighting.id));
        }
    }
    Ok(None)
}

/// From now on its keys are held against whatever comes, those that another quarantined one had included.
fn count_keys(
    batch: &mut Batch<'_>,
    (seq, id): (i64, DeliveryId),
    at: UnixMs,
    new_keys: &[Key],
) -> rusqlite::Result<()> {
    let mut entry = keys::forget(batch, seq)?.unwrap_or(known::Entry {
        seq,
        id,
        at,
        keys: Vec::new(),
    });
    for key in new_keys {
        if !entry.keys.contains(key) {
            entry.keys.push(*key);
        }
    }
    keys::remember(batch, entry, Takeover::Yes)
}

fn write(
    batch: &mut Batch<'_>,
    (seq, survey): (i64, &Reread),
    (interaction, fields, decision): (InteractionId, &str, &DecisionRecord),
    fate: &Fate,
    at: UnixMs,
) -> rusqlite::Result<()> {
    let columns = match fate {
        Fate::Live { .. } => Columns::live(at),
        Fate::Ignored => Columns::ended(State::Ignored, at),
        _ => Columns::ended(State::Superseded, at),
    };
    batch
        .db
        .prepare_cached(
            "UPDATE delivery SET interaction = ?2, state = ?3, due_at = ?4, ended_at = ?5, rule = ?6, code = ?7, \
             progress = ?8 WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            interaction.0.as_bytes().as_slice(),
            rows::number(columns.state),
            columns.due_at,
            columns.ended_at,
            decision.rule.as_ref().map(RuleName::as_str),
            decision.code.as_ref().map(CodeName::as_str),
            rows::progress_text(&again::progress(&Progress::default(), at)),
        ])?;
    let rule_set = rule_set::number(batch, decision)?;
    connection::overwriting(batch.db, || {
        batch
            .db
            .prepare_cached(
                "UPDATE survey SET body = iif(?2, coalesce(?6, body), NULL), fields = ?3, rule_set = ?4, \
                 failures = ?5, problems = NULL WHERE seq = ?1",
            )?
            .execute(params![
                seq,
                batch.terms.keep_body,
                fields,
                rule_set,
                rows::failures_text(&decision.failures),
                survey.body.as_deref()
            ])
    })?;
    batch.counts.moved(State::Quarantined, columns.state);
    Ok(())
}
