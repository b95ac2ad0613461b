//! The conversations that the simulated platform holds: who took part, whether they have ended, and the wrap-ups that
//! stand there or are on their way.
//!
//! Invariant: only what somebody said about a conversation, or wrote to it, takes memory. A wrap-up shows on reads
//! when its time has come, in the order in which they were taken.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::told::{Conversation, Medium};
use crate::clock::UnixMs;
use crate::simulator::cases::Full;

/// A wrap-up as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wrapup {
    pub(super) code: Uuid,
    pub(super) notes: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) duration_seconds: Option<u64>,
    pub(super) end_time: Option<String>,
}

impl Wrapup {
    pub(super) fn of(code: Uuid) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::simulator) struct Case {
    pub(super) id: Uuid,
    pub(super) began: UnixMs,
    progress: Progress,
    pub(super) forbidden: bool,
    pub(super) participants: Vec<Participant>,
    /// The code of the last write, on whichever leg.
    last_code: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Ended,
    Open,
    Looks(u32),
    Until(Instant),
}

#[derive(Clone, Debug)]
pub(super) struct Participant {
    pub(super) id: Uuid,
    pub(super) purpose: String,
    pub(super) user: Option<Uuid>,
    pub(super) queue: Option<Uuid>,
    pub(super) communications: Vec<Communication>,
}

#[derive(Clone, Debug)]
pub(super) struct Communication {
    pub(super) id: Uuid,
    pub(super) medium: Medium,
    /// After the conversation's beginning; none: never.
    pub(super) connected: Option<Duration>,
    pub(super) disconnected: Duration,
    pub(super) wrapup: Option<Wrapup>,
    pub(super) on_the_way: Vec<(Instant, Wrapup)>,
    pub(super) writes: u32,
}

impl Participant {
    pub(super) fn is_agent(&self) -> bool {
        matches!(self.purpose.as_str(), "agent" | "user") && self.user.is_some()
    }

    /// The communication with this id on this medium.
    pub(super) fn communication(&self, id: Uuid, medium: Medium) -> Option<&Communication> {
        let mut all = self.communications.iter();
        all.find(|held| held.id == id && held.medium == medium)
    }
}

impl Case {
    pub(super) fn new(id: Uuid, began: UnixMs, progress: Progress, forbidden: bool) -> Self {
        Self {
            id,
            began,
            progress,
            forbidden,
            participants: Vec::new(),
            last_code: None,
        }
    }

    /// What one that nobody told of is like.
    pub(super) fn ordinary(id: Uuid, now: UnixMs) -> Self {
        Conversation::ended(id)
            .make(now, Instant::now(), |_| None)
            .expect("an ordinary call has no code that could be unknown")
    }

    pub(super) fn has_ended(&self) -> bool {
        self.progress == Progress::Ended
    }

    pub(super) fn participant(&self, id: Uuid) -> Option<&Participant> {
        self.participants.iter().find(|held| held.id == id)
    }

    fn go_on(&mut self, now: Instant) {
        let over = match self.progress {
            Progress::Ended | Progress::Open => false,
            Progress::Looks(left) => left == 0,
            Progress::Until(end) => end <= now,
        };
        if over {
            self.progress = Progress::Ended;
        }
        let legs = self.participants.iter_mut();
        for leg in legs.flat_map(|participant| &mut participant.communications) {
            while leg.on_the_way.first().is_some_and(|(at, _)| *at <= now) {
                leg.wrapup = Some(leg.on_the_way.remove(0).1);
            }
        }
    }

    fn standing(&self) -> Standing {
        let legs = self.participants.iter().flat_map(|participant| {
            let leg = |leg: &Communication| LegStanding {
                participant: participant.id,
                communication: leg.id,
                purpose: participant.purpose.clone(),
                user: participant.user,
                queue: participant.queue,
                media: leg.medium,
                code_id: leg.wrapup.as_ref().map(|wrapup| wrapup.code),
                notes: leg.wrapup.as_ref().and_then(|wrapup| wrapup.notes.clone()),
                on_the_way: leg.on_the_way.len(),
                writes: leg.writes,
            };
            participant.communications.iter().map(leg)
        });
        let legs: Vec<_> = legs.collect();
        let told = legs.iter().rev().find_map(|leg| leg.code_id);
        Standing {
            ended: self.has_ended(),
            code_id: self.last_code.or(told),
            writes: legs.iter().map(|leg| leg.writes).sum(),
            legs,
        }
    }
}

/// A conversation as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub ended: bool,
    /// The code of the last write, wherever it went and whether or not it shows yet; else of the last leg with one.
    pub code_id: Option<Uuid>,
    /// Wrap-ups that were taken.
    pub writes: u32,
    pub legs: Vec<LegStanding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegStanding {
    pub participant: Uuid,
    pub communication: Uuid,
    pub purpose: String,
    pub user: Option<Uuid>,
    pub queue: Option<Uuid>,
    pub media: Medium,
    /// As reads show it.
    pub code_id: Option<Uuid>,
    pub notes: Option<String>,
    /// Taken, and not yet shown.
    pub on_the_way: usize,
    pub writes: u32,
}

