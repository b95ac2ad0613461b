//! The names in a condition, and whether each is known: fields, functions, and what CEL declares itself.
//!
//! Evaluation would find an unknown name only when a survey reaches it, so all of them are looked up at load.

use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};
use cel::parser::Expression;
use cel::{ExecutionError, IdedExpr};

use super::schema::{RECEIVED_AT, SOURCE, Schema};
use super::scope::Engine;

/// More declared names than this are not listed in a message.
const MAX_LISTED: usize = 12;

#[derive(Default)]
pub(super) struct Names {
    pub(super) fields: Vec<Arc<str>>,
    pub(super) varies: bool,
    pub(super) unknown: Vec<Unknown>,
}

pub(super) struct Unknown {
    /// The expression's node; a call's begins at its bracket, after the name.
    pub(super) node: u64,
    pub(super) name: String,
    pub(super) message: String,
}

pub(super) fn find(expression: &Expression, engine: &Engine, schema: &Schema) -> Names {
    let mut walk = Walk {
        engine,
        schema,
        bound: Vec::new(),
        names: Names::default(),
    };
    walk.node(expression);
    walk.names
}

struct Walk<'a> {
    engine: &'a Engine,
    schema: &'a Schema,
    /// Variables of the comprehensions that we are in.
    bound: Vec<&'a str>,
    names: Names,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a IdedExpr) {
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.ident(node.id, name),
            Expr::Call(call) => self.call(node.id, call),
            Expr::Select(select) => {
                // `google.protobuf.Timestamp` is a type's name, not a field of a field.
                if !self.declared_by_cel(node) {
                    self.node(&select.operand);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.node(element)),
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(made) => self.entries(made.entries.iter().map(|entry| &entry.expr)),
            Expr::Comprehension(each) => {
                self.node(&each.iter_range);
                self.node(&each.accu_init);
                let outer = self.bound.len();
                self.bound
                    .extend([each.iter_var.as_str(), each.accu_var.as_str()]);
                self.bound.extend(each.iter_var2.as_deref());
                for inner in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.node(inner);
                }
                self.bound.truncate(outer);
            }
        }
    }

    fn entries(&mut self, entries: impl Iterator<Item = &'a EntryExpr>) {
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => self.node(&field.value),
                EntryExpr::MapEntry(entry) => {
                    self.node(&entry.key);
                    self.node(&entry.value);
                }
            }
        }
    }

    fn ident(&mut self, id: u64, name: &str) {
        if self.bound.contains(&name) {
            return;
        }
        if let Some(field) = self.schema.name(name) {
            self.names.varies = true;
            if !self.names.fields.contains(field) {
                self.names.fields.push(Arc::clone(field));
            }
        } else if name == SOURCE || name == RECEIVED_AT {
            self.names.varies = true;
        } else if !self.declared_by_cel(&IdedExpr {
            id,
            expr: Expr::Ident(name.to_owned()),
        }) {
            let mut declared: Vec<_> = self.schema.names().take(MAX_LISTED).collect();
            declared.extend([SOURCE, RECEIVED_AT]);
            let message = format!(
                "no source declares `{name}`; known are {}",
                declared.join(", ")
            );
            self.names.unknown.push(Unknown {
                node: id,
                name: name.to_owned(),
                message,
            });
        }
    }

    fn call(&mut self, id: u64, call: &'a CallExpr) {
        call.args.iter().for_each(|argument| self.node(argument));
        let is_function = call
            .func_name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let Some(target) = &call.target else {
            if is_function && !self.function_exists(id, call, None) {
                self.unknown_function(id, call);
            }
            return;
        };
        // `optional.of(x)` has a namespace where `text.contains(x)` has a value.
        if self.function_exists(id, call, Some(target)) {
            return;
        }
        self.node(target);
        let null = IdedExpr {
            id,
            expr: Expr::Literal(LiteralValue::Null),
        };
        if is_function && !self.function_exists(id, call, Some(&null)) {
            self.unknown_function(id, call);
        }
    }

    fn unknown_function(&mut self, id: u64, call: &CallExpr) {
        let name = call.func_name.clone();
        let null = IdedExpr {
            id,
            expr: Expr::Literal(LiteralValue::Null),
        };
        let stands_behind = call.target.is_none() && self.function_exists(id, call, Some(&null));
        let message = if stands_behind {
            format!("`{name}` stands behind what it is about: issue_type.{name}(...)")
        } else {
            format!("there is no function `{name}`")
        };
        self.names.unknown.push(Unknown {
            node: id,
            name,
            message,
        });
    }

    /// Calls the function with nulls: what exists complains about its arguments, or even works.
    fn function_exists(&self, id: u64, call: &CallExpr, target: Option<&IdedExpr>) -> bool {
        let null = || IdedExpr {
            id,
            expr: Expr::Literal(LiteralValue::Null),
        };
        let probe = CallExpr {
            func_name: call.func_name.clone(),
            target: target.cloned().map(Box::new),
            args: call.args.iter().map(|_| null()).collect(),
        };
        self.declared_by_cel(&IdedExpr {
            id,
            expr: Expr::Call(probe),
        })
    }

    fn declared_by_cel(&self, node: &IdedExpr) -> bool {
        let outcome = cel::Value::resolve_val(node, self.engine.root());
        !matches!(outcome, Err(ExecutionError::UndeclaredReference(_)))
    }
}
