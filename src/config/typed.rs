//! The tree read into typed values: a serde deserializer that knows where each value stands.
//!
//! One problem does not hide the next: what cannot be read is marked, and the whole is read again without it
//! ([`read`]). A text from the environment takes the type that is asked for. Keys that nobody asks for are problems.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, Unexpected, Visitor,
};

use super::fault::{A_DATE, Fault, one_of};
use super::problem::{Place, Problem};
use super::tree::{Node, Value, literal};
use super::unknown::Unknown;

mod inside;

use inside::{Entries, Items, Variant};

/// Reads as much as can be read. Each turn marks one node more, so that it ends.
pub(super) fn read<T: DeserializeOwned + Default>(root: &Node) -> (T, Vec<Problem>) {
    let unknown = RefCell::new(Unknown::new());
    let mut problems = Vec::new();
    while !root.refused.get() {
        let typed = Typed {
            node: root,
            key: String::new(),
            unknown: &unknown,
        };
        match T::deserialize(typed) {
            Ok(value) => {
                problems.extend(unknown.into_inner().into_values());
                return (value, problems);
            }
            Err(fault) => problems.push(told(fault, root)),
        }
    }
    problems.extend(unknown.into_inner().into_values());
    (T::default(), problems)
}

fn told(fault: Fault, root: &Node) -> Problem {
    let (mut key, place) = fault
        .at
        .unwrap_or_else(|| (String::new(), root.place.clone()));
    if let Some(missing) = fault.missing {
        key = below(&key, missing);
    }
    Problem {
        place,
        key,
        message: fault.message,
    }
}

fn below(key: &str, name: &str) -> String {
    // A quoted key may hold anything; it must not break the line it is told in.
    let name = name.escape_debug();
    if key.is_empty() {
        name.to_string()
    } else {
        format!("{key}.{name}")
    }
}

/// One node, about to be read.
struct Typed<'a> {
    node: &'a Node,
    key: String,
    unknown: &'a RefCell<Unknown>,
}

impl Typed<'_> {
    fn child<'b>(&'b self, node: &'b Node, name: &str) -> Typed<'b> {
        Typed {
            node,
            key: below(&self.key, name),
            unknown: self.unknown,
        }
    }

    fn again(&self) -> Typed<'_> {
        Typed {
            node: self.node,
            key: self.key.clone(),
            unknown: self.unknown,
        }
    }

    /// Reads, and pins an error that nobody has pinned yet to this node.
    fn pinned<T>(self, read: impl FnOnce(&Self) -> Result<T, Fault>) -> Result<T, Fault> {
        read(&self).map_err(|fault| pin(fault, self.node, &self.key))
    }

    /// Hands this to a type that may refuse what it was given after it has been read well.
    fn seed<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let (node, key) = (self.node, self.key.clone());
        seed.deserialize(self)
            .map_err(|fault| pin(fault, node, &key))
    }

    /// A text of the environment, read as TOML writes values; then handed to `read` in its place.
    fn as_written<T>(
        &self,
        text: &str,
        wanted: &str,
        read: impl FnOnce(Typed<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let node = literal(text, &self.node.place)
            .ok_or_else(|| Fault::new(format!("expected {wanted}, as TOML writes it")))?;
        let typed = Typed {
            node: &node,
            key: self.key.clone(),
            unknown: self.unknown,
        };
        read(typed).inspect_err(|_| self.node.refused.set(true))
    }

    fn visit<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::String(text) | Value::Text(text) | Value::Datetime(text) => {
                visitor.visit_string(text.clone())
            }
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Array(items) => visitor.visit_seq(Items {
                of: self,
                items: items.iter().enumerate(),
            }),
            Value::Table(entries) => visitor.visit_map(Entries {
                of: self,
                left: entries.iter(),
                known: None,
                value: None,
            }),
        }
    }
}

fn pin(mut fault: Fault, node: &Node, key: &str) -> Fault {
    if fault.at.is_none() {
        let place = if fault.missing.is_some() {
            &node.key_place
        } else {
            &node.place
        };
        fault.at = Some((key.to_owned(), place.clone()));
        node.refused.set(true);
    }
    fault
}

macro_rules! scalars {
    ($($method:ident $wanted:literal)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.pinned(|this| match &this.node.value {
                Value::Text(text) => this.as_written(text, $wanted, |typed| typed.$method(visitor)),
                _ => this.visit(visitor),
            })
        }
    )*};
}

impl<'de> Deserializer<'de> for Typed<'_> {
    type Error = Fault;

    scalars! {
        deserialize_bool "true or false"
        deserialize_i8 "a whole number" deserialize_i16 "a whole number"
        deserialize_i32 "a whole number" deserialize_i64 "a whole number"
        deserialize_u8 "a whole number" deserialize_u16 "a whole number"
        deserialize_u32 "a whole number" deserialize_u64 "a whole number"
        deserialize_f32 "a number" deserialize_f64 "a number"
        deserialize_seq "an array" deserialize_map "a table"
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.pinned(|this| this.visit(visitor))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.pinned(|this| match &this.node.value {
            Value::Datetime(_) => Err(Fault::invalid_type(Unexpected::Other(A_DATE), &visitor)),
            _ => this.visit(visitor),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.pinned(|this| visitor.visit_newtype_struct(this.again()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.pinned(|this| match &this.node.value {
            Value::Text(text) => this.as_written(text, "a table such as { key = 1 }", |typed| {
                typed.deserialize_struct(name, fields, visitor)
            }),
            Value::Table(entries) => visitor.visit_map(Entries {
                of: this,
                left: entries.iter(),
                known: Some(fields),
                value: None,
            }),
            _ => this.visit(visitor),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.pinned(|this| match &this.node.value {
            Value::Text(text) if text.trim_start().starts_with('{') => {
                this.as_written(text, "a table", |typed| {
                    typed.deserialize_enum(name, variants, visitor)
                })
            }
            Value::Table(entries) => {
                // Without what was chosen nothing is left to read: the whole is marked, or it would be read for ever.
                let chosen = this.only_entry(entries, variants)?;
                visitor
                    .visit_enum(chosen)
                    .inspect_err(|_| this.node.refused.set(true))
            }
            // Whoever writes a bare string here has most likely written the secret itself.
            _ if name == "Origin" => Err(Fault::new(
                "a secret is written { env = \"NAME\" }, { file = \"PATH\" } or { value = \"...\" }",
            )),
            Value::String(text) | Value::Text(text) => {
                let variant: StringDeserializer<Fault> = text.clone().into_deserializer();
                visitor.visit_enum(variant)
            }
            _ => this.visit(visitor),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        char bytes byte_buf unit unit_struct tuple_struct identifier
    }
}

impl Typed<'_> {
    /// The one entry of a table that stands for a choice. One from the environment replaces one of the file.
    fn only_entry<'b>(
        &'b self,
        entries: &'b BTreeMap<String, Node>,
        variants: &'static [&'static str],
    ) -> Result<Variant<'b>, Fault> {
        let from_env = |node: &Node| matches!(node.place, Place::Env(_));
        let overridden = entries.values().any(from_env);
        let mut candidates = entries
            .iter()
            .filter(|(_, node)| !overridden || from_env(node));
        match (candidates.next(), candidates.next()) {
            (Some((name, node)), None) => Ok(Variant {
                name: name.clone(),
                typed: self.child(node, name),
            }),
            _ => Err(Fault::new(format!("{}, one of them", one_of(variants)))),
        }
    }
}
