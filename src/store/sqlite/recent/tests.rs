//! The indexes in memory against a plain model: whatever is inserted, ended, forgotten, rolled back, carried over and
//! read anew, what they answer is the same.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use uuid::Uuid;

use super::super::batch::{Batch, Terms};
use super::super::keys::{self, KEY_BYTES, Takeover};
use super::super::schema;
use super::*;
use crate::ids::DeliveryId;
use crate::store::Repeat;

/// Small numbers, so that keys and interactions meet often.
const KEYS: u8 = 40;
const INTERACTIONS: u64 = 12;

fn database() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    let nowhere = std::path::Path::new("never-copied");
    schema::migrate(&mut db, nowhere, schema::MIGRATIONS, schema::Made::New).unwrap();
    db
}

/// What should be known.
#[derive(Clone, Debug, Default)]
struct Model {
    newest: i64,
    holders: BTreeMap<Key, i64>,
    known: BTreeMap<i64, Vec<Key>>,
    live: BTreeSet<(u64, i64)>,
}

impl Model {
    fn forget(&mut self, gone: impl Fn(i64) -> bool) {
        self.known.retain(|seq, _| !gone(*seq));
        self.holders.retain(|_, seq| !gone(*seq));
    }
}

/// First seen in the order of the numbers.
fn entry(seq: i64, keys: Vec<Key>) -> known::Entry {
    known::Entry {
        seq,
        id: DeliveryId(Uuid::nil()),
        at: UnixMs(seq),
        keys,
    }
}

struct Bench {
    db: Connection,
    recent: Recent,
    known: known::Pending,
    model: Model,
}

impl Bench {
    fn new() -> Self {
        let db = database();
        let recent = Recent::read(&db).unwrap();
        let mut this = Self {
            db,
            recent,
            known: known::Pending::default(),
            model: Model::default(),
        };
        this.recent.sieve(&this.db).unwrap();
        this
    }

    /// Does something with what is known, in the open transaction.
    fn known<T>(&mut self, work: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<T>) -> T {
        let terms = Terms {
            repeat: Repeat::Last,
            max_pending: 1_000,
            max_quarantined: 1_000,
            keep_body: true,
            settles_within: std::time::Duration::ZERO,
        };
        let mut batch = Batch::begin(&self.db, &terms, &mut self.recent);
        batch.known = std::mem::take(&mut self.known);
        let done = work(&mut batch).unwrap();
        self.known = batch.known;
        done
    }

    fn remember(&mut self, seq: i64, keys: Vec<Key>) {
        self.model.known.insert(seq, keys.clone());
        let holders = keys.iter().map(|key| (*key, seq));
        self.model.holders.extend(holders);
        let entry = entry(seq, keys);
        self.known(|batch| keys::remember(batch, entry, Takeover::Yes));
    }

    fn accept(&mut self, key: u8, interaction: u64) {
        let key = [key; KEY_BYTES];
        if holder(&self.recent, &self.db, &key).unwrap().is_some() {
            return;
        }
        self.model.newest += 1;
        let seq = self.recent.next_number();
        assert_eq!(seq, self.model.newest);
        let id = InteractionId(Uuid::from_u128(u128::from(interaction)));
        self.db
            .execute(
                "INSERT INTO delivery (seq, id, source, interaction, state, due_at, accepted_at, rule, code) \
                 VALUES (?1, ?2, 's', ?3, 0, 1, 1, 'r', 'c')",
                params![seq, Uuid::new_v4().as_bytes().as_slice(), id.0.as_bytes().as_slice()],
            )
            .unwrap();
        lives(&mut self.recent, &self.db, id, seq).unwrap();
        self.remember(seq, vec![key]);
        self.model.live.insert((interaction, seq));
    }

    /// Ends the `nth` of the live, or brings an ended one back to life.
    fn end(&mut self, nth: usize, again: bool) {
        let Some((interaction, seq)) = self.model.live.iter().nth(nth).copied() else {
            return;
        };
        let id = InteractionId(Uuid::from_u128(u128::from(interaction)));
        ends(&mut self.recent, &self.db, id, seq).unwrap();
        if again {
            lives(&mut self.recent, &self.db, id, seq).unwrap();
            return;
        }
        let sql = "UPDATE delivery SET state = 2, ended_at = 2, due_at = NULL WHERE seq = ?1";
        self.db.execute(sql, [seq]).unwrap();
        self.model.live.remove(&(interaction, seq));
    }

    /// Forgets the `nth` of what is known, or remembers it again with one key more.
    fn forget(&mut self, nth: usize, again: Option<u8>) {
        let Some((seq, mut keys)) = self.nth_known(nth) else {
            return;
        };
        let forgotten = self.known(|batch| keys::forget(batch, seq));
        assert_eq!(forgotten, Some(entry(seq, keys.clone())));
        self.model.forget(|other| other == seq);
        if let Some(more) = again {
            let more = [more; KEY_BYTES];
            // A key that another readable one holds would have made this one a duplicate.
            keys.extend((!self.model.holders.contains_key(&more)).then_some(more));
            self.remember(seq, keys);
        }
    }

    fn nth_known(&self, nth: usize) -> Option<(i64, Vec<Key>)> {
        let (seq, keys) = self.model.known.iter().nth(nth)?;
        Some((*seq, keys.clone()))
    }

