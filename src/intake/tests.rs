//! A source from its configuration's words, the published vectors, and what must hold for any message.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// Vectors whose presets or words belong to a later version. Each must still be refused at configuration: one that
/// has become known must be taken off this list.
const LATER: [&str; 6] = [
    "standard-webhooks v1a (ed25519)",
    "github",
    "qualtrics event subscription",
    "hubspot v3",
    "hubspot v1",
    "hubspot v2",
];

pub(super) const NOW: UnixMs = UnixMs(1_614_265_330_000);
pub(super) const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FIELDS: &str =
    "[fields]\ninteraction_id = { path = '$.interactionId', type = 'uuid', required = true }\n";

/// A source from TOML as in `[[source]]`, without its name and interaction id.
pub(super) fn source(toml: &str, secrets: &[&str]) -> Result<Source, Vec<String>> {
    let config = format!("name = 'test'\n{toml}\n");
    let with_fields = if config.contains("[fields]") {
        config
    } else {
        // Tables come last in TOML, `verify` may be one.
        config + FIELDS
    };
    let config: SourceConfig = toml::from_str(&with_fields).unwrap();
    let secrets = secrets
        .iter()
        .map(|secret| Secret::fixed(secret.as_bytes()));
    Source::build(&config, secrets.collect())
}

pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

pub(super) fn signed(source: &Source, body: &[u8], id: &str) -> HeaderMap {
    let pairs = source.sign(0, body, NOW, id).unwrap();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), &**value))
        .collect();
    headers(&pairs)
}

pub(super) fn verify(
    source: &Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Verified, Refusal> {
    source.verify(&Received {
        headers,
        body: Bytes::copy_from_slice(body),
        now: NOW,
    })
}

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    preset: Option<String>,
    #[serde(default)]
    verify: VerifyConfig,
    secrets: Vec<String>,
    now: Option<i64>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    expect: String,
}

#[test]
fn published_vectors_are_judged_as_published() {
    let text = include_str!("../../tests/it/fixtures/signature-vectors.json");
    let vectors = serde_json::from_str::<Vectors>(text).unwrap().vectors;
    let mut later = Vec::new();
    for vector in vectors {
        let mut config: SourceConfig =
            toml::from_str(&format!("name = 'vector'\n{FIELDS}")).unwrap();
        config.preset.clone_from(&vector.preset);
        config.verify = vector.verify;
        let secrets = vector
            .secrets
            .iter()
            .map(|secret| Secret::fixed(secret.as_bytes()));
        let built = Source::build(&config, secrets.collect());
        if LATER.contains(&&*vector.name) {
            assert!(built.is_err(), "{} is known now", vector.name);
            later.push(vector.name);
            continue;
        }
        let source = built.unwrap();
        let pairs: Vec<_> = vector.headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        let judged = source.verify(&Received {
            headers: &headers(&pairs),
            body: vector.body.into(),
            now: UnixMs(vector.now.unwrap_or_default() * 1000),
        });
        let expected = vector.expect == "accept";
        assert_eq!(judged.is_ok(), expected, "{}: {judged:?}", vector.name);
    }
    assert_eq!(later, LATER);
}

#[test]
fn every_problem_of_a_source_is_told_at_once_with_what_to_do() {
    let problems = source(
        "preset = 'hmac-sha257'\nack = 302\nbody = 'xml'\nmax_items = 5\ncontent_types = ['json']\n[fields]\nsource = {}",
        &[],
    )
    .unwrap_err();
    for expected in [
        "preset: `hmac-sha257` is unknown; known are hmac-sha256, standard-webhooks",
        "ack: a status from 200 to 299",
        "body: `xml` is unknown; set `json`, `form`, `form:FIELD` or `multipart:FIELD`",
        "max_items: has no effect without `items`",
        "content_types[0]: write `type/subtype`",
        "fields.interaction_id: missing",
        "fields.source: a field's name",
        "fields.source.path: missing",
        "fields.source.type: missing",
        "secrets: give at least one",
    ] {
        let told = problems.iter().any(|problem| problem.starts_with(expected));
        assert!(told, "{expected} in {problems:#?}");
    }
    assert_eq!(problems.len(), 10, "{problems:#?}");
    let config: SourceConfig = toml::from_str("name = 'Bad Name'").unwrap();
    let problems = Source::build(&config, Vec::new()).unwrap_err();
    assert!(problems[0].starts_with("name: "), "{problems:#?}");
}

#[test]
fn secrets_that_are_no_keys_are_refused_without_being_shown() {
    let problems = source("preset = 'standard-webhooks'", &["whsec_canary!", "AAEC"]).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("secrets[0]: it is not base64"));
    assert!(!problems[0].contains("canary"));
    let config: SourceConfig = toml::from_str("preset = 'standard-webhooks'").unwrap();
    assert!(check_secret(&config)(b"whsec_canary!").is_err());
    assert!(check_secret(&config)(STANDARD_SECRET.as_bytes()).is_ok());
}

