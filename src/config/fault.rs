//! Errors of reading the tree into typed values: in words that never repeat a value.
//!
//! serde's own messages quote what they found, which may be a secret that stands in the wrong place. These name
//! the kind of thing that was found, and what was meant.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::problem::Place;

/// What TOML has and serde has no word for.
pub(super) const A_DATE: &str = "a date";

#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    /// A key that is missing below the place.
    pub(super) missing: Option<&'static str>,
    /// Set by the innermost node that the error passes.
    pub(super) at: Option<(String, Place)>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            missing: None,
            at: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        if message.contains("any variant of untagged enum") {
            return Self::new("of another type than is taken here");
        }
        Self::new(message)
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", meant(wanted), kind(found)))
    }

    fn invalid_value(_: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(format!("out of range: expected {}", meant(wanted)))
    }

    fn invalid_length(_: usize, wanted: &dyn Expected) -> Self {
        Self::new(format!("expected {}", meant(wanted)))
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Self::new(one_of(variants))
    }

    fn unknown_field(_: &str, fields: &'static [&'static str]) -> Self {
        Self::new(one_of(fields))
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
            ..Self::new("missing")
        }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is there twice"))
    }
}

/// `expected "a" or "b"`.
pub(super) fn one_of(names: &[&str]) -> String {
    let mut text = String::from("expected ");
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            text.push_str(if index + 1 == names.len() {
                " or "
            } else {
                ", "
            });
        }
        text.push('"');
        text.push_str(name);
        text.push('"');
    }
    text
}

/// What a type is called by people who write TOML.
fn meant(wanted: &dyn Expected) -> String {
    let name = wanted.to_string();
    match name.as_str() {
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "a table".to_owned(),
        _ if name.starts_with("struct ") => "a table".to_owned(),
        _ if name.starts_with("enum ") || name.contains("variant") => "a string".to_owned(),
        _ => name,
    }
}

fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Seq => "an array",
        Unexpected::Map => "a table",
        Unexpected::Other(A_DATE) => A_DATE,
        _ => "something else",
    }
}
