//! Verification: nothing unsigned passes, what is signed does, and what was changed on its way says the same or is
//! refused.
//!
//! An input is one byte that chooses a scheme, a head like HTTP's (target, then headers, each on a line), an empty
//! line, and a body.

use std::cell::OnceCell;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use wrapup::clock::UnixMs;
use wrapup::intake::{Payload, Received, Refusal, Signed, Source, Stamp, Verified, preset};

use super::sources::{self, NOW};

/// A pair of keys of our own. DEMO ONLY.
const PUBLIC: &str = "whpk_6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const PRIVATE: &str = "whsk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// Of base64, so that it fits every scheme. DEMO ONLY.
const SECRET: &str = "ZnV6ei1vbmx5LXNlY3JldC1vZi1ub2JvZHk=";

/// Besides the presets: what none of them has.
const MORE: [&str; 8] = [
    "preset = 'standard-webhooks'\nverify.algorithm = 'hmac-sha512'\nverify.prefix = ['v2,', 'other,', '']",
    "preset = 'hmac-sha256'\nverify.content = '{method}:{header:date}:{body}'\nverify.encoding = 'base64'",
    "preset = 'hmac-sha256'\nverify.timestamp = 'header:x-time'\nverify.timestamp_format = 'rfc3339'\n\
     verify.content = '{body}{timestamp}'",
    "preset = 'hmac-sha256'\nverify.timestamp = 'header:x-time'\nverify.timestamp_format = 'unix-ms'\n\
     verify.content = '{timestamp}{body}'\nverify.tolerance = '1h'",
    "preset = 'hmac-sha256'\nverify.algorithm = 'digest-sha512'\nverify.content = '{id}{body}{secret}'",
    "preset = 'hmac-sha256'\nverify.content = '{secret}{url}{body}'\nverify.prefix = ''",
    "preset = 'hmac-sha256'\nbody = 'form'\nverify.signature = 'form:sig'\nverify.content = '{form:a}.{form:b}'\n\
     fields.interaction_id = { path = '$.a', type = 'uuid', required = true }",
    "preset = 'hmac-sha256'\nverify.algorithm = 'token'\nverify.signature = 'query:key'",
];

const FIELDS: &str =
    "fields.interaction_id = { path = '$.interactionId', type = 'uuid', required = true }";

struct Scheme {
    source: Source,
    is_token: bool,
    /// Fails to be verified when another body is put under its headers.
    covers_body: bool,
}

fn schemes() -> Vec<Scheme> {
    let presets = preset::all().map(|(name, _)| format!("preset = '{name}'"));
    let more = MORE.iter().map(|toml| (*toml).to_owned());
    let all = presets.chain(more).map(|toml| {
        let secret = if toml.contains("v1a") { PUBLIC } else { SECRET };
        let fields = if toml.contains("fields.") { "" } else { FIELDS };
        let source = sources::source(&format!("{toml}\n{fields}"), Some(secret));
        let verify = &source.words.verify;
        let is_token = verify.algorithm.as_deref() == Some("token");
        let content = verify.content.as_deref().unwrap_or("{body}");
        Scheme {
            is_token,
            covers_body: !is_token && content.contains("{body}"),
            source,
        }
    });
    all.collect()
}

pub fn run(data: &[u8]) {
    thread_local! {
        static SCHEMES: OnceCell<Vec<Scheme>> = const { OnceCell::new() };
    }
    let Some((choice, message)) = data.split_first() else {
        return;
    };
    SCHEMES.with(|all| {
        let all = all.get_or_init(schemes);
        check(
            &all[usize::from(*choice) % all.len()],
            &Message::parse(message),
        );
    });
}

struct Message<'d> {
    target: &'d str,
    headers: HeaderMap,
    body: &'d [u8],
}

