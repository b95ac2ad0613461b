//! What is asked of a platform for one delivery, and what may come of it: the words between `delivery` and every API.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Failure, Overwrite};
use crate::clock::UnixMs;
use crate::ids::{CodeId, CodeName, EventId, InteractionId, RuleName};

/// One code to be set on one interaction.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub interaction: InteractionId,
    pub code_id: CodeId,
    /// The code's name and the rule that chose it: for people, where the API has room for a note.
    pub code: CodeName,
    pub rule: RuleName,
    /// The survey's fields by name; empty unless the platform [wants them](super::Platform::wants_answers).
    pub answers: Map<String, Value>,
    /// Repeated unchanged with every repeat.
    pub wrap_up_time: UnixMs,
    /// Look at the interaction before writing.
    pub look: Look,
    pub overwrite: Overwrite,
    /// The code that this service is known to have set there last, and those that it may have set since: they count as
    /// empty for `overwrite`.
    pub ours: Vec<CodeId>,
    /// How long ago a write went out of which it is not known whether it took effect.
    pub written_ago: Option<Duration>,
    /// When the lease ends: whatever is begun has to be over by then.
    pub lease_ends: Instant,
}

/// How the interaction is looked at before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Not at all, unless the API has to know where to write.
    No,
    /// As always; what was read a moment ago will do.
    Usual,
    /// As it is now: a write may have gone out already.
    Now,
}

impl Assignment {
    /// How long the next slot may be waited for: a third of what is left of the lease. A slot further away is not
    /// worth waiting for, and what follows needs time, too.
    pub fn patience(&self) -> Duration {
        self.left() / 3
    }

    /// What is left of the lease.
    pub fn left(&self) -> Duration {
        self.lease_ends.saturating_duration_since(Instant::now())
    }

    /// Whether this is the code that is wanted.
    pub(super) fn wants(&self, found: Option<&CodeId>) -> bool {
        found.is_some_and(|found| same(found, &self.code_id))
    }

    /// The code that has to stay, if the policy says so of what was found.
    pub(super) fn spares(&self, found: Option<&CodeId>) -> Option<CodeId> {
        let theirs = found.filter(|found| !self.ours.iter().any(|ours| same(found, ours)));
        match self.overwrite {
            Overwrite::IfEmpty => theirs.cloned(),
            Overwrite::Always => None,
        }
    }
}

/// Ids are UUIDs, and those are written in either case.
fn same(one: &CodeId, other: &CodeId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// What came of an [`Assignment`].
#[derive(Clone, Debug)]
pub struct Report {
    pub outcome: Outcome,
    /// A write was put on the wire, whatever came back.
    pub wrote: bool,
}

impl Report {
    /// Nothing was written.
    pub(super) fn unwritten(outcome: Outcome) -> Self {
        Self {
            outcome,
            wrote: false,
        }
    }

    pub(super) fn failed(step: Step, failure: Failure, wrote: bool) -> Self {
        let outcome = Outcome::Failed { step, failure };
        Self { outcome, wrote }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The platform took it and answered as documented; where it only promises to, the code was seen there since.
    Assigned {
        /// Where the API gives one.
        event: Option<EventId>,
        replaced: Option<CodeId>,
        /// For the story: what support would ask for.
        detail: String,
    },
    /// A look found the wanted code there.
    AlreadyAssigned,
    /// A look found another code, and the policy lets it stay.
    Kept {
        found: CodeId,
    },
    /// The interaction does not take a code yet.
    NotCompleted {
        state: String,
    },
    /// There is nothing on the interaction that could take the code, and there will not be.
    Unfit {
        reason: String,
    },
    /// A write was taken, or may have been, and its effect cannot be seen yet.
    Unconfirmed {
        /// How long ago that was.
        written_ago: Duration,
        /// It should be there by now: the next attempt looks once more, and then writes again.
        overdue: bool,
        detail: String,
    },
    Failed {
        step: Step,
        failure: Failure,
    },
}

/// Which call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading what there is, before a write.
    Look,
    /// Setting the code: whether it arrived may be unclear.
    Write,
    /// Looking for a code that the platform said it would set.
    Confirm,
}

/// What an assignment would do, for people: by name, in the order in which it would come about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    pub lines: Vec<(&'static str, String)>,
}

impl Preview {
    pub(super) fn line(&mut self, name: &'static str, text: impl Into<String>) {
        self.lines.push((name, text.into()));
    }

    /// What stands there, and what would become of it.
    pub(super) fn verdict(&mut self, wanted: &Assignment, found: Option<&CodeId>) {
        let stands = found.map_or_else(|| "none".to_owned(), ToString::to_string);
        self.line("code there now", stands);
        let (name, id) = (&wanted.code, &wanted.code_id);
        let would = if wanted.wants(found) {
            format!("nothing: {name} ({id}) stands there already")
        } else if wanted.spares(found).is_some() {
            format!(
                "nothing: delivery.overwrite lets that code stay, {name} ({id}) would not be written"
            )
        } else {
            format!("{name} ({id})")
        };
        self.line("would write", would);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::uuid;

    use super::*;

    /// A promoter's code for an interaction, with half a minute of lease left.
    pub(in crate::platform) fn wanted() -> Assignment {
        Assignment {
            interaction: InteractionId(uuid!("a1b2c3d4-e5f6-7890-abcd-ef1234567890")),
            code_id: CodeId::new("WANTED"),
            code: CodeName::from("WU"),
            rule: RuleName::from("promoter"),
            answers: Map::new(),
            wrap_up_time: UnixMs(0),
            look: Look::Usual,
            overwrite: Overwrite::Always,
            ours: Vec::new(),
            written_ago: None,
            lease_ends: Instant::now() + Duration::from_secs(30),
        }
    }

    #[test]
    fn a_code_stays_only_if_the_policy_says_so_and_it_is_not_ours() {
        let if_empty = Assignment {
            overwrite: Overwrite::IfEmpty,
            ours: vec![CodeId::new("known"), CodeId::new("ours")],
            ..wanted()
        };
        let other = CodeId::new("other");
        assert_eq!(wanted().spares(Some(&other)), None);
        assert_eq!(if_empty.spares(Some(&other)), Some(other));
        assert_eq!(if_empty.spares(Some(&CodeId::new("OURS"))), None);
        assert_eq!(if_empty.spares(Some(&CodeId::new("known"))), None);
        assert_eq!(if_empty.spares(None), None);
        assert!(if_empty.wants(Some(&CodeId::new("wanted"))));
    }
}
