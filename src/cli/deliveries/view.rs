//! A delivery as it is printed: as JSON for scripts, in lines for people.
//!
//! Invariant: nothing of what a respondent answered is in here but for [`Answered`], which has to be asked for; and no
//! text from outside reaches a terminal with its control characters.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::clock::UnixMs;
use crate::ids::{CodeId, CodeName, EventId, RuleName};
use crate::rules::{self, Step};
use crate::store::operate::Answers;
use crate::store::{DeadClass, Entry, Record, State};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    delivery_id: String,
    /// Order of acceptance.
    number: i64,
    source: &'a str,
    interaction_id: Option<String>,
    state: &'static str,
    accepted_at: String,
    due_at: Option<String>,
    ended_at: Option<String>,
    rule: Option<&'a str>,
    wrap_up_code: Option<&'a str>,
    wrap_up_code_id: Option<&'a str>,
    replaced_code_id: Option<&'a str>,
    event_id: Option<&'a str>,
    dead_class: Option<&'static str>,
    reason: Option<&'a str>,
    attempts: u32,
    problems: Option<&'a Value>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    answered: Option<Answered>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    rules_hash: Option<&'a str>,
    trace: Option<Vec<Step>>,
    story: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    at: String,
    verdict: &'a str,
    status: Option<u16>,
    detail: &'a str,
}

/// What was answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered {
    pub(super) fields: Option<Value>,
    /// If it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    /// If it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_hex: Option<String>,
}

impl From<Answers> for Answered {
    fn from(answers: Answers) -> Self {
        let body = answers.body.map(|body| String::from_utf8(body.to_vec()));
        let (body, body_hex) = match body {
            None => (None, None),
            Some(Ok(text)) => (Some(text), None),
            Some(Err(bytes)) => (None, Some(hex::encode(bytes.as_bytes()))),
        };
        Self {
            fields: answers.fields,
            body,
            body_hex,
        }
    }
}

impl<'a> View<'a> {
    /// What a list tells.
    pub(super) fn brief(record: &'a Record) -> Self {
        Self {
            delivery_id: record.id.to_string(),
            number: record.seq,
            source: record.source.as_str(),
            interaction_id: record.interaction.map(|id| id.to_string()),
            state: record.state.as_str(),
            accepted_at: record.accepted_at.to_rfc3339(),
            due_at: record.due_at.map(UnixMs::to_rfc3339),
            ended_at: record.ended_at.map(UnixMs::to_rfc3339),
            rule: record.rule.as_ref().map(RuleName::as_str),
            wrap_up_code: record.code.as_ref().map(CodeName::as_str),
            wrap_up_code_id: record.code_id.as_ref().map(CodeId::as_str),
            replaced_code_id: record.replaced.as_ref().map(CodeId::as_str),
            event_id: record.event.as_ref().map(EventId::as_str),
            dead_class: record.dead_class.map(DeadClass::as_str),
            reason: record.reason.as_deref(),
            attempts: record.progress.spent(),
            problems: record.problems.as_ref(),
            details: None,
            answered: None,
        }
    }

    /// All there is, but for the answers where they were not asked for.
    pub(super) fn whole(record: &'a Record, answered: Option<Answered>) -> Self {
        let told = |entry: &'a Entry| Told {
            at: entry.at.to_rfc3339(),
            verdict: &entry.verdict,
            status: entry.status,
            detail: &entry.detail,
        };
        Self {
            details: Some(Details {
                rules_hash: record.rules_hash.as_deref(),
                trace: trace(record),
                story: record.story.iter().map(told).collect(),
            }),
            answered,
            ..Self::brief(record)
        }
    }
}

/// One line of JSON.
pub(super) fn json_line(it: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, it)?;
    writeln!(out)
}

/// The way to the decision; none: unreadable.
pub(super) fn trace(record: &Record) -> Option<Vec<Step>> {
    record.rules_hash.as_ref()?;
    let rule = record.rule.as_ref();
    Some(rules::trace(&record.rules, rule, &record.failures))
}

/// The state, with a dead one's class.
pub(super) fn state(record: &Record) -> String {
    match (record.state, record.dead_class) {
        (State::Dead, Some(class)) => format!("dead, {}", class.as_str()),
        (state, _) => state.as_str().to_owned(),
    }
}

/// A text from outside, harmless for a terminal.
pub(super) fn plain(text: &str) -> String {
    let harmless = |letter: char| {
        if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    };
    text.chars().map(harmless).collect()
}

/// The problems of a survey that cannot be read: where, and what is wrong.
pub(super) fn problems(list: &Value) -> Vec<String> {
    let told = |problem: &Value| {
        let text = |key: &str| problem[key].as_str().map(plain);
        let place = match (text("field"), text("path")) {
            (Some(field), Some(path)) => format!("{field} ({path}): "),
            (Some(field), None) => format!("{field}: "),
            (None, _) => String::new(),
        };
        place + &text("message").unwrap_or_default()
    };
    list.as_array().into_iter().flatten().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_play_with_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nü"), "a\\u{1b}[2Jb\\nü");
    }

    #[test]
    fn problems_tell_place_and_fault() {
        let list = serde_json::json!([
            {"field": "nps", "path": "$.nps", "type": "number", "message": "not a number"},
            {"message": "not JSON"}
        ]);
        assert_eq!(problems(&list), ["nps ($.nps): not a number", "not JSON"]);
    }
}
