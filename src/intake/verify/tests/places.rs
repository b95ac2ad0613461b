//! Proofs that stand elsewhere than in a header of their own.

use super::super::super::tests::{map, source_with, verify_at};
use super::super::super::{Given, form};
use super::*;

fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    form::write(fields).into_bytes()
}

#[test]
fn a_forms_signature_is_over_its_decoded_fields() {
    let source = source("preset = 'qualtrics'", &["s"]).unwrap();
    let sent = sign(&source, 0, b"MSG=%7B%7D", "").body;
    let sent = String::from_utf8(sent).unwrap();
    let judge = |body: &str| verify(&source, &HeaderMap::new(), body.as_bytes()).map(drop);
    let tag = sent.strip_prefix("MSG=%7B%7D&HMAC=").unwrap();
    assert_eq!(judge(&sent), Ok(()));
    let tag_in_capitals = tag.to_uppercase();
    for same in [
        // Written otherwise, in another order, beside other fields, with another signature first.
        format!("HMAC={tag}&MSG={{}}"),
        format!("x=1&MSG=%7b%7d&y&HMAC={tag_in_capitals}"),
        format!("HMAC=00&HMAC={tag}&MSG=%7B%7D"),
    ] {
        assert_eq!(judge(&same), Ok(()), "{same}");
    }
    for (body, refusal) in [
        (format!("HMAC={tag}&MSG=%7B%20%7D"), Refusal::Mismatch),
        (format!("HMAC={tag}"), Refusal::FieldMissing),
        // Which of them would be read?
        (
            format!("HMAC={tag}&MSG=%7B%7D&MSG=1"),
            Refusal::FieldRepeated,
        ),
        ("MSG=%7B%7D".to_owned(), Refusal::SignatureMissing),
        ("HMAC=&MSG=%7B%7D".to_owned(), Refusal::SignatureMalformed),
        (
            "HMAC=%ff&MSG=%7B%7D".to_owned(),
            Refusal::SignatureMalformed,
        ),
        (format!("HMAC={tag}&MSG=%7B%7D&x=%"), Refusal::FormMalformed),
        (
            format!("HMAC={tag}&MSG=%7B%7D{}", "&x".repeat(1000)),
            Refusal::FormMalformed,
        ),
        (String::new(), Refusal::SignatureMissing),
    ] {
        assert_eq!(judge(&body), Err(refusal), "{body:.80}");
    }
}

#[test]
fn fields_and_a_header_can_be_signed_together() {
    let toml = "body = 'form'\nverify.algorithm = 'hmac-sha256'\nverify.encoding = 'hex'\n\
                verify.signature = 'header:x-sig'\nverify.content = '{form:interactionId}|{header:x-tenant}'";
    let source = source(toml, &["s"]).unwrap();
    let body = form(&[("interactionId", "a b&c"), ("free", "1")]);
    let good = signed(&source, &body, "");
    assert!(verify(&source, &good, &body).is_ok());
    let other = form(&[("interactionId", "a b&d"), ("free", "1")]);
    assert_eq!(
        verify(&source, &good, &other).unwrap_err(),
        Refusal::Mismatch
    );
    let free = form(&[("free", "2"), ("interactionId", "a b&c")]);
    assert!(
        verify(&source, &good, &free).is_ok(),
        "nothing is read of it"
    );
}

#[test]
fn a_timestamp_may_stand_among_the_signatures() {
    let source = source("preset = 'stripe'", &["s"]).unwrap();
    let good = signed(&source, BODY, "");
    let value = good["stripe-signature"].to_str().unwrap().to_owned();
    let tag = value.strip_prefix("t=1614265330,v1=").unwrap();
    let say = |value: &str| headers(&[("stripe-signature", value)]);
    for fine in [
        format!("v1={tag},t=1614265330"),
        format!(" t=1614265330 , v0=00 , v1={tag} "),
        format!("t=1614265330,v1=00,v1={tag}"),
    ] {
        assert!(verify(&source, &say(&fine), BODY).is_ok(), "{fine}");
    }
    for (bad, refusal) in [
        (format!("v1={tag}"), Refusal::TimestampMissing),
        (
            format!("t=1614265330,t=1614265330,v1={tag}"),
            Refusal::TimestampRepeated,
        ),
        (format!("t=,v1={tag}"), Refusal::TimestampMalformed),
        (format!("t=soon,v1={tag}"), Refusal::TimestampMalformed),
        (format!("t=1614265331,v1={tag}"), Refusal::Mismatch),
        ("t=1614265330".to_owned(), Refusal::SignatureMalformed),
        ("t=1614265330,v1=".to_owned(), Refusal::SignatureMalformed),
    ] {
        refused(&source, &say(&bad), refusal);
    }
    let received = |seconds: i64| Received {
        target: "",
        path_token: None,
        headers: &good,
        body: Bytes::from_static(BODY),
        now: UnixMs(NOW.0 + seconds * 1000),
    };
    assert!(source.verify(&received(300)).is_ok());
    assert_eq!(source.verify(&received(301)).unwrap_err(), Refusal::TooOld);
    assert_eq!(source.verify(&received(-301)).unwrap_err(), Refusal::TooNew);
}

