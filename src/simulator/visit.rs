//! The way of one call through the simulator: limit, fault, effect, answer, record.
//!
//! Invariant: every call is recorded exactly once, also one whose caller goes away half way.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{Answer, Context, http_date};
use super::fault::plan::Strike;
use super::fault::{Fate, Fault, Kind, When, shape};
use super::record::{Call, Operation, Received, Written};
use super::settings::Api;
use super::tokens::{Rights, Worth};
use super::world::{World, lock};
use crate::clock::UnixMs;

/// The longest body that a call may have.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// What is kept of a call's path.
const MAX_PATH_CHARS: usize = 512;
const CORRELATION: HeaderName = HeaderName::from_static("inin-correlation-id");

/// An operation of the API.
pub(super) struct Endpoint {
    pub(super) operation: Operation,
    /// Reads what a call is about, as far as it can be read: faults and records go by it.
    pub(super) glance: fn(&World, &Asked) -> Glance,
    /// Judges the call, changes the world, answers.
    pub(super) effect: fn(&World, &Asked) -> Done,
}

/// A call with its body.
pub(super) struct Asked {
    pub(super) head: Parts,
    pub(super) body: Bytes,
    /// The id in the path, as it was written.
    pub(super) path_id: Option<String>,
    /// What shall become of what it writes.
    pub(super) fate: Fate,
}

#[derive(Default)]
pub(super) struct Glance {
    pub(super) interaction: Option<Uuid>,
    pub(super) written: Option<Written>,
}

pub(super) struct Done {
    pub(super) answer: Answer,
    /// An assignment took effect.
    pub(super) event: Option<Uuid>,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            event: None,
        }
    }
}

impl Endpoint {
    pub(super) async fn visit(
        &self,
        world: Arc<World>,
        path_id: Option<String>,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let mut visit = Visit::begin(&world, self.operation, &head);
        let refusal = {
            let mut meter = lock(&world.meter);
            let admitted = meter.admit(self.operation, visit.arrived);
            admitted
                .err()
                .map(|turned| meter.refusal(turned, self.operation))
        };
        if let Some(refusal) = refusal {
            visit.limited = true;
            return visit.end(refusal);
        }
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            let message = "the body did not arrive, or is longer than 64 KiB";
            return visit.end(Answer::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too.large",
                message,
            ));
        };
        let mut asked = Asked {
            head,
            body,
            path_id,
            fate: Fate::Once,
        };
        let glance = (self.glance)(&world, &asked);
        visit.interaction = glance.interaction;
        visit.written = glance.written;
        let dice = rand::random::<f64>;
        let strike = lock(&world.faults).pick(self.operation, visit.interaction, dice);
        let Some(strike) = strike else {
            let done = (self.effect)(&world, &asked);
            visit.took_effect(done.event);
            return visit.end(done.answer);
        };
        let fault = &strike.fault;
        if fault.kind() != Kind::None {
            visit.fault = Some(fault.kind());
        }
        asked.fate = fault.fate();
        if fault.when() == When::Before {
            wait_out(&strike).await;
            if fault.kind() != Kind::None {
                return visit.end_spoilt(fault, Answer::empty());
            }
        }
        let done = (self.effect)(&world, &asked);
        visit.took_effect(done.event);
        if fault.when() == When::After {
            wait_out(&strike).await;
        }
        visit.end_spoilt(fault, done.answer)
    }
}

/// For as long as the latency takes, or until the fault is taken away.
async fn wait_out(strike: &Strike) {
    if let Some(latency) = strike.fault.latency {
        // Both are safe to cancel: they only wait.
        tokio::select! {
            () = tokio::time::sleep(latency.0) => {}
            () = strike.removed.cancelled() => {}
        }
    }
}

/// The record of a call that is being made: written when this goes, whatever the way.
struct Visit<'a> {
    world: &'a World,
    operation: Operation,
    method: Box<str>,
    path: Box<str>,
    at: UnixMs,
    arrived: Instant,
    context: Option<Uuid>,
    interaction: Option<Uuid>,
    written: Option<Written>,
    event: Option<Uuid>,
    fault: Option<Kind>,
    limited: bool,
    status: Option<StatusCode>,
}

