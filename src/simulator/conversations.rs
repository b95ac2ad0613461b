//! The public conversations API: token, codes, conversations, wrap-ups. Its own wire types, written from what is known
//! of it and shared with nobody.
//!
//! Where nothing is known it is strict: only the documented fields are taken, only ended conversations take a wrap-up,
//! and only the codes of a participant's queue.

mod codes;
mod held;
mod read;
mod told;
mod wrapup;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::request::Parts;
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use held::Held;
pub use held::{LegStanding, Standing};
pub use told::{Conversation, Leg, Medium, Queue, id_of};

use super::answer::Answer;
use super::oauth;
use super::settings::{Settings, Unknown};
use super::tokens::Rights;
use super::visit::{Endpoint, rights};
use super::world::{World, lock};
use held::Case;

const VIEW_CODES: &str = "routing:wrapupCode:view";
const VIEW: &str = "conversation:communication:view";
const WRAP_UP: &str = "conversation:participant:wrapup";

/// All that a client needs.
pub(super) const PERMISSIONS: [&str; 3] = [VIEW_CODES, VIEW, WRAP_UP];

/// What the client may do, whatever token it holds: the roles of the real one work at once, too.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) permissions: Vec<String>,
    pub(super) apps_wrap_up: bool,
}

impl Access {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            permissions: settings.permissions.clone(),
            apps_wrap_up: settings.apps_wrap_up,
        }
    }
}

/// The paths of this API.
pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/oauth/token", post(at(&oauth::TOKEN)))
        .route("/api/v2/routing/wrapupcodes", get(at(&codes::CODES)))
        .route("/api/v2/conversations/{c}", get(at(&read::CONVERSATION)))
        .route(
            "/api/v2/conversations/{c}/participants/{p}/wrapupcodes",
            get(at(&codes::ALLOWED)),
        )
        .route(
            "/api/v2/conversations/{media}/{c}/participants/{p}/communications/{k}/wrapup",
            get(at(&wrapup::CONFIRM)).post(at(&wrapup::ASSIGN)),
        )
}

/// An endpoint as the router wants it. It reads the path by itself: [`Place`].
fn at(
    endpoint: &'static Endpoint,
) -> impl Fn(State<Arc<World>>, Request) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static
{
    |State(world), request| Box::pin(endpoint.visit(world, None, request))
}

/// What a path of this API is about, as far as it can be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place<'a> {
    media: Option<&'a str>,
    conversation: Option<Uuid>,
    participant: Option<Uuid>,
    communication: Option<Uuid>,
}

impl<'a> Place<'a> {
    fn of(head: &'a Parts) -> Self {
        let path = head.uri.path();
        let rest = path.strip_prefix("/api/v2/conversations/");
        let segments: Vec<_> = rest.unwrap_or_default().split('/').collect();
        let id = |text: &str| Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
        match segments[..] {
            [conversation] => Self {
                conversation: id(conversation),
                ..Self::default()
            },
            [conversation, "participants", participant, _] => Self {
                conversation: id(conversation),
                participant: id(participant),
                ..Self::default()
            },
            [
                media,
                conversation,
                "participants",
                participant,
                _,
                communication,
                _,
            ] => Self {
                media: Some(media),
                conversation: id(conversation),
                participant: id(participant),
                communication: id(communication),
            },
            _ => Self::default(),
        }
    }
}

/// The token must be alive and the client's roles hold `permission`; else the answer that names it.
fn allow(world: &World, head: &Parts, permission: &str) -> Result<Rights, Answer> {
    let rights = rights(world, head)?;
    let access = lock(&world.access);
    if access.permissions.iter().any(|held| held == permission) {
        return Ok(rights);
    }
    Err(Answer::error_about(
        StatusCode::FORBIDDEN,
        "missing.permissions",
        &format!("The action needs permissions that this client lacks: {permission}"),
        &[("permissions", permission)],
    ))
}

/// The conversation of a call that does not count as a look at it.
fn peek(world: &World, place: &Place<'_>) -> Result<Case, Answer> {
    let known = place.conversation.and_then(|id| {
        let mut held = lock(&world.conversations);
        held.peek(id, Instant::now()).map(|case| case.clone())
    });
    see(world, place.conversation, known)
}

/// The conversation as it stands for a caller, or why it does not see it. One that nobody told of is an ordinary call
/// that has ended, or not there, as the settings say.
fn see(world: &World, id: Option<Uuid>, known: Option<Case>) -> Result<Case, Answer> {
    let id = id.ok_or_else(|| Answer::bad_request("The conversation id is not a UUID."))?;
    match (known, world.settings.unknown) {
        (Some(case), _) if case.forbidden => Err(Answer::error(
            StatusCode::FORBIDDEN,
            "not.authorized",
            "The conversation is in a division that this client has no access to.",
        )),
        (Some(case), _) => Ok(case),
        (None, Unknown::NotFound) => Err(Answer::not_found("There is no such conversation.")),
        (None, Unknown::Completed) => Ok(Case::ordinary(id, world.now())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_it_is_about() {
        let id = Uuid::from_u128(1);
        let check = |path: &str, expected: Place<'_>| {
            let request = http::Request::get(format!("/api/v2/conversations/{path}"));
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(Place::of(&head), expected, "{path}");
        };
        let whole = Place {
            media: Some("calls"),
            conversation: Some(id),
            participant: Some(id),
            communication: Some(id),
        };
        check(
            &format!("calls/{id}/participants/{id}/communications/{id}/wrapup"),
            whole,
        );
        let conversation = Place {
            conversation: Some(id),
            ..Place::default()
        };
        check(&id.to_string(), conversation);
        check(&id.simple().to_string(), Place::default());
    }
}
