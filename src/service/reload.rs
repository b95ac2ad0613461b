//! What is read again while the service runs: secrets every minute, rules when their file changes, both on SIGHUP.
//!
//! A file that is not valid changes nothing: what runs goes on, with an error in the log and a metric.

mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use prometheus::{IntCounterVec, IntGauge};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::metrics::Registry;
use crate::rules::RuleSet;
use crate::secret::{Reload, Secret};

use watch::Watch;

const SECRETS_EVERY: Duration = Duration::from_mins(1);
/// How often the rules file is looked at. It is taken when it has changed and two looks saw the same: not while somebody
/// is still writing it.
const RULES_EVERY: Duration = Duration::from_secs(1);

/// How often the rules were read again, and whether those of the file are in force.
#[derive(Debug)]
pub(super) struct Metrics {
    reloads: IntCounterVec,
    refused: IntGauge,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let reloads = registry.counters(
            "wrapup_rules_reload_total",
            "Reloads of the rules file.",
            &["outcome"],
        );
        for outcome in ["ok", "unchanged", "failed"] {
            reloads.with_label_values(&[outcome]);
        }
        let refused = registry.gauge(
            "wrapup_rules_refused",
            "1 while the rules file is refused and the rules before it are in force.",
        );
        Self { reloads, refused }
    }

    fn count(&self, outcome: &str) {
        self.reloads.with_label_values(&[outcome]).inc();
        self.refused.set(i64::from(outcome == "failed"));
    }
}

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) secrets: Vec<Secret>,
    pub(super) config: Config,
    pub(super) rules: Arc<ArcSwap<RuleSet>>,
    /// Why the last reload failed, for `/readyz`.
    pub(super) trouble: Arc<ArcSwapOption<String>>,
    pub(super) metrics: Metrics,
    pub(super) closing: CancellationToken,
}

pub(super) async fn run(parts: Parts) {
    let Ok(hangup) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be listened for; rules are read again only by a restart");
        return parts.closing.cancelled().await;
    };
    // A file system that does not answer must not hold up the end; what is being read is dropped.
    tokio::select! {
        () = parts.closing.cancelled() => {}
        () = listen(&parts, hangup) => {}
    }
}

async fn listen(parts: &Parts, mut hangup: Signal) {
    let mut secrets_due = tokio::time::interval(SECRETS_EVERY);
    let mut rules_due = tokio::time::interval(RULES_EVERY);
    for due in [&mut secrets_due, &mut rules_due] {
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut watch = Watch::new(parts.rules.load().hash());
    // All of these are cancel-safe.
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: reading rules and secrets again");
                reload_secrets(&parts.secrets);
                let read = read(parts).await;
                watch.takes(&read);
                reload_rules(parts, read).await;
            }
            _ = secrets_due.tick() => reload_secrets(&parts.secrets),
            _ = rules_due.tick() => {
                let read = read(parts).await;
                if watch.sees(&read) {
                    reload_rules(parts, read).await;
                }
            }
        }
    }
}

fn reload_secrets(secrets: &[Secret]) {
    for secret in secrets {
        match secret.reload() {
            Ok(Reload::Unchanged) => {}
            Ok(Reload::Changed) => {
                tracing::info!(origin = ?secret.origin(), "a secret was rotated");
            }
            Err(error) => {
                let error = crate::telemetry::chain(&error);
                tracing::warn!(
                    error,
                    "a secret could not be read again; the old one stays in force"
                );
            }
        }
    }
}

/// The text of the rules file as it is now. Whether it is good is not judged here.
async fn read(parts: &Parts) -> Result<String, String> {
    let config = parts.config.clone();
    let read = tokio::task::spawn_blocking(move || config.rules_text()).await;
    let read = read.map_err(|died| died.to_string())?;
    read.map_err(|problems| problems.to_string())
}

/// Puts the rules of a text into force, whole, or leaves those in force that are.
async fn reload_rules(parts: &Parts, read: Result<String, String>) {
    let compiled = match read {
        Ok(text) => {
            let config = parts.config.clone();
            let compiled = tokio::task::spawn_blocking(move || acceptable(&config, &text)).await;
            compiled.unwrap_or_else(|died| Err(died.to_string()))
        }
        Err(why) => Err(why),
    };
    match compiled {
        Ok(rules) if rules.hash() == parts.rules.load().hash() => {
            parts.trouble.store(None);
            parts.metrics.count("unchanged");
        }
        Ok(rules) => {
            let hash = Arc::clone(rules.hash());
            for warning in rules.warnings() {
                tracing::warn!("{}: {warning}", parts.config.rules.file.display());
            }
            parts.rules.store(Arc::new(rules));
            parts.trouble.store(None);
            parts.metrics.count("ok");
            tracing::info!(%hash, "the rules were changed");
        }
        Err(why) => fail(parts, &why),
    }
}

/// Rules that may come into force: valid, and every case passes. Blocks.
fn acceptable(config: &Config, text: &str) -> Result<RuleSet, String> {
    let rules = config
        .compile_rules(text)
        .map_err(|problems| problems.to_string())?;
    let failing: Vec<_> = rules
        .run_cases()
        .into_iter()
        .filter(|case| !case.passed)
        .map(|case| case.name)
        .collect();
    if failing.is_empty() {
        Ok(rules)
    } else {
        Err(format!("failing cases: {}", failing.join(", ")))
    }
}

fn fail(parts: &Parts, why: &str) {
    parts.metrics.count("failed");
    tracing::error!(
        error = why,
        "the changed rules are not valid; the running ones stay in force"
    );
    parts.trouble.store(Some(Arc::new(format!(
        "the rules file is not valid and was not loaded: {why}; mend it (it is read again when it changes, or on SIGHUP)"
    ))));
}
