//! Which fault strikes a call. Faults for one interaction are kept apart by its id, so that thousands of them cost a
//! call nothing but one look-up.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{BadFault, Fault};
use crate::simulator::record::Operation;

/// More is a mistake of the script.
const MAX_FAULTS: usize = 200_000;

/// The faults in force.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Plan {
    general: Vec<Armed>,
    by_interaction: HashMap<Uuid, Vec<Armed>>,
    armed: usize,
    last_id: u64,
    struck: u64,
}

#[derive(Debug)]
struct Armed {
    id: u64,
    fault: Arc<Fault>,
    left: Option<u32>,
    struck: u64,
    /// When somebody takes it away; not when it is used up.
    removed: CancellationToken,
}

/// What strikes a call.
#[derive(Debug)]
pub(in crate::simulator) struct Strike {
    pub(in crate::simulator) fault: Arc<Fault>,
    /// The fault was taken away, and its latency with it.
    pub(in crate::simulator) removed: CancellationToken,
}

/// A fault in force, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub id: u64,
    /// How many calls it has struck.
    pub struck: u64,
    /// How many it will strike yet; none: no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    pub fault: Arc<Fault>,
}

impl Plan {
    /// Answers the id that [`Plan::remove`] takes.
    pub(in crate::simulator) fn add(&mut self, fault: Fault) -> Result<u64, BadFault> {
        fault.check()?;
        if self.armed >= MAX_FAULTS {
            return Err(BadFault(format!(
                "{MAX_FAULTS} faults are in force already"
            )));
        }
        self.last_id += 1;
        self.armed += 1;
        let list = match fault.interaction {
            Some(interaction) => self.by_interaction.entry(interaction).or_default(),
            None => &mut self.general,
        };
        list.push(Armed {
            id: self.last_id,
            left: fault.times,
            fault: Arc::new(fault),
            struck: 0,
            removed: CancellationToken::new(),
        });
        Ok(self.last_id)
    }

    /// Calls that wait for its latency go on.
    pub(in crate::simulator) fn remove(&mut self, id: u64) -> bool {
        self.remove_all(|armed| armed.id == id)
    }

    /// None, and none has ever struck.
    pub(in crate::simulator) fn reset(&mut self) {
        self.clear();
        *self = Self::default();
    }

    /// Calls that wait for a latency go on.
    pub(in crate::simulator) fn clear(&mut self) {
        self.remove_all(|_| true);
    }

    fn remove_all(&mut self, is_meant: impl Fn(&Armed) -> bool) -> bool {
        let before = self.armed;
        let stays = |armed: &mut Armed| {
            let stays = !is_meant(armed);
            if !stays {
                armed.removed.cancel();
            }
            stays
        };
        self.general.retain_mut(stays);
        self.by_interaction.retain(|_, list| {
            list.retain_mut(stays);
            !list.is_empty()
        });
        self.armed = self.general.len() + self.by_interaction.values().map(Vec::len).sum::<usize>();
        self.armed < before
    }

    pub(in crate::simulator) fn list(&self) -> Vec<Listed> {
        let mut all: Vec<_> = self
            .general
            .iter()
            .chain(self.by_interaction.values().flatten())
            .map(|armed| Listed {
                id: armed.id,
                struck: armed.struck,
                left: armed.left,
                fault: Arc::clone(&armed.fault),
            })
            .collect();
        all.sort_unstable_by_key(|listed| listed.id);
        all
    }

    pub(in crate::simulator) fn armed(&self) -> usize {
        self.armed
    }

    pub(in crate::simulator) fn struck(&self) -> u64 {
        self.struck
    }

    /// The fault for this call, used up by one. `dice` gives a number from 0 to 1.
    pub(in crate::simulator) fn pick(
        &mut self,
        operation: Operation,
        interaction: Option<Uuid>,
        dice: impl Fn() -> f64,
    ) -> Option<Strike> {
        if self.armed == 0 {
            return None;
        }
        let own = interaction.and_then(|id| {
            let list = self.by_interaction.get_mut(&id)?;
            let found = strike(list, operation, &dice);
            if list.is_empty() {
                self.by_interaction.remove(&id);
            }
            found
        });
        let (strike, used_up) = own.or_else(|| strike(&mut self.general, operation, &dice))?;
        self.struck += 1;
        self.armed -= usize::from(used_up);
        Some(strike)
    }
}

