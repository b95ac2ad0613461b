//! What rules promise: conditions, traces, cases, and every problem of a file at once.

use std::collections::BTreeMap;

use super::*;
use crate::clock::UnixMs;
use crate::ids::{InteractionId, SourceName};
use crate::survey::{Case, FieldSpec, FieldType, Value};

mod direct;
mod functions;
mod problems;
mod properties;
mod warnings;

pub(super) const SHIPPED: &str = include_str!("../../config/rules.toml");

/// The fields that the shipped configuration declares for its one source.
pub(super) fn shipped_fields() -> Vec<FieldSpec> {
    let mut id = FieldSpec::new("interaction_id", FieldType::Uuid);
    id.required = true;
    let score = |name| {
        let mut score = FieldSpec::new(name, FieldType::Number);
        score.default = Some(Value::Integer(0));
        score.checked().expect("sound")
    };
    let mut issue = FieldSpec::new("issue_type", FieldType::String);
    issue.default = Some(Value::String("".into()));
    issue.case = Some(Case::Upper);
    vec![id, score("csat_score"), score("nps_score"), issue]
}

/// One source with a field of each type, and none with a default.
fn schema() -> Schema {
    let field = |name, kind| FieldSpec::new(name, kind);
    let fields = [
        field("interaction_id", FieldType::Uuid),
        field("nps_score", FieldType::Number),
        field("csat_score", FieldType::Number),
        field("calls", FieldType::Integer),
        field("resolved", FieldType::Boolean),
        field("issue_type", FieldType::String),
        field("ended", FieldType::Timestamp),
    ];
    let other = [
        field("calls", FieldType::Integer),
        field("elsewhere", FieldType::String),
    ];
    let (one, two) = (SourceName::from("one"), SourceName::from("two"));
    Schema::new([(&one, &fields[..]), (&two, &other[..])]).expect("sound")
}

pub(super) fn survey(fields: &[(&str, Value)]) -> Survey {
    Survey {
        source: SourceName::from("one"),
        interaction: InteractionId(uuid::Uuid::nil()),
        received_at: UnixMs(1_769_851_800_000),
        fields: fields
            .iter()
            .map(|(name, value)| (Arc::from(*name), value.clone()))
            .collect(),
    }
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn one_rule(when: &str) -> String {
    format!("[[rule]]\nname = \"r\"\nwhen = '''{when}'''\nassign = \"CODE\"\n")
}

/// Evaluates one condition: `Ok` is what it gives, `Err` why it cannot be evaluated.
#[track_caller]
fn check(when: &str, fields: &[(&str, Value)], expected: Result<bool, &str>) {
    let rules =
        RuleSet::parse(&one_rule(when), &schema()).unwrap_or_else(|p| panic!("{when}: {p:?}"));
    let step = rules.decide(&survey(fields)).trace().remove(0);
    let got = match step.finding {
        Finding::Matched => Ok(true),
        Finding::NotMatched => Ok(false),
        _ => Err(step.why.as_deref().unwrap_or("not reached")),
    };
    assert_eq!(got, expected, "{when}");
}

#[test]
fn the_engine_and_rule_sets_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<RuleSet>();
}

#[test]
fn numbers_compare_with_whole_and_fractional_literals_alike() {
    for (score, value) in [(8.5_f64, Value::Number(8.5)), (9.0, Value::Number(9.0))] {
        for (literal, number) in [("9", 9.0), ("9.0", 9.0), ("8.5", 8.5)] {
            let fields = [("nps_score", value.clone())];
            let holds = |operator: &str, expected: bool| {
                check(
                    &format!("nps_score {operator} {literal}"),
                    &fields,
                    Ok(expected),
                );
            };
            holds("<", score < number);
            holds("<=", score <= number);
            holds("==", (score - number).abs() < f64::EPSILON);
            holds("!=", (score - number).abs() > f64::EPSILON);
            holds(">=", score >= number);
            holds(">", score > number);
        }
    }
    let calls = [("calls", Value::Integer(9))];
    for condition in [
        "calls == 9",
        "calls == 9.0",
        "calls > 8.5",
        "calls < 9.5",
        "calls >= 9.0",
    ] {
        check(condition, &calls, Ok(true));
    }
}

#[test]
fn arithmetic_mixes_integers_and_numbers() {
    let fields = [
        ("nps_score", Value::Number(9.0)),
        ("csat_score", Value::Number(4.0)),
        ("calls", Value::Integer(2)),
    ];
    check("(nps_score + csat_score) / 2 == 6.5", &fields, Ok(true));
    check("2 * nps_score - 1 == 17", &fields, Ok(true));
    check("nps_score * calls == 18", &fields, Ok(true));
    check("-(nps_score + 1) < 0", &fields, Ok(true));
    check("nps_score in [9, 10]", &fields, Ok(true));
    check("calls / 2 == 1", &fields, Ok(true));
    check(
        "nps_score / calls > 1",
        &fields[..2],
        Err("calls is missing"),
    );
}

