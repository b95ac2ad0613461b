//! A numbered record of what happened, bounded: when it is full the oldest is forgotten, and that is counted.

use std::collections::VecDeque;

use serde::Serialize;

/// Entries looked at under one lock, so that a long search never holds up the calls being recorded.
const SCAN: usize = 20_000;

#[derive(Debug)]
pub(super) struct Log<T> {
    entries: VecDeque<T>,
    /// The number of the first entry still here. Numbers begin at 1.
    first: u64,
    max: usize,
}

/// Some entries of a log, in order.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub entries: Vec<T>,
    /// Ask `since` this number for what follows.
    pub next: u64,
    /// There is more to look at now.
    pub more: bool,
    /// Entries dropped from the log's beginning because it was full.
    pub forgotten: u64,
}

impl<T: Clone> Log<T> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 1,
            max,
        }
    }

    /// Appends what `make` makes of the entry's number.
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> T) {
        let number = self.first + count(self.entries.len());
        self.entries.push_back(make(number));
        if self.entries.len() > self.max {
            self.entries.pop_front();
            self.first += 1;
        }
    }

    /// At most `limit` entries numbered above `since` that `wanted` wants. Looks at a bounded number of entries:
    /// a page can be empty and still have `more`.
    pub(super) fn page(&self, since: u64, limit: usize, wanted: impl Fn(&T) -> bool) -> Page<T> {
        let from = (since + 1).max(self.first);
        let skip = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let mut page = Page {
            entries: Vec::new(),
            next: from - 1,
            more: false,
            forgotten: self.first - 1,
        };
        for entry in self.entries.iter().skip(skip).take(SCAN) {
            if page.entries.len() >= limit {
                break;
            }
            page.next += 1;
            if wanted(entry) {
                page.entries.push(entry.clone());
            }
        }
        page.more = page.next + 1 < self.first + count(self.entries.len());
        page
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.max);
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_end() {
        let mut log = Log::new(100);
        for _ in 0..5 {
            log.push(|number| number);
        }
        let first = log.page(0, 3, |_| true);
        assert_eq!(
            (first.entries, first.next, first.more),
            (vec![1, 2, 3], 3, true)
        );
        let last = log.page(3, 3, |_| true);
        assert_eq!((last.entries, last.next, last.more), (vec![4, 5], 5, false));
        assert_eq!(log.page(5, 3, |_| true).entries, Vec::<u64>::new());
        assert_eq!(log.page(0, 9, |number| number % 2 == 0).entries, vec![2, 4]);
    }

    #[test]
    fn a_full_log_forgets_the_oldest_and_says_so() {
        let mut log = Log::new(2);
        for _ in 0..5 {
            log.push(|number| number);
        }
        let page = log.page(0, 9, |_| true);
        assert_eq!(
            (page.entries, page.forgotten, page.next),
            (vec![4, 5], 3, 5)
        );
    }

    #[test]
    fn a_cursor_beyond_the_end_finds_nothing_and_does_not_run_back() {
        let mut log = Log::new(2);
        log.push(|number| number);
        let page = log.page(7, 9, |_| true);
        assert!(page.entries.is_empty() && !page.more);
        assert_eq!(page.next, 7);
    }
}
