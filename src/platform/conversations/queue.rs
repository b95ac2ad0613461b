//! Whether the leg's queue takes the code: the list of a queue is read once and kept for a while.
//!
//! A list that lacks the code is read anew before it is believed: somebody may just have added it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::CodeId;

/// As long as the code book's own refresh takes by default.
const LIFE: Duration = Duration::from_mins(5);
/// More queues than most organisations have; beyond it lists are read again.
const MOST: usize = 1_000;

/// The codes of queues, by the queue's id.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<HashMap<String, List>>);

#[derive(Debug)]
struct List {
    read_at: Instant,
    codes: Vec<CodeId>,
}

impl Queues {
    /// Whether a list that was read lately holds the code.
    pub(super) fn known_to_allow(&self, queue: &str, code: &CodeId) -> bool {
        let queues = self.lock();
        let list = queues.get(queue);
        list.is_some_and(|list| list.read_at.elapsed() < LIFE && allows(&list.codes, code))
    }

    pub(super) fn keep(&self, queue: &str, codes: Vec<CodeId>) {
        let mut queues = self.lock();
        if queues.len() >= MOST && !queues.contains_key(queue) {
            queues.retain(|_, list| list.read_at.elapsed() < LIFE);
            if queues.len() >= MOST {
                queues.clear();
            }
        }
        let read_at = Instant::now();
        queues.insert(queue.to_owned(), List { read_at, codes });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, List>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn allows(codes: &[CodeId], code: &CodeId) -> bool {
    codes
        .iter()
        .any(|one| one.as_str().eq_ignore_ascii_case(code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_is_believed_for_a_while_and_only_about_what_it_holds() {
        let queues = Queues::default();
        let (one, other) = (CodeId::from("One"), CodeId::from("other"));
        assert!(!queues.known_to_allow("q", &one));
        queues.keep("q", vec![CodeId::from("ONE")]);
        assert!(queues.known_to_allow("q", &one));
        assert!(!queues.known_to_allow("q", &other));
        tokio::time::advance(LIFE).await;
        assert!(!queues.known_to_allow("q", &one));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_queues_are_kept_than_the_bound() {
        let queues = Queues::default();
        for n in 0..MOST + 10 {
            queues.keep(&n.to_string(), Vec::new());
            assert!(queues.lock().len() <= MOST);
        }
    }
}
