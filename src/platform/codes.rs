//! Reading the whole list of codes, page by page. Both APIs have the same one, but for what they call a code's name.
//!
//! Invariant: a list is given out only if it is whole: not empty, and of the size that the platform itself tells.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use reqwest::{RequestBuilder, Url};
use serde::Deserialize;

use super::client::Client;
use super::pacer::Lane;
use super::{Code, Config, Failure};
use crate::ids::{CodeId, CodeName};

/// More pages than any organisation has codes for, even one by one: a `pageCount` gone mad ends here.
const MAX_PAGES: u32 = 10_000;
/// A list may change while it is read; one that is not whole twice is a failure.
const TRIES: usize = 2;

/// All pages, and what the last of them said about the whole.
#[derive(Debug, Default)]
struct Listing {
    entities: Vec<Entity>,
    total: Option<usize>,
}

/// One page of `GET /api/v2/routing/wrapupcodes`.
#[derive(Debug, Deserialize)]
struct Page {
    entities: Vec<Entity>,
    /// Without it the list goes on until a page is empty.
    #[serde(rename = "pageCount")]
    pages: Option<u32>,
    total: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Entity {
    id: Option<String>,
    code: Option<String>,
    name: Option<String>,
    division: Option<Division>,
}

#[derive(Debug, Deserialize)]
struct Division {
    id: Option<String>,
}

/// Which property of an entity is the code's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `code`, or `name` where no entity has a `code`.
    Code,
    Name,
}

/// Where the list is, and what was said about it.
#[derive(Debug)]
pub(super) struct CodeList {
    url: String,
    page_size: u32,
    divisions: Vec<String>,
    naming: Naming,
    /// Names that are listed more than once, as they were told last: each such set is told once.
    twice: Mutex<String>,
}

impl CodeList {
    pub(super) fn new(config: &Config, naming: Naming) -> Self {
        Self {
            url: format!("{}/api/v2/routing/wrapupcodes", config.base_url),
            page_size: config.page_size,
            divisions: config.divisions.clone(),
            naming,
            twice: Mutex::default(),
        }
    }

    /// The first page, for nobody's sake.
    pub(super) async fn probe(&self, client: &Client) -> Result<(), Failure> {
        let patience = client.ordinary_patience();
        client
            .call("codes", Lane::First, patience, |http| self.page(http, 1))
            .await
            .map_err(|missed| missed.failure)?
            .json::<Page>()
            .map(drop)
    }

    pub(super) async fn load(&self, client: &Client) -> Result<Vec<Code>, Failure> {
        let mut incomplete = String::new();
        for _ in 0..TRIES {
            match self.whole(self.read_all(client).await?) {
                Ok(codes) => return Ok(codes),
                Err(why) => incomplete = why,
            }
        }
        Err(Failure::Unavailable {
            status: Some(200),
            detail: incomplete,
        })
    }

    async fn read_all(&self, client: &Client) -> Result<Listing, Failure> {
        let mut listing = Listing::default();
        for number in 1..=MAX_PAGES {
            let page: Page = client
                .call_patiently("codes", |http| self.page(http, number))
                .await?
                .json()?;
            listing.total = page.total.or(listing.total);
            let last = page.entities.is_empty() || page.pages.is_some_and(|count| number >= count);
            listing.entities.extend(page.entities);
            if last {
                return Ok(listing);
            }
        }
        Err(Failure::Unavailable {
            status: Some(200),
            detail: format!(
                "the list of codes has more than {MAX_PAGES} pages: raise codes.page_size"
            ),
        })
    }

    fn page(&self, http: &reqwest::Client, number: u32) -> RequestBuilder {
        let mut query = vec![
            ("pageSize", self.page_size.to_string()),
            ("pageNumber", number.to_string()),
        ];
        query.extend(self.divisions.iter().map(|id| ("divisionId", id.clone())));
        match Url::parse_with_params(&self.url, &query) {
            Ok(url) => http.get(url),
            // Not a URL: the client says so when it builds the request.
            Err(_) => http.get(&self.url),
        }
    }

