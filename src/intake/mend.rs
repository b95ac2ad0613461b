//! JSON that is right by its grammar and still cannot be read: numbers beyond every float, and halves of surrogate
//! pairs.
//!
//! Neither is worth a survey: the number is the trouble of the field that is mapped to it, and a comment whose last
//! emoji was cut in two (JavaScript counts in halves) is a comment all the same. Only looked at where reading failed.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The text with such numbers as strings and such halves as U+FFFD; `None`: it is no JSON, or nothing is to be mended.
pub(super) fn mend(text: &str) -> Option<String> {
    // First, so that nothing that is no JSON becomes JSON here. It looks neither at the size of numbers nor at pairs.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut mended = String::with_capacity(text.len());
    let mut changed = false;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, token) = rest.split_at(at);
        mended.push_str(before);
        let (new, tail) = if token.starts_with('"') {
            string(token)
        } else {
            number(token)
        };
        changed |= matches!(new, Cow::Owned(_));
        mended.push_str(&new);
        rest = tail;
    }
    mended.push_str(rest);
    changed.then_some(mended)
}

/// The number at the beginning, and what follows it.
fn number(text: &str) -> (Cow<'_, str>, &str) {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (number, tail) = text.split_at(end);
    let is_finite = number.parse().is_ok_and(f64::is_finite);
    if is_finite {
        (Cow::Borrowed(number), tail)
    } else {
        (Cow::Owned(format!("\"{number}\"")), tail)
    }
}

/// The string at the beginning, with its quotes, and what follows it.
fn string(text: &str) -> (Cow<'_, str>, &str) {
    let mut end = text.len();
    let mut halves = Vec::new();
    let mut escaped = false;
    // Where an escape of the first half of a pair ended, and where it began.
    let mut open: Option<(usize, usize)> = None;
    for (at, letter) in text.char_indices().skip(1) {
        if std::mem::take(&mut escaped) {
            let begin = at - 1;
            let half = (letter == 'u').then(|| code_unit(text, at + 1)).flatten();
            match half {
                Some(0xDC00..=0xDFFF) => match open.take() {
                    Some((ended, _)) if ended == begin => {}
                    other => {
                        halves.extend(other.map(|(_, begun)| begun));
                        halves.push(begin);
                    }
                },
                Some(0xD800..=0xDBFF) => {
                    halves.extend(open.replace((at + 5, begin)).map(|(_, begun)| begun));
                }
                _ => {}
            }
        } else if letter == '\\' {
            escaped = true;
        } else if letter == '"' {
            end = at + 1;
            break;
        }
    }
    halves.extend(open.map(|(_, begun)| begun));
    let (string, tail) = text.split_at(end);
    if halves.is_empty() {
        return (Cow::Borrowed(string), tail);
    }
    let mut mended = String::with_capacity(string.len());
    let mut done = 0;
    for begin in halves {
        mended.push_str(string.get(done..begin).unwrap_or_default());
        mended.push_str("\\ufffd");
        done = begin + "\\uXXXX".len();
    }
    mended.push_str(string.get(done..).unwrap_or_default());
    (Cow::Owned(mended), tail)
}

/// Four hexadecimal digits.
fn code_unit(text: &str, at: usize) -> Option<u16> {
    u16::from_str_radix(text.get(at..at + 4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&Value>) {
        let mended = mend(text).map(|text| serde_json::from_str::<Value>(&text).unwrap());
        assert_eq!(mended.as_ref(), expected, "{text}");
    }

    #[test]
    fn numbers_beyond_floats_become_texts_and_others_stay() {
        check(
            "[1e999, -1E+400, 1e3]",
            Some(&json!(["1e999", "-1E+400", 1e3])),
        );
        check(
            "{\"1e999\": {\"a\":1e999}}",
            Some(&json!({"1e999": {"a": "1e999"}})),
        );
        check(
            "[\"1e999\", \"\\\"1e999\", 1e-999, 123456789012345678901234567890]",
            None,
        );
    }

    #[test]
    fn halves_of_pairs_become_the_replacement_and_pairs_stay() {
        check(r#"["a\ud83d"]"#, Some(&json!(["a\u{fffd}"])));
        check(
            r#"["\ud83d\ud83d\ude00\ude00"]"#,
            Some(&json!(["\u{fffd}😀\u{fffd}"])),
        );
        check(
            r#"{"\udc00k": "\ud83d \ude00"}"#,
            Some(&json!({"\u{fffd}k": "\u{fffd} \u{fffd}"})),
        );
        check(
            r#"["\ud83d\u0041\ude00"]"#,
            Some(&json!(["\u{fffd}A\u{fffd}"])),
        );
        check(r#"["\ud83d\ude00", "\\ud83d", "\u00e9"]"#, None);
    }

    #[test]
    fn what_is_no_json_does_not_become_any() {
        for bad in [
            "{1e999: 1}",
            "[01e999]",
            "[1e999",
            "[\"\\ud83d]",
            "1e999 1",
            "[\"\\ud8\"]",
            "",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_json_can_be_read_then(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just(r"\ud83d"), Just(r"\ude00"), Just(r"\\"), Just("é"), Just("u"), Just(r#"\""#), Just("d83d"),
                ],
                0..12,
            ),
            number in "-?[1-9][0-9]{0,3}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?",
        ) {
            let text = format!("{{\"{}\": [{number}, \"{}\"]}}", pieces.concat(), pieces.concat());
            let text = mend(&text).unwrap_or(text);
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            prop_assert_eq!(mend(&text), None);
        }
    }
}
