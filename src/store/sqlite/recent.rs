//! The two indexes whose entries are random, kept off the accept path: who was seen under a key, who is live for an
//! interaction.
//!
//! A random insert dirties a page of its own, and writing that page, twice, was most of what an accept cost. So a new
//! entry stands in memory, in order. Once there are [`GENERATION`] of them they are carried into the file's tables
//! `seen` and `live`, a piece with each commit and neighbours together, so that many share a page; most of `live` never
//! gets that far, because its delivery has ended.
//!
//! Invariants: what is only in memory can be read anew from the file, because `known` and `delivery` hold it, too, for
//! every row above a watermark in `meta`; a transaction that is rolled back leaves no trace here. Another process may
//! change the file: then all of this is read anew.

mod layers;
mod shards;

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::batch::Counts;
use super::keys::Key;
use super::sieve::{self, Sieve};
use super::{known, meta, read, rows};
use crate::clock::UnixMs;
use crate::ids::InteractionId;
use crate::store::State;
use layers::Layers;

/// Entries that are carried over together. With a million in the file each of its pages then takes several of them.
/// Two generations of both indexes are some 20 MiB. The unit tests have small ones, so that each of the store's claims
/// is tried with entries in every place.
const GENERATION: usize = if cfg!(test) { 8 } else { 128 * 1024 };

/// A delivery among those of its interaction, in the order of the file's table.
type Place = ([u8; 16], i64);

/// What one connection that writes knows by heart.
#[derive(Debug)]
pub(super) struct Recent {
    keys: Layers<Key, i64>,
    live: Layers<Place, ()>,
    /// The newest row when this was read: an older one may be in the tables although the watermark does not say so.
    read_through: i64,
    /// The newest row, and the newest that the open transaction has inserted.
    newest: (i64, i64),
    /// No write of a delivery that has ended takes effect after this.
    lands_until: Option<UnixMs>,
    /// Hash and number of the rule set that decided last.
    pub(super) rule_set: Option<(Arc<str>, i64)>,
    /// None: tables and memory are looked at each time.
    sieves: Option<Sieves>,
    /// How many deliveries there are in each state.
    pub(super) counts: [i64; 9],
}

#[derive(Debug)]
struct Sieves {
    /// What nobody was seen under, neither in the table nor here: most keys that come, so it is asked first.
    seen: Sieve,
    /// Whom the table does not hold. Those in memory only are not in here, because few of them get as far as the table.
    live: Sieve,
}

/// How far a transaction had come, to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    keys: usize,
    live: usize,
}

