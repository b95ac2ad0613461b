//! What a rules file may say, but hardly means: rules that can never decide, and sources that do not exist.

use std::collections::BTreeMap;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use super::schema::SOURCE;
use super::{Rule, RuleSet, nodes, trial};
use crate::ids::SourceName;

pub(super) fn of(rules: &RuleSet) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut always: Option<&Rule> = None;
    let mut seen = BTreeMap::new();
    for rule in &rules.rules {
        let name = &rule.name;
        if let Some(earlier) = always {
            let earlier = &earlier.name;
            warnings.push(format!(
                "rule '{name}' is never reached: rule '{earlier}' before it always matches"
            ));
            continue;
        }
        let Some(condition) = &rule.when else {
            always = Some(rule);
            continue;
        };
        match trial::constant(condition, &rules.engine, &rules.schema) {
            Some(true) => always = Some(rule),
            Some(false) => warnings.push(format!(
                "rule '{name}' never matches: its condition names no field and is false"
            )),
            None => {}
        }
        if let Some(earlier) = seen.insert(&condition.text, name) {
            warnings.push(format!(
                "rule '{name}' never matches: rule '{earlier}' before it has the same condition"
            ));
        }
        for text in compared_with_source(&condition.expression) {
            if rules.schema.source(Some(text)).is_none() {
                let known = rules.schema.sources().map(SourceName::as_str);
                let known: Vec<&str> = known.collect();
                warnings.push(format!(
                    "rule '{name}': there is no source '{text}'; there are {}",
                    known.join(", ")
                ));
            }
        }
    }
    warnings
}

/// The texts beside `source` in `==`, `!=` and `in`.
fn compared_with_source(node: &IdedExpr) -> Vec<&str> {
    let mut texts = Vec::new();
    if let Expr::Call(call) = &node.expr
        && [operators::EQUALS, operators::NOT_EQUALS, operators::IN]
            .contains(&call.func_name.as_str())
        && call.args.iter().any(is_source)
    {
        for beside in &call.args {
            match &beside.expr {
                Expr::List(list) => texts.extend(list.elements.iter().filter_map(text)),
                _ => texts.extend(text(beside)),
            }
        }
    }
    for child in nodes::children(node) {
        texts.extend(compared_with_source(child));
    }
    texts
}

fn is_source(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == SOURCE)
}

fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
