//! `GET /api/v2/routing/wrapupcodes` and `GET .../participants/{id}/wrapupcodes`: all codes, and those of a queue.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::told::id_of;
use super::{Place, VIEW, VIEW_CODES, allow, peek};
use crate::simulator::answer::Answer;
use crate::simulator::book::Code;
use crate::simulator::record::Operation;
use crate::simulator::visit::{Asked, Done, Endpoint, Glance};
use crate::simulator::world::{World, lock};

const DEFAULT_PAGE_SIZE: usize = 25;
const MAX_PAGE_SIZE: usize = 500;
/// The division of a code that says none.
const HOME: &str = "Home";

pub(super) const CODES: Endpoint = Endpoint {
    operation: Operation::Codes,
    glance: |_, _| Glance::default(),
    effect: |world, asked| Done::from(list(world, asked).unwrap_or_else(|refusal| refusal)),
};

pub(super) const ALLOWED: Endpoint = Endpoint {
    operation: Operation::Allowed,
    glance: |_, asked| Glance {
        interaction: Place::of(&asked.head).conversation,
        written: None,
    },
    effect: |world, asked| Done::from(allowed(world, asked).unwrap_or_else(|refusal| refusal)),
};

/// A code in this API: there is no `code` in it, rules go by the `name`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    id: Uuid,
    name: Arc<str>,
    division: Division,
    description: String,
    self_uri: String,
}

#[derive(Clone, Serialize)]
struct Division {
    id: Uuid,
    name: Arc<str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    entities: Vec<Entity>,
    page_size: usize,
    page_number: usize,
    total: usize,
    page_count: usize,
    first_uri: String,
    self_uri: String,
    last_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_uri: Option<String>,
}

impl Entity {
    fn of(code: &Code, world: &World) -> Self {
        let home = world.settings.division_id.as_deref();
        let division = match &code.division {
            Some(name) => Division {
                id: id_of(name),
                name: Arc::clone(name),
            },
            None => Division {
                id: id_of(home.unwrap_or(HOME)),
                name: Arc::from(HOME),
            },
        };
        Self {
            id: code.id,
            name: Arc::clone(code.word()),
            division,
            description: code.name.to_string(),
            self_uri: format!("/api/v2/routing/wrapupcodes/{}", code.id),
        }
    }
}

struct Asking {
    divisions: Vec<Uuid>,
    page_size: usize,
    page_number: usize,
}

impl Asking {
    /// Reads the query; `divisionId` may be there several times.
    fn read(query: &str) -> Result<Self, Answer> {
        let mut asking = Self {
            divisions: Vec::new(),
            page_size: DEFAULT_PAGE_SIZE,
            page_number: 1,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let bad = || Answer::bad_request(&format!("{name} cannot be {value}"));
            let number = || value.parse::<usize>().ok().filter(|number| *number > 0);
            match &*name {
                "divisionId" => {
                    let id = Uuid::try_parse(&value).ok().ok_or_else(bad)?;
                    asking.divisions.push(id);
                }
                "pageSize" => {
                    let size = number().filter(|size| *size <= MAX_PAGE_SIZE);
                    asking.page_size = size.ok_or_else(bad)?;
                }
                "pageNumber" => asking.page_number = number().ok_or_else(bad)?,
                _ => {
                    return Err(Answer::bad_request(&format!(
                        "{name} is not asked for here"
                    )));
                }
            }
        }
        Ok(asking)
    }

    fn uri(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("pageSize", &self.page_size.to_string());
        query.append_pair("pageNumber", &page.to_string());
        for id in &self.divisions {
            query.append_pair("divisionId", &id.to_string());
        }
        format!("/api/v2/routing/wrapupcodes?{}", query.finish())
    }
}

fn list(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    allow(world, &asked.head, VIEW_CODES)?;
    let asking = Asking::read(asked.head.uri.query().unwrap_or_default())?;
    let mut all = entities(world);
    if !asking.divisions.is_empty() {
        all.retain(|entity| asking.divisions.contains(&entity.division.id));
    }
    let (total, page, size) = (all.len(), asking.page_number, asking.page_size);
    let page_count = total.div_ceil(size);
    let entities = all.into_iter().skip((page - 1).saturating_mul(size));
    let body = PageBody {
        entities: entities.take(size).collect(),
        page_size: size,
        page_number: page,
        total,
        page_count,
        first_uri: asking.uri(1),
        self_uri: asking.uri(page),
        last_uri: asking.uri(page_count.max(1)),
        next_uri: (page < page_count).then(|| asking.uri(page + 1)),
        previous_uri: (page > 1).then(|| asking.uri(page - 1)),
    };
    Ok(Answer::json(StatusCode::OK, &body))
}

fn entities(world: &World) -> Vec<Entity> {
    let codes = lock(&world.book).all().to_vec();
    codes.iter().map(|code| Entity::of(code, world)).collect()
}

/// A bare array, without an envelope.
fn allowed(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    allow(world, &asked.head, VIEW)?;
    let place = Place::of(&asked.head);
    let case = peek(world, &place)?;
    let participant = place.participant.and_then(|id| case.participant(id));
    let queue = participant
        .ok_or_else(|| Answer::not_found("There is no such participant."))?
        .queue;
    let mut all = entities(world);
    all.retain(|entity| allows(world, queue, entity.id));
    Ok(Answer::json(StatusCode::OK, &all))
}

/// Whether a queue has this code. One that nobody told of has all.
pub(super) fn allows(world: &World, queue: Option<Uuid>, code: Uuid) -> bool {
    let mut told = world.settings.queues.iter();
    let Some(queue) = told.find(|told| Some(told.id) == queue) else {
        return true;
    };
    let book = lock(&world.book);
    let mut codes = queue.codes.iter();
    codes.any(|name| book.resolve(name) == Some(code))
}