    /// Deletes what has ended before the `nth` of what is known, and forgets it; of what is live the keys stay.
    fn purge(&mut self, nth: usize) {
        let Some((first, _)) = self.nth_known(nth) else {
            return;
        };
        let sql = "DELETE FROM delivery WHERE seq < ?1 AND ended_at IS NOT NULL";
        self.db.execute(sql, [first]).unwrap();
        // In pieces, which end where many stay, and then whatever is left.
        while self.known(|batch| keys::forget_older(batch, UnixMs(first), 3)) {}
        self.known(|batch| keys::forget_older(batch, UnixMs(first), 1_000));
        let live: BTreeSet<i64> = self.model.live.iter().map(|(_, seq)| *seq).collect();
        self.model.forget(|seq| seq < first && !live.contains(&seq));
    }

    fn check(&mut self) {
        for seq in 0..=self.model.newest + 1 {
            let found = self.known(|batch| known::get(batch, seq));
            let keys = self.model.known.get(&seq).cloned();
            assert_eq!(found, keys.map(|keys| entry(seq, keys)));
        }
        for key in (0..KEYS).map(|key| [key; KEY_BYTES]) {
            let found = holder(&self.recent, &self.db, &key).unwrap();
            assert_eq!(found, self.model.holders.get(&key).copied());
        }
        let mut crowded_ones = Vec::new();
        for interaction in 0..INTERACTIONS {
            let id = InteractionId(Uuid::from_u128(u128::from(interaction)));
            let wanted: Vec<i64> = (self
                .model
                .live
                .range((interaction, 0)..=(interaction, i64::MAX)))
            .map(|(_, seq)| *seq)
            .collect();
            if wanted.len() > 1 {
                crowded_ones.push(id);
            }
            // What has ended may still stand there where the file says so; what is live must.
            let mut found = live(&self.recent, &self.db, id).unwrap();
            found.retain(|seq| self.model.live.contains(&(interaction, *seq)));
            assert_eq!(found, wanted);
        }
        let crowded = crowded(&self.recent, &self.db).unwrap();
        assert!(crowded_ones.iter().all(|id| crowded.contains(id)));
    }
}

/// A pseudo-random walk from a seed: each failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn place(&mut self, sides: u64) -> usize {
        usize::try_from(self.below(sides)).unwrap()
    }
}

#[test]
fn what_memory_and_file_say_together_is_what_was_done() {
    let (mut finished, mut undone) = (0, 0);
    for seed in 0..40 {
        let mut bench = Bench::new();
        let mut dice = Dice(seed);
        for _ in 0..120 {
            bench.db.execute_batch("BEGIN").unwrap();
            let before = bench.model.clone();
            let mark = bench.recent.mark();
            for _ in 0..=dice.below(6) {
                match dice.below(10) {
                    0..=5 => {
                        let key = u8::try_from(dice.below(KEYS.into())).unwrap();
                        bench.accept(key, dice.below(INTERACTIONS));
                    }
                    6 | 7 => bench.end(dice.place(10), dice.below(4) == 0),
                    8 => bench.forget(dice.place(KEYS.into()), None),
                    _ if dice.below(3) == 0 => bench.purge(dice.place(10)),
                    _ => {
                        let more = u8::try_from(dice.below(KEYS.into())).unwrap();
                        bench.forget(dice.place(KEYS.into()), Some(more));
                    }
                }
            }
            bench.check();
            bench.known.write(&bench.db).unwrap();
            bench.recent.carry(&bench.db).unwrap();
            if dice.below(5) == 0 {
                bench.recent.back_to(mark);
                bench.recent.roll_back();
                bench.known.clear();
                bench.db.execute_batch("ROLLBACK").unwrap();
                bench.model = before;
                undone += 1;
            } else {
                bench.db.execute_batch("COMMIT").unwrap();
                bench.recent.commit(&Counts::default());
            }
            bench.check();
            if dice.below(20) == 0 {
                // As after a restart, or when another process has changed the file.
                bench.recent = Recent::read(&bench.db).unwrap();
                bench.recent.sieve(&bench.db).unwrap();
                bench.check();
            }
        }
        finished += meta::number(&bench.db, SEEN_THROUGH).unwrap().min(1);
    }
    assert!(finished > 20 && undone > 100, "{finished} {undone}");
}

#[test]
fn memory_holds_two_generations_at_the_most() {
    let mut bench = Bench::new();
    for n in 0..2_000_i64 {
        let seq = bench.recent.next_number();
        let mut key = [0; KEY_BYTES];
        key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_le_bytes());
        hold(&mut bench.recent, &bench.db, &key, seq).unwrap();
        bench.recent.carry(&bench.db).unwrap();
        bench.recent.commit(&Counts::default());
        let keys = &bench.recent.keys;
        assert!(keys.fresh.len() <= GENERATION && keys.going.len() <= GENERATION);
        assert_eq!(keys.changes(), 0);
    }
    let in_file: i64 = bench
        .db
        .query_row("SELECT count(*) FROM seen", [], |row| row.get(0))
        .unwrap();
    assert!(in_file > 1_900, "{in_file}");
    assert!(meta::number(&bench.db, SEEN_THROUGH).unwrap() > 1_900);
}
