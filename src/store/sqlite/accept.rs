//! Accepting surveys: recognised, placed in the order of their interaction, inserted.

use rusqlite::{OptionalExtension, params};

use super::batch::{Batch, Superseded, Work};
use super::keys::{self, Key, KeyHash, Sighting, Takeover};
use super::order::{self, Inheritance, Sibling};
use super::{connection, known, recent, rows, rule_set};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId};
use crate::store::{Content, DecisionRecord, Error, NewDelivery, Progress, Receipt, Repeat, State};

/// The surveys of one request.
pub(super) struct Accept {
    surveys: Vec<Prepared>,
}

/// A survey with its keys as the file keeps them.
struct Prepared {
    new: NewDelivery,
    keys: Vec<Key>,
    content_key: Key,
}

impl Accept {
    /// Hashes the keys, on the caller's thread.
    pub(super) fn new(surveys: Vec<NewDelivery>, hash: &KeyHash) -> Self {
        let prepare = |new: NewDelivery| Prepared {
            keys: new.keys.iter().map(|key| hash.dedup(key)).collect(),
            content_key: hash.content(&new.content_key),
            new,
        };
        Self {
            surveys: surveys.into_iter().map(prepare).collect(),
        }
    }
}

impl Work for Accept {
    type Output = Vec<Receipt>;

    fn weight(&self) -> usize {
        self.surveys.len()
    }

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<Vec<Receipt>, Error>> {
        if let [survey] = self.surveys.as_slice() {
            // It is refused before it writes, so nothing has to be undone.
            return Ok(accept(batch, survey)?.map(|receipt| vec![receipt]));
        }
        let (counts, superseded) = (batch.counts.clone(), batch.superseded.len());
        let recent = batch.recent.mark();
        batch.known.write(batch.db)?;
        batch.db.prepare_cached("SAVEPOINT request")?.execute([])?;
        let mut receipts = Vec::with_capacity(self.surveys.len());
        let mut refusal = None;
        for survey in &self.surveys {
            match accept(batch, survey)? {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    refusal = Some(error);
                    break;
                }
            }
        }
        if refusal.is_some() {
            batch.counts = counts;
            batch.superseded.truncate(superseded);
            batch.recent.back_to(recent);
            batch.known.clear();
            batch
                .db
                .prepare_cached("ROLLBACK TO request")?
                .execute([])?;
        }
        batch.db.prepare_cached("RELEASE request")?.execute([])?;
        Ok(refusal.map_or(Ok(receipts), Err))
    }
}

fn accept(batch: &mut Batch<'_>, survey: &Prepared) -> rusqlite::Result<Result<Receipt, Error>> {
    if matches!(survey.new.content, Content::Unreadable { .. })
        && let Some(known) = keys::find(batch, &survey.content_key)?
        && known.quarantined
    {
        // First, so that it gets its own answer although another survey of its id was accepted since.
        return Ok(Ok(Receipt::StillQuarantined(known.id)));
    }
    let mut quarantined = None;
    for key in &survey.keys {
        match keys::find(batch, key)? {
            Some(known) if !known.quarantined => return Ok(Ok(Receipt::Duplicate(known.id))),
            Some(known) => quarantined = quarantined.or(Some(known)),
            None => {}
        }
    }
    match &survey.new.content {
        Content::Readable {
            interaction,
            fields,
            decision,
        } => accept_readable(batch, survey, (*interaction, fields, decision), quarantined),
        Content::Unreadable { problems } => accept_unreadable(batch, survey, problems),
    }
}