    /// The codes of a listing, or why it cannot be the whole of it.
    fn whole(&self, listing: Listing) -> Result<Vec<Code>, String> {
        let Listing { entities, total } = listing;
        if let Some(total) = total.filter(|total| *total != entities.len()) {
            let found = entities.len();
            return Err(format!(
                "the list of codes holds {found} entries, but the platform says it has {total}"
            ));
        }
        let by_name = self.naming == Naming::Name
            || entities
                .iter()
                .all(|entity| text(entity.code.as_ref()).is_none());
        let mut codes: BTreeMap<CodeName, (usize, CodeId)> = BTreeMap::new();
        let mut twice = Vec::new();
        for entity in &entities {
            let named = if by_name { &entity.name } else { &entity.code };
            let (Some(name), Some(id)) = (text(named.as_ref()), text(entity.id.as_ref())) else {
                continue;
            };
            let (name, rank) = (CodeName::from(name), self.rank(entity));
            let before = codes.get(&name).map(|(rank, _)| *rank);
            if before.is_some() && !twice.contains(&name) {
                twice.push(name.clone());
            }
            if before.is_none_or(|before| rank <= before) {
                codes.insert(name, (rank, CodeId::new(id)));
            }
        }
        self.tell(&twice);
        if codes.is_empty() {
            return Err(
                "the platform lists no codes that have a name and an id: check \
                platform.division_id, and the client's divisions"
                    .to_owned(),
            );
        }
        Ok(codes
            .into_iter()
            .map(|(name, (_, id))| Code { name, id })
            .collect())
    }

    /// How far from the first of the configured divisions the entity is.
    fn rank(&self, entity: &Entity) -> usize {
        let division = entity
            .division
            .as_ref()
            .and_then(|division| division.id.as_deref());
        self.divisions
            .iter()
            .position(|id| Some(id.as_str()) == division)
            .unwrap_or(self.divisions.len())
    }

    fn tell(&self, twice: &[CodeName]) {
        let names: Vec<_> = twice.iter().map(CodeName::as_str).collect();
        let names = names.join(", ");
        let mut told = self.twice.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == names {
            return;
        }
        names.clone_into(&mut told);
        drop(told);
        if !names.is_empty() {
            tracing::warn!(
                code.name = names,
                "the platform lists a code name more than once (in different divisions?); that of the division named \
                 first in platform.division_id is used, else the later one"
            );
        }
    }
}

fn text(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(naming: Naming) -> CodeList {
        CodeList {
            url: String::new(),
            page_size: 25,
            divisions: vec!["d-1".to_owned(), "d-2".to_owned()],
            naming,
            twice: Mutex::default(),
        }
    }

    fn entity(id: &str, code: &str, name: &str, division: &str) -> Entity {
        let owned = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Entity {
            id: owned(id),
            code: owned(code),
            name: owned(name),
            division: owned(division).map(|id| Division { id: Some(id) }),
        }
    }

    fn pairs(naming: Naming, entities: Vec<Entity>, total: Option<usize>) -> Option<String> {
        list(naming)
            .whole(Listing { entities, total })
            .ok()
            .map(|codes| {
                let pairs: Vec<_> = codes
                    .iter()
                    .map(|code| format!("{}={}", code.name, code.id))
                    .collect();
                pairs.join(" ")
            })
    }

    /// (id, code, name) of each entity -> name=id of each code.
    #[track_caller]
    fn check(entities: &[(&str, &str, &str)], total: Option<usize>, expected: Option<&str>) {
        let entities = entities
            .iter()
            .map(|(id, code, name)| entity(id, code, name, ""))
            .collect();
        assert_eq!(pairs(Naming::Code, entities, total).as_deref(), expected);
    }

    #[test]
    fn an_entity_without_a_code_is_skipped_unless_none_has_one() {
        check(&[("1", "A", "a"), ("2", "", "b")], Some(2), Some("A=1"));
        check(&[("1", "", "a"), ("2", "", "b")], None, Some("a=1 b=2"));
    }

    #[test]
    fn of_one_name_twice_the_later_counts() {
        check(&[("1", "A", ""), ("2", "A", "")], Some(2), Some("A=2"));
    }

    #[test]
    fn of_one_name_in_several_divisions_the_one_named_first_counts() {
        let entities = || {
            [("1", "d-2"), ("2", "d-1"), ("3", "d-9")]
                .map(|(id, division)| entity(id, "X", "A", division))
        };
        let found = pairs(Naming::Name, entities().into(), None);
        assert_eq!(found.as_deref(), Some("A=2"));
        let [second, _, stranger] = entities();
        let found = pairs(Naming::Name, vec![second, stranger], None);
        assert_eq!(found.as_deref(), Some("A=1"));
    }

    #[test]
    fn a_name_listed_twice_is_told_once() {
        let list = list(Naming::Name);
        let load = |entities| {
            list.whole(Listing {
                entities,
                total: None,
            })
            .unwrap();
            list.twice.lock().unwrap().clone()
        };
        let twice = || vec![entity("1", "", "A", ""), entity("2", "", "A", "")];
        assert_eq!(load(twice()), "A");
        assert_eq!(load(vec![entity("1", "", "A", "")]), "");
    }

    #[test]
    fn a_list_that_is_not_whole_is_none() {
        check(&[], Some(0), None);
        check(&[("1", "A", "")], Some(2), None);
        check(&[("", "A", "")], Some(1), None);
    }
}
