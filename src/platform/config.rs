//! What the platform's client is told: validated values, no text left to parse.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// `[platform]`, for the Interaction API.
#[derive(Clone, Debug)]
pub struct Config {
    /// Scheme, host, port and path prefix; no slash at the end, no query, no user.
    pub base_url: String,
    /// Where tokens come from, and the JWT's `aud`: `<login_url>/oauth/token`.
    pub token_url: String,
    /// Limits the list of codes to one division.
    pub division_id: Option<String>,
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

/// `[platform.auth]`, for the JWT bearer grant. Both may change while the service runs.
#[derive(Clone, Debug)]
pub struct Auth {
    pub client_id: Secret,
    /// An RSA private key in PEM.
    pub private_key: Secret,
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
