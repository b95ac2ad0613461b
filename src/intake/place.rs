//! Where a signature, a token or a timestamp stands in a request, and how it is found there.
//!
//! Only what is named is looked at, and it is decoded no further than its place demands.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::config::Encoding;
use super::encoding;
use super::form::Form;

/// Where the proof of a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Header(HeaderName),
    /// A field of the body, which is a form.
    Form(Box<str>),
    /// A parameter of the address.
    Query(Box<str>),
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// `Authorization: Basic BASE64`, where the secret is `user:password`.
    Basic,
}

/// Where a timestamp stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Header(HeaderName),
    /// Among the signature's items, the one that begins so.
    Item(Box<str>),
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("header", name)) => header(name).map(Self::Header),
            Some(("form", field)) if !field.is_empty() => Ok(Self::Form(field.into())),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.into())),
            None if text == "bearer" => Ok(Self::Bearer),
            None if text == "basic" => Ok(Self::Basic),
            _ => Err(format!(
                "`{text}` is not understood; write `header:NAME` or `form:FIELD`, and for a token also `bearer`, \
                 `basic` or `query:NAME`"
            )),
        }
    }

    /// Whether only a token can stand there.
    pub(super) fn is_for_tokens(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Bearer | Self::Basic)
    }

    /// The header that it is in, if any.
    pub(super) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Header(name) => Some(name),
            Self::Bearer | Self::Basic => Some(&AUTHORIZATION),
            Self::Form(_) | Self::Query(_) => None,
        }
    }

    /// Every value that stands there; `None`: there is nothing at all. A value that is no text is skipped, for what
    /// is looked for is.
    pub(super) fn values<'a>(
        &self,
        headers: &'a HeaderMap,
        query: &'a str,
        form: Option<&'a Form<'_>>,
    ) -> Option<Vec<Cow<'a, str>>> {
        let texts = |name: &HeaderName| {
            let values = headers.get_all(name).into_iter();
            // What is not visible ASCII is neither hexadecimal nor base64, and no token.
            values.filter_map(|value| HeaderValue::to_str(value).ok())
        };
        let credentials = |scheme: &'static str| {
            texts(&AUTHORIZATION).filter_map(move |value| {
                let (word, rest) = value.trim().split_once(' ')?;
                word.eq_ignore_ascii_case(scheme).then(|| rest.trim())
            })
        };
        let there = match self {
            Self::Header(name) => headers.contains_key(name),
            Self::Bearer | Self::Basic => headers.contains_key(AUTHORIZATION),
            Self::Form(field) => form?.all(field).next().is_some(),
            Self::Query(_) => !query.is_empty(),
        };
        there.then(|| match self {
            Self::Header(name) => texts(name).map(Cow::Borrowed).collect(),
            Self::Bearer => credentials("bearer").map(Cow::Borrowed).collect(),
            Self::Basic => credentials("basic")
                .filter_map(|value| encoding::decode(Encoding::Base64, value.as_bytes()))
                .filter_map(|bytes| String::from_utf8(bytes).ok().map(Cow::Owned))
                .collect(),
            Self::Form(field) => (form.into_iter())
                .flat_map(|form| form.all(field))
                .filter_map(|value| str::from_utf8(value).ok().map(Cow::Borrowed))
                .collect(),
            Self::Query(name) => {
                let form = Form::parse(query.as_bytes());
                let values = form.iter().flat_map(|form| form.all(name));
                values
                    .filter_map(|value| String::from_utf8(value.to_owned()).ok().map(Cow::Owned))
                    .collect()
            }
        })
    }
}

impl Moment {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("header", name)) => header(name).map(Self::Header),
            Some(("item", prefix)) if !prefix.is_empty() => Ok(Self::Item(prefix.into())),
            _ => Err(format!(
                "`{text}` is not understood; write `header:NAME`, or `item:PREFIX` where it stands among the \
                 signatures"
            )),
        }
    }
}

pub(super) fn header(name: &str) -> Result<HeaderName, String> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) => Ok(name),
        Err(_) => Err(format!("`{name}` cannot be a header's name")),
    }
}

/// The items of the values, each trimmed; of one value several where they have a separator.
pub(super) fn items<'a>(
    values: &'a [Cow<'_, str>],
    separator: Option<&'a str>,
) -> impl Iterator<Item = &'a str> {
    values.iter().flat_map(move |value| {
        let mut rest = Some(&**value);
        std::iter::from_fn(move || {
            let text = rest?;
            let split = separator.and_then(|by| text.split_once(by));
            let (item, tail) = split.map_or((text, None), |(item, tail)| (item, Some(tail)));
            rest = tail;
            Some(item.trim())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        place: &str,
        request: (&[(&'static str, &str)], &str, &str),
        expected: Option<&[&str]>,
    ) {
        let (pairs, query, body) = request;
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let form = Form::parse(body.as_bytes()).unwrap();
        let found = Place::parse(place)
            .unwrap()
            .values(&headers, query, Some(&form));
        assert_eq!(
            found.as_deref().map(<[_]>::to_vec),
            expected.map(|texts| { texts.iter().map(|text| Cow::Borrowed(*text)).collect() })
        );
    }

    #[test]
    fn a_proof_is_found_where_it_is_said_to_stand() {
        let none: &[(&str, &str)] = &[];
        check(
            "header:X-Token",
            (&[("x-token", "a"), ("x-token", "b")], "", ""),
            Some(&["a", "b"]),
        );
        check("header:x-token", (&[("x-other", "a")], "", ""), None);
        check("form:sig", (none, "", "a=1&sig=x+%2b"), Some(&["x +"]));
        check("form:sig", (none, "", "sig=%ff&a=1"), Some(&[]));
        check("form:sig", (none, "sig=1", "a=1"), None);
        check("query:token", (none, "a=1&token=x%20y", ""), Some(&["x y"]));
        check("query:token", (none, "a=1", "token=1"), Some(&[]));
        check("query:token", (none, "token=%", ""), Some(&[]));
        check("query:token", (none, "", ""), None);
    }

    #[test]
    fn the_scheme_of_an_authorization_is_a_word_in_any_case() {
        let none = "";
        for (place, value, expected) in [
            ("bearer", "Bearer abc", Some("abc")),
            ("bearer", "bearer   abc ", Some("abc")),
            ("bearer", "Basic abc", None),
            ("bearer", "Bearerabc", None),
            ("basic", "BASIC dTpw", Some("u:p")),
            ("basic", "Basic dTpwOnc", Some("u:p:w")),
            ("basic", "Basic u:p", None),
            ("basic", "Bearer dTpw", None),
        ] {
            let expected: Vec<&str> = expected.into_iter().collect();
            check(
                place,
                (&[("authorization", value)], none, none),
                Some(&expected),
            );
        }
        check("bearer", (&[("x-token", "Bearer abc")], none, none), None);
    }

    #[test]
    fn other_places_are_told_with_those_there_are() {
        for text in [
            "x-signature",
            "form:",
            "query:",
            "header",
            "cookie:x",
            "Bearer",
            "",
        ] {
            let problem = Place::parse(text).unwrap_err();
            assert!(problem.contains("write `header:NAME`"), "{text}: {problem}");
        }
        assert!(
            Place::parse("header:a b")
                .unwrap_err()
                .contains("header's name")
        );
        for text in ["form:t", "item:", "now", "query:t"] {
            let problem = Moment::parse(text).unwrap_err();
            assert!(problem.contains("`item:PREFIX`"), "{text}: {problem}");
        }
        assert_eq!(Moment::parse("item:t="), Ok(Moment::Item("t=".into())));
    }
}
