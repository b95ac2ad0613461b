//! `wrapup rules test` and `wrapup rules explain`: what the rules do, without a service that runs.
//!
//! Loading the configuration and reading a payload happen in [`run()`]; here is what is printed of it.

mod run;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

pub(super) use run::run;

use crate::ids::{CodeName, RuleName};
use crate::rules::{CaseResult, Decision, Finding, Rule, RuleSet, Step};
use crate::survey::{Fields, Survey};

/// Run the cases of the rules, or show what the rules make of one survey.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wrapup rules test")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Runs the cases of the rules file; exits with 1 if one fails
    #[command(after_help = "Example:\n  wrapup rules test --rules config/rules-next.toml")]
    Test(Test),
    /// Shows what the rules make of one survey, rule by rule
    #[command(
        after_help = "Example:\n  echo '{\"interactionId\":\"a1b2c3d4-e5f6-7890-abcd-ef1234567890\",\
                            \"nps_score\":10,\"csat_score\":5}' | wrapup rules explain"
    )]
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
struct Test {
    /// Try this file in place of the one that the configuration names
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// The survey's body as its sender would send it; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    body: PathBuf,
    /// Whose survey it is; the first source of the configuration if left out
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Try this file in place of the one that the configuration names
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct CasesReport<'a> {
    passed: bool,
    cases: &'a [CaseResult],
    warnings: &'a [String],
}

/// Runs and prints all cases; tells whether all of them passed.
fn print_cases(rules: &RuleSet, json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let cases = rules.run_cases();
    let warnings = rules.warnings();
    let failed = cases.iter().filter(|case| !case.passed).count();
    let passed = failed == 0;
    if json {
        let report = CasesReport {
            passed,
            cases: &cases,
            warnings: &warnings,
        };
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
        return Ok(passed);
    }
    for case in &cases {
        if case.passed {
            writeln!(out, "ok    {}", case.name)?;
            continue;
        }
        writeln!(out, "FAIL  {} (line {})", case.name, case.at.0)?;
        writeln!(out, "      expected {}, got {}", case.expected, case.got)?;
        print_steps(rules, &case.trace, out)?;
    }
    for warning in &warnings {
        writeln!(out, "warning: {warning}")?;
    }
    match cases.len() {
        0 => writeln!(out, "the rules file has no [[case]]")?,
        all => writeln!(out, "{} of {all} cases passed", all - failed)?,
    }
    Ok(passed)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation<'a> {
    source: &'a str,
    interaction_id: String,
    fields: &'a Fields,
    rule: Option<&'a str>,
    wrap_up_code: Option<&'a str>,
    trace: Vec<ExplainedStep<'a>>,
}

#[derive(Serialize)]
struct ExplainedStep<'a> {
    #[serde(flatten)]
    step: Step,
    when: Option<&'a str>,
    assign: Option<&'a str>,
}

/// Prints a survey's fields, what became of each rule, and the code that comes out.
fn print_explanation(
    rules: &RuleSet,
    survey: &Survey,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let decision = rules.decide(survey);
    if json {
        serde_json::to_writer_pretty(&mut *out, &explanation(rules, survey, &decision))?;
        return writeln!(out);
    }
    writeln!(out, "source       {}", survey.source)?;
    writeln!(out, "interaction  {}", survey.interaction)?;
    writeln!(out, "fields")?;
    let width = width_of(survey.fields.keys().map(|name| &**name));
    for (name, value) in &survey.fields {
        // As JSON, so that whatever a sender put into a string cannot play with the terminal.
        writeln!(
            out,
            "      {name:width$}  {}",
            serde_json::to_string(value)?
        )?;
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

/// Prints why a body is no survey.
fn print_unreadable<P: Display>(problems: &[P], json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let report = serde_json::json!({ "unreadable": problems });
        serde_json::to_writer_pretty(&mut *out, &report)?;
        return writeln!(out);
    }
    writeln!(out, "this survey cannot be read, and would be quarantined:")?;
    for problem in problems {
        writeln!(out, "      {problem}")?;
    }
    Ok(())
}

fn explanation<'a>(
    rules: &'a RuleSet,
    survey: &'a Survey,
    decision: &'a Decision,
) -> Explanation<'a> {
    let code = |rule: &'a Rule| rule.assign().map(CodeName::as_str);
    let steps = rules.rules().zip(decision.trace());
    Explanation {
        source: survey.source.as_str(),
        interaction_id: survey.interaction.to_string(),
        fields: &survey.fields,
        rule: decision.rule.as_ref().map(RuleName::as_str),
        wrap_up_code: decision.code.as_ref().map(CodeName::as_str),
        trace: steps
            .map(|(rule, step)| ExplainedStep {
                step,
                when: rule.when(),
                assign: code(rule),
            })
            .collect(),
    }
}

