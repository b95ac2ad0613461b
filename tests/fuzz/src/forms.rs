//! Forms, multipart bodies and compressed bodies: what is in them is found as others find it, within the limits.
//!
//! An input is one byte that chooses what it is, and a body.

use std::cell::OnceCell;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use serde_json::value::RawValue;
use wrapup::intake::{Codings, Payload, Reading, Received, Rejected, Source, Stamp};
use wrapup::survey::Value;

use super::sources::{self, MAX_BODY, NOW};

const FIELDS: &str = "
    [fields]
    interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
    score = { path = '$.score', type = 'number' }
    text = { path = '$.text', type = 'string' }";

/// Low, so that it is met often.
const MAX_INFLATED: usize = 4096;

struct Sources {
    json: Source,
    form: Source,
    in_form: Source,
    in_multipart: Source,
    signed: Source,
}

pub fn run(data: &[u8]) {
    thread_local! {
        static ALL: OnceCell<Sources> = const { OnceCell::new() };
    }
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    if body.len() > MAX_BODY {
        return;
    }
    ALL.with(|all| {
        let all = all.get_or_init(|| Sources {
            json: sources::unsigned(FIELDS),
            form: sources::unsigned(&format!("body = 'form'\n{FIELDS}")),
            in_form: sources::unsigned(&format!("body = 'form:survey'\n{FIELDS}")),
            in_multipart: sources::unsigned(&format!("body = 'multipart:survey'\n{FIELDS}")),
            signed: sources::source(
                &format!("preset = 'hmac-sha256'\n{FIELDS}"),
                Some("fuzz-only"),
            ),
        });
        match choice % 6 {
            0 => form(all, body),
            1 => drop(one(&all.in_form, body)),
            2 => drop(one(&all.in_multipart, body)),
            3 => enveloped(all, body),
            4 => inflated(&all.signed, body, body[..body.len().min(1)].iter().sum()),
            _ => deflated(&all.signed, body),
        }
    });
}

fn one(source: &Source, body: &[u8]) -> Reading {
    let mut readings = sources::read(source, body);
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

/// The form is what browsers' rules make of it, or refused.
fn form(all: &Sources, body: &[u8]) {
    let Reading::Survey { survey, .. } = one(&all.form, body) else {
        return;
    };
    let fields: Vec<_> = form_urlencoded::parse(body).collect();
    assert!(fields.len() <= 1000, "more fields than may be were taken");
    let mut texts = fields.iter().filter(|(name, _)| name == "text");
    let expected = match (texts.next(), texts.next()) {
        (Some((_, text)), None) => Value::String((&**text).into()),
        (None, _) => Value::Null,
        (Some(_), Some(_)) => panic!("of two fields one was taken"),
    };
    assert_eq!(survey.fields["text"], expected);
}

/// A survey in a field of a form says what it says by itself.
fn enveloped(all: &Sources, survey: &[u8]) {
    // What is no JSON may hold the boundary; and a blank at the end belongs to nobody.
    if serde_json::from_slice::<&RawValue>(survey).is_err() {
        return;
    }
    let expected = one(&all.json, survey);
    for source in [&all.in_form, &all.in_multipart] {
        let body = source.envelope(survey).body;
        assert!(
            says_the_same(&expected, &one(source, &body)),
            "{expected:?}"
        );
    }
}

fn says_the_same(one: &Reading, other: &Reading) -> bool {
    match (one, other) {
        (Reading::Survey { survey: one, .. }, Reading::Survey { survey: other, .. }) => {
            one.fields == other.fields
        }
        (
            Reading::Unreadable { problems: one, .. },
            Reading::Unreadable {
                problems: other, ..
            },
        ) => one == other,
        _ => false,
    }
}

fn codings(of: &'static str) -> (Codings, HeaderMap) {
    let headers = [(CONTENT_ENCODING, HeaderValue::from_static(of))];
    let headers: HeaderMap = headers.into_iter().collect();
    (Codings::of(&headers).expect("ours are taken"), headers)
}

/// Whatever is inflated, it is within the limit; and nobody has signed it.
fn inflated(source: &Source, body: &[u8], choice: u8) {
    let all = [
        "gzip",
        "deflate",
        "gzip, deflate",
        "deflate, gzip",
        "gzip, gzip",
    ];
    let (codings, headers) = codings(all[usize::from(choice) % all.len()]);
    if let Ok(body) = codings.undo(Bytes::copy_from_slice(body), MAX_INFLATED) {
        assert!(body.len() <= MAX_INFLATED, "{} bytes came out", body.len());
    }
    let received = Received {
        target: "/webhooks/fuzz",
        path_token: None,
        headers: &headers,
        body: Bytes::copy_from_slice(body),
        now: NOW,
    };
    assert!(
        source.take(received, &codings, MAX_INFLATED).is_err(),
        "nobody signed this"
    );
}

/// What is compressed is inflated to what it was, or is over the limit; what was signed is what is read.
fn deflated(source: &Source, body: &[u8]) {
    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::fast());
        to.write_all(body)
            .and_then(|()| to.finish())
            .expect("a Vec takes all")
    }
    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
        to.write_all(body)
            .and_then(|()| to.finish())
            .expect("a Vec takes all")
    }
    fn raw(body: &[u8]) -> Vec<u8> {
        let mut to = DeflateEncoder::new(Vec::new(), Compression::best());
        to.write_all(body)
            .and_then(|()| to.finish())
            .expect("a Vec takes all")
    }
    let stamp = Stamp {
        secret: 0,
        private_key: None,
        now: NOW,
        id: "1",
    };
    let signed = source
        .sign(&stamp, Payload::Body(body))
        .expect("everything is there");
    for (name, sent) in [
        ("gzip", gzip(body)),
        ("deflate", zlib(body)),
        ("deflate", raw(body)),
        ("deflate, gzip", gzip(&zlib(body))),
        ("gzip, deflate", raw(&gzip(body))),
    ] {
        let (codings, mut headers) = codings(name);
        for (name, value) in &signed.headers {
            headers.append(name, value.parse().expect("a header's value"));
        }
        let received = Received {
            target: &signed.target,
            path_token: None,
            headers: &headers,
            body: Bytes::from(sent),
            now: NOW,
        };
        match source.take(received, &codings, MAX_INFLATED) {
            Ok(readings) => {
                let [Reading::Survey { body: kept, .. } | Reading::Unreadable { body: kept, .. }] =
                    &*readings
                else {
                    panic!("one body, {} readings", readings.len());
                };
                assert_eq!(kept, body, "{name}");
            }
            Err(refused) => {
                assert_eq!(refused, Rejected::TooLarge, "{name}");
                // What is around the body in between may be longer than it.
                assert!(
                    body.len() + 64 > MAX_INFLATED,
                    "{} bytes are not over the limit",
                    body.len()
                );
            }
        }
    }
}
