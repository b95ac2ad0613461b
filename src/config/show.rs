//! The configuration in force, to be printed: with defaults filled in, secrets as their origin, and where each value
//! came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::Place;
use super::raw::Raw;
use super::tree::{self, Node, Value};

/// What is in force, as people would write it.
#[derive(Clone, Debug)]
pub struct Effective {
    raw: Raw,
    /// By key, for what is not a default.
    places: BTreeMap<String, Place>,
}

impl Effective {
    pub(super) fn new(raw: Raw, root: &Node) -> Self {
        let mut places = BTreeMap::new();
        visit(root, "", &mut |key, node| {
            places.insert(key.to_owned(), node.place.clone());
        });
        Self { raw, places }
    }

    /// TOML that could be read again, with the origin of each value behind it.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let text = toml::to_string(&self.raw)?;
        let mut notes: BTreeMap<usize, String> = BTreeMap::new();
        let (root, _) = tree::parse(&text, &Arc::from(std::path::Path::new("")));
        visit(&root, "", &mut |key, node| {
            if let Place::File {
                at: Some((line, _)),
                ..
            } = node.place
            {
                notes.insert(line, self.origin(key));
            }
        });
        let mut out = String::new();
        for (index, line) in text.lines().enumerate() {
            out.push_str(line);
            // A value that goes over several lines takes no note: it would become part of the value.
            if let Some(note) = notes.get(&(index + 1))
                && line.parse::<toml::Table>().is_ok()
            {
                out.push_str(&" ".repeat(40_usize.saturating_sub(line.chars().count()).max(2)));
                out.push_str("# ");
                out.push_str(note);
            }
            out.push('\n');
        }
        Ok(out)
    }

    /// `{"config": {...}, "from": {"server.listen": "config/wrapup.toml:4:10", ...}}`; what is not in `from` is a default.
    pub fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        let from: BTreeMap<&str, String> = self
            .places
            .iter()
            .map(|(key, place)| (key.as_str(), place.to_string()))
            .collect();
        Ok(serde_json::json!({ "config": serde_json::to_value(&self.raw)?, "from": from }))
    }

    fn origin(&self, key: &str) -> String {
        match self.places.get(key) {
            Some(place) => place.to_string(),
            None => match self
                .places
                .iter()
                .find(|(held, _)| key.starts_with(&format!("{held}.")))
            {
                // A table that came as one text.
                Some((_, place)) => place.to_string(),
                None => "default".to_owned(),
            },
        }
    }
}

fn visit(node: &Node, key: &str, told: &mut impl FnMut(&str, &Node)) {
    match &node.value {
        Value::Table(entries) => {
            for (name, entry) in entries {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                visit(entry, &key, told);
            }
        }
        Value::Array(items)
            if items
                .iter()
                .any(|item| matches!(item.value, Value::Table(_))) =>
        {
            for (index, item) in items.iter().enumerate() {
                visit(item, &format!("{key}[{index}]"), told);
            }
        }
        _ => told(key, node),
    }
}
