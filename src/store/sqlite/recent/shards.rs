//! An ordered map in many small trees, for keys that begin with random bytes.
//!
//! One large tree is as many misses of the cache as it has levels, at each look. Here the first bytes of a key choose
//! the tree, and that has two levels or three. Keys that begin alike share a tree, which costs time and nothing else.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Trees, and the bits of a key that choose one: with a full generation each holds some hundred entries.
const TREES: usize = 1 << BITS;
const BITS: u32 = 10;

/// A key of which the leading bytes say most of its place in the order.
pub(super) trait Leading: Ord + Copy {
    /// The first two bytes of the key: they never fall where the keys rise.
    fn leading(&self) -> [u8; 2];
}

impl Leading for [u8; 16] {
    fn leading(&self) -> [u8; 2] {
        [self[0], self[1]]
    }
}

impl Leading for ([u8; 16], i64) {
    fn leading(&self) -> [u8; 2] {
        self.0.leading()
    }
}

#[derive(Debug)]
pub(super) struct Shards<K, V> {
    /// [`TREES`] of them, or none before the first entry comes.
    trees: Vec<BTreeMap<K, V>>,
    len: usize,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self {
            trees: Vec::new(),
            len: 0,
        }
    }
}

impl<K: Leading, V> Shards<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.trees.get(place(key))?.get(key)
    }

    /// Answers what stood there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.trees.is_empty() {
            self.trees.resize_with(TREES, BTreeMap::new);
        }
        let before = self.trees[place(&key)].insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Answers what stood there.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let before = self.trees.get_mut(place(key))?.remove(key);
        self.len -= usize::from(before.is_some());
        before
    }

    pub(super) fn last_key(&self) -> Option<&K> {
        let mut trees = self.trees.iter().rev();
        trees.find_map(|tree| Some(tree.last_key_value()?.0))
    }

    /// From `from` to `to`, both included, in order.
    pub(super) fn between(&self, from: K, to: K) -> impl Iterator<Item = (&K, &V)> {
        let trees = self.trees.get(place(&from)..=place(&to));
        let trees = trees.unwrap_or_default();
        trees.iter().flat_map(move |tree| tree.range(from..=to))
    }

    /// What comes after `last`, or all, in order.
    pub(super) fn after(&self, last: Option<K>) -> impl Iterator<Item = (&K, &V)> {
        let trees = self.trees.get(last.as_ref().map_or(0, place)..);
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let trees = trees.unwrap_or_default();
        trees
            .iter()
            .flat_map(move |tree| tree.range((from, Bound::Unbounded)))
    }
}

/// Which tree holds the key. It grows with the keys, so that the trees one after the other are in order.
fn place(key: &impl Leading) -> usize {
    usize::from(u16::from_be_bytes(key.leading()) >> (u16::BITS - BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Few leading bytes, so that keys meet, and both ends of the order.
    fn key() -> impl Strategy<Value = [u8; 16]> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(64), Just(255)];
        [byte.clone(), byte.clone(), byte].prop_map(|[first, second, last]| {
            let mut key = [0; 16];
            (key[0], key[1], key[15]) = (first, second, last);
            key
        })
    }

    proptest! {
        #[test]
        fn it_is_the_ordered_map_that_one_tree_is(
            changes in vec((key(), any::<Option<u8>>()), 0..60),
            asked in vec((key(), key()), 1..20),
        ) {
            let (mut shards, mut one) = (Shards::default(), BTreeMap::new());
            for (key, value) in changes {
                if let Some(value) = value {
                    prop_assert_eq!(shards.insert(key, value), one.insert(key, value));
                } else {
                    prop_assert_eq!(shards.remove(&key), one.remove(&key));
                }
            }
            prop_assert_eq!(shards.len(), one.len());
            prop_assert_eq!(shards.is_empty(), one.is_empty());
            prop_assert_eq!(shards.last_key(), one.last_key_value().map(|(last, _)| last));
            prop_assert!(shards.after(None).eq(one.iter()));
            for (a, b) in asked {
                let (from, to) = (a.min(b), a.max(b));
                prop_assert_eq!(shards.get(&a), one.get(&a));
                prop_assert!(shards.between(from, to).eq(one.range(from..=to)));
                let later = (Bound::Excluded(a), Bound::Unbounded);
                prop_assert!(shards.after(Some(a)).eq(one.range(later)));
            }
        }
    }
}