/// The first that fits, and whether that was its last time.
fn strike(
    list: &mut Vec<Armed>,
    operation: Operation,
    dice: impl Fn() -> f64,
) -> Option<(Strike, bool)> {
    let at = list.iter().position(|armed| {
        armed.fault.on.is_none_or(|on| on == operation)
            && armed.fault.probability.is_none_or(|p| dice() < p)
    })?;
    let armed = &mut list[at];
    armed.struck += 1;
    armed.left = armed.left.map(|left| left - 1);
    let strike = Strike {
        fault: Arc::clone(&armed.fault),
        removed: armed.removed.clone(),
    };
    let used_up = armed.left == Some(0);
    if used_up {
        list.remove(at);
    }
    Some((strike, used_up))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: fn() -> f64 = || 0.0;

    fn status(plan: &mut Plan, operation: Operation, id: Option<Uuid>) -> Option<u16> {
        plan.pick(operation, id, ALWAYS)
            .and_then(|strike| strike.fault.status)
    }

    #[test]
    fn a_fault_strikes_as_often_as_told_and_only_where_told() {
        let mut plan = Plan::default();
        plan.add(Fault::status(503).on(Operation::Assign).times(2))
            .unwrap();
        assert_eq!(status(&mut plan, Operation::State, None), None);
        assert_eq!(status(&mut plan, Operation::Assign, None), Some(503));
        assert_eq!(status(&mut plan, Operation::Assign, None), Some(503));
        assert_eq!(status(&mut plan, Operation::Assign, None), None);
        assert_eq!((plan.armed(), plan.struck()), (0, 2));
    }

    #[test]
    fn one_interactions_fault_goes_before_the_general_one() {
        let mut plan = Plan::default();
        let id = Uuid::from_u128(1);
        plan.add(Fault::status(500)).unwrap();
        plan.add(Fault::status(404).about(id).times(1)).unwrap();
        assert_eq!(status(&mut plan, Operation::State, Some(id)), Some(404));
        assert_eq!(status(&mut plan, Operation::State, Some(id)), Some(500));
        assert_eq!(plan.armed(), 1);
    }

    #[test]
    fn chance_decides_where_it_was_asked_to() {
        let mut plan = Plan::default();
        plan.add(Fault::status(500).probability(0.5)).unwrap();
        assert!(plan.pick(Operation::Codes, None, || 0.6).is_none());
        assert!(plan.pick(Operation::Codes, None, || 0.4).is_some());
    }

    #[test]
    fn a_removed_fault_strikes_no_more() {
        let mut plan = Plan::default();
        let id = plan.add(Fault::status(500)).unwrap();
        assert!(plan.remove(id) && !plan.remove(id));
        assert_eq!(status(&mut plan, Operation::Codes, None), None);
    }

    #[test]
    fn who_was_struck_learns_of_a_removal_and_not_of_the_last_time() {
        let mut plan = Plan::default();
        let about = Uuid::from_u128(1);
        plan.add(Fault::status(500).about(about).times(1)).unwrap();
        let id = plan.add(Fault::status(500)).unwrap();
        let used_up = plan.pick(Operation::State, Some(about), ALWAYS).unwrap();
        let removed = plan.pick(Operation::State, Some(about), ALWAYS).unwrap();
        plan.add(Fault::status(500)).unwrap();
        plan.remove(id);
        let cleared = plan.pick(Operation::State, Some(about), ALWAYS).unwrap();
        assert!(removed.removed.is_cancelled() && !cleared.removed.is_cancelled());
        plan.clear();
        assert!(cleared.removed.is_cancelled() && !used_up.removed.is_cancelled());
        assert_eq!(plan.armed(), 0);
    }
}
