//! The one rate limiter that all calls to the platform pass.

use crate::clock::UnixMs;

/// Keeps a long pause over a restart; `delivery` implements it on the store.
#[async_trait::async_trait]
pub trait PauseMemory: Send + Sync + std::fmt::Debug + 'static {
    async fn remember(&self, until: UnixMs);
}
