//! The Interaction API: token, codes, state, assignment. Its own wire types, written from the platform's page and
//! shared with nobody.

mod assign;
mod codes;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};

use super::oauth;
use super::world::World;

const VIEW: &str = "interaction:view";
const WRITE: &str = "interaction:write";

/// The paths of this API.
pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route(
            "/oauth/token",
            post(async |State(world): State<Arc<World>>, request: Request| {
                oauth::TOKEN.visit(world, None, request).await
            }),
        )
        .route(
            "/api/v2/routing/wrapupcodes",
            get(async |State(world): State<Arc<World>>, request: Request| {
                codes::CODES.visit(world, None, request).await
            }),
        )
        .route(
            "/api/v2/interactions/events",
            post(async |State(world): State<Arc<World>>, request: Request| {
                assign::ASSIGN.visit(world, None, request).await
            }),
        )
        .route(
            "/api/v2/interactions/{id}",
            get(
                async |State(world): State<Arc<World>>,
                       Path(id): Path<String>,
                       request: Request| {
                    state::STATE.visit(world, Some(id), request).await
                },
            ),
        )
}
