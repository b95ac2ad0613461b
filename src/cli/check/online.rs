//! The online half: what only the platform knows.
//!
//! Two questions, in the order in which the service asks them: a token, then the list of codes. Nothing is written.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Report;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Registry;
use crate::platform::pacer::Pacer;
use crate::platform::{self, Code, Failure, TokenFailure};
use crate::rules::RuleSet;

/// For everything together, pauses after 429s included: who checks wants an answer.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn ask(config: &Config, rules: &RuleSet, report: &mut Report) {
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
    let asking = async {
        platform.renew_token().await.map_err(Failure::Token)?;
        platform.load_codes().await
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(codes)) => compare(config, rules, &codes, report),
        Ok(Err(failure)) => told(&failure, &base_url, report),
        Err(_) => report.unavailable.push(format!(
            "{base_url}: no answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// Refusals are for somebody to mend; what may pass by itself is not.
fn told(failure: &Failure, base_url: &str, report: &mut Report) {
    let line = format!("{base_url}: {failure}");
    match failure {
        Failure::NoSlot
        | Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::Token(
            TokenFailure::Unavailable { .. }
            | TokenFailure::RateLimited { .. }
            | TokenFailure::NoSlot,
        ) => report.unavailable.push(line),
        Failure::Unauthorized { .. }
        | Failure::Forbidden { .. }
        | Failure::Barred { .. }
        | Failure::NotFound { .. }
        | Failure::Refused { .. }
        | Failure::Token(TokenFailure::Refused { .. }) => report.failures.push(line),
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
