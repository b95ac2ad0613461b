//! Tries a condition at load, so that one that can never be true or false is told to its author and not to a survey.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue};

use super::condition::Condition;
use super::nodes;
use super::schema::Schema;
use super::scope::{Engine, Scope};
use crate::clock::UnixMs;
use crate::ids::{InteractionId, SourceName};
use crate::survey::{FieldType, Fields, Survey, Value};

/// A bound for conditions that name many fields; the usual one is settled by its first trial.
const MAX_TRIALS: usize = 4096;
/// For each source but the first.
const MORE_TRIALS: usize = 64;

/// A moment in the life of this service: 2026-01-31T09:30:00Z.
const SOME_TIME: UnixMs = UnixMs(1_769_851_800_000);

/// `Ok` if some sample survey makes the condition true or false; else why the first one did not.
pub(super) fn gives_a_boolean(
    condition: &Condition,
    engine: &Engine,
    schema: &Schema,
) -> Result<(), String> {
    let mut literals = Vec::new();
    collect_literals(&condition.expression, &mut literals);
    let choices: Vec<(&Arc<str>, Vec<Value>)> = condition
        .fields
        .iter()
        .map(|field| (field, samples(schema.kind(field), &literals)))
        .collect();
    let mut first_reason = None;
    // What it makes of a source's name may depend on the name: `{'retail': true}[source]`.
    for (nth, source) in schema.sources().enumerate() {
        let most = if nth == 0 { usize::MAX } else { MORE_TRIALS };
        for fields in combinations(&choices).take(most) {
            let survey = Survey {
                source: source.clone(),
                ..sample_survey(schema, fields)
            };
            match holds(condition, engine, schema, &survey) {
                Ok(_) => return Ok(()),
                Err(why) => {
                    first_reason.get_or_insert(why);
                }
            }
        }
    }
    Err(first_reason.unwrap_or_else(|| "no source is configured".to_owned()))
}

/// What a condition that names nothing of a survey always is.
pub(super) fn constant(condition: &Condition, engine: &Engine, schema: &Schema) -> Option<bool> {
    if condition.varies {
        return None;
    }
    let survey = sample_survey(schema, Fields::new());
    holds(condition, engine, schema, &survey).ok()
}

fn holds(
    condition: &Condition,
    engine: &Engine,
    schema: &Schema,
    survey: &Survey,
) -> Result<bool, String> {
    condition.holds(engine, &Scope { survey, schema })
}

fn sample_survey(schema: &Schema, fields: Fields) -> Survey {
    let source = schema.source(None).map(|(name, _)| name.clone());
    Survey {
        source: source.unwrap_or_else(|| SourceName::from("sample")),
        interaction: InteractionId(uuid::Uuid::nil()),
        received_at: SOME_TIME,
        fields,
    }
}

/// Typical values first: their reason is the one that is told.
fn samples(kind: Option<FieldType>, literals: &[Arc<str>]) -> Vec<Value> {
    let text = |text: &str| Value::String(Arc::from(text));
    let mut samples = match kind {
        Some(FieldType::Integer) => [1, 0, -1, 10].map(Value::Integer).to_vec(),
        Some(FieldType::Number) => [1.0, 0.0, -1.0, 10.0].map(Value::Number).to_vec(),
        Some(FieldType::Boolean) => [true, false].map(Value::Boolean).to_vec(),
        Some(FieldType::Uuid) => vec![text("a1b2c3d4-e5f6-7890-abcd-ef1234567890")],
        Some(FieldType::Timestamp) => vec![text(&SOME_TIME.to_rfc3339())],
        Some(FieldType::String) | None => {
            // A condition may convert a string, or look it up in a map of its own.
            let mut all = vec![text("a"), text(""), text("1"), text("true"), text("1h")];
            all.push(text(&SOME_TIME.to_rfc3339()));
            all.extend(literals.iter().cloned().map(Value::String));
            all
        }
    };
    samples.push(Value::Null);
    samples
}

/// All fields at their first sample, at their second ..., then all combinations up to the bound.
fn combinations<'a>(
    choices: &'a [(&'a Arc<str>, Vec<Value>)],
) -> impl Iterator<Item = Fields> + use<'a> {
    let pick = |(name, samples): &(&Arc<str>, Vec<Value>), index: usize| {
        (Arc::clone(name), samples[index % samples.len()].clone())
    };
    let most = choices
        .iter()
        .map(|(_, samples)| samples.len())
        .max()
        .unwrap_or(1);
    let all = choices
        .iter()
        .fold(1_usize, |product, (_, s)| product.saturating_mul(s.len()));
    let alike = (0..most).map(move |index| choices.iter().map(|c| pick(c, index)).collect());
    let mixed = (0..all.min(MAX_TRIALS)).map(move |number| {
        let mut rest = number;
        choices
            .iter()
            .map(|choice| {
                let picked = pick(choice, rest);
                rest /= choice.1.len();
                picked
            })
            .collect()
    });
    alike.chain(mixed)
}

fn collect_literals(node: &IdedExpr, found: &mut Vec<Arc<str>>) {
    if let Expr::Literal(LiteralValue::String(text)) = &node.expr {
        found.push(Arc::from(text.inner()));
    }
    for child in nodes::children(node) {
        collect_literals(child, found);
    }
}
