//! `/livez`, `/readyz` and `/metrics`.
//!
//! What readiness means is not decided here but by the service, which sees all parts; here it becomes a status.
//! A load balancer must not close the door because the back office is shut: what is degraded still answers 200.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use crate::metrics::Registry;

/// Prometheus waits 10 s for all of it.
const SCRAPE_PATIENCE: Duration = Duration::from_secs(3);

/// What keeps the service from its work, in sentences that say what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Webhooks cannot be taken.
    pub blocking: Vec<String>,
    /// Webhooks are taken, but nothing is delivered now.
    pub degraded: Vec<String>,
}

/// Whoever sees all parts of the service.
pub trait Readiness: Send + Sync + 'static {
    fn report(&self) -> Report;
}

/// Brings gauges up to date that are counted only when somebody looks.
#[async_trait]
pub trait Scrape: Send + Sync + 'static {
    async fn refresh(&self);
}

/// What the health handlers look at.
#[derive(Clone)]
pub struct Health {
    pub readiness: Arc<dyn Readiness>,
    pub registry: Registry,
    pub scrape: Arc<dyn Scrape>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

fn answer(code: StatusCode, status: &'static str, reasons: Vec<String>) -> Response {
    let no_store = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (code, [no_store], Json(Answer { status, reasons })).into_response()
}

pub(super) async fn live() -> Response {
    answer(StatusCode::OK, "alive", Vec::new())
}

/// The operators' view: with reasons.
pub(super) async fn ready(
    State(health): State<Arc<Health>>,
    RawQuery(query): RawQuery,
) -> Response {
    let (code, status, reasons) =
        judge(health.readiness.report(), wants_delivery(query.as_deref()));
    answer(code, status, reasons)
}

/// The public view: reasons are nobody's business there.
pub(super) async fn ready_publicly(
    State(health): State<Arc<Health>>,
    RawQuery(query): RawQuery,
) -> Response {
    let (code, status, _) = judge(health.readiness.report(), wants_delivery(query.as_deref()));
    answer(code, status, Vec::new())
}

/// `?delivery=true`: degraded counts as not ready, for alerts and scripts. A query that says something else is no
/// reason to fail a health check.
fn wants_delivery(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == "delivery=true"))
}

type Judgement = (StatusCode, &'static str, Vec<String>);

fn judge(report: Report, delivery: bool) -> Judgement {
    let Report { blocking, degraded } = report;
    if !blocking.is_empty() {
        let reasons = blocking.into_iter().chain(degraded).collect();
        return (StatusCode::SERVICE_UNAVAILABLE, "unavailable", reasons);
    }
    match (degraded.is_empty(), delivery) {
        (true, _) => (StatusCode::OK, "ready", degraded),
        (false, false) => (StatusCode::OK, "degraded", degraded),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "degraded", degraded),
    }
}

pub(super) async fn metrics(State(health): State<Arc<Health>>) -> Response {
    // What could not be counted keeps its last value; the other metrics are worth more then than ever.
    if timeout(SCRAPE_PATIENCE, health.scrape.refresh())
        .await
        .is_err()
    {
        tracing::warn!("the store could not be counted in time for /metrics");
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], health.registry.render()).into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    fn check(blocking: &[&str], degraded: &[&str], delivery: bool, code: u16, status: &str) {
        let texts = |some: &[&str]| some.iter().map(|&text| text.to_owned()).collect();
        let report = Report {
            blocking: texts(blocking),
            degraded: texts(degraded),
        };
        let (got_code, got_status, reasons) = judge(report, delivery);
        assert_eq!((got_code.as_u16(), got_status), (code, status));
        assert_eq!(reasons.len(), blocking.len() + degraded.len());
    }

    #[test]
    fn trouble_in_the_back_office_leaves_the_door_open_unless_it_is_asked_for() {
        check(&[], &[], false, 200, "ready");
        check(&[], &[], true, 200, "ready");
        check(&[], &["breaker open"], false, 200, "degraded");
        check(&[], &["breaker open"], true, 503, "degraded");
        check(&["store"], &["breaker open"], false, 503, "unavailable");
    }

    struct Stub;

    impl Readiness for Stub {
        fn report(&self) -> Report {
            Report {
                blocking: vec!["disk full: free some".to_owned()],
                degraded: Vec::new(),
            }
        }
    }

    #[async_trait]
    impl Scrape for Stub {
        /// A store that hangs.
        async fn refresh(&self) {
            std::future::pending::<()>().await;
        }
    }

    async fn ask(path: &str) -> (u16, String) {
        let health = Health {
            readiness: Arc::new(Stub),
            registry: Registry::new(),
            scrape: Arc::new(Stub),
        };
        health.registry.gauge("a_gauge", "For this test.").set(7);
        let request = http::Request::get(path).body(axum::body::Body::empty());
        let router = crate::http::admin_router(health);
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_admin_listener_tells_reasons_and_metrics_even_while_the_store_hangs() {
        let (status, body) = ask("/readyz").await;
        assert_eq!(status, 503);
        let expected = r#"{"status":"unavailable","reasons":["disk full: free some"]}"#;
        assert_eq!(body, expected);
        let (status, body) = ask("/metrics").await;
        assert_eq!(status, 200);
        assert!(body.contains("a_gauge 7\n"), "{body}");
        for path in ["/", "/api/v1/deliveries", "/webhooks/generic"] {
            let (status, body) = ask(path).await;
            assert_eq!(status, 404);
            assert!(body.contains("urn:wrapup:problem:not-found"), "{body}");
        }
    }

    #[test]
    fn only_the_one_question_is_understood() {
        assert!(wants_delivery(Some("a=b&delivery=true")));
        assert!(!wants_delivery(Some("delivery=1")));
        assert!(!wants_delivery(None));
    }
}
