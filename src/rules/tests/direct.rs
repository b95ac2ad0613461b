//! What is decided without the interpreter is decided as the interpreter would.

use proptest::prelude::*;

use super::properties::anything;
use super::{one_rule, schema, survey};
use crate::rules::RuleSet;
use crate::rules::scope::Scope;
use crate::survey::Value;

const FIELDS: [&str; 7] = [
    "interaction_id",
    "nps_score",
    "csat_score",
    "calls",
    "resolved",
    "issue_type",
    "ended",
];

/// Both ways of one condition, over one survey.
#[track_caller]
fn both(when: &str, values: &[(&str, Value)]) -> (bool, [Result<bool, String>; 2]) {
    let rules = RuleSet::parse(&one_rule(when), &schema()).expect("a sound condition");
    let condition = rules.rules[0].when.as_ref().expect("it has one");
    let survey = survey(values);
    let scope = Scope {
        survey: &survey,
        schema: &rules.schema,
    };
    let ways = [
        condition.holds(&rules.engine, &scope),
        condition.interpreted(&rules.engine, &scope),
    ];
    (condition.is_direct(), ways)
}

fn constant() -> impl Strategy<Value = String> {
    prop_oneof![
        (-2_i64..12).prop_map(|whole| whole.to_string()),
        Just("9007199254740993".to_owned()),
        Just("9223372036854775807".to_owned()),
        (-2.0..12.0).prop_map(|number: f64| format!("{number:?}")),
        Just("9.0".to_owned()),
        Just("0.0".to_owned()),
        prop::sample::select(vec!["'a'", "''", "'one'", "'1'", "true", "false", "null"])
            .prop_map(str::to_owned),
    ]
}

fn leaf() -> impl Strategy<Value = String> {
    let named = || {
        let mut names = FIELDS.to_vec();
        names.push("source");
        prop::sample::select(names)
    };
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    prop_oneof![
        4 => (named(), operator.clone(), constant()).prop_map(|(f, o, c)| format!("{f} {o} {c}")),
        1 => (named(), operator, constant()).prop_map(|(f, o, c)| format!("{c} {o} {f}")),
        1 => (named(), prop::collection::vec(constant(), 0..4))
            .prop_map(|(f, list)| format!("{f} in [{}]", list.join(", "))),
        1 => Just("resolved".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// Values that fit their fields, and that do not.
fn values() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let text =
        prop::sample::select(vec!["a", "", "one", "1"]).prop_map(|t| Value::String(t.into()));
    let number = || {
        prop_oneof![
            (-2.0..12.0).prop_map(Value::Number),
            (-2_i32..12).prop_map(|whole| Value::Number(f64::from(whole))),
        ]
    };
    let fitting = [
        text.clone().boxed(),
        number().boxed(),
        number().boxed(),
        (-2_i64..12).prop_map(Value::Integer).boxed(),
        any::<bool>().prop_map(Value::Boolean).boxed(),
        text.boxed(),
        Just(Value::String("2026-01-31T09:00:00Z".into())).boxed(),
    ];
    let each: Vec<_> = fitting
        .into_iter()
        .map(|fits| prop_oneof![6 => fits, 2 => Just(Value::Null), 1 => anything()])
        .collect();
    each.prop_map(|values| FIELDS.into_iter().zip(values).collect())
}

proptest! {
    #[test]
    fn both_ways_come_to_the_same(when in condition(), values in values()) {
        // A comparison that can never be a boolean is refused at load, and told by another test.
        if RuleSet::parse(&one_rule(&when), &schema()).is_ok() {
            let (_, [short, long]) = both(&when, &values);
            prop_assert_eq!(short, long, "{} over {:?}", when, values);
        }
    }
}

#[test]
fn common_conditions_do_without_the_interpreter() {
    for (when, direct) in [
        ("nps_score <= 6", true),
        ("6.5 > nps_score", true),
        ("calls == 3 && !(resolved || issue_type != 'X')", true),
        (
            "issue_type in ['BILLING', 'REFUND'] && source == 'one'",
            true,
        ),
        ("nps_score == null || nps_score < -1", true),
        ("nps_score + 1 > 3", false),
        ("nps_score < csat_score", false),
        ("issue_type < 'B'", false),
        ("ended == null", false),
        ("calls > 3000000000", false),
        ("issue_type.startsWith('B')", false),
    ] {
        assert_eq!(both(when, &[]).0, direct, "{when}");
    }
}
