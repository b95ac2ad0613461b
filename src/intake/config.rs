//! `[[source]]` as it stands in the configuration file: raw words, every key optional, nothing judged yet.
//!
//! What is wrong with them is found by [`super::Source::build`], all of it at once. Keys that a later version will
//! know are not here, so that today they are reported as unknown instead of being taken and ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::secret::Origin;
use crate::survey::{Case, FieldType, Value};
use crate::units::Span;

/// One sender of surveys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceConfig {
    /// The last part of the webhook's path: `[a-z0-9][a-z0-9-]{0,62}`.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Any of them may have signed, so that they can be rotated.
    pub secrets: Vec<Origin>,
    /// What the webhook's path must end with, for senders that can do nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_token: Option<Origin>,
    /// The status that tells this sender that all is well, 200 to 299; 202 unless its preset knows better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid: Option<Invalid>,
    /// Whether `GET` and `HEAD` answer 200, for senders that try the address out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<bool>,
    /// `json` by default; `form` (its fields as an object), `form:FIELD` or `multipart:FIELD` (JSON in that field).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// RFC 9535 `JSONPath`: each node of the body is a survey of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// The most surveys of one body; 1,000 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<usize>,
    /// Replaces the list of content types that are taken. `+json` stands for every type with that ending, and an
    /// empty text for a request without a content type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_types: Option<Vec<String>>,
    pub fields: BTreeMap<String, FieldConfig>,
    /// Laid over the preset, key by key.
    pub verify: VerifyConfig,
}

/// What a sender is told about an authentic survey that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Invalid {
    /// 400 or 422.
    #[default]
    Reject,
    /// The source's `ack`, for senders that give up or block on a 4xx.
    Accept,
}

/// How a sender signs. An empty text takes back what the preset says about that key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// What has to be said where nothing proves who sends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub i_know_this_is_unsigned: bool,
    /// `header:NAME` or `form:FIELD`; for a token also `bearer`, `basic` or `query:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Splits the signature's value into items; absent: one item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// Items that start with it count, without it; of a list the first that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefixes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// What is signed: text with placeholders, `{body}` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Cut from a secret that starts with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_encoding: Option<SecretEncoding>,
    /// `header:NAME`, or `item:PREFIX` where it stands among the signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_format: Option<TimestampFormat>,
    /// How far the timestamp may lie from now, in either direction; 5 minutes by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Span>,
    /// `header:NAME`, `path:JSONPATH` or `hash` (the signed content's hash alone, as without an id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which bytes of a compressed body are signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// As before it was compressed.
    #[default]
    Decoded,
    /// As they came.
    Received,
}

impl VerifyConfig {
    /// These keys, and the preset's where this says nothing. What somebody has to know, he has to say himself.
    #[must_use]
    pub fn over(&self, preset: &Self) -> Self {
        macro_rules! first {
            ($($key:ident),* $(,)?) => {
                Self {
                    i_know_this_is_unsigned: self.i_know_this_is_unsigned,
                    $($key: self.$key.clone().or_else(|| preset.$key.clone())),*
                }
            };
        }
        first!(
            algorithm,
            signature,
            separator,
            prefix,
            encoding,
            content,
            secret_prefix,
            secret_encoding,
            timestamp,
            timestamp_format,
            tolerance,
            id,
            over,
        )
    }
}

/// One prefix, or several in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub enum Prefixes {
    One(String),
    Many(Vec<String>),
}

impl Prefixes {
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(prefix) => std::slice::from_ref(prefix),
            Self::Many(list) => list,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// In either case.
    Hex,
    /// With the standard alphabet, padded or not.
    Base64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    #[default]
    Text,
    Base64,
    Hex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimestampFormat {
    /// Seconds since 1970.
    #[default]
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    Rfc3339,
}

/// One field: where it stands in the body and what it may be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldConfig {
    /// RFC 9535 `JSONPath`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What `$` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Root>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<FieldType>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<Take>,
}

/// What `$` in a field's path is. The same where one body is one survey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Root {
    #[default]
    Item,
    Body,
}

/// Which node counts where a path finds several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    First,
    Last,
}
