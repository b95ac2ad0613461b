//! What is sealed can be read again.

use super::super::tests::source;
use super::*;
use crate::clock::UnixMs;
use crate::intake::Reading;

const SURVEY: &str =
    r#"{"interactionId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","answer":"a+b & c=\"ü\""}"#;

const FIELDS: &str = "
[fields]
interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
answer = { path = '$.answer', type = 'string' }
";

#[test]
fn a_survey_is_read_again_from_every_kind_of_body() {
    for (kind, content_type) in [
        ("json", "application/json"),
        ("form", "application/x-www-form-urlencoded"),
        ("form:payload", "application/x-www-form-urlencoded"),
        ("multipart:rawRequest", "multipart/form-data; boundary="),
    ] {
        let toml = format!("preset = 'github'\nbody = '{kind}'\n{FIELDS}");
        let source = source(&toml, &["s"]).unwrap();
        let sent = source.envelope(SURVEY.as_bytes());
        assert!(sent.content_type.starts_with(content_type), "{kind}");
        assert!(source.takes(Some(&sent.content_type)), "{kind}");
        let readings = source.read_kept(&sent.body.into(), UnixMs(0));
        let [Reading::Survey { survey, .. }] = &readings[..] else {
            panic!("{kind}: {readings:?}");
        };
        let fields = serde_json::to_value(&survey.fields).unwrap();
        assert_eq!(fields["answer"], "a+b & c=\"ü\"", "{kind}");
    }
}

#[test]
fn a_body_that_is_given_whole_is_sent_as_it_is() {
    for (kind, body) in [
        ("json", "{}"),
        ("form", "a=1&b=%20"),
        ("form:payload", "payload=%7B%7D&x"),
        ("multipart:raw", "--abc\r\n\r\n--abc--\r\n"),
    ] {
        let source = source(&format!("preset = 'github'\nbody = '{kind}'"), &["s"]).unwrap();
        let sent = source.fill(Payload::Body(body.as_bytes()), &[]);
        assert_eq!(sent.body, body.as_bytes());
        assert!(source.takes(Some(&sent.content_type)), "{kind}");
        if kind.starts_with("multipart") {
            assert_eq!(sent.content_type, "multipart/form-data; boundary=abc");
        }
    }
}

#[test]
fn a_source_that_takes_another_type_is_sent_that() {
    let text = "preset = 'github'\ncontent_types = ['+json', 'text/plain']";
    let sent = source(text, &["s"]).unwrap().envelope(b"{}");
    assert_eq!(sent.content_type, "text/plain");
}
