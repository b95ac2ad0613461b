//! An authentic body as JSON text.
//!
//! A body is JSON, a form that becomes an object, or a form with JSON in one field. The depth is counted before
//! anything recursive runs, so that no body can exhaust the stack. A byte order mark at the beginning is skipped:
//! RFC 8259 lets a reader do so.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;
use serde_json::map::Entry;

use super::form::{self, Field, Form};
use super::{envelope, multipart};

/// Arrays and objects inside each other, the outermost included.
const MAX_DEPTH: usize = 128;

/// Where in a body the JSON stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    /// The form itself, as an object of texts. A field that was sent several times is an array of them.
    Form,
    FormField(Box<str>),
    MultipartField(Box<str>),
}

impl Kind {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "json" => Ok(Self::Json),
            None if text == "form" => Ok(Self::Form),
            Some(("form", field)) if !field.is_empty() => Ok(Self::FormField(field.into())),
            Some(("multipart", field)) if !field.is_empty() => {
                Ok(Self::MultipartField(field.into()))
            }
            _ => Err(format!(
                "`{text}` is unknown; set `json`, `form`, `form:FIELD` or `multipart:FIELD`"
            )),
        }
    }

    /// Content types that are taken where the source lists none: `+json` stands for every type with that ending, an
    /// empty text for none at all.
    pub(super) fn content_types(&self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json", "+json", ""],
            Self::Form | Self::FormField(_) => &[envelope::FORM],
            Self::MultipartField(_) => &[envelope::MULTIPART],
        }
    }
}

/// Why there is no JSON in a body. Never holds a piece of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("not UTF-8 at byte {0}")]
    Encoding(usize),
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("not JSON: {0}")]
    Syntax(String),
    #[error(transparent)]
    Form(#[from] form::Fault),
    #[error(transparent)]
    Multipart(#[from] multipart::Fault),
    #[error("the form's field is there more than once, expected one")]
    SeveralFields,
    /// The only one that is a matter of fields.
    #[error("the form has no such field")]
    NoField,
}

impl Fault {
    fn encoding(cause: &std::str::Utf8Error) -> Self {
        Self::Encoding(cause.valid_up_to())
    }
}

impl From<serde_json::Error> for Fault {
    fn from(cause: serde_json::Error) -> Self {
        // Its words for a syntax error are fixed texts with line and column.
        Self::Syntax(cause.to_string())
    }
}

/// The text that should be JSON, not nested too deeply; whether it is JSON is found when it is read.
pub(super) fn text<'a>(kind: &Kind, body: &'a Bytes) -> Result<Cow<'a, str>, Fault> {
    let text = match kind {
        Kind::Json => utf8(Cow::Borrowed(body))?,
        Kind::Form => return object(&Form::parse(body)?).map(Cow::Owned),
        Kind::FormField(name) => match Form::parse(body)?.single(name) {
            Field::Missing => return Err(Fault::NoField),
            Field::Several => return Err(Fault::SeveralFields),
            Field::One(value) => utf8(Cow::Owned(value.to_vec()))?,
        },
        Kind::MultipartField(name) => match multipart::field(body, name)? {
            multipart::Found::Missing => return Err(Fault::NoField),
            multipart::Found::Several => return Err(Fault::SeveralFields),
            multipart::Found::One(value) => utf8(Cow::Owned(value.to_vec()))?,
        },
    };
    if is_deeper_than(text.as_bytes(), MAX_DEPTH) {
        return Err(Fault::TooDeep);
    }
    Ok(text)
}

fn utf8(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Fault> {
    const MARK: char = '\u{feff}';
    Ok(match bytes {
        Cow::Borrowed(bytes) => {
            let text = str::from_utf8(bytes).map_err(|cause| Fault::encoding(&cause))?;
            Cow::Borrowed(text.strip_prefix(MARK).unwrap_or(text))
        }
        Cow::Owned(bytes) => {
            let text = String::from_utf8(bytes);
            let text = text.map_err(|cause| Fault::encoding(&cause.utf8_error()))?;
            Cow::Owned(match text.strip_prefix(MARK) {
                Some(text) => text.to_owned(),
                None => text,
            })
        }
    })
}

/// A form as a JSON object of texts.
fn object(form: &Form<'_>) -> Result<String, Fault> {
    let mut object = serde_json::Map::new();
    for (name, value) in form.fields() {
        let text = |bytes| str::from_utf8(bytes).map_err(|cause| Fault::encoding(&cause));
        let value = Value::from(text(value)?);
        match object.entry(text(name)?) {
            Entry::Vacant(vacant) => drop(vacant.insert(value)),
            Entry::Occupied(mut known) => match known.get_mut() {
                Value::Array(values) => values.push(value),
                first => *first = Value::Array(vec![first.take(), value]),
            },
        }
    }
    Ok(Value::Object(object).to_string())
}

/// Counts brackets outside of strings. Wrong for what is not JSON, but never too low for what is read of it: up to
/// its first mistake a text is JSON.
fn is_deeper_than(text: &[u8], limit: usize) -> bool {
    // Nearly every survey has fewer brackets than it may have levels, and counting them all is quickly done: by pieces
    // whose count fits a byte, so that many bytes are compared at once.
    let opened = |byte: &u8| u8::from(matches!(byte, b'[' | b'{'));
    let pieces = text.chunks(usize::from(u8::MAX));
    let counts = pieces.map(|piece| usize::from(piece.iter().map(opened).sum::<u8>()));
    if counts.sum::<usize>() <= limit {
        return false;
    }
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
mod tests;
