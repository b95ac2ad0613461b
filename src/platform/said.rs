//! What the platform says in the body of a refusal, made fit for a log, a story and a screen.
//!
//! Only the fields that explain are taken; the rest of a body is nobody's business here.

use serde_json::Value;

/// Longer texts are cut: this is an explanation in one line, not a document.
const MAX_CHARS: usize = 300;
const FIELDS: [&str; 4] = ["message", "error_description", "code", "error"];

/// `message (code)`, on one line; empty where the body explains nothing. A text that repeats `secret` is hidden.
pub(super) fn explanation(body: &[u8], secret: &str) -> String {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return String::new();
    };
    let mut parts = FIELDS
        .iter()
        .filter_map(|field| body.get(*field)?.as_str())
        .map(one_line)
        .filter(|text| !text.is_empty());
    let Some(first) = parts.next() else {
        return String::new();
    };
    let rest: Vec<String> = parts.filter(|part| *part != first).collect();
    let text = if rest.is_empty() {
        first
    } else {
        format!("{first} ({})", rest.join(", "))
    };
    if !secret.is_empty() && text.contains(secret) {
        return "[the platform's text repeats a secret]".to_owned();
    }
    text.chars().take(MAX_CHARS).collect()
}

fn one_line(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(explanation(body.as_bytes(), "s3cret"), expected);
    }

    #[test]
    fn only_what_explains_is_taken() {
        check(
            r#"{"message":"no such code","code":"bad.request","who":"x"}"#,
            "no such code (bad.request)",
        );
        check(
            r#"{"error":"invalid_client","error_description":"bad key"}"#,
            "bad key (invalid_client)",
        );
        check(r#"{"message":{"a":1},"code":17}"#, "");
        check("<html>oops</html>", "");
        check("", "");
    }

    #[test]
    fn it_is_one_short_line_without_secrets() {
        check("{\"message\":\"a\\n\\u001b[31mb\\u0000\"}", "a[31mb");
        check(
            r#"{"message":"token s3cret is bad"}"#,
            "[the platform's text repeats a secret]",
        );
        let long = format!(r#"{{"message":"{}"}}"#, "ü".repeat(1000));
        assert_eq!(explanation(long.as_bytes(), "").chars().count(), 300);
    }
}
