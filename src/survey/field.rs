//! What a field may be, and how a value that was found is brought into its type.
//!
//! Where the value is found belongs to `intake`. No fault ever holds the value it is about: answers stay out of
//! logs and out of what a sender is told.

mod node;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

pub use node::Node;

use super::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    Uuid,
    String,
    Integer,
    Number,
    Boolean,
    Timestamp,
}

impl FieldType {
    /// The word that the configuration uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
        }
    }

    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    /// What a sender is told to send.
    fn described(self) -> &'static str {
        match self {
            Self::Uuid => "a UUID (8-4-4-4-12 hexadecimal digits)",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Timestamp => "an RFC 3339 timestamp",
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    Upper,
    Lower,
}

/// A configured field, without the path it is found at.
#[derive(Clone, Debug)]
pub struct FieldSpec {
    pub name: Arc<str>,
    pub kind: FieldType,
    pub required: bool,
    /// Stands for an absent value; of the field's type once [`FieldSpec::checked`], but not held to its bounds,
    /// so that a score from 1 to 5 may have 0 for "no answer".
    pub default: Option<Value>,
    pub case: Option<Case>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Compared after `map` and `case`; empty: anything goes.
    pub one_of: Vec<Value>,
    /// Applied first, by the value as text. Where there is a map, a value that it lacks is a fault: what a sender
    /// adds to its answers is for somebody to look at.
    pub map: BTreeMap<String, Json>,
}

/// What is wrong with a value. Never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("missing")]
    Missing,
    #[error("expected {}", .0.described())]
    WrongType(FieldType),
    #[error("expected a finite number")]
    NotFinite,
    #[error("expected {}, but it does not fit 64 bits", .0.described())]
    DoesNotFit(FieldType),
    #[error("below the least allowed, {0}")]
    BelowMin(String),
    #[error("above the greatest allowed, {0}")]
    AboveMax(String),
    #[error("not one of the allowed values")]
    NotOneOf,
    #[error("not one of the values in `map`")]
    NotMapped,
    /// Raised by whoever searches the body.
    #[error("found more than once, expected one")]
    Several,
}

impl FieldSpec {
    /// A field that is not required and has no default or bounds.
    pub fn new(name: impl Into<Arc<str>>, kind: FieldType) -> Self {
        Self {
            name: name.into(),
            kind,
            required: false,
            default: None,
            case: None,
            min: None,
            max: None,
            one_of: Vec::new(),
            map: BTreeMap::new(),
        }
    }

