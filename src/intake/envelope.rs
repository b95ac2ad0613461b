//! The body in which a sender sends its survey: as it is, or in a field of a form.
//!
//! The other way round from reading, for `wrapup sign`, the demo and the tools that show what would be read.

use std::borrow::Cow;

use serde_json::Value;

use super::{Source, form};

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const MULTIPART: &str = "multipart/form-data";
/// Stands in no JSON: a line that begins with these is no value and no member.
const BOUNDARY: &str = "--------wrapup-7f3a9c1e5b";

/// A body that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub content_type: String,
    pub body: Vec<u8>,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A survey, to be put where the source takes it from. For a source of whole forms a JSON object becomes one.
    Survey(&'a [u8]),
    /// The body as it is, but for the signature where that belongs into a form.
    Body(&'a [u8]),
}

impl Source {
    /// The body in which this sender would send a survey.
    pub fn envelope(&self, survey: &[u8]) -> Envelope {
        self.fill(Payload::Survey(survey), &[])
    }

    /// With `more` fields where it is a form.
    pub(super) fn fill(&self, payload: Payload<'_>, more: &[(&str, &str)]) -> Envelope {
        let kind = self.words.body.as_deref().unwrap_or("json");
        let (place, field) = kind.split_once(':').unwrap_or((kind, ""));
        let more = more.iter().map(|(name, value)| (*name, value.as_bytes()));
        match (place, payload) {
            ("form", Payload::Survey(survey)) if !field.is_empty() => {
                let fields = [(field, survey)].into_iter().chain(more);
                self.sealed(FORM, form::write(fields).into_bytes())
            }
            ("form", Payload::Survey(bytes) | Payload::Body(bytes)) => {
                let members = match payload {
                    Payload::Survey(survey) => members(survey),
                    Payload::Body(_) => None,
                };
                let mut body = members.unwrap_or_else(|| bytes.to_vec());
                let more = form::write(more);
                if !body.is_empty() && !more.is_empty() {
                    body.push(b'&');
                }
                body.extend_from_slice(more.as_bytes());
                self.sealed(FORM, body)
            }
            ("multipart", Payload::Survey(survey)) => {
                let kind = format!("{MULTIPART}; boundary={BOUNDARY}");
                self.sealed(&kind, multipart(field, survey))
            }
            ("multipart", Payload::Body(body)) => {
                let boundary = boundary(body).unwrap_or(BOUNDARY);
                self.sealed(&format!("{MULTIPART}; boundary={boundary}"), body.to_vec())
            }
            (_, Payload::Survey(body) | Payload::Body(body)) => {
                self.sealed("application/json", body.to_vec())
            }
        }
    }

    fn sealed(&self, natural: &str, body: Vec<u8>) -> Envelope {
        let content_type = if self.takes(Some(natural)) {
            natural
        } else {
            // The source takes something else: its own word for it.
            let own = self.content_types.iter().find(|kind| kind.contains('/'));
            own.map_or(natural, String::as_str)
        };
        Envelope {
            content_type: content_type.to_owned(),
            body,
        }
    }
}

/// A JSON object as a form of its members.
fn members(survey: &[u8]) -> Option<Vec<u8>> {
    let Ok(Value::Object(members)) = serde_json::from_slice(survey) else {
        return None;
    };
    let members: Vec<(&str, Cow<'_, str>)> = (members.iter())
        .map(|(name, value)| match value {
            Value::String(text) => (&**name, Cow::Borrowed(&**text)),
            other => (&**name, Cow::Owned(other.to_string())),
        })
        .collect();
    let members = members.iter();
    let form = form::write(members.map(|(name, value)| (*name, value.as_bytes())));
    Some(form.into_bytes())
}

/// What the first line of a multipart body says.
fn boundary(body: &[u8]) -> Option<&str> {
    let line = body.split(|byte| *byte == b'\r').next()?;
    str::from_utf8(line).ok()?.strip_prefix("--")
}

fn multipart(field: &str, survey: &[u8]) -> Vec<u8> {
    let name = field.replace('"', "%22");
    let mut body =
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n")
            .into_bytes();
    body.extend_from_slice(survey);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

#[cfg(test)]
mod tests;
