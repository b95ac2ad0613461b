//! `POST /webhooks/{source}`, or with its token behind: from a request to an answer, in the order of the contract.
//!
//! Each check answers before the next is tried: in flight 503; path 404; method 405; content type and encoding 415;
//! size 413; time 408; signature 401; JSON 400; fields 422; store 503; duplicate 200. (A body is inflated before its
//! signature is verified where that is over what it was before: then the inflated size is 413 before 401, too, and
//! what cannot be inflated is 401.) Invariants: an answer of 2xx, 400 or 422 is
//! given after the commit; once the body is read, a client that leaves changes nothing; after that no timer of ours
//! answers 4xx.

mod answer;
mod body;
mod meter;
mod quiet;
mod taken;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Uri};
use serde_json::json;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::problem::{Kind, Problem};
use crate::clock::Clock;
use crate::ids::SourceName;
use crate::intake::{Codings, Received, Refusal, Rejected, Source};
use crate::lifecycle::Lifecycle;
use crate::metrics::Registry;
use crate::rules::RuleSet;
use crate::store::Store;
use meter::{Meter, Metrics, Outcome};
use quiet::Quiet;
use taken::Taken;

/// What taking webhooks needs of the service.
#[derive(Debug)]
pub struct Intake {
    pub sources: HashMap<SourceName, Arc<Source>>,
    pub rules: Arc<ArcSwap<RuleSet>>,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// Told after each commit of something to deliver.
    pub wake: Arc<Notify>,
    pub lifecycle: Lifecycle,
    /// The listener has closed: what comes late on kept connections is sent elsewhere.
    pub closing: CancellationToken,
    pub limits: Limits,
}

/// What one request, and all together, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes.
    pub max_body: usize,
    /// From the end of the head to the end of the body.
    pub request_timeout: Duration,
    /// Requests between their first check and their answer.
    pub max_in_flight: usize,
}

impl From<&super::Config> for Limits {
    fn from(config: &super::Config) -> Self {
        Self {
            max_body: config.max_body,
            request_timeout: config.request_timeout,
            max_in_flight: config.max_in_flight,
        }
    }
}

/// Where webhooks are handed in.
#[derive(Debug)]
pub(super) struct Desk {
    intake: Intake,
    endpoints: HashMap<Box<str>, Arc<Endpoint>>,
    /// For what names no source.
    unknown: Meter,
    metrics: Metrics,
    in_flight: Arc<Semaphore>,
    /// The store's troubles, which every request would tell again.
    troubles: Quiet,
}

/// One source, with its part of the metrics at hand.
#[derive(Debug)]
struct Endpoint {
    source: Arc<Source>,
    meter: Meter,
    refusals: Quiet,
}

impl Desk {
    pub(super) fn new(intake: Intake, registry: &Registry) -> Self {
        let metrics = Metrics::new(registry);
        let endpoints = intake.sources.iter().map(|(name, source)| {
            metrics.expect_failures(name.as_str());
            let endpoint = Endpoint {
                source: Arc::clone(source),
                meter: metrics.meter(name.as_str()),
                refusals: Quiet::default(),
            };
            (Box::from(name.as_str()), Arc::new(endpoint))
        });
        let permits = intake.limits.max_in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            endpoints: endpoints.collect(),
            unknown: metrics.meter("unknown"),
            metrics,
            in_flight: Arc::new(Semaphore::new(permits)),
            troubles: Quiet::default(),
            intake,
        }
    }

    /// The first check of all.
    fn admit(&self) -> Result<OwnedSemaphorePermit, Refused> {
        if self.intake.closing.is_cancelled() {
            return Err(Refused(Kind::ShuttingDown, Some(Outcome::Unavailable)));
        }
        Arc::clone(&self.in_flight)
            .try_acquire_owned()
            .map_err(|_full| Refused(Kind::Overloaded, Some(Outcome::Overloaded)))
    }
}

/// A refusal before anything is known of a survey, and what it counts as; a wrong method is no webhook at all.
struct Refused(Kind, Option<Outcome>);

/// Any path but those of the routes.
pub(super) async fn elsewhere(State(desk): State<Arc<Desk>>) -> Response {
    let kind = match desk.admit() {
        Ok(_) => Kind::NotFound,
        Err(Refused(kind, _)) => kind,
    };
    Problem::new(kind).into_response()
}

