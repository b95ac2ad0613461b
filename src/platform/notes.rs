//! The note that goes with a code: a text with the survey's fields, the rule's and the code's name in it. Pure.
//!
//! Agents and their supervisors read it, so it is plain text on one line and of bounded length. It holds answers:
//! it is written to the platform and nowhere else.

use serde_json::Value;

use super::Assignment;

/// What the platform takes; a longer note is cut.
pub const MAX_CHARS: usize = 1_000;
/// Placeholders beside the fields.
const RULE: &str = "rule";
const CODE: &str = "code";

/// A template that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Rule,
    Code,
    Field(String),
}

impl Notes {
    /// Reads `Survey: NPS {nps_score} ({rule})`. `is_field` says which names are fields of any source; every other
    /// placeholder but `{rule}` and `{code}` is a problem. The error does not repeat the text.
    pub fn parse(text: &str, is_field: impl Fn(&str) -> bool) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            literal(&mut parts, before)?;
            let Some((name, tail)) = after.split_once('}') else {
                return Err("a `{` without its `}`".to_owned());
            };
            parts.push(match name {
                RULE => Part::Rule,
                CODE => Part::Code,
                field if is_field(field) => Part::Field(field.to_owned()),
                _ => {
                    let number = parts.iter().filter(|part| !matches!(part, Part::Text(_))).count() + 1;
                    return Err(format!(
                        "placeholder {number} is neither `{{rule}}` nor `{{code}}` nor a field of any source"
                    ));
                }
            });
            rest = tail;
        }
        literal(&mut parts, rest)?;
        Ok(Self(parts))
    }

    /// Whether the field is in it.
    pub fn names(&self, field: &str) -> bool {
        let mut parts = self.0.iter();
        parts.any(|part| matches!(part, Part::Field(name) if name == field))
    }

    /// The note for one assignment. A field that the survey lacks leaves nothing.
    pub(super) fn fill(&self, wanted: &Assignment) -> String {
        self.written(wanted, |name| {
            wanted.answers.get(name).map(plain).unwrap_or_default()
        })
    }

    /// The note as far as it is known without a survey.
    pub(super) fn sketch(&self, wanted: &Assignment) -> String {
        self.written(wanted, |name| format!("{{{name}}}"))
    }

    fn written(&self, wanted: &Assignment, field: impl Fn(&str) -> String) -> String {
        let mut note = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => note.push_str(text),
                Part::Rule => note.push_str(wanted.rule.as_str()),
                Part::Code => note.push_str(wanted.code.as_str()),
                Part::Field(name) => note.push_str(&field(name)),
            }
        }
        let on_one_line = note.chars().map(|c| if c.is_control() { ' ' } else { c });
        on_one_line.take(MAX_CHARS).collect()
    }
}

fn literal(parts: &mut Vec<Part>, text: &str) -> Result<(), String> {
    if text.contains('}') {
        return Err("a `}` without its `{`".to_owned());
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

/// As people write it: 9, not 9.0.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::assignment::tests::wanted;

    fn known(name: &str) -> bool {
        ["nps_score", "comment", "vip", "ratio"].contains(&name)
    }

    #[track_caller]
    fn check(template: &str, answers: &Value, expected: &str) {
        let notes = Notes::parse(template, known).unwrap();
        let wanted = Assignment {
            answers: answers.as_object().unwrap().clone(),
            ..wanted()
        };
        assert_eq!(notes.fill(&wanted), expected);
    }

    #[test]
    fn fields_rule_and_code_take_their_places() {
        check(
            "NPS {nps_score}, {ratio} ({rule}: {code}) {vip}{comment}",
            &json!({"nps_score": 9.0, "ratio": 0.5, "vip": true, "comment": "so\nlala"}),
            "NPS 9, 0.5 (promoter: WU) trueso lala",
        );
        check("[{comment}{nps_score}]", &json!({"comment": null}), "[]");
    }

    #[test]
    fn a_note_is_cut_at_a_thousand_characters() {
        let notes = Notes::parse("{comment}", known).unwrap();
        let long = json!({"comment": "ü".repeat(3000)});
        let wanted = Assignment {
            answers: long.as_object().unwrap().clone(),
            ..wanted()
        };
        assert_eq!(notes.fill(&wanted).chars().count(), MAX_CHARS);
    }

    #[test]
    fn what_is_no_placeholder_is_told_without_repeating_it() {
        for (text, part) in [
            ("{rule} {canary}", "placeholder 2"),
            ("{canary", "without its `}`"),
            ("canary}", "without its `{`"),
            ("{}", "placeholder 1"),
        ] {
            let problem = Notes::parse(text, known).unwrap_err();
            assert!(
                problem.contains(part) && !problem.contains("canary"),
                "{problem}"
            );
        }
    }
}
