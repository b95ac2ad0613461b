//! What the outside sees: webhooks, health and metrics.
//!
//! Two listeners, served by the same hardened [`server`]: the public one takes webhooks, the admin one answers
//! operators. Invariant: every answer of ours that refuses is a [`problem`], and neither answers nor logs hold what a
//! survey said.

pub mod config;
pub mod health;
pub mod problem;
pub mod server;
pub mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::routing::{any, get};
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, Method};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

pub use config::{Admin, Config};
pub use health::{Health, Readiness, Report, Scrape};
use problem::{Kind, Problem};
pub use webhook::Intake;

use crate::metrics::Registry;
use webhook::Desk;

/// What the public listener serves. Webhooks, and health without reasons.
pub fn public_router(intake: Intake, health: Health, registry: &Registry) -> Router {
    let sources = intake.sources.values();
    let tokens: Vec<_> = (sources.flat_map(|source| source.sensitive_headers().cloned())).collect();
    let desk = Arc::new(Desk::new(intake, registry));
    let health = Arc::new(health);
    let webhooks = Router::new()
        .route("/webhooks/{source}", any(webhook::receive))
        .route("/webhooks/{source}/{token}", any(webhook::receive))
        .fallback(webhook::elsewhere)
        .with_state(desk);
    let health = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready_publicly))
        .method_not_allowed_fallback(only_get)
        .with_state(health);
    layered(webhooks.merge(health), tokens)
}

/// What the admin listener serves. There is neither an API nor a dashboard yet: both answer 404.
pub fn admin_router(health: Health) -> Router {
    let router = Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(only_get)
        .fallback(nothing_here)
        .with_state(Arc::new(health));
    layered(router, Vec::new())
}

async fn only_get() -> Problem {
    Problem::new(Kind::MethodNotAllowed("GET, HEAD"))
}

async fn nothing_here() -> Problem {
    Problem::new(Kind::NotFound).detail("The paths here are /livez, /readyz and /metrics.")
}

/// One stack for every route: a layer for each would box each request's future once more. `tokens` are headers in
/// which secrets are sent, besides those where everybody does.
fn layered(router: Router, tokens: Vec<HeaderName>) -> Router {
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(())
        .on_body_chunk(())
        .on_eos(())
        // A 503 is an answer like any other here; what is wrong is logged where it is known.
        .on_failure(());
    let usual = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
    let sensitive = usual.into_iter().chain(tokens);
    router.layer((
        SetSensitiveRequestHeadersLayer::new(sensitive),
        trace,
        CatchPanicLayer::custom(problem::after_panic),
    ))
}

/// The template of the route, never the path or the query: these hold what clients wrote, and some put secrets there.
fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>();
    tracing::debug_span!(
        "request",
        method = known(request.method()),
        route = route.map_or("none", MatchedPath::as_str),
    )
}

/// A method is any word that the client likes; only known ones are logged.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

impl From<&Config> for server::Limits {
    fn from(config: &Config) -> Self {
        Self {
            max_connections: config.max_connections,
            header_timeout: config.header_timeout,
            request_timeout: config.request_timeout,
            keep_alive: config.keep_alive,
        }
    }
}
