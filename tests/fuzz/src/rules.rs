//! The rules file: told what is wrong and where, or rules that decide every survey the same each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use wrapup::clock::UnixMs;
use wrapup::ids::{InteractionId, SourceName};
use wrapup::rules::{Finding, RuleSet, Schema};
use wrapup::survey::{FieldSpec, FieldType, Survey, Value};

use super::sources::NOW;

/// In a survey's texts; in no trace.
const CANARY: &str = "canary-answer-7f3a";

pub fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (one, two) = (SourceName::from("one"), SourceName::from("two"));
    let schema =
        Schema::new([(&one, &fields()[..]), (&two, &fields()[..3])]).expect("our own fields");
    match RuleSet::parse(text, &schema) {
        Ok(rules) => {
            for survey in surveys() {
                decides(&rules, &survey, text);
            }
            let cases = rules.run_cases();
            assert_eq!(cases, rules.run_cases());
            assert!(rules.warnings().len() <= 2 * rules.rules().len() + 1);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused for no reason");
            for problem in &problems {
                assert!(!problem.message.is_empty());
                if let Some(at) = problem.at {
                    assert!(is_in(text, at), "{problem} is not in the file");
                }
            }
        }
    }
}

/// Whether line and column, from 1, are those of a character, or of the end of a line.
pub fn is_in(text: &str, (line, column): (usize, usize)) -> bool {
    let Some(found) = line
        .checked_sub(1)
        .and_then(|index| text.split('\n').nth(index))
    else {
        return false;
    };
    (1..=found.chars().count() + 1).contains(&column)
}

fn fields() -> Vec<FieldSpec> {
    let kinds = [
        ("interaction_id", FieldType::Uuid),
        ("nps_score", FieldType::Number),
        ("csat_score", FieldType::Number),
        ("calls", FieldType::Integer),
        ("resolved", FieldType::Boolean),
        ("issue_type", FieldType::String),
        ("ended", FieldType::Timestamp),
    ];
    kinds.map(|(name, kind)| FieldSpec::new(name, kind)).into()
}

fn surveys() -> Vec<Survey> {
    let text = |text: &str| Value::String(text.into());
    let survey = |source: &str, values: Vec<Value>| Survey {
        source: SourceName::from(source),
        interaction: InteractionId(uuid::Uuid::nil()),
        received_at: UnixMs(NOW.0),
        fields: fields()
            .iter()
            .map(|field| Arc::clone(&field.name))
            .zip(values)
            .collect(),
    };
    let id = || text("a1b2c3d4-e5f6-7890-abcd-ef1234567890");
    vec![
        survey(
            "one",
            vec![
                id(),
                Value::Number(10.0),
                Value::Number(4.5),
                Value::Integer(3),
                Value::Boolean(true),
                text(CANARY),
                text("2026-01-31T09:30:00Z"),
            ],
        ),
        survey(
            "one",
            vec![
                id(),
                Value::Number(f64::MAX),
                Value::Number(-0.0),
                Value::Integer(i64::MIN),
                Value::Boolean(false),
                text(&format!("{CANARY}\u{0}\u{1f600}{}", "a".repeat(2000))),
                text("0000-01-01T00:00:00Z"),
            ],
        ),
        survey("two", vec![id(), Value::Null, Value::Null]),
    ]
}

fn decides(rules: &RuleSet, survey: &Survey, text: &str) {
    let decision = rules.decide(survey);
    let again = rules.decide(survey);
    assert_eq!((&decision.rule, &decision.code), (&again.rule, &again.code));
    let trace = decision.trace();
    assert_eq!(trace.len(), rules.rules().len(), "one step for each rule");
    let decider = trace
        .iter()
        .position(|step| step.finding == Finding::Matched);
    let found = decider.map(|place| &trace[place].rule);
    assert_eq!(
        found,
        decision.rule.as_ref(),
        "the rule that matched decides"
    );
    for (place, step) in trace.iter().enumerate() {
        let reached = decider.is_none_or(|decider| place <= decider);
        assert_eq!(reached, step.finding != Finding::NotReached);
        assert_eq!(step.why.is_some(), step.finding == Finding::NotEvaluated);
    }
    let codes: BTreeSet<_> = rules.codes().collect();
    assert!(decision.code.iter().all(|code| codes.contains(code)));
    let json = serde_json::to_string(&trace).expect("a trace is JSON");
    assert!(
        text.contains("canary") || !json.contains("canary"),
        "an answer is in {json}"
    );
}
