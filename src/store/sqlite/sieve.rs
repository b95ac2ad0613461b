//! Says of most keys that they are not there, so that nobody has to look.
//!
//! Almost every survey is new and alone on its interaction, and with a large backlog each look for another is a page
//! that is not in the cache. Bloom filters, each twice as large as the one before: it can be wrong by saying "perhaps",
//! never by saying "no". What is taken away stays in here.

use fastbloom::BloomFilter;

/// How often "perhaps" is wrong in each filter.
const WRONG: f64 = 0.01;
/// Of the first filter, in keys: 16 KiB or so.
const SMALLEST: usize = 16 * 1024;
/// Tables with more rows are not read at start, which would take seconds and tens of MiB; they have no sieve.
pub(super) const MOST: i64 = 8_000_000;

#[derive(Debug)]
pub(super) struct Sieve {
    filters: Vec<BloomFilter>,
    /// Keys that the last filter may take still.
    room: usize,
    capacity: usize,
}

impl Sieve {
    /// For a table with about so many rows.
    pub(super) fn with_room_for(keys: usize) -> Self {
        let capacity = keys.max(SMALLEST);
        Self {
            filters: vec![filter(capacity)],
            room: capacity,
            capacity,
        }
    }

    pub(super) fn insert(&mut self, key: &[u8; 16]) {
        if self.room == 0 {
            self.capacity *= 2;
            self.room = self.capacity;
            self.filters.push(filter(self.capacity));
        }
        self.room -= 1;
        if let Some(last) = self.filters.last_mut() {
            last.insert(key);
        }
    }

    pub(super) fn may_hold(&self, key: &[u8; 16]) -> bool {
        self.filters.iter().any(|filter| filter.contains(key))
    }
}

fn filter(capacity: usize) -> BloomFilter {
    BloomFilter::with_false_pos(WRONG).expected_items(capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&n.to_le_bytes());
        key
    }

    #[test]
    fn what_was_inserted_is_never_denied_and_most_else_is() {
        let mut sieve = Sieve::with_room_for(0);
        for n in 0..100_000 {
            sieve.insert(&key(n));
        }
        assert!((0..100_000).all(|n| sieve.may_hold(&key(n))));
        let wrong = (100_000..200_000)
            .filter(|n| sieve.may_hold(&key(*n)))
            .count();
        assert!(wrong < 10_000, "{wrong}");
        assert!(sieve.filters.len() < 5);
    }
}
