//! `wrapup check`: is everything in order, before the service is started or told to reload?
//!
//! Every problem is told in one run. Nothing is changed and, without `--online`, nobody is asked.

mod online;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use super::Exit;
use crate::config::{Config, Problem, Secrets};
use crate::ids::InteractionId;
use crate::platform::Preview;
use crate::rules::RuleSet;
use crate::telemetry;

/// Check the configuration, and tell everything that is wrong with it.
///
/// Reads the configuration and the rules, and runs the rules' cases. Exits with 0 if all is well (warnings are told),
/// with 78 if the configuration is wrong, with 1 if a case fails. Nothing is changed, and nobody is asked but for
/// --online.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup --config /etc/wrapup/wrapup.toml check\n  wrapup check --online\n  \
                  wrapup check --online --interaction a1b2c3d4-e5f6-7890-abcd-ef1234567890"
)]
pub(super) struct Args {
    /// Ask the platform, too: is there a token with the scope it needs, are there codes, is every code that a rule
    /// assigns among them, and which permissions are missing? Exits with 1 if something is wrong, with 69 if the
    /// platform cannot be asked.
    #[arg(long)]
    online: bool,
    /// Look at this interaction (conversation), and show where each code that a rule assigns would be written, without
    /// writing.
    #[arg(long, value_name = "ID", requires = "online")]
    interaction: Option<Uuid>,
    /// For scripts: one JSON object.
    #[arg(long)]
    json: bool,
}

/// Fields that serve without any rule: they say which interaction, and which part of it, the code is for.
const USED_ELSEWHERE: [&str; 3] = ["interaction_id", "agent_id", "queue_id"];

/// What was found. Each part of the check adds to it.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    /// The configuration is wrong: exit 78.
    problems: Vec<String>,
    /// The configuration can be read, but does not do what it should: exit 1.
    failures: Vec<String>,
    /// Nobody answered who could say: exit 69.
    unavailable: Vec<String>,
    warnings: Vec<String>,
    /// The price of what is configured, right as it may be.
    notes: Vec<String>,
    /// What would become of the interaction that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    interaction: Option<Preview>,
    /// What there is, by name.
    summary: BTreeMap<&'static str, String>,
}

impl Report {
    fn exit(&self) -> Exit {
        if !self.problems.is_empty() {
            Exit::Config
        } else if !self.failures.is_empty() {
            Exit::Failed
        } else if !self.unavailable.is_empty() {
            Exit::Unavailable
        } else {
            Exit::Ok
        }
    }
}

pub(super) async fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let mut report = Report::default();
    if let Some((config, rules)) = offline(file, &mut report)
        && args.online
    {
        // What the platform's client has to say, such as a clock that is off.
        telemetry::init("warn")?;
        let interaction = args.interaction.map(InteractionId);
        online::ask(&config, &rules, interaction, &mut report).await;
    }
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

/// What can be known here; if all of it could be read, what it says.
fn offline(file: &Path, report: &mut Report) -> Option<(Config, RuleSet)> {
    let loaded = match super::load(file, Secrets::Needed) {
        Ok(loaded) => loaded,
        Err(problems) => {
            report.problems = problems.iter().map(Problem::to_string).collect();
            return None;
        }
    };
    report.warnings = loaded.warnings.iter().map(Problem::to_string).collect();
    let config = loaded.config;
    let names: Vec<_> = config
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    report.summary.insert("sources", names.join(", "));
    report.notes = notes(&config);
    match config.read_rules() {
        Ok(rules) => {
            cases(&rules, &config, report);
            Some((config, rules))
        }
        Err(problems) => {
            report.problems = problems.iter().map(Problem::to_string).collect();
            None
        }
    }
}

/// What the sources cost, each price once: with many sources the same line for each would hide the others.
fn notes(config: &Config) -> Vec<String> {
    let mut paid: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in &config.sources {
        for note in source.notes() {
            paid.entry(note).or_default().push(source.name.as_str());
        }
    }
    let told = paid.iter().map(|(note, names)| match &names[..] {
        [name] => format!("source {name}: {note}"),
        names => format!("sources {}: {note}", names.join(", ")),
    });
    told.collect()
}

fn cases(rules: &RuleSet, config: &Config, report: &mut Report) {
    let file = &config.rules.file;
    let cases = rules.run_cases();
    let warnings = rules.warnings().into_iter();
    report
        .warnings
        .extend(warnings.map(|warning| format!("{}: {warning}", file.display())));
    for (source, fields) in rules.unused_fields() {
        let told = |field: &&str| !USED_ELSEWHERE.contains(field) && !config.platform.writes(field);
        let fields: Vec<&str> = fields.into_iter().filter(told).collect();
        if !fields.is_empty() {
            report.warnings.push(format!(
                "source {source}: no rule uses {}",
                fields.join(", ")
            ));
        }
    }
    let failed = cases.iter().filter(|case| !case.passed);
    report.failures.extend(failed.map(|case| {
        let (line, column) = case.at;
        format!(
            "{}:{line}:{column}: case `{}`: expected {}, got {} with the fields of source {}",
            file.display(),
            case.name,
            case.expected,
            case.got,
            case.source
        )
    }));
    let passed = cases.iter().filter(|case| case.passed).count();
    report
        .summary
        .insert("rules", rules.rules().len().to_string());
    report
        .summary
        .insert("cases", format!("{passed} of {} passed", cases.len()));
}

fn written(file: &Path, report: &Report) -> String {
    let mut lines = Vec::new();
    lines.extend(report.problems.iter().cloned());
    lines.extend(report.failures.iter().map(|line| format!("failed: {line}")));
    let unavailable = report.unavailable.iter();
    lines.extend(unavailable.map(|line| format!("unavailable: {line}")));
    lines.extend(
        report
            .warnings
            .iter()
            .map(|line| format!("warning: {line}")),
    );
    lines.extend(report.notes.iter().map(|line| format!("note: {line}")));
    for (name, text) in report.interaction.iter().flat_map(|told| &told.lines) {
        lines.push(format!("interaction: {name}: {text}"));
    }
    let count = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    };
    let mut verdict = match report.exit() {
        Exit::Ok => "ok".to_owned(),
        Exit::Config => count(report.problems.len(), "problem", "problems"),
        Exit::Unavailable => "the platform could not be asked".to_owned(),
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
