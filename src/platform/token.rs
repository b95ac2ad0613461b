//! Access tokens: cached, renewed in time, fetched once for all.
//!
//! Not here: how they are asked for (`ask`), what a grant says (`grant`), and what a 401 means (`client`).
//! Invariants: one request for a token is on the way at any time; a failure is shared by all who waited for it and is
//! not tried again within [`FAILURE_HOLDS`], but for a 429, which the pacer keeps apart; neither key, assertion nor token
//! is ever logged or in a `Debug`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use prometheus::IntCounterVec;
use tokio::time::{Instant, timeout};

use super::exchange::{Answer, Exchange};
use super::pacer::Lane;
use super::refusal::{self, Dialect};
use super::{Auth, Config, TokenFailure, retry_after};
use crate::metrics::Registry;

mod ask;
mod grant;

pub use ask::check_key;

/// Renewed this long before it expires, so that no call carries a token that expires on its way.
const RENEW_EARLY: Duration = Duration::from_mins(1);
/// 32 workers that wait for a token must not become 32 attempts in a row.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);
/// Clocks that differ by more are worth telling.
const SKEW_MATTERS_MS: i64 = 30_000;

/// A token, ready to be sent. `Debug` shows which one it is, not what it is.
#[derive(Clone)]
pub(super) struct Token {
    header: HeaderValue,
    /// Counts the tokens of this process: 401 throws away only the one it was made with.
    number: u64,
}

impl Token {
    /// `Bearer ...`, marked sensitive.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// The bare token, to look for it in texts that are about to be shown.
    pub(super) fn bare(&self) -> &str {
        let text = self.header.to_str().unwrap_or_default();
        text.strip_prefix("Bearer ").unwrap_or(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(number {})", self.number)
    }
}

/// Where tokens come from.
#[derive(Debug)]
pub(super) struct Tokens {
    exchange: Arc<Exchange>,
    auth: Auth,
    /// Also the JWT's `aud`.
    url: String,
    dialect: Dialect,
    cache: Mutex<Cache>,
    /// Held by whoever is fetching.
    flight: tokio::sync::Mutex<()>,
    refreshes: IntCounterVec,
}

#[derive(Debug, Default)]
struct Cache {
    held: Option<Held>,
    failure: Option<(Instant, TokenFailure)>,
    made: u64,
}

#[derive(Debug)]
struct Held {
    token: Token,
    renew_at: Instant,
    expires_at: Instant,
}

impl Tokens {
    pub(super) fn new(
        exchange: Arc<Exchange>,
        config: &Config,
        dialect: Dialect,
        registry: &Registry,
    ) -> Self {
        let refreshes = registry.counters(
            "wrapup_token_refresh_total",
            "Attempts to get an access token.",
            &["outcome"],
        );
        for outcome in ["ok", "refused", "unavailable", "rate_limited"] {
            refreshes.with_label_values(&[outcome]).reset();
        }
        Self {
            exchange,
            auth: config.auth.clone(),
            url: config.token_url.clone(),
            dialect,
            cache: Mutex::default(),
            flight: tokio::sync::Mutex::new(()),
            refreshes,
        }
    }

    /// The token in force, without any waiting.
    pub(super) fn cached(&self) -> Option<Token> {
        let cache = self.cache();
        let held = cache.held.as_ref()?;
        (Instant::now() < held.renew_at).then(|| held.token.clone())
    }

    /// The token in force, or a new one. `patience` is for the slot that a new one takes.
    /// Safe to cancel: whoever waits next fetches it then.
    pub(super) async fn get(&self, patience: Duration) -> Result<Token, TokenFailure> {
        if let Some(token) = self.cached() {
            return Ok(token);
        }
        let asked_at = Instant::now();
        // Whoever fetches may be more patient than we are.
        let _flight = timeout(
            patience.saturating_add(self.exchange.timeout),
            self.flight.lock(),
        )
        .await
        .map_err(|_elapsed| TokenFailure::NoSlot)?;
        if let Some(token) = self.cached() {
            return Ok(token);
        }
        if let Some(failure) = self.recent_failure(asked_at) {
            return self.still_good(failure);
        }
        let outcome = self.fetch(patience).await;
        let label = match &outcome {
            Ok(_) => Some("ok"),
            Err(TokenFailure::Refused { .. }) => Some("refused"),
            Err(TokenFailure::Unavailable { .. }) => Some("unavailable"),
            Err(TokenFailure::RateLimited { .. }) => Some("rate_limited"),
            Err(TokenFailure::NoSlot) => None,
        };
        if let Some(label) = label {
            self.refreshes.with_label_values(&[label]).inc();
        }
        match outcome {
            Ok(token) => Ok(token),
            // Nothing was tried, so there is nothing to remember.
            Err(TokenFailure::NoSlot) => self.still_good(TokenFailure::NoSlot),
            Err(failure) => {
                self.cache().failure = Some((Instant::now(), failure.clone()));
                self.still_good(failure)
            }
        }
    }

