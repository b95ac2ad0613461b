//! The environment's say: `WRAPUP__SECTION__KEY=value` over the file.
//!
//! Names are lower-cased; values stay text until the key's type is known. What is no key at all is found later, where
//! the tree is read, as for the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::{Place, Problem};
use super::tree::{Node, Value};
use super::unknown::has_variable;

/// What the variables of the configuration begin with.
pub(super) const PREFIX: &str = "WRAPUP__";

/// Lays the variables over the tree; others than ours are passed by. What cannot be laid is told.
pub(super) fn overlay(
    root: &mut Node,
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<Problem> {
    // Sorted, so that a table comes before the keys in it, and that every run says the same.
    let ours: BTreeMap<String, String> = variables
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    let mut problems = Vec::new();
    for (name, value) in ours {
        let place = Place::Env(Arc::from(name.as_str()));
        let leaf = Node::new(Value::Text(value), place.clone());
        if let Err((key, message)) = lay(root, &name, leaf) {
            problems.push(Problem {
                place,
                key,
                message,
            });
        }
    }
    problems
}

/// Puts a leaf where its name says, or tells the key and why not.
fn lay(root: &mut Node, name: &str, leaf: Node) -> Result<(), (String, String)> {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    let segments: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
    if segments.iter().any(String::is_empty) {
        let message = format!(
            "an empty part in the name: write {PREFIX}SECTION__KEY, with two underscores between the parts"
        );
        return Err((String::new(), message));
    }
    let key = segments.join(".");
    let (last, parents) = match segments.split_last() {
        Some((last, parents)) if segments.first().is_some_and(|first| first != "source") => {
            (last, parents)
        }
        _ => {
            let message = "sources cannot be set by environment: write them in the file (their secrets can come from variables)";
            return Err((key, message.to_owned()));
        }
    };
    let twice = |node: &Node| format!("set beside {}: set one of the two", node.place);
    let mut at = root;
    for parent in parents {
        // Where the file has something else than a table, its own fault is told when the tree is read.
        let Value::Table(entries) = &mut at.value else {
            return Ok(());
        };
        at = entries
            .entry(parent.clone())
            .or_insert_with(|| Node::new(Value::Table(BTreeMap::new()), leaf.place.clone()));
        if let Value::Text(_) = at.value {
            return Err((key, twice(at)));
        }
    }
    let Value::Table(entries) = &mut at.value else {
        return Ok(());
    };
    match entries.get(last) {
        Some(known) if has_variable(known) => Err((key, twice(known))),
        _ => {
            entries.insert(last.clone(), leaf);
            Ok(())
        }
    }
}
