//! The common conditions without the interpreter: a field beside constants, and `!`, `&&`, `||` over such.
//!
//! The interpreter makes several texts for each comparison, in case it fails; with four rules that was more than the
//! rest of a decision. Whatever is not as plain as it looks (a value that is not of its field's type, numbers that
//! would be rounded) is left to the interpreter, so that there is one meaning: a test holds the two against each other.

use std::cmp::Ordering;
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use super::schema::{SOURCE, Schema};
use crate::survey::{FieldType, Survey, Value};

/// Whether an order is what was asked for.
type Judge = fn(Ordering) -> bool;

/// Ask the interpreter.
#[derive(Debug)]
pub(super) struct Unsure;

pub(super) enum Direct {
    /// A boolean field, as it stands.
    Truth(Field),
    /// A number's place beside a constant.
    Order {
        field: Field,
        holds: Judge,
        beside: Number,
    },
    /// `==`, `!=` and `in`: whether it is one of these.
    Among {
        what: What,
        constants: Box<[Constant]>,
        is: bool,
    },
    Not(Box<Self>),
    And(Box<[Self; 2]>),
    Or(Box<[Self; 2]>),
}

pub(super) struct Field {
    name: Arc<str>,
    kind: FieldType,
}

pub(super) enum What {
    Source,
    Field(Field),
}

/// A constant that is the same as an integer and as a double, or has a fraction.
#[derive(Clone, Copy)]
pub(super) struct Number {
    whole: Option<i64>,
    double: f64,
}

pub(super) enum Constant {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Box<str>),
}

/// A field's value as CEL would see it.
#[derive(Clone, Copy)]
enum Seen<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Text(&'a str),
}

impl Direct {
    /// `None`: it takes the interpreter.
    pub(super) fn of(node: &IdedExpr, schema: &Schema) -> Option<Self> {
        let call = match &node.expr {
            Expr::Ident(_) => {
                let field = Field::of(node, schema)?;
                return (field.kind == FieldType::Boolean).then_some(Self::Truth(field));
            }
            Expr::Call(call) if call.target.is_none() => call,
            _ => return None,
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [inner]) => {
                Some(Self::Not(Box::new(Self::of(inner, schema)?)))
            }
            (operators::LOGICAL_AND, [one, other]) => {
                let both = [Self::of(one, schema)?, Self::of(other, schema)?];
                Some(Self::And(Box::new(both)))
            }
            (operators::LOGICAL_OR, [one, other]) => {
                let both = [Self::of(one, schema)?, Self::of(other, schema)?];
                Some(Self::Or(Box::new(both)))
            }
            (name @ (operators::EQUALS | operators::NOT_EQUALS), [one, other]) => {
                let (what, constant) = match (Constant::of(one), Constant::of(other)) {
                    (None, Some(constant)) => (What::of(one, schema)?, constant),
                    (Some(constant), None) => (What::of(other, schema)?, constant),
                    _ => return None,
                };
                Some(Self::Among {
                    what,
                    constants: Box::new([constant]),
                    is: name == operators::EQUALS,
                })
            }
            (operators::IN, [one, list]) => {
                let Expr::List(list) = &list.expr else {
                    return None;
                };
                if !list.optional_indices.is_empty() {
                    return None;
                }
                let constants: Option<Box<[Constant]>> =
                    list.elements.iter().map(Constant::of).collect();
                Some(Self::Among {
                    what: What::of(one, schema)?,
                    constants: constants?,
                    is: true,
                })
            }
            (name, [one, other]) => ordered(name, one, other, schema),
            _ => None,
        }
    }

    /// `Ok(None)`: a missing answer decides, so that it is neither true nor false.
    pub(super) fn holds(&self, survey: &Survey) -> Result<Option<bool>, Unsure> {
        match self {
            Self::Truth(field) => match field.of_survey(survey)? {
                Seen::Boolean(truth) => Ok(Some(truth)),
                Seen::Null => Ok(None),
                _ => Err(Unsure),
            },
            Self::Order {
                field,
                holds,
                beside,
            } => match field.of_survey(survey)? {
                Seen::Null => Ok(None),
                seen => {
                    let order = beside.compare(seen)?.ok_or(Unsure)?;
                    Ok(Some(holds(order)))
                }
            },
            Self::Among {
                what,
                constants,
                is,
            } => {
                let seen = match what {
                    What::Source => Seen::Text(survey.source.as_str()),
                    What::Field(field) => field.of_survey(survey)?,
                };
                for constant in constants {
                    if constant.equals(seen)? {
                        return Ok(Some(*is));
                    }
                }
                Ok(Some(!is))
            }
            Self::Not(inner) => Ok(inner.holds(survey)?.map(|truth| !truth)),
            // As in CEL, one side that decides makes up for one that cannot be evaluated.
            Self::And(both) => match both[0].holds(survey)? {
                Some(false) => Ok(Some(false)),
                left => Ok(match (left, both[1].holds(survey)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), right) => right,
                    _ => None,
                }),
            },
            Self::Or(both) => match both[0].holds(survey)? {
                Some(true) => Ok(Some(true)),
                left => Ok(match (left, both[1].holds(survey)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), right) => right,
                    _ => None,
                }),
            },
        }
    }
}

