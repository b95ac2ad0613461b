//! What is counted of webhooks. Each source's counters are made once, so that a request touches only atomics.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use tokio::time::Instant;

use crate::intake::Refusal;
use crate::metrics::{FAST_SECONDS, Registry};

/// How a webhook ended: the label `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted,
    Ignored,
    Duplicate,
    Quarantined,
    Unauthorized,
    Malformed,
    TooLarge,
    Timeout,
    Overloaded,
    Unavailable,
    UnknownSource,
}

#[derive(Debug)]
pub(super) struct Metrics {
    webhooks: IntCounterVec,
    duration: HistogramVec,
    signature_failures: IntCounterVec,
    rule_matches: IntCounterVec,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            webhooks: registry.counters(
                "wrapup_webhooks_total",
                "Webhooks, by source and by how they were answered.",
                &["source", "outcome"],
            ),
            duration: registry.histograms(
                "wrapup_webhook_duration_seconds",
                "From a webhook's head to its answer.",
                &["source"],
                FAST_SECONDS,
            ),
            signature_failures: registry.counters(
                "wrapup_signature_failures_total",
                "Webhooks whose signature did not pass, by reason.",
                &["source", "reason"],
            ),
            rule_matches: registry.counters(
                "wrapup_rule_matches_total",
                "Stored surveys that a rule matched.",
                &["rule"],
            ),
        }
    }

    /// `source` is a configured name, or `unknown`: what clients write is no label.
    pub(super) fn meter(&self, source: &str) -> Meter {
        let count = |outcome| self.webhooks.with_label_values(&[source, outcome]);
        Meter {
            accepted: count("accepted"),
            ignored: count("ignored"),
            duplicate: count("duplicate"),
            quarantined: count("quarantined"),
            unauthorized: count("unauthorized"),
            malformed: count("malformed"),
            too_large: count("too_large"),
            timeout: count("timeout"),
            overloaded: count("overloaded"),
            unavailable: count("unavailable"),
            unknown_source: count("unknown_source"),
            duration: self.duration.with_label_values(&[source]),
        }
    }

    /// Each reason begins at zero, so that its first failures are seen as a change.
    pub(super) fn expect_failures(&self, source: &str) {
        for refusal in Refusal::ALL {
            self.signature_failures
                .with_label_values(&[source, refusal.reason()]);
        }
    }

    pub(super) fn signature_failure(&self, source: &str, reason: &str) {
        self.signature_failures
            .with_label_values(&[source, reason])
            .inc();
    }

    pub(super) fn rule_match(&self, rule: &str) {
        self.rule_matches.with_label_values(&[rule]).inc();
    }
}

/// One source's counters.
#[derive(Debug)]
pub(super) struct Meter {
    accepted: IntCounter,
    ignored: IntCounter,
    duplicate: IntCounter,
    quarantined: IntCounter,
    unauthorized: IntCounter,
    malformed: IntCounter,
    too_large: IntCounter,
    timeout: IntCounter,
    overloaded: IntCounter,
    unavailable: IntCounter,
    unknown_source: IntCounter,
    duration: Histogram,
}

impl Meter {
    pub(super) fn count(&self, outcome: Outcome, since: Instant) {
        let counter = match outcome {
            Outcome::Accepted => &self.accepted,
            Outcome::Ignored => &self.ignored,
            Outcome::Duplicate => &self.duplicate,
            Outcome::Quarantined => &self.quarantined,
            Outcome::Unauthorized => &self.unauthorized,
            Outcome::Malformed => &self.malformed,
            Outcome::TooLarge => &self.too_large,
            Outcome::Timeout => &self.timeout,
            Outcome::Overloaded => &self.overloaded,
            Outcome::Unavailable => &self.unavailable,
            Outcome::UnknownSource => &self.unknown_source,
        };
        counter.inc();
        self.duration.observe(since.elapsed().as_secs_f64());
    }
}
