//! Finding the values that configured paths name, in one pass over the text and without building the rest.
//!
//! Most of a survey is question texts that nobody maps; building them as a tree costs several times the rest of
//! reading. Here all of the body is checked as JSON, and of what is needed only the place in the text is noted: a
//! number is not even parsed before somebody asks for it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::{Pick, Step};
use super::pick::Picks;

/// Where a needed value's text is noted.
pub(super) type Slot = usize;

/// The nodes that are needed of a body, as a tree of the steps that lead to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    root: Need,
    slots: usize,
    /// The slots whose values are needed as a tree.
    trees: Vec<Slot>,
    /// The slots whose values are arrays of which single elements are needed.
    picks: Vec<Picks>,
}

#[derive(Clone, Debug, Default)]
struct Need {
    slot: Option<Slot>,
    members: Vec<(Box<str>, Self)>,
    elements: Vec<(i64, Self)>,
}

/// For each slot the text of the value that stands there, if there is one.
pub(super) type Values<'a> = Vec<Option<&'a str>>;

impl Needs {
    /// Adds the node at the end of these steps, with all that is in it or as it is written; the same steps are the
    /// same slot.
    pub(super) fn add(&mut self, steps: &[Step], as_tree: bool) -> Slot {
        let mut need = &mut self.root;
        for step in steps {
            need = match step {
                Step::Name(name) => child(&mut need.members, name),
                Step::Index(index) => child(&mut need.elements, index),
            };
        }
        let slot = *need.slot.get_or_insert_with(|| {
            self.slots += 1;
            self.slots - 1
        });
        if as_tree && !self.trees.contains(&slot) {
            self.trees.push(slot);
        }
        slot
    }

    pub(super) fn trees(&self) -> &[Slot] {
        &self.trees
    }

    /// Adds elements of the array in the slot; where in what was picked of it they are found.
    pub(super) fn pick(&mut self, slot: Slot, pick: &Pick) -> usize {
        let known = self.picks.iter().position(|picks| picks.slot == slot);
        let at = known.unwrap_or_else(|| {
            self.picks.push(Picks::of(slot));
            self.picks.len() - 1
        });
        self.picks[at].add(pick)
    }

    pub(super) fn picks(&self) -> &[Picks] {
        &self.picks
    }

    /// Nothing found yet.
    pub(super) fn none<'a>(&self) -> Values<'a> {
        vec![None; self.slots]
    }

    /// Finds what is needed of the value that comes next.
    pub(super) fn seed<'n, 'de: 'n>(
        &'n self,
        values: &'n mut Values<'de>,
    ) -> impl DeserializeSeed<'de, Value = ()> + use<'n, 'de> {
        let need = &self.root;
        Finding { need, values }
    }

    /// Checks that `text` is one JSON value, and finds what is needed of it.
    pub(super) fn find<'a>(&self, text: &'a str) -> serde_json::Result<Values<'a>> {
        let mut values = self.none();
        self.root.find(text, &mut values)?;
        Ok(values)
    }
}

fn child<'a, K: Clone + PartialEq>(children: &'a mut Vec<(K, Need)>, key: &K) -> &'a mut Need {
    let known = children.iter().position(|(known, _)| known == key);
    let at = known.unwrap_or_else(|| {
        children.push((key.clone(), Need::default()));
        children.len() - 1
    });
    &mut children[at].1
}

impl Need {
    fn find<'a>(&self, text: &'a str, values: &mut [Option<&'a str>]) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_str(text);
        // Nothing here goes deeper than the configured paths.
        json.disable_recursion_limit();
        let need = self;
        Finding { need, values }.deserialize(&mut json)?;
        json.end()
    }

    fn has_children(&self) -> bool {
        !self.members.is_empty() || !self.elements.is_empty()
    }

    /// Takes back what was noted below: a member that comes again replaces all of what came before.
    fn forget(&self, values: &mut [Option<&str>]) {
        if let Some(slot) = self.slot {
            values[slot] = None;
        }
        let below = self.members.iter().map(|(_, need)| need);
        for need in below.chain(self.elements.iter().map(|(_, need)| need)) {
            need.forget(values);
        }
    }
}

/// A need, and where it notes what it finds.
struct Finding<'n, 's, 'de> {
    need: &'n Need,
    values: &'s mut [Option<&'de str>],
}

impl<'de> DeserializeSeed<'de> for Finding<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Some(slot) = self.need.slot else {
            return json.deserialize_any(self);
        };
        let text = <&RawValue as serde::Deserialize>::deserialize(json)?.get();
        self.values[slot] = Some(text);
        if self.need.has_children() {
            self.inside(text).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

impl<'de> Finding<'_, '_, 'de> {
    /// Looks on in a value whose text is noted already.
    fn inside(self, text: &'de str) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_str(text);
        json.disable_recursion_limit();
        json.deserialize_any(self)
    }
}

/// Goes into objects and arrays. Nothing is found in anything else.
impl<'de> Visitor<'de> for Finding<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { need, values } = self;
        while let Some(found) = map.next_key_seed(MemberName(&need.members))? {
            match found {
                // The last of several with one name counts, as everywhere in `serde_json`.
                Some(need) => {
                    need.forget(values);
                    map.next_value_seed(Finding { need, values })?;
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { need, values } = self;
        if need.elements.is_empty() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut elements: Vec<&'de RawValue> = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        for (index, need) in &need.elements {
            if let Some(element) = at(&elements, *index) {
                let found = need.find(element.get(), values);
                found.map_err(serde::de::Error::custom)?;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// From the end where the index is negative.
fn at<'a>(elements: &[&'a RawValue], index: i64) -> Option<&'a RawValue> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    let at = if index < 0 {
        elements.len().checked_sub(distance)?
    } else {
        distance
    };
    elements.get(at).copied()
}

/// Finds a member's name among those that are needed, without copying it.
struct MemberName<'a>(&'a [(Box<str>, Need)]);

impl<'a, 'de> DeserializeSeed<'de> for MemberName<'a> {
    type Value = Option<&'a Need>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for MemberName<'a> {
    type Value = Option<&'a Need>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let mut needed = self.0.iter().filter(|(member, _)| &**member == name);
        Ok(needed.next().map(|(_, need)| need))
    }
}

#[cfg(test)]
mod tests;
