//! What is needed is noted, and all else is only checked.

use super::super::path::Path;
use super::*;

fn find<'a>(paths: &[&str], text: &'a str) -> serde_json::Result<Values<'a>> {
    let mut needs = Needs::default();
    for path in paths {
        needs.add(Path::parse(path).unwrap().steps(), false);
    }
    needs.find(text)
}

#[test]
fn texts_are_noted_as_they_are_written() {
    let text = r#" {"a": {"b" : {"x": 1 } , "c": [1, 2e0], "y": [3]}, "d": null, "z": {"a": 1}} "#;
    let found = find(
        &["$.a.b", "$.a.c[1]", "$.d", "$.e", "$.a.c[-1]", "$.a.c[2]"],
        text,
    )
    .unwrap();
    let expected = [
        Some(r#"{"x": 1 }"#),
        Some("2e0"),
        Some("null"),
        None,
        Some("2e0"),
        None,
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_value_and_a_part_of_it_can_both_be_needed() {
    let found = find(&["$.a", "$.a.b", "$.a.b[0]", "$"], r#"{"a":{"b":[7]}}"#).unwrap();
    let whole = r#"{"a":{"b":[7]}}"#;
    assert_eq!(
        found,
        [Some(r#"{"b":[7]}"#), Some("[7]"), Some("7"), Some(whole)]
    );
}

#[test]
fn the_same_steps_are_one_slot() {
    let mut needs = Needs::default();
    let steps = |text: &str| Path::parse(text).unwrap().steps().to_vec();
    assert_eq!(needs.add(&steps("$.a.b"), false), 0);
    assert_eq!(needs.add(&steps("$['a'].b"), true), 0);
    assert_eq!(needs.add(&steps("$.a"), false), 1);
    assert_eq!(needs.trees(), [0]);
}

#[test]
fn what_is_left_out_must_still_be_json() {
    for bad in [
        "{\"z\": [1,]}",
        "{\"z\": tru}",
        "{\"z\": \"\u{1}\"}",
        "{\"z\": 01}",
        "{\"z\": {}",
        "{\"a\": {\"b\": }}",
        "{\"a\": 1} 2",
    ] {
        assert!(find(&["$.a"], bad).is_err(), "{bad}");
        assert!(find(&["$.a.b"], bad).is_err(), "{bad}");
    }
    // Of two members with one name the last counts, and a number that nobody needs may be of any size.
    let twice = find(&["$.a"], "{\"a\": 1, \"z\": 1e999, \"a\": 2}").unwrap();
    assert_eq!(twice, [Some("2")]);
}
