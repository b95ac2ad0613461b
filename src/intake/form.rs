//! `application/x-www-form-urlencoded`: names and values as bytes, within bounds.
//!
//! Decodes and nothing more: what a field means, and whether its bytes are UTF-8, is for its reader to say, because
//! a signature is made over bytes. What is not encoded is not copied. A `%` without two hexadecimal digits is a fault
//! and not, as in a browser, a percent sign: a sender and we must never see two different forms in one body.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// More than any sender has questions; each costs memory before anything is known of its sender.
const MAX_FIELDS: usize = 1000;

/// Why bytes are no form. Never holds a piece of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a form of more than {MAX_FIELDS} fields")]
    TooManyFields,
    #[error("no form: the % at byte {0} is not followed by two hexadecimal digits")]
    Escape(usize),
}

/// A form's fields in their order, names as often as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form<'a>(Vec<[Cow<'a, [u8]>; 2]>);

/// What a form says by one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Missing,
    One(&'a [u8]),
    /// Which of them would count is a guess, and a guess is what a forger wants.
    Several,
}

impl<'a> Form<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        if let Some(at) = bad_escape(body) {
            return Err(Fault::Escape(at));
        }
        let pieces = body.split(|byte| *byte == b'&');
        let mut fields = Vec::new();
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            if fields.len() == MAX_FIELDS {
                return Err(Fault::TooManyFields);
            }
            let equals = piece.iter().position(|byte| *byte == b'=');
            let (name, value) = match equals {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, b"".as_slice()),
            };
            fields.push([decoded(name), decoded(value)]);
        }
        Ok(Self(fields))
    }

    /// Names and values, in the order in which they came.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|[name, value]| (&**name, &**value))
    }

    /// Every value of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.fields()
            .filter(move |(found, _)| *found == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// The only value of this name.
    pub(super) fn single(&self, name: &str) -> Field<'_> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (None, _) => Field::Missing,
            (Some(value), None) => Field::One(value),
            (Some(_), Some(_)) => Field::Several,
        }
    }
}

/// Fields as a body that [`Form::parse`] reads as the same fields.
pub(super) fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        if !body.is_empty() {
            body.push('&');
        }
        body.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        body.push('=');
        body.extend(form_urlencoded::byte_serialize(value));
    }
    body
}

/// Where a `%` stands that begins no escape.
fn bad_escape(body: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(next) = body[from..].iter().position(|byte| *byte == b'%') {
        let at = from + next;
        let is_escape = (body.get(at + 1..at + 3))
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if !is_escape {
            return Some(at);
        }
        from = at + 3;
    }
    None
}

/// A plus is a blank, an escape is its byte; borrowed where there is neither.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let mut blanks = text.to_vec();
    for byte in &mut blanks {
        if *byte == b'+' {
            *byte = b' ';
        }
    }
    let bytes: Cow<'_, [u8]> = percent_decode(&blanks).into();
    Cow::Owned(bytes.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &[u8], expected: &[(&[u8], &[u8])]) {
        let form = Form::parse(body).unwrap();
        assert_eq!(form.fields().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn fields_are_decoded_to_bytes_in_their_order() {
        check(b"", &[]);
        check(b"a=1&b=2&a=3", &[(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]);
        check(b"&&a&b=&=c&", &[(b"a", b""), (b"b", b""), (b"", b"c")]);
        check(b"a=b=c%3D", &[(b"a", b"b=c=")]);
        check(b"a+b=c+%2B%2b", &[(b"a b", b"c ++")]);
        // An encoded separator separates nothing, and one step of decoding is all.
        check(b"a%26b=%2525%0a", &[(b"a&b", b"%25\n")]);
    }

    #[test]
    fn bytes_need_not_be_utf_8() {
        check(b"a=%ff\xfe", &[(b"a", b"\xff\xfe")]);
    }

    #[test]
    fn a_percent_sign_that_begins_no_escape_is_a_fault() {
        for (body, at) in [
            (b"a=100%".as_slice(), 5),
            (b"%", 0),
            (b"a=%41%4", 5),
            (b"a=%4&b", 2),
            (b"a=%zz", 2),
            (b"a=%+1", 2),
            (b"%41=%%41", 4),
        ] {
            assert_eq!(Form::parse(body), Err(Fault::Escape(at)));
        }
    }

    #[test]
    fn fields_are_counted_before_they_are_kept() {
        let fields = |count: usize| vec!["a"; count].join("&");
        assert!(Form::parse(fields(MAX_FIELDS).as_bytes()).is_ok());
        let many = fields(MAX_FIELDS + 1);
        assert_eq!(Form::parse(many.as_bytes()), Err(Fault::TooManyFields));
        // Separators alone are no fields.
        assert!(Form::parse(&vec![b'&'; 100_000]).is_ok());
    }

    #[test]
    fn a_name_that_came_twice_is_told_apart_from_one() {
        let form = Form::parse(b"a=1&b=2&%61=3").unwrap();
        assert_eq!(form.single("a"), Field::Several);
        assert_eq!(form.single("b"), Field::One(b"2"));
        assert_eq!(form.single("B"), Field::Missing);
        let all: Vec<_> = form.all("a").collect();
        assert_eq!(all, [b"1", b"3"]);
    }

    #[test]
    fn what_is_not_encoded_is_not_copied() {
        let form = Form::parse(b"name=value").unwrap();
        assert!(matches!(
            form.0[0],
            [Cow::Borrowed(b"name"), Cow::Borrowed(b"value")]
        ));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            fields in proptest::collection::vec((".{1,8}", proptest::collection::vec(any::<u8>(), 0..20)), 0..8)
        ) {
            let body = write(fields.iter().map(|(name, value)| (&**name, &**value)));
            let form = Form::parse(body.as_bytes()).unwrap();
            let read: Vec<_> = form.fields().collect();
            let written: Vec<_> = fields.iter().map(|(name, value)| (name.as_bytes(), &**value)).collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn any_bytes_are_a_form_or_a_fault(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(form) = Form::parse(&body) {
                let decoded: usize = form.fields().map(|(name, value)| name.len() + value.len()).sum();
                prop_assert!(decoded <= body.len());
            }
        }
    }
}
