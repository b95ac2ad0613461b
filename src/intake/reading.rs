//! What reading a body comes to: surveys, and what is wrong with those that cannot be read.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::store::DedupKey;
use crate::survey::{Fault, FieldSpec, FieldType, Survey};

/// One survey of a body, read or not. A body is one survey or more.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Survey {
        survey: Survey,
        keys: Vec<DedupKey>,
        content_key: DedupKey,
        body: Bytes,
    },
    Unreadable {
        kind: Unreadable,
        problems: Vec<Problem>,
        keys: Vec<DedupKey>,
        content_key: DedupKey,
        body: Bytes,
    },
}

/// How far reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Not UTF-8, not JSON, or nested too deeply: 400.
    Malformed,
    /// JSON, but fields are missing or not what they should be: 422.
    Fields,
    /// JSON of a body that should hold several surveys, but holds none or too many, so that it is one row: 422.
    Items,
}

impl Unreadable {
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::Malformed => http::StatusCode::BAD_REQUEST,
            Self::Fields | Self::Items => http::StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// One thing that is wrong with a body, as the sender is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// None: the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Arc<str>>,
    /// The type that was expected.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub expected: Option<FieldType>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(field), Some(path)) = (&self.field, &self.path) {
            write!(f, "{field} ({path}): ")?;
        }
        f.write_str(&self.message)
    }
}

impl Problem {
    /// With the body as a whole.
    pub fn of_body(message: impl fmt::Display) -> Self {
        Self {
            field: None,
            path: None,
            expected: None,
            message: message.to_string(),
        }
    }

    pub(super) fn of_field(spec: &FieldSpec, path: &Arc<str>, fault: &Fault) -> Self {
        Self {
            field: Some(Arc::clone(&spec.name)),
            path: Some(Arc::clone(path)),
            expected: Some(spec.kind),
            message: match fault {
                Fault::Several => format!("{fault}; set `take` or a narrower path"),
                fault => fault.to_string(),
            },
        }
    }

    /// The problems as a JSON array, as they are kept with a quarantined survey.
    pub fn list_json(problems: &[Self]) -> String {
        serde_json::to_string(problems).expect("texts and names of types are always JSON")
    }
}
