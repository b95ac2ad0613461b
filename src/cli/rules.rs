//! `wrapup rules`: what the rules do, without a service that runs; and what others would have done.
//!
//! Loading the configuration and reading a payload happen in [`run()`]; here, in `explain` and in `backtest` is what is
//! printed of it.

mod backtest;
mod explain;
mod run;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

pub(super) use run::run;

use crate::rules::{CaseResult, Finding, RuleSet, Step};

/// Run the cases of the rules, show what they make of one survey, or try other rules on the surveys of the last days.
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
    /// Shows what becomes of one survey: its fields and where each came from, what is wrong with it, and what the
    /// rules make of it
    #[command(
        after_help = "Examples:\n  wrapup rules explain --source generic payload.json\n  \
                      echo '{\"interactionId\":\"a1b2c3d4-e5f6-7890-abcd-ef1234567890\",\
                      \"nps_score\":10,\"csat_score\":5}' | wrapup rules explain"
    )]
    Explain(Explain),
    Backtest(backtest::Args),
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
    /// The survey's body as its sender would send it, or, where it comes in a form, the JSON that the form would hold;
    /// `-` is standard input
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
mod tests;
