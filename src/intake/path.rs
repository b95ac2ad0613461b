//! Where values stand in a body: RFC 9535 `JSONPath`, compiled once.
//!
//! A path begins with steps that can name one node only (names and indices: nearly all that are configured are
//! nothing else), which are found while the body is read; what follows them is a query for `serde_json_path`. Both
//! find the same: a test holds them against each other.
//!
//! Invariant: no body makes a path cost more than its size times its depth. A query that could is refused when it is
//! compiled, because nothing can stop it once it runs.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::config::Take;

/// A compiled path.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: Arc<str>,
    steps: Box<[Step]>,
    /// Over the node that the steps lead to.
    query: Option<Box<JsonPath>>,
    /// The query is `[*]`.
    every_child: bool,
    /// The query, if it is as simple as this.
    pick: Option<Pick>,
}

/// `[?@.key=='text'].value`: of the elements whose key is this text, the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) key: Box<[Step]>,
    pub(super) text: Box<str>,
    pub(super) value: Box<[Step]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    /// From the end where negative.
    Index(i64),
}

/// What was found at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<T> {
    Nothing,
    One(T),
    Several,
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let whole = JsonPath::parse(text).map_err(|cause| {
            format!("`{text}` is no JSONPath (RFC 9535): {cause}; write `$.name` or `$['name']`")
        })?;
        is_bounded(text).map_err(|problem| format!("`{text}` {problem}"))?;
        let (steps, rest) = steps(text.strip_prefix('$').unwrap_or(text));
        let every_child = matches!(rest, "[*]" | ".*");
        let pick = pick(rest);
        let (steps, query) = if rest.is_empty() {
            (steps, None)
        } else if rest.contains('$') {
            // A filter that looks at the whole body must be given the whole.
            (Vec::new(), Some(whole))
        } else {
            match JsonPath::parse(&format!("${rest}")) {
                Ok(query) => (steps, Some(query)),
                Err(_) => (Vec::new(), Some(whole)),
            }
        };
        Ok(Self {
            text: text.into(),
            steps: steps.into(),
            query: query.map(Box::new),
            every_child,
            pick,
        })
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// From the root to the one node that they can name.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What is looked for from there on.
    pub(super) fn query(&self) -> Option<&JsonPath> {
        self.query.as_deref()
    }

    pub(super) fn pick(&self) -> Option<&Pick> {
        self.pick.as_ref()
    }

    /// Whether it is its steps and then whatever stands in the array or object there.
    pub(super) fn is_every_child(&self) -> bool {
        self.every_child
    }
}

/// The node that counts of those that a query finds in `root`.
pub(super) fn query<'a>(query: &JsonPath, root: &'a Value, take: Option<Take>) -> Found<&'a Value> {
    let nodes = query.query(root);
    let node = match take {
        None if nodes.len() > 1 => return Found::Several,
        None | Some(Take::First) => nodes.first(),
        Some(Take::Last) => nodes.last(),
    };
    node.map_or(Found::Nothing, Found::One)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A valid path's leading steps, as far as they are written with plain names and indices, and what follows them.
fn steps(text: &str) -> (Vec<Step>, &str) {
    let mut rest = text;
    let mut steps = Vec::new();
    while let Some((step, tail)) = step(rest) {
        steps.push(step);
        rest = tail;
    }
    (steps, rest)
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(after) = text.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, tail) = after.split_at_checked(end.unwrap_or(after.len()))?;
        return (!name.is_empty()).then(|| (Step::Name(name.into()), tail));
    }
    let inside = text.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = inside.strip_prefix(quote) {
            let (name, tail) = quoted.split_once(quote)?;
            let escaped = name.contains('\\');
            let tail = tail.strip_prefix(']')?;
            return (!escaped).then(|| (Step::Name(name.into()), tail));
        }
    }
    let (index, tail) = inside.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), tail))
}

/// A query that is nothing but one comparison with a text.
fn pick(text: &str) -> Option<Pick> {
    let filter = text.strip_prefix("[?")?.trim_start().strip_prefix('@')?;
    let (key, rest) = steps(filter);
    let literal = rest.trim_start().strip_prefix("==")?.trim_start();
    let quote = literal.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (text, rest) = literal.strip_prefix(quote)?.split_once(quote)?;
    let (value, rest) = steps(rest.trim_start().strip_prefix(']')?);
    let plain = rest.is_empty() && !text.contains('\\');
    plain.then(|| Pick {
        key: key.into(),
        text: text.into(),
        value: value.into(),
    })
}

