//! Conversations as people tell of them: a list of legs, each an agent, a customer or a queue on one medium.
//!
//! ```toml
//! [[conversation]]
//! id = "transferred"
//! legs = [
//!     { purpose = "customer" },
//!     { user = "anna", queue = "sales" },
//!     { user = "ben", queue = "support", code = "WU_PROMPT_GENERAL" },
//! ]
//! ```
//!
//! Legs are connected one after the other, a minute apart, unless they say when. Wherever an id is wanted a word does:
//! it always stands for the same id ([`id_of`]).

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::held::{Case, Communication, Participant, Progress, Wrapup};
use crate::clock::UnixMs;
use crate::simulator::world::{Refused, later};
use crate::units::Span;

/// Between two legs that do not say when.
const LEG_EVERY: Duration = Duration::from_mins(1);
/// How long a leg lasts that does not say until when.
const LEG_LASTS: Duration = Duration::from_secs(50);
/// How long ago a conversation began.
const BEGAN_AGO: Duration = Duration::from_hours(1);

/// The id that a word stands for; an id stands for itself.
pub fn id_of(word: &str) -> Uuid {
    Uuid::try_parse(word).unwrap_or_else(|_not_one| {
        let digest = Sha256::digest(word.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(half).into_uuid()
    })
}

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    String::deserialize(deserializer).map(|word| id_of(&word))
}

fn some_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    word(deserializer).map(Some)
}

/// One conversation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversation {
    #[serde(deserialize_with = "word")]
    pub id: Uuid,
    /// It has no end yet.
    #[serde(default)]
    pub open: bool,
    /// So many looks still see it open.
    #[serde(default)]
    pub looks: u32,
    /// It is open that long.
    #[serde(default)]
    pub lasts: Option<Span>,
    /// The client's divisions do not hold it: 403.
    #[serde(default)]
    pub forbidden: bool,
    /// None: an ordinary call, a customer who waited in a queue and was answered by one agent.
    #[serde(default)]
    pub legs: Option<Vec<Leg>>,
}

/// One communication of one participant.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leg {
    pub purpose: String,
    #[serde(deserialize_with = "some_word")]
    pub user: Option<Uuid>,
    #[serde(deserialize_with = "some_word")]
    pub queue: Option<Uuid>,
    pub media: Medium,
    /// Legs with the same word here are those of one participant.
    pub participant: Option<String>,
    /// False: it alerted, and was never connected.
    pub answered: bool,
    /// After the conversation's beginning.
    pub connected: Option<Span>,
    pub disconnected: Option<Span>,
    /// The wrap-up code that it has already, by name or id.
    pub code: Option<String>,
}

impl Default for Leg {
    fn default() -> Self {
        Self {
            purpose: "agent".to_owned(),
            user: None,
            queue: None,
            media: Medium::Calls,
            participant: None,
            answered: true,
            connected: None,
            disconnected: None,
            code: None,
        }
    }
}

/// A medium, as paths name it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    #[default]
    Calls,
    Callbacks,
    Chats,
    CobrowseSessions,
    Emails,
    Messages,
    Screenshares,
    Socials,
    Videos,
}

impl Medium {
    pub(super) const ALL: [Self; 9] = [
        Self::Calls,
        Self::Callbacks,
        Self::Chats,
        Self::CobrowseSessions,
        Self::Emails,
        Self::Messages,
        Self::Screenshares,
        Self::Socials,
        Self::Videos,
    ];

    /// As a path has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Callbacks => "callbacks",
            Self::Chats => "chats",
            Self::CobrowseSessions => "cobrowsesessions",
            Self::Emails => "emails",
            Self::Messages => "messages",
            Self::Screenshares => "screenshares",
            Self::Socials => "socials",
            Self::Videos => "videos",
        }
    }

    /// As a participant has it: one of them goes by another name there.
    pub(super) fn array(self) -> &'static str {
        match self {
            Self::Socials => "socialExpressions",
            other => other.as_str(),
        }
    }
}

/// A queue that allows some codes only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    #[serde(deserialize_with = "word")]
    pub id: Uuid,
    /// By name or id.
    pub codes: Vec<String>,
}

impl Conversation {
    /// An ordinary call that has ended.
    pub fn ended(id: Uuid) -> Self {
        Self {
            id,
            open: false,
            looks: 0,
            lasts: None,
            forbidden: false,
            legs: None,
        }
    }

    #[must_use]
    pub fn with(self, legs: impl Into<Vec<Leg>>) -> Self {
        Self {
            legs: Some(legs.into()),
            ..self
        }
    }

