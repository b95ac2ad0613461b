//! Bodies of several surveys.

use std::collections::HashSet;

use super::*;

const FIELDS: &str = "
[fields]
interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
nps_score = { path = '$.nps', type = 'integer' }
";

fn batch(keys: &str) -> Source {
    batch_with(keys, "")
}

fn batch_with(keys: &str, fields: &str) -> Source {
    source(
        &format!("preset = 'hmac-sha256'\n{keys}\n{FIELDS}{fields}"),
        &["s"],
    )
    .unwrap()
}

fn read(source: &Source, body: &Json) -> Vec<Reading> {
    let body = body.to_string();
    source.read(
        &verify(
            source,
            &signed(source, body.as_bytes(), "7"),
            body.as_bytes(),
        )
        .unwrap(),
    )
}

fn item(nps: &Json) -> Json {
    json!({"interactionId": ID, "nps": nps, "eventId": format!("e{nps}")})
}

/// The field of a survey; of an unreadable one its problem.
fn said(reading: &Reading, field: &str) -> Json {
    match reading {
        Reading::Survey { survey, .. } => serde_json::to_value(&survey.fields[field]).unwrap(),
        Reading::Unreadable { problems, .. } => problems[0].to_string().into(),
    }
}

fn scores(readings: &[Reading]) -> Vec<Json> {
    readings
        .iter()
        .map(|reading| said(reading, "nps_score"))
        .collect()
}

#[test]
fn each_node_is_a_survey_of_its_own_in_their_order() {
    let three = [item(&json!(1)), item(&json!("x")), item(&json!(3))];
    let expected = [
        json!(1),
        json!("nps_score ($.nps): expected an integer"),
        json!(3),
    ];
    for (items, body) in [
        ("$[*]", json!(three)),
        ("$.events[*]", json!({"events": three})),
        (
            "$.a.events.*",
            json!({"a": {"events": {"1": three[0], "2": three[1], "3": three[2]}}}),
        ),
        (
            "$.events[?@.interactionId]",
            json!({"events": [three[0], {}, three[1], three[2]]}),
        ),
        (
            "$..event",
            json!([{"event": three[0]}, {"event": three[1]}, {"event": three[2]}]),
        ),
    ] {
        let readings = read(&batch(&format!("items = '{items}'")), &body);
        assert_eq!(scores(&readings), expected, "{items}");
    }
    let only = read(&batch("items = '$.event'"), &json!({"event": three[0]}));
    assert_eq!(scores(&only), [json!(1)]);
}

#[test]
fn a_field_can_be_read_from_the_whole_body() {
    let source = batch_with(
        "items = '$.events[*]'",
        "channel = { path = '$.channel', from = 'body', type = 'string' }
         sure = { path = '$.ask[*].ok', from = 'body', type = 'boolean' }
         own = { path = '$.channel', type = 'string' }",
    );
    let body = json!({"channel": "voice \"1\"", "ask": [{"ok": true}], "events": [item(&json!(1)), item(&json!(2))]});
    let readings = read(&source, &body);
    for reading in &readings {
        assert_eq!(said(reading, "channel"), "voice \"1\"");
        assert_eq!(said(reading, "sure"), true);
        assert_eq!(said(reading, "own"), Json::Null);
    }
    assert_eq!(scores(&readings), [json!(1), json!(2)]);
    // Two bodies of which one field tells the items apart.
    let mut other = body.clone();
    other["channel"] = json!("chat");
    assert_ne!(content(&read(&source, &other)[0]), content(&readings[0]));
}

fn content(reading: &Reading) -> DedupKey {
    keys(reading).1
}

fn distinct(readings: &[Reading]) -> usize {
    let all: HashSet<_> = readings
        .iter()
        .map(|reading| keys(reading).0.to_vec())
        .collect();
    all.len()
}

#[test]
fn an_id_in_the_item_is_its_key_wherever_it_stands() {
    let source = batch("items = '$[*]'\nverify.id = 'path:$.eventId'");
    let (a, b) = (item(&json!(1)), item(&json!(2)));
    let readings = read(&source, &json!([a, b, a]));
    assert_eq!(keys(&readings[0]).0.len(), 1);
    assert_eq!(
        keys(&readings[0]).0,
        keys(&readings[2]).0,
        "a duplicate inside one body"
    );
    assert_eq!(distinct(&readings), 2);
    // Sent again, together with others.
    let again = read(&source, &json!([b]));
    assert_eq!(keys(&again[0]).0, keys(&readings[1]).0);
    let mut corrected = b.clone();
    corrected["nps"] = json!(9);
    assert_eq!(
        keys(&read(&source, &json!([corrected]))[0]).0,
        keys(&readings[1]).0
    );
}

