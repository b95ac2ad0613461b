//! What conditions can call.

use super::problems::check_problems;
use super::{check, one_rule, schema, survey, text};
use crate::rules::{Finding, RuleSet};
use crate::survey::Value;

fn said(words: &str) -> [(&'static str, Value); 1] {
    [("issue_type", text(words))]
}

#[test]
fn texts_are_changed_and_searched() {
    for (when, words, expected) in [
        ("issue_type.upper() == 'BILLING'", "Billing", true),
        ("upper(issue_type) == 'STRASSE'", "straße", true),
        ("issue_type.lower() == 'élan'", "ÉLAN", true),
        ("lower(issue_type) == 'x'", "y", false),
        ("issue_type.trim() == 'a b'", " \t\u{a0}a b\n", true),
        (
            "trim(issue_type).lower().startsWith('tech')",
            "  TECHNICAL",
            true,
        ),
        ("issue_type.contains('ill')", "billing", true),
        ("issue_type.contains('ILL')", "billing", false),
        (
            "issue_type.startsWith('b') && issue_type.endsWith('g')",
            "billing",
            true,
        ),
        ("issue_type.endsWith('')", "", true),
        ("issue_type.size() == 2", "é!", true),
    ] {
        check(when, &said(words), Ok(expected));
    }
}

#[test]
fn patterns_match_anywhere_unless_they_are_anchored() {
    for (when, words, expected) in [
        ("issue_type.matches('ill')", "billing", true),
        ("issue_type.matches('^ill')", "billing", false),
        ("matches(issue_type, '^(billing|refund)$')", "refund", true),
        ("issue_type.matches('(?i)^TECH')", "technical", true),
        (r"issue_type.matches('^\\d{3}-\\d{4}$')", "555-0123", true),
        (
            r"issue_type.matches(r'\bcancel(led|ing)?\b')",
            "I am cancelling",
            false,
        ),
        (
            r"issue_type.matches(r'\bcancel(led|ing)?\b')",
            "I was canceling",
            true,
        ),
        ("issue_type.upper().matches('É')", "né", true),
        (
            "['a', 'b'].exists(x, x == issue_type && issue_type.matches('b'))",
            "b",
            true,
        ),
    ] {
        check(when, &said(words), Ok(expected));
    }
}

#[test]
fn a_pattern_that_is_none_or_too_large_or_of_a_survey_is_told_at_load() {
    for (when, problem) in [
        (
            "true || issue_type.matches('(a')",
            "3:38: rule.r.when: this pattern does not compile: unclosed group",
        ),
        (
            r"issue_type.matches(r'(a)\1')",
            "3:30: rule.r.when: this pattern does not compile: backreferences are not supported",
        ),
        (
            r"issue_type.matches('(\\w{1000}){1000}')",
            "3:30: rule.r.when: this pattern is too large; repeat less of it, or [a-z] in place of \\w",
        ),
        (
            "issue_type.matches(elsewhere)",
            "3:30: rule.r.when: the pattern of `matches` must stand in the rule as a text, such as '^(A|B)'",
        ),
        (
            "['a', 'b'].exists(x, issue_type.matches(x))",
            "3:51: rule.r.when: the pattern of `matches` must stand in the rule as a text, such as '^(A|B)'",
        ),
        (
            "nps_score.matches('9')",
            "3:8: rule.r.when: can never be true or false: `matches` does not go with a number and a pattern",
        ),
    ] {
        check_problems(&one_rule(when), &[problem]);
    }
    let problems = RuleSet::parse(&one_rule("issue_type.matches()"), &schema());
    assert!(problems.is_err(), "{problems:?}");
}

#[test]
fn a_hostile_text_costs_linear_time() {
    // A backtracking engine takes longer than the age of the universe for this one.
    let hostile = said(&"a".repeat(200_000));
    check("issue_type.matches('^(a|aa)+$')", &hostile, Ok(true));
    check("issue_type.matches('^(a+)+b$')", &hostile, Ok(false));
}

#[test]
fn moments_and_durations_are_compared_and_taken_apart() {
    // A Saturday; 10:00 in Berlin.
    let ended = [("ended", text("2026-01-31T09:00:00.250Z"))];
    for when in [
        "ended > timestamp('2026-01-01T00:00:00Z')",
        "ended <= timestamp('2026-01-31T10:00:00.250+01:00')",
        "ended == timestamp('2026-01-31T10:00:00.250+01:00')",
        "received_at - ended < duration('2h')",
        "received_at - ended > duration('29m')",
        "ended + duration('1h30m') > received_at",
        "received_at > ended && received_at.getFullYear() == 2026",
        "ended.getHours() == 9 && ended.getHours('Europe/Berlin') == 10",
        "ended.getHours('+05:30') == 14 && ended.getMinutes('+05:30') == 30",
        "ended.getDayOfWeek() == 6 && ended.getDayOfWeek('Pacific/Auckland') == 6",
        "ended.getMonth() == 0 && ended.getDate() == 31 && ended.getDayOfMonth() == 30",
        "ended.getDayOfYear() == 30 && ended.getSeconds() == 0 && ended.getMilliseconds() == 250",
        "(received_at - ended).getMinutes() == 29",
        "ended.getDayOfWeek('Europe/Berlin') in [0, 6]",
    ] {
        check(when, &ended, Ok(true));
    }
}

#[test]
fn moments_durations_and_zones_that_are_none_are_told_at_load() {
    for (when, problem) in [
        (
            "true || ended > timestamp('2026-13-01')",
            "3:37: rule.r.when: no moment; write it as '2026-01-31T09:30:00Z'",
        ),
        (
            "true || received_at - ended > duration('2 hours')",
            "3:50: rule.r.when: no duration; write it as '1h30m'",
        ),
        (
            "true || ended.getHours('Europe/Berlim') > 9",
            "3:34: rule.r.when: no time zone; write it as 'Europe/Berlin' or '+01:00'",
        ),
    ] {
        check_problems(&one_rule(when), &[problem]);
    }
}

#[test]
fn what_a_function_cannot_take_does_not_match_and_the_trace_says_why() {
    check(
        "issue_type.upper() == 'A'",
        &[],
        Err("issue_type is missing"),
    );
    check("issue_type.matches('a')", &[], Err("issue_type is missing"));
    check(
        "ended > timestamp('2026-01-01T00:00:00Z')",
        &[],
        Err("ended is missing"),
    );
    check(
        "timestamp(issue_type) < received_at",
        &said("yesterday"),
        Err("`timestamp` cannot be applied to this value"),
    );
    check(
        "received_at.getHours(issue_type) > 3",
        &said("Europe/Berlim"),
        Err("the time zone is unknown"),
    );
    check(
        "double(issue_type) > 3.0",
        &said("four"),
        Err("`double` cannot be applied to this value"),
    );
}

#[test]
fn a_function_in_the_wrong_place_is_told_how_to_stand() {
    check_problems(
        &one_rule("contains(issue_type, 'A')"),
        &["3:11: rule.r.when: `contains` stands behind what it is about: issue_type.contains(...)"],
    );
}

#[test]
fn the_examples_of_the_shipped_file_work() {
    let shipped = super::SHIPPED;
    let (_, examples) = shipped
        .split_once("# FUNCTIONS")
        .expect("it tells of functions");
    let (examples, _) = examples.split_once("\n#\n# ").expect("and goes on");
    let conditions: Vec<&str> = examples
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .map(|line| line.split("   ").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect();
    assert!(conditions.len() > 8, "{conditions:?}");
    for when in conditions {
        let rules = RuleSet::parse(&one_rule(when), &schema())
            .unwrap_or_else(|problems| panic!("{when}: {problems:?}"));
        let filled = survey(&[
            ("issue_type", text("BILLING")),
            ("ended", text("2026-01-31T09:00:00Z")),
            ("nps_score", Value::Number(9.0)),
            ("csat_score", Value::Number(5.0)),
        ]);
        let step = rules.decide(&filled).trace().remove(0);
        assert_ne!(step.finding, Finding::NotEvaluated, "{when}: {step:?}");
    }
}
