//! The contact-centre platform: one small interface, whatever its API.
//!
//! Every HTTP call of this module takes a slot of the [`pacer`] first. What a call's outcome means for a delivery is
//! not decided here but in `delivery`; here a status becomes a [`Failure`], once, where it is known.
//! This module does not know the store: what must outlive a restart goes through [`pacer::PauseMemory`].

mod assignment;
mod client;
mod codes;
mod config;
mod conversations;
mod exchange;
mod interactions;
pub mod notes;
pub mod pacer;
mod refusal;
pub mod retry_after;
mod schedule;
mod token;

#[cfg(test)]
mod stub;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use assignment::{Assignment, Look, Outcome, Preview, Report, Step};
pub use config::{Api, Auth, Config, Conversations, Grant, RateLimit};
pub use conversations::{AGENT_ID, QUEUE_ID};
pub use notes::Notes;
pub use pacer::Pacer;
pub use schedule::Schedule;
pub use token::check_key;

use crate::clock::Clock;
use crate::ids::{CodeId, CodeName};
use crate::metrics::Registry;

/// What to do where somebody else's code already stands on the interaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overwrite {
    #[default]
    Always,
    IfEmpty,
}

/// Why a call did not bring what it should. Decided where the status is known; `detail` is fit for a log and holds no
/// secret, no URL and no answer of a survey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing was sent: no slot within the patience (paused, or others are waiting).
    #[error("no slot within the time there was")]
    NoSlot,
    /// 429. The pacer has been paused already.
    #[error("rate limited, retry after {} s", retry_after.as_secs_f64())]
    RateLimited { retry_after: Duration },
    /// 408, 425, 5xx, an undocumented 2xx, any 3xx, no connection, a timeout: it may or may not have been done.
    #[error("{detail}")]
    Unavailable { status: Option<u16>, detail: String },
    /// 401 again with a fresh token.
    #[error("401 with a fresh token: {detail}")]
    Unauthorized { detail: String },
    #[error("403: {detail}")]
    Forbidden { detail: String },
    /// The platform says that this client may not do such a thing at all, and what it lacks. The text says where that
    /// is granted.
    #[error("{status}: {detail}")]
    Barred { status: u16, detail: String },
    #[error("404: {detail}")]
    NotFound { detail: String },
    /// 400 and every other 4xx.
    #[error("{status}: {detail}")]
    Refused { status: u16, detail: String },
    /// No call was made, because there is no token.
    #[error(transparent)]
    Token(#[from] TokenFailure),
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFailure {
    /// 400, 401, 403, a key that cannot sign, or a token without the scope it needs. The text says what to do.
    #[error("credentials refused: {detail}")]
    Refused { status: Option<u16>, detail: String },
    #[error("the token endpoint failed: {detail}")]
    Unavailable { status: Option<u16>, detail: String },
    /// 429, or 400 with "rate limit exceeded". The pacer has been paused already.
    #[error("the token endpoint is rate limited")]
    RateLimited { retry_after: Duration },
    #[error("no slot within the time there was")]
    NoSlot,
}

/// One code as the platform lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub name: CodeName,
    pub id: CodeId,
}

/// What delivery and the code book need of a platform.
#[async_trait]
pub trait Platform: Send + Sync + std::fmt::Debug + 'static {
    /// The whole list, page by page, before deliveries. Waits out 429s. An empty list, or one whose size differs from
    /// the platform's own `total` after one more try, is a failure.
    async fn load_codes(&self) -> Result<Vec<Code>, Failure>;

    /// The first page of codes, for nobody's sake: is the platform there, and does it let us in?
    async fn probe(&self) -> Result<(), Failure>;

    /// Throws the token away and asks for a new one, checking its scope.
    async fn renew_token(&self) -> Result<(), TokenFailure>;

    /// Sets the code: look, write and second look as the assignment and the API want it. It ends before the
    /// assignment's lease does; what is left to be seen then is told as [`Outcome::Unconfirmed`].
    async fn assign(&self, assignment: &Assignment) -> Report;

    /// Looks where [`Self::assign`] would, and says what it would write. Writes nothing.
    async fn preview(&self, assignment: &Assignment) -> Result<Preview, Failure>;

    /// Whether [`Assignment::answers`] are used: only then they have to be read from the store.
    fn wants_answers(&self) -> bool {
        false
    }

    /// For how long after a write of unclear outcome it may still take effect.
    fn settles_within(&self) -> Duration;

    /// Which permissions this client lacks, as far as reading can show. Writes nothing.
    async fn lacks(&self) -> Vec<Failure> {
        Vec::new()
    }
}

/// Why there is no way to the platform at all: only the configuration can mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("platform.ca_file {} cannot be read", path.display())]
    CaFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("platform.ca_file {} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    #[error(
        "the HTTP client cannot be built (no root certificates on this machine? set platform.ca_file)"
    )]
    Client(#[source] reqwest::Error),
}

/// The platform that the configuration names. Nothing is called yet.
pub fn connect(
    config: Config,
    pacer: Pacer,
    clock: Clock,
    registry: &Registry,
) -> Result<Arc<dyn Platform>, Error> {
    Ok(match config.api.clone() {
        Api::Interactions => Arc::new(interactions::InteractionsApi::new(
            config, pacer, clock, registry,
        )?),
        Api::Conversations(settings) => Arc::new(conversations::ConversationsApi::new(
            config, settings, pacer, clock, registry,
        )?),
    })
}
