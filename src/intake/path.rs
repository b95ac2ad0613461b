//! Where values stand in a body: RFC 9535 `JSONPath`, compiled once.
//!
//! Paths that can name one node only (names and indices, nearly all that are configured) are walked directly; the
//! rest goes through `serde_json_path`. Both find the same: a test holds them against each other.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::config::Take;

/// A compiled path.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: Arc<str>,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Steps(Box<[Step]>),
    Query(Box<JsonPath>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    /// From the end where negative.
    Index(i64),
}

/// What was found at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Nothing,
    One(&'a Value),
    Several,
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let query = JsonPath::parse(text).map_err(|cause| {
            format!("`{text}` is no JSONPath (RFC 9535): {cause}; write `$.name` or `$['name']`")
        })?;
        let way = match singular(text) {
            Some(steps) => Way::Steps(steps.into()),
            None => Way::Query(Box::new(query)),
        };
        let text = text.into();
        Ok(Self { text, way })
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// From the root to the one node that it can name; `None`: it is a query.
    pub(super) fn steps(&self) -> Option<&[Step]> {
        match &self.way {
            Way::Steps(steps) => Some(steps),
            Way::Query(_) => None,
        }
    }

    pub(super) fn find<'a>(&self, root: &'a Value, take: Option<Take>) -> Found<'a> {
        match &self.way {
            Way::Steps(steps) => walk(steps, root).map_or(Found::Nothing, Found::One),
            Way::Query(query) => {
                let nodes = query.query(root);
                let several = nodes.len() > 1;
                let node = match take {
                    None if several => return Found::Several,
                    None | Some(Take::First) => nodes.first(),
                    Some(Take::Last) => nodes.last(),
                };
                node.map_or(Found::Nothing, Found::One)
            }
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn walk<'a>(steps: &[Step], root: &'a Value) -> Option<&'a Value> {
    steps.iter().try_fold(root, |node, step| match step {
        Step::Name(name) => node.as_object()?.get(&**name),
        Step::Index(index) => {
            let list = node.as_array()?;
            let at = match usize::try_from(*index) {
                Ok(from_start) => from_start,
                Err(_) => list
                    .len()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            };
            list.get(at)
        }
    })
}

/// The steps of a valid path that is written with plain names and indices only; `None` leaves it to the library.
fn singular(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, tail) = after.split_at_checked(end)?;
            let plain = |c: char| c.is_alphanumeric() || c == '_';
            let is_plain = !name.is_empty() && name.chars().all(plain);
            (is_plain.then(|| Step::Name(name.into()))?, tail)
        } else {
            bracketed(rest.strip_prefix('[')?)?
        };
        steps.push(step);
    }
    Some(steps)
}

/// What stands before the closing bracket, and what follows it.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    for quote in ['\'', '"'] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (name, tail) = quoted.split_once(quote)?;
            let escaped = name.contains('\\');
            let tail = tail.strip_prefix(']')?;
            return (!escaped).then(|| (Step::Name(name.into()), tail));
        }
    }
    let (index, tail) = text.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Value {
        json!({
            "a": {"b c": [10, 20, 30], "d'e": 1, "é": 2, "f.g": 3, "n": null},
            "list": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "y", "v": 3}],
        })
    }

    #[test]
    fn the_direct_way_and_the_library_find_the_same() {
        let direct = [
            "$",
            "$.a",
            "$.a.n",
            "$['a'][\"b c\"][0]",
            "$.a['b c'][-1]",
            "$.a['b c'][-4]",
            "$.a['b c'][3]",
            "$.a[\"d'e\"]",
            "$.a.é",
            "$.a['f.g']",
            "$.a['x']['y']",
            "$.list[1].v",
            "$.list.v",
            "$.a[0]",
            "$['']",
        ];
        let body = body();
        for text in direct {
            let path = Path::parse(text).unwrap();
            assert!(matches!(path.way, Way::Steps(_)), "{text} is not direct");
            let expected = JsonPath::parse(text).unwrap().query(&body).first();
            let found = match path.find(&body, None) {
                Found::One(value) => Some(value),
                _ => None,
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn other_paths_go_through_the_library_and_several_nodes_need_a_choice() {
        #[track_caller]
        fn check(text: &str, take: Option<Take>, expected: Found<'_>) {
            let path = Path::parse(text).unwrap();
            assert!(matches!(path.way, Way::Query(_)), "{text} is direct");
            assert_eq!(path.find(&body(), take), expected, "{text}");
        }
        check("$.list[?@.k=='x'].v", None, Found::One(&json!(1)));
        check("$.list[?@.k=='y'].v", None, Found::Several);
        check(
            "$.list[?@.k=='y'].v",
            Some(Take::First),
            Found::One(&json!(2)),
        );
        check(
            "$.list[?@.k=='y'].v",
            Some(Take::Last),
            Found::One(&json!(3)),
        );
        check("$.list[?@.k=='z'].v", Some(Take::Last), Found::Nothing);
        check("$..v", None, Found::Several);
        check("$.a['d\\'e']", None, Found::One(&json!(1)));
        check("$.list[*]['v']", Some(Take::First), Found::One(&json!(1)));
    }

    #[test]
    fn what_is_no_path_is_told() {
        for bad in [
            "",
            "interactionId",
            "$.",
            "$[",
            "$.a b",
            "$.a-b",
            "$[01]",
            "$.1a",
        ] {
            let problem = Path::parse(bad).unwrap_err();
            assert!(problem.contains("is no JSONPath"), "{bad}: {problem}");
        }
    }
}
