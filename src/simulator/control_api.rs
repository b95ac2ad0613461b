//! The control API under `/control`: what [`Control`] does, for scripts and people with `curl`.
//!
//! It takes no token and passes neither limit nor faults, and no call of it is recorded: a rehearsal's strings, never
//! to be reached from outside.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::book::Code;
use super::cases::Interaction;
use super::control::{Control, ReceivedFilter};
use super::conversations::{Conversation, id_of};
use super::fault::Fault;
use super::limit::Limit;
use super::record::Operation;
use super::world::World;
use crate::units::Span;

/// Interactions and faults come by the thousand.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
const DEFAULT_PAGE: usize = 1000;
const MAX_PAGE: usize = 20_000;

impl FromRef<Arc<World>> for Control {
    fn from_ref(world: &Arc<World>) -> Self {
        Self::new(Arc::clone(world))
    }
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/", get(async || Json(help())))
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/interactions", post(set_interactions))
        .route(
            "/interactions/{id}",
            get(interaction).delete(forget_interaction),
        )
        .route("/conversations", post(set_conversations))
        .route(
            "/conversations/{id}",
            get(conversation).delete(forget_conversation),
        )
        .route("/access", get(access).put(set_access))
        .route("/codes", get(codes).post(add_codes))
        .route("/codes/{code}", delete(remove_code))
        .route("/limit", get(limit).put(set_limit))
        .route("/others", post(others_call))
        .route("/tokens", post(set_tokens).delete(revoke_tokens))
        .route("/received", get(received))
        .route("/calls", get(calls))
        .route(
            "/stats",
            get(async |State(control): State<Control>| Json(control.stats())),
        )
        .route("/reset", post(reset))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "no such control; see GET /control"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

fn help() -> Value {
    json!({
        "GET /control/stats": "counts by operation and status; 429s and the busiest window since a limit was set last",
        "GET /control/received?since=&limit=&interaction=&code=&status=&applied=": "assignments asked for; go on from `next` while `more`",
        "GET /control/calls?since=&limit=&operation=": "all calls; operation is token, codes, state, assign, confirm, allowed or other",
        "GET, POST, DELETE /control/faults, DELETE /control/faults/{id}": {"on": "assign", "times": 3, "status": 503, "retry_after": 5},
        "POST /control/interactions, GET, DELETE /control/interactions/{id}": {"id": "<uuid>", "state": "connected", "looks": 2},
        "POST /control/conversations, GET, DELETE /control/conversations/{id}": {"id": "<uuid>", "legs": [{"user": "anna", "queue": "sales"}, {"user": "ben", "media": "callbacks"}]},
        "GET, PUT /control/access": {"permissions": ["conversation:participant:wrapup"], "apps_wrap_up": false},
        "GET, POST /control/codes, DELETE /control/codes/{name or id}": {"id": "<uuid>", "code": "WU_X", "name": "X"},
        "GET, PUT /control/limit": {"limit": "100/1s", "quota": "1000/24h", "token_limit": "1/1m"},
        "POST /control/others": {"calls": 50},
        "POST /control/tokens": {"lifetime": "5m", "scopes": ["interaction:view"]},
        "DELETE /control/tokens": "revokes all",
        "POST /control/reset": "everything as at the start",
    })
}

/// Reads one, or an array. Not with an untagged enum: that would say nothing of what is wrong.
fn one_or_many<T: serde::de::DeserializeOwned>(body: Value) -> Result<Vec<T>, String> {
    let read = if body.is_array() {
        serde_json::from_value(body)
    } else {
        serde_json::from_value(body).map(|one| vec![one])
    };
    read.map_err(|cause| cause.to_string())
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

fn found(found: bool) -> Response {
    if found {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refuse(StatusCode::NOT_FOUND, "there is none")
    }
}

async fn faults(State(control): State<Control>) -> Response {
    Json(control.faults()).into_response()
}

/// Every fault is judged before the first is armed.
async fn add_faults(State(control): State<Control>, Json(body): Json<Value>) -> Response {
    let faults: Vec<Fault> = match one_or_many(body) {
        Ok(faults) => faults,
        Err(bad) => return refuse(StatusCode::BAD_REQUEST, &bad),
    };
    let mut all = faults.iter();
    let judged = all.try_for_each(|fault| control.check_fault(fault));
    let added = judged.and_then(|()| {
        let ids = faults.into_iter().map(|fault| control.add_fault(fault));
        ids.collect::<Result<Vec<_>, _>>()
    });
    match added {
        Ok(ids) => (StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response(),
        Err(bad) => refuse(StatusCode::BAD_REQUEST, &bad.to_string()),
    }
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(control): State<Control>, Path(id): Path<u64>) -> Response {
    found(control.remove_fault(id))
}

async fn set_interactions(State(control): State<Control>, Json(body): Json<Value>) -> Response {
    let told: Vec<Interaction> = match one_or_many(body) {
        Ok(told) => told,
        Err(bad) => return refuse(StatusCode::BAD_REQUEST, &bad),
    };
    for interaction in told {
        if let Err(refused) = control.set_interaction(interaction) {
            return refuse(StatusCode::BAD_REQUEST, &refused.to_string());
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn interaction(State(control): State<Control>, Path(id): Path<Uuid>) -> Response {
    match control.interaction(id) {
        Some(standing) => Json(json!({
            "id": id,
            "codeName": control.assigned(id),
            "standing": standing,
        }))
        .into_response(),
        None => found(false),
    }
}

async fn forget_interaction(State(control): State<Control>, Path(id): Path<Uuid>) -> Response {
    found(control.forget_interaction(id))
}

async fn codes(State(control): State<Control>) -> Json<Vec<Code>> {
    Json(control.codes())
}

async fn add_codes(State(control): State<Control>, Json(body): Json<Value>) -> Response {
    match one_or_many(body) {
        Ok(codes) => {
            for code in codes {
                control.add_code(code);
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(bad) => refuse(StatusCode::BAD_REQUEST, &bad),
    }
}

async fn remove_code(State(control): State<Control>, Path(code): Path<String>) -> Response {
    found(control.remove_code(&code) > 0)
}

async fn set_conversations(State(control): State<Control>, Json(body): Json<Value>) -> Response {
    let told: Vec<Conversation> = match one_or_many(body) {
        Ok(told) => told,
        Err(bad) => return refuse(StatusCode::BAD_REQUEST, &bad),
    };
    for conversation in &told {
        if let Err(refused) = control.set_conversation(conversation) {
            return refuse(StatusCode::BAD_REQUEST, &refused.to_string());
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// An id, or the word that a script called it by.
async fn conversation(State(control): State<Control>, Path(word): Path<String>) -> Response {
    let id = id_of(&word);
    match control.conversation(id) {
        Some(standing) => Json(json!({
            "id": id,
            "codeName": control.assigned(id),
            "standing": standing,
        }))
        .into_response(),
        None => found(false),
    }
}

async fn forget_conversation(State(control): State<Control>, Path(word): Path<String>) -> Response {
    found(control.forget_conversation(id_of(&word)))
}

async fn access(State(control): State<Control>) -> Json<Value> {
    let (permissions, apps_wrap_up) = control.access();
    Json(json!({ "permissions": permissions, "apps_wrap_up": apps_wrap_up }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessBody {
    permissions: Option<Vec<String>>,
    apps_wrap_up: Option<bool>,
}

async fn set_access(State(control): State<Control>, Json(body): Json<AccessBody>) -> StatusCode {
    if let Some(permissions) = body.permissions {
        control.set_permissions(permissions);
    }
    if let Some(allowed) = body.apps_wrap_up {
        control.let_apps_wrap_up(allowed);
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitBody {
    limit: Option<Limit>,
    quota: Option<Limit>,
    token_limit: Option<Limit>,
}

async fn limit(State(control): State<Control>) -> Json<Value> {
    let (limit, quota, token_limit) = control.limits();
    Json(json!({ "limit": limit, "quota": quota, "token_limit": token_limit }))
}

async fn set_limit(State(control): State<Control>, Json(body): Json<LimitBody>) -> StatusCode {
    if let Some(limit) = body.limit {
        control.set_limit(limit);
    }
    if let Some(quota) = body.quota {
        control.set_quota(quota);
    }
    if let Some(limit) = body.token_limit {
        control.set_token_limit(limit);
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OthersBody {
    calls: usize,
}

async fn others_call(State(control): State<Control>, Json(body): Json<OthersBody>) -> StatusCode {
    control.others_call(body.calls);
    StatusCode::NO_CONTENT
}

/// For tokens issued from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensBody {
    lifetime: Option<Span>,
    scopes: Option<Vec<String>>,
}

async fn set_tokens(State(control): State<Control>, Json(body): Json<TokensBody>) -> StatusCode {
    if let Some(lifetime) = body.lifetime {
        control.set_token_lifetime(lifetime.0);
    }
    if let Some(scopes) = body.scopes {
        control.set_scopes(scopes);
    }
    StatusCode::NO_CONTENT
}

async fn revoke_tokens(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "revoked": control.revoke_tokens() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceivedQuery {
    #[serde(default)]
    since: u64,
    limit: Option<usize>,
    interaction: Option<Uuid>,
    code: Option<String>,
    status: Option<u16>,
    applied: Option<bool>,
}

async fn received(State(control): State<Control>, Query(query): Query<ReceivedQuery>) -> Response {
    let filter = ReceivedFilter {
        interaction: query.interaction,
        code: query.code.as_deref(),
        status: query.status,
        applied: query.applied,
    };
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    Json(control.received_since(query.since, limit, filter)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallsQuery {
    #[serde(default)]
    since: u64,
    limit: Option<usize>,
    operation: Option<Operation>,
}

async fn calls(State(control): State<Control>, Query(query): Query<CallsQuery>) -> Response {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    Json(control.calls_since(query.since, limit, query.operation)).into_response()
}

async fn reset(State(control): State<Control>) -> StatusCode {
    control.reset();
    StatusCode::NO_CONTENT
}