#[test]
fn without_an_id_an_item_is_known_by_its_bytes() {
    let source = batch("items = '$[*]'\nverify.id = 'hash'");
    let (a, b) = (item(&json!(1)), item(&json!(2)));
    let readings = read(&source, &json!([a, b, a]));
    assert_eq!(distinct(&readings), 2);
    for reading in &readings {
        assert_eq!(keys(reading).0, [content(reading)]);
    }
    // An unsigned id of the message stands beside it, for each item one.
    let readings = read(&batch("items = '$[*]'"), &json!([a, b]));
    let all: HashSet<_> = readings
        .iter()
        .flat_map(|reading| keys(reading).0)
        .collect();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_body_of_no_surveys_is_one_row_and_an_empty_list_is_none() {
    let source = batch("items = '$.events[*]'\nmax_items = 2");
    for (body, message) in [
        (json!({}), "no surveys found there"),
        (json!({"events": 7}), "no surveys found there"),
        (json!([item(&json!(1))]), "no surveys found there"),
        (
            json!({"events": [1, 2, 3]}),
            "more than 2 surveys in one body",
        ),
    ] {
        let readings = read(&source, &body);
        let [
            Reading::Unreadable {
                kind: Unreadable::Items,
                problems,
                body: kept,
                ..
            },
        ] = &readings[..]
        else {
            panic!("{body}: {readings:?}");
        };
        assert_eq!(problems[0].message, message);
        assert_eq!(problems[0].path.as_deref(), Some("$.events[*]"));
        assert_eq!(*kept, body.to_string());
    }
    assert_eq!(Unreadable::Items.status(), 422);
    assert_eq!(read(&source, &json!({"events": []})), []);
    assert_eq!(read(&source, &json!({"events": [1, 2]})).len(), 2);
    let found_nothing = read(&batch("items = '$[?@.a]'"), &json!([{}]));
    assert!(matches!(
        found_nothing[..],
        [Reading::Unreadable {
            kind: Unreadable::Items,
            ..
        }]
    ));
    let broken = source.read(&verify(&source, &signed(&source, b"no", "7"), b"no").unwrap());
    assert!(matches!(
        broken[..],
        [Reading::Unreadable {
            kind: Unreadable::Malformed,
            ..
        }]
    ));
}

#[test]
fn what_is_kept_of_an_item_is_read_again_as_it_was() {
    let channel = "channel = { path = '$.channel', from = 'body', type = 'string' }";
    let source = batch_with("items = '$.events[*]'", channel);
    for channel in [json!("voice"), json!(null), json!(7)] {
        let body = json!({"channel": channel, "rest": "canary", "events": [item(&json!(1)), item(&json!("x")), 5]});
        for reading in read(&source, &body) {
            let (Reading::Survey { body: kept, .. } | Reading::Unreadable { body: kept, .. }) =
                &reading;
            assert!(!str::from_utf8(kept).unwrap().contains("canary"));
            let [again] = &source.read_kept(kept, NOW)[..] else {
                panic!("one item is one survey")
            };
            assert_eq!(content(again), content(&reading));
            assert_eq!(said(again, "channel"), said(&reading, "channel"));
            assert_eq!(said(again, "nps_score"), said(&reading, "nps_score"));
        }
    }
    // A body that was kept as a whole is read as one: mended, it may be several surveys.
    let body = Bytes::from(json!({"events": [item(&json!(1)), item(&json!(2))]}).to_string());
    assert_eq!(source.read_kept(&body, NOW).len(), 2);
}

#[test]
fn items_that_make_no_sense_are_told() {
    #[track_caller]
    fn check(keys: &str, expected: &str) {
        let toml = format!("preset = 'hmac-sha256'\n{keys}\n{FIELDS}");
        let problems = source(&toml, &["s"]).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].starts_with(expected),
            "{problems:?}"
        );
    }
    check("items = 'events'", "items: `events` is no JSONPath");
    check(
        "items = '$..a..b'",
        "items: `$..a..b` has more than one `..`",
    );
    check(
        "items = '$[*]'\nmax_items = 0",
        "max_items: from 1 to 10000",
    );
    check("max_items = 5", "max_items: has no effect");
}

#[test]
fn a_long_text_beside_the_items_is_not_kept_a_thousand_times() {
    let source = batch_with(
        "items = '$.events[*]'",
        "note = { path = '$.note', from = 'body', type = 'string' }",
    );
    let body = |events: usize, note: usize| {
        let events = vec![item(&json!(1)); events];
        json!({"events": events, "note": "x".repeat(note)})
    };
    assert_eq!(read(&source, &body(100, 1_000)).len(), 100);
    let readings = read(&source, &body(900, 20_000));
    assert_eq!(readings.len(), 1);
    let problem = said(&readings[0], "note");
    assert!(
        problem
            .as_str()
            .unwrap()
            .contains("would be kept 900 times"),
        "{problem}"
    );
}
