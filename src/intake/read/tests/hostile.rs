//! Authentic bodies that nobody would write by hand: each is read or told what is wrong, within its size.

use super::*;

/// The longest body that is taken where nothing else is configured.
const MAX_BODY: usize = 256 * 1024;

#[track_caller]
fn survey(body: &str) -> Json {
    assert!(body.len() <= MAX_BODY);
    match read("", body.as_bytes()) {
        Reading::Survey { survey, .. } => serde_json::to_value(&survey.fields).unwrap(),
        Reading::Unreadable { problems, .. } => panic!("{problems:?}"),
    }
}

#[track_caller]
fn problem(body: &str) -> (String, String) {
    assert!(body.len() <= MAX_BODY);
    let problems = problems(body, Unreadable::Fields);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let field = problems[0].field.as_deref().unwrap();
    (field.to_owned(), problems[0].message.clone())
}

/// A survey with more in it.
fn with(more: &str) -> String {
    format!("{{\"interactionId\":\"{ID}\",\"nps_score\":1{more}}}")
}

#[test]
fn a_number_that_does_not_fit_is_the_trouble_of_its_field_alone() {
    for number in ["1e999", "-1e999", "\"1e999\"", "\"NaN\"", "\"-Infinity\""] {
        let (field, message) = problem(&with(&format!(",\"csat_score\":{number}")));
        assert_eq!(
            (&*field, &*message),
            ("csat_score", "expected a finite number"),
            "{number}"
        );
        // Where a filter looks for it.
        let body = with(&format!(
            ",\"answers\":[{{\"ref\":\"x\",\"value\":{number}}}]"
        ));
        let found = problems(&body, Unreadable::Fields);
        let fields = found
            .iter()
            .map(|problem| problem.field.as_deref().unwrap());
        assert_eq!(fields.collect::<Vec<_>>(), ["answers", "last"]);
    }
    let huge = "9".repeat(100_000);
    assert_eq!(
        problem(&with(&format!(",\"csat_score\":{huge}"))).0,
        "csat_score"
    );
    assert_eq!(
        survey(&with(&format!(",\"other\":{huge}")))["nps_score"],
        1.0
    );
    assert_eq!(survey(&with(",\"other\":[1e999]"))["nps_score"], 1.0);
    assert_eq!(
        problems(&with(",\"csat_score\":NaN"), Unreadable::Malformed).len(),
        1
    );
}

#[test]
fn half_a_surrogate_pair_is_replaced() {
    let fields = survey(&with(
        r#","issue_type":"cut \ud83d","other":"\ude00","\ud83d":1"#,
    ));
    assert_eq!(fields["issue_type"], "CUT \u{fffd}");
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    assert_eq!(survey(&with(",\"nps_score\":7"))["nps_score"], 7.0);
    assert_eq!(problem(&with(",\"nps_score\":null")).1, "missing");
    let thousands = ",\"nps_score\":2".repeat(15_000);
    assert_eq!(survey(&with(&thousands))["nps_score"], 2.0);
}

#[test]
fn thousands_of_fields_and_elements_are_read_in_one_pass() {
    let fields: Vec<_> = (0..15_000).map(|at| format!(",\"f{at}\":{at}")).collect();
    let fields = fields.concat();
    assert_eq!(survey(&with(&fields))["nps_score"], 1.0);
    let answers = format!(
        ",\"answers\":[{}{{\"value\":4}}]",
        "{\"value\":3},".repeat(15_000)
    );
    assert_eq!(survey(&with(&answers))["last"], 4);
    let blanks = " ".repeat(200_000);
    assert_eq!(survey(&with(&blanks))["nps_score"], 1.0);
}

#[test]
fn depth_is_told_before_it_costs_anything() {
    for deep in ["[".repeat(MAX_BODY), "{\"a\":".repeat(40_000)] {
        let problems = problems(&deep, Unreadable::Malformed);
        assert_eq!(problems[0].message, "nested deeper than 128");
    }
    let most = format!(",\"other\":{}{}", "[".repeat(127), "]".repeat(127));
    assert_eq!(survey(&with(&most))["nps_score"], 1.0);
}

#[test]
fn bytes_that_are_no_text_are_told_by_their_place() {
    for body in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\x80\"}",
        b"{\"a\":\"\xf4\x90",
    ] {
        let Reading::Unreadable {
            kind: Unreadable::Malformed,
            problems,
            ..
        } = read("", body)
        else {
            panic!("{body:?} was read");
        };
        assert_eq!(problems[0].message, "not UTF-8 at byte 6");
    }
}