/// An unreadable survey comes again and again until somebody mends it: it is kept once.
fn accept_unreadable(
    batch: &mut Batch<'_>,
    survey: &Prepared,
    problems: &str,
) -> rusqlite::Result<Result<Receipt, Error>> {
    let kept = batch.counts.of(State::Quarantined);
    if kept >= batch.terms.max_quarantined {
        return Ok(Err(Error::TooManyQuarantined(kept)));
    }
    let new = &survey.new;
    let row = Row {
        id: new.id,
        interaction: None,
        decision: None,
        state: State::Quarantined,
        due_at: None,
        ended_at: Some(new.accepted_at),
        left: Inheritance::default(),
    };
    let seq = insert(batch, new, &row)?;
    batch
        .db
        .prepare_cached("INSERT INTO survey (seq, body, problems) VALUES (?1, ?2, ?3)")?
        .execute(params![seq, new.body.as_ref(), problems])?;
    let mut entry = known::Entry {
        seq,
        id: new.id,
        at: new.accepted_at,
        keys: survey.keys.clone(),
    };
    // Last, where `operate` tells it from those that make a duplicate.
    entry.keys.push(survey.content_key);
    keys::remember(batch, entry, Takeover::No)?;
    Ok(Ok(Receipt::Stored(new.id)))
}

fn accept_readable(
    batch: &mut Batch<'_>,
    survey: &Prepared,
    (interaction, fields, decision): (InteractionId, &str, &DecisionRecord),
    quarantined: Option<Sighting>,
) -> rusqlite::Result<Result<Receipt, Error>> {
    let new = &survey.new;
    let id = quarantined.map_or(new.id, |known| known.id);
    let place = place(batch, interaction, decision)?;
    if let Err(full) = room(batch, &place) {
        return Ok(Err(full));
    }
    // It is numbered anew: its place in the order is that of the moment at which it could be read.
    let before = match quarantined {
        Some(known) => resolve(batch, known.seq)?,
        None => None,
    };
    let mut left = Inheritance::default();
    if place.state == State::Pending {
        left.merge(order::landing(batch, interaction, new.accepted_at)?);
    }
    for older in &place.gives_way {
        left.merge(order::supersede(batch, older, new.accepted_at, id)?);
    }
    let row = Row {
        id,
        interaction: Some(interaction),
        decision: Some(decision),
        state: place.state,
        due_at: place.due.then(|| left.due(new.accepted_at)),
        ended_at: (place.state != State::Pending).then_some(new.accepted_at),
        left,
    };
    let seq = insert(batch, new, &row)?;
    let rule_set = rule_set::number(batch, decision)?;
    let body = batch.terms.keep_body.then_some(new.body.as_ref());
    batch
        .db
        .prepare_cached(
            "INSERT INTO survey (seq, body, fields, rule_set, failures) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            seq,
            body,
            fields,
            rule_set,
            rows::failures_text(&decision.failures)
        ])?;
    let (at, mut all) = before.map_or((new.accepted_at, Vec::new()), |it| (it.at, it.keys));
    all.extend(&survey.keys);
    let entry = known::Entry {
        seq,
        id,
        at,
        keys: all,
    };
    keys::remember(batch, entry, Takeover::Yes)?;
    if let Some(winner) = place.behind {
        rows::tell(
            batch.db,
            seq,
            &order::superseded_entry(new.accepted_at, winner),
        )?;
        batch.superseded.push(Superseded {
            source: new.source.clone(),
            id,
            interaction,
            rule: decision.rule.clone(),
            code: decision.code.clone(),
            by: winner,
        });
    }
    Ok(Ok(Receipt::Stored(id)))
}

/// Where a readable survey finds itself among those of its interaction.
struct Place {
    state: State,
    /// Its turn now; else it is blocked, or has ended.
    due: bool,
    /// Pending ones that it supersedes.
    gives_way: Vec<Sibling>,
    /// The one that won before it came.
    behind: Option<DeliveryId>,
}

impl Place {
    fn of(state: State) -> Self {
        Self {
            state,
            due: false,
            gives_way: Vec::new(),
            behind: None,
        }
    }
}

