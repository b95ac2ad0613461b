//! What is signed: literal text and placeholders, compiled once, assembled as slices of what was received.
//!
//! Nothing is copied on the way, and nothing decoded but a form that is named: the bytes that are hashed are the
//! bytes that came.

use http::HeaderName;

/// What a `content` key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Box<[u8]>),
    Id,
    /// As text, just as it was received.
    Timestamp,
    Body,
    Header(HeaderName),
    /// A form field's value, decoded.
    Form(Box<str>),
    /// The address as the sender knows it: the configured one, never what a client says in `Host`.
    Url,
    Secret,
}

const KNOWN: &str =
    "{body}, {id}, {timestamp}, {method}, {url}, {secret}, {form:FIELD} and {header:NAME}";

impl Template {
    /// Every problem is a text for the configuration's author.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            push_literal(&mut parts, before)?;
            let Some((name, tail)) = after.split_once('}') else {
                return Err(format!("`{{{after}` has no closing `}}`"));
            };
            parts.push(part(name)?);
            rest = tail;
        }
        push_literal(&mut parts, rest)?;
        Ok(Self(parts))
    }

    /// The raw body.
    pub(super) fn body() -> Self {
        Self(vec![Part::Body])
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    pub(super) fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }

    /// Whether the raw body is all that is signed.
    pub(super) fn is_body_alone(&self) -> bool {
        self.0 == [Part::Body]
    }

    /// The form fields that are named.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Form(field) => Some(&**field),
            _ => None,
        })
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) -> Result<(), String> {
    if text.contains('}') {
        return Err("a `}` without its `{`".to_owned());
    }
    if !text.is_empty() {
        parts.push(Part::Literal(text.as_bytes().into()));
    }
    Ok(())
}

fn part(name: &str) -> Result<Part, String> {
    match name {
        "body" => Ok(Part::Body),
        "id" => Ok(Part::Id),
        "timestamp" => Ok(Part::Timestamp),
        // Nothing but a POST ever comes as far as verification.
        "method" => Ok(Part::Literal(b"POST".as_slice().into())),
        "url" => Ok(Part::Url),
        "secret" => Ok(Part::Secret),
        _ => match name.split_once(':') {
            Some(("header", header)) => match HeaderName::from_bytes(header.as_bytes()) {
                Ok(header) => Ok(Part::Header(header)),
                Err(_) => Err(format!("`{header}` cannot be a header's name")),
            },
            Some(("form", field)) if !field.is_empty() => Ok(Part::Form(field.into())),
            _ => Err(format!("unknown placeholder {{{name}}}; known are {KNOWN}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_literals_and_placeholders_in_order() {
        let template = Template::parse(
            "v0:{id}.{timestamp}.{body}{header:Date}{method}{url}{secret}{form:A b}",
        )
        .unwrap();
        let literal = |text: &str| Part::Literal(text.as_bytes().into());
        assert_eq!(
            template.parts(),
            [
                literal("v0:"),
                Part::Id,
                literal("."),
                Part::Timestamp,
                literal("."),
                Part::Body,
                Part::Header(http::header::DATE),
                literal("POST"),
                Part::Url,
                Part::Secret,
                Part::Form("A b".into()),
            ]
        );
        assert!(!template.is_body_alone());
        assert_eq!(template.fields().collect::<Vec<_>>(), ["A b"]);
        assert_eq!(Template::parse("{body}"), Ok(Template::body()));
        assert!(Template::body().is_body_alone());
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_to_do() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let problem = Template::parse(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        check("{Body}", "unknown placeholder {Body}; known are {body}");
        check("{body}{}", "unknown placeholder {}");
        check("{body}{form:}", "unknown placeholder {form:}");
        check("{body}{query:x}", "unknown placeholder {query:x}");
        check("{body", "no closing");
        check("body}", "without its");
        check("{body}{header:a b}", "header's name");
    }
}
