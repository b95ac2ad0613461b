//! A survey as CEL sees it: every declared field is a variable, null where the survey has none.

use cel::common::types::{CelBool, CelDouble, CelInt, CelNull, CelString, CelTimestamp};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env};
use chrono::DateTime;
use std::sync::Arc;

use super::functions::{self, Pattern};
use super::schema::{RECEIVED_AT, SOURCE, Schema};
use crate::survey::{FieldType, Survey, Value};

static NULL: CelNull = CelNull;

/// CEL's standard library and our functions, built once for each rule set: building it for each survey would cost more
/// than the rest of the service.
pub(super) struct Engine {
    env: Arc<Env>,
    root: Context<'static, 'static>,
    /// How many patterns of the rules it keeps.
    patterns: usize,
}

impl Engine {
    pub(super) fn new() -> Self {
        let env = Arc::new(functions::environment());
        let root = Context::with_env(Arc::clone(&env));
        Self {
            env,
            root,
            patterns: 0,
        }
    }

    /// Keeps a pattern, and answers by what name an expression finds it: one that no rule could spell.
    pub(super) fn keep(&mut self, pattern: Pattern) -> String {
        let name = format!("@pattern{}", self.patterns);
        self.patterns += 1;
        self.root
            .add_variable_as_val(name.as_str(), Box::new(pattern));
        name
    }

    pub(super) fn env(&self) -> &Env {
        &self.env
    }

    /// No variables of a survey: what holds for all of them.
    pub(super) fn root(&self) -> &Context<'static, 'static> {
        &self.root
    }

    /// The variables of one survey.
    pub(super) fn over<'a>(&'a self, scope: &'a Scope<'_>) -> Context<'a, 'a> {
        let root: &'a Context<'a, 'a> = &self.root;
        let mut inner = root.new_inner_scope();
        inner.set_variable_resolver(scope);
        inner
    }
}

pub(super) struct Scope<'a> {
    pub(super) survey: &'a Survey,
    pub(super) schema: &'a Schema,
}

impl Scope<'_> {
    /// Whether the survey has no value for a declared field.
    pub(super) fn lacks(&self, field: &str) -> bool {
        matches!(self.survey.fields.get(field), None | Some(Value::Null))
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match (self.survey.fields.get(variable), self.schema.kind(variable)) {
            (Some(value), kind) => Some(in_cel(value, kind)),
            (None, Some(_)) => Some(CowVal::Borrowed(&NULL)),
            (None, None) if variable == SOURCE => {
                Some(CowVal::owned(CelString::from(self.survey.source.as_str())))
            }
            (None, None) if variable == RECEIVED_AT => Some(
                DateTime::from_timestamp_millis(self.survey.received_at.0)
                    .map_or(CowVal::Borrowed(&NULL), |moment| {
                        CowVal::owned(CelTimestamp::from(moment.fixed_offset()))
                    }),
            ),
            (None, None) => None,
        }
    }
}

fn in_cel(value: &Value, kind: Option<FieldType>) -> CowVal<'_, '_> {
    match (value, kind) {
        (Value::Null, _) => CowVal::Borrowed(&NULL),
        (Value::Boolean(truth), _) => CowVal::owned(CelBool::from(*truth)),
        // A name that another source declares as `number` is one here, too: arithmetic must not depend on the source.
        (Value::Integer(whole), Some(FieldType::Number)) => {
            let number = serde_json::Number::from(*whole).as_f64();
            number.map_or(CowVal::Borrowed(&NULL), |n| {
                CowVal::owned(CelDouble::from(n))
            })
        }
        (Value::Integer(whole), _) => CowVal::owned(CelInt::from(*whole)),
        (Value::Number(number), _) => CowVal::owned(CelDouble::from(*number)),
        (Value::String(text), Some(FieldType::Timestamp)) => {
            match DateTime::parse_from_rfc3339(text) {
                Ok(moment) => CowVal::owned(CelTimestamp::from(moment)),
                Err(_) => CowVal::owned(CelString::from(&**text)),
            }
        }
        (Value::String(text), _) => CowVal::owned(CelString::from(&**text)),
    }
}
