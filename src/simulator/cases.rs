//! The interactions that the simulated platform holds, and how their states go on by script.
//!
//! Invariant: only what somebody said about an interaction, or did to it, takes memory; looking at one that is not
//! known does not.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::world::later;
use crate::units::Span;

/// The only state that takes a wrap-up code.
pub(super) const COMPLETED: &str = "completed";

/// What is told about an interaction: in a script, by the control API, or in Rust.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    pub id: Uuid,
    #[serde(default = "completed")]
    pub state: String,
    /// So many looks still see `state`, then it is `then`; 0 with no `lasts`: it stays.
    #[serde(default)]
    pub looks: u32,
    /// `state` holds that long, then it is `then`.
    #[serde(default)]
    pub lasts: Option<Span>,
    #[serde(default = "completed")]
    pub then: String,
    /// The wrap-up code that it has already, by name or id.
    #[serde(default)]
    pub code: Option<String>,
    /// The client's division does not hold it: 403.
    #[serde(default)]
    pub forbidden: bool,
}

fn completed() -> String {
    COMPLETED.to_owned()
}

impl Interaction {
    pub fn completed(id: Uuid) -> Self {
        Self::in_state(id, COMPLETED)
    }

    /// Stays in this state until told otherwise.
    pub fn in_state(id: Uuid, state: &str) -> Self {
        Self {
            id,
            state: state.to_owned(),
            looks: 0,
            lasts: None,
            then: completed(),
            code: None,
            forbidden: false,
        }
    }

    /// `completed` after so many looks.
    #[must_use]
    pub fn for_looks(self, looks: u32) -> Self {
        Self { looks, ..self }
    }

    #[must_use]
    pub fn with_code(self, name_or_id: &str) -> Self {
        Self {
            code: Some(name_or_id.to_owned()),
            ..self
        }
    }

    #[must_use]
    pub fn forbidden(self) -> Self {
        Self {
            forbidden: true,
            ..self
        }
    }
}

/// An interaction as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub state: String,
    pub code_id: Option<Uuid>,
    pub forbidden: bool,
    /// Assignments that took effect.
    pub writes: u32,
}

#[derive(Debug)]
struct Case {
    state: String,
    progress: Progress,
    then: String,
    code: Option<Uuid>,
    forbidden: bool,
    writes: u32,
}

#[derive(Debug)]
enum Progress {
    Stays,
    Looks(u32),
    Until(Instant),
}

/// All interactions.
#[derive(Debug)]
pub(super) struct Cases {
    known: HashMap<Uuid, Case>,
    max: usize,
}

/// No room for another interaction.
#[derive(Debug, thiserror::Error)]
#[error("the simulator holds {0} interactions, its limit (max_interactions)")]
pub(super) struct Full(pub(super) usize);

impl Cases {
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: HashMap::new(),
            max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// Sets an interaction anew; `code` is the id behind the given one.
    pub(super) fn set(
        &mut self,
        told: Interaction,
        code: Option<Uuid>,
        now: Instant,
    ) -> Result<(), Full> {
        self.room_for(told.id)?;
        let progress = match (told.lasts, told.looks) {
            (Some(lasts), _) => Progress::Until(later(now, lasts.0)),
            (None, 0) => Progress::Stays,
            (None, looks) => Progress::Looks(looks),
        };
        let case = Case {
            state: told.state,
            progress,
            then: told.then,
            code,
            forbidden: told.forbidden,
            writes: 0,
        };
        self.known.insert(told.id, case);
        Ok(())
    }

    pub(super) fn forget(&mut self, id: Uuid) -> bool {
        self.known.remove(&id).is_some()
    }

    /// Without counting as a look.
    pub(super) fn standing(&mut self, id: Uuid, now: Instant) -> Option<Standing> {
        let case = self.known.get_mut(&id)?;
        case.go_on(now);
        Some(case.standing())
    }

    /// As a caller of the API sees it; the next one may see the next state.
    pub(super) fn look(&mut self, id: Uuid, now: Instant) -> Option<Standing> {
        let standing = self.standing(id, now)?;
        if let Some(case) = self.known.get_mut(&id)
            && let Progress::Looks(left) = &mut case.progress
        {
            *left = left.saturating_sub(1);
        }
        Some(standing)
    }

    /// Puts a code on an interaction; one that was not known is completed from then on.
    pub(super) fn write(&mut self, id: Uuid, code: Uuid) -> Result<(), Full> {
        self.room_for(id)?;
        let case = self.known.entry(id).or_insert_with(|| Case {
            state: completed(),
            progress: Progress::Stays,
            then: String::new(),
            code: None,
            forbidden: false,
            writes: 0,
        });
        case.code = Some(code);
        case.writes += 1;
        Ok(())
    }

    fn room_for(&self, id: Uuid) -> Result<(), Full> {
        if self.known.len() < self.max || self.known.contains_key(&id) {
            Ok(())
        } else {
            Err(Full(self.max))
        }
    }
}

impl Case {
    fn go_on(&mut self, now: Instant) {
        let over = match self.progress {
            Progress::Stays => false,
            Progress::Looks(left) => left == 0,
            Progress::Until(end) => end <= now,
        };
        if over {
            self.progress = Progress::Stays;
            self.state = std::mem::take(&mut self.then);
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            state: self.state.clone(),
            code_id: self.code,
            forbidden: self.forbidden,
            writes: self.writes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn states(told: Interaction, looks: usize) -> Vec<String> {
        let mut cases = Cases::new(10);
        let now = Instant::now();
        cases.set(told, None, now).unwrap();
        (0..looks)
            .map(|_| cases.look(ID, now).unwrap().state)
            .collect()
    }

    #[test]
    fn a_call_ends_after_the_looks_it_was_given() {
        let told = Interaction::in_state(ID, "connected");
        let seen = states(told.clone().for_looks(2), 4);
        assert_eq!(seen, ["connected", "connected", "completed", "completed"]);
        assert_eq!(states(told, 3), ["connected"; 3]);
    }

    #[test]
    fn a_call_ends_when_its_time_is_over() {
        let mut cases = Cases::new(10);
        let now = Instant::now();
        let told = Interaction {
            lasts: Some(Span(Duration::from_secs(5))),
            ..Interaction::in_state(ID, "connected")
        };
        cases.set(told, None, now).unwrap();
        let state = |cases: &mut Cases, after| {
            cases
                .look(ID, now + Duration::from_secs(after))
                .unwrap()
                .state
        };
        assert_eq!(state(&mut cases, 4), "connected");
        assert_eq!(state(&mut cases, 5), "completed");
    }

    #[test]
    fn what_is_full_refuses_the_new_and_serves_the_known() {
        let mut cases = Cases::new(1);
        cases.write(ID, Uuid::nil()).unwrap();
        cases.write(ID, Uuid::max()).unwrap();
        assert!(cases.write(Uuid::nil(), Uuid::nil()).is_err());
        assert_eq!(cases.standing(ID, Instant::now()).unwrap().writes, 2);
    }
}
