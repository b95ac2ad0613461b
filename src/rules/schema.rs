//! The fields that rules may name: all that any source declares.
//!
//! A name has one type in all sources, so that a condition means the same for each of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Problem;
use crate::ids::SourceName;
use crate::survey::{FieldSpec, FieldType};

/// Variables that every condition has besides the fields.
pub(super) const SOURCE: &str = "source";
pub(super) const RECEIVED_AT: &str = "received_at";

/// Words of CEL's grammar, which no condition could name a field by.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// All fields that any source declares, and each source's own.
#[derive(Clone, Debug)]
pub struct Schema {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    types: BTreeMap<Arc<str>, FieldType>,
    /// In the order of the configuration: the first is the default of cases.
    sources: Vec<(SourceName, Vec<FieldSpec>)>,
}

impl Schema {
    /// One name with two types is a problem; `integer` and `number` go together, as `number`.
    pub fn new<'a>(
        sources: impl IntoIterator<Item = (&'a SourceName, &'a [FieldSpec])>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut types = BTreeMap::<Arc<str>, FieldType>::new();
        let mut kept = Vec::new();
        for (source, fields) in sources {
            for field in fields {
                let path = || format!("source.{source}.fields.{}", field.name);
                let mut tell = |message| {
                    problems.push(Problem {
                        at: None,
                        path: path(),
                        message,
                    });
                };
                if let Err(message) = check_name(&field.name) {
                    tell(message);
                }
                match types.entry(Arc::clone(&field.name)) {
                    Entry::Vacant(free) => {
                        free.insert(field.kind);
                    }
                    Entry::Occupied(mut known) => match together(*known.get(), field.kind) {
                        Some(kind) => {
                            known.insert(kind);
                        }
                        None => tell(format!(
                            "is {} here and {} in another source; give one of them another name",
                            field.kind,
                            known.get()
                        )),
                    },
                }
            }
            kept.push((source.clone(), fields.to_vec()));
        }
        if problems.is_empty() {
            Ok(Self {
                inner: Arc::new(Inner {
                    types,
                    sources: kept,
                }),
            })
        } else {
            Err(problems)
        }
    }

    pub(super) fn kind(&self, field: &str) -> Option<FieldType> {
        self.inner.types.get(field).copied()
    }

    pub(super) fn name(&self, field: &str) -> Option<&Arc<str>> {
        self.inner.types.get_key_value(field).map(|(name, _)| name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.types.keys().map(|name| &**name)
    }

    /// In the order of the configuration.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SourceName> {
        self.inner.sources.iter().map(|(source, _)| source)
    }

    /// A source and its fields; without a name the first one.
    pub(super) fn source(&self, name: Option<&str>) -> Option<(&SourceName, &[FieldSpec])> {
        let mut sources = self.inner.sources.iter();
        let found = match name {
            None => sources.next(),
            Some(name) => sources.find(|(source, _)| source.as_str() == name),
        };
        found.map(|(source, fields)| (source, fields.as_slice()))
    }
}

fn together(one: FieldType, other: FieldType) -> Option<FieldType> {
    if one == other {
        Some(one)
    } else if one.is_numeric() && other.is_numeric() {
        Some(FieldType::Number)
    } else {
        None
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let starts_well = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if !starts_well || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(
            "a field's name is letters, digits and '_', and begins with no digit".to_owned(),
        );
    }
    if [SOURCE, RECEIVED_AT].contains(&name) {
        return Err(format!(
            "'{name}' is a variable of its own in rules; choose another name"
        ));
    }
    if RESERVED.contains(&name) {
        return Err(format!(
            "'{name}' is a reserved word in conditions; choose another name"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[(&str, &str, FieldType)], expected: Result<FieldType, &str>) {
        let sources: Vec<_> = fields
            .iter()
            .map(|(source, name, kind)| {
                (
                    SourceName::from(*source),
                    vec![FieldSpec::new(*name, *kind)],
                )
            })
            .collect();
        let schema = Schema::new(sources.iter().map(|(name, specs)| (name, specs.as_slice())));
        match (schema, expected) {
            (Ok(schema), Ok(kind)) => assert_eq!(schema.kind(fields[0].1), Some(kind)),
            (Err(problems), Err(part)) => {
                assert!(problems[0].to_string().contains(part), "{}", problems[0]);
            }
            (got, expected) => panic!("{fields:?}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_name_has_one_type_in_all_sources() {
        use FieldType::{Integer, Number, String};
        check(&[("a", "x", Integer), ("b", "x", Integer)], Ok(Integer));
        check(&[("a", "x", Integer), ("b", "x", Number)], Ok(Number));
        check(
            &[("a", "x", Integer), ("b", "x", String)],
            Err("source.b.fields.x: is string here"),
        );
    }

    #[test]
    fn names_are_those_that_a_condition_can_spell() {
        check(&[("a", "_x9", FieldType::String)], Ok(FieldType::String));
        for bad in ["9x", "a-b", "a.b", "", "in", "source", "received_at"] {
            check(&[("a", bad, FieldType::String)], Err("name"));
        }
    }
}
