//! What a condition may cost at most, told from its text: nothing stops one that runs.
//!
//! Steps multiply where one list is gone through within another, and values double where they are added to themselves.
//! Both are bounded from above: a value counts what is in it, a text or a number as one.

use cel::IdedExpr;
use cel::common::ast::operators::{
    ADD, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND,
    LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, NOT_STRICTLY_FALSE, OPT_INDEX,
    SUBSTRACT,
};
use cel::common::ast::{ComprehensionExpr, Expr};

use super::nodes;

/// Steps of one evaluation, the making of its values included; some milliseconds.
const MOST: u64 = 20_000;

/// The most that a value can be: so many parts (of a text, the texts that it is made of), each no more than this.
#[derive(Clone, Debug, Default)]
struct Shape {
    parts: u64,
    part: Option<Box<Self>>,
}

impl Shape {
    fn one() -> Self {
        Self {
            parts: 1,
            part: None,
        }
    }

    fn part(&self) -> Self {
        self.part.as_deref().cloned().unwrap_or_else(Self::one)
    }

    /// As much as either.
    fn or(self, other: Self) -> Self {
        let part = match (self.part, other.part) {
            (Some(one), Some(other)) => Some(Box::new(one.or(*other))),
            (one, other) => one.or(other),
        };
        Self {
            parts: self.parts.max(other.parts),
            part,
        }
    }

    /// The one after the other, so many times.
    fn and(self, times: u64, other: Self) -> Self {
        let parts = (self.parts).saturating_add(times.saturating_mul(other.parts));
        Self {
            parts,
            ..self.or(other)
        }
    }

    fn size(&self) -> u64 {
        let part = self.part.as_ref().map_or(1, |part| part.size());
        self.parts.saturating_mul(part).saturating_add(1)
    }
}

/// Upper bounds of an expression.
#[derive(Debug)]
struct Price {
    steps: u64,
    value: Shape,
}

/// What gives true, false or a number, whatever it is given.
const GIVE_ONE: [&str; 20] = [
    LOGICAL_AND,
    LOGICAL_OR,
    LOGICAL_NOT,
    NOT_STRICTLY_FALSE,
    EQUALS,
    NOT_EQUALS,
    GREATER,
    GREATER_EQUALS,
    LESS,
    LESS_EQUALS,
    IN,
    SUBSTRACT,
    MULTIPLY,
    DIVIDE,
    MODULO,
    NEGATE,
    "size",
    "contains",
    "startsWith",
    "endsWith",
];

/// Whether the condition stays below [`MOST`], whatever the survey says.
pub(super) fn is_bounded(expression: &IdedExpr) -> bool {
    Appraiser::default().of(expression).steps <= MOST
}

/// Knows the variables of the comprehensions that it is in.
#[derive(Default)]
struct Appraiser<'a> {
    bound: Vec<(&'a str, Shape)>,
}

