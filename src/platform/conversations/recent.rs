//! Conversations that were read a moment ago, so that several surveys about one do not read it again and again.
//!
//! Good for one thing: to know where to write. Not to be used where what stands there *now* decides: after a write
//! of unclear outcome, to confirm, to say that the code is there already, where `overwrite = "if-empty"` asks
//! whether there is one. Only conversations that have ended are kept, because nobody joins those any more.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::leg::Conversation;
use crate::ids::{CodeId, InteractionId};

/// Surveys about one conversation that come within this read it once.
const LIFE: Duration = Duration::from_secs(30);
/// A few kB each at most, and more than are in work at the same time.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    id: InteractionId,
    read_at: Instant,
    conversation: Conversation,
}

impl Recent {
    pub(super) fn get(&self, id: InteractionId) -> Option<Conversation> {
        let kept = self.lock();
        let found = kept.iter().find(|one| one.id == id)?;
        Some(found.conversation.clone())
    }

    pub(super) fn keep(&self, id: InteractionId, conversation: &Conversation) {
        let mut kept = self.lock();
        kept.retain(|one| one.id != id);
        if !conversation.ended {
            return;
        }
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back(Kept {
            id,
            read_at: Instant::now(),
            conversation: conversation.clone(),
        });
    }

    pub(super) fn forget(&self, id: InteractionId) {
        self.lock().retain(|one| one.id != id);
    }

    /// A write of ours was seen there.
    pub(super) fn note_code(&self, id: InteractionId, communication: &str, code: &CodeId) {
        let mut kept = self.lock();
        for one in kept.iter_mut().filter(|one| one.id == id) {
            one.conversation.note_code(communication, code);
        }
    }

    /// Without those whose time is over; they stand in the order in which they were read.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept
            .front()
            .is_some_and(|first| first.read_at.elapsed() > LIFE)
        {
            kept.pop_front();
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::platform::conversations::wire;

    fn conversation(ended: bool) -> Conversation {
        let end = ended.then_some("2026-01-31T10:00:00Z");
        let body = json!({ "endTime": end, "participants": [] });
        Conversation::from(serde_json::from_value::<wire::Conversation>(body).unwrap())
    }

    fn id(n: usize) -> InteractionId {
        InteractionId(Uuid::from_u128(u128::try_from(n).unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_kept_for_a_short_time_and_only_once_it_has_ended() {
        let recent = Recent::default();
        recent.keep(id(1), &conversation(true));
        recent.keep(id(2), &conversation(false));
        assert!(recent.get(id(1)).is_some());
        assert_eq!(recent.get(id(2)), None);
        tokio::time::advance(LIFE + Duration::from_secs(1)).await;
        assert_eq!(recent.get(id(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_kept_than_the_bound() {
        let recent = Recent::default();
        for n in 0..=MOST {
            recent.keep(id(n), &conversation(true));
        }
        assert_eq!(recent.get(id(0)), None);
        assert!(recent.get(id(1)).is_some() && recent.get(id(MOST)).is_some());
        assert_eq!(recent.lock().len(), MOST);
        recent.forget(id(1));
        assert_eq!(recent.get(id(1)), None);
    }
}
