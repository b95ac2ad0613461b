//! The rules file as it is written: its tables and values with their places, every mistake of form at once.
//!
//! What the conditions say, and whether the fields exist, is not judged here.

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use super::problem::position;

pub const MAX_FILE_BYTES: usize = 1024 * 1024;
/// A survey is tried against each rule in turn, while its sender waits.
pub(super) const MAX_RULES: usize = 1000;
pub(super) const MAX_CASES: usize = 10_000;
/// Rules' names are labels of a metric.
pub(super) const MAX_NAME_BYTES: usize = 200;

type Value<'t> = Spanned<DeValue<'t>>;

/// A value and the byte of the file that it begins at.
pub(super) struct At<T> {
    pub(super) offset: usize,
    pub(super) value: T,
}

/// A rule with what could be read of it; what is missing has been told.
pub(super) struct RawRule {
    pub(super) path: String,
    pub(super) name: Option<At<String>>,
    /// The value is its text; the span is that of the literal, quotes included.
    pub(super) when: Option<(std::ops::Range<usize>, String)>,
    /// `None`: the survey is ignored.
    pub(super) assign: Option<String>,
}

pub(super) struct RawCase {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) source: Option<At<String>>,
    pub(super) received_at: Option<At<String>>,
    pub(super) survey: Vec<(At<String>, Json)>,
    /// `None`: expected to be ignored.
    pub(super) expect: Option<String>,
}

#[derive(Default)]
pub(super) struct RawFile {
    pub(super) rules: Vec<RawRule>,
    pub(super) cases: Vec<RawCase>,
}

/// Reads what can be read, and adds what cannot to `problems`.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> RawFile {
    let mut reader = Reader { text, problems };
    if text.len() > MAX_FILE_BYTES {
        reader.tell(
            None,
            "",
            format!("the file is larger than {MAX_FILE_BYTES} bytes"),
        );
        return RawFile::default();
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What follows a mistake of syntax is guesswork, so nothing else is judged.
        for error in errors {
            reader.tell(
                error.span().map(|span| span.start),
                "",
                error.message().to_owned(),
            );
        }
        return RawFile::default();
    }
    reader.document(document.get_ref())
}

