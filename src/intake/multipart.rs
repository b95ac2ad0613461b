//! `multipart/form-data`: one field's bytes.
//!
//! The boundary is taken from the body itself, where it must stand on a line of its own before the first part: so a
//! kept body can be read again without the headers that it came with. Only authentic bodies get here, and they are of
//! bounded length; parts are counted.

use bytes::Bytes;
use futures_util::{FutureExt, stream};

/// More than any form has fields.
const MAX_PARTS: usize = 1000;
/// RFC 2046, 5.1.1.
const MAX_BOUNDARY: usize = 70;

/// Why a body is no form. Never holds a piece of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("not multipart/form-data: no boundary begins it")]
    Boundary,
    #[error("not multipart/form-data: a part is broken or not complete")]
    Broken,
    #[error("more than {MAX_PARTS} parts")]
    TooManyParts,
}

/// What a form says by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Missing,
    One(Bytes),
    Several,
}

pub(super) fn field(body: &Bytes, name: &str) -> Result<Found, Fault> {
    // All of the body is there, so that nothing is ever waited for.
    read(body, name)
        .now_or_never()
        .unwrap_or(Err(Fault::Broken))
}

async fn read(body: &Bytes, name: &str) -> Result<Found, Fault> {
    let boundary = boundary(body).ok_or(Fault::Boundary)?;
    let whole = stream::iter([Ok::<_, std::io::Error>(body.clone())]);
    let mut parts = multer::Multipart::new(whole, boundary);
    let mut found = Found::Missing;
    for part in 1.. {
        // Its errors may hold names and headers that were sent.
        let broken = |_| Fault::Broken;
        let Some(field) = parts.next_field().await.map_err(broken)? else {
            break;
        };
        if part > MAX_PARTS {
            return Err(Fault::TooManyParts);
        }
        if field.name() == Some(name) {
            let value = field.bytes().await.map_err(broken)?;
            found = match found {
                Found::Missing => Found::One(value),
                Found::One(_) | Found::Several => Found::Several,
            };
        }
    }
    Ok(found)
}

/// From the first line that begins with two hyphens; what stands before it is a preamble that nobody reads.
fn boundary(body: &[u8]) -> Option<&str> {
    let mut lines = body.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"--"))?;
    let boundary = str::from_utf8(line).ok()?.trim_end();
    (1..=MAX_BOUNDARY)
        .contains(&boundary.len())
        .then_some(boundary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, value: &str) -> String {
        format!("--b0und\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    fn form(parts: &[String]) -> Bytes {
        Bytes::from(parts.concat() + "--b0und--\r\n")
    }

    #[track_caller]
    fn check(body: impl Into<Bytes>, expected: &Result<Found, Fault>) {
        assert_eq!(field(&body.into(), "rawRequest"), *expected);
    }

    #[track_caller]
    fn check_one(body: impl Into<Bytes>, expected: &'static str) {
        check(body, &Ok(Found::One(Bytes::from(expected))));
    }

    #[test]
    fn a_field_is_found_among_others_as_it_was_sent() {
        let (other, wanted) = (part("formID", "7"), part("rawRequest", "{\"a\":\r\n1}"));
        check_one(form(&[other.clone(), wanted.clone()]), "{\"a\":\r\n1}");
        check(form(std::slice::from_ref(&other)), &Ok(Found::Missing));
        check(form(&[wanted.clone(), other, wanted]), &Ok(Found::Several));
        let file = "--b0und\r\nContent-Disposition: form-data; name=rawRequest; filename=\"a.json\"\r\n\
                    Content-Type: application/json\r\n\r\n{}\r\n--b0und--";
        check_one(file, "{}");
        check_one(format!("a preamble\r\n{file}\r\nan epilogue"), "{}");
    }

    #[test]
    fn what_is_no_form_is_told_without_a_piece_of_it() {
        check("", &Err(Fault::Boundary));
        check("{\"a\": 1}", &Err(Fault::Boundary));
        check("--\r\n", &Err(Fault::Boundary));
        check(format!("--{}\r\n", "b".repeat(71)), &Err(Fault::Boundary));
        check("--b0und", &Err(Fault::Broken));
        check("--b0und\r\nno headers", &Err(Fault::Broken));
        check(part("rawRequest", "{}"), &Err(Fault::Broken));
        let cut = part("a", "1") + "--b0und\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2";
        check(cut, &Err(Fault::Broken));
    }

    #[test]
    fn thousands_of_parts_and_of_headers_are_refused() {
        let most = vec![part("a", ""); MAX_PARTS];
        check(form(&most), &Ok(Found::Missing));
        let more = vec![part("a", ""); MAX_PARTS + 1];
        check(form(&more), &Err(Fault::TooManyParts));
        check(
            form(&vec![part("a", ""); 50_000]),
            &Err(Fault::TooManyParts),
        );
        let headers = "X: y\r\n".repeat(10_000);
        check(
            format!("--b0und\r\n{headers}\r\n\r\n--b0und--"),
            &Err(Fault::Broken),
        );
    }
}
