//! A delivery is removed with everything that came in with it.
//!
//! Its keys stay, hashed as they are, so that a sender's repetition does not bring it back. What was deleted is
//! overwritten in the file; the log holds it until it has been carried over and begins anew.

use rusqlite::{OptionalExtension, params};

use super::super::batch::{Batch, Work};
use super::super::order::{self, Inheritance};
use super::super::{connection, keys, recent, rows};
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId};
use crate::store::operate::Erased;
use crate::store::{Error, State};

pub(super) struct Erase {
    pub(super) id: DeliveryId,
    pub(super) force: bool,
    pub(super) at: UnixMs,
}

impl Work for Erase {
    type Output = Erased;

    fn run(&self, batch: &mut Batch<'_>) -> rusqlite::Result<Result<Erased, Error>> {
        erase(batch, self).map(Ok)
    }
}

fn erase(batch: &mut Batch<'_>, it: &Erase) -> rusqlite::Result<Erased> {
    let Some((seq, state, interaction)) = find(batch, it.id)? else {
        return Ok(Erased::Unknown);
    };
    match state {
        State::Leased => return Ok(Erased::Live(state)),
        State::Pending if !it.force => return Ok(Erased::Live(state)),
        _ => {}
    }
    if state == State::Quarantined {
        keys::keep_own(batch, seq)?;
    }
    let next = match interaction.filter(|_| state == State::Pending) {
        Some(interaction) => Some((interaction, left(batch, interaction, seq)?)),
        None => None,
    };
    connection::overwriting(batch.db, || {
        for sql in [
            "DELETE FROM story WHERE seq = ?1",
            "DELETE FROM survey WHERE seq = ?1",
            "DELETE FROM delivery WHERE seq = ?1",
        ] {
            batch.db.prepare_cached(sql)?.execute([seq])?;
        }
        Ok(())
    })?;
    batch.counts.remove(state);
    if let Some((interaction, left)) = next {
        recent::ends(batch.recent, batch.db, interaction, seq)?;
        order::arrange(batch, interaction, it.at, left)?;
    }
    Ok(Erased::Done(state))
}

/// What a pending one leaves to the next of its interaction.
fn left(batch: &Batch<'_>, interaction: InteractionId, seq: i64) -> rusqlite::Result<Inheritance> {
    let mut live = order::siblings(batch, interaction)?.into_iter();
    let found = live.find(|sibling| sibling.seq == seq);
    Ok(found.as_ref().map(Inheritance::of).unwrap_or_default())
}

fn find(
    batch: &Batch<'_>,
    id: DeliveryId,
) -> rusqlite::Result<Option<(i64, State, Option<InteractionId>)>> {
    batch
        .db
        .prepare_cached("SELECT seq, state, interaction FROM delivery WHERE id = ?1")?
        .query_row(params![id.0.as_bytes().as_slice()], |row| {
            let interaction: Option<[u8; 16]> = row.get(2)?;
            let interaction = interaction.map(|bytes| InteractionId(uuid::Uuid::from_bytes(bytes)));
            Ok((row.get(0)?, rows::state(row, 1)?, interaction))
        })
        .optional()
}
