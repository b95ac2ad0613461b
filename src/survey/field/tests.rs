//! Each type's table of inputs, and what holds for all of them.

use super::*;
use serde_json::json;

fn text(text: &str) -> Value {
    Value::String(text.into())
}

#[track_caller]
fn check(spec: &FieldSpec, found: &Json, expected: &Result<Value, Fault>) {
    let spec = spec.clone().checked().expect("a sound field");
    let got = spec.convert(Some(found));
    assert_eq!(&got, expected, "{found} as {}", spec.kind);
    if let (Err(fault), Json::String(value)) = (got, found) {
        let told = fault.to_string();
        assert!(value.len() < 2 || !told.contains(value.as_str()), "{told}");
    }
}

fn of(kind: FieldType) -> FieldSpec {
    FieldSpec::new("field", kind)
}

#[test]
fn each_type_takes_what_it_should_and_says_what_it_expected() {
    use FieldType::{Boolean, Integer, Number, String, Timestamp, Uuid};
    let wrong = |kind| Err(Fault::WrongType(kind));
    let table = [
        (Number, json!(9), Ok(Value::Number(9.0))),
        (Number, json!(" 8.5 "), Ok(Value::Number(8.5))),
        (Number, json!("NaN"), Err(Fault::NotFinite)),
        (Number, json!("1e999"), Err(Fault::NotFinite)),
        (Number, json!("ten"), wrong(Number)),
        (Number, json!(true), wrong(Number)),
        (Number, json!(""), Ok(Value::Null)),
        (Integer, json!(9.0), Ok(Value::Integer(9))),
        (Integer, json!("9.0"), Ok(Value::Integer(9))),
        (Integer, json!(-3), Ok(Value::Integer(-3))),
        (Integer, json!(1e18), Ok(Value::Integer(10_i64.pow(18)))),
        (Integer, json!(i64::MAX), Ok(Value::Integer(i64::MAX))),
        (Integer, json!(9.5), wrong(Integer)),
        (Integer, json!("x"), wrong(Integer)),
        (Integer, json!("nan"), Err(Fault::NotFinite)),
        (Integer, json!(u64::MAX), Err(Fault::DoesNotFit(Integer))),
        (Integer, json!(1e300), Err(Fault::DoesNotFit(Integer))),
        (Integer, json!("1e999"), Err(Fault::DoesNotFit(Integer))),
        (String, json!("  "), Ok(text("  "))),
        (String, json!(5), wrong(String)),
        (String, json!(["a"]), wrong(String)),
        (Boolean, json!(true), Ok(Value::Boolean(true))),
        (Boolean, json!("false"), Ok(Value::Boolean(false))),
        (Boolean, json!(1), wrong(Boolean)),
        (Uuid, json!("a1b2c3d4e5f67890abcdef1234567890"), wrong(Uuid)),
        (Timestamp, json!("2026-01-31 09:30"), wrong(Timestamp)),
        (
            Timestamp,
            json!("9999-12-31T23:59:59-01:00"),
            wrong(Timestamp),
        ),
        (Timestamp, json!(null), Ok(Value::Null)),
    ];
    for (kind, found, expected) in table {
        check(&of(kind), &found, &expected);
    }
    let id = json!("A1B2C3D4-E5F6-7890-ABCD-EF1234567890");
    check(
        &of(Uuid),
        &id,
        &Ok(text("a1b2c3d4-e5f6-7890-abcd-ef1234567890")),
    );
    let moment = json!("2026-01-31T10:30:00.250+01:00");
    check(
        &of(Timestamp),
        &moment,
        &Ok(text("2026-01-31T09:30:00.250Z")),
    );
}

#[test]
fn absent_is_the_default_else_null_else_a_fault_where_required() {
    let mut spec = of(FieldType::Number);
    assert_eq!(spec.convert(None), Ok(Value::Null));
    spec.required = true;
    assert_eq!(spec.convert(None), Err(Fault::Missing));
    check(&spec, &json!(" "), &Err(Fault::Missing));
    spec.default = Some(Value::Integer(0));
    check(&spec, &json!(null), &Ok(Value::Number(0.0)));
}

#[test]
fn bounds_choices_and_maps_apply_in_that_types_terms() {
    let mut score = of(FieldType::Integer);
    (score.min, score.max) = (Some(1.0), Some(5.0));
    score.map = BTreeMap::from([("Great".to_owned(), json!(5)), ("10".to_owned(), json!(4))]);
    check(&score, &json!("Great"), &Ok(Value::Integer(5)));
    check(&score, &json!(10), &Ok(Value::Integer(4)));
    score.map.clear();
    check(&score, &json!(0), &Err(Fault::BelowMin("1".into())));
    check(&score, &json!("6"), &Err(Fault::AboveMax("5".into())));

    let mut kind = of(FieldType::String);
    kind.case = Some(Case::Upper);
    kind.one_of = vec![text("billing"), text("technical")];
    check(&kind, &json!("Technical"), &Ok(text("TECHNICAL")));
    check(&kind, &json!("other"), &Err(Fault::NotOneOf));
}

