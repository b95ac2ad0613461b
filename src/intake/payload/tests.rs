//! What is taken for JSON, and what is said of the rest.

use std::cell::OnceCell;

use serde_json::json;

use super::super::find::Document;
use super::super::need::Needs;
use super::*;

/// All of the body.
fn read(kind: &Kind, body: &[u8]) -> Result<Value, Fault> {
    let body = Bytes::copy_from_slice(body);
    let text = text(kind, &body)?;
    let mut needs = Needs::default();
    let slot = needs.add(&[], true);
    let mended = OnceCell::new();
    let document = Document::read(&text, &needs, &mended)?;
    Ok(document.tree(slot).unwrap().clone())
}

fn parse(body: &[u8]) -> Result<Value, Fault> {
    read(&Kind::Json, body)
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn depth_128_is_read_and_129_is_not() {
    assert!(parse(nested(128).as_bytes()).is_ok());
    assert_eq!(parse(nested(129).as_bytes()), Err(Fault::TooDeep));
    let mixed = "{\"a\":[".repeat(64) + &"]}".repeat(64);
    assert!(parse(mixed.as_bytes()).is_ok());
    assert_eq!(parse(format!("[{mixed}]").as_bytes()), Err(Fault::TooDeep));
    assert_eq!(parse(&vec![b'['; 1_000_000]), Err(Fault::TooDeep));
}

#[test]
fn brackets_in_strings_and_beside_each_other_are_no_depth() {
    let text = json!({"[[".repeat(200): "\\\"[{".repeat(200), "a": "\\"}).to_string();
    assert!(parse(text.as_bytes()).is_ok());
    let wide = format!("[{}]", vec!["[]"; 1000].join(","));
    assert!(parse(wide.as_bytes()).is_ok());
    assert_eq!(
        parse(format!("[\"\\\\\",{}]", nested(128)).as_bytes()),
        Err(Fault::TooDeep)
    );
}

#[test]
fn a_byte_order_mark_is_skipped_and_garbage_is_told_without_repeating_it() {
    assert_eq!(parse(b"\xef\xbb\xbf{}"), Ok(json!({})));
    assert_eq!(parse(b"[\"ab\xff\"]"), Err(Fault::Encoding(4)));
    for bad in [
        "",
        "  ",
        "{} x",
        "{}{}",
        "{canary}",
        "[1,]",
        "\"canary",
        "canary",
        "'canary'",
        "nan",
        "]",
        "{\"canary\" 1}",
    ] {
        let Err(Fault::Syntax(message)) = parse(bad.as_bytes()) else {
            panic!("{bad} was read");
        };
        assert!(!message.contains("canary"), "{message}");
        assert!(message.contains("line 1"), "{message}");
    }
}

#[test]
fn kinds_are_written_in_words() {
    let field = |name: &str| Box::from(name);
    for (text, kind) in [
        ("json", Kind::Json),
        ("form", Kind::Form),
        ("form:MSG", Kind::FormField(field("MSG"))),
        (
            "multipart:raw:Request",
            Kind::MultipartField(field("raw:Request")),
        ),
    ] {
        assert_eq!(Kind::parse(text), Ok(kind));
    }
    for bad in [
        "",
        "JSON",
        "form:",
        "multipart",
        "multipart:",
        "xml",
        "json:x",
    ] {
        let problem = Kind::parse(bad).unwrap_err();
        assert!(problem.contains("set `json`, `form`,"), "{problem}");
    }
}

#[test]
fn a_form_is_an_object_of_texts_and_repeated_fields_are_arrays() {
    let form = |body: &str| read(&Kind::Form, body.as_bytes());
    let expected = json!({"a": "1 2", "q": ["x", "", "z"], "é": "\"", "": "e"});
    assert_eq!(form("a=1+2&q=x&q&q=z&%C3%A9=%22&=e"), Ok(expected));
    assert_eq!(form(""), Ok(json!({})));
    assert_eq!(form("a=[1"), Ok(json!({"a": "[1"})));
    assert_eq!(form("a=%ff"), Err(Fault::Encoding(0)));
    assert_eq!(form("%ff=a"), Err(Fault::Encoding(0)));
    assert_eq!(form("a=%4"), Err(form::Fault::Escape(2).into()));
    let many = vec!["a=1"; 2000].join("&");
    assert_eq!(form(&many), Err(form::Fault::TooManyFields.into()));
}

#[test]
fn json_in_a_field_is_read_as_a_body_of_its_own() {
    let kind = Kind::parse("form:MSG").unwrap();
    let field = |body: &str| read(&kind, body.as_bytes());
    assert_eq!(
        field("HMAC=00&MSG=%EF%BB%BF%7B%22a%22%3A+1%7D"),
        Ok(json!({"a": 1}))
    );
    assert_eq!(field("HMAC=00"), Err(Fault::NoField));
    assert_eq!(field("MSG=1&MSG=1"), Err(Fault::SeveralFields));
    assert_eq!(field("MSG=%ff"), Err(Fault::Encoding(0)));
    assert_eq!(field(&format!("MSG={}", nested(129))), Err(Fault::TooDeep));
    assert!(matches!(field("MSG=x"), Err(Fault::Syntax(_))));

    let kind = Kind::parse("multipart:rawRequest").unwrap();
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let field = |parts: &[String]| read(&kind, (parts.concat() + "--b--\r\n").as_bytes());
    let raw = part("rawRequest", "{\"a\": 1}");
    assert_eq!(
        field(&[part("formID", "1"), raw.clone()]),
        Ok(json!({"a": 1}))
    );
    assert_eq!(field(&[part("formID", "1")]), Err(Fault::NoField));
    assert_eq!(field(&[raw.clone(), raw]), Err(Fault::SeveralFields));
    assert_eq!(read(&kind, b"{}"), Err(multipart::Fault::Boundary.into()));
}
