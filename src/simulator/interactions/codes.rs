//! `GET /api/v2/routing/wrapupcodes`: the codes, page by page.

use axum::extract::Query;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::VIEW;
use crate::simulator::answer::Answer;
use crate::simulator::book::Code;
use crate::simulator::record::Operation;
use crate::simulator::visit::{Asked, Done, Endpoint, Glance, require};
use crate::simulator::world::{World, lock};

const DEFAULT_PAGE_SIZE: usize = 25;
const MAX_PAGE_SIZE: usize = 500;

pub(super) const CODES: Endpoint = Endpoint {
    operation: Operation::Codes,
    glance: |_, _| Glance::default(),
    effect: |world, asked| Done::from(list(world, asked).unwrap_or_else(|refusal| refusal)),
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asking {
    division_id: Option<String>,
    page_size: Option<usize>,
    page_number: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody<'a> {
    entities: &'a [Code],
    page_size: usize,
    page_number: usize,
    page_count: usize,
    total: usize,
}

fn list(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    require(world, &asked.head, VIEW)?;
    let Query(query) = Query::<Asking>::try_from_uri(&asked.head.uri)
        .map_err(|cause| Answer::bad_request(&format!("the query cannot be read: {cause}")))?;
    let page_size = query.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&page_size) {
        return Err(Answer::bad_request("pageSize must be from 1 to 500"));
    }
    let page_number = query.page_number.unwrap_or(1);
    if page_number == 0 {
        return Err(Answer::bad_request("pageNumber begins at 1"));
    }
    let elsewhere = match (&world.settings.division_id, &query.division_id) {
        (Some(ours), Some(asked_for)) => ours != asked_for,
        _ => false,
    };
    let book = lock(&world.book);
    let codes = if elsewhere { &[] } else { book.all() };
    let entities = codes.chunks(page_size).nth(page_number - 1).unwrap_or(&[]);
    let body = PageBody {
        entities,
        page_size,
        page_number,
        page_count: codes.len().div_ceil(page_size),
        total: codes.len(),
    };
    Ok(Answer::json(StatusCode::OK, &body))
}
