//! An authentic body as JSON.
//!
//! The depth is counted before anything recursive runs, so that no body can exhaust the stack. A byte order mark at
//! the beginning is skipped: RFC 8259 lets a reader do so.

use serde::de::DeserializeSeed;
use serde_json::Value;

use super::need::Need;

/// Arrays and objects inside each other, the outermost included.
const MAX_DEPTH: usize = 128;

/// Why a body is not JSON that we read. Never holds a piece of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("not UTF-8 at byte {0}")]
    Encoding(usize),
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("not JSON: {0}")]
    Syntax(String),
}

/// The parts of the body that are needed. All of it must be JSON.
pub(super) fn parse(body: &[u8], need: &Need) -> Result<Value, Malformed> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = str::from_utf8(body).map_err(|cause| Malformed::Encoding(cause.valid_up_to()))?;
    if is_deeper_than(text.as_bytes(), MAX_DEPTH) {
        return Err(Malformed::TooDeep);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.disable_recursion_limit();
    let value = need.deserialize(&mut json);
    value
        .and_then(|value| json.end().map(|()| value))
        // Its words for a syntax error are fixed texts with line and column.
        .map_err(|cause| Malformed::Syntax(cause.to_string()))
}

/// Counts brackets outside of strings. Wrong for what is not JSON, but never too low for what is read of it: up to
/// its first mistake a text is JSON.
fn is_deeper_than(text: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                // To the end of the string; an escaped character is no end.
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::path::Path;
    use super::*;

    /// All of it.
    fn parse(body: &[u8]) -> Result<Value, Malformed> {
        super::parse(body, &Need::of([&Path::parse("$").unwrap()]))
    }

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn depth_128_is_read_and_129_is_not() {
        assert!(parse(nested(128).as_bytes()).is_ok());
        assert_eq!(parse(nested(129).as_bytes()), Err(Malformed::TooDeep));
        let mixed = "{\"a\":[".repeat(64) + &"]}".repeat(64);
        assert!(parse(mixed.as_bytes()).is_ok());
        assert_eq!(
            parse(format!("[{mixed}]").as_bytes()),
            Err(Malformed::TooDeep)
        );
        assert_eq!(parse(&vec![b'['; 1_000_000]), Err(Malformed::TooDeep));
    }

    #[test]
    fn brackets_in_strings_and_beside_each_other_are_no_depth() {
        let text = json!({"[[".repeat(200): "\\\"[{".repeat(200), "a": "\\"}).to_string();
        assert!(parse(text.as_bytes()).is_ok());
        let wide = format!("[{}]", vec!["[]"; 1000].join(","));
        assert!(parse(wide.as_bytes()).is_ok());
        assert_eq!(
            parse(format!("[\"\\\\\",{}]", nested(128)).as_bytes()),
            Err(Malformed::TooDeep)
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_garbage_is_told_without_repeating_it() {
        assert_eq!(parse(b"\xef\xbb\xbf{}"), Ok(json!({})));
        assert_eq!(parse(b"[\"ab\xff\"]"), Err(Malformed::Encoding(4)));
        for bad in [
            "",
            "  ",
            "{} x",
            "{}{}",
            "{canary}",
            "[1,]",
            "\"canary",
            "canary",
            "\"\\ud800\"",
            "'canary'",
            "nan",
            "]",
            "{\"canary\" 1}",
        ] {
            let Err(Malformed::Syntax(message)) = parse(bad.as_bytes()) else {
                panic!("{bad} was read");
            };
            assert!(!message.contains("canary"), "{message}");
            assert!(message.contains("line 1"), "{message}");
        }
    }
}
