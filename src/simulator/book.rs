//! The wrap-up codes that the simulated organisation has.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The codes that the shipped rules assign, with ids that never change, so that scripts can name them.
const SHIPPED: [(&str, &str, u128); 4] = [
    (
        "WU_PROMPT_ESCALATION",
        "Escalation",
        0x1c0f_7c1e_6d0a_4f3e_9a51_0000_0000_0001,
    ),
    (
        "WU_PROMPT_SUCCESS",
        "Success",
        0x1c0f_7c1e_6d0a_4f3e_9a51_0000_0000_0002,
    ),
    (
        "WU_PROMPT_TECH_ISSUE",
        "Technical issue",
        0x1c0f_7c1e_6d0a_4f3e_9a51_0000_0000_0003,
    ),
    (
        "WU_PROMPT_GENERAL",
        "General",
        0x1c0f_7c1e_6d0a_4f3e_9a51_0000_0000_0004,
    ),
];
/// The first id of the codes that are there to fill pages.
const FILLER: u128 = 0x5e77_1e00_2b7c_4d19_8c40_0000_0000_0000;
/// With the shipped ones more than one page of 25.
const FILLERS: u128 = 28;

/// One wrap-up code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub id: Uuid,
    /// Some organisations have only the `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Arc<str>>,
    pub name: Arc<str>,
    /// By id or name (conversations); none: the organisation's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<Arc<str>>,
}

impl Code {
    /// A code with this name and a new id.
    pub fn named(name: &str) -> Self {
        Self {
            id: Uuid::new_v4(),
            code: Some(Arc::from(name)),
            name: Arc::from(name),
            division: None,
        }
    }

    /// The word that rules use.
    pub fn word(&self) -> &Arc<str> {
        self.code.as_ref().unwrap_or(&self.name)
    }
}

/// The four shipped codes, spread over two pages among others.
pub(super) fn default_codes() -> Vec<Code> {
    let mut codes: Vec<_> = (1..=FILLERS)
        .map(|n| Code {
            id: Uuid::from_u128(FILLER + n),
            code: Some(Arc::from(format!("WU_QUEUE_{n:02}"))),
            name: Arc::from(format!("Queue {n:02}")),
            division: None,
        })
        .collect();
    for (place, (code, name, id)) in [0, 9, 18, 30].into_iter().zip(SHIPPED) {
        let code = Code {
            id: Uuid::from_u128(id),
            code: Some(Arc::from(code)),
            name: Arc::from(name),
            division: None,
        };
        codes.insert(place, code);
    }
    codes
}

/// The codes in the order they are listed in, found by id.
#[derive(Debug, Default)]
pub(super) struct Book {
    codes: Vec<Code>,
    by_id: HashMap<Uuid, Arc<str>>,
}

impl Book {
    pub(super) fn new(codes: Vec<Code>) -> Self {
        let by_id = codes
            .iter()
            .map(|code| (code.id, Arc::clone(code.word())))
            .collect();
        Self { codes, by_id }
    }

    pub(super) fn all(&self) -> &[Code] {
        &self.codes
    }

    /// Adds a code, or replaces the one with its id. A name may stand twice, as on the real platform.
    pub(super) fn put(&mut self, code: Code) {
        self.by_id.insert(code.id, Arc::clone(code.word()));
        match self.codes.iter_mut().find(|known| known.id == code.id) {
            Some(known) => *known = code,
            None => self.codes.push(code),
        }
    }

    /// Removes every code with this id or word; answers how many there were.
    pub(super) fn remove(&mut self, name_or_id: &str) -> usize {
        let before = self.codes.len();
        let id = Uuid::try_parse(name_or_id).ok();
        self.codes
            .retain(|code| Some(code.id) != id && &**code.word() != name_or_id);
        let removed = before - self.codes.len();
        *self = Self::new(std::mem::take(&mut self.codes));
        removed
    }

    pub(super) fn name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.by_id.get(&id)
    }

    /// The id behind an id or a word.
    pub(super) fn resolve(&self, name_or_id: &str) -> Option<Uuid> {
        let by_word = || self.codes.iter().find(|code| &**code.word() == name_or_id);
        match Uuid::try_parse(name_or_id) {
            Ok(id) => self.by_id.contains_key(&id).then_some(id),
            Err(_) => by_word().map(|code| code.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_codes_need_two_pages_and_keep_their_ids() {
        let book = Book::new(default_codes());
        assert_eq!(book.all().len(), 32);
        let at = |name: &str| book.all().iter().position(|code| &**code.word() == name);
        assert!(at("WU_PROMPT_ESCALATION") < Some(25) && at("WU_PROMPT_GENERAL") > Some(24));
        assert_eq!(
            book.resolve("WU_PROMPT_SUCCESS").unwrap().to_string(),
            "1c0f7c1e-6d0a-4f3e-9a51-000000000002"
        );
    }

    #[test]
    fn a_removed_code_is_unknown_by_name_and_id() {
        let mut book = Book::new(default_codes());
        let id = book.resolve("WU_PROMPT_GENERAL").unwrap();
        assert_eq!(book.remove("WU_PROMPT_GENERAL"), 1);
        assert_eq!(
            (book.resolve("WU_PROMPT_GENERAL"), book.name(id)),
            (None, None)
        );
        assert_eq!(book.remove("WU_PROMPT_GENERAL"), 0);
    }
}
