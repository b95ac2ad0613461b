//! A source from its configuration's words; the published vectors; what must hold for any message.

mod properties;
mod vectors;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::*;

pub(super) const NOW: UnixMs = UnixMs(1_614_265_330_000);
pub(super) const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FIELDS: &str =
    "[fields]\ninteraction_id = { path = '$.interactionId', type = 'uuid', required = true }\n";

/// A source from TOML as in `[[source]]`, without its name and interaction id.
pub(super) fn source(toml: &str, secrets: &[&str]) -> Result<Source, Vec<String>> {
    let secrets = secrets
        .iter()
        .map(|secret| Secret::fixed(secret.as_bytes()));
    let secrets = secrets.collect();
    let given = Given {
        secrets,
        path_token: None,
        public_url: Some("https://surveys.example.com/in".to_owned()),
    };
    source_with(toml, given)
}

pub(super) fn source_with(toml: &str, given: Given) -> Result<Source, Vec<String>> {
    let config = format!("name = 'test'\n{toml}\n");
    let with_fields = if config.contains("[fields]") {
        config
    } else {
        // Tables come last in TOML, `verify` may be one.
        config + FIELDS
    };
    let config: SourceConfig = toml::from_str(&with_fields).unwrap();
    Source::build(&config, given)
}

pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What the source's sender would send.
pub(super) fn sign(source: &Source, secret: usize, body: &[u8], id: &str) -> Signed {
    let stamp = Stamp {
        secret,
        private_key: None,
        now: NOW,
        id,
    };
    source.sign(&stamp, Payload::Body(body)).unwrap()
}

pub(super) fn signed(source: &Source, body: &[u8], id: &str) -> HeaderMap {
    map(&sign(source, 0, body, id))
}

pub(super) fn map(signed: &Signed) -> HeaderMap {
    let pairs = signed.headers.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| (name.as_str(), &**value))
        .collect();
    headers(&pairs)
}

pub(super) fn verify(
    source: &Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Verified, Refusal> {
    verify_at(source, "/webhooks/test", headers, body)
}

pub(super) fn verify_at(
    source: &Source,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Verified, Refusal> {
    source.verify(&Received {
        target,
        path_token: None,
        headers,
        body: Bytes::copy_from_slice(body),
        now: NOW,
    })
}

#[test]
fn every_problem_of_a_source_is_told_at_once_with_what_to_do() {
    let problems = source(
        "preset = 'hmac-sha257'\nack = 302\nbody = 'xml'\nmax_items = 5\ncontent_types = ['json']\n[fields]\nsource = {}",
        &[],
    )
    .unwrap_err();
    for expected in [
        "preset: `hmac-sha257` is unknown; known are delighted, formbricks, ",
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
    let sign = |secret, id| {
        let stamp = Stamp {
            secret,
            private_key: None,
            now: NOW,
            id,
        };
        source.sign(&stamp, Payload::Body(b"{}")).map(drop)
    };
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
