//! `GET /api/v2/interactions/{id}`: what an interaction is doing.

use http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::VIEW;
use crate::simulator::answer::Answer;
use crate::simulator::cases::{COMPLETED, Standing};
use crate::simulator::record::Operation;
use crate::simulator::settings::Unknown;
use crate::simulator::visit::{Asked, Done, Endpoint, Glance, require};
use crate::simulator::world::{World, lock};

pub(super) const STATE: Endpoint = Endpoint {
    operation: Operation::State,
    glance: |_, asked| Glance {
        interaction: asked.path_id.as_deref().and_then(strict_uuid),
        written: None,
    },
    effect: |world, asked| Done::from(look(world, asked).unwrap_or_else(|refusal| refusal)),
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StateBody {
    id: Uuid,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap_up_code: Option<CodeRef>,
}

#[derive(Serialize)]
struct CodeRef {
    id: Uuid,
}

fn look(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    require(world, &asked.head, VIEW)?;
    let id = asked
        .path_id
        .as_deref()
        .and_then(strict_uuid)
        .ok_or_else(|| Answer::bad_request("the interaction id is not a UUID"))?;
    let known = lock(&world.cases).look(id, Instant::now());
    let standing = held(known, world.settings.unknown)?;
    let body = StateBody {
        id,
        state: standing.state,
        wrap_up_code: standing.code_id.map(|id| CodeRef { id }),
    };
    Ok(Answer::json(StatusCode::OK, &body))
}

/// What the client may see of an interaction, or the refusal.
pub(super) fn held(known: Option<Standing>, unknown: Unknown) -> Result<Standing, Answer> {
    match (known, unknown) {
        (Some(standing), _) if standing.forbidden => Err(Answer::error(
            StatusCode::FORBIDDEN,
            "not.authorized",
            "The client's division does not hold this interaction.",
        )),
        (Some(standing), _) => Ok(standing),
        (None, Unknown::NotFound) => Err(Answer::not_found("No such interaction.")),
        (None, Unknown::Completed) => Ok(Standing {
            state: COMPLETED.to_owned(),
            code_id: None,
            forbidden: false,
            writes: 0,
        }),
    }
}

/// A UUID as 8-4-4-4-12, the only form that the platform takes.
pub(super) fn strict_uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}
