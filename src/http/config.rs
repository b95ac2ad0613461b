//! What the listeners are told: validated values, no text left to parse.

use std::net::SocketAddr;
use std::time::Duration;

use crate::secret::Secret;

/// `[server]`: the public listener, and how the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What senders see; no slash at the end, no query. For schemes that sign the URL.
    pub public_url: Option<String>,
    /// Bytes of a body, counted while reading.
    pub max_body: usize,
    /// A connection that has not sent a whole head by then is closed.
    pub header_timeout: Duration,
    /// For the whole body.
    pub request_timeout: Duration,
    /// How long an idle kept connection lives: longer than the load balancer keeps it.
    pub keep_alive: Duration,
    pub max_connections: usize,
    /// Requests beyond these are answered with 503.
    pub max_in_flight: usize,
    /// Still taking webhooks while the load balancer notices.
    pub shutdown_delay: Duration,
    /// For calls on the wire and their settling.
    pub shutdown_grace: Duration,
}

/// `[admin]`: the operators' listener.
#[derive(Clone, Debug)]
pub struct Admin {
    pub listen: SocketAddr,
    /// For the API and the dashboard, which are still to come.
    pub token: Option<Secret>,
}
