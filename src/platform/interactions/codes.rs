//! Reading the whole list of codes, page by page.
//!
//! Invariant: a list is given out only if it is whole: not empty, and of the size that the platform itself tells.

use std::collections::BTreeMap;

use super::InteractionsApi;
use super::wire::{CodeEntity, CodesPage};
use crate::ids::{CodeId, CodeName};
use crate::platform::{Code, Failure};

/// More pages than any organisation has codes for, even one by one: a `pageCount` gone mad ends here.
const MAX_PAGES: u32 = 10_000;
/// A list may change while it is read; one that is not whole twice is a failure.
const TRIES: usize = 2;

/// All pages, and what the last of them said about the whole.
#[derive(Debug, Default)]
struct Listing {
    entities: Vec<CodeEntity>,
    total: Option<usize>,
}

pub(super) async fn load(api: &InteractionsApi) -> Result<Vec<Code>, Failure> {
    let mut incomplete = String::new();
    for _ in 0..TRIES {
        match whole(read_all(api).await?) {
            Ok(codes) => return Ok(codes),
            Err(why) => incomplete = why,
        }
    }
    Err(Failure::Unavailable {
        status: Some(200),
        detail: incomplete,
    })
}

async fn read_all(api: &InteractionsApi) -> Result<Listing, Failure> {
    let mut listing = Listing::default();
    for number in 1..=MAX_PAGES {
        let page: CodesPage = api
            .client
            .call_patiently("codes", |http| api.codes_page(http, number))
            .await?
            .json()?;
        listing.total = page.total.or(listing.total);
        let last = page.entities.is_empty() || page.page_count.is_some_and(|count| number >= count);
        listing.entities.extend(page.entities);
        if last {
            return Ok(listing);
        }
    }
    Err(Failure::Unavailable {
        status: Some(200),
        detail: format!("the list of codes has more than {MAX_PAGES} pages: raise codes.page_size"),
    })
}

/// The codes of a listing, or why it cannot be the whole of it.
fn whole(listing: Listing) -> Result<Vec<Code>, String> {
    let Listing { entities, total } = listing;
    if let Some(total) = total.filter(|total| *total != entities.len()) {
        let found = entities.len();
        return Err(format!(
            "the list of codes holds {found} entries, but the platform says it has {total}"
        ));
    }
    // Where no entity has a code, this platform calls it `name`.
    let by_name = entities
        .iter()
        .all(|entity| text(entity.code.as_ref()).is_none());
    let mut codes = BTreeMap::new();
    let mut twice = Vec::new();
    for entity in &entities {
        let named = if by_name { &entity.name } else { &entity.code };
        let (Some(name), Some(id)) = (text(named.as_ref()), text(entity.id.as_ref())) else {
            continue;
        };
        if codes
            .insert(CodeName::from(name), CodeId::new(id))
            .is_some()
        {
            twice.push(name);
        }
    }
    if !twice.is_empty() {
        tracing::warn!(
            code.name = twice.join(", "),
            "the platform lists a code name more than once; the later one is used"
        );
    }
    if codes.is_empty() {
        return Err(
            "the platform lists no codes that have a name and an id: check \
            platform.division_id, and the client's divisions"
                .to_owned(),
        );
    }
    Ok(codes
        .into_iter()
        .map(|(name, id)| Code { name, id })
        .collect())
}

fn text(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (id, code, name) of each entity -> name=id of each code.
    #[track_caller]
    fn check(entities: &[(&str, &str, &str)], total: Option<usize>, expected: Option<&str>) {
        let owned = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let entities = entities
            .iter()
            .map(|(id, code, name)| CodeEntity {
                id: owned(id),
                code: owned(code),
                name: owned(name),
            })
            .collect();
        let codes = whole(Listing { entities, total }).ok().map(|codes| {
            let pairs: Vec<_> = codes
                .iter()
                .map(|code| format!("{}={}", code.name, code.id))
                .collect();
            pairs.join(" ")
        });
        assert_eq!(codes.as_deref(), expected);
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
    fn a_list_that_is_not_whole_is_none() {
        check(&[], Some(0), None);
        check(&[("1", "A", "")], Some(2), None);
        check(&[("", "A", "")], Some(1), None);
    }
}
