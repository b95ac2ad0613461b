//! What conditions can call besides CEL's own functions: `upper`, `lower`, `trim` and `matches`.
//!
//! A pattern of `matches` stands in the rule and is compiled when the rules are read, never while a sender waits. It
//! never comes from a survey: its sender could choose what each survey costs. The engine matches in time linear in
//! the text, whatever the pattern.

use std::any::Any;

use cel::common::ast::{Expr, LiteralValue};
use cel::common::types::{CelBool, CelString, Type};
use cel::common::value::{StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError, IdedExpr, add_member_overload, add_overload};
use regex::{Regex, RegexBuilder};

use super::nodes;
use super::scope::Engine;

const MATCHES: &str = "matches";

/// What a compiled pattern may take: ordinary ones take some KiB, one for addresses of e-mail 200 KiB, and twenty times
/// `\w`, which is a large set of letters, as much as this.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

/// The name of its type is what the trace calls it.
static PATTERN_TYPE: Type = Type::new_unspecified_type("a pattern");

/// The standard library, and ours.
pub(super) fn environment() -> Env {
    let mut env = Env::stdlib();
    declare(&mut env).expect("none of these is declared twice");
    env
}

fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    add_overload!(env, fn upper: (CelString<'_>) -> CelString<'_>)?;
    add_overload!(env, fn lower: (CelString<'_>) -> CelString<'_>)?;
    add_overload!(env, fn trim: (CelString<'_>) -> CelString<'_>)?;
    add_overload!(env, fn matches: (CelString<'_>, Pattern) -> CelBool)?;
    add_member_overload!(env, fn upper: (CelString<'_>) -> CelString<'_>)?;
    add_member_overload!(env, fn lower: (CelString<'_>) -> CelString<'_>)?;
    add_member_overload!(env, fn trim: (CelString<'_>) -> CelString<'_>)?;
    add_member_overload!(env, fn matches: (CelString<'_>, Pattern) -> CelBool)
}

fn upper(text: &CelString<'_>) -> CelString<'static> {
    CelString::from(text.to_uppercase())
}

fn lower(text: &CelString<'_>) -> CelString<'static> {
    CelString::from(text.to_lowercase())
}

fn trim(text: &CelString<'_>) -> CelString<'static> {
    CelString::from(text.trim().to_owned())
}

fn matches(text: &CelString<'_>, pattern: &Pattern) -> CelBool {
    CelBool::from(pattern.0.is_match(text))
}

/// A regular expression of a rule, as a value of CEL's.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    fn compile(text: &str) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(MAX_PATTERN_BYTES);
        builder.dfa_size_limit(MAX_PATTERN_BYTES);
        builder.build().map(Self).map_err(|cause| match cause {
            regex::Error::CompiledTooBig(_) => {
                "this pattern is too large; repeat less of it, or [a-z] in place of \\w".to_owned()
            }
            // The library draws the pattern with a mark below it; its last line says what is wrong.
            other => {
                let told = other.to_string();
                let last = told.lines().last().unwrap_or_default();
                let why = last.trim_start_matches("error: ");
                format!("this pattern does not compile: {why}")
            }
        })
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// What is wrong with a call, and at which node.
pub(super) struct Misuse {
    pub(super) node: u64,
    pub(super) message: String,
}

/// Compiles the pattern of each `matches` and puts it in the text's place; `engine` keeps it.
pub(super) fn settle_patterns(node: &mut IdedExpr, engine: &mut Engine, misused: &mut Vec<Misuse>) {
    for child in nodes::children_mut(node) {
        settle_patterns(child, engine, misused);
    }
    let Expr::Call(call) = &mut node.expr else {
        return;
    };
    if call.func_name != MATCHES {
        return;
    }
    let wanted = if call.target.is_some() { 1 } else { 2 };
    let (count, pattern) = (call.args.len(), call.args.last_mut());
    let Some(pattern) = pattern.filter(|_| count == wanted) else {
        let message = "`matches` takes a pattern: text.matches('^A')".to_owned();
        let node = node.id;
        return misused.push(Misuse { node, message });
    };
    let compiled = match &pattern.expr {
        Expr::Literal(LiteralValue::String(text)) => Pattern::compile(text.inner()),
        _ => Err(
            "the pattern of `matches` must stand in the rule as a text, such as '^(A|B)'"
                .to_owned(),
        ),
    };
    match compiled {
        Ok(compiled) => pattern.expr = Expr::Ident(engine.keep(compiled)),
        Err(message) => misused.push(Misuse {
            node: pattern.id,
            message,
        }),
    }
}

/// Moments, durations and time zones that are written out and are none: evaluation would find them only when a survey
/// gets that far.
pub(super) fn check_constants(node: &IdedExpr, engine: &Engine, misused: &mut Vec<Misuse>) {
    for child in nodes::children(node) {
        check_constants(child, engine, misused);
    }
    let Expr::Call(call) = &node.expr else { return };
    let [argument] = call.args.as_slice() else {
        return;
    };
    if !matches!(&argument.expr, Expr::Literal(LiteralValue::String(_))) {
        return;
    }
    let (probe, message) = match (call.func_name.as_str(), &call.target) {
        ("timestamp", None) => (
            node.clone(),
            "no moment; write it as '2026-01-31T09:30:00Z'",
        ),
        ("duration", None) => (node.clone(), "no duration; write it as '1h30m'"),
        (name, Some(_)) if name.starts_with("get") => {
            let mut probe = call.clone();
            probe.target = Some(Box::new(some_moment(node.id)));
            let expr = Expr::Call(probe);
            let message = "no time zone; write it as 'Europe/Berlin' or '+01:00'";
            (IdedExpr { id: node.id, expr }, message)
        }
        _ => return,
    };
    let outcome = cel::Value::resolve_val(&probe, engine.root());
    if matches!(outcome, Err(ExecutionError::FunctionError { .. })) {
        misused.push(Misuse {
            node: argument.id,
            message: message.to_owned(),
        });
    }
}

/// `timestamp(0)`.
fn some_moment(id: u64) -> IdedExpr {
    let zero = IdedExpr {
        id,
        expr: Expr::Literal(LiteralValue::Int(0.into())),
    };
    let call = cel::common::ast::CallExpr {
        func_name: "timestamp".to_owned(),
        target: None,
        args: vec![zero],
    };
    IdedExpr {
        id,
        expr: Expr::Call(call),
    }
}
