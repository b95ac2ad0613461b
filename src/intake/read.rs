//! From an authentic body to surveys: typed fields, or every problem that keeps it from being read.
//!
//! Invariant: nothing is dropped. What cannot be read comes back as [`Reading::Unreadable`] with its keys, to be
//! kept. Problems name fields, paths and types, never values: they are told to the sender.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Source;
use super::config::{FieldConfig, Take};
use super::dedup::{self, Kind};
use super::path::{Found, Path};
use super::payload;
use super::verify::Verified;
use crate::ids::InteractionId;
use crate::store::DedupKey;
use crate::survey::{Fault, FieldSpec, FieldType, Fields, Survey, Value};

/// The field that every source must have: which interaction the survey is about.
pub const INTERACTION_ID: &str = "interaction_id";

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
}

impl Unreadable {
    pub fn status(self) -> http::StatusCode {
        match self {
            Self::Malformed => http::StatusCode::BAD_REQUEST,
            Self::Fields => http::StatusCode::UNPROCESSABLE_ENTITY,
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
    pub(super) fn of_the_whole(message: String) -> Self {
        Self {
            field: None,
            path: None,
            expected: None,
            message,
        }
    }

    /// The problems as a JSON array, as they are kept with a quarantined survey.
    pub fn list_json(problems: &[Self]) -> String {
        serde_json::to_string(problems).expect("texts and names of types are always JSON")
    }
}

/// Where a field's value is looked for; its type is the [`FieldSpec`] at the same index.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    path: Path,
    take: Option<Take>,
}

impl Finder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn convert(&self, spec: &FieldSpec, root: &Json) -> Result<Value, Problem> {
        let value = match self.path.find(root, self.take) {
            Found::Nothing => spec.convert(None),
            Found::One(node) => spec.convert(Some(node)),
            Found::Several => Err(Fault::Several),
        };
        value.map_err(|fault| Problem {
            field: Some(Arc::clone(&spec.name)),
            path: Some(Arc::clone(self.path.text())),
            expected: Some(spec.kind),
            message: match fault {
                Fault::Several => format!("{fault}; set `take` or a narrower path"),
                fault => fault.to_string(),
            },
        })
    }
}

pub(super) fn read(source: &Source, verified: &Verified) -> Vec<Reading> {
    let body = verified.body().clone();
    let content_key = dedup::key(&source.name, None, Kind::Content, verified.body_digest());
    let keys = |id: Option<&str>| verified.identity().keys(&source.name, None, id);
    let unreadable = |kind, problems, keys| Reading::Unreadable {
        kind,
        problems,
        keys,
        content_key,
        body: body.clone(),
    };
    let json = match payload::parse(&body, &source.need) {
        Ok(json) => json,
        Err(malformed) => {
            let problem = Problem::of_the_whole(malformed.to_string());
            return vec![unreadable(Unreadable::Malformed, vec![problem], keys(None))];
        }
    };
    let keys = keys(id_in_body(source, &json).as_deref());
    vec![match fields(source, &json) {
        Ok((interaction, fields)) => Reading::Survey {
            survey: Survey {
                source: source.name.clone(),
                interaction,
                received_at: verified.received_at(),
                fields,
            },
            keys,
            content_key,
            body: body.clone(),
        },
        Err(problems) => unreadable(Unreadable::Fields, problems, keys),
    }]
}

/// The sender's id where the scheme looks for it in the body: one node, a text that is not blank or a number.
pub(super) fn id_in_body(source: &Source, json: &Json) -> Option<String> {
    match source.scheme.id.path()?.find(json, None) {
        Found::One(Json::String(id)) if !id.trim().is_empty() => Some(id.clone()),
        Found::One(Json::Number(id)) => Some(id.to_string()),
        _ => None,
    }
}

pub(super) fn fields(
    source: &Source,
    json: &Json,
) -> Result<(InteractionId, Fields), Vec<Problem>> {
    let mut fields = Fields::new();
    let mut problems = Vec::new();
    for (spec, finder) in source.fields.iter().zip(&source.finders) {
        match finder.convert(spec, json) {
            Ok(value) => {
                fields.insert(Arc::clone(&spec.name), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let interaction = match fields.get(INTERACTION_ID) {
        Some(Value::String(id)) => Uuid::try_parse(id).ok().map(InteractionId),
        _ => None,
    };
    match interaction {
        Some(interaction) if problems.is_empty() => Ok((interaction, fields)),
        _ => Err(problems),
    }
}

/// A source's field as its configuration has it, or every problem as `key: what to do`.
pub(super) fn compile(
    name: &str,
    config: &FieldConfig,
) -> Result<(FieldSpec, Finder), Vec<String>> {
    let mut problems = Vec::new();
    let mut add = |key: &str, problem: &str| {
        let dot = if key.is_empty() { "" } else { "." };
        problems.push(format!("fields.{name}{dot}{key}: {problem}"));
    };
    if !is_name(name) {
        add(
            "",
            "a field's name is letters, digits and `_`, begins with no digit and is not `source`, so that rules can \
             use it",
        );
    }
    let path = match config.path.as_deref().map(Path::parse) {
        Some(Ok(path)) => Some(path),
        Some(Err(problem)) => {
            add("path", &problem);
            None
        }
        None => {
            add(
                "path",
                "missing: say where the value stands, such as `$.name`",
            );
            None
        }
    };
    if config.kind.is_none() {
        add(
            "type",
            "missing: uuid, string, integer, number, boolean or timestamp",
        );
    }
    if name == INTERACTION_ID {
        if config.kind.is_some_and(|kind| kind != FieldType::Uuid) {
            add("type", "interactions have UUIDs: set `uuid`");
        }
        if !config.required {
            add("required", "no survey can do without it: set `true`");
        }
        if config.default.is_some() {
            add(
                "default",
                "every survey is about an interaction of its own: leave it out",
            );
        }
    }
    let spec = FieldSpec {
        required: config.required,
        default: config.default.clone(),
        case: config.case,
        min: config.min,
        max: config.max,
        one_of: config.one_of.clone(),
        map: config.map.clone(),
        ..FieldSpec::new(name, config.kind.unwrap_or(FieldType::String))
    };
    let spec = match (config.kind, spec.checked()) {
        // Without a type nothing can be said about the rest.
        (None, _) => None,
        (Some(_), Ok(spec)) => Some(spec),
        (Some(_), Err(found)) => {
            for problem in found {
                problems.push(format!("fields.{name}.{problem}"));
            }
            None
        }
    };
    match (spec, path) {
        (Some(spec), Some(path)) if problems.is_empty() => {
            let take = config.take;
            Ok((spec, Finder { path, take }))
        }
        _ => Err(problems),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let begins = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name != "source"
}

#[cfg(test)]
mod tests;
