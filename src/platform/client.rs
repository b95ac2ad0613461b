//! Calls with a token: the status of an answer becomes a [`Failure`] here, once.
//!
//! Not here: what a documented answer looks like (`interactions`), and what a failure means for a delivery.
//! Invariants: each try takes a slot of its own; a 401 costs one renewal, however many calls it met, and one repeat.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION};
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;

use super::exchange::{Answer, Exchange};
use super::pacer::{ENDLESS_PATIENCE, Lane, Pacer};
use super::refusal::{self, Dialect};
use super::token::{Token, Tokens};
use super::{Api, Config, Error, Failure, TokenFailure};
use crate::clock::Clock;
use crate::metrics::Registry;

/// One platform, with its token and its pace.
#[derive(Debug)]
pub(super) struct Client {
    exchange: Arc<Exchange>,
    tokens: Tokens,
    dialect: Dialect,
}

/// A call that brought nothing.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) failure: Failure,
    /// The request may have reached the platform, be it that the platform said no.
    pub(super) sent: bool,
}

/// A 2xx, its body read to the end.
#[derive(Debug)]
pub(super) struct Success {
    status: StatusCode,
    body: Bytes,
    /// The platform's own id of the call, for its support.
    pub(super) correlation: Option<String>,
}

impl Success {
    pub(super) fn is_empty(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }

    /// The body as the documented JSON; anything else is as good as no answer.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // The parser's own message would quote the answer.
        serde_json::from_slice(&self.body)
            .map_err(|_cause| self.undocumented("is not the documented JSON"))
    }

    pub(super) fn undocumented(&self, how: &str) -> Failure {
        let call = self.correlation.as_ref();
        let call = call.map(|id| format!(" [ININ-Correlation-Id {id}]"));
        Failure::Unavailable {
            status: Some(self.status.as_u16()),
            detail: format!(
                "{}, but the answer {how}{}",
                self.status.as_u16(),
                call.unwrap_or_default()
            ),
        }
    }
}

impl Client {
    pub(super) fn new(
        config: &Config,
        pacer: Pacer,
        clock: Clock,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let exchange = Arc::new(Exchange::new(config, pacer, clock, registry)?);
        let dialect = match config.api {
            Api::Interactions => Dialect::Interactions,
            Api::Conversations(_) => Dialect::Conversations,
        };
        let tokens = Tokens::new(Arc::clone(&exchange), config, dialect, registry);
        Ok(Self {
            exchange,
            tokens,
            dialect,
        })
    }

    /// How long a call that nobody gave a patience waits for its slot.
    pub(super) fn ordinary_patience(&self) -> Duration {
        self.exchange.timeout
    }

    /// Waits, but not beyond the service's end. Answers whether that has not come.
    pub(super) async fn rest(&self, span: Duration) -> bool {
        self.exchange.pacer.rest(span).await
    }

    /// The service ends.
    #[cfg(test)]
    pub(super) fn close(&self) {
        self.exchange.pacer.close();
    }

    pub(super) async fn renew_token(&self) -> Result<(), TokenFailure> {
        self.tokens.renew(self.ordinary_patience()).await
    }

    /// One call: token, slot, request, answer; with a new token once more where the answer is 401.
    /// `patience` is for each slot.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        lane: Lane,
        patience: Duration,
        build: impl Fn(&reqwest::Client) -> RequestBuilder + Send + Sync,
    ) -> Result<Success, Missed> {
        let mut sent = false;
        let mut repeated = false;
        loop {
            let missed = |failure| Missed { failure, sent };
            let token = self.tokens.get(patience).await;
            let token = token.map_err(|failure| missed(failure.into()))?;
            let slot = self.exchange.slot(lane, patience).await;
            let slot = slot.map_err(|_no_slot| missed(Failure::NoSlot))?;
            // The wait may have been long: another call may have brought a newer token meanwhile.
            let token = self.tokens.cached().unwrap_or(token);
            let request = build(&self.exchange.http)
                .header(AUTHORIZATION, token.header())
                .header(ACCEPT, "application/json");
            let answer = match self.exchange.send(slot, operation, request).await {
                Ok(answer) => answer,
                Err(silence) => {
                    return Err(Missed {
                        failure: Failure::Unavailable {
                            status: None,
                            detail: silence.detail,
                        },
                        sent: sent || silence.sent,
                    });
                }
            };
            sent = true;
            if answer.status == StatusCode::UNAUTHORIZED {
                self.tokens.invalidate(&token);
                if !repeated {
                    repeated = true;
                    continue;
                }
            }
            return self
                .judge(operation, answer, &token)
                .map_err(|failure| Missed { failure, sent });
        }
    }

    /// A call of the first lane that waits for its slot, and out every 429, for as long as it is not dropped.
    pub(super) async fn call_patiently(
        &self,
        operation: &'static str,
        build: impl Fn(&reqwest::Client) -> RequestBuilder + Send + Sync,
    ) -> Result<Success, Failure> {
        loop {
            match self
                .call(operation, Lane::First, ENDLESS_PATIENCE, &build)
                .await
            {
                Ok(success) => return Ok(success),
                Err(Missed {
                    failure:
                        Failure::RateLimited { retry_after }
                        | Failure::Token(TokenFailure::RateLimited { retry_after }),
                    ..
                }) => {
                    let seconds = retry_after.as_secs();
                    tracing::debug!(operation, seconds, "rate limited; asking again after that");
                    // Slept here, too, not only in the pacer: a remembered token failure comes without a slot.
                    tokio::time::sleep(retry_after).await;
                }
                Err(missed) => return Err(missed.failure),
            }
        }
    }

    fn judge(&self, operation: &str, answer: Answer, token: &Token) -> Result<Success, Failure> {
        let status = answer.status.as_u16();
        if let Some(retry_after) = answer.retry_after {
            return Err(Failure::RateLimited { retry_after });
        }
        if answer.status.is_success() {
            return match answer.body {
                Ok(body) => Ok(Success {
                    status: answer.status,
                    body,
                    correlation: refusal::correlation(&answer.headers)
                        .filter(|id| !id.contains(token.bare()))
                        .map(str::to_owned),
                }),
                Err(why) => Err(Failure::Unavailable {
                    status: Some(status),
                    detail: format!("{status}, but {why}"),
                }),
            };
        }
        let body = answer.body.unwrap_or_default();
        Err(refusal::judge(
            self.dialect,
            operation,
            answer.status,
            &answer.headers,
            &body,
            token.bare(),
        ))
    }
}

#[cfg(test)]
mod tests;