#[test]
fn a_map_is_applied_first_and_what_it_lacks_is_a_fault() {
    let mut score = of(FieldType::Integer);
    (score.min, score.max) = (Some(1.0), Some(5.0));
    let map = [
        ("Great", json!(5)),
        ("Not Good", json!("1")),
        ("9", json!(4)),
        ("true", json!(3)),
        ("odd", json!(6)),
    ];
    score.map = map.map(|(from, to)| (from.to_owned(), to)).into();
    for (found, expected) in [
        (json!("Great"), Ok(Value::Integer(5))),
        (json!("Not Good"), Ok(Value::Integer(1))),
        (json!(9), Ok(Value::Integer(4))),
        (json!(9.0), Ok(Value::Integer(4))),
        (json!("9"), Ok(Value::Integer(4))),
        (json!(true), Ok(Value::Integer(3))),
        (json!("odd"), Err(Fault::AboveMax("5".into()))),
        (json!("great"), Err(Fault::NotMapped)),
        (json!(5), Err(Fault::NotMapped)),
        (json!(false), Err(Fault::NotMapped)),
        (json!(["Great"]), Err(Fault::WrongType(FieldType::Integer))),
        // What is absent is mapped by nothing.
        (json!(null), Ok(Value::Null)),
        (json!(" "), Ok(Value::Null)),
    ] {
        check(&score, &found, &expected);
    }
    // To a text, an empty answer is an answer; and a map may say that there is none.
    let mut word = of(FieldType::String);
    word.default = Some(text("none"));
    word.case = Some(Case::Lower);
    word.map = [("1", json!("ONE")), ("0", json!(null))]
        .map(|(from, to)| (from.to_owned(), to))
        .into();
    check(&word, &json!(1), &Ok(text("one")));
    check(&word, &json!(0), &Ok(text("none")));
    check(&word, &json!(""), &Err(Fault::NotMapped));
}

#[test]
fn a_number_is_judged_as_it_is_written() {
    use FieldType::{Integer, Number};
    let take = |kind, text: &'static str| of(kind).take(Some(&Node::Number(text.into())));
    for (text, expected) in [
        // Above 2^53, where floats have gaps.
        (
            "9007199254740993",
            Ok(Value::Integer(9_007_199_254_740_993)),
        ),
        (
            "9007199254740993.0",
            Ok(Value::Integer(9_007_199_254_740_993)),
        ),
        ("-9223372036854775808", Ok(Value::Integer(i64::MIN))),
        ("9223372036854775808", Err(Fault::DoesNotFit(Integer))),
        ("1e2", Ok(Value::Integer(100))),
        ("1.5e1", Ok(Value::Integer(15))),
        ("-0", Ok(Value::Integer(0))),
        ("1e-1", Err(Fault::WrongType(Integer))),
        ("1e999", Err(Fault::DoesNotFit(Integer))),
    ] {
        assert_eq!(take(Integer, text), expected, "{text}");
    }
    assert_eq!(take(Number, "1e999"), Err(Fault::NotFinite));
    assert_eq!(take(Number, "1e-999"), Ok(Value::Number(0.0)));
    assert_eq!(
        take(FieldType::String, "1e999"),
        Err(Fault::WrongType(FieldType::String))
    );
    for text in ["nan", "NaN", "inf", "-Infinity"] {
        for kind in [Integer, Number] {
            let found = Node::Text(text.into());
            assert_eq!(of(kind).take(Some(&found)), Err(Fault::NotFinite), "{text}");
        }
    }
}

#[test]
fn a_field_that_makes_no_sense_is_told_all_of_it() {
    let mut spec = of(FieldType::Boolean);
    spec.case = Some(Case::Lower);
    spec.min = Some(1.0);
    spec.default = Some(text("maybe"));
    spec.one_of = vec![Value::Integer(1)];
    spec.map = BTreeMap::from([("y".to_owned(), json!("yes"))]);
    let problems = spec.checked().unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:?}");

    let mut score = of(FieldType::Number);
    (score.min, score.max) = (Some(5.0), Some(1.0));
    assert_eq!(score.checked().unwrap_err(), ["min: 5 is above max, 1"]);
}
