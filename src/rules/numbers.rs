//! Makes arithmetic between integers and numbers work: `(csat_score + nps_score) / 2 >= 4.5`.
//!
//! CEL compares across its number types but never adds across them, and nobody who writes a rule about scores should
//! have to know that `2` and `2.0` differ. Where one side of `+ - * /` is a number and the other an integer, the
//! integer becomes a number. Comparisons are left as they are.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::common::types::CelDouble;

use super::schema::Schema;
use crate::survey::FieldType;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    /// Not numeric, or not known before evaluation.
    Other,
}

/// Rewrites the expression in place.
pub(super) fn settle(node: &mut IdedExpr, schema: &Schema) {
    kind_of(node, schema);
}

fn kind_of(node: &mut IdedExpr, schema: &Schema) -> Kind {
    match &mut node.expr {
        Expr::Literal(LiteralValue::Int(_)) => Kind::Integer,
        Expr::Literal(LiteralValue::Double(_)) => Kind::Number,
        Expr::Ident(name) => match schema.kind(name) {
            Some(FieldType::Integer) => Kind::Integer,
            Some(FieldType::Number) => Kind::Number,
            _ => Kind::Other,
        },
        Expr::Call(call) => kind_of_call(call, schema),
        Expr::List(list) => {
            for element in &mut list.elements {
                kind_of(element, schema);
            }
            Kind::Other
        }
        // Inside a comprehension a variable may hide a field, so its body keeps CEL's own rules.
        _ => Kind::Other,
    }
}

fn kind_of_call(call: &mut CallExpr, schema: &Schema) -> Kind {
    if let Some(target) = &mut call.target {
        kind_of(target, schema);
    }
    let kinds: Vec<Kind> = call
        .args
        .iter_mut()
        .map(|arg| kind_of(arg, schema))
        .collect();
    match (call.func_name.as_str(), kinds.as_slice()) {
        (
            operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE,
            &[left, right],
        ) => match (left, right) {
            (Kind::Integer, Kind::Number) => {
                make_number(&mut call.args[0]);
                Kind::Number
            }
            (Kind::Number, Kind::Integer) => {
                make_number(&mut call.args[1]);
                Kind::Number
            }
            (left, right) if left == right => left,
            _ => Kind::Other,
        },
        (operators::CONDITIONAL, &[_, yes, no]) if yes == no => yes,
        (operators::NEGATE, &[kind]) => kind,
        ("double", _) => Kind::Number,
        ("int" | "size", _) => Kind::Integer,
        _ => Kind::Other,
    }
}

fn make_number(node: &mut IdedExpr) {
    if let Expr::Literal(LiteralValue::Int(whole)) = &node.expr
        && let Some(number) = serde_json::Number::from(whole.into_inner()).as_f64()
    {
        node.expr = Expr::Literal(LiteralValue::Double(CelDouble::from(number)));
        return;
    }
    let integer = std::mem::take(node);
    node.id = integer.id;
    node.expr = Expr::Call(CallExpr {
        func_name: "double".to_owned(),
        target: None,
        args: vec![integer],
    });
}