#[test]
fn a_source_takes_json_unless_it_is_told_otherwise() {
    #[track_caller]
    fn check(source: &Source, content_type: Option<&str>, expected: bool) {
        assert_eq!(source.takes(content_type), expected, "{content_type:?}");
    }
    let json = source("preset = 'hmac-sha256'", &["s"]).unwrap();
    check(&json, None, true);
    check(&json, Some("application/json"), true);
    check(&json, Some("Application/JSON; charset=UTF-8"), true);
    check(&json, Some("application/vnd.survey+JSON ;v=1"), true);
    check(&json, Some("text/plain"), false);
    check(&json, Some("application/jsonx"), false);
    check(&json, Some("+json"), false);
    check(&json, Some("application/x-www-form-urlencoded"), false);
    let text = source(
        "preset = 'hmac-sha256'\ncontent_types = ['Text/Plain']",
        &["s"],
    )
    .unwrap();
    check(&text, Some("text/plain; charset=utf-8"), true);
    check(&text, Some("application/json"), false);
    check(&text, None, false);
}

#[test]
fn a_source_says_what_its_scheme_costs() {
    let source = |toml| source(toml, &["c2VjcmV0"]).unwrap();
    assert_eq!(source("preset = 'hmac-sha256'").notes().len(), 1);
    assert!(source("preset = 'standard-webhooks'").notes().is_empty());
    let long = source("preset = 'standard-webhooks'\nverify.tolerance = '2h'");
    assert!(long.warnings()[0].starts_with("verify.tolerance: "));
    assert_eq!(long.ack, StatusCode::ACCEPTED);
    assert_eq!(long.invalid, Invalid::Reject);
}

#[test]
fn signing_says_what_is_wrong() {
    let source = source("preset = 'standard-webhooks'", &[STANDARD_SECRET]).unwrap();
    let sign = |index, id| source.sign(index, b"{}", NOW, id).map(|_| ());
    assert_eq!(sign(0, "msg_1"), Ok(()));
    for id in ["", " a", "a\nb: c"] {
        assert_eq!(sign(0, id), Err(SignError::Id), "{id:?}");
    }
    let missing = sign(1, "a").unwrap_err().to_string();
    assert_eq!(
        missing,
        "source test has 1 secrets, counted from 0; there is no secret 1"
    );
}

/// Each covers the body and, all but the first, what else it names.
const SCHEMES: [&str; 6] = [
    "preset = 'hmac-sha256'",
    "preset = 'standard-webhooks'",
    "preset = 'standard-webhooks'\nverify.algorithm = 'hmac-sha512'\nverify.prefix = ['v2,', 'other,']",
    "preset = 'hmac-sha256'\nverify.algorithm = 'hmac-sha1'\nverify.content = '{method}:{header:date}:{body}'",
    "preset = 'hmac-sha256'\nverify.algorithm = 'hmac-sha384'\nverify.id = 'path:$.id'\nverify.encoding = 'base64'",
    "preset = 'hmac-sha256'\nverify.timestamp = 'header:x-time'\nverify.timestamp_format = 'rfc3339'\n\
     verify.content = '{body}{timestamp}'",
];

/// Headers that a scheme sends but does not sign.
fn is_free(source: &Source, name: &HeaderName) -> bool {
    matches!(&source.scheme.id, scheme::IdSource::Header { name: id, signed: false, .. } if id == name)
}

proptest! {
    #[test]
    fn what_we_sign_is_accepted_and_any_changed_byte_is_not(
        scheme in 0..SCHEMES.len(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        id in "[!-~]{1,40}",
        at in any::<proptest::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let source = source(SCHEMES[scheme], &["c2VjcmV0IG9mIHRlc3Rz"]).unwrap();
        let headers = signed(&source, &body, &id);
        prop_assert!(verify(&source, &headers, &body).is_ok());

        let mut longer = body.clone();
        longer.push(flip);
        prop_assert!(verify(&source, &headers, &longer).is_err());
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= flip;
            prop_assert!(verify(&source, &headers, &changed).is_err());
        }
        for name in headers.keys().filter(|name| !is_free(&source, name)) {
            let mut value = headers[name].as_bytes().to_vec();
            let place = at.index(value.len());
            value[place] ^= flip;
            let mut changed = headers.clone();
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            // The same in hex: a letter's other case.
            let same = source.scheme.encoding == config::Encoding::Hex
                && *name == source.scheme.signature
                && value.as_bytes().eq_ignore_ascii_case(headers[name].as_bytes())
                && value.as_bytes().starts_with(b"sha256=");
            changed.insert(name, value);
            prop_assert_eq!(verify(&source, &changed, &body).is_ok(), same, "{}", name);
        }
    }
}
