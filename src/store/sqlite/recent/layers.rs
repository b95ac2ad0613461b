//! Entries on their way into a table of the file: those that came lately, over those that are being carried over.
//!
//! Knows nothing of the file: it says which piece is next and is told when that piece is there. Changes of a
//! transaction can be taken back.

use super::shards::{Leading, Shards};

/// How many are carried over for four that come: a generation is in the file when four fifths of the next one have come,
/// so that they shrink again where a restart made one long.
const CARRIED_FOR_FOUR: usize = 5;

/// The entries of one table that are not in the file, or not all of them: those that came lately, over those that are
/// under way.
#[derive(Debug)]
pub(super) struct Layers<K, V> {
    pub(super) fresh: Shards<K, V>,
    /// Being carried over.
    pub(super) going: Shards<K, V>,
    /// The last of `going` that is in the file.
    reached: Option<K>,
    /// The newest row that `going`, or the one before it, knows.
    pub(super) going_through: i64,
    /// The open transaction has carried over the last of `going`.
    over: bool,
    /// How many came in this transaction.
    came: usize,
    undo: Vec<Undo<K, V>>,
}

/// What stood there before a change.
#[derive(Debug)]
enum Undo<K, V> {
    Fresh(K, Option<V>),
    Going(K, Option<V>),
    Reached(Option<K>),
}

impl<K: Leading, V: Copy> Layers<K, V> {
    pub(super) fn new(watermark: i64) -> Self {
        Self {
            fresh: Shards::default(),
            going: Shards::default(),
            reached: None,
            going_through: watermark,
            over: false,
            came: 0,
            undo: Vec::new(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.fresh.get(key).or_else(|| self.going.get(key)).copied()
    }

    /// Those of each layer in order.
    pub(super) fn range(&self, from: K, to: K) -> impl Iterator<Item = K> {
        let (fresh, going) = (self.fresh.between(from, to), self.going.between(from, to));
        fresh.chain(going).map(|(key, _)| *key)
    }

    /// Every key that is here.
    pub(super) fn each(&self, mut each: impl FnMut(&K)) {
        for layer in [&self.fresh, &self.going] {
            layer.after(None).for_each(|(key, _)| each(key));
        }
    }

    /// A row this old is looked for in the file alone after a restart.
    pub(super) fn is_behind(&self, seq: i64) -> bool {
        seq <= self.going_through
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        self.came += 1;
        let before = self.fresh.insert(key, value);
        self.undo.push(Undo::Fresh(key, before));
    }

    /// Takes the entry away wherever it is here. Answers whether it was here and nowhere else.
    pub(super) fn take(&mut self, key: &K, is_it: impl Fn(&V) -> bool) -> bool {
        let mut only_here = false;
        if self.fresh.get(key).is_some_and(&is_it) {
            let before = self.fresh.remove(key);
            self.undo.push(Undo::Fresh(*key, before));
            only_here = true;
        }
        if self.going.get(key).is_some_and(&is_it) {
            let before = self.going.remove(key);
            self.undo.push(Undo::Going(*key, before));
            only_here = self.reached.is_none_or(|reached| *key > reached);
        }
        only_here
    }

    /// What is to be carried over now.
    pub(super) fn piece(&self) -> Option<Vec<(K, V)>> {
        if self.going.is_empty() || self.came == 0 {
            return None;
        }
        let rest = self.going.after(self.reached);
        let piece = rest.take((self.came * CARRIED_FOR_FOUR).div_ceil(4));
        Some(piece.map(|(key, value)| (*key, *value)).collect())
    }

    /// The piece is in the file. Answers the new watermark, if that was the last one.
    pub(super) fn went(&mut self, piece: &[(K, V)]) -> Option<i64> {
        if let Some((last, _)) = piece.last() {
            self.undo.push(Undo::Reached(self.reached));
            self.reached = Some(*last);
        }
        let last = self.going.last_key().copied();
        self.over = last <= self.reached;
        self.over.then_some(self.going_through)
    }

    /// How many changes could be taken back.
    pub(super) fn changes(&self) -> usize {
        self.undo.len()
    }

    /// Takes back all but the first `mark` changes of this transaction.
    pub(super) fn back_to(&mut self, mark: usize) {
        fn put_back<K: Leading, V>(layer: &mut Shards<K, V>, key: K, before: Option<V>) {
            match before {
                Some(value) => drop(layer.insert(key, value)),
                None => drop(layer.remove(&key)),
            }
        }
        for undo in self.undo.drain(mark..).rev() {
            match undo {
                Undo::Fresh(key, before) => put_back(&mut self.fresh, key, before),
                Undo::Going(key, before) => put_back(&mut self.going, key, before),
                Undo::Reached(before) => self.reached = before,
            }
        }
    }

    pub(super) fn end_transaction(&mut self) {
        self.undo.clear();
        self.came = 0;
        self.over = false;
    }

    /// Forgets what is in the file. Begins to carry over what came, if that is enough and nothing else is under way.
    pub(super) fn commit(&mut self, generation: usize, newest: i64) {
        if self.over {
            self.going = Shards::default();
            self.reached = None;
        }
        self.end_transaction();
        if self.going.is_empty() && self.fresh.len() >= generation {
            self.going = std::mem::take(&mut self.fresh);
            self.reached = None;
            self.going_through = newest;
        }
    }
}
