//! Cases: the rules file's own examples, run by `wrapup rules test`, by `wrapup check` and before a reload.
//!
//! A case gives values as a sender would, so it goes through the fields' types, defaults and case as a survey does.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use serde::Serialize;
use serde_json::Value as Json;

use super::file::RawCase;
use super::problem::position;
use super::schema::Schema;
use super::trace::Step;
use super::{Problem, RuleSet};
use crate::clock::UnixMs;
use crate::ids::{CodeName, InteractionId, SourceName};
use crate::survey::{Fault, FieldSpec, FieldType, Survey, Value};

/// The field that every source has, and that no case needs to give.
const INTERACTION_ID: &str = "interaction_id";

pub(super) struct Case {
    name: String,
    at: (usize, usize),
    source: SourceName,
    received_at: UnixMs,
    values: BTreeMap<String, Json>,
    expected: Option<CodeName>,
}

/// What a case came to, in words that can be printed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseResult {
    pub name: String,
    /// Line and column in the rules file.
    #[serde(skip)]
    pub at: (usize, usize),
    /// Whose fields its values were taken as.
    pub source: SourceName,
    /// A code's name, or `ignored`.
    pub expected: String,
    /// A code's name, `ignored`, or `unreadable: ` and what is wrong with the values.
    pub got: String,
    pub passed: bool,
    /// Empty where the values are unreadable.
    pub trace: Vec<Step>,
}

impl Case {
    pub(super) fn build(
        raw: RawCase,
        text: &str,
        schema: &Schema,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let before = problems.len();
        let mut tell = |offset, key: &str, message| {
            let path = format!("{}.{key}", raw.path);
            problems.push(Problem {
                at: Some(position(text, offset)),
                path,
                message,
            });
        };
        let wanted = raw.source.as_ref();
        let found = schema.source(wanted.map(|source| source.value.as_str()));
        match (found, wanted) {
            (Some((source, fields)), _) => {
                for (name, _) in &raw.survey {
                    if !fields.iter().any(|field| *field.name == *name.value) {
                        let message = format!("source {source} declares no such field");
                        tell(name.offset, &format!("survey.{}", name.value), message);
                    }
                }
            }
            (None, Some(wanted)) => {
                tell(
                    wanted.offset,
                    "source",
                    format!("there is no source '{}'", wanted.value),
                );
            }
            (None, None) => tell(raw.offset, "source", "no source is configured".to_owned()),
        }
        let mut received_at = UnixMs(0);
        if let Some(moment) = &raw.received_at {
            match DateTime::parse_from_rfc3339(&moment.value) {
                Ok(moment) => received_at = UnixMs(moment.timestamp_millis()),
                Err(_) => {
                    tell(
                        moment.offset,
                        "received_at",
                        "expected an RFC 3339 timestamp".to_owned(),
                    );
                }
            }
        }
        let (source, _) = found?;
        (before == problems.len()).then(|| Self {
            at: position(text, raw.offset),
            name: raw.name,
            source: source.clone(),
            received_at,
            values: raw
                .survey
                .into_iter()
                .map(|(name, value)| (name.value, value))
                .collect(),
            expected: raw.expect.map(CodeName::new),
        })
    }

    pub(super) fn run(&self, rules: &RuleSet, schema: &Schema) -> CaseResult {
        let words = |code: Option<&CodeName>| {
            code.map_or_else(|| "ignored".to_owned(), |code| code.as_str().to_owned())
        };
        let result = |got, passed, trace| CaseResult {
            name: self.name.clone(),
            at: self.at,
            source: self.source.clone(),
            expected: words(self.expected.as_ref()),
            got,
            passed,
            trace,
        };
        match self.survey(schema) {
            Ok(survey) => {
                let decision = rules.decide(&survey);
                let passed = decision.code == self.expected;
                result(words(decision.code.as_ref()), passed, decision.trace())
            }
            Err(faults) => result(
                format!("unreadable: {}", faults.join(", ")),
                false,
                Vec::new(),
            ),
        }
    }

    fn survey(&self, schema: &Schema) -> Result<Survey, Vec<String>> {
        let (_, specs) = schema
            .source(Some(self.source.as_str()))
            .unwrap_or((&self.source, &[]));
        let mut survey = Survey {
            source: self.source.clone(),
            interaction: InteractionId(uuid::Uuid::nil()),
            received_at: self.received_at,
            fields: BTreeMap::new(),
        };
        let mut faults = Vec::new();
        for spec in specs {
            match self.value(spec) {
                Ok(value) => {
                    survey.fields.insert(Arc::clone(&spec.name), value);
                }
                Err(fault) => faults.push(format!("{}: {fault}", spec.name)),
            }
        }
        if let Some(Value::String(id)) = survey.fields.get(INTERACTION_ID)
            && let Ok(id) = id.parse()
        {
            survey.interaction = InteractionId(id);
        }
        if faults.is_empty() {
            Ok(survey)
        } else {
            Err(faults)
        }
    }

    fn value(&self, spec: &FieldSpec) -> Result<Value, Fault> {
        match spec.convert(self.values.get(&*spec.name)) {
            Err(Fault::Missing)
                if &*spec.name == INTERACTION_ID && spec.kind == FieldType::Uuid =>
            {
                Ok(Value::String(uuid::Uuid::nil().to_string().into()))
            }
            converted => converted,
        }
    }
}
