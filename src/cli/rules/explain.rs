//! What `wrapup rules explain` prints of one survey.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{print_steps, width_of};
use crate::ids::{CodeName, RuleName};
use crate::intake::{Problem, Source};
use crate::rules::{Decision, Rule, RuleSet, Step};
use crate::survey::{Fields, Survey, Value};

/// Values wider than this are not waited for by the column behind them.
const MOST_ALIGNED: usize = 40;

/// One survey of a body, and how it came about.
#[derive(Debug)]
pub(super) struct Explained<'a> {
    pub(super) source: &'a Source,
    pub(super) survey: &'a Survey,
    /// What the sender wrote: null where the default stands in.
    pub(super) written: Option<&'a Fields>,
}

impl Explained<'_> {
    fn is_default(&self, field: &str, value: &Value) -> bool {
        let written = self.written.and_then(|fields| fields.get(field));
        *value != Value::Null && written == Some(&Value::Null)
    }
}

/// Fields, what became of each rule, and the code that comes out.
pub(super) fn print(rules: &RuleSet, it: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    let survey = it.survey;
    let decision = rules.decide(survey);
    writeln!(out, "source       {}", survey.source)?;
    writeln!(out, "interaction  {}", survey.interaction)?;
    writeln!(out, "fields")?;
    let names = width_of(survey.fields.keys().map(|name| &**name));
    // As JSON, so that whatever a sender put into a string cannot play with the terminal.
    let values: Vec<String> = survey
        .fields
        .values()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let widths = values.iter().map(|value| value.chars().count());
    let width = widths
        .filter(|width| *width <= MOST_ALIGNED)
        .max()
        .unwrap_or(0);
    for ((name, value), shown) in survey.fields.iter().zip(&values) {
        let path = it.source.path_of(name).unwrap_or_default();
        let nothing = match value {
            Value::Null => "   (nothing there)",
            value if it.is_default(name, value) => "   (nothing there: the default)",
            _ => "",
        };
        writeln!(out, "      {name:names$}  {shown:width$}  {path}{nothing}")?;
    }
    writeln!(out, "rules")?;
    print_steps(rules, &decision.trace(), out)?;
    let by = decision
        .rule
        .as_ref()
        .map_or("no rule matched", |rule| rule.as_str());
    match &decision.code {
        Some(code) => writeln!(out, "code         {code} (by {by})"),
        None => writeln!(out, "code         none, the survey is ignored ({by})"),
    }
}

/// Why a body is no survey.
pub(super) fn print_unreadable(
    source: &Source,
    problems: &[Problem],
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "source       {}", source.name)?;
    writeln!(out, "this survey cannot be read, and would be quarantined:")?;
    for problem in problems {
        writeln!(out, "      {}", told(problem))?;
    }
    Ok(())
}

/// `field (path, type): what is wrong`, as far as it is known.
fn told(problem: &Problem) -> String {
    let path = problem.path.as_deref().map(str::to_owned);
    let expected = problem.expected.map(|kind| kind.to_string());
    let details: Vec<String> = path.into_iter().chain(expected).collect();
    match (&problem.field, details.is_empty()) {
        (Some(field), false) => format!("{field} ({}): {}", details.join(", "), problem.message),
        (Some(field), true) => format!("{field}: {}", problem.message),
        (None, _) => problem.message.clone(),
    }
}

/// The same for scripts.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Explanation<'a> {
    #[serde(rename_all = "camelCase")]
    Readable {
        source: &'a str,
        interaction_id: String,
        fields: &'a Fields,
        /// Where each field was looked for.
        paths: BTreeMap<&'a str, &'a str>,
        /// The fields that were not found, and have their default.
        defaults: Vec<&'a str>,
        rule: Option<RuleName>,
        wrap_up_code: Option<CodeName>,
        trace: Vec<ExplainedStep<'a>>,
    },
    Unreadable {
        source: &'a str,
        /// In words.
        unreadable: Vec<String>,
        problems: &'a [Problem],
    },
}

#[derive(Serialize)]
pub(super) struct ExplainedStep<'a> {
    #[serde(flatten)]
    step: Step,
    when: Option<&'a str>,
    assign: Option<&'a str>,
}

impl<'a> Explanation<'a> {
    pub(super) fn of(rules: &'a RuleSet, it: &Explained<'a>) -> Self {
        let survey = it.survey;
        let decision: Decision = rules.decide(survey);
        let code = |rule: &'a Rule| rule.assign().map(CodeName::as_str);
        let path = |name: &'a str| Some((name, it.source.path_of(name)?));
        let defaults = survey.fields.iter();
        let steps = rules.rules().zip(decision.trace());
        Self::Readable {
            source: survey.source.as_str(),
            interaction_id: survey.interaction.to_string(),
            fields: &survey.fields,
            paths: survey.fields.keys().filter_map(|name| path(name)).collect(),
            defaults: defaults
                .filter(|(name, value)| it.is_default(name, value))
                .map(|(name, _)| &**name)
                .collect(),
            trace: steps
                .map(|(rule, step)| ExplainedStep {
                    step,
                    when: rule.when(),
                    assign: code(rule),
                })
                .collect(),
            rule: decision.rule,
            wrap_up_code: decision.code,
        }
    }

    pub(super) fn of_unreadable(source: &'a Source, problems: &'a [Problem]) -> Self {
        Self::Unreadable {
            source: source.name.as_str(),
            unreadable: problems.iter().map(told).collect(),
            problems,
        }
    }
}
