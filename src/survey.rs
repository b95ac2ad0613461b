//! A survey: one respondent's answers about one interaction, after verification and extraction. Pure.
//!
//! Also the typed fields that surveys are made of. How a field's value is found in a body belongs to `intake`;
//! what a value may be, and how it is brought into its type, belongs here, because rules' cases go the same way.

mod field;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use field::{Case, Fault, FieldSpec, FieldType, Node};

use crate::clock::UnixMs;
use crate::ids::{InteractionId, SourceName};

/// A field's value in its type. Written to the store as JSON: `null`, string, number or boolean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    /// Strings, and UUIDs in lower case.
    String(Arc<str>),
}

/// The extracted fields, by name. Timestamps are kept as RFC 3339 strings in UTC.
pub type Fields = BTreeMap<Arc<str>, Value>;

/// One readable survey.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    pub source: SourceName,
    pub interaction: InteractionId,
    pub received_at: UnixMs,
    pub fields: Fields,
}
