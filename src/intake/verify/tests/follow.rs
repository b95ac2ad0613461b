//! The rules that follow from how senders sign, one by one.

use super::super::super::tests::{map, source_with, verify_at};
use super::super::super::{Given, Payload, Stamp};
use super::*;

const STANDARD: &str = "preset = 'standard-webhooks'";

#[test]
fn raw_bytes_are_signed_never_what_they_say() {
    let source = source("preset = 'typeform'", &["s"]).unwrap();
    let odd = b" {\"b\" : 1.0,\t\"a\":\"\\u00e9\" , \"b\":2 }\r\n";
    let good = signed(&source, odd, "");
    assert!(verify(&source, &good, odd).is_ok());
    // The same to whoever reads JSON and writes it again.
    for same in ["{\"a\":\"\u{e9}\",\"b\":2}", "{\"b\":2,\"a\":\"\\u00e9\"}"] {
        let told = verify(&source, &good, same.as_bytes()).unwrap_err();
        assert_eq!(told, Refusal::Mismatch);
    }
    // Nor need they be JSON, or text, to be authentic.
    let binary = [0, 0xff, b'\n'];
    assert!(verify(&source, &signed(&source, &binary, ""), &binary).is_ok());
}

#[test]
fn any_pair_of_secret_and_item_passes() {
    let secrets = ["b25l", "dHdv", "dGhyZWU"];
    let receiver = source(STANDARD, &secrets).unwrap();
    let stranger = source(STANDARD, &["c3RyYW5nZXI="]).unwrap();
    let item = |source: &Source| {
        let headers = signed(source, BODY, "7");
        headers["webhook-signature"].to_str().unwrap().to_owned()
    };
    let headers = signed(&stranger, BODY, "7");
    let wrong = item(&stranger);
    for secret in secrets {
        let right = item(&source(STANDARD, &[secret]).unwrap());
        let forged = right.replacen(',', ",A", 1);
        for place in 0..4 {
            let mut items = vec![&*wrong, "v1,no base64", &*forged];
            items.insert(place, &right);
            let several = with(&headers, "webhook-signature", &items.join(" "));
            assert!(
                verify(&receiver, &several, BODY).is_ok(),
                "{secret} at {place}"
            );
            items.remove(place);
            let none = with(&headers, "webhook-signature", &items.join(" "));
            refused(&receiver, &none, Refusal::Mismatch);
        }
    }
}

#[test]
fn ed25519_takes_any_item_and_any_key_too() {
    let keys = [[7; 32], [8; 32]].map(|seed| {
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        (hex::encode(seed), hex::encode(public.to_bytes()))
    });
    let toml = "preset = 'standard-webhooks-v1a'\nverify.secret_encoding = 'hex'";
    let receiver = source(toml, &[&keys[0].1, &keys[1].1]).unwrap();
    let mut items = Vec::new();
    let mut headers = HeaderMap::new();
    for (secret, (private, _)) in keys.iter().enumerate() {
        let stamp = Stamp {
            secret,
            private_key: Some(private),
            now: NOW,
            id: "7",
        };
        headers = map(&receiver.sign(&stamp, Payload::Body(BODY)).unwrap());
        assert!(verify(&receiver, &headers, BODY).is_ok());
        items.push(headers["webhook-signature"].to_str().unwrap().to_owned());
    }
    let both = with(
        &headers,
        "webhook-signature",
        &format!("v1a,AA v1,{} {}", "A".repeat(86), items.join(" ")),
    );
    assert!(verify(&receiver, &both, BODY).is_ok());
    assert_eq!(
        verify(&receiver, &both, b"{}").unwrap_err(),
        Refusal::Mismatch
    );
    let another = source(toml, &[&keys[1].1]).unwrap();
    refused(
        &another,
        &with(&headers, "webhook-signature", &items[0]),
        Refusal::Mismatch,
    );
}