    #[must_use]
    pub fn open(self) -> Self {
        Self { open: true, ..self }
    }

    pub(in crate::simulator) fn make(
        &self,
        now: UnixMs,
        instant: Instant,
        resolve: impl Fn(&str) -> Option<Uuid>,
    ) -> Result<Case, Refused> {
        let ordinary = Leg::ordinary();
        let legs = self.legs.as_ref().unwrap_or(&ordinary);
        let progress = match (self.open, self.lasts, self.looks) {
            (false, None, 0) => Progress::Ended,
            (_, Some(lasts), _) => Progress::Until(later(instant, lasts.0)),
            (_, None, looks) if looks > 0 => Progress::Looks(looks),
            _ => Progress::Open,
        };
        let mut case = Case::new(self.id, now - BEGAN_AGO, progress, self.forbidden);
        for (at, leg) in legs.iter().enumerate() {
            let code =
                match &leg.code {
                    None => None,
                    Some(name) => Some(resolve(name).ok_or_else(|| {
                        Refused(format!("conversation: no code is called {name}"))
                    })?),
                };
            leg.join(&mut case, at, code);
        }
        Ok(case)
    }
}

impl Leg {
    pub fn agent(user: &str, queue: &str) -> Self {
        Self {
            user: Some(id_of(user)),
            queue: Some(id_of(queue)),
            ..Self::default()
        }
    }

    pub(super) fn ordinary() -> Vec<Self> {
        let other = |purpose: &str, queue| Self {
            purpose: purpose.to_owned(),
            queue,
            ..Self::default()
        };
        vec![
            other("customer", None),
            other("acd", Some(id_of("ordinary queue"))),
            Self::agent("ordinary agent", "ordinary queue"),
        ]
    }

    /// Adds it to its participant, or as one of its own.
    fn join(&self, case: &mut Case, at: usize, code: Option<Uuid>) {
        let own = format!("participant {at}");
        let name = self.participant.as_deref().unwrap_or(&own);
        let participant_id = id_of(&format!("{}/{name}", case.id));
        let begins = LEG_EVERY * u32::try_from(at).unwrap_or(u32::MAX);
        let connected = self.connected.map_or(begins, |at| at.0);
        let communication = Communication {
            id: id_of(&format!("{}/communication {at}", case.id)),
            medium: self.media,
            connected: self.answered.then_some(connected),
            disconnected: self
                .disconnected
                .map_or(connected.saturating_add(LEG_LASTS), |at| at.0),
            wrapup: code.map(Wrapup::of),
            on_the_way: Vec::new(),
            writes: 0,
        };
        let known = case
            .participants
            .iter_mut()
            .find(|known| known.id == participant_id);
        match known {
            Some(participant) => participant.communications.push(communication),
            None => case.participants.push(Participant {
                id: participant_id,
                purpose: self.purpose.clone(),
                user: self.user,
                queue: self.queue,
                communications: vec![communication],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_always_stands_for_the_same_id_and_an_id_for_itself() {
        let id = Uuid::from_u128(7);
        assert_eq!(id_of(&id.to_string()), id);
        assert_eq!(id_of("anna"), id_of("anna"));
        assert_ne!(id_of("anna"), id_of("ben"));
        assert_eq!(id_of("anna").to_string().len(), 36);
    }

    #[test]
    fn a_description_says_only_what_differs() {
        let told: Conversation = toml::from_str(
            "id = 'c1'\nlegs = [{ purpose = 'customer' }, { user = 'anna', media = 'socials' },
             { user = 'anna', participant = 'participant 1' }]",
        )
        .unwrap();
        let case = told.make(UnixMs(0), Instant::now(), |_| None).unwrap();
        let [customer, agent] = &case.participants[..] else {
            panic!("{case:?}")
        };
        assert_eq!((&*customer.purpose, customer.user), ("customer", None));
        let media: Vec<_> = agent.communications.iter().map(|leg| leg.medium).collect();
        assert_eq!(media, [Medium::Socials, Medium::Calls]);
        assert!(toml::from_str::<Conversation>("id = 'c1'\nlegs = [{ agent = 'anna' }]").is_err());
    }

    #[test]
    fn a_code_that_nobody_knows_is_refused() {
        let leg = Leg {
            code: Some("WU_X".to_owned()),
            ..Leg::default()
        };
        let told = Conversation::ended(Uuid::nil()).with([leg]);
        assert!(told.make(UnixMs(0), Instant::now(), |_| None).is_err());
    }
}
