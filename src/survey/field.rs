//! What a field may be, and how a JSON value is brought into its type.

use std::sync::Arc;

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
    pub default: Option<Value>,
    pub case: Option<Case>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub one_of: Vec<Value>,
}

/// What is wrong with a value. Never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("missing")]
    Missing,
}

impl FieldSpec {
    /// Brings what was found (`None`: nothing) into the field's type.
    pub fn convert(&self, _found: Option<&serde_json::Value>) -> Result<Value, Fault> {
        todo!()
    }
}
