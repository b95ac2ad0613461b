//! A JSON text as a tree of values, whatever its members are called.
//!
//! `serde_json::Value` gives a meaning of its own to one name, by which its raw values pass through `serde`: a body that
//! used it would be read as something that it does not say.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What a text says.
#[derive(Debug, PartialEq)]
pub(super) struct Tree(pub(super) Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Tree(element)) = elements.next_element()? {
            all.push(element);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, Tree(value))) = members.next_entry()? {
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read_as_the_library_reads_it() {
        let text = r#"[null, true, -1, 18446744073709551615, 1.5e3, "a\u00e9\n", {"a": [], "b": {}, "a": 2}, 1e300]"#;
        let Tree(tree) = serde_json::from_str(text).unwrap();
        assert_eq!(tree, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn no_name_of_a_member_means_anything() {
        let text = r#"{"$serde_json::private::RawValue": "no json"}"#;
        let Tree(tree) = serde_json::from_str(text).unwrap();
        assert_eq!(tree.to_string(), text.replace(": ", ":"));
        assert!(
            serde_json::from_str::<Value>(text).is_err(),
            "what this is for"
        );
    }
}