impl<'a> Appraiser<'a> {
    fn of(&mut self, node: &'a IdedExpr) -> Price {
        let parts = |this: &mut Self| -> (u64, Vec<Shape>) {
            let below = nodes::children(node).into_iter();
            let prices: Vec<_> = below.map(|node| this.of(node)).collect();
            let steps = prices.iter().map(|price| price.steps);
            let steps = steps.fold(1, u64::saturating_add);
            (steps, prices.into_iter().map(|price| price.value).collect())
        };
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => Price {
                steps: 1,
                value: Shape::one(),
            },
            Expr::Ident(name) => Price {
                steps: 1,
                value: self.variable(name),
            },
            Expr::Select(_) => {
                let (steps, values) = parts(self);
                let value = values.first().map_or_else(Shape::one, Shape::part);
                Price { steps, value }
            }
            Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => {
                let (steps, values) = parts(self);
                let value = Shape {
                    parts: u64::try_from(values.len()).unwrap_or(u64::MAX),
                    part: values.into_iter().reduce(Shape::or).map(Box::new),
                };
                Price { steps, value }
            }
            Expr::Call(call) => {
                let (steps, values) = parts(self);
                made_by(&call.func_name, steps, values)
            }
            Expr::Comprehension(each) => self.comprehension(each),
        }
    }

    fn comprehension(&mut self, each: &'a ComprehensionExpr) -> Price {
        let (range, first) = (self.of(&each.iter_range), self.of(&each.accu_init));
        let outer = self.bound.len();
        let names = [Some(&each.iter_var), each.iter_var2.as_ref()];
        let variables = names.into_iter().flatten();
        (self.bound).extend(variables.map(|name| (name.as_str(), range.value.part())));
        // What a turn adds to what was gathered before.
        self.bound.push((&each.accu_var, Shape::default()));
        let (turn, asked) = (self.of(&each.loop_step), self.of(&each.loop_cond));
        let turns = range.value.parts;
        let gathered = first.value.and(turns, turn.value);
        self.bound.truncate(outer);
        let copied = gathered.size();
        self.bound.push((&each.accu_var, gathered));
        let result = self.of(&each.result);
        self.bound.truncate(outer);
        let looping = turns.saturating_mul(turn.steps.saturating_add(asked.steps));
        let steps = [range.steps, first.steps, looping, copied, result.steps];
        Price {
            steps: steps.into_iter().fold(0, u64::saturating_add),
            value: result.value,
        }
    }

    fn variable(&self, name: &str) -> Shape {
        let mut bound = self.bound.iter().rev();
        let found = bound.find(|(of, _)| *of == name);
        found.map_or_else(Shape::one, |(_, shape)| shape.clone())
    }
}

fn made_by(function: &str, steps: u64, values: Vec<Shape>) -> Price {
    let given = values.iter().map(Shape::size).fold(0, u64::saturating_add);
    let mut values = values.into_iter();
    match function {
        // What is made is copied.
        ADD => Price {
            steps: steps.saturating_add(given),
            value: values.fold(Shape::default(), |sum, value| sum.and(1, value)),
        },
        INDEX | OPT_INDEX => Price {
            steps,
            value: values.next().map_or_else(Shape::one, |list| list.part()),
        },
        name if GIVE_ONE.contains(&name) => Price {
            steps,
            value: Shape::one(),
        },
        // One of what it is given, or something that is made of one.
        _ => Price {
            steps,
            value: values.reduce(Shape::or).unwrap_or_else(Shape::one),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::environment;
    use super::*;

    #[track_caller]
    fn check(text: &str, bounded: bool) {
        let program = environment().compile(text).unwrap();
        let mut appraiser = Appraiser::default();
        let price = appraiser.of(program.expression());
        assert_eq!(
            is_bounded(program.expression()),
            bounded,
            "{text}: {price:?}"
        );
    }

    const TEN: &str = "[1,2,3,4,5,6,7,8,9,10]";

    fn nested(levels: usize) -> String {
        (0..levels).fold("a0 > 9".to_owned(), |inner, level| {
            format!("{TEN}.exists(a{level}, {inner})")
        })
    }

    #[test]
    fn what_people_write_is_bounded() {
        check("nps_score >= 9 && issue_type == 'X'", true);
        check(&nested(1), true);
        check(&nested(3), true);
        let words = vec!["'some word'"; 180].join(",");
        check(&format!("issue_type in [{words}]"), true);
        check(
            &format!("[{words}].exists(word, issue_type.contains(word))"),
            true,
        );
        check(
            &format!("[{words}].filter(word, word != 'x').map(word, word + 'y').size() > 2"),
            true,
        );
    }

    #[test]
    fn lists_within_lists_and_values_that_double_are_not() {
        check(&nested(5), false);
        check(&nested(11), false);
        let doubled = "[[1, 2]]".to_owned() + &".map(a, a + a)".repeat(25);
        check(&format!("{doubled}.size() == 1"), false);
        let doubled = "['x']".to_owned() + &".map(a, a + a)".repeat(25);
        check(&format!("{doubled}[0] == 'y'"), false);
        let many = vec!["1"; 400].join(",");
        check(&format!("[[{many}]].map(a, a.map(b, a)).size() > 1"), false);
    }
}
