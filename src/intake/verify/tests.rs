//! Each rule of verification, by a claim.

mod follow;
mod places;

use super::super::Source;
use super::super::tests::{NOW, STANDARD_SECRET, headers, sign, signed, source, verify};
use super::*;
use crate::secret::Secret;

const BODY: &[u8] = b"{\"nps_score\":10}";

fn plain() -> Source {
    source("preset = 'hmac-sha256'", &["one", "two"]).unwrap()
}

fn standard() -> Source {
    source("preset = 'standard-webhooks'", &[STANDARD_SECRET]).unwrap()
}

#[track_caller]
fn refused(source: &Source, headers: &HeaderMap, expected: Refusal) {
    assert_eq!(verify(source, headers, BODY).unwrap_err(), expected);
}

fn with(headers: &HeaderMap, name: &'static str, value: &str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    headers
}

fn without(headers: &HeaderMap, name: &str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(name).unwrap();
    headers
}

fn again(headers: &HeaderMap, name: &'static str, value: &str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.append(name, HeaderValue::from_str(value).unwrap());
    headers
}

#[test]
fn any_secret_that_fits_any_item_will_do() {
    let source = plain();
    for secret in [0, 1] {
        let pairs = sign(&source, secret, BODY, "7").headers;
        let signature = &pairs
            .iter()
            .find(|(name, _)| name == "x-signature")
            .unwrap()
            .1;
        assert!(verify(&source, &headers(&[("x-signature", signature)]), BODY).is_ok());
        // Without the prefix too: the list's second.
        let bare = signature.strip_prefix("sha256=").unwrap();
        assert!(verify(&source, &headers(&[("x-signature", bare)]), BODY).is_ok());
    }
    let other = super::super::tests::source("preset = 'hmac-sha256'", &["three"]).unwrap();
    refused(&source, &signed(&other, BODY, "7"), Refusal::Mismatch);
}

#[test]
fn a_signature_header_sent_twice_is_two_items() {
    let source = plain();
    let good = signed(&source, BODY, "7");
    let value = good["x-signature"].to_str().unwrap().to_owned();
    let wrong = "0".repeat(64);
    let one = with(&good, "x-signature", &wrong);
    refused(&source, &one, Refusal::Mismatch);
    assert!(verify(&source, &again(&one, "x-signature", &value), BODY).is_ok());
    assert!(verify(&source, &again(&good, "x-signature", &wrong), BODY).is_ok());
}

#[test]
fn items_that_do_not_decode_are_skipped() {
    let source = standard();
    let good = signed(&source, BODY, "7");
    let value = good["webhook-signature"].to_str().unwrap();
    let (_, tag) = value.split_once(',').unwrap();
    let unpadded = value.trim_end_matches('=');
    let fine = [
        format!("v1,?? {value}"),
        format!("  {value}  v1a,{tag}"),
        format!("v1, v1 , {unpadded}"),
    ];
    for fine in &fine {
        let headers = with(&good, "webhook-signature", fine);
        assert!(verify(&source, &headers, BODY).is_ok(), "{fine}");
    }
    let cut: String = value.chars().take(20).collect();
    for bad in [tag, &format!("v2,{tag}"), "v1,", "", &cut] {
        let headers = with(&good, "webhook-signature", bad);
        refused(&source, &headers, Refusal::SignatureMalformed);
    }
    let binary = HeaderValue::from_bytes(b"v1,\xff").unwrap();
    let mut odd = good.clone();
    odd.insert("webhook-signature", binary);
    refused(&source, &odd, Refusal::SignatureMalformed);
}

#[test]
fn only_so_many_items_are_tried() {
    let source = standard();
    let good = signed(&source, BODY, "7");
    let value = good["webhook-signature"].to_str().unwrap();
    let late = "v1,x ".repeat(MAX_ITEMS) + value;
    refused(
        &source,
        &with(&good, "webhook-signature", &late),
        Refusal::SignatureMalformed,
    );
    let in_time = "v1,x ".repeat(MAX_ITEMS - 1) + value;
    assert!(verify(&source, &with(&good, "webhook-signature", &in_time), BODY).is_ok());
}

