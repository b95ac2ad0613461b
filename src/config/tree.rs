//! The settings as they were written: a tree of values, each with the place it came from.
//!
//! Two writers: the TOML file, and the environment, whose values are [`Value::Text`] until a key's type is known.
//! No `Debug`: the tree holds what nobody may print.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};

/// Inline tables and arrays nested deeper than this are refused: nothing here needs it, and recursion has a bound.
const MAX_DEPTH: usize = 32;

pub(super) struct Node {
    pub(super) value: Value,
    /// Of the key, for a table that has a header: of its name there.
    pub(super) key_place: Place,
    pub(super) place: Place,
    /// A problem with it has been recorded: it is read as if it were not there.
    pub(super) refused: Cell<bool>,
}

pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// RFC 3339, as written.
    Datetime(String),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// From the environment: takes the type of its key.
    Text(String),
}

impl Node {
    pub(super) fn new(value: Value, place: Place) -> Self {
        Self {
            value,
            key_place: place.clone(),
            place,
            refused: Cell::new(false),
        }
    }

    /// Follows a key such as `source[0].fields.csat_score`, as far as it goes.
    pub(super) fn nearest(&self, key: &str) -> (&Self, bool) {
        let mut node = self;
        for segment in key.split(['.', '[']) {
            let next = match &node.value {
                Value::Table(entries) => entries.get(segment),
                Value::Array(items) => segment
                    .strip_suffix(']')
                    .and_then(|index| index.parse::<usize>().ok())
                    .and_then(|index| items.get(index)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }
}

/// Reads TOML. What can be read before and after a fault is in the tree all the same.
pub(super) fn parse(text: &str, path: &Arc<Path>) -> (Node, Vec<Problem>) {
    let reader = Reader {
        text,
        from: From::File(path),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem {
            place: match error.span() {
                Some(span) => reader.place(span.start),
                None => Place::File {
                    path: Arc::clone(path),
                    at: None,
                },
            },
            key: String::new(),
            // The parser's messages are its own words and name no part of the text.
            message: format!("not TOML: {}", error.message()),
        })
        .collect();
    let value = reader.table(table.get_ref(), 0, &mut problems);
    let root = Node::new(
        value,
        Place::File {
            path: Arc::clone(path),
            at: None,
        },
    );
    (root, problems)
}

/// Reads a value as TOML writes it, such as `{ env = "X" }`, `25` or `true`; `None` if it is none.
pub(super) fn literal(text: &str, place: &Place) -> Option<Node> {
    let value = DeValue::parse(text.trim()).ok()?;
    let reader = Reader {
        text,
        from: From::Place(place),
    };
    let mut problems = Vec::new();
    let node = reader.node(
        value.get_ref(),
        place.clone(),
        place.clone(),
        0,
        &mut problems,
    );
    problems.is_empty().then_some(node)
}

struct Reader<'a> {
    text: &'a str,
    from: From<'a>,
}

enum From<'a> {
    File(&'a Arc<Path>),
    Place(&'a Place),
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        match self.from {
            From::Place(place) => place.clone(),
            From::File(path) => Place::File {
                path: Arc::clone(path),
                at: Some(line_and_column(self.text, offset)),
            },
        }
    }

    fn table(&self, table: &DeTable<'_>, depth: usize, problems: &mut Vec<Problem>) -> Value {
        let entries = table.iter().map(|(key, value)| {
            let key_place = self.place(key.span().start);
            let start = value.span().start;
            let place = match value.get_ref() {
                // A table with a header begins at its name there, not at a value.
                DeValue::Table(_) if self.text.as_bytes().get(start) != Some(&b'{') => {
                    key_place.clone()
                }
                _ => self.place(start),
            };
            let node = self.node(value.get_ref(), key_place, place, depth, problems);
            (key.get_ref().clone().into_owned(), node)
        });
        Value::Table(entries.collect())
    }

    fn node(
        &self,
        value: &DeValue<'_>,
        key_place: Place,
        place: Place,
        depth: usize,
        problems: &mut Vec<Problem>,
    ) -> Node {
        let mut refuse = |message: &str| {
            problems.push(Problem {
                place: place.clone(),
                key: String::new(),
                message: message.to_owned(),
            });
            Value::Integer(0)
        };
        let value = match value {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(moment) => Value::Datetime(moment.to_string()),
            DeValue::Integer(digits) => {
                match i64::from_str_radix(digits.as_str(), digits.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => refuse("a number that does not fit in 64 bits"),
                }
            }
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => refuse("not a number"),
            },
            _ if depth >= MAX_DEPTH => refuse("nested too deeply"),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| {
                    let at = self.place(item.span().start);
                    self.node(item.get_ref(), at.clone(), at, depth + 1, problems)
                });
                Value::Array(items.collect())
            }
            DeValue::Table(table) => self.table(table, depth + 1, problems),
        };
        let refused = Cell::new(false);
        Node {
            value,
            key_place,
            place,
            refused,
        }
    }
}

/// Line and column of a byte offset, counted from 1, columns in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before
        .get(line_start..)
        .map_or(0, |line| line.chars().count());
    (line, column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters_from_one() {
        let path: Arc<Path> = Path::new("c.toml").into();
        let (root, problems) = parse("[a]\nb = { \"ü\" = 1, x = 2 }\n", &path);
        assert!(problems.is_empty());
        let (node, found) = root.nearest("a.b.x");
        assert!(found);
        assert_eq!(node.key_place.to_string(), "c.toml:2:16");
        assert_eq!(node.place.to_string(), "c.toml:2:20");
        let (node, found) = root.nearest("a.c.d");
        assert!(!found);
        assert_eq!(node.place.to_string(), "c.toml:1:2");
    }
}
