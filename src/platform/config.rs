//! What the platform's client is told: validated values, no text left to parse.

use std::path::PathBuf;
use std::time::Duration;

use super::Notes;
use crate::secret::Secret;

/// `[platform]`.
#[derive(Clone, Debug)]
pub struct Config {
    pub api: Api,
    /// Scheme, host, port and path prefix; no slash at the end, no query, no user.
    pub base_url: String,
    /// Where tokens come from, and the JWT's `aud`: `<login_url>/oauth/token`.
    pub token_url: String,
    /// Limits the list of codes to these; of two codes with one name that of the earlier division counts.
    pub divisions: Vec<String>,
    /// Takes part in no call; shown in logs.
    pub org_id: Option<String>,
    /// For one call as a whole: connecting, sending, the answer's last byte.
    pub request_timeout: Duration,
    /// One more root certificate (PEM), beside the system's. Known to be readable at start.
    pub ca_file: Option<PathBuf>,
    pub auth: Auth,
    pub rate_limit: RateLimit,
    /// Codes for each page of the code list: `codes.page_size`.
    pub page_size: u32,
}

impl Config {
    /// For how long after a write of unclear outcome it may still take effect.
    pub fn settles_within(&self) -> Duration {
        match &self.api {
            Api::Interactions => self.request_timeout,
            Api::Conversations(settings) => settings.confirm_within.max(self.request_timeout),
        }
    }

    /// Whether this field of a survey goes into a note.
    pub fn writes(&self, field: &str) -> bool {
        match &self.api {
            Api::Interactions => false,
            Api::Conversations(settings) => {
                let notes = settings.notes.as_ref();
                notes.is_some_and(|notes| notes.names(field))
            }
        }
    }
}

/// `platform.api`, and what only that one needs.
#[derive(Clone, Debug)]
pub enum Api {
    Interactions,
    Conversations(Conversations),
}

/// `[platform.conversations]`.
#[derive(Clone, Debug)]
pub struct Conversations {
    /// What is written beside the code; none where nothing is.
    pub notes: Option<Notes>,
    /// Ask whether the queue takes the code before it is written.
    pub check_queue_codes: bool,
    /// How long a write may take until it can be read; then it counts as lost.
    pub confirm_within: Duration,
}

/// `[platform.auth]`. All secrets may change while the service runs.
#[derive(Clone, Debug)]
pub struct Auth {
    pub client_id: Secret,
    pub grant: Grant,
}

/// How the client shows who it is. Each works with each API, as far as we are concerned.
#[derive(Clone, Debug)]
pub enum Grant {
    /// RFC 7523.
    JwtBearer {
        /// An RSA private key in PEM.
        private_key: Secret,
    },
    /// RFC 6749, 4.4, by HTTP Basic.
    ClientCredentials { client_secret: Secret },
}

/// `[platform.rate_limit]`: no window of `per + slack` holds more than `requests` starts of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// At least 1.
    pub requests: u32,
    /// More than zero.
    pub per: Duration,
    /// What the network may squeeze a window by.
    pub slack: Duration,
}