struct Reader<'a> {
    text: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn tell(&mut self, offset: Option<usize>, path: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            at: offset.map(|offset| position(self.text, offset)),
            path: path.to_owned(),
            message: message.into(),
        });
    }

    fn document(&mut self, document: &DeTable<'_>) -> RawFile {
        let mut file = RawFile::default();
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "rule" => {
                    let tables = self.tables("rule", value, MAX_RULES);
                    file.rules = tables.map(|(i, t, o)| self.rule(i, t, o)).collect();
                }
                "case" => {
                    let tables = self.tables("case", value, MAX_CASES);
                    file.cases = tables.map(|(i, t, o)| self.case(i, t, o)).collect();
                }
                other => {
                    let known = "known are [[rule]] and [[case]]";
                    self.tell(
                        Some(key.span().start),
                        other,
                        format!("unknown key; {known}"),
                    );
                }
            }
        }
        if document.get("rule").is_none() {
            self.tell(
                None,
                "rule",
                "there are no rules; a file needs at least one [[rule]]",
            );
        }
        file
    }

    fn tables<'t>(
        &mut self,
        path: &str,
        value: &'t Value<'t>,
        most: usize,
    ) -> std::vec::IntoIter<(usize, &'t DeTable<'t>, usize)> {
        let mut tables = Vec::new();
        let offset = value.span().start;
        match value.get_ref() {
            DeValue::Array(array) => {
                if array.len() > most {
                    self.tell(Some(offset), path, format!("more than {most} of them"));
                }
                if array.is_empty() {
                    self.tell(Some(offset), path, "there are none");
                }
                for (index, item) in array.iter().enumerate().take(most) {
                    match item.get_ref() {
                        DeValue::Table(table) => tables.push((index, table, item.span().start)),
                        _ => self.tell(Some(item.span().start), path, "expected a table"),
                    }
                }
            }
            _ => self.tell(
                Some(offset),
                path,
                format!("expected tables, written [[{path}]]"),
            ),
        }
        tables.into_iter()
    }

    fn rule(&mut self, index: usize, table: &DeTable<'_>, offset: usize) -> RawRule {
        let path = path_of("rule", index, table);
        let (mut name, mut when, mut assign, mut ignore) = (None, None, None, Some(false));
        for (key, value) in table {
            let key_path = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "name" => name = self.name(&key_path, value),
                "when" => {
                    when = self
                        .string(&key_path, value)
                        .map(|s| (value.span(), s.value));
                }
                "assign" => assign = self.name(&key_path, value),
                "ignore" => ignore = self.boolean(&key_path, value),
                _ => {
                    let known = "known are name, when, assign and ignore";
                    self.tell(
                        Some(key.span().start),
                        &key_path,
                        format!("unknown key; {known}"),
                    );
                }
            }
        }
        self.needs(table, "name", &path, offset);
        match (table.contains_key("assign"), ignore) {
            (true, Some(true)) => self.tell(Some(offset), &path, "has both `assign` and `ignore`"),
            (false, Some(false)) => {
                self.tell(
                    Some(offset),
                    &path,
                    "needs `assign = \"CODE\"` or `ignore = true`",
                );
            }
            _ => {}
        }
        RawRule {
            path,
            name,
            when,
            assign: assign.map(|code| code.value),
        }
    }

    fn case(&mut self, index: usize, table: &DeTable<'_>, offset: usize) -> RawCase {
        let path = path_of("case", index, table);
        let (mut name, mut source, mut received_at) = (None, None, None);
        let (mut survey, mut expect, mut ignored) = (Vec::new(), None, Some(false));
        for (key, value) in table {
            let key_path = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "name" => name = self.name(&key_path, value),
                "source" => source = self.string(&key_path, value),
                "received_at" => received_at = self.moment(&key_path, value),
                "survey" => survey = self.survey(&key_path, value),
                "expect" => expect = self.name(&key_path, value).map(|code| code.value),
                "ignored" => ignored = self.boolean(&key_path, value),
                _ => {
                    let known = "known are name, source, received_at, survey, expect and ignored";
                    self.tell(
                        Some(key.span().start),
                        &key_path,
                        format!("unknown key; {known}"),
                    );
                }
            }
        }
        self.needs(table, "name", &path, offset);
        self.needs(table, "survey", &path, offset);
        if ignored == Some(table.contains_key("expect")) {
            let message = "needs either `expect = \"CODE\"` or `ignored = true`";
            self.tell(Some(offset), &path, message);
        }
        let name = name.map(|name| name.value).unwrap_or_default();
        RawCase {
            path,
            name,
            offset,
            source,
            received_at,
            survey,
            expect,
        }
    }

    fn needs(&mut self, table: &DeTable<'_>, key: &str, path: &str, offset: usize) {
        if !table.contains_key(key) {
            self.tell(Some(offset), path, format!("needs `{key}`"));
        }
    }

    fn survey(&mut self, path: &str, value: &Value<'_>) -> Vec<(At<String>, Json)> {
        let Some(table) = value.get_ref().as_table() else {
            self.tell(
                Some(value.span().start),
                path,
                "expected a table of field values",
            );
            return Vec::new();
        };
        table
            .iter()
            .map(|(key, value)| {
                let name = At {
                    offset: key.span().start,
                    value: key.get_ref().to_string(),
                };
                (name, json(value.get_ref()))
            })
            .collect()
    }

    fn string(&mut self, path: &str, value: &Value<'_>) -> Option<At<String>> {
        let offset = value.span().start;
        if let Some(text) = value.get_ref().as_str() {
            return Some(At {
                offset,
                value: text.to_owned(),
            });
        }
        let got = value.get_ref().type_str();
        self.tell(Some(offset), path, format!("expected a string, not {got}"));
        None
    }

    fn name(&mut self, path: &str, value: &Value<'_>) -> Option<At<String>> {
        let name = self.string(path, value)?;
        let fault = if name.value.trim().is_empty() {
            "is empty".to_owned()
        } else if name.value.trim() != name.value || name.value.contains(char::is_control) {
            "has blanks around it or control characters in it".to_owned()
        } else if name.value.len() > MAX_NAME_BYTES {
            format!("is longer than {MAX_NAME_BYTES} bytes")
        } else {
            return Some(name);
        };
        self.tell(Some(name.offset), path, fault);
        None
    }

    fn moment(&mut self, path: &str, value: &Value<'_>) -> Option<At<String>> {
        if let Some(moment) = value.get_ref().as_datetime() {
            return Some(At {
                offset: value.span().start,
                value: moment.to_string(),
            });
        }
        self.string(path, value)
    }

    fn boolean(&mut self, path: &str, value: &Value<'_>) -> Option<bool> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            let got = value.get_ref().type_str();
            self.tell(
                Some(value.span().start),
                path,
                format!("expected true or false, not {got}"),
            );
        }
        truth
    }
}

/// By its name, which stays when rules are moved; else by its place.
fn path_of(kind: &str, index: usize, table: &DeTable<'_>) -> String {
    let name = table.get("name").and_then(|name| name.get_ref().as_str());
    match name.filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{kind}.{name}"),
        None => format!("{kind}[{index}]"),
    }
}

/// As a sender would have written it: TOML's dates and what JSON has no number for become strings.
fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(whole) => match i64::from_str_radix(whole.as_str(), whole.radix()) {
            Ok(whole) => Json::from(whole),
            Err(_) => Json::from(whole.as_str()),
        },
        DeValue::Float(float) => {
            let number = float
                .as_str()
                .parse()
                .ok()
                .and_then(serde_json::Number::from_f64);
            number.map_or_else(|| Json::from(float.as_str()), Json::Number)
        }
        DeValue::Boolean(truth) => Json::from(*truth),
        DeValue::Datetime(moment) => Json::from(moment.to_string()),
        DeValue::Array(array) => array.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref())))
            .collect(),
    }
}