#[test]
fn a_missing_answer_does_not_match_and_the_trace_says_so() {
    check("nps_score <= 6", &[], Err("nps_score is missing"));
    check(
        "nps_score < csat_score",
        &[],
        Err("nps_score, csat_score are missing"),
    );
    check("nps_score == null", &[], Ok(true));
    check("nps_score != null && nps_score <= 6", &[], Ok(false));
    check(
        "elsewhere == null",
        &[("nps_score", Value::Number(1.0))],
        Ok(true),
    );
    check("nps_score <= 6 || true", &[], Ok(true));
}

#[test]
fn conditions_see_source_time_and_each_type() {
    let fields = [
        ("resolved", Value::Boolean(true)),
        ("issue_type", text("BILLING")),
        ("ended", text("2026-01-31T09:00:00Z")),
    ];
    check("source == 'one'", &fields, Ok(true));
    check("source in ['two', 'three']", &fields, Ok(false));
    check(
        "{'two': true}[source]",
        &fields,
        Err("the map has no such key"),
    );
    check("received_at - ended == duration('30m')", &fields, Ok(true));
    check(
        "received_at.getHours('Europe/Berlin') == 10",
        &fields,
        Ok(true),
    );
    check("resolved && !(issue_type == '')", &fields, Ok(true));
    check("resolved", &fields[1..], Err("resolved is missing"));
    check(
        "issue_type.contains('BILL') && issue_type.matches('^B')",
        &fields,
        Ok(true),
    );
    check(
        "['BILLING', 'REFUND'].exists(kind, kind == issue_type)",
        &fields,
        Ok(true),
    );
    check(
        "type(calls) == int",
        &[("calls", Value::Integer(1))],
        Ok(true),
    );
    check(
        "int(issue_type) > 3",
        &fields,
        Err("`int` cannot be applied to this value"),
    );
    check(
        "{'BILLING': 1}[issue_type] == 1",
        &[("issue_type", text("x"))],
        Err("the map has no such key"),
    );
    check(
        "100 / calls > 1",
        &[("calls", Value::Integer(0))],
        Err("division by zero"),
    );
}

#[test]
fn the_shipped_rules_do_what_their_cases_say() {
    let source = SourceName::from("generic");
    let schema = Schema::new([(&source, &shipped_fields()[..])]).expect("sound");
    let rules = RuleSet::parse(SHIPPED, &schema).expect("the shipped file is sound");
    let failed: Vec<_> = rules
        .run_cases()
        .into_iter()
        .filter(|case| !case.passed)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(rules.warnings(), Vec::<String>::new());
    for rule in &rules.rules {
        let direct = rule.when.as_ref().is_none_or(Condition::is_direct);
        assert!(direct, "{} takes the interpreter", rule.name);
    }
    let mut hit = BTreeMap::new();
    for case in rules.run_cases() {
        *hit.entry(case.got).or_insert(0) += 1;
    }
    assert_eq!(hit.len(), 4, "the cases cover each rule: {hit:?}");
    let codes: Vec<_> = rules.codes().map(CodeName::as_str).collect();
    assert_eq!(codes.len(), 4, "{codes:?}");
}

#[test]
fn the_trace_has_each_rule_and_why() {
    let toml = "[[rule]]\nname = 'a'\nwhen = 'nps_score <= 6'\nassign = 'A'\n\
                [[rule]]\nname = 'b'\nwhen = 'calls > 1'\nassign = 'B'\n\
                [[rule]]\nname = 'c'\nignore = true\n[[rule]]\nname = 'd'\nassign = 'D'\n";
    let rules = RuleSet::parse(toml, &schema()).expect("sound");
    let decision = rules.decide(&survey(&[("calls", Value::Integer(1))]));
    assert_eq!(decision.rule, Some(RuleName::from("c")));
    assert_eq!(decision.code, None);
    assert_eq!(
        serde_json::to_string(&decision.trace()).expect("a trace is JSON"),
        r#"[{"rule":"a","finding":"not-evaluated","why":"nps_score is missing"},{"rule":"b","finding":"not-matched"},{"rule":"c","finding":"matched"},{"rule":"d","finding":"not-reached"}]"#
    );
    assert_eq!(
        rules.warnings(),
        ["rule 'd' is never reached: rule 'c' before it always matches"]
    );
}

#[test]
fn cases_go_through_the_fields_and_fail_with_words() {
    let toml = "[[rule]]\nname = 'a'\nwhen = 'nps_score <= 6'\nassign = 'A'\n\
                [[case]]\nname = 'fits'\nsurvey = { nps_score = '6' }\nexpect = 'A'\n\
                [[case]]\nname = 'none'\nsurvey = { nps_score = 7 }\nignored = true\n\
                [[case]]\nname = 'wrong'\nsurvey = { nps_score = 7 }\nexpect = 'A'\n\
                [[case]]\nname = 'type'\nsurvey = { nps_score = 'x' }\nexpect = 'A'\n\
                [[case]]\nname = 'two'\nsource = 'two'\nsurvey = { calls = 1 }\nignored = true\n";
    let rules = RuleSet::parse(toml, &schema()).expect("sound");
    let results = rules.run_cases();
    let got: Vec<_> = results
        .iter()
        .map(|case| (case.got.as_str(), case.passed))
        .collect();
    assert_eq!(
        got,
        [
            ("A", true),
            ("ignored", true),
            ("ignored", false),
            ("unreadable: nps_score: expected a number", false),
            ("ignored", true),
        ]
    );
}