    /// Throws the token away and gets a new one. Several at once still cost one request.
    pub(super) async fn renew(&self, patience: Duration) -> Result<(), TokenFailure> {
        {
            let mut cache = self.cache();
            cache.held = None;
            cache.failure = None;
        }
        self.get(patience).await.map(drop)
    }

    /// The platform answered 401 to this token: no further call uses it. A newer one stays.
    pub(super) fn invalidate(&self, token: &Token) {
        let mut cache = self.cache();
        if cache
            .held
            .as_ref()
            .is_some_and(|held| held.token.number == token.number)
        {
            cache.held = None;
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What somebody else was told, where it is an answer to who asks since `asked_at`, too.
    fn recent_failure(&self, asked_at: Instant) -> Option<TokenFailure> {
        let cache = self.cache();
        let (at, failure) = cache.failure.as_ref()?;
        let told = match failure {
            // The pacer is paused, and whoever comes later waits for its end. Told this at once, a delivery would be
            // snoozed, due, leased and told again for as long as it held.
            TokenFailure::RateLimited { .. } => asked_at <= *at,
            _ => at.elapsed() < FAILURE_HOLDS,
        };
        told.then(|| failure.clone())
    }

    /// A token that was due for renewal still serves until it expires, where its endpoint only failed.
    fn still_good(&self, failure: TokenFailure) -> Result<Token, TokenFailure> {
        if matches!(failure, TokenFailure::Refused { .. }) {
            return Err(failure);
        }
        let cache = self.cache();
        match &cache.held {
            Some(held) if Instant::now() < held.expires_at => Ok(held.token.clone()),
            _ => Err(failure),
        }
    }

    async fn fetch(&self, patience: Duration) -> Result<Token, TokenFailure> {
        let slot = self.exchange.slot(Lane::First, patience).await;
        let slot = slot.map_err(|_no_slot| TokenFailure::NoSlot)?;
        let ask::Ask { request, secret } = ask::ask(
            &self.exchange.http,
            &self.url,
            &self.auth,
            &self.exchange.clock,
        )?;
        let asked_at = Instant::now();
        let answer = self.exchange.send(slot, "token", request).await;
        let answer = answer.map_err(|silence| TokenFailure::Unavailable {
            status: None,
            detail: silence.detail,
        })?;
        self.judge(&answer, &secret, asked_at).await
    }

    async fn judge(
        &self,
        answer: &Answer,
        secret: &str,
        asked_at: Instant,
    ) -> Result<Token, TokenFailure> {
        let body = answer.body.as_deref().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_default();
        let ids = refusal::ids(&answer.headers, &body, secret);
        let said = refusal::explanation(&body, secret) + &ids;
        if let Some(retry_after) = answer.retry_after {
            return Err(TokenFailure::RateLimited { retry_after });
        }
        let limited = said.to_ascii_lowercase().contains("rate limit exceeded");
        if answer.status == StatusCode::BAD_REQUEST && limited {
            let retry_after = self.exchange.too_fast(answer).await;
            return Err(TokenFailure::RateLimited { retry_after });
        }
        let status = Some(answer.status.as_u16());
        match answer.status.as_u16() {
            200..300 => self.keep(answer, asked_at),
            code @ (400 | 401 | 403) => Err(TokenFailure::Refused {
                status,
                detail: grant::refusal(&self.auth.grant, code, &said, self.skew_ms(answer)),
            }),
            code => Err(TokenFailure::Unavailable {
                status,
                detail: format!("status {code} {said}").trim_end().to_owned(),
            }),
        }
    }

    fn keep(&self, answer: &Answer, asked_at: Instant) -> Result<Token, TokenFailure> {
        let unavailable = |detail: String| TokenFailure::Unavailable {
            status: Some(answer.status.as_u16()),
            detail,
        };
        let body = answer
            .body
            .as_ref()
            .map_err(|why| unavailable(why.clone()))?;
        let granted = grant::read(body).map_err(|why| unavailable(why.to_owned()))?;
        if self.dialect == Dialect::Interactions {
            // The conversations API gives rights by the client's roles and names no scope for them.
            let scope = granted.scope.as_deref();
            grant::check_scope(scope).map_err(|detail| TokenFailure::Refused {
                status: None,
                detail,
            })?;
        }
        if let Some(skew) = self.skew_ms(answer) {
            tracing::warn!("{}: tokens may be refused", grant::skew_text(skew));
        }
        let mut cache = self.cache();
        cache.made += 1;
        let token = Token {
            header: granted.header,
            number: cache.made,
        };
        let early = granted.lives.saturating_sub(RENEW_EARLY);
        cache.held = Some(Held {
            token: token.clone(),
            renew_at: asked_at + early.max(granted.lives / 2),
            expires_at: asked_at + granted.lives,
        });
        cache.failure = None;
        Ok(token)
    }

    /// How far this machine's clock is ahead of the platform's, in ms, where that is enough to matter.
    fn skew_ms(&self, answer: &Answer) -> Option<i64> {
        let theirs = retry_after::answered_at(&answer.headers)?;
        let skew = self.exchange.clock.now().0 - theirs.0;
        (skew.abs() > SKEW_MATTERS_MS).then_some(skew)
    }
}

#[cfg(test)]
mod tests;
