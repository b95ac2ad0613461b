//! Properties of decisions, over random rule sets and surveys.

use std::fmt::Write;

use proptest::prelude::*;

use super::{schema, survey};
use crate::ids::CodeName;
use crate::rules::{Finding, RuleSet, Step};
use crate::survey::Value;

/// A condition, and the same in Rust: true, false, or not to be evaluated.
#[derive(Clone, Debug)]
struct Model {
    when: String,
    field: &'static str,
    operator: &'static str,
    literal: i8,
}

impl Model {
    fn holds(&self, value: &Value) -> Option<bool> {
        let number = match value {
            Value::Integer(whole) => serde_json::Number::from(*whole).as_f64()?,
            Value::Number(number) => *number,
            _ => return None,
        };
        let order = number.partial_cmp(&f64::from(self.literal))?;
        Some(match self.operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        })
    }
}

fn model() -> impl Strategy<Value = Model> {
    let field = prop::sample::select(vec!["nps_score", "csat_score", "calls"]);
    let operator = prop::sample::select(vec!["<", "<=", ">", ">="]);
    (field, operator, -2_i8..12).prop_map(|(field, operator, literal)| Model {
        when: format!("{field} {operator} {literal}"),
        field,
        operator,
        literal,
    })
}

fn score() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (-2_i64..12).prop_map(Value::Integer),
        (-2.0..12.0).prop_map(Value::Number),
    ]
}

/// Whatever a store or a bug of ours might hand over, in any field.
pub(super) fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Number),
        any::<String>().prop_map(|text| Value::String(text.into())),
    ]
}

proptest! {
    #[test]
    fn the_first_match_wins_and_each_rule_has_its_step(
        models in prop::collection::vec(model(), 1..8),
        scores in [score(), score(), score()],
    ) {
        let mut toml = String::new();
        for (i, model) in models.iter().enumerate() {
            let when = &model.when;
            writeln!(toml, "[[rule]]\nname='r{i}'\nwhen='{when}'\nassign='C{i}'")?;
        }
        let rules = RuleSet::parse(&toml, &schema()).expect("sound");
        let fields = ["nps_score", "csat_score", "calls"];
        let values: Vec<_> = fields.into_iter().zip(scores).collect();
        let value = |name| &values.iter().find(|(field, _)| *field == name).expect("given").1;

        let truths: Vec<_> = models.iter().map(|model| model.holds(value(model.field))).collect();
        let first = truths.iter().position(|truth| *truth == Some(true));
        let decision = rules.decide(&survey(&values));

        let expected = first.map(|i| format!("C{i}"));
        prop_assert_eq!(decision.code.as_ref().map(CodeName::as_str), expected.as_deref());
        let trace = decision.trace();
        prop_assert_eq!(trace.len(), models.len());
        for (i, (step, truth)) in trace.iter().zip(truths).enumerate() {
            let finding = match (first, truth) {
                (Some(first), _) if i > first => Finding::NotReached,
                (_, Some(true)) => Finding::Matched,
                (_, Some(false)) => Finding::NotMatched,
                (_, None) => Finding::NotEvaluated,
            };
            prop_assert_eq!(step.finding, finding);
            prop_assert_eq!(step.why.is_some(), finding == Finding::NotEvaluated);
        }
        as_kept(&trace)?;
    }

    #[test]
    fn no_field_value_makes_a_decision_panic(
        values in [anything(), anything(), anything(), anything(), anything(), anything()],
        received_at in any::<i64>(),
    ) {
        let toml = "[[rule]]\nname='a'\nwhen='nps_score / csat_score > calls * 2'\nassign='A'\n\
                    [[rule]]\nname='b'\nwhen='received_at - ended > duration(\"1h\")'\nassign='B'\n\
                    [[rule]]\nname='c'\nwhen='issue_type.matches(\"a+\") && resolved'\nassign='C'\n\
                    [[rule]]\nname='d'\nwhen='100 % calls == 1 || -calls > 5'\nassign='D'\n\
                    [[rule]]\nname='e'\nwhen='size(issue_type) > 3 || int(nps_score) == 1'\nassign='E'\n";
        let rules = RuleSet::parse(toml, &schema()).expect("sound");
        let names = ["nps_score", "csat_score", "calls", "issue_type", "resolved", "ended"];
        let fields: Vec<_> = names.into_iter().zip(values).collect();
        let mut survey = survey(&fields);
        survey.received_at.0 = received_at;
        let decision = rules.decide(&survey);
        let trace = decision.trace();
        prop_assert_eq!(trace.len(), 5);
        as_kept(&trace)?;
    }
}

/// A trace is the same after it was written down as JSON.
fn as_kept(trace: &[Step]) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(trace).expect("a trace is JSON");
    let kept: Vec<Step> = serde_json::from_str(&text).expect("a list of steps");
    prop_assert_eq!(kept, trace);
    Ok(())
}