    /// Checks what the configuration says about the field, all of it at once, and brings `default` and `one_of`
    /// into the field's type. A configured field is usable only after this.
    pub fn checked(mut self) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if self.case.is_some() && self.kind != FieldType::String {
            problems.push(format!("case: only for strings, not for {}", self.kind));
        }
        if !self.kind.is_numeric() {
            for (key, bound) in [("min", self.min), ("max", self.max)] {
                if bound.is_some() {
                    problems.push(format!("{key}: only for numbers, not for {}", self.kind));
                }
            }
        }
        if self.min.is_some_and(f64::is_nan) || self.max.is_some_and(f64::is_nan) {
            problems.push("min, max: expected numbers, not nan".to_owned());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            problems.push(format!("min: {min} is above max, {max}"));
        }
        match self.default.as_ref().map(|value| self.typed_setting(value)) {
            None => {}
            Some(Ok(value)) => self.default = Some(value),
            Some(Err(fault)) => problems.push(format!("default: {fault}")),
        }
        let allowed: Vec<_> = (self.one_of.iter().map(|v| self.typed_setting(v))).collect();
        self.one_of.clear();
        for (index, value) in allowed.into_iter().enumerate() {
            match value {
                Ok(value) => self.one_of.push(value),
                Err(fault) => problems.push(format!("one_of[{index}]: {fault}")),
            }
        }
        for (key, to) in &self.map {
            if let Err(fault) = self.in_type(&Node::from(to)) {
                problems.push(format!("map.{key}: {fault}"));
            }
        }
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(problems)
        }
    }

    /// Brings what was found (`None`: nothing) into the field's type.
    pub fn convert(&self, found: Option<&Json>) -> Result<Value, Fault> {
        self.take(found.map(Node::from).as_ref())
    }

    /// The same for a value whose text is at hand, so that a number is never rounded before it is judged.
    pub fn take(&self, found: Option<&Node<'_>>) -> Result<Value, Fault> {
        let value = match found {
            None => Value::Null,
            Some(node) if self.map.is_empty() => self.in_type(node)?,
            Some(node) => self.in_type(&self.mapped(node)?)?,
        };
        if value == Value::Null {
            return match &self.default {
                Some(default) => Ok(default.clone()),
                None if self.required => Err(Fault::Missing),
                None => Ok(Value::Null),
            };
        }
        self.within_bounds(&value)?;
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            return Err(Fault::NotOneOf);
        }
        Ok(value)
    }

    /// What `map` makes of the value. What is absent stays so.
    fn mapped(&self, node: &Node<'_>) -> Result<Node<'_>, Fault> {
        let to = match node {
            Node::Null => return Ok(Node::Null),
            Node::Nested => return Err(Fault::WrongType(self.kind)),
            Node::Boolean(truth) => self.map.get(if *truth { "true" } else { "false" }),
            Node::Text(text) => self.map.get(&**text),
            // As it is written, or else without its fraction of nothing: 9.0 is 9.
            Node::Number(text) => self.map.get(&**text).or_else(|| match integer(text) {
                Ok(Value::Integer(whole)) => self.map.get(&whole.to_string()),
                _ => None,
            }),
        };
        match to {
            Some(to) => Ok(Node::from(to)),
            None if self.is_blank(node) => Ok(Node::Null),
            None => Err(Fault::NotMapped),
        }
    }

    /// A text of nothing is no answer, but for a text.
    fn is_blank(&self, node: &Node<'_>) -> bool {
        self.kind != FieldType::String && matches!(node, Node::Text(text) if text.trim().is_empty())
    }

    fn within_bounds(&self, value: &Value) -> Result<(), Fault> {
        let number = match value {
            Value::Integer(whole) => serde_json::Number::from(*whole).as_f64(),
            Value::Number(number) => Some(*number),
            _ => None,
        };
        let Some(number) = number else { return Ok(()) };
        match (self.min, self.max) {
            (Some(min), _) if number < min => Err(Fault::BelowMin(min.to_string())),
            (_, Some(max)) if number > max => Err(Fault::AboveMax(max.to_string())),
            _ => Ok(()),
        }
    }

    /// The value in the field's type and case; absent values become [`Value::Null`].
    fn in_type(&self, node: &Node<'_>) -> Result<Value, Fault> {
        if self.is_blank(node) {
            return Ok(Value::Null);
        }
        let wrong = Fault::WrongType(self.kind);
        match (self.kind, node) {
            (_, Node::Null) => Ok(Value::Null),
            (FieldType::String, Node::Text(text)) => Ok(Value::String(match self.case {
                None => Arc::from(&**text),
                Some(Case::Upper) => Arc::from(text.to_uppercase()),
                Some(Case::Lower) => Arc::from(text.to_lowercase()),
            })),
            (FieldType::Uuid, Node::Text(text)) => uuid(text).ok_or(wrong),
            (FieldType::Timestamp, Node::Text(text)) => timestamp(text.trim()).ok_or(wrong),
            (FieldType::Boolean, Node::Boolean(truth)) => Ok(Value::Boolean(*truth)),
            (FieldType::Boolean, Node::Text(text)) => boolean(text.trim()).ok_or(wrong),
            (FieldType::Integer, Node::Number(text)) => integer(text),
            (FieldType::Integer, Node::Text(text)) => integer(text.trim()),
            (FieldType::Number, Node::Number(text)) => number(text).map(Value::Number),
            (FieldType::Number, Node::Text(text)) => number(text.trim()).map(Value::Number),
            _ => Err(wrong),
        }
    }

    /// A value that the configuration gives, in the field's type; unlike a survey's it may not be absent.
    fn typed_setting(&self, value: &Value) -> Result<Value, Fault> {
        if matches!(value, Value::Number(number) if !number.is_finite()) {
            return Err(Fault::NotFinite);
        }
        let typed = self.in_type(&match value {
            Value::Null => Node::Null,
            Value::Boolean(truth) => Node::Boolean(*truth),
            Value::Integer(whole) => Node::Number(Cow::Owned(whole.to_string())),
            Value::Number(number) => Node::Number(Cow::Owned(number.to_string())),
            Value::String(text) => Node::Text(Cow::Borrowed(text)),
        })?;
        match typed {
            Value::Null => Err(Fault::WrongType(self.kind)),
            typed => Ok(typed),
        }
    }
}

fn uuid(text: &str) -> Option<Value> {
    // `Uuid` also reads the forms without hyphens, in braces and as a URN; their lengths are others.
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    let id = hyphenated.then(|| Uuid::try_parse(text).ok()).flatten()?;
    let mut digits = Uuid::encode_buffer();
    Some(Value::String(Arc::from(
        &*id.hyphenated().encode_lower(&mut digits),
    )))
}

fn timestamp(text: &str) -> Option<Value> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    // An offset can carry the year out of the four digits that RFC 3339 has.
    let written = (0..=9999).contains(&moment.year());
    written.then(|| Value::String(moment.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()))
}

fn boolean(text: &str) -> Option<Value> {
    let is = |word| text.eq_ignore_ascii_case(word);
    (is("true") || is("false")).then(|| Value::Boolean(is("true")))
}

fn integer(text: &str) -> Result<Value, Fault> {
    let kind = FieldType::Integer;
    // A fraction of nothing is cut as text: above 2^53 a detour over floating point would make another number of it.
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => {
            whole
        }
        _ => text,
    };
    if let Ok(whole) = whole.parse() {
        return Ok(Value::Integer(whole));
    }
    let number = number(text).map_err(|fault| match fault {
        // "1e999" is a number, if a large one; "nan" and "inf" are none.
        Fault::NotFinite if text.bytes().any(|byte| byte.is_ascii_digit()) => {
            Fault::DoesNotFit(kind)
        }
        Fault::NotFinite => Fault::NotFinite,
        _ => Fault::WrongType(kind),
    })?;
    if number.fract() != 0.0 {
        return Err(Fault::WrongType(kind));
    }
    // Written out without fraction and exponent, it fits or it does not: no rounding of ours decides.
    match format!("{number:.0}").parse() {
        Ok(whole) => Ok(Value::Integer(whole)),
        Err(_) => Err(Fault::DoesNotFit(kind)),
    }
}

fn number(text: &str) -> Result<f64, Fault> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(Fault::NotFinite),
        Err(_) => Err(Fault::WrongType(FieldType::Number)),
    }
}

#[cfg(test)]
mod tests;
