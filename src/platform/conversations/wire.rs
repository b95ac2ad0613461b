//! The conversations API's JSON, as documented. Unknown fields are ignored; missing ones are an undocumented answer
//! where nothing can be done without them.

use serde::{Deserialize, Serialize};

/// `GET /api/v2/conversations/{id}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    pub(super) end_time: Option<String>,
    pub(super) participants: Vec<Participant>,
}

/// Whoever took part, with an array for each medium.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Participant {
    pub(super) id: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) queue_id: Option<String>,
    pub(super) wrapup: Option<Wrapup>,
    pub(super) calls: Option<Vec<Communication>>,
    pub(super) callbacks: Option<Vec<Communication>>,
    pub(super) chats: Option<Vec<Communication>>,
    pub(super) cobrowsesessions: Option<Vec<Communication>>,
    pub(super) emails: Option<Vec<Communication>>,
    pub(super) messages: Option<Vec<Communication>>,
    pub(super) screenshares: Option<Vec<Communication>>,
    pub(super) social_expressions: Option<Vec<Communication>>,
    pub(super) videos: Option<Vec<Communication>>,
}

impl Participant {
    /// Its communications, each with its medium as paths call it.
    pub(super) fn communications(&self) -> impl Iterator<Item = (&'static str, &Communication)> {
        [
            ("calls", &self.calls),
            ("callbacks", &self.callbacks),
            ("chats", &self.chats),
            ("cobrowsesessions", &self.cobrowsesessions),
            ("emails", &self.emails),
            ("messages", &self.messages),
            ("screenshares", &self.screenshares),
            ("socials", &self.social_expressions),
            ("videos", &self.videos),
        ]
        .into_iter()
        .flat_map(|(medium, list)| list.iter().flatten().map(move |one| (medium, one)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Communication {
    pub(super) id: Option<String>,
    pub(super) connected_time: Option<String>,
    pub(super) wrapup: Option<Wrapup>,
}

/// A wrap-up as it stands on a participant or a communication, and as `GET .../wrapup` reads it.
#[derive(Debug, Deserialize)]
pub(super) struct Wrapup {
    pub(super) code: Option<String>,
}

/// `POST .../wrapup`.
#[derive(Debug, Serialize)]
pub(super) struct NewWrapup<'a> {
    /// The code's id.
    pub(super) code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) notes: &'a str,
}

/// An entry of `GET .../participants/{p}/wrapupcodes`.
#[derive(Debug, Deserialize)]
pub(super) struct QueueCode {
    pub(super) id: Option<String>,
}
