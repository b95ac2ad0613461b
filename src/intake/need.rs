//! Which part of a body the configured paths can see, so that the rest is checked as JSON but never built.
//!
//! Most of a survey is question texts that nobody maps; building them as a tree costs several times the rest of
//! reading. What is built is the same tree with pieces left out that no path of the source can reach: every path
//! finds in it what it would find in the whole. (In the pieces left out, a number too large for 64 bits and half a
//! surrogate pair do no harm.)

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::path::{Path, Step};

/// What is needed of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    whole: bool,
    /// Otherwise these members of an object.
    members: Vec<(Box<str>, Self)>,
}

impl Need {
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut root = Self::default();
        for path in paths {
            match path.steps() {
                Some(steps) => root.add(steps),
                // A query may look anywhere.
                None => root.whole = true,
            }
        }
        root
    }

    fn add(&mut self, steps: &[Step]) {
        match steps {
            [Step::Name(name), rest @ ..] => {
                let known = self.members.iter().position(|(member, _)| member == name);
                let at = known.unwrap_or_else(|| {
                    self.members.push((name.clone(), Self::default()));
                    self.members.len() - 1
                });
                self.members[at].1.add(rest);
            }
            // Arrays are short, or needed for their length.
            [Step::Index(_), ..] | [] => self.whole = true,
        }
    }
}

impl<'de> DeserializeSeed<'de> for &Need {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        if self.whole {
            Value::deserialize(json)
        } else {
            json.deserialize_any(self)
        }
    }
}

/// Reads where members of an object are needed. Anything but an object has none: it becomes null or an empty array.
impl<'de> Visitor<'de> for &Need {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(found) = map.next_key_seed(MemberName(&self.members))? {
            match found {
                // The last of several with one name counts, as everywhere in `serde_json`.
                Some((name, need)) => {
                    members.insert(name.to_owned(), map.next_value_seed(need)?);
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(Vec::new()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// Finds a member's name among those that are needed, without copying it.
struct MemberName<'a>(&'a [(Box<str>, Need)]);

impl<'a, 'de> DeserializeSeed<'de> for MemberName<'a> {
    type Value = Option<(&'a str, &'a Need)>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for MemberName<'a> {
    type Value = Option<(&'a str, &'a Need)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let mut needed = self.0.iter().filter(|(member, _)| &**member == name);
        Ok(needed.next().map(|(member, need)| (&**member, need)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::payload;
    use super::*;

    fn paths(texts: &[&str]) -> Vec<Path> {
        texts
            .iter()
            .map(|text| Path::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn what_no_path_reaches_is_not_built() {
        let need = Need::of(&paths(&["$.a.b", "$.a.c[1]", "$.d"]));
        let body = json!({
            "a": {"b": {"x": 1}, "c": [1, 2], "y": [3]},
            "d": null,
            "z": {"a": 1},
        });
        let expected = json!({"a": {"b": {"x": 1}, "c": [1, 2]}, "d": null});
        assert_eq!(
            payload::parse(body.to_string().as_bytes(), &need),
            Ok(expected)
        );
        let all = Need::of(&paths(&["$.d", "$..b"]));
        assert_eq!(payload::parse(body.to_string().as_bytes(), &all), Ok(body));
    }

    #[test]
    fn what_is_left_out_must_still_be_json() {
        let need = Need::of(&paths(&["$.a"]));
        for bad in [
            "{\"z\": [1,]}",
            "{\"z\": tru}",
            "{\"z\": \"\u{1}\"}",
            "{\"z\": 01}",
            "{\"z\": {}",
        ] {
            assert!(payload::parse(bad.as_bytes(), &need).is_err(), "{bad}");
        }
        // Of two members with one name the last counts.
        let twice = payload::parse(b"{\"a\": 1, \"z\": 1e999, \"a\": 2}", &need);
        assert_eq!(twice, Ok(json!({"a": 2})));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-c\"{\\[]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_path_finds_what_it_finds_in_the_whole(body in any_json()) {
            let paths = paths(&["$.a", "$.b.a", "$.b.c.a", "$.c[0].a", "$.c[-1]", "$.a.b"]);
            let text = body.to_string();
            for some in [&paths[..], &paths[1..], &paths[2..4]] {
                let pruned = payload::parse(text.as_bytes(), &Need::of(some)).unwrap();
                for path in some {
                    prop_assert_eq!(path.find(&pruned, None), path.find(&body, None), "{}", path);
                }
            }
        }
    }
}
