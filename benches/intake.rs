//! What one survey costs before it is decided and stored: `cargo bench --bench intake`.
//!
//! A body of 1 KiB with four fields: the shipped ones, found by names, or a form's answers, found by filters. Verify
//! and read together should stay under 10 µs.

use bytes::Bytes;
use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue};
use wrapup::clock::UnixMs;
use wrapup::intake::{Codings, Payload, Reading, Received, Source, Stamp};
use wrapup::secret::Secret;

const NOW: UnixMs = UnixMs(1_769_851_800_000);
const PRESETS: [&str; 3] = ["hmac-sha256", "standard-webhooks", TYPEFORM];
/// Its scores stand in an array, each beside the reference of its question.
const TYPEFORM: &str = "typeform";

const SHIPPED_FIELDS: &str = "
interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
csat_score = { path = '$.csat_score', type = 'number', default = 0 }
nps_score = { path = '$.nps_score', type = 'number', default = 0 }
issue_type = { path = '$.issue_type', type = 'string', default = '', case = 'upper' }
";
const TYPEFORM_FIELDS: &str = "
interaction_id = { path = '$.form_response.hidden.interaction', type = 'uuid', required = true }
csat_score = { path = \"$.form_response.answers[?@.field.ref=='csat'].number\", type = 'number', required = true }
nps_score = { path = \"$.form_response.answers[?@.field.ref=='nps'].number\", type = 'number', required = true }
issue_type = { path = \"$.form_response.answers[?@.field.ref=='topic'].text\", type = 'string', required = true }
";

fn main() {
    divan::main();
}

fn source(preset: &str) -> Source {
    let fields = if preset == TYPEFORM {
        TYPEFORM_FIELDS
    } else {
        SHIPPED_FIELDS
    };
    let config = format!("name = 'bench'\npreset = '{preset}'\n[fields]\n{fields}");
    let config = toml::from_str(&config).expect("the bench's own configuration");
    Source::build(&config, vec![Secret::fixed(b"c2VjcmV0IG9mIGJlbmNoZXM=")])
        .expect("the bench's own configuration")
}

fn body(preset: &str) -> Bytes {
    let (head, tail) = if preset == TYPEFORM {
        (
            concat!(
                r#"{"event_id":"01J8","event_type":"form_response","form_response":{"form_id":"lT4Z3j","hidden":"#,
                r#"{"interaction":"a1b2c3d4-e5f6-7890-abcd-ef1234567890"},"answers":["#,
                r#"{"type":"number","number":5,"field":{"id":"a","ref":"csat","type":"opinion_scale"}},"#,
                r#"{"type":"number","number":10,"field":{"id":"b","ref":"nps","type":"nps"}},"#,
                r#"{"type":"text","text":"billing","field":{"id":"c","ref":"topic","type":"short_text"}},"#,
            ),
            r#"{"field":{"ref":"end"}}]}}"#,
        )
    } else {
        (
            concat!(
                r#"{"interactionId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","csat_score":5,"nps_score":10,"#,
                r#""issue_type":"billing","answers":["#
            ),
            r#"{"ref":"end"}]}"#,
        )
    };
    let more = if preset == TYPEFORM {
        r#"{"type":"text","text":"It was fine.","field":{"ref":"q","type":"text"}},"#
    } else {
        r#"{"ref":"q","type":"text","text":"It was fine."},"#
    };
    let mut text = head.to_owned();
    while text.len() < 950 {
        text.push_str(more);
    }
    text.push_str(tail);
    text.into()
}

fn headers(source: &Source, body: &[u8]) -> HeaderMap {
    let stamp = Stamp {
        secret: 0,
        private_key: None,
        now: NOW,
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    };
    let signed = source
        .sign(&stamp, Payload::Body(body))
        .expect("one secret");
    let values = signed.headers.into_iter().map(|(name, value)| {
        (
            name,
            HeaderValue::from_str(&value).expect("signatures are visible ASCII"),
        )
    });
    values.collect()
}

#[divan::bench(args = PRESETS)]
fn verify(bencher: Bencher<'_, '_>, preset: &str) {
    let (source, body) = (source(preset), body(preset));
    let headers = headers(&source, &body);
    bencher.bench(|| {
        let body = body.clone();
        black_box(source.verify(&Received {
            target: "/webhooks/bench",
            path_token: None,
            headers: &headers,
            body,
            now: NOW,
        }))
    });
}

#[divan::bench(args = PRESETS)]
fn verify_and_read(bencher: Bencher<'_, '_>, preset: &str) {
    let (source, body) = (source(preset), body(preset));
    let headers = headers(&source, &body);
    bencher.bench(|| {
        let body = body.clone();
        let verified = source.verify(&Received {
            target: "/webhooks/bench",
            path_token: None,
            headers: &headers,
            body,
            now: NOW,
        });
        let mut readings = source.read(&verified.expect("signed above"));
        let reading = readings.pop();
        assert!(
            matches!(reading, Some(Reading::Survey { .. })),
            "{reading:?}"
        );
        black_box(reading)
    });
}

/// What a body may cost before anything is known of its sender: 256 KiB of blocks that hold nothing, each with its own
/// table of codes.
#[divan::bench]
fn inflate_nothing(bencher: Bencher<'_, '_>) {
    let source = source("hmac-sha256");
    let mut headers = HeaderMap::new();
    headers.insert(
        http::header::CONTENT_ENCODING,
        HeaderValue::from_static("deflate"),
    );
    let codings = Codings::of(&headers).expect("deflate is taken");
    // Not the last block, Huffman codes of its own: the codes of two literals, and the end of the block.
    let mut bits = String::new();
    while bits.len() < 8 * 256 * 1024 {
        bits += concat!("0", "01", "00000", "00000", "0111");
        bits += concat!(
            "000", "000", "100", "000", "000", "000", "000", "000", "000", "000"
        );
        bits += concat!("000", "000", "000", "000", "000", "000", "000", "100");
        bits += concat!("1", "1111111", "1", "0101011", "0", "0", "0", "1");
    }
    let bytes = bits.as_bytes().chunks(8).map(|byte| {
        byte.iter()
            .rev()
            .fold(0, |byte, &bit| byte << 1 | u8::from(bit == b'1'))
    });
    let body: Bytes = bytes.collect();
    bencher.bench(|| {
        let received = Received {
            target: "/webhooks/bench",
            path_token: None,
            headers: &headers,
            body: body.clone(),
            now: NOW,
        };
        black_box(source.take(received, &codings, 256 * 1024))
    });
}
