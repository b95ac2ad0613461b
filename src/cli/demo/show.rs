//! How the demo looks: a line that lives in a terminal, plain lines when piped.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use super::sample::Sample;
use super::stage::{Played, Stage};
use crate::simulator::Limit;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

pub(super) struct Show {
    live: bool,
    counts: Vec<(String, usize)>,
    total: usize,
    as_expected: usize,
}

impl Show {
    pub(super) fn new() -> Self {
        Self {
            live: std::io::stdout().is_terminal(),
            counts: Vec::new(),
            total: 0,
            as_expected: 0,
        }
    }

    pub(super) fn opening(stage: &Stage) -> std::io::Result<()> {
        line(&format!(
            "{STRONG}wrapup demo{STRONG:#}: signed surveys become wrap-up codes on a simulated platform"
        ))?;
        line("")?;
        line(&format!(
            "  webhooks   http://{}/webhooks/generic",
            stage.service.public
        ))?;
        line(&format!(
            "  operators  http://{}/readyz  /metrics",
            stage.service.admin
        ))?;
        line(&format!(
            "  simulator  {}  (what it received: /control/received)",
            stage.simulator.base_url()
        ))?;
        line("")?;
        let head = row(
            "survey",
            "answer",
            "rule",
            "code on the interaction",
            "took",
        );
        line(&format!("{FAINT}  {head}{FAINT:#}"))
    }

    /// Shows that a survey is on its way; only where a line can be taken back.
    pub(super) fn begin(&self, sample: &Sample) -> Option<ProgressBar> {
        self.live.then(|| {
            let bar = ProgressBar::new_spinner()
                .with_style(
                    ProgressStyle::with_template("{spinner:.cyan} {msg}")
                        .expect("a constant template"),
                )
                .with_message(format!("{:<26} {}", sample.title, "on its way"));
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        })
    }

    pub(super) fn end(
        &mut self,
        live: Option<ProgressBar>,
        sample: &Sample,
        played: &Played,
    ) -> std::io::Result<()> {
        if let Some(bar) = live {
            bar.finish_and_clear();
        }
        self.count(played);
        let answer = format!("{} {}", played.status, played.said);
        let (code, took) = match &played.code {
            Some((code, took)) => (code.as_str(), format!("{} ms", took.as_millis())),
            None => ("-", "-".to_owned()),
        };
        let text = row(
            sample.title,
            &answer,
            played.rule.as_deref().unwrap_or("-"),
            code,
            &took,
        );
        let (mark, style) = if played.as_expected {
            ("✓", GOOD)
        } else {
            ("✗", BAD)
        };
        line(&format!("{style}{mark}{style:#} {text}"))
    }

    pub(super) fn summary(&self, stage: &Stage) -> std::io::Result<()> {
        let stats = stage.simulator.control().stats();
        line("")?;
        line(&format!(
            "{STRONG}{} of {} as expected{STRONG:#}",
            self.as_expected, self.total
        ))?;
        for (what, count) in &self.counts {
            line(&format!("  {count:>3}  {what}"))?;
        }
        if let Limit::Window { requests, per } = stats.limit {
            let per = humantime::format_duration(per);
            line(&format!(
                "  {:>3}  calls of the platform at most in any {per}, of {requests} allowed; {} refused by its limit",
                stats.busiest_window, stats.limited
            ))?;
        }
        line("")?;
        line(&format!(
            "  metrics: http://{}/metrics",
            stage.service.admin
        ))
    }

    fn count(&mut self, played: &Played) {
        self.total += 1;
        self.as_expected += usize::from(played.as_expected);
        let what = match (&played.code, played.writes) {
            (Some((code, _)), _) => format!("assigned {code}"),
            (None, _) => format!("answered {} {}", played.status, played.said),
        };
        match self.counts.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((what, 1)),
        }
    }
}

fn row(survey: &str, answer: &str, rule: &str, code: &str, took: &str) -> String {
    format!("{survey:<26} {answer:<26} {rule:<16} {code:<24} {took:>8}")
}

/// To stdout, with colours only where they can be seen.
pub(super) fn line(text: &str) -> std::io::Result<()> {
    writeln!(anstream::stdout().lock(), "{text}")
}
