//! One compiled condition: a CEL expression that is true, false, or cannot be evaluated for a survey.
//!
//! Compiled once, with every name in it known. What cannot be evaluated is told without the survey's values.

use std::sync::Arc;

use cel::common::types::CelBool;
use cel::parser::Expression;
use cel::{ExecutionError, IdedExpr, ParseError};

use super::direct::Direct;
use super::functions::{self, Misuse};
use super::nodes;
use super::numbers;
use super::schema::Schema;
use super::scope::{Engine, Scope};
use super::{names, price};

/// A condition that needs more than this is a program, and belongs into several rules.
pub(super) const MAX_CONDITION_BYTES: usize = 2048;

/// How deep brackets and operators may be nested. CEL's parser and interpreter recurse, and evaluation has to do with
/// the 2 MiB stack of a worker thread; twice this depth was seen to overflow one in a debug build.
pub(super) const MAX_DEPTH: usize = 32;

/// The stack that compiling needs for [`MAX_DEPTH`], with room: the parser takes a good 150 KiB for each bracket in a
/// debug build, most of all for one that is never closed.
pub(super) const COMPILE_STACK_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Condition {
    pub(super) text: Arc<str>,
    pub(super) expression: Expression,
    /// The fields it names.
    pub(super) fields: Vec<Arc<str>>,
    /// Whether it names anything that differs from survey to survey.
    pub(super) varies: bool,
    /// The same again, where it is plain enough.
    direct: Option<Direct>,
}

/// What is wrong with a condition's text, and at which byte of it.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) offset: Option<usize>,
    pub(super) message: String,
}

impl Condition {
    pub(super) fn compile(
        text: &str,
        engine: &mut Engine,
        schema: &Schema,
    ) -> Result<Self, Vec<Flaw>> {
        if text.len() > MAX_CONDITION_BYTES {
            let message = format!("is longer than {MAX_CONDITION_BYTES} bytes; split the rule");
            return Err(vec![Flaw {
                offset: None,
                message,
            }]);
        }
        if text.trim().is_empty() {
            let message = "is empty; leave `when` out for a rule that always matches".to_owned();
            return Err(vec![Flaw {
                offset: None,
                message,
            }]);
        }
        if bracket_depth(text) > MAX_DEPTH {
            return Err(vec![too_deep()]);
        }
        let program = match engine.env().compile(text) {
            Ok(program) => program,
            // What the parser says after its first error is mostly about its recovery.
            Err(errors) => {
                return Err(errors
                    .errors
                    .iter()
                    .take(1)
                    .map(|e| parse_flaw(text, e))
                    .collect());
            }
        };
        if depth(program.expression()) > MAX_DEPTH {
            return Err(vec![too_deep()]);
        }
        if !price::is_bounded(program.expression()) {
            let message = "goes through lists within lists, or doubles values, until it could hold up each survey for \
                           long; split the rule";
            return Err(vec![Flaw {
                offset: None,
                message: message.to_owned(),
            }]);
        }
        let found = names::find(program.expression(), engine, schema);
        if !found.unknown.is_empty() {
            let flaw = |unknown: names::Unknown| {
                let begin = start(&program, unknown.node).map(|start| {
                    let before = text.get(..start).unwrap_or_default();
                    before
                        .strip_suffix(unknown.name.as_str())
                        .map_or(start, str::len)
                });
                Flaw {
                    offset: begin,
                    message: unknown.message,
                }
            };
            return Err(found.unknown.into_iter().map(flaw).collect());
        }
        let mut expression = program.expression().clone();
        let mut misused = Vec::new();
        functions::check_constants(&expression, engine, &mut misused);
        functions::settle_patterns(&mut expression, engine, &mut misused);
        if !misused.is_empty() {
            let flaw = |Misuse { node, message }| Flaw {
                offset: start(&program, node),
                message,
            };
            return Err(misused.into_iter().map(flaw).collect());
        }
        numbers::settle(&mut expression, schema);
        Ok(Self {
            text: Arc::from(text),
            direct: Direct::of(&expression, schema),
            expression,
            fields: found.fields,
            varies: found.varies,
        })
    }

    /// True or false; else why it can be neither.
    pub(super) fn holds(&self, engine: &Engine, scope: &Scope<'_>) -> Result<bool, String> {
        match self
            .direct
            .as_ref()
            .map(|direct| direct.holds(scope.survey))
        {
            Some(Ok(Some(truth))) => Ok(truth),
            Some(Ok(None)) => match self.missing(scope) {
                Some(missing) => Err(missing),
                None => self.interpreted(engine, scope),
            },
            Some(Err(_unsure)) => self.interpreted(engine, scope),
            None => self.interpreted(engine, scope),
        }
    }

