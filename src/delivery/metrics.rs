//! What delivery shows of itself.

use prometheus::{Histogram, IntCounterVec, IntGauge, IntGaugeVec};

use super::breaker::BREAKERS;
use super::verdict::Verdict;
use crate::metrics::{Registry, SLOW_SECONDS};
use crate::store::DeadClass;

#[derive(Clone, Debug)]
pub(super) struct Metrics {
    /// From accepted to assigned, in seconds.
    pub duration: Histogram,
    pub verdicts: IntCounterVec,
    pub dead: IntCounterVec,
    pub workers_busy: IntGauge,
    pub workers: IntGauge,
    pub breaker_open: IntGaugeVec,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let metrics = Self {
            duration: registry.histogram(
                "wrapup_delivery_duration_seconds",
                "From the acceptance of a survey to the platform taking its code.",
                SLOW_SECONDS,
            ),
            verdicts: registry.counters(
                "wrapup_assignments_total",
                "Attempts to assign a code, by what they meant for the delivery.",
                &["verdict"],
            ),
            dead: registry.counters(
                "wrapup_dead_total",
                "Deliveries that died, by class.",
                &["class"],
            ),
            workers_busy: registry.gauge("wrapup_workers_busy", "Workers with a delivery in hand."),
            workers: registry.gauge("wrapup_workers", "Workers at most (delivery.workers)."),
            breaker_open: registry.gauges(
                "wrapup_breaker_open",
                "1 while the breaker is open.",
                &["breaker"],
            ),
        };
        // Present from the start, so that a rate over them begins at zero.
        for verdict in Verdict::ALL {
            metrics.verdicts.with_label_values(&[verdict.as_str()]);
        }
        for class in DeadClass::ALL {
            metrics.dead.with_label_values(&[class.as_str()]);
        }
        for breaker in BREAKERS {
            metrics.breaker_open.with_label_values(&[breaker]).set(0);
        }
        metrics
    }
}
