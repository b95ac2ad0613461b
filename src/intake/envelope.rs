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

impl Source {
    /// Puts a survey where this source takes it from. A whole form may be given as it is, or as a JSON object.
    pub fn envelope(&self, survey: &[u8]) -> Envelope {
        let filled = self.fill(survey, &[]);
        self.sealed(filled)
    }

    /// The fields of the form that hold the survey and, besides, `more`; or the survey alone.
    pub(super) fn fill(&self, survey: &[u8], more: &[(&str, &str)]) -> Filled {
        let more = || more.iter().map(|(name, value)| (*name, value.as_bytes()));
        if let Some(field) = self.body.strip_prefix("form:") {
            return Filled::Form(form::write([(field, survey)].into_iter().chain(more())));
        }
        if let Some(field) = self.body.strip_prefix("multipart:") {
            return Filled::Multipart(multipart(field, survey));
        }
        if self.body != "form" {
            return Filled::Plain(survey.to_vec());
        }
        let Ok(Value::Object(members)) = serde_json::from_slice(survey) else {
            let mut body = String::from_utf8_lossy(survey).into_owned();
            for (name, value) in more() {
                if !body.is_empty() {
                    body.push('&');
                }
                body.push_str(&form::write([(name, value)]));
            }
            return Filled::Form(body);
        };
        let members: Vec<(&str, Cow<'_, str>)> = (members.iter())
            .map(|(name, value)| match value {
                Value::String(text) => (&**name, Cow::Borrowed(&**text)),
                other => (&**name, Cow::Owned(other.to_string())),
            })
            .collect();
        let members = (members.iter()).map(|(name, value)| (*name, value.as_bytes()));
        Filled::Form(form::write(members.chain(more())))
    }

    pub(super) fn sealed(&self, filled: Filled) -> Envelope {
        let (natural, body) = match filled {
            Filled::Plain(body) => ("application/json".to_owned(), body),
            Filled::Form(body) => (FORM.to_owned(), body.into_bytes()),
            Filled::Multipart(body) => {
                let kind = format!("{MULTIPART}; boundary={BOUNDARY}");
                (kind, body)
            }
        };
        let content_type = if self.takes(Some(&natural)) {
            natural
        } else {
            // The source takes something else: its own word for it.
            let own = self.content_types.iter().find(|kind| kind.contains('/'));
            own.cloned().unwrap_or(natural)
        };
        Envelope { content_type, body }
    }
}

/// A body that is not addressed yet.
#[derive(Debug)]
pub(super) enum Filled {
    Plain(Vec<u8>),
    Form(String),
    Multipart(Vec<u8>),
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