impl Recent {
    /// Reads what the file's tables do not hold yet.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Self> {
        let newest = known::span(db)?.map_or(0, |(_, newest)| newest);
        let newest = newest.max(meta::number(db, NEWEST)?);
        // A delivery may outlive its entry in `known`.
        let newest = newest.max(read::newest(db)?);
        let mut this = Self {
            keys: Layers::new(meta::number(db, SEEN_THROUGH)?),
            live: Layers::new(meta::number(db, LIVE_THROUGH)?),
            read_through: newest,
            newest: (newest, newest),
            lands_until: db
                .query_row(include_str!("sql/landing_last.sql"), [], |row| {
                    row.get::<_, Option<i64>>(0)
                })?
                .map(UnixMs),
            rule_set: None,
            sieves: None,
            counts: Counts::read(db)?,
        };
        this.read_keys(db)?;
        this.read_live(db)?;
        Ok(this)
    }

    fn read_keys(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut quarantined = db.prepare("SELECT 1 FROM delivery WHERE seq = ?1 AND state = ?2")?;
        known::after(db, self.keys.going_through, |entry| {
            // As when they came: an unreadable one takes no key from anybody, a readable one does.
            let yields = quarantined.exists([entry.seq, rows::number(State::Quarantined)])?;
            for key in &entry.keys {
                if !(yields && holder(self, db, key)?.is_some()) {
                    self.keys.fresh.insert(*key, entry.seq);
                }
            }
            Ok(())
        })
    }

    fn read_live(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut query = db.prepare(include_str!("sql/recent_live.sql"))?;
        let mut found = query.query([self.live.going_through])?;
        while let Some(row) = found.next()? {
            self.live.fresh.insert((row.get(0)?, row.get(1)?), ());
        }
        Ok(())
    }

    /// Reads the tables through once, so that they need not be looked at each time: for a server, which stays.
    pub(super) fn sieve(&mut self, db: &Connection) -> rusqlite::Result<()> {
        // What is known is numbered without many gaps, and has one key or two.
        let rows = known::span(db)?.map_or(0, |(oldest, newest)| newest - oldest);
        if rows > sieve::MOST {
            return Ok(());
        }
        let read = |sql: &str, rows: i64| -> rusqlite::Result<Sieve> {
            let mut sieve = Sieve::with_room_for(usize::try_from(rows).unwrap_or(0));
            let mut query = db.prepare(sql)?;
            let mut found = query.query([])?;
            while let Some(row) = found.next()? {
                sieve.insert(&row.get(0)?);
            }
            Ok(sieve)
        };
        let mut seen = read("SELECT key FROM seen", rows)?;
        self.keys.each(|key| seen.insert(key));
        let live = read(
            "SELECT interaction FROM live",
            self.counts[0] + self.counts[1],
        )?;
        self.sieves = Some(Sieves { seen, live });
        Ok(())
    }

    /// A number that no delivery ever had.
    pub(super) fn next_number(&mut self) -> i64 {
        self.newest.1 += 1;
        self.newest.1
    }

    /// Whether the number was given in the open transaction.
    pub(super) fn is_new(&self, seq: i64) -> bool {
        seq > self.newest.0
    }

    /// A delivery that has ended may have left a write that takes effect until then.
    pub(super) fn lands(&mut self, until: Option<UnixMs>) {
        // Should the transaction be rolled back, one look too many is all that comes of it.
        self.lands_until = self.lands_until.max(until);
    }

    pub(super) fn may_land_after(&self, moment: UnixMs) -> bool {
        self.lands_until.is_some_and(|until| until > moment)
    }

    fn may_be_seen(&self, key: &Key) -> bool {
        self.sieves
            .as_ref()
            .is_none_or(|sieves| sieves.seen.may_hold(key))
    }

    fn may_live(&self, interaction: &[u8; 16]) -> bool {
        self.sieves
            .as_ref()
            .is_none_or(|sieves| sieves.live.may_hold(interaction))
    }

    fn put_seen(db: &Connection, key: &Key, seq: i64) -> rusqlite::Result<()> {
        db.prepare_cached(PUT_SEEN)?
            .execute(params![key.as_slice(), seq])?;
        Ok(())
    }

    fn put_live(&mut self, db: &Connection, (interaction, seq): &Place) -> rusqlite::Result<()> {
        if let Some(sieves) = &mut self.sieves {
            sieves.live.insert(interaction);
        }
        db.prepare_cached(PUT_LIVE)?
            .execute(params![interaction.as_slice(), seq])?;
        Ok(())
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            keys: self.keys.changes(),
            live: self.live.changes(),
        }
    }

    pub(super) fn back_to(&mut self, mark: Mark) {
        self.keys.back_to(mark.keys);
        self.live.back_to(mark.live);
        // Its row may be among what is taken back.
        self.rule_set = None;
    }

    /// The transaction was rolled back.
    pub(super) fn roll_back(&mut self) {
        self.back_to(Mark { keys: 0, live: 0 });
        self.keys.end_transaction();
        self.live.end_transaction();
        self.newest.1 = self.newest.0;
    }

    /// The transaction was committed, and left so many in each state.
    pub(super) fn commit(&mut self, counts: &Counts) {
        self.counts = counts.after();
        self.newest.0 = self.newest.1;
        self.keys.commit(GENERATION, self.newest.0);
        self.live.commit(GENERATION, self.newest.0);
    }

    /// Carries a piece into the file, in the open transaction.
    pub(super) fn carry(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if let Some(piece) = self.keys.piece() {
            for (key, seq) in &piece {
                Self::put_seen(db, key, *seq)?;
            }
            carried(db, SEEN_THROUGH, self.keys.went(&piece))?;
        }
        if let Some(piece) = self.live.piece() {
            for (place, ()) in &piece {
                self.put_live(db, place)?;
            }
            carried(db, LIVE_THROUGH, self.live.went(&piece))?;
        }
        Ok(())
    }
}

const PUT_SEEN: &str = "INSERT INTO seen (key, seq) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET seq = excluded.seq";
const PUT_LIVE: &str = "INSERT OR IGNORE INTO live (interaction, seq) VALUES (?1, ?2)";

/// The row that holds a key, whether it exists still or not.
pub(super) fn holder(recent: &Recent, db: &Connection, key: &Key) -> rusqlite::Result<Option<i64>> {
    if !recent.may_be_seen(key) {
        return Ok(None);
    }
    if let Some(seq) = recent.keys.get(key) {
        return Ok(Some(seq));
    }
    db.prepare_cached("SELECT seq FROM seen WHERE key = ?1")?
        .query_row([key.as_slice()], |row| row.get(0))
        .optional()
}

