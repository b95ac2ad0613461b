//! The indexes in memory against a plain model: whatever is inserted, ended, forgotten, rolled back, carried over and
//! read anew, what they answer is the same.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use uuid::Uuid;

use super::super::schema;
use super::*;

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
    live: BTreeSet<(u64, i64)>,
}

struct Bench {
    db: Connection,
    recent: Recent,
    model: Model,
}

impl Bench {
    fn new() -> Self {
        let db = database();
        let recent = Recent::read(&db).unwrap();
        let mut this = Self {
            db,
            recent,
            model: Model::default(),
        };
        this.recent.sieve(&this.db).unwrap();
        this
    }

    fn accept(&mut self, key: u8, interaction: u64) {
        let key = [key; KEY_BYTES];
        if holder(&self.recent, &self.db, &key).unwrap().is_some() {
            return;
        }
        self.model.newest += 1;
        let seq = self.model.newest;
        let id = InteractionId(Uuid::from_u128(u128::from(interaction)));
        self.db
            .execute(
                "INSERT INTO delivery (seq, id, source, interaction, state, due_at, accepted_at, rule, code) \
                 VALUES (?1, ?2, 's', ?3, 0, 1, 1, 'r', 'c')",
                params![seq, Uuid::new_v4().as_bytes().as_slice(), id.0.as_bytes().as_slice()],
            )
            .unwrap();
        self.db
            .execute(
                "INSERT INTO known (seq, id, at, keys) VALUES (?1, x'00', 1, ?2)",
                params![seq, key.as_slice()],
            )
            .unwrap();
        lives(&mut self.recent, &self.db, id, seq).unwrap();
        hold(&mut self.recent, &self.db, &key, seq).unwrap();
        self.model.holders.insert(key, seq);
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

    fn forget(&mut self, nth: usize) {
        let Some((key, seq)) = self
            .model
            .holders
            .iter()
            .nth(nth)
            .map(|(key, seq)| (*key, *seq))
        else {
            return;
        };
        let_go(&mut self.recent, &self.db, &key, seq).unwrap();
        self.db
            .execute("DELETE FROM known WHERE seq = ?1", [seq])
            .unwrap();
        self.model.holders.remove(&key);
    }

    fn check(&self) {
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
                    _ => bench.forget(dice.place(KEYS.into())),
                }
            }
            bench.recent.carry(&bench.db).unwrap();
            if dice.below(5) == 0 {
                bench.recent.back_to(mark);
                bench.recent.roll_back();
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
        finished += watermark(&bench.db, Table::Seen).unwrap().min(1);
    }
    assert!(finished > 20 && undone > 100, "{finished} {undone}");
}

#[test]
fn memory_holds_two_generations_at_the_most() {
    let mut bench = Bench::new();
    for n in 0..2_000_i64 {
        let mut key = [0; KEY_BYTES];
        key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_le_bytes());
        hold(&mut bench.recent, &bench.db, &key, n + 1).unwrap();
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
    assert!(watermark(&bench.db, Table::Seen).unwrap() > 1_900);
}
