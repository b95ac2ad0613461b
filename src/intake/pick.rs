//! `$.answers[?@.field.ref=='nps'].number`: the answer to one question, as most senders' bodies have it.
//!
//! Such filters are not left to the library, for which the array would have to be built as a tree: all of one array
//! are looked after in one pass over its text. They find the same: a test holds them against each other.

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};

use super::find;
use super::need::{Needs, Slot, Values};
use super::path::Pick;
use crate::survey::Node;

/// The filters over the array that stands in one slot.
#[derive(Clone, Debug)]
pub(super) struct Picks {
    pub(super) slot: Slot,
    /// Of each element.
    needs: Needs,
    /// Key, its text, and value.
    wanted: Vec<(Slot, Box<str>, Slot)>,
}

/// What one filter found in the array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Picked<'a> {
    pub(super) first: Option<&'a str>,
    pub(super) last: Option<&'a str>,
    pub(super) several: bool,
}

impl Picks {
    pub(super) fn of(slot: Slot) -> Self {
        Self {
            slot,
            needs: Needs::default(),
            wanted: Vec::new(),
        }
    }

    /// The place of its result in what [`Picks::find`] gives.
    pub(super) fn add(&mut self, pick: &Pick) -> usize {
        let key = self.needs.add(&pick.key, false);
        let value = self.needs.add(&pick.value, false);
        self.wanted.push((key, pick.text.clone(), value));
        self.wanted.len() - 1
    }

    /// Fails for what is no array, and for an array that has to be mended.
    pub(super) fn find<'a>(&self, array: &'a str) -> serde_json::Result<Vec<Picked<'a>>> {
        let mut json = serde_json::Deserializer::from_str(array);
        // Nothing here goes deeper than the configured paths.
        json.disable_recursion_limit();
        json.deserialize_seq(Picking(self))
    }

    fn look<'a>(&self, values: &Values<'a>, found: &mut [Picked<'a>]) {
        for ((key, wanted, value), picked) in self.wanted.iter().zip(found) {
            let (Some(key), Some(value)) = (values[*key], values[*value]) else {
                continue;
            };
            if matches!(find::node(key), Node::Text(text) if *text == **wanted) {
                picked.several = picked.first.is_some();
                picked.first = picked.first.or(Some(value));
                picked.last = Some(value);
            }
        }
    }
}

struct Picking<'p>(&'p Picks);

impl<'de> Visitor<'de> for Picking<'_> {
    type Value = Vec<Picked<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![Picked::default(); self.0.wanted.len()];
        let mut values = self.0.needs.none();
        while list
            .next_element_seed(self.0.needs.seed(&mut values))?
            .is_some()
        {
            self.0.look(&values, &mut found);
            values.fill(None);
        }
        Ok(found)
    }
}
