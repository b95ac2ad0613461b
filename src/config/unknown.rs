//! Keys that nobody asks for: what they may have meant, and everywhere they were written.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Place, Problem};
use super::tree::{Node, Value};

/// Unknown keys by key and place, because the tree is read many times.
pub(super) type Unknown = BTreeMap<(String, Place), Problem>;

/// Records `name`, which is none of `known`, at every place that speaks of it.
pub(super) fn record(unknown: &mut Unknown, key: &str, name: &str, node: &Node, known: &[&str]) {
    let written = name.escape_debug();
    let message = match nearest(name, known) {
        Some(meant) => format!("unknown key `{written}`; did you mean `{meant}`?"),
        None => format!("unknown key `{written}`; known here: {}", known.join(", ")),
    };
    let mut places = BTreeSet::new();
    places_of(node, &mut places);
    for place in places {
        let problem = Problem {
            place: place.clone(),
            key: key.to_owned(),
            message: message.clone(),
        };
        unknown.insert((key.to_owned(), place), problem);
    }
}

/// The known name that is a slip of the finger away, if there is one.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let slips = 2.max(name.len() / 3);
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), *known))
        .filter(|(distance, known)| *distance <= slips && *distance < known.len())
        .min()
        .map(|(_, known)| known)
}

/// The place in the file, and every variable that sets the key or something in it.
fn places_of(node: &Node, places: &mut BTreeSet<Place>) {
    let of_file = matches!(node.key_place, Place::File { .. });
    match &node.value {
        Value::Table(entries) if !entries.is_empty() => {
            if of_file {
                places.insert(node.key_place.clone());
            }
            for entry in entries.values() {
                if !of_file || has_variable(entry) {
                    places_of(entry, places);
                }
            }
        }
        _ => {
            places.insert(node.key_place.clone());
        }
    }
}

/// Whether a variable set this, or anything in it.
pub(super) fn has_variable(node: &Node) -> bool {
    match (&node.value, &node.place) {
        (_, Place::Env(_)) => true,
        (Value::Table(entries), _) => entries.values().any(has_variable),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("listne", &["listen", "token"]), Some("listen"));
        assert_eq!(nearest("max-body", &["max_body"]), Some("max_body"));
        assert_eq!(nearest("colour", &["listen", "token"]), None);
        assert_eq!(nearest("x", &["per", "of"]), None);
    }
}
