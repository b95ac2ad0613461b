//! A value as it was found, before it is of any type.
//!
//! A number is still the text that was sent: what it is worth, and whether it fits, is for its field to say.

use std::borrow::Cow;

use serde_json::Value as Json;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node<'a> {
    Null,
    Boolean(bool),
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// An array or an object: no field takes one.
    Nested,
}

impl<'a> From<&'a Json> for Node<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Boolean(*truth),
            Json::Number(number) => Self::Number(Cow::Owned(number.to_string())),
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(_) | Json::Object(_) => Self::Nested,
        }
    }
}
