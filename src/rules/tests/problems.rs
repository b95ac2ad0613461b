//! What is wrong with a file is told with its place, all of it at once.

use super::{one_rule, schema, survey};
use crate::rules::{Finding, RuleSet, condition, file};
use crate::survey::Value;

/// The problems of a file, as they are printed.
#[track_caller]
pub(super) fn check_problems(toml: &str, expected: &[&str]) {
    let problems = RuleSet::parse(toml, &schema()).expect_err("problems");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected, "{toml}");
}

#[test]
fn a_condition_that_cannot_work_is_told_with_its_place() {
    let when = |condition| one_rule(condition);
    check_problems(
        &when("nps_score <= 6 && nps > 3"),
        &[
            "3:29: rule.r.when: no source declares `nps`; known are calls, csat_score, elsewhere, ended, \
         interaction_id, issue_type, nps_score, resolved, source, received_at",
        ],
    );
    check_problems(
        &when("true || uppr(issue_type) == 'A'"),
        &["3:19: rule.r.when: there is no function `uppr`"],
    );
    check_problems(
        &when("true || issue_type.upcase() == 'A'"),
        &["3:30: rule.r.when: there is no function `upcase`"],
    );
    check_problems(
        &when("nps_score + 1"),
        &["3:8: rule.r.when: can never be true or false: gives a number, not true or false"],
    );
    check_problems(
        &when("issue_type > 5"),
        &[
            "3:8: rule.r.when: can never be true or false: `>` does not go with a string and an integer",
        ],
    );
    check_problems(
        &when("nps_score = 6"),
        &["3:21: rule.r.when: does not parse: equality is written `==`"],
    );
    check_problems(
        &when("nps_score <= 6 &&"),
        &["3:28: rule.r.when: does not parse: mismatched input end"],
    );
    let known = "known are calls, csat_score, elsewhere, ended, interaction_id, issue_type, nps_score, \
                 resolved, source, received_at";
    check_problems(
        &when("issue_type == 'é'\n  && csat >= 4"),
        &[&format!(
            "4:6: rule.r.when: no source declares `csat`; {known}"
        )],
    );
    check_problems(
        &when("issue_type == 'é' && csat >= 4"),
        &[&format!(
            "3:32: rule.r.when: no source declares `csat`; {known}"
        )],
    );
    check_problems(
        &when("issue_type == 'é' && = 4"),
        &["3:32: rule.r.when: does not parse: equality is written `==`"],
    );
    check_problems(
        &when(" "),
        &["3:8: rule.r.when: is empty; leave `when` out for a rule that always matches"],
    );
}

#[test]
fn every_problem_of_a_file_is_told_at_once() {
    let toml = r#"
rules = 1
[[rule]]
name = "a"
assign = "X"
ignore = true
[[rule]]
name = "a"
wen = "true"
[[rule]]
name = ""
assign = 5
[[rule]]
when = "bogus"
assign = "X"
[[case]]
name = "c"
source = "nowhere"
survey = { nope = 1 }
[[case]]
survey = { nope = 1 }
expect = "X"
"#;
    let known = "no source declares `bogus`; known are calls, csat_score, elsewhere, ended, interaction_id, \
                 issue_type, nps_score, resolved, source, received_at";
    check_problems(
        toml,
        &[
            "2:1: rules: unknown key; known are [[rule]] and [[case]]",
            "3:1: rule.a: has both `assign` and `ignore`",
            "7:1: rule.a: needs `assign = \"CODE\"` or `ignore = true`",
            "8:8: rule.a: the rule in line 4 has the same name",
            "9:1: rule.a.wen: unknown key; known are name, when, assign and ignore",
            "11:8: rule[2].name: is empty",
            "12:10: rule[2].assign: expected a string, not integer",
            "13:1: rule[3]: needs `name`",
            &format!("14:9: rule[3].when: {known}"),
            "16:1: case.c: needs either `expect = \"CODE\"` or `ignored = true`",
            "18:10: case.c.source: there is no source 'nowhere'",
            "20:1: case[1]: needs `name`",
            "21:12: case[1].survey.nope: source one declares no such field",
        ],
    );
}

#[test]
fn a_file_without_rules_or_with_bad_syntax_says_so() {
    check_problems(
        "",
        &["rule: there are no rules; a file needs at least one [[rule]]"],
    );
    check_problems(
        "rule = 5",
        &["1:8: rule: expected tables, written [[rule]]"],
    );
    check_problems(
        "[[rule]\nname = 'a'",
        &["1:8: unclosed array table, expected `]`"],
    );
}

#[test]
fn limits_hold() {
    let long = format!("nps_score <= 6{}", " || nps_score <= 6".repeat(200));
    check_problems(
        &one_rule(&long),
        &["3:8: rule.r.when: is longer than 2048 bytes; split the rule"],
    );
    for deep in ["(", "!", "-", "["] {
        let condition = deep.repeat(condition::MAX_CONDITION_BYTES);
        let problems = RuleSet::parse(&one_rule(&condition), &schema()).expect_err("too deep");
        assert!(!problems.is_empty());
    }
    let many = "[[rule]]\nname = 'a'\nassign = 'X'\n".repeat(file::MAX_RULES + 1);
    let problems = RuleSet::parse(&many, &schema()).expect_err("too many");
    assert!(
        problems
            .iter()
            .any(|p| p.message.contains("more than 1000")),
        "{problems:?}"
    );
}

#[test]
fn the_deepest_condition_that_is_taken_can_be_parsed_and_evaluated() {
    let sum = format!("calls{} == 31", " + 1".repeat(condition::MAX_DEPTH - 2));
    let open = "(".repeat(condition::MAX_DEPTH);
    let brackets = format!("{open}calls == 1{}", ")".repeat(condition::MAX_DEPTH));
    for when in [&sum, &brackets] {
        let rules = RuleSet::parse(&one_rule(when), &schema()).expect("deep, but taken");
        let decision = rules.decide(&survey(&[("calls", Value::Integer(1))]));
        assert_eq!(decision.trace()[0].finding, Finding::Matched, "{when}");
    }
    for never_closed in [
        &open,
        &"f(".repeat(condition::MAX_DEPTH),
        &"{1:[".repeat(16),
    ] {
        RuleSet::parse(&one_rule(never_closed), &schema()).expect_err("does not parse");
    }
    let deeper = format!("calls{} == 31", " + 1".repeat(condition::MAX_DEPTH));
    check_problems(
        &one_rule(&deeper),
        &["3:8: rule.r.when: is nested deeper than 32; split the rule"],
    );
}

#[test]
fn a_condition_that_could_hold_up_every_survey_is_told() {
    let within = (0..9).fold("true".to_owned(), |inner, level| {
        format!("[1,2,3,4,5,6,7,8,9,10].exists(a{level}, {inner})")
    });
    check_problems(
        &one_rule(&within),
        &[
            "3:8: rule.r.when: goes through lists within lists, or doubles values, until it could hold up each \
           survey for long; split the rule",
        ],
    );
}
