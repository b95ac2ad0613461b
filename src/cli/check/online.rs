//! The online half: what only the platform knows.
//!
//! In the order in which the service asks: a token, the list of codes, what else may be read; and for one interaction,
//! if it is named, what would be written there. Nothing is written.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Report;
use crate::clock::Clock;
use crate::config::Config;
use crate::ids::{CodeId, CodeName, InteractionId, RuleName};
use crate::metrics::Registry;
use crate::platform::pacer::Pacer;
use crate::platform::{self, Assignment, Code, Failure, Look, Platform, Preview, TokenFailure};
use crate::rules::RuleSet;

/// For everything together, pauses after 429s included: who checks wants an answer.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn ask(
    config: &Config,
    rules: &RuleSet,
    interaction: Option<InteractionId>,
    report: &mut Report,
) {
    let clock = Clock::system();
    let registry = Registry::new();
    let settings = config.platform.clone();
    let base_url = settings.base_url.clone();
    let pacer = Pacer::new(&settings.rate_limit, clock.clone(), None, &registry);
    let platform = match platform::connect(settings, pacer, clock, &registry) {
        Ok(platform) => platform,
        Err(error) => {
            report.problems.push(error.to_string());
            return;
        }
    };
    let asking = Asking {
        config,
        rules,
        platform: &*platform,
        interaction,
    };
    // What was found before the time was over stays found.
    if tokio::time::timeout(PATIENCE, asking.all(report))
        .await
        .is_err()
    {
        report.unavailable.push(format!(
            "{base_url}: no answer within {} s",
            PATIENCE.as_secs()
        ));
    }
}

struct Asking<'a> {
    config: &'a Config,
    rules: &'a RuleSet,
    platform: &'a dyn Platform,
    interaction: Option<InteractionId>,
}

impl Asking<'_> {
    async fn all(&self, report: &mut Report) {
        if let Err(failure) = self.platform.renew_token().await {
            self.told(&Failure::Token(failure), report);
            return;
        }
        let codes = match self.platform.load_codes().await {
            Ok(codes) => {
                compare(self.config, self.rules, &codes, report);
                codes
            }
            Err(failure) => {
                self.told(&failure, report);
                if !is_refused(&failure) {
                    return;
                }
                // Each permission that is missing is told in one run.
                Vec::new()
            }
        };
        for failure in self.platform.lacks().await {
            self.told(&failure, report);
        }
        if let Some(interaction) = self.interaction {
            self.preview(interaction, &codes, report).await;
        }
    }

    /// What each code that a rule assigns would come to.
    async fn preview(&self, interaction: InteractionId, codes: &[Code], report: &mut Report) {
        let mut told = Preview::default();
        for (rule, name) in self.assigning() {
            let Some(code) = codes.iter().find(|code| code.name == name) else {
                continue;
            };
            let wanted = self.wanted(interaction, rule, code);
            match self.platform.preview(&wanted).await {
                Ok(preview) => {
                    // What is the same for all codes is told once.
                    for line in preview.lines {
                        if !told.lines.contains(&line) {
                            told.lines.push(line);
                        }
                    }
                }
                Err(failure) => {
                    self.told_of(&format!("interaction {interaction}: "), &failure, report);
                    break;
                }
            }
        }
        report.interaction = Some(told);
    }

    /// Each code once, with the first rule that assigns it.
    fn assigning(&self) -> Vec<(RuleName, CodeName)> {
        let mut seen = BTreeSet::new();
        let rules = self.rules.rules();
        let assigning =
            rules.filter_map(|rule| Some((rule.name().clone(), rule.assign()?.clone())));
        assigning
            .filter(|(_, code)| seen.insert(code.clone()))
            .collect()
    }

    fn wanted(&self, interaction: InteractionId, rule: RuleName, code: &Code) -> Assignment {
        Assignment {
            interaction,
            code_id: CodeId::new(code.id.as_str()),
            code: code.name.clone(),
            rule,
            answers: serde_json::Map::new(),
            wrap_up_time: Clock::system().now(),
            look: Look::Now,
            overwrite: self.config.delivery.overwrite,
            ours: Vec::new(),
            written_ago: None,
            lease_ends: Instant::now() + PATIENCE * 3,
        }
    }

    fn told(&self, failure: &Failure, report: &mut Report) {
        self.told_of("", failure, report);
    }

    /// Refusals are for somebody to mend; what may pass by itself is not.
    fn told_of(&self, what: &str, failure: &Failure, report: &mut Report) {
        let line = format!("{}: {what}{failure}", self.config.platform.base_url);
        if is_refused(failure) {
            report.failures.push(line);
        } else {
            report.unavailable.push(line);
        }
    }
}

fn is_refused(failure: &Failure) -> bool {
    match failure {
        Failure::NoSlot
        | Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::Token(
            TokenFailure::Unavailable { .. }
            | TokenFailure::RateLimited { .. }
            | TokenFailure::NoSlot,
        ) => false,
        Failure::Unauthorized { .. }
        | Failure::Forbidden { .. }
        | Failure::Barred { .. }
        | Failure::NotFound { .. }
        | Failure::Refused { .. }
        | Failure::Token(TokenFailure::Refused { .. }) => true,
    }
}

fn compare(config: &Config, rules: &RuleSet, codes: &[Code], report: &mut Report) {
    let known: BTreeSet<_> = codes.iter().map(|code| &code.name).collect();
    let division = match config.platform.divisions.as_slice() {
        [] => "of all divisions".to_owned(),
        [one] => format!("of division {one}"),
        several => format!("of divisions {}", several.join(", ")),
    };
    let assigned: BTreeSet<_> = rules.codes().collect();
    for code in assigned.difference(&known) {
        report.failures.push(format!(
            "{}: assigns {code}, which is not among the platform's {} codes {division}",
            config.rules.file.display(),
            known.len()
        ));
    }
    let count = format!("{} {division}", known.len());
    report.summary.insert("codes", count);
}