fn place(
    batch: &Batch<'_>,
    interaction: InteractionId,
    decision: &DecisionRecord,
) -> rusqlite::Result<Place> {
    if decision.code.is_none() {
        return Ok(Place::of(State::Ignored));
    }
    if batch.terms.repeat == Repeat::First
        && let Some(winner) = winner(batch, interaction)?
    {
        return Ok(Place {
            behind: Some(winner),
            ..Place::of(State::Superseded)
        });
    }
    let live = order::siblings(batch, interaction)?;
    let pending = Place::of(State::Pending);
    Ok(match batch.terms.repeat {
        Repeat::First => Place {
            due: live.is_empty(),
            ..pending
        },
        Repeat::Last => Place {
            due: !live.iter().any(|it| it.leased),
            gives_way: live.into_iter().filter(|it| !it.leased).collect(),
            ..pending
        },
    })
}

/// The delivery whose code stands on the interaction already.
fn winner(batch: &Batch<'_>, interaction: InteractionId) -> rusqlite::Result<Option<DeliveryId>> {
    batch
        .db
        .prepare_cached(include_str!("sql/winner.sql"))?
        .query_row([interaction.0.as_bytes().as_slice()], |row| {
            rows::id(row, 0)
        })
        .optional()
}

/// Only what would add to the backlog is refused: not what ends at once, nor what takes another's place.
fn room(batch: &Batch<'_>, place: &Place) -> Result<(), Error> {
    let adds = place.state == State::Pending && place.gives_way.is_empty();
    let live = batch.counts.live();
    if adds && live >= batch.terms.max_pending {
        return Err(Error::TooManyPending(live));
    }
    Ok(())
}

/// Takes a quarantined row away, because it can be read now; its id, keys and story go on with the new row.
fn resolve(batch: &mut Batch<'_>, seq: i64) -> rusqlite::Result<Option<known::Entry>> {
    connection::overwriting(batch.db, || {
        batch
            .db
            .prepare_cached("DELETE FROM survey WHERE seq = ?1")?
            .execute([seq])
    })?;
    batch
        .db
        .prepare_cached("DELETE FROM delivery WHERE seq = ?1")?
        .execute([seq])?;
    batch
        .db
        .prepare_cached("DELETE FROM story WHERE seq = ?1")?
        .execute([seq])?;
    batch.counts.remove(State::Quarantined);
    keys::forget(batch, seq)
}

struct Row<'a> {
    id: DeliveryId,
    interaction: Option<InteractionId>,
    decision: Option<&'a DecisionRecord>,
    state: State,
    due_at: Option<UnixMs>,
    ended_at: Option<UnixMs>,
    left: Inheritance,
}

/// Inserts the row and answers its number of acceptance.
fn insert(batch: &mut Batch<'_>, new: &NewDelivery, row: &Row<'_>) -> rusqlite::Result<i64> {
    let progress = Progress {
        unclear_write_at: row.left.unclear_write_at,
        ..Progress::default()
    };
    let rule = row.decision.and_then(|it| it.rule.as_ref());
    let code = row.decision.and_then(|it| it.code.as_ref());
    let seq = batch.recent.next_number();
    batch
        .db
        .prepare_cached(include_str!("sql/insert_delivery.sql"))?
        .execute(params![
            seq,
            row.id.0.as_bytes().as_slice(),
            new.source.as_str(),
            row.interaction
                .as_ref()
                .map(|interaction| interaction.0.as_bytes().as_slice()),
            rows::number(row.state),
            row.due_at.map(|moment| moment.0),
            new.accepted_at.0,
            row.ended_at.map(|moment| moment.0),
            row.left.not_before.map(|moment| moment.0),
            rule.map(crate::ids::RuleName::as_str),
            code.map(crate::ids::CodeName::as_str),
            rows::progress_text(&progress),
        ])?;
    batch.counts.add(row.state);
    if let (State::Pending, Some(interaction)) = (row.state, row.interaction) {
        recent::lives(batch.recent, batch.db, interaction, seq)?;
    }
    Ok(seq)
}