    /// As CEL has it, which decides what a condition means.
    pub(super) fn interpreted(&self, engine: &Engine, scope: &Scope<'_>) -> Result<bool, String> {
        let context = engine.over(scope);
        let why = match cel::Value::resolve_val(&self.expression, &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(truth) => return Ok(truth.into_inner()),
                None => format!(
                    "gives {}, not true or false",
                    type_name(value.get_type().name())
                ),
            },
            Err(error) => told(&error),
        };
        Err(self.missing(scope).unwrap_or(why))
    }

    /// Which of its fields the survey has no answer for: the reason for whatever cannot be evaluated.
    fn missing(&self, scope: &Scope<'_>) -> Option<String> {
        let mut missing = self.fields.iter().filter(|field| scope.lacks(field));
        let first = missing.next()?;
        let rest: Vec<&str> = missing.map(|field| &**field).collect();
        Some(if rest.is_empty() {
            format!("{first} is missing")
        } else {
            format!("{first}, {} are missing", rest.join(", "))
        })
    }

    /// Whether it is evaluated without the interpreter.
    #[cfg(test)]
    pub(super) fn is_direct(&self) -> bool {
        self.direct.is_some()
    }
}

/// The byte of the condition's text that a node begins at.
fn start(program: &cel::Program, node: u64) -> Option<usize> {
    let (start, _) = program.source_info().offset_for(node)?;
    usize::try_from(start).ok()
}

fn too_deep() -> Flaw {
    let message = format!("is nested deeper than {MAX_DEPTH}; split the rule");
    Flaw {
        offset: None,
        message,
    }
}

/// How deep the text opens brackets, strings left out: asked before the parser, which is not bounded.
fn bracket_depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quote, mut escaped) = (0_usize, 0, None, false);
    for byte in text.bytes() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (Some(_) | None, _) => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// How deep the interpreter will recurse.
fn depth(node: &IdedExpr) -> usize {
    let below = nodes::children(node).into_iter();
    1 + below.map(depth).max().unwrap_or(0)
}

/// The error in words for people, without the values that it was about.
fn told(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => not_for(
            overload.function(),
            overload.argument_types().iter().map(String::as_str),
        ),
        ExecutionError::ValuesNotComparable(one, other) => {
            let types = [one.type_of().to_string(), other.type_of().to_string()];
            not_for("comparison", types.iter().map(String::as_str))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, one, other) => {
            let types = [one.type_of().to_string(), other.type_of().to_string()];
            let sign = match *operator {
                "add" => "+",
                "sub" => "-",
                "mul" => "*",
                "div" => "/",
                "rem" => "%",
                other => other,
            };
            not_for(sign, types.iter().map(String::as_str))
        }
        ExecutionError::UnexpectedType { got, want } => {
            format!("{} where {} is needed", type_name(got), type_name(want))
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is out of range".to_owned(),
        ExecutionError::NoSuchKey(_) => "the map has no such key".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the list has no such index".to_owned(),
        ExecutionError::FunctionError { function, .. } if function == "timezone" => {
            "the time zone is unknown".to_owned()
        }
        ExecutionError::FunctionError { function, .. } => {
            format!("`{function}` cannot be applied to this value")
        }
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is unknown"),
        _ => "cannot be evaluated for these values".to_owned(),
    }
}

fn not_for<'a>(operator: &str, types: impl Iterator<Item = &'a str>) -> String {
    let sign = operator.trim_matches(|c| c == '_' || c == '@');
    let types: Vec<_> = types.map(type_name).collect();
    format!("`{sign}` does not go with {}", types.join(" and "))
}

/// CEL's name of a type in our words.
fn type_name(cel: &str) -> &str {
    match cel {
        "int" | "uint" => "an integer",
        "double" | "float" => "a number",
        "string" => "a string",
        "bool" => "a boolean",
        "null_type" | "null" => "null",
        "list" => "a list",
        "map" => "a map",
        "google.protobuf.Timestamp" | "timestamp" => "a timestamp",
        "google.protobuf.Duration" | "duration" => "a duration",
        other => other,
    }
}

fn parse_flaw(text: &str, error: &ParseError) -> Flaw {
    let line = usize::try_from(error.pos.0.saturating_sub(1)).unwrap_or(0);
    let column = usize::try_from(error.pos.1.saturating_sub(1)).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    // The parser counts columns in characters.
    let in_line = text.get(before..).unwrap_or_default();
    let offset = in_line
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(byte, _)| before + byte);
    let rest = text.get(offset..).unwrap_or_default();
    let message = if rest.starts_with('=') && !rest.starts_with("==") {
        "does not parse: equality is written `==`".to_owned()
    } else {
        // The parser lists every token that might follow, which is half of its grammar.
        let told = error.msg.split(" expecting ").next().unwrap_or(&error.msg);
        let told = told.trim().trim_start_matches("Syntax error: ");
        format!("does not parse: {}", told.replace("'<EOF>'", "end"))
    };
    Flaw {
        offset: Some(offset),
        message,
    }
}