#[test]
fn the_url_is_that_of_the_configuration_with_path_and_query_as_they_came() {
    let source = source("preset = 'hubspot-v3'", &["s"]).unwrap();
    let good = signed(&source, BODY, "");
    let judge =
        |target: &str, headers: &HeaderMap| verify_at(&source, target, headers, BODY).map(drop);
    assert_eq!(judge("/webhooks/test", &good), Ok(()));
    // Whatever a client says of the host.
    let elsewhere = with(
        &with(&good, "host", "evil.example"),
        "x-forwarded-host",
        "evil.example",
    );
    assert_eq!(judge("/webhooks/test", &elsewhere), Ok(()));
    for target in [
        "/webhooks/test?a=1",
        "/webhooks/test/",
        "/webhooks/other",
        "",
    ] {
        assert_eq!(judge(target, &good), Err(Refusal::Mismatch), "{target}");
    }
    let of_another_host = source_with(
        "preset = 'hubspot-v3'",
        Given {
            public_url: Some("https://evil.example".to_owned()),
            ..Given::from(vec![Secret::fixed(b"s")])
        },
    );
    assert_eq!(
        judge(
            "/webhooks/test",
            &signed(&of_another_host.unwrap(), BODY, "")
        ),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn a_secret_may_be_the_vendors_composite() {
    let composite = source("preset = 'surveymonkey'", &["CLIENT_ID&CLIENT_SECRET"]).unwrap();
    let good = signed(&composite, BODY, "");
    // HMAC-SHA1 with that key, by another program.
    assert_eq!(good["sm-signature"], "VUnE31Hk3OeEupJQfevV9OLhGtY=");
    assert!(verify(&composite, &good, BODY).is_ok());
    for part in [
        "CLIENT_ID",
        "CLIENT_SECRET",
        "CLIENT_ID&",
        "CLIENT_SECRET&CLIENT_ID",
    ] {
        refused(
            &source("preset = 'surveymonkey'", &[part]).unwrap(),
            &good,
            Refusal::Mismatch,
        );
    }
}

#[test]
fn the_keys_of_a_digest_hold_nothing_of_the_secret() {
    let keys = |secret: &str, header: &str| {
        let toml =
            format!("preset = 'surveysparrow'\nverify.content = '{{secret}}{header}{{body}}'");
        let source = source(&toml, &[secret]).unwrap();
        let verified = verify(&source, &signed(&source, BODY, "7"), BODY).unwrap();
        verified.identity().clone()
    };
    let of_body = Identity::Content {
        digest: dedup::digest([BODY]),
        id: Some(b"7".as_slice().into()),
    };
    assert_eq!(keys("one", ""), of_body);
    // The secret was changed, and the survey came again.
    assert_eq!(keys("two", ""), of_body);
    assert_ne!(keys("one", "{header:date}"), of_body);
}

#[test]
fn tokens_and_unsigned_messages_are_known_by_their_raw_body() {
    let unsigned = "verify.algorithm = 'none'\nverify.i_know_this_is_unsigned = true";
    let by_hash = Identity::Content {
        digest: dedup::digest([BODY]),
        id: None,
    };
    for (toml, secrets) in [("preset = 'token'", &["t"][..]), (unsigned, &[])] {
        let source = source(toml, secrets).unwrap();
        let headers = if secrets.is_empty() {
            HeaderMap::new()
        } else {
            headers(&[("authorization", "Bearer t")])
        };
        assert_eq!(
            *verify(&source, &headers, BODY).unwrap().identity(),
            by_hash
        );
    }
    // An id in a header is not signed by a token.
    let with_id = source("preset = 'token'\nverify.id = 'header:x-id'", &["t"]).unwrap();
    let sent = headers(&[("authorization", "Bearer t"), ("x-id", "7")]);
    let identity = verify(&with_id, &sent, BODY).unwrap().identity().clone();
    assert!(
        matches!(identity, Identity::Content { id: Some(_), .. }),
        "{identity:?}"
    );
}