fn print_steps(rules: &RuleSet, trace: &[Step], out: &mut dyn Write) -> io::Result<()> {
    let names = width_of(trace.iter().map(|step| step.rule.as_str()));
    for (rule, step) in rules.rules().zip(trace) {
        let when = match rule.when() {
            None => "(always)".to_owned(),
            Some(when) => when.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let mark = if step.finding == Finding::Matched {
            '>'
        } else {
            ' '
        };
        let findings = Finding::NotEvaluated.to_string().len();
        write!(
            out,
            "    {mark} {:names$}  {:findings$}  {when}",
            step.rule.as_str(),
            step.finding
        )?;
        match &step.why {
            Some(why) => writeln!(out, "   ({why})")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// The widest of the names, within what a line can bear.
fn width_of<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .min(40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{InteractionId, SourceName};
    use crate::rules::Schema;
    use crate::survey::{FieldSpec, FieldType, Value};

    const RULES: &str = "[[rule]]\nname = 'low'\nwhen = 'nps_score <= 6'\nassign = 'LOW'\n\
                         [[rule]]\nname = 'else'\nignore = true\n\
                         [[case]]\nname = 'a low score'\nsurvey = { nps_score = 1 }\nexpect = 'LOW'\n\
                         [[case]]\nname = 'wrong'\nsurvey = { nps_score = 7 }\nexpect = 'LOW'\n";

    fn rules() -> RuleSet {
        let source = SourceName::from("generic");
        let fields = [FieldSpec::new("nps_score", FieldType::Number)];
        let schema = Schema::new([(&source, &fields[..])]).unwrap();
        RuleSet::parse(RULES, &schema).unwrap()
    }

    fn survey(nps: Value) -> Survey {
        Survey {
            source: SourceName::from("generic"),
            interaction: InteractionId(uuid::Uuid::nil()),
            received_at: UnixMs(0),
            fields: [("nps_score".into(), nps)].into(),
        }
    }

    fn printed(print: impl FnOnce(&mut dyn Write)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failing_case_shows_the_way_to_its_code() {
        let text = printed(|out| assert!(!print_cases(&rules(), false, out).unwrap()));
        let expected = "\
ok    a low score
FAIL  wrong (line 12)
      expected LOW, got ignored
      low   did not match           nps_score <= 6
    > else  matched                 (always)
1 of 2 cases passed
";
        assert_eq!(text, expected);
        let json = printed(|out| assert!(!print_cases(&rules(), true, out).unwrap()));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["passed"], false);
        assert_eq!(json["cases"][1]["trace"][1]["finding"], "matched");
    }

    #[test]
    fn an_explanation_tells_fields_rules_and_code() {
        let low = survey(Value::Number(1.0));
        let text = printed(|out| print_explanation(&rules(), &low, false, out).unwrap());
        let expected = "\
source       generic
interaction  00000000-0000-0000-0000-000000000000
fields
      nps_score  1.0
rules
    > low   matched                 nps_score <= 6
      else  not reached             (always)
code         LOW (by low)
";
        assert_eq!(text, expected);
        let none = survey(Value::Null);
        let json = printed(|out| print_explanation(&rules(), &none, true, out).unwrap());
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["wrapUpCode"], serde_json::Value::Null);
        assert_eq!(json["trace"][0]["why"], "nps_score is missing");
        assert_eq!(json["trace"][0]["when"], "nps_score <= 6");
    }
}