#[test]
fn what_is_missing_is_told_apart() {
    let source = standard();
    let good = signed(&source, BODY, "7");
    for (name, refusal) in [
        ("webhook-signature", Refusal::SignatureMissing),
        ("webhook-timestamp", Refusal::TimestampMissing),
        ("webhook-id", Refusal::IdMissing),
    ] {
        refused(&source, &without(&good, name), refusal);
    }
    refused(&source, &with(&good, "webhook-id", ""), Refusal::IdMissing);
    refused(
        &source,
        &with(&good, "webhook-timestamp", "soon"),
        Refusal::TimestampMalformed,
    );
}

#[test]
fn an_id_or_a_timestamp_sent_twice_is_refused() {
    let source = standard();
    let good = signed(&source, BODY, "7");
    for name in ["webhook-id", "webhook-timestamp"] {
        let value = good[name].to_str().unwrap().to_owned();
        refused(
            &source,
            &again(&good, name, &value),
            Refusal::HeaderRepeated,
        );
    }
    // An unsigned id as well: which one would be the key?
    let source = plain();
    let good = signed(&source, BODY, "7");
    refused(
        &source,
        &again(&good, "x-delivery-id", "8"),
        Refusal::HeaderRepeated,
    );
}

#[test]
fn the_received_text_of_the_timestamp_is_what_was_signed() {
    let source = standard();
    let good = signed(&source, BODY, "7");
    let seconds = good["webhook-timestamp"].to_str().unwrap();
    // The same moment in other digits is another text.
    let padded = with(&good, "webhook-timestamp", &format!("0{seconds}"));
    refused(&source, &padded, Refusal::Mismatch);
}

#[test]
fn only_an_authentic_message_is_called_old_or_new() {
    let source = standard();
    let good = signed(&source, BODY, "7");
    let at = |seconds: i64, headers: &HeaderMap| {
        let received = Received {
            target: "/webhooks/test",
            path_token: None,
            headers,
            body: Bytes::from_static(BODY),
            now: UnixMs(NOW.0 + seconds * 1000),
        };
        source.verify(&received).map(|_| ())
    };
    assert_eq!(at(300, &good), Ok(()));
    assert_eq!(at(-300, &good), Ok(()));
    assert_eq!(at(301, &good), Err(Refusal::TooOld));
    assert_eq!(at(-301, &good), Err(Refusal::TooNew));
    let forged = with(&good, "webhook-id", "8");
    assert_eq!(at(301, &forged), Err(Refusal::Mismatch));
}

#[test]
fn a_header_in_the_content_must_be_there_once() {
    let source = source(
        "preset = 'hmac-sha256'\nverify.content = '{body}{header:x-tenant}'",
        &["s"],
    )
    .unwrap();
    let good = signed(&source, BODY, "7");
    assert!(verify(&source, &good, BODY).is_ok());
    refused(&source, &without(&good, "x-tenant"), Refusal::HeaderMissing);
    refused(
        &source,
        &again(&good, "x-tenant", "x"),
        Refusal::HeaderRepeated,
    );
    refused(&source, &with(&good, "x-tenant", "x"), Refusal::Mismatch);
}

#[test]
fn a_rotated_secret_counts_from_the_next_message_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s"), "old").unwrap();
    let secret = Secret::load(crate::secret::Origin::File("s".into()), dir.path(), |_| {
        Ok(())
    });
    let config = "name = 'a'\npreset = 'hmac-sha256'\n\
                  fields.interaction_id = { path = '$.id', type = 'uuid', required = true }";
    let source = Source::build(&toml::from_str(config).unwrap(), vec![secret.unwrap()]).unwrap();
    let old = signed(&source, BODY, "7");
    std::fs::write(dir.path().join("s"), "new").unwrap();
    source.secrets().next().unwrap().reload().unwrap();
    refused(&source, &old, Refusal::Mismatch);
    assert!(verify(&source, &signed(&source, BODY, "7"), BODY).is_ok());
}

#[test]
fn reasons_are_labels_and_all_different() {
    let reasons: std::collections::BTreeSet<_> = Refusal::ALL
        .iter()
        .map(|refusal| refusal.reason())
        .collect();
    assert_eq!(reasons.len(), Refusal::ALL.len());
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    assert!(reasons.iter().all(|reason| reason.bytes().all(is_label)));
}
