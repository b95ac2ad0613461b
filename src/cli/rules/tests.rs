//! What is printed.

use super::explain::{self, Explained, Explanation};
use super::*;
use crate::clock::UnixMs;
use crate::ids::{InteractionId, SourceName};
use crate::intake::{Problem, Source, SourceConfig};
use crate::rules::Schema;
use crate::secret::Secret;
use crate::survey::{FieldSpec, FieldType, Fields, Survey, Value};

const RULES: &str = "[[rule]]\nname = 'low'\nwhen = 'nps_score <= 6'\nassign = 'LOW'\n\
                     [[rule]]\nname = 'else'\nignore = true\n\
                     [[case]]\nname = 'a low score'\nsurvey = { nps_score = 1 }\nexpect = 'LOW'\n\
                     [[case]]\nname = 'wrong'\nsurvey = { nps_score = 7 }\nexpect = 'LOW'\n";

fn rules() -> RuleSet {
    let source = SourceName::from("generic");
    let fields = [FieldSpec::new("nps_score", FieldType::Number)];
    let schema = Schema::new([(&source, &fields[..])]).unwrap();
    RuleSet::parse(RULES, &schema).unwrap()
}

fn survey(nps: Value) -> Survey {
    Survey {
        source: SourceName::from("generic"),
        interaction: InteractionId(uuid::Uuid::nil()),
        received_at: UnixMs(0),
        fields: [("nps_score".into(), nps)].into(),
    }
}

fn printed(print: impl FnOnce(&mut dyn Write)) -> String {
    let mut out = Vec::new();
    print(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_failing_case_shows_the_way_to_its_code() {
    let text = printed(|out| assert!(!print_cases(&rules(), false, out).unwrap()));
    let expected = "\
ok    a low score
FAIL  wrong (line 12)
      expected LOW, got ignored
      low   did not match           nps_score <= 6
    > else  matched                 (always)
1 of 2 cases passed
";
    assert_eq!(text, expected);
    let json = printed(|out| assert!(!print_cases(&rules(), true, out).unwrap()));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["passed"], false);
    assert_eq!(json["cases"][1]["trace"][1]["finding"], "matched");
}

fn source() -> Source {
    let config: SourceConfig = toml::from_str(
        "name = 'generic'\npreset = 'hmac-sha256'\n[fields]\n\
         interaction_id = { path = '$.id', type = 'uuid', required = true }\n\
         nps_score = { path = '$.answers.nps', type = 'number', default = 0 }\n",
    )
    .unwrap();
    Source::build(&config, vec![Secret::fixed(b"DEMO ONLY")]).unwrap()
}

#[test]
fn an_explanation_tells_fields_with_their_paths_rules_and_code() {
    let (source, rules) = (source(), rules());
    let low = survey(Value::Number(1.0));
    let explained = Explained {
        source: &source,
        survey: &low,
        written: Some(&low.fields),
    };
    let text = printed(|out| explain::print(&rules, &explained, out).unwrap());
    let expected = "\
source       generic
interaction  00000000-0000-0000-0000-000000000000
fields
      nps_score  1.0  $.answers.nps
rules
    > low   matched                 nps_score <= 6
      else  not reached             (always)
code         LOW (by low)
";
    assert_eq!(text, expected);

    let none = survey(Value::Null);
    let explained = Explained {
        source: &source,
        survey: &none,
        written: Some(&none.fields),
    };
    let json = serde_json::to_value(Explanation::of(&rules, &explained)).unwrap();
    assert_eq!(json["wrapUpCode"], serde_json::Value::Null);
    assert_eq!(json["rule"], "else");
    assert_eq!(json["paths"]["nps_score"], "$.answers.nps");
    assert_eq!(json["trace"][0]["why"], "nps_score is missing");
    assert_eq!(json["trace"][0]["when"], "nps_score <= 6");
    let text = printed(|out| explain::print(&rules, &explained, out).unwrap());
    assert!(
        text.contains("null  $.answers.nps   (nothing there)"),
        "{text}"
    );
}

#[test]
fn a_default_is_told_from_what_was_written() {
    let (source, rules) = (source(), rules());
    let zero = survey(Value::Number(0.0));
    for (written, default) in [(Value::Null, true), (Value::Number(0.0), false)] {
        let written: Fields = survey(written).fields;
        let explained = Explained {
            source: &source,
            survey: &zero,
            written: Some(&written),
        };
        let text = printed(|out| explain::print(&rules, &explained, out).unwrap());
        assert_eq!(
            text.contains("(nothing there: the default)"),
            default,
            "{text}"
        );
        let json = serde_json::to_value(Explanation::of(&rules, &explained)).unwrap();
        let listed = json["defaults"].as_array().unwrap();
        assert_eq!(listed.len(), usize::from(default));
    }
}

#[test]
fn problems_are_told_with_path_and_type() {
    let source = source();
    let problems = [Problem {
        field: Some("nps_score".into()),
        path: Some("$.answers.nps".into()),
        expected: Some(FieldType::Number),
        message: "expected a number".to_owned(),
    }];
    let text = printed(|out| explain::print_unreadable(&source, &problems, out).unwrap());
    let line = "      nps_score ($.answers.nps, number): expected a number\n";
    assert!(text.ends_with(line), "{text}");
    let json = serde_json::to_value(Explanation::of_unreadable(&source, &problems)).unwrap();
    assert_eq!(json["problems"][0]["path"], "$.answers.nps");
    assert_eq!(json["unreadable"][0], line.trim());
}
