//! The configuration as it is written: every key with its default, types only. What the values may be is checked in
//! [`super::validate`].
//!
//! `wrapup config` prints these, so that what it prints could be read again.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::delivery::{CheckState, Mode};
use crate::intake::SourceConfig;
use crate::platform::Overwrite;
use crate::secret::Origin;
use crate::store::Repeat;
use crate::units::{Size, Span};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Raw {
    pub(super) server: Server,
    pub(super) admin: Admin,
    pub(super) platform: Platform,
    pub(super) codes: Codes,
    pub(super) delivery: Delivery,
    pub(super) store: Store,
    pub(super) rules: Rules,
    #[serde(rename = "source")]
    pub(super) sources: Vec<SourceConfig>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Server {
    pub(super) listen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_url: Option<String>,
    pub(super) max_body: Size,
    pub(super) header_timeout: Span,
    pub(super) request_timeout: Span,
    pub(super) keep_alive: Span,
    pub(super) max_connections: u64,
    pub(super) max_in_flight: u64,
    pub(super) shutdown_delay: Span,
    pub(super) shutdown_grace: Span,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            public_url: None,
            max_body: Size(256 * 1024),
            header_timeout: seconds(10),
            request_timeout: seconds(10),
            keep_alive: seconds(75),
            max_connections: 4096,
            max_in_flight: 1024,
            shutdown_delay: seconds(3),
            shutdown_grace: seconds(20),
        }
    }
}

/// Where the operators' listener is if nobody says otherwise: reachable from this machine only.
pub(super) const ADMIN_LISTEN: &str = "127.0.0.1:8081";

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Admin {
    pub(super) listen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Origin>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: ADMIN_LISTEN.to_owned(),
            token: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Api {
    #[default]
    Interactions,
    Conversations,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Platform {
    pub(super) api: Api,
    pub(super) environment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) login_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) division_id: Option<Divisions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) org_id: Option<String>,
    pub(super) request_timeout: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ca_file: Option<PathBuf>,
    pub(super) auth: Auth,
    pub(super) rate_limit: RateLimit,
    pub(super) conversations: Conversations,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            api: Api::default(),
            environment: "mypurecloud.com".to_owned(),
            base_url: None,
            login_url: None,
            division_id: None,
            org_id: None,
            request_timeout: seconds(10),
            ca_file: None,
            auth: Auth::default(),
            rate_limit: RateLimit::default(),
            conversations: Conversations::default(),
        }
    }
}

/// `"..."` or `["...", "..."]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Divisions {
    One(String),
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for Divisions {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        #[derive(Deserialize)]
        struct Line {
            ids: Vec<String>,
        }
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = Divisions;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an id or an array of ids")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Divisions, E> {
                if !text.trim_start().starts_with('[') {
                    return Ok(Divisions::One(text.to_owned()));
                }
                // From the environment, where every value is a text.
                toml::from_str::<Line>(&format!("ids = {text}"))
                    .map(|line| Divisions::Several(line.ids))
                    .map_err(|_cause| E::custom("not an array of ids, as TOML writes it"))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<Divisions, A::Error> {
                let mut ids = Vec::new();
                while let Some(id) = items.next_element()? {
                    ids.push(id);
                }
                Ok(Divisions::Several(ids))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Conversations {
    pub(super) notes: String,
    pub(super) check_queue_codes: bool,
    pub(super) confirm_within: Span,
}

impl Default for Conversations {
    fn default() -> Self {
        Self {
            notes: String::new(),
            check_queue_codes: false,
            confirm_within: seconds(30),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Grant {
    JwtBearer,
    ClientCredentials,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Auth {
    /// Each API has its own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<Grant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) private_key: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<Origin>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RateLimit {
    /// Each API has its own default for these two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requests: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per: Option<Span>,
    pub(super) slack: Span,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            requests: None,
            per: None,
            slack: Span(Duration::from_millis(50)),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Codes {
    pub(super) refresh_every: Span,
    /// Each API has its own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page_size: Option<u64>,
}

impl Default for Codes {
    fn default() -> Self {
        Self {
            refresh_every: seconds(5 * 60),
            page_size: None,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Delivery {
    pub(super) workers: u64,
    pub(super) lease: Span,
    pub(super) max_age: Span,
    pub(super) max_attempts: u64,
    pub(super) check_state: CheckState,
    pub(super) overwrite: Overwrite,
    pub(super) repeat: Repeat,
    pub(super) mode: Mode,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            workers: 32,
            lease: seconds(60),
            max_age: hours(24),
            max_attempts: 10,
            check_state: CheckState::default(),
            overwrite: Overwrite::default(),
            repeat: Repeat::default(),
            mode: Mode::default(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) lock_wait: Span,
    pub(super) max_pending: u64,
    pub(super) max_quarantined: u64,
    pub(super) retention: Span,
    pub(super) remember: Span,
    pub(super) keep_body: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: "sqlite:../data/wrapup.db".to_owned(),
            lock_wait: seconds(30),
            max_pending: 1_000_000,
            max_quarantined: 10_000,
            retention: hours(24 * 30),
            remember: hours(24 * 400),
            keep_body: true,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Rules {
    pub(super) file: PathBuf,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            file: PathBuf::from("rules.toml"),
        }
    }
}

/// What depends on the API where nobody says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) grant: Grant,
    pub(super) requests: u64,
    pub(super) per: Span,
    pub(super) page_size: u64,
}

impl Api {
    pub(super) fn defaults(self) -> Defaults {
        match self {
            Self::Interactions => Defaults {
                grant: Grant::JwtBearer,
                requests: 100,
                per: seconds(1),
                page_size: 25,
            },
            Self::Conversations => Defaults {
                grant: Grant::ClientCredentials,
                requests: 300,
                per: seconds(60),
                page_size: 100,
            },
        }
    }
}

fn seconds(count: u64) -> Span {
    Span(Duration::from_secs(count))
}

fn hours(count: u64) -> Span {
    seconds(count * 3600)
}
