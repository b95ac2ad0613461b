//! Every row of the contract's table, and the order in which they answer.

mod bodies;
mod fake;
mod order;
mod rows;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Intake, Limits};
use crate::clock::Clock;
use crate::http::{Health, Readiness, Report, Scrape, public_router};
use crate::intake::{Payload, Source, SourceConfig, Stamp};
use crate::lifecycle::Lifecycle;
use crate::metrics::Registry;
use crate::rules::{RuleSet, Schema};
use crate::secret::Secret;
use fake::FakeStore;

const INTERACTION: &str = "0b9d7c1e-58a4-4a52-9f51-1f1c7a6e0001";
const MAX_BODY: usize = 1000;
/// For what must happen; only a hang takes so long.
const SOON: Duration = Duration::from_secs(20);

/// `strict` is as shipped; `lenient` accepts what it cannot read and answers handshakes. The others say what they are.
const SOURCES: [&str; 7] = [
    r#"
    name = "strict"
    preset = "hmac-sha256"
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    nps_score = { path = "$.nps_score", type = "number", min = 0, max = 10 }
    "#,
    r#"
    name = "lenient"
    preset = "hmac-sha256"
    ack = 200
    invalid = "accept"
    handshake = true
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    "#,
    r#"
    name = "batch"
    preset = "hmac-sha256"
    items = "$[*]"
    max_items = 3
    verify.id = "path:$.id"
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    nps_score = { path = "$.nps_score", type = "number", min = 0, max = 10 }
    "#,
    r#"
    name = "lenient-batch"
    preset = "hmac-sha256"
    items = "$[*]"
    ack = 200
    invalid = "accept"
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    "#,
    r#"
    name = "received"
    preset = "hmac-sha256"
    verify.over = "received"
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    "#,
    r#"
    name = "form"
    preset = "hmac-sha256"
    body = "form"
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    nps_score = { path = "$.nps_score", type = "number", min = 0, max = 10 }
    "#,
    r#"
    name = "multipart"
    preset = "hmac-sha256"
    body = "multipart:rawRequest"
    [fields]
    interaction_id = { path = "$.interactionId", type = "uuid", required = true }
    "#,
];

const RULES: &str = r#"
[[rule]]
name = "promoter"
when = "nps_score >= 9"
assign = "WU_PROMPT_SUCCESS"
[[rule]]
name = "noise"
when = "nps_score == 0"
ignore = true
"#;

struct Well;

impl Readiness for Well {
    fn report(&self) -> Report {
        Report::default()
    }
}

#[async_trait]
impl Scrape for Well {
    async fn refresh(&self) {}
}

struct Desk {
    router: Router,
    sources: HashMap<String, Arc<Source>>,
    store: Arc<FakeStore>,
    clock: Clock,
    wake: Arc<Notify>,
    closing: CancellationToken,
    lifecycle: Lifecycle,
    registry: Registry,
}

fn desk() -> Desk {
    desk_with(Limits {
        max_body: MAX_BODY,
        request_timeout: SOON,
        max_in_flight: 10,
    })
}

fn desk_with(limits: Limits) -> Desk {
    let build = |text: &str| {
        let config: SourceConfig = toml::from_str(text).unwrap();
        Arc::new(Source::build(&config, vec![Secret::fixed(b"a secret of the tests")]).unwrap())
    };
    let sources: Vec<Arc<Source>> = SOURCES.iter().map(|text| build(text)).collect();
    let fields = sources.iter().map(|source| (&source.name, source.fields()));
    let schema = Schema::new(fields).unwrap();
    let rules = RuleSet::parse(RULES, &schema).unwrap();
    let (store, registry) = (Arc::new(FakeStore::default()), Registry::new());
    let intake = Intake {
        sources: sources
            .iter()
            .map(|source| (source.name.clone(), Arc::clone(source)))
            .collect(),
        rules: Arc::new(ArcSwap::from_pointee(rules)),
        store: Arc::<FakeStore>::clone(&store),
        clock: Clock::system(),
        wake: Arc::new(Notify::new()),
        lifecycle: Lifecycle::new(),
        closing: CancellationToken::new(),
        limits,
    };
    let (clock, wake) = (intake.clock.clone(), Arc::clone(&intake.wake));
    let (closing, lifecycle) = (intake.closing.clone(), intake.lifecycle.clone());
    let health = Health {
        readiness: Arc::new(Well),
        registry: registry.clone(),
        scrape: Arc::new(Well),
    };
    Desk {
        router: public_router(intake, health, &registry),
        sources: sources
            .into_iter()
            .map(|source| (source.name.to_string(), source))
            .collect(),
        store,
        clock,
        wake,
        closing,
        lifecycle,
        registry,
    }
}

/// A survey that can be read.
fn survey(nps_score: i64) -> String {
    json!({ "interactionId": INTERACTION, "nps_score": nps_score }).to_string()
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn is_problem(&self, status: u16, slug: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["type"], format!("urn:wrapup:problem:{slug}"));
        assert_eq!(self.body["status"], status);
        let tells = self.headers.contains_key("retry-after");
        assert_eq!(tells, status == 503, "Retry-After goes with 503");
    }

    /// The delivery that it names.
    fn delivery(&self) -> &str {
        self.body["deliveryId"].as_str().unwrap()
    }
}

impl Desk {
    /// A request with a signature that passes.
    fn signed(&self, source: &str, body: &str) -> http::request::Builder {
        let signer = &self.sources[source];
        let id = uuid::Uuid::new_v4().to_string();
        let stamp = Stamp {
            secret: 0,
            private_key: None,
            now: self.clock.now(),
            id: &id,
        };
        let message = signer.sign(&stamp, Payload::Body(body.as_bytes())).unwrap();
        let mut request = Request::post(message.target).header("content-type", "application/json");
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        request
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    async fn post(&self, source: &str, body: &str) -> Answer {
        let request = self.signed(source, body).body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    fn rows(&self) -> usize {
        self.store.rows.lock().unwrap().len()
    }

    #[track_caller]
    fn counted(&self, source: &str, outcome: &str, times: u64) {
        let line =
            format!("wrapup_webhooks_total{{outcome=\"{outcome}\",source=\"{source}\"}} {times}\n");
        assert!(self.registry.render().contains(&line), "no {line}");
    }
}

/// A body that gives one piece and then neither ends nor goes on.
fn stuck() -> Body {
    let piece = futures_util::stream::once(async { Ok::<_, std::io::Error>(Bytes::from("{")) });
    let never = futures_util::stream::pending();
    Body::from_stream(futures_util::StreamExt::chain(piece, never))
}