/// Refuses what visits nodes more often than once for each level: a second `..`, and a filter that searches the
/// whole body anew for each node. Also `match` and `search`, whose pattern the library compiles anew for each node, and
/// which may take it from the body.
fn is_bounded(text: &str) -> Result<(), String> {
    let mut descents = 0;
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    while let Some(letter) = rest.chars().next() {
        rest = rest.strip_prefix(letter).unwrap_or_default();
        match letter {
            '\'' | '"' => rest = after_quoted(rest, letter),
            '.' if rest.starts_with('.') => {
                descents += 1;
                rest = rest.strip_prefix('.').unwrap_or_default();
            }
            '$' if steps(rest).1.trim_start().starts_with(['.', '[']) => {
                return Err(
                    "searches the whole body for each node that it filters; after the `$` of a filter write names \
                     and indices only"
                        .to_owned(),
                );
            }
            '(' if calls_for_a_pattern(text, rest) => {
                return Err(
                    "uses `match` or `search`, which compile their pattern for each node; compare with `==`, or take \
                     the whole value and use `matches` in a rule"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    if descents > 1 {
        return Err(
            "has more than one `..`, which can visit every node many times; name what stands between them".to_owned(),
        );
    }
    Ok(())
}

/// Whether the bracket before `rest` opens the arguments of a function that takes a pattern.
fn calls_for_a_pattern(text: &str, rest: &str) -> bool {
    let before = text.strip_suffix(rest).unwrap_or_default();
    ["match(", "search("]
        .iter()
        .any(|call| before.ends_with(call))
}

/// What follows the closing quote.
fn after_quoted(text: &str, quote: char) -> &str {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            break;
        }
    }
    letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_query_begins_where_names_and_indices_end() {
        #[track_caller]
        fn check(text: &str, steps: usize, query: Option<&str>) {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.steps().len(), steps, "{text}");
            let expected = query.map(|query| JsonPath::parse(query).unwrap());
            assert_eq!(path.query(), expected.as_ref(), "{text}");
            assert_eq!(&**path.text(), text);
        }
        check("$", 0, None);
        check("$.a['b'][0][-1]", 4, None);
        check("$.a.list[?@.k=='x'].v", 2, Some("$[?@.k=='x'].v"));
        check("$.a..b", 1, Some("$..b"));
        check("$['a'][1:]", 1, Some("$[1:]"));
        check("$.a['b\\'c'].d", 1, Some("$['b\\'c'].d"));
        check("$['a','b']", 0, Some("$['a','b']"));
        // A filter that looks at the root must see the root.
        check("$.a[?@.k==$.b]", 0, Some("$.a[?@.k==$.b]"));
        assert!(Path::parse("$.a[*]").unwrap().is_every_child());
        assert!(!Path::parse("$.a[*].b").unwrap().is_every_child());
    }

    #[test]
    fn one_comparison_with_a_text_is_picked_out_and_anything_else_is_not() {
        let pick = |text: &str| {
            let path = Path::parse(text).unwrap();
            let pick = path.pick()?;
            Some((pick.key.len(), pick.text.to_string(), pick.value.len()))
        };
        let found = |key, text: &str, value| Some((key, text.to_owned(), value));
        assert_eq!(pick("$.a[?@.field.ref=='n p']['x'][0]"), found(2, "n p", 2));
        assert_eq!(pick("$[? @ == \"it's\" ]"), found(0, "it's", 0));
        for other in [
            "$.a[?@.k=='x' && @.v=='y'].v",
            "$.a[?@.k!='x'].v",
            "$.a[?@.k=='x\\n'].v",
            "$.a[?@.k==1].v",
            "$.a[?@.k==@.v].v",
            "$.a[?'x'==@.k].v",
            "$.a[?(@.k=='x')].v",
            "$.a[?@.k=='x'][*]",
            "$.a[?@.k=='x'].b[?@.l=='y'].v",
            "$.a[?@.k=='x',?@.k=='y'].v",
            "$.a[?@.*=='x'].v",
        ] {
            if let Ok(path) = Path::parse(other) {
                assert_eq!(path.pick(), None, "{other}");
            }
        }
    }

    #[test]
    fn a_query_that_a_body_could_make_explode_is_refused() {
        for bad in [
            "$..*..*",
            "$..a..b",
            "$.a[?count(@..*) > 1]..b",
            "$[?count($[*]) > 1]",
            "$[?count($..*) > 1]",
            "$[?$.a[?@.b]]",
            "$..*[?$['a'].*]",
            "$.a[?search(@.t, 'x')].v",
            "$.a[?!match(@.t, @.p)]",
        ] {
            let problem = Path::parse(bad).unwrap_err();
            let told = problem.contains("more than one `..`") || problem.contains("for each node");
            assert!(told, "{bad}: {problem}");
        }
        for good in [
            "$..*",
            "$['..']..['$[*]']",
            "$.a[?@.k == $.b['c'][0] && @.x == '..$.*']..v",
            "$[?@.k == \"\\\"..\"]..v",
            "$[?count(@.*) > 1]",
            "$[?@.match == 'search(' && @['match('] == 1]",
        ] {
            assert!(Path::parse(good).is_ok(), "{good}");
        }
    }
}