impl<'a> Visit<'a> {
    fn begin(world: &'a World, operation: Operation, head: &Parts) -> Self {
        let path = head.uri.path_and_query().map_or("", |path| path.as_str());
        Self {
            world,
            operation,
            method: head.method.as_str().into(),
            path: path.chars().take(MAX_PATH_CHARS).collect(),
            at: world.now(),
            arrived: Instant::now(),
            context: None,
            interaction: None,
            written: None,
            event: None,
            fault: None,
            limited: false,
            status: None,
        }
    }

    /// Counted at once: with an answer that is delayed the effect is there before the answer.
    fn took_effect(&mut self, event: Option<Uuid>) {
        self.event = event;
        if event.is_some() {
            lock(&self.world.tally).assigned += 1;
            self.world.changed.notify_waiters();
        }
    }

    fn end(self, answer: Answer) -> Response {
        let status = answer.status;
        self.send(answer.into_response(), Some(status))
    }

    fn end_spoilt(self, fault: &Fault, answer: Answer) -> Response {
        let (response, status) = shape::shape(fault, answer, self.world.now());
        self.send(response, status)
    }

    fn send(mut self, mut response: Response, status: Option<StatusCode>) -> Response {
        self.status = status;
        let context = response.extensions().get::<Context>().copied();
        let headers = response.headers_mut();
        headers
            .entry(header::DATE)
            .or_insert_with(|| http_date(self.world.now()));
        lock(&self.world.meter).tell(headers, self.arrived);
        if let Some(Context(id)) = context
            && self.world.settings.api == Api::Conversations
        {
            self.context = Some(id);
            let id = HeaderValue::from_str(&id.to_string()).expect("a UUID is ASCII");
            headers.entry(CORRELATION).or_insert(id);
        }
        response
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let world = self.world;
        let status = self.status.map(|status| status.as_u16());
        let code_name = self
            .written
            .as_ref()
            .and_then(|written| written.code_name.clone());
        if self.event.is_some() {
            tracing::info!(
                operation = self.operation.as_str(),
                interaction.id = self.interaction.map(tracing::field::display),
                code.name = code_name.as_deref(),
                http.status = status,
                "assigned"
            );
        } else {
            tracing::debug!(
                operation = self.operation.as_str(),
                interaction.id = self.interaction.map(tracing::field::display),
                http.status = status,
                limited = self.limited,
                "called"
            );
        }
        lock(&world.tally).calls.add(self.operation, self.status);
        lock(&world.calls).push(|number| Call {
            number,
            at: self.at,
            since_start_us: world.since_start_us(self.arrived),
            operation: self.operation,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            interaction: self.interaction,
            status,
            limited: self.limited,
            correlation_id: self.context,
            fault: self.fault,
        });
        if let Some(written) = self.written.take() {
            lock(&world.received).push(|number| Received {
                number,
                at: self.at,
                interaction: self.interaction,
                code_id: written.code_id,
                code_name,
                wrap_up_time: written.wrap_up_time,
                leg: written.leg,
                notes: written.notes,
                event_id: self.event,
                status,
                fault: self.fault,
            });
        }
        world.changed.notify_waiters();
    }
}

/// The bearer token must be alive and carry `scope`; else the answer that says so.
pub(super) fn require(world: &World, head: &Parts, scope: &str) -> Result<(), Answer> {
    let rights = rights(world, head)?;
    if rights.scopes.iter().any(|have| have == scope) {
        return Ok(());
    }
    Err(Answer::error(
        StatusCode::FORBIDDEN,
        "missing.permissions",
        &format!("The token lacks the scope {scope}."),
    ))
}

/// What the bearer token was issued for, if it is alive.
pub(super) fn rights(world: &World, head: &Parts) -> Result<Rights, Answer> {
    let token = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value: &HeaderValue| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token else {
        return Err(Answer::unauthorized("No bearer token was given."));
    };
    match world.worth(token) {
        Worth::Good(rights) => Ok(rights),
        Worth::Expired => Err(Answer::unauthorized("The token has expired.")),
        Worth::Unknown => Err(Answer::unauthorized("The token is not known.")),
    }
}