pub(super) async fn receive(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let since = Instant::now();
    let (name, behind) = address(request.uri());
    let endpoint = desk.endpoints.get(name).cloned();
    let is_longer = behind.is_some();
    let meter = endpoint
        .as_ref()
        .map_or(&desk.unknown, |known| &known.meter);
    let refuse = |Refused(kind, outcome)| {
        if let Some(outcome) = outcome {
            meter.count(outcome, since);
            if let Some(endpoint) = &endpoint {
                note_unread(endpoint, kind, outcome);
            }
        }
        Problem::new(kind).into_response()
    };
    let permit = match desk.admit() {
        Ok(permit) => permit,
        Err(refused) => return refuse(refused),
    };
    let Some(endpoint) = endpoint.as_ref() else {
        return refuse(Refused(Kind::UnknownSource, Some(Outcome::UnknownSource)));
    };
    let source = &endpoint.source;
    if is_longer && !source.has_path_token() {
        return refuse(Refused(Kind::NotFound, None));
    }
    if source.handshake && matches!(*request.method(), Method::GET | Method::HEAD) {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let codings = match check_head(source, &request) {
        Ok(codings) => codings,
        Err(refused) => return refuse(refused),
    };
    let (head, body) = request.into_parts();
    let limits = &desk.intake.limits;
    let deadline = since + limits.request_timeout;
    let body = match timeout_at(deadline, body::read(body, limits.max_body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(fault)) => return refuse(fault.refused()),
        Err(_late) => return refuse(Refused(Kind::BodyTimeout, Some(Outcome::Timeout))),
    };
    let taken = match authentic(&desk, endpoint, &head, &codings, body) {
        Ok(taken) => taken,
        Err(refused) => return refuse(refused),
    };
    // From here on it is not the client's connection that decides.
    let work = {
        let (desk, endpoint) = (Arc::clone(&desk), Arc::clone(endpoint));
        async move {
            let (outcome, response) = taken.keep(&desk, &endpoint.source).await;
            endpoint.meter.count(outcome, since);
            drop(permit);
            response
        }
    };
    desk.intake.lifecycle.see_through(work).await
}

/// The source's name, and what stands behind it. Names and tokens need no percent-encoding, so an encoded one is none.
fn address(uri: &Uri) -> (&str, Option<&str>) {
    let rest = uri.path().strip_prefix("/webhooks/").unwrap_or_default();
    rest.split_once('/')
        .map_or((rest, None), |(name, token)| (name, Some(token)))
}

/// Method, content type, and what was done to the body.
fn check_head(source: &Source, request: &Request) -> Result<Codings, Refused> {
    if *request.method() != Method::POST {
        let allow = if source.handshake {
            "GET, HEAD, POST"
        } else {
            "POST"
        };
        return Err(Refused(Kind::MethodNotAllowed(allow), None));
    }
    // What is not ASCII is no content type that anybody takes, but it is not none either.
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.map(|value| value.to_str().unwrap_or("?"));
    let untaken = |kind| Refused(kind, Some(Outcome::Malformed));
    if !source.takes(content_type) {
        return Err(untaken(Kind::UnsupportedMediaType));
    }
    Codings::of(request.headers()).map_err(|_untaken| untaken(Kind::UnsupportedEncoding))
}

/// Verifies, and only then reads and decides. Runs without a pause, so that nothing can end it halfway.
fn authentic(
    desk: &Desk,
    endpoint: &Endpoint,
    head: &Parts,
    codings: &Codings,
    body: Bytes,
) -> Result<Taken, Refused> {
    let source = &endpoint.source;
    let now = desk.intake.clock.now();
    let received = Received {
        target: head.uri.path_and_query().map_or("", PathAndQuery::as_str),
        path_token: address(&head.uri).1,
        headers: &head.headers,
        body,
        now,
    };
    match source.take(received, codings, desk.intake.limits.max_body) {
        Ok(readings) => Ok(Taken::decide(
            readings,
            &desk.intake.rules.load(),
            source,
            now,
        )),
        Err(Rejected::TooLarge) => Err(body::Fault::TooLarge.refused()),
        Err(Rejected::Refused(refusal)) => {
            note_refusal(desk, endpoint, refusal);
            Err(Refused(Kind::Unauthorized, Some(Outcome::Unauthorized)))
        }
    }
}

/// The client is not told why; the log is, but not by everybody who knocks.
fn note_refusal(desk: &Desk, endpoint: &Endpoint, refusal: Refusal) {
    let (source, reason) = (&endpoint.source.name, refusal.reason());
    desk.metrics.signature_failure(source.as_str(), reason);
    if let Some(count) = endpoint.refusals.say(reason, Instant::now()) {
        tracing::warn!(%source, reason, error = %refusal, count, "signature refused");
    }
}

/// What was refused before anybody could tell whether it was a survey. A sender whose form or gateway was changed sends
/// nothing else, and none of it is kept.
fn note_unread(endpoint: &Endpoint, kind: Kind, outcome: Outcome) {
    let unread = matches!(
        outcome,
        Outcome::Malformed | Outcome::TooLarge | Outcome::Timeout
    );
    if unread && let Some(count) = endpoint.refusals.say(kind.title(), Instant::now()) {
        tracing::warn!(source = %endpoint.source.name, http.status = kind.status().as_u16(), error = kind.title(), count,
            "a webhook was refused before it was read");
    }
}

#[cfg(test)]
mod tests;