/// `<`, `<=`, `>`, `>=` between a numeric field and a constant, on either side.
fn ordered(name: &str, one: &IdedExpr, other: &IdedExpr, schema: &Schema) -> Option<Direct> {
    let (holds, mirrored): (Judge, Judge) = match name {
        operators::LESS => (Ordering::is_lt, Ordering::is_gt),
        operators::LESS_EQUALS => (Ordering::is_le, Ordering::is_ge),
        operators::GREATER => (Ordering::is_gt, Ordering::is_lt),
        operators::GREATER_EQUALS => (Ordering::is_ge, Ordering::is_le),
        _ => return None,
    };
    let (field, beside, holds) = match (Constant::of(one), Constant::of(other)) {
        (None, Some(Constant::Number(number))) => (one, number, holds),
        (Some(Constant::Number(number)), None) => (other, number, mirrored),
        _ => return None,
    };
    let field = Field::of(field, schema)?;
    field.kind.is_numeric().then_some(Direct::Order {
        field,
        holds,
        beside,
    })
}

impl What {
    fn of(node: &IdedExpr, schema: &Schema) -> Option<Self> {
        match &node.expr {
            Expr::Ident(name) if name == SOURCE => Some(Self::Source),
            _ => Field::of(node, schema).map(Self::Field),
        }
    }
}

impl Field {
    /// Timestamps are texts here and moments there.
    fn of(node: &IdedExpr, schema: &Schema) -> Option<Self> {
        let Expr::Ident(name) = &node.expr else {
            return None;
        };
        let kind = schema.kind(name)?;
        let name = Arc::clone(schema.name(name)?);
        (kind != FieldType::Timestamp).then_some(Self { name, kind })
    }

    fn of_survey<'a>(&self, survey: &'a Survey) -> Result<Seen<'a>, Unsure> {
        match (survey.fields.get(&*self.name), self.kind) {
            (None | Some(Value::Null), _) => Ok(Seen::Null),
            (Some(Value::Boolean(truth)), FieldType::Boolean) => Ok(Seen::Boolean(*truth)),
            (Some(Value::Integer(whole)), FieldType::Integer) => Ok(Seen::Integer(*whole)),
            // Another source has numbers by this name.
            (Some(Value::Integer(whole)), FieldType::Number) => as_double(*whole).map(Seen::Double),
            (Some(Value::Number(number)), FieldType::Number) => Ok(Seen::Double(*number)),
            (Some(Value::String(text)), FieldType::String | FieldType::Uuid) => {
                Ok(Seen::Text(text))
            }
            _ => Err(Unsure),
        }
    }
}

/// Only what is exact beyond doubt.
fn as_double(whole: i64) -> Result<f64, Unsure> {
    i32::try_from(whole).map(f64::from).map_err(|_large| Unsure)
}

impl Number {
    /// What lies on the left of this; `None` where they have no order.
    fn compare(self, left: Seen<'_>) -> Result<Option<Ordering>, Unsure> {
        match (left, self.whole) {
            (Seen::Integer(left), Some(whole)) => Ok(Some(left.cmp(&whole))),
            (Seen::Integer(left), None) => Ok(as_double(left)?.partial_cmp(&self.double)),
            (Seen::Double(left), _) => Ok(left.partial_cmp(&self.double)),
            _ => Err(Unsure),
        }
    }
}

impl Constant {
    fn of(node: &IdedExpr) -> Option<Self> {
        match &node.expr {
            Expr::Literal(LiteralValue::Null) => Some(Self::Null),
            Expr::Literal(LiteralValue::Boolean(truth)) => Some(Self::Boolean(truth.into_inner())),
            Expr::Literal(LiteralValue::String(text)) => Some(Self::Text(text.inner().into())),
            Expr::Literal(LiteralValue::Int(whole)) => {
                let whole = whole.into_inner();
                let double = as_double(whole).ok()?;
                Some(Self::Number(Number {
                    whole: Some(whole),
                    double,
                }))
            }
            Expr::Literal(LiteralValue::Double(double)) => Some(Self::Number(Number {
                whole: None,
                double: double.into_inner(),
            })),
            _ => None,
        }
    }

    fn equals(&self, seen: Seen<'_>) -> Result<bool, Unsure> {
        match (self, seen) {
            (Self::Null, Seen::Null) => Ok(true),
            (Self::Boolean(one), Seen::Boolean(other)) => Ok(*one == other),
            (Self::Text(one), Seen::Text(other)) => Ok(**one == *other),
            (Self::Number(number), seen @ (Seen::Integer(_) | Seen::Double(_))) => {
                Ok(number.compare(seen)?.ok_or(Unsure)?.is_eq())
            }
            // Of different types, null among them: never the same, and no mistake.
            _ => Ok(false),
        }
    }
}
