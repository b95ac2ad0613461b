//! What one survey costs in pure computation: `cargo bench --bench pure`.
//!
//! Nothing here touches the network, the disk or the clock; what those cost is measured end to end.

use wrapup::clock::UnixMs;
use wrapup::ids::{InteractionId, SourceName};
use wrapup::rules::{RuleSet, Schema};
use wrapup::survey::{Case, FieldSpec, FieldType, Survey, Value};

fn main() {
    divan::main();
}

/// The rules that are shipped, for the fields that the shipped configuration declares.
fn shipped_rules() -> RuleSet {
    let mut fields = vec![FieldSpec::new("interaction_id", FieldType::Uuid)];
    for score in ["csat_score", "nps_score"] {
        let mut score = FieldSpec::new(score, FieldType::Number);
        score.default = Some(Value::Number(0.0));
        fields.push(score);
    }
    let mut issue = FieldSpec::new("issue_type", FieldType::String);
    issue.case = Some(Case::Upper);
    fields.push(issue);
    let source = SourceName::from("generic");
    let schema = Schema::new([(&source, &fields[..])]).expect("sound fields");
    RuleSet::parse(include_str!("../config/rules.toml"), &schema).expect("sound rules")
}

fn survey(nps: Value, csat: Value, issue: &str) -> Survey {
    let fields = [
        ("csat_score", csat),
        ("issue_type", Value::String(issue.into())),
        ("nps_score", nps),
    ];
    Survey {
        source: SourceName::from("generic"),
        interaction: InteractionId(uuid::Uuid::nil()),
        received_at: UnixMs(1_769_851_800_000),
        fields: fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    }
}

#[divan::bench_group]
mod decide {
    use super::{Survey, Value, shipped_rules, survey};

    fn run(bencher: divan::Bencher<'_, '_>, survey: &Survey) {
        let rules = shipped_rules();
        bencher.bench(|| rules.decide(divan::black_box(survey)));
    }

    #[divan::bench]
    fn the_second_rule_matches(bencher: divan::Bencher<'_, '_>) {
        run(
            bencher,
            &survey(Value::Number(10.0), Value::Number(5.0), "BILLING"),
        );
    }

    #[divan::bench]
    fn only_the_last_rule_matches(bencher: divan::Bencher<'_, '_>) {
        run(
            bencher,
            &survey(Value::Number(8.0), Value::Number(5.0), "BILLING"),
        );
    }

    #[divan::bench]
    fn answers_are_missing(bencher: divan::Bencher<'_, '_>) {
        run(bencher, &survey(Value::Null, Value::Null, "BILLING"));
    }
}

#[divan::bench]
fn parse_the_shipped_rules() -> RuleSet {
    shipped_rules()
}
