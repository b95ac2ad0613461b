//! How a simulator starts: also the form of a script file.
//!
//! The defaults work at once with the demo key pair. A script is these settings as TOML or JSON, every key optional;
//! an unknown key is an error, so that a typing error does not silently test nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::book::{self, Code};
use super::cases::Interaction;
use super::conversations::{Conversation, PERMISSIONS, Queue};
use super::fault::Fault;
use super::limit::{Limit, Shape};
use crate::clock::Clock;
use crate::units::Span;

/// The client that the default settings know.
pub const DEMO_CLIENT_ID: &str = "demo-client";
/// Its secret, for the client credentials grant. It is public: it protects nothing.
pub const DEMO_CLIENT_SECRET: &str = "demo-only-client-secret";
/// Its private key, for the demo and the tests. It is public: it protects nothing.
pub const DEMO_PRIVATE_KEY: &str = include_str!("../../config/demo/demo-client.pem");
/// The key that the default settings trust.
pub const DEMO_PUBLIC_KEY: &str = include_str!("../../config/demo/demo-client.pub.pem");

/// Which of the platform's APIs is spoken. One at a time: both have a list of codes at one path, in two forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    #[default]
    Interactions,
    Conversations,
}

impl FromStr for Api {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "interactions" => Ok(Self::Interactions),
            "conversations" => Ok(Self::Conversations),
            _ => Err("it is `interactions` or `conversations`".to_owned()),
        }
    }
}

/// What the simulator does with an interaction that nobody told it about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// It is there, and completed.
    #[default]
    Completed,
    /// 404.
    NotFound,
}

impl FromStr for Unknown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "completed" => Ok(Self::Completed),
            "not-found" => Ok(Self::NotFound),
            _ => Err("it is `completed` or `not-found`".to_owned()),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub api: Api,
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub client_id: String,
    /// For the client credentials grant.
    pub client_secret: String,
    /// PEM, the public half of the key that signs token requests.
    pub public_key: String,
    /// What a JWT's `aud` must be; none: `/oauth/token` at the address that is listened on.
    pub token_url: Option<String>,
    pub token_lifetime: Span,
    pub scopes: Vec<String>,
    /// Whether the token's answer says `scope`.
    pub announce_scope: bool,
    /// How far in the future a JWT's `iat` may lie.
    pub clock_leeway: Span,
    /// Asked for another division's codes, it has none; none: whatever division is asked for has them all. In the
    /// conversations API: the id of the division that codes without one belong to.
    pub division_id: Option<String>,
    pub unknown: Unknown,
    /// None: what the API documents, 100 a second or 300 a minute.
    pub limit: Option<Limit>,
    /// A further limit, for a long time: over it `Retry-After` is hours.
    pub quota: Limit,
    /// A further limit, on token requests alone.
    pub token_limit: Limit,
    /// How the windows of all limits move on.
    pub window: Shape,
    /// Whether a call that the limit refused takes a place in the window, too.
    pub count_refused: bool,
    #[serde(rename = "code")]
    pub codes: Vec<Code>,
    #[serde(rename = "interaction")]
    pub interactions: Vec<Interaction>,
    #[serde(rename = "conversation")]
    pub conversations: Vec<Conversation>,
    /// Queues that allow some codes only; any other allows all.
    #[serde(rename = "queue")]
    pub queues: Vec<Queue>,
    /// What the client's roles allow (conversations).
    pub permissions: Vec<String>,
    /// Whether a client that is no user may wrap up for an agent (conversations).
    pub apps_wrap_up: bool,
    /// How long after its answer a write shows on reads (conversations).
    pub appears_after: Span,
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
    /// Assignments remembered; then the oldest are forgotten.
    pub max_received: usize,
    /// Calls remembered; then the oldest are forgotten.
    pub max_calls: usize,
    /// Interactions known; then an assignment to a further one is refused.
    pub max_interactions: usize,
    /// Judges JWTs, and dates answers. A test may share it with the service, or step it apart.
    #[serde(skip)]
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api: Api::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: DEMO_CLIENT_SECRET.to_owned(),
            public_key: DEMO_PUBLIC_KEY.to_owned(),
            token_url: None,
            token_lifetime: Span(Duration::from_hours(24)),
            scopes: vec![
                "interaction:view".to_owned(),
                "interaction:write".to_owned(),
            ],
            announce_scope: true,
            clock_leeway: Span(Duration::from_secs(5)),
            division_id: None,
            unknown: Unknown::default(),
            limit: None,
            quota: Limit::Off,
            token_limit: Limit::Off,
            window: Shape::Sliding,
            count_refused: false,
            codes: book::default_codes(),
            interactions: Vec::new(),
            conversations: Vec::new(),
            queues: Vec::new(),
            permissions: PERMISSIONS.map(str::to_owned).to_vec(),
            apps_wrap_up: true,
            appears_after: Span(Duration::from_millis(200)),
            faults: Vec::new(),
            max_received: 1_000_000,
            max_calls: 200_000,
            max_interactions: 2_000_000,
            clock: Clock::system(),
        }
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadScript {
    #[error("cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("not a simulator's script")]
    Json(#[source] serde_json::Error),
    #[error("not a simulator's script")]
    Toml(#[source] Box<toml::de::Error>),
}

impl Settings {
    /// The rate limit in force at the start.
    pub fn limit(&self) -> Limit {
        self.limit.unwrap_or(match self.api {
            Api::Interactions => Limit::per(100, Duration::from_secs(1)),
            Api::Conversations => Limit::per(300, Duration::from_mins(1)),
        })
    }

    /// Reads a script: JSON where the file's name ends so, else TOML.
    pub async fn from_file(path: &Path) -> Result<Self, BadScript> {
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(BadScript::Unreadable)?;
        if path.extension().is_some_and(|ending| ending == "json") {
            serde_json::from_str(&text).map_err(BadScript::Json)
        } else {
            toml::from_str(&text).map_err(|cause| BadScript::Toml(Box::new(cause)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_only_what_differs() {
        let script = r#"
            limit = "off"
            token_lifetime = "90s"
            unknown = "not-found"
            [[interaction]]
            id = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
            state = "connected"
            looks = 2
            [[fault]]
            on = "assign"
            status = 503
            times = 1
        "#;
        let settings: Settings = toml::from_str(script).unwrap();
        assert_eq!(settings.limit(), Limit::Off);
        assert_eq!(settings.unknown, Unknown::NotFound);
        assert_eq!(settings.interactions[0].looks, 2);
        assert_eq!(settings.faults.len(), 1);
        assert_eq!(settings.client_id, DEMO_CLIENT_ID);
    }

    #[test]
    fn each_api_has_the_limit_that_it_documents() {
        for (script, limit) in [
            ("", "100/1s"),
            ("api = 'conversations'", "300/1m"),
            ("api = 'conversations'\nlimit = '7/1s'", "7/1s"),
        ] {
            let settings: Settings = toml::from_str(script).unwrap();
            assert_eq!(settings.limit().to_string(), limit);
        }
    }

    #[test]
    fn a_typing_error_in_a_script_is_an_error() {
        assert!(toml::from_str::<Settings>("limits = 'off'").is_err());
        assert!(toml::from_str::<Settings>("[[code]]\nid = 'x'").is_err());
    }
}
