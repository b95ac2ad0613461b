//! What is allowed but hardly meant.

use super::{schema, shipped_fields};
use crate::ids::SourceName;
use crate::rules::{RuleSet, Schema};

#[track_caller]
fn check_warnings(whens: &[Option<&str>], expected: &[&str]) {
    let rules = whens.iter().enumerate().map(|(nth, when)| {
        let when = when.map_or_else(String::new, |when| format!("when = \"{when}\"\n"));
        format!("[[rule]]\nname = 'r{nth}'\n{when}assign = 'C{nth}'\n")
    });
    let toml: String = rules.collect();
    let rules = RuleSet::parse(&toml, &schema()).expect("sound");
    assert_eq!(rules.warnings(), expected, "{toml}");
}

#[test]
fn rules_that_can_never_decide_are_told() {
    check_warnings(&[Some("calls > 1"), None], &[]);
    check_warnings(
        &[None, Some("calls > 1"), None],
        &[
            "rule 'r1' is never reached: rule 'r0' before it always matches",
            "rule 'r2' is never reached: rule 'r0' before it always matches",
        ],
    );
    check_warnings(
        &[Some("1 < 2"), Some("calls > 1")],
        &["rule 'r1' is never reached: rule 'r0' before it always matches"],
    );
    check_warnings(
        &[Some("1 > 2"), Some("calls > 1")],
        &["rule 'r0' never matches: its condition names no field and is false"],
    );
    check_warnings(
        &[Some("calls > 1"), Some("calls > 2"), Some("calls > 1")],
        &["rule 'r2' never matches: rule 'r0' before it has the same condition"],
    );
}

#[test]
fn sources_that_do_not_exist_are_told() {
    check_warnings(
        &[Some("source == 'one'"), Some("source in ['one', 'two']")],
        &[],
    );
    check_warnings(
        &[
            Some("calls > 1 && source != 'onne'"),
            Some("source in ['one', 'three']"),
        ],
        &[
            "rule 'r0': there is no source 'onne'; there are one, two",
            "rule 'r1': there is no source 'three'; there are one, two",
        ],
    );
}

#[test]
fn fields_that_no_rule_uses_are_told_by_source() {
    let toml =
        "[[rule]]\nname = 'r'\nwhen = 'calls > 1 || [1].exists(x, nps_score > x)'\nassign = 'C'\n";
    let rules = RuleSet::parse(toml, &schema()).expect("sound");
    let unused: Vec<_> = rules
        .unused_fields()
        .into_iter()
        .map(|(source, fields)| (source.as_str(), fields.join(" ")))
        .collect();
    let of_one = "interaction_id csat_score resolved issue_type ended".to_owned();
    assert_eq!(unused, [("one", of_one), ("two", "elsewhere".to_owned())]);

    let source = SourceName::from("generic");
    let shipped = Schema::new([(&source, &shipped_fields()[..])]).expect("sound");
    let rules = RuleSet::parse(super::SHIPPED, &shipped).expect("sound");
    assert_eq!(rules.unused_fields(), [(&source, vec!["interaction_id"])]);
}
