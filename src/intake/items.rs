//! A body of several surveys.
//!
//! Each item is kept and recognised by its own bytes, together with what its fields read from the rest of the body:
//! an item that is sent again is the same survey, whatever it is sent together with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::find::Document;
use super::need::{Needs, Slot};
use super::path::Path;
use crate::survey::Node;

/// Where nothing else is configured; no sender is known that puts more into one body.
const DEFAULT_MAX: usize = 1000;
/// One transaction holds them all, and the others wait for it.
const MOST: usize = 10_000;
/// Each item is kept with what its fields read from the rest of the body, so that one long text there would be kept
/// thousands of times. This is the most that comes of one body in this way.
const MOST_REPEATED_BYTES: usize = 16 * 1024 * 1024;

/// Where the items stand, and how many there may be.
#[derive(Clone, Debug)]
pub(super) struct Items {
    path: Path,
    slot: Slot,
    max: usize,
}

/// Why a body has no items.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("no surveys found there")]
    Nothing,
    #[error("more than {0} surveys in one body")]
    TooMany(usize),
    #[error(
        "what fields read with `from = \"body\"` would be kept {0} times, which is more than {MOST_REPEATED_BYTES} bytes"
    )]
    TooHeavy(usize),
}

impl Items {
    /// An empty path takes back what the preset says. Problems are added as `key: what to do`.
    pub(super) fn compile(
        path: Option<&str>,
        max_items: Option<usize>,
        needs: &mut Needs,
        problems: &mut Vec<String>,
    ) -> Option<Self> {
        let max = max_items.unwrap_or(DEFAULT_MAX);
        if !(1..=MOST).contains(&max) {
            problems.push(format!("max_items: from 1 to {MOST}"));
        }
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            if max_items.is_some() {
                problems.push("max_items: has no effect without `items`".to_owned());
            }
            return None;
        };
        match Path::parse(path) {
            Ok(path) => {
                let as_tree = path.query().is_some() && !path.is_every_child();
                let slot = needs.add(path.steps(), as_tree);
                Some(Self { path, slot, max })
            }
            Err(problem) => {
                problems.push(format!("items: {problem}"));
                None
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The text of each item, in their order. None at all is right only for an empty list.
    pub(super) fn split<'a>(&self, body: &'a Document<'_>) -> Result<Vec<Cow<'a, str>>, Fault> {
        let text = body.text(self.slot).ok_or(Fault::Nothing)?;
        let items: Vec<_> = match self.path.query() {
            Some(_) if self.path.is_every_child() => {
                let children: Children<'a> =
                    serde_json::from_str(text).map_err(|_no_container| Fault::Nothing)?;
                self.at_most(children.0.len())?;
                let texts = children.0.into_iter().map(RawValue::get);
                texts.map(Cow::Borrowed).collect()
            }
            Some(query) => {
                let nodes = query.query(body.tree(self.slot).ok_or(Fault::Nothing)?);
                self.at_most(nodes.len())?;
                let texts = nodes.into_iter().map(|node| Cow::Owned(node.to_string()));
                let texts: Vec<_> = texts.collect();
                if texts.is_empty() {
                    return Err(Fault::Nothing);
                }
                texts
            }
            None => vec![Cow::Borrowed(text)],
        };
        Ok(items)
    }

    /// Whether so many items may each be kept with so many bytes of the rest of the body.
    pub(super) fn bear(items: usize, bytes: usize) -> Result<(), Fault> {
        if items.saturating_mul(bytes) > MOST_REPEATED_BYTES {
            return Err(Fault::TooHeavy(items));
        }
        Ok(())
    }

    fn at_most(&self, items: usize) -> Result<(), Fault> {
        if items > self.max {
            return Err(Fault::TooMany(self.max));
        }
        Ok(())
    }
}

/// The elements of an array, or the members' values of an object: `[*]`.
struct Children<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Children<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(all)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while map.next_key::<IgnoredAny>()?.is_some() {
                    all.push(map.next_value()?);
                }
                Ok(all)
            }
        }

        json.deserialize_any(All).map(Self)
    }
}

/// An item as it is kept: what it was, and what its fields found in the rest of the body, by their names. The names
/// tell it from a body.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept<'a> {
    #[serde(borrow, rename = "$item")]
    pub(super) item: &'a RawValue,
    #[serde(
        borrow,
        rename = "$body",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(super) body: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

/// A value as JSON text, to be found again; what no field takes stays that.
pub(super) fn text_of(node: &Node<'_>) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Boolean(truth) => truth.to_string(),
        Node::Number(text) => text.clone().into_owned(),
        Node::Text(text) => serde_json::Value::from(&**text).to_string(),
        Node::Nested => "[]".to_owned(),
    }
}
