//! What must hold for any message: what we sign passes, and nothing else that looks like it.

use proptest::prelude::*;

use super::*;

/// A pair of keys of our own; the private one begins with its seed.
const PUBLIC: &str = "whpk_6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const PRIVATE: &str = "whsk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Each covers the body and, all but the first, what else it names.
const SCHEMES: [&str; 9] = [
    "preset = 'hmac-sha256'",
    "preset = 'standard-webhooks'",
    "preset = 'standard-webhooks'\nverify.algorithm = 'hmac-sha512'\nverify.prefix = ['v2,', 'other,']",
    "preset = 'hmac-sha256'\nverify.algorithm = 'hmac-sha1'\nverify.content = '{method}:{header:date}:{body}'",
    "preset = 'hmac-sha256'\nverify.algorithm = 'hmac-sha384'\nverify.id = 'path:$.id'\nverify.encoding = 'base64'",
    "preset = 'hmac-sha256'\nverify.timestamp = 'header:x-time'\nverify.timestamp_format = 'rfc3339'\n\
     verify.content = '{body}{timestamp}'",
    "preset = 'hmac-sha256'\nverify.algorithm = 'digest-sha512'\nverify.content = '{id}{body}{secret}'",
    "preset = 'hmac-sha256'\nverify.content = '{secret}{url}{body}'\nverify.prefix = ''",
    "preset = 'stripe'",
];

fn secret_of(preset: &str) -> &'static str {
    match preset {
        "standard-webhooks-v1a" => PUBLIC,
        // Of base64, so that it fits all others.
        _ => "c2VjcmV0IG9mIHRlc3Rz",
    }
}

/// Headers that a scheme sends but does not sign.
fn is_free(source: &Source, name: &HeaderName) -> bool {
    matches!(&source.scheme.id, scheme::IdSource::Header { name: id, signed: false, .. } if id == name)
}

/// Whether two texts of a signature say the same: hexadecimal in another case, base64 without its padding, a blank
/// behind.
fn is_same(source: &Source, one: &[u8], other: &[u8]) -> bool {
    let scheme = &source.scheme;
    let meant = |text: &[u8]| -> Option<Vec<Vec<u8>>> {
        let text = str::from_utf8(text).ok()?;
        let items = match &scheme.separator {
            Some(by) => text.split(&**by).map(str::trim).collect(),
            None => vec![text.trim()],
        };
        let meant = items.into_iter().map(|item| {
            let mut bare = scheme
                .prefixes
                .iter()
                .filter_map(|it| item.strip_prefix(&**it));
            let encoding = scheme.encoding.unwrap();
            let bytes = bare.find_map(|text| encoding::decode(encoding, text.as_bytes()));
            bytes.unwrap_or_else(|| item.as_bytes().to_vec())
        });
        Some(meant.collect())
    };
    meant(one).is_some_and(|one| meant(other) == Some(one))
}

#[track_caller]
fn any_change_is_refused(source: &Source, good: &Signed, at: impl Fn(usize) -> usize, flip: u8) {
    let (headers, body) = (map(good), &good.body);
    let judge =
        |headers: &HeaderMap, body: &[u8]| verify_at(source, &good.target, headers, body).map(drop);
    assert_eq!(judge(&headers, body), Ok(()));
    let mut longer = body.clone();
    longer.push(flip);
    let mut changed = body.clone();
    if !body.is_empty() {
        changed[at(body.len())] ^= flip;
    }
    for other in [longer, changed].iter().filter(|other| *other != body) {
        // Of a form only what it says is signed, not how it is written.
        let same = source.scheme.needs_form() && is_same_form(source, body, other);
        assert_eq!(judge(&headers, other).is_ok(), same);
    }
    for name in headers.keys().filter(|name| !is_free(source, name)) {
        let mut value = headers[name].as_bytes().to_vec();
        let place = at(value.len());
        value[place] ^= flip;
        let mut changed = headers.clone();
        let Ok(value) = HeaderValue::from_bytes(&value) else {
            continue;
        };
        let same = source.scheme.place.as_ref().and_then(place::Place::header) == Some(name)
            && is_same(source, headers[name].as_bytes(), value.as_bytes());
        changed.insert(name, value);
        assert_eq!(judge(&changed, body).is_ok(), same, "{name}");
    }
}

/// Whether the signed fields and the signature say the same.
fn is_same_form(source: &Source, one: &[u8], other: &[u8]) -> bool {
    let (Ok(one), Ok(other)) = (form::Form::parse(one), form::Form::parse(other)) else {
        return false;
    };
    let is_signed_same =
        (source.scheme.content.fields()).all(|name| one.all(name).eq(other.all(name)));
    let Some(place::Place::Form(name)) = &source.scheme.place else {
        return is_signed_same;
    };
    let is_proof_same = one.all(name).count() == other.all(name).count()
        && one
            .all(name)
            .zip(other.all(name))
            .all(|(a, b)| is_same(source, a, b));
    is_signed_same && is_proof_same
}

proptest! {
    #[test]
    fn what_we_sign_is_accepted_and_any_changed_byte_is_not(
        scheme in 0..SCHEMES.len(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        id in "[!-~]{1,40}",
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let source = source(SCHEMES[scheme], &[secret_of("")]).unwrap();
        any_change_is_refused(&source, &sign(&source, 0, &body, &id), |length| at.index(length), flip);
    }
}

fn presets_take_what_they_sign(body: &[u8], id: &str, at: impl Fn(usize) -> usize, flip: u8) {
    for (name, preset) in preset::all() {
        let source = source(&format!("preset = '{name}'"), &[secret_of(name)]).unwrap();
        let stamp = Stamp {
            secret: 0,
            private_key: Some(PRIVATE),
            now: NOW,
            id,
        };
        let good = source.sign(&stamp, Payload::Survey(body)).unwrap();
        if preset.verify.algorithm.as_deref() == Some("token") {
            // Says who sends, and nothing of what.
            assert!(verify(&source, &map(&good), b"anything").is_ok());
            assert!(verify(&source, &HeaderMap::new(), body).is_err());
        } else {
            any_change_is_refused(&source, &good, &at, flip);
        }
    }
}

/// Chance found a mistake with these once.
#[test]
fn every_preset_takes_what_it_signs_where_that_once_failed() {
    presets_take_what_they_sign(b"", "!", |_| 0, 9);
}

proptest! {
    // Each case goes through all presets.
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_preset_takes_what_it_signs_and_no_changed_byte(
        body in proptest::collection::vec(any::<u8>(), 0..100),
        id in "[!-~]{1,40}",
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        presets_take_what_they_sign(&body, &id, |length| at.index(length), flip);
    }
}