#[test]
fn a_token_is_taken_from_the_place_that_is_named_and_no_other() {
    const TOKEN: &str = "user:s3cret/+ =";
    let places = [
        ("header:x-token", "x-token: user:s3cret/+ ="),
        ("bearer", "authorization: Bearer user:s3cret/+ ="),
        ("basic", "authorization: Basic dXNlcjpzM2NyZXQvKyA9"),
        ("query:token", "?token=user%3As3cret%2F%2B+%3D"),
    ];
    for (place, _) in places {
        let toml = format!("preset = 'token'\nverify.signature = '{place}'");
        let source = source(&toml, &["o:ld", TOKEN]).unwrap();
        for (from, sent) in places {
            let (target, headers) = match sent.split_once(": ") {
                Some((name, value)) => ("/webhooks/test".to_owned(), headers(&[(name, value)])),
                None => (format!("/webhooks/test{sent}"), HeaderMap::new()),
            };
            let judged = verify_at(&source, &target, &headers, BODY);
            assert_eq!(judged.is_ok(), place == from, "{place}: {sent}");
        }
        let sent = sign(&source, 1, BODY, "");
        let headers = map(&sent);
        assert!(
            verify_at(&source, &sent.target, &headers, BODY).is_ok(),
            "{place}"
        );
    }
}

#[test]
fn a_token_is_compared_as_a_whole() {
    let source = source("preset = 'token'", &["0123456789"]).unwrap();
    let say = |value: &str| headers(&[("authorization", value)]);
    for bad in [
        "012345678",
        "01234567890",
        "0123456780",
        "0123456789 0123456789",
    ] {
        refused(&source, &say(&format!("Bearer {bad}")), Refusal::Mismatch);
    }
    refused(&source, &say("Bearer "), Refusal::SignatureMalformed);
    refused(&source, &say("0123456789"), Refusal::SignatureMalformed);
    refused(&source, &HeaderMap::new(), Refusal::SignatureMissing);
    let with_word =
        "preset = 'token'\nverify.signature = 'header:x-auth'\nverify.prefix = 'Token '";
    let with_word = super::source(with_word, &["abc"]).unwrap();
    assert!(verify(&with_word, &headers(&[("x-auth", "Token abc")]), BODY).is_ok());
    refused(
        &with_word,
        &headers(&[("x-auth", "abc")]),
        Refusal::SignatureMalformed,
    );
}

#[test]
fn a_paths_token_goes_before_all_else_and_replaces_nothing() {
    let given = || Given {
        path_token: Some(Secret::fixed(b"0123456789abcdef")),
        ..Given::from(vec![Secret::fixed(b"s")])
    };
    let signs = source_with("preset = 'github'", given()).unwrap();
    let unsigned = Given {
        secrets: Vec::new(),
        ..given()
    };
    let unsigned = source_with("verify.algorithm = 'none'", unsigned).unwrap();
    let good = signed(&signs, BODY, "7");
    let judge = |source: &Source, path_token: Option<&str>, headers: &HeaderMap| {
        let received = Received {
            target: "/webhooks/test",
            path_token,
            headers,
            body: Bytes::from_static(BODY),
            now: NOW,
        };
        source.verify(&received).map(drop)
    };
    let right = Some("0123456789abcdef");
    assert_eq!(judge(&signs, right, &good), Ok(()));
    assert_eq!(judge(&unsigned, right, &HeaderMap::new()), Ok(()));
    assert_eq!(
        judge(&signs, right, &HeaderMap::new()),
        Err(Refusal::SignatureMissing)
    );
    for wrong in [
        None,
        Some(""),
        Some("0123456789abcde"),
        Some("0123456789abcdef0"),
        Some("0123456789ABCDEF"),
    ] {
        assert_eq!(
            judge(&signs, wrong, &good),
            Err(Refusal::PathToken),
            "{wrong:?}"
        );
        assert_eq!(
            judge(&unsigned, wrong, &good),
            Err(Refusal::PathToken),
            "{wrong:?}"
        );
    }
    assert!(
        sign(&signs, 0, BODY, "7")
            .target
            .ends_with("/webhooks/test/0123456789abcdef")
    );
}
