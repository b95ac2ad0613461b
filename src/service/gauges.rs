//! Gauges that are filled when Prometheus asks, not when something happens.

use std::sync::Arc;

use async_trait::async_trait;
use prometheus::{Gauge, IntGauge, IntGaugeVec};

use super::BackOffice;
use crate::clock::Clock;
use crate::http::Scrape;
use crate::metrics::Registry;
use crate::store::{State, Store};

#[derive(Debug)]
pub(super) struct Gauges {
    store: Arc<dyn Store>,
    back: BackOffice,
    clock: Clock,
    deliveries: IntGaugeVec,
    oldest_due: Gauge,
    bytes: IntGauge,
}

impl Gauges {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        back: &BackOffice,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        let build = registry.gauges(
            "wrapup_build_info",
            "What runs; always 1.",
            &["version", "revision"],
        );
        let revision = option_env!("WRAPUP_REVISION").unwrap_or("unknown");
        build
            .with_label_values(&[env!("CARGO_PKG_VERSION"), revision])
            .set(1);
        Self {
            store: Arc::clone(store),
            back: back.clone(),
            clock,
            deliveries: registry.gauges(
                "wrapup_deliveries",
                "Deliveries in the store, by state.",
                &["state"],
            ),
            oldest_due: registry.seconds(
                "wrapup_oldest_due_seconds",
                "How long the longest-waiting delivery has been due; 0 where none is.",
            ),
            bytes: registry.gauge("wrapup_store_bytes", "Size of the store on disk, in bytes."),
        }
    }
}

#[async_trait]
impl Scrape for Gauges {
    async fn refresh(&self) {
        self.back.pacer.refresh();
        self.back.codes.refresh_metrics();
        let census = match self.store.census().await {
            Ok(census) => census,
            Err(error) => {
                tracing::debug!(%error, "the store could not be counted for metrics");
                return;
            }
        };
        for (state, count) in State::ALL.iter().zip(census.states) {
            self.deliveries
                .with_label_values(&[state.as_str()])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let waited = census
            .oldest_due
            .map_or(0.0, |due| self.clock.now().since(due).as_secs_f64());
        self.oldest_due.set(waited);
        self.bytes
            .set(i64::try_from(census.bytes).unwrap_or(i64::MAX));
    }
}
