//! `wrapup check`: is everything in order, before the service is started or told to reload?
//!
//! Every problem is told in one run. Nothing is changed and, offline, nobody is asked.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::Exit;
use crate::config::{Problem, Secrets};
use crate::rules::RuleSet;

/// Check the configuration, and tell everything that is wrong with it.
///
/// Exits with 0 if all is well (warnings are told), with 78 if the configuration is wrong, with 1 if a case of the
/// rules fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wrapup --config /etc/wrapup/wrapup.toml check")]
pub(super) struct Args {
    /// For scripts: one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found. Each part of the check adds to it.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    /// The configuration is wrong: exit 78.
    problems: Vec<String>,
    /// The configuration can be read, but does not do what it should: exit 1.
    failures: Vec<String>,
    warnings: Vec<String>,
    /// The price of what is configured, right as it may be.
    notes: Vec<String>,
    /// What there is, by name.
    summary: Vec<(&'static str, String)>,
}

impl Report {
    fn exit(&self) -> Exit {
        if !self.problems.is_empty() {
            Exit::Config
        } else if !self.failures.is_empty() {
            Exit::Failed
        } else {
            Exit::Ok
        }
    }
}

pub(super) fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let mut report = Report::default();
    offline(file, &mut report);
    let exit = report.exit();
    report.ok = exit == Exit::Ok;
    let text = if args.json {
        let mut text = serde_json::to_string_pretty(&report)?;
        text.push('\n');
        text
    } else {
        written(file, &report)
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(exit)
}

fn offline(file: &Path, report: &mut Report) {
    let loaded = match super::load(file, Secrets::Needed) {
        Ok(loaded) => loaded,
        Err(problems) => {
            report.problems = problems.iter().map(Problem::to_string).collect();
            return;
        }
    };
    report.warnings = loaded.warnings.iter().map(Problem::to_string).collect();
    let config = &loaded.config;
    let names: Vec<_> = config
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    report.summary.push(("sources", names.join(", ")));
    for source in &config.sources {
        let notes = source.notes().into_iter();
        report
            .notes
            .extend(notes.map(|note| format!("source {}: {note}", source.name)));
    }
    match config.read_rules() {
        Ok(rules) => cases(&rules, &config.rules.file, report),
        Err(problems) => report.problems = problems.iter().map(Problem::to_string).collect(),
    }
}

fn cases(rules: &RuleSet, file: &Path, report: &mut Report) {
    let cases = rules.run_cases();
    let warnings = rules.warnings().into_iter();
    report
        .warnings
        .extend(warnings.map(|warning| format!("{}: {warning}", file.display())));
    let failed = cases.iter().filter(|case| !case.passed);
    report.failures.extend(failed.map(|case| {
        let (line, column) = case.at;
        format!(
            "{}:{line}:{column}: case `{}`: expected {}, got {}",
            file.display(),
            case.name,
            case.expected,
            case.got
        )
    }));
    let passed = cases.iter().filter(|case| case.passed).count();
    report
        .summary
        .push(("rules", rules.rules().len().to_string()));
    report
        .summary
        .push(("cases", format!("{passed} of {} passed", cases.len())));
}

fn written(file: &Path, report: &Report) -> String {
    let mut lines = Vec::new();
    lines.extend(report.problems.iter().cloned());
    lines.extend(report.failures.iter().map(|line| format!("failed: {line}")));
    lines.extend(
        report
            .warnings
            .iter()
            .map(|line| format!("warning: {line}")),
    );
    lines.extend(report.notes.iter().map(|line| format!("note: {line}")));
    let count = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    };
    let mut verdict = match report.exit() {
        Exit::Ok => "ok".to_owned(),
        Exit::Config => count(report.problems.len(), "problem", "problems"),
        _ => count(report.failures.len(), "failure", "failures"),
    };
    for (name, value) in &report.summary {
        verdict.extend(["; ", name, " ", value]);
    }
    if !report.warnings.is_empty() {
        let warnings = count(report.warnings.len(), "warning", "warnings");
        verdict.extend(["; ", &warnings]);
    }
    lines.push(format!("{}: {verdict}", file.display()));
    lines.join("\n") + "\n"
}
