//! What one survey costs before it is decided and stored: `cargo bench --bench intake`.
//!
//! A body of 1 KiB with the four shipped fields; verify and read together should stay under 10 µs.

use bytes::Bytes;
use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue};
use wrapup::clock::UnixMs;
use wrapup::intake::{Payload, Received, Source, Stamp};
use wrapup::secret::Secret;

const NOW: UnixMs = UnixMs(1_769_851_800_000);
const PRESETS: [&str; 2] = ["hmac-sha256", "standard-webhooks"];

fn main() {
    divan::main();
}

fn source(preset: &str) -> Source {
    let config = format!(
        "name = 'bench'\npreset = '{preset}'\n[fields]\n\
         interaction_id = {{ path = '$.interactionId', type = 'uuid', required = true }}\n\
         csat_score = {{ path = '$.csat_score', type = 'number', default = 0 }}\n\
         nps_score = {{ path = '$.nps_score', type = 'number', default = 0 }}\n\
         issue_type = {{ path = '$.issue_type', type = 'string', default = '', case = 'upper' }}\n"
    );
    let config = toml::from_str(&config).expect("the bench's own configuration");
    Source::build(&config, vec![Secret::fixed(b"c2VjcmV0IG9mIGJlbmNoZXM=")])
        .expect("the bench's own configuration")
}

fn body() -> Bytes {
    let head = concat!(
        r#"{"interactionId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","csat_score":5,"nps_score":10,"#,
        r#""issue_type":"billing","answers":["#
    );
    let mut text = head.to_owned();
    while text.len() < 950 {
        text.push_str(r#"{"ref":"q","type":"text","text":"It was fine."},"#);
    }
    text.push_str(r#"{"ref":"end"}]}"#);
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
    let (source, body) = (source(preset), body());
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
    let (source, body) = (source(preset), body());
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
        black_box(source.read(&verified.expect("signed above")))
    });
}
