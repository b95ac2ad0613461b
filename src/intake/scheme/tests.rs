//! What a configuration's author is told.

mod sound;

use super::*;

fn config(toml: &str) -> VerifyConfig {
    let base = VerifyConfig {
        algorithm: Some("hmac-sha256".to_owned()),
        signature: Some("header:x-signature".to_owned()),
        encoding: Some(Encoding::Hex),
        ..VerifyConfig::default()
    };
    toml::from_str::<VerifyConfig>(toml).unwrap().over(&base)
}

const AROUND: Around<'_> = Around {
    body: &payload::Kind::Json,
    public_url: Some("https://surveys.example.com"),
    has_path_token: false,
};

#[track_caller]
fn refused(toml: &str, expected: &[&str]) {
    refused_with(toml, &AROUND, expected);
}

#[track_caller]
fn refused_with(toml: &str, around: &Around<'_>, expected: &[&str]) {
    let problems = Scheme::compile(&config(toml), around).unwrap_err();
    assert_eq!(problems.len(), expected.len(), "{toml}: {problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{toml}: {problem}");
    }
}

#[track_caller]
fn warned(toml: &str, expected: &[&str]) {
    warned_with(toml, &AROUND, expected);
}

#[track_caller]
fn warned_with(toml: &str, around: &Around<'_>, expected: &[&str]) {
    let (_, warnings) = Scheme::compile(&config(toml), around).unwrap();
    assert_eq!(warnings.len(), expected.len(), "{toml}: {warnings:?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.contains(expected), "{toml}: {warning}");
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_key() {
    refused(
        "algorithm = 'md5'\nsignature = 'x-signature'\ncontent = '{bod}'\nprefix = []\ntimestamp = 'now'",
        &[
            "verify.algorithm: `md5` is unknown; known are hmac-sha1",
            "verify.signature: `x-signature` is not understood; write `header:NAME`",
            "verify.content: unknown placeholder {bod}",
            "verify.prefix: an empty list",
            "verify.timestamp: `now` is not understood",
        ],
    );
    let nothing = Scheme::compile(&VerifyConfig::default(), &AROUND).unwrap_err();
    for (problem, key) in nothing.iter().zip(["algorithm", "signature", "encoding"]) {
        assert!(problem.starts_with(&format!("verify.{key}: missing: set")));
    }
    assert_eq!(nothing.len(), 3);
}

#[test]
fn placeholders_need_their_places() {
    refused(
        "content = '{timestamp}{body}'",
        &["verify.timestamp: missing"],
    );
    refused("content = '{id}{body}'", &["verify.id: missing"]);
    refused(
        "content = '{id}{body}'\nid = 'path:$.id'",
        &["verify.id: an id from the body cannot be in `content`"],
    );
    refused("id = 'path:id'", &["verify.id: `id` is no JSONPath"]);
    refused("id = 'x-id'", &["`path:JSONPATH` or `hash`"]);
    refused("id = 'header:a b'", &["cannot be a header's name"]);
}

#[test]
fn a_timestamp_that_is_not_signed_and_a_long_tolerance_are_warned_of() {
    warned("timestamp = 'header:x-time'", &["it is not in `content`"]);
    warned(
        "timestamp = 'header:x-time'\ncontent = '{timestamp}{body}'",
        &[],
    );
    // The same header, named as such.
    warned(
        "timestamp = 'header:X-Time'\ncontent = '{header:x-time}{body}'",
        &[],
    );
    warned(
        "timestamp = 'header:x-time'\ncontent = '{timestamp}{body}'\ntolerance = '61m'",
        &["can be sent again for 1h 1m"],
    );
    warned(
        "timestamp = 'header:x-time'\ncontent = '{timestamp}{body}'\ntolerance = '1h'",
        &[],
    );
    warned("tolerance = '5m'", &["has no effect"]);
    warned(
        "timestamp = 'header:x-time'\ncontent = '{timestamp}{body}'\ntolerance = '0s'",
        &["next to nothing will pass"],
    );
}

#[test]
fn an_id_counts_as_signed_where_the_content_covers_it() {
    #[track_caller]
    fn check(toml: &str, priced: bool) {
        let (scheme, _) = Scheme::compile(&config(toml), &AROUND).unwrap();
        assert_eq!(scheme.price().is_some(), priced, "{toml}");
    }
    check("", true);
    check("id = 'header:x-id'", true);
    check("id = 'header:x-id'\ncontent = '{id}{body}'", false);
    check("id = 'header:X-Id'\ncontent = '{header:x-id}{body}'", false);
    check("id = 'path:$.id'", false);
    check("id = 'hash'", true);
}

#[test]
fn an_empty_text_takes_a_presets_key_back() {
    let preset = &super::super::preset::find("standard-webhooks")
        .unwrap()
        .verify;
    let own: VerifyConfig = toml::from_str(
        "content = '{body}'\ntimestamp = ''\nid = ''\nseparator = ''\ntolerance = '5m'",
    )
    .unwrap();
    let (scheme, _) = Scheme::compile(&own.over(preset), &AROUND).unwrap();
    assert!(scheme.timestamp.is_none());
    assert!(scheme.separator.is_none());
    assert!(matches!(scheme.id, IdSource::Hash));
}