/// All conversations.
#[derive(Debug)]
pub(in crate::simulator) struct Held {
    known: HashMap<Uuid, Case>,
    max: usize,
}

impl Held {
    pub(in crate::simulator) fn new(max: usize) -> Self {
        Self {
            known: HashMap::new(),
            max,
        }
    }

    pub(in crate::simulator) fn len(&self) -> usize {
        self.known.len()
    }

    pub(in crate::simulator) fn clear(&mut self) {
        self.known.clear();
    }

    pub(in crate::simulator) fn set(&mut self, id: Uuid, case: Case) -> Result<(), Full> {
        if self.known.len() >= self.max && !self.known.contains_key(&id) {
            return Err(Full(self.max));
        }
        self.known.insert(id, case);
        Ok(())
    }

    pub(in crate::simulator) fn forget(&mut self, id: Uuid) -> bool {
        self.known.remove(&id).is_some()
    }

    pub(in crate::simulator) fn standing(&mut self, id: Uuid, now: Instant) -> Option<Standing> {
        self.peek(id, now).map(|case| case.standing())
    }

    /// As it is now, without counting as a look.
    pub(super) fn peek(&mut self, id: Uuid, now: Instant) -> Option<&mut Case> {
        let case = self.known.get_mut(&id)?;
        case.go_on(now);
        Some(case)
    }

    /// As a reader sees it; the next one may see it ended.
    pub(super) fn look(&mut self, id: Uuid, now: Instant) -> Option<Case> {
        let case = self.peek(id, now)?;
        let seen = case.clone();
        if let Progress::Looks(left) = &mut case.progress {
            *left = left.saturating_sub(1);
        }
        Some(seen)
    }

    /// Puts a wrap-up on its way to the communication of `case`, which is kept from then on.
    pub(super) fn write(
        &mut self,
        case: Case,
        communication: Uuid,
        wrapup: &Wrapup,
        shows: Instant,
        times: u32,
    ) -> Result<(), Full> {
        let id = case.id;
        if !self.known.contains_key(&id) {
            self.set(id, case)?;
        }
        let case = self.known.get_mut(&id).expect("it is known from here on");
        case.last_code = Some(wrapup.code);
        let legs = case.participants.iter_mut();
        let mut legs = legs.flat_map(|participant| &mut participant.communications);
        if let Some(leg) = legs.find(|leg| leg.id == communication) {
            leg.writes += times;
            let arriving = (shows, wrapup.clone());
            let after = leg.on_the_way.partition_point(|(at, _)| *at <= shows);
            leg.on_the_way
                .splice(after..after, std::iter::repeat_n(arriving, count(times)));
        }
        Ok(())
    }
}

fn count(times: u32) -> usize {
    usize::try_from(times).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn code_on(held: &mut Held, after: Duration, now: Instant) -> Option<Uuid> {
        let standing = held.standing(ID, now + after).unwrap();
        standing.legs.iter().find_map(|leg| leg.code_id)
    }

    #[test]
    fn a_wrap_up_shows_when_its_time_has_come_and_the_later_one_last() {
        let mut held = Held::new(10);
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let case = Case::ordinary(ID, UnixMs(0));
        let leg = case.participants[2].communications[0].id;
        for (code, after) in [(1, 3), (2, 1)] {
            let wrapup = Wrapup::of(Uuid::from_u128(code));
            held.write(case.clone(), leg, &wrapup, now + after * second, 1)
                .unwrap();
        }
        assert_eq!(code_on(&mut held, Duration::ZERO, now), None);
        assert_eq!(code_on(&mut held, second, now), Some(Uuid::from_u128(2)));
        assert_eq!(
            code_on(&mut held, 3 * second, now),
            Some(Uuid::from_u128(1))
        );
        assert_eq!(held.standing(ID, now).unwrap().writes, 2);
    }

    #[test]
    fn an_open_conversation_ends_after_its_looks() {
        let mut held = Held::new(1);
        let now = Instant::now();
        let told = Conversation {
            looks: 2,
            ..Conversation::ended(ID)
        };
        let case = told.make(UnixMs(0), now, |_| None).unwrap();
        held.set(ID, case).unwrap();
        let ended: Vec<_> = (0..3)
            .map(|_| held.look(ID, now).unwrap().has_ended())
            .collect();
        assert_eq!(ended, [false, false, true]);
        let other = Case::ordinary(Uuid::nil(), UnixMs(0));
        assert!(held.set(Uuid::nil(), other).is_err());
    }
}