/// The key is the row's from now on.
pub(super) fn hold(
    recent: &mut Recent,
    db: &Connection,
    key: &Key,
    seq: i64,
) -> rusqlite::Result<()> {
    if let Some(sieves) = &mut recent.sieves {
        sieves.seen.insert(key);
    }
    if recent.keys.is_behind(seq) {
        // Nothing here may stand over what the file says.
        recent.keys.take(key, |_| true);
        Recent::put_seen(db, key, seq)?;
    } else {
        recent.keys.put(*key, seq);
    }
    Ok(())
}

/// The key is nobody's, if it was the row's.
pub(super) fn let_go(
    recent: &mut Recent,
    db: &Connection,
    key: &Key,
    seq: i64,
) -> rusqlite::Result<()> {
    let only_here = recent.keys.take(key, |held| *held == seq);
    if !(only_here && seq > recent.read_through) {
        db.prepare_cached("DELETE FROM seen WHERE key = ?1 AND seq = ?2")?
            .execute(params![key.as_slice(), seq])?;
    }
    Ok(())
}

/// The rows that may be live for an interaction, oldest first; the rows themselves say whether they are.
pub(super) fn live(
    recent: &Recent,
    db: &Connection,
    interaction: InteractionId,
) -> rusqlite::Result<Vec<i64>> {
    let interaction = interaction.0.into_bytes();
    let mut all: Vec<i64> = Vec::new();
    if recent.may_live(&interaction) {
        let mut query = db.prepare_cached(include_str!("sql/live.sql"))?;
        let mut found = query.query([interaction.as_slice()])?;
        while let Some(row) = found.next()? {
            all.push(row.get(0)?);
        }
    }
    let in_memory = recent
        .live
        .range((interaction, i64::MIN), (interaction, i64::MAX));
    all.extend(in_memory.map(|(_, seq)| seq));
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The row is live from now on, or again.
pub(super) fn lives(
    recent: &mut Recent,
    db: &Connection,
    interaction: InteractionId,
    seq: i64,
) -> rusqlite::Result<()> {
    let place = (interaction.0.into_bytes(), seq);
    if recent.live.is_behind(seq) {
        recent.put_live(db, &place)?;
    } else {
        recent.live.put(place, ());
    }
    Ok(())
}

/// The row has ended.
pub(super) fn ends(
    recent: &mut Recent,
    db: &Connection,
    interaction: InteractionId,
    seq: i64,
) -> rusqlite::Result<()> {
    let place = (interaction.0.into_bytes(), seq);
    let only_here = recent.live.take(&place, |()| true);
    if !(only_here && seq > recent.read_through) && recent.may_live(&place.0) {
        db.prepare_cached("DELETE FROM live WHERE interaction = ?1 AND seq = ?2")?
            .execute(params![place.0.as_slice(), seq])?;
    }
    Ok(())
}

/// Interactions with several rows that may be live, for a look at their order.
pub(super) fn crowded(recent: &Recent, db: &Connection) -> rusqlite::Result<Vec<InteractionId>> {
    let mut all: Vec<[u8; 16]> = db
        .prepare(include_str!("sql/crowded.sql"))?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    // One that is in memory may have its siblings in the file.
    for (interaction, _) in recent
        .live
        .range(([0; 16], i64::MIN), ([u8::MAX; 16], i64::MAX))
    {
        let interaction = InteractionId(uuid::Uuid::from_bytes(interaction));
        if all.last() != Some(interaction.0.as_bytes()) && live(recent, db, interaction)?.len() > 1
        {
            all.push(interaction.0.into_bytes());
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all
        .into_iter()
        .map(|bytes| InteractionId(uuid::Uuid::from_bytes(bytes)))
        .collect())
}

/// Where it is noted up to which row `seen` and `live` hold everything.
const SEEN_THROUGH: &str = "seen_through";
const LIVE_THROUGH: &str = "live_through";

/// The newest number is the newest in `known` or in `delivery`, or this note, which is made whenever something is taken
/// out of `known` or is in neither.
const NEWEST: &str = "newest";

/// Notes the newest number, so that it is never given again.
pub(super) fn note_newest(recent: &Recent, db: &Connection) -> rusqlite::Result<()> {
    meta::put_number(db, NEWEST, recent.newest.1)
}

/// Notes that a generation is in the file, if it is.
fn carried(db: &Connection, note: &str, through: Option<i64>) -> rusqlite::Result<()> {
    through.map_or(Ok(()), |through| meta::put_number(db, note, through))
}

#[cfg(test)]
mod tests;