impl<'d> Message<'d> {
    /// Whatever the bytes are, they are some message: what is no header is left out.
    fn parse(bytes: &'d [u8]) -> Self {
        let end = bytes.windows(2).position(|two| two == b"\n\n");
        let (head, body) = match end {
            Some(at) => (&bytes[..at], &bytes[at + 2..]),
            None => (b"".as_slice(), bytes),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let target = lines.next().and_then(|line| str::from_utf8(line).ok());
        let mut headers = HeaderMap::new();
        for line in lines {
            let Some(at) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let name = HeaderName::from_bytes(&line[..at]);
            let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        Self {
            target: target
                .filter(|text| !text.is_empty())
                .unwrap_or("/webhooks/fuzz"),
            headers,
            body,
        }
    }
}

fn check(scheme: &Scheme, message: &Message<'_>) {
    let source = &scheme.source;
    let as_it_is = verify(source, message.target, &message.headers, message.body, NOW);
    assert!(as_it_is.is_err(), "nobody signed this, and it passed");

    let id: String = message
        .body
        .iter()
        .map(|byte| char::from(b'!' + byte % 94))
        .take(40)
        .collect();
    let stamp = Stamp {
        secret: 0,
        private_key: Some(PRIVATE),
        now: NOW,
        id: if id.is_empty() { "1" } else { &id },
    };
    let good = source
        .sign(&stamp, Payload::Survey(message.body))
        .expect("everything is there");
    let headers = headers(&good);
    let passed = verify(source, &good.target, &headers, &good.body, NOW);
    // A sender of whole forms signs fields of it, and here there may be none, or no form.
    let may_lack = source.words.body.as_deref() == Some("form");
    let passed = match passed {
        Err(Refusal::FormMalformed | Refusal::FieldMissing | Refusal::FieldRepeated)
            if may_lack =>
        {
            return;
        }
        passed => passed.expect("what is signed passes"),
    };
    assert_eq!(passed.body(), &good.body);

    check_time(source, &good, &headers, message.body.len());
    check_without(source, &good, &headers);
    check_changed(scheme, &good, &headers, message, &passed);
}

/// A signed time holds for as long as it may, and no longer.
fn check_time(source: &Source, good: &Signed, headers: &HeaderMap, by: usize) {
    let words = &source.words.verify;
    let content = words.content.as_deref().unwrap_or_default();
    if words.timestamp.is_none() || !content.contains("{timestamp}") {
        return;
    }
    let tolerance = words.tolerance.map_or(300_000, |span| {
        i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX)
    });
    let step = i64::try_from(by).unwrap_or(0) * 1000 + 1000;
    for (shift, expected) in [
        (tolerance.saturating_sub(1000), None),
        (tolerance.saturating_add(step), Some(Refusal::TooOld)),
        (-tolerance.saturating_add(step), Some(Refusal::TooNew)),
    ] {
        let now = UnixMs(NOW.0.saturating_add(shift));
        let judged = verify(source, &good.target, headers, &good.body, now);
        assert_eq!(judged.err(), expected, "{shift} ms away");
    }
}

/// Without its headers a message proves nothing.
fn check_without(source: &Source, good: &Signed, headers: &HeaderMap) {
    let words = &source.words.verify;
    let place = words.signature.as_deref().unwrap_or_default();
    if place.starts_with("form:") || place.starts_with("query:") {
        return;
    }
    let none = verify(source, &good.target, &HeaderMap::new(), &good.body, NOW);
    assert!(none.is_err(), "it passed without a header");
    for name in headers.keys() {
        let mut less = headers.clone();
        less.remove(name);
        let signs = place.strip_prefix("header:") == Some(name.as_str());
        let judged = verify(source, &good.target, &less, &good.body, NOW);
        assert!(!signs || judged.is_err(), "it passed without {name}");
    }
}

/// The signed message with the headers or the body of another.
fn check_changed(
    scheme: &Scheme,
    good: &Signed,
    headers: &HeaderMap,
    other: &Message<'_>,
    passed: &Verified,
) {
    let source = &scheme.source;
    let said = source.read(passed);
    let mut both = headers.clone();
    for (name, value) in &other.headers {
        both.append(name, value.clone());
    }
    for (headers, body) in [
        (&both, &*good.body),
        (headers, other.body),
        (&both, other.body),
    ] {
        let Ok(changed) = verify(source, &good.target, headers, body, NOW) else {
            continue;
        };
        if scheme.is_token {
            // Says who sends, and nothing of what.
            continue;
        }
        assert!(
            !scheme.covers_body || *body == *good.body,
            "another body passed"
        );
        let same = source
            .read(&changed)
            .iter()
            .map(surveys)
            .eq(said.iter().map(surveys));
        assert!(same, "what passed says something else");
    }
}

fn surveys(reading: &wrapup::intake::Reading) -> Option<&wrapup::survey::Survey> {
    match reading {
        wrapup::intake::Reading::Survey { survey, .. } => Some(survey),
        wrapup::intake::Reading::Unreadable { .. } => None,
    }
}

fn headers(signed: &Signed) -> HeaderMap {
    let pairs = signed.headers.iter();
    pairs
        .map(|(name, value)| {
            (
                name.clone(),
                HeaderValue::from_str(value).expect("a header's value"),
            )
        })
        .collect()
}

fn verify(
    source: &Source,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixMs,
) -> Result<Verified, Refusal> {
    source.verify(&Received {
        target,
        path_token: None,
        headers,
        body: Bytes::copy_from_slice(body),
        now,
    })
}
