//! One HTTP exchange with the platform: a slot, a request, an answer within limits, the metrics of it.
//!
//! Not here: tokens (`token`), what an answer means for an operation (`client`). No redirect is followed and nothing
//! is repeated behind the pacer's back.
//! Invariant: nothing is sent without a [`Slot`], and a 429 has paused the pacer before anyone hears of it.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use prometheus::{HistogramVec, IntCounterVec};
use reqwest::{RequestBuilder, redirect, retry};
use tokio::time::Instant;

use super::pacer::{Lane, NoSlot, Pacer, Told};
use super::{Config, Error, retry_after};
use crate::clock::Clock;
use crate::metrics::{FAST_SECONDS, Registry};

/// The most of an answer that is read. The longest documented one, a page of 500 codes, is a tenth of it.
const MAX_ANSWER: usize = 1024 * 1024;
/// Shorter than the idle time of common load balancers, so that they do not close a connection as we write on it.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// The pause after a 429 that does not say how long, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const MOST_PAUSE: Duration = Duration::from_mins(1);

/// The way to the platform, shared by all calls.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) http: reqwest::Client,
    pub(super) pacer: Pacer,
    pub(super) clock: Clock,
    pub(super) timeout: Duration,
    unasked: Mutex<Unasked>,
    requests: IntCounterVec,
    seconds: HistogramVec,
}

/// The right to send one request now.
#[derive(Debug)]
pub(super) struct Slot(());

/// What came back. The body of a success is only worth something whole; that of a refusal is an explanation.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Or why it could not be read to its end.
    pub(super) body: Result<Bytes, String>,
    /// For a 429: how long the pacer pauses now.
    pub(super) retry_after: Option<Duration>,
    operation: &'static str,
    sent_at: Instant,
}

/// Nothing came back.
#[derive(Debug)]
pub(super) struct Silence {
    /// The request may have reached the platform.
    pub(super) sent: bool,
    pub(super) detail: String,
}

impl Exchange {
    pub(super) fn new(
        config: &Config,
        pacer: Pacer,
        clock: Clock,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("wrapup/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .timeout(config.request_timeout)
            // A little less than the whole: so a connection that never came is told from a write that may have.
            .connect_timeout(config.request_timeout.mul_f32(0.9))
            .pool_idle_timeout(POOL_IDLE);
        if let Some(path) = &config.ca_file {
            let pem = std::fs::read(path).map_err(|source| Error::CaFile {
                path: path.clone(),
                source,
            })?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or_else(|| Error::NoCertificate(path.clone()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(Self {
            http: builder.build().map_err(Error::Client)?,
            pacer,
            clock,
            timeout: config.request_timeout,
            unasked: Mutex::default(),
            requests: registry.counters(
                "wrapup_platform_requests_total",
                "Calls to the platform, by the answer's status, or `connect`, `timeout`, `error` where there was none.",
                &["operation", "status"],
            ),
            seconds: registry.histograms(
                "wrapup_platform_request_duration_seconds",
                "From sending a call to the platform to the last byte of its answer.",
                &["operation"],
                FAST_SECONDS,
            ),
        })
    }

    /// Waits for the right to send. Send at once.
    pub(super) async fn slot(&self, lane: Lane, patience: Duration) -> Result<Slot, NoSlot> {
        self.pacer.slot(lane, patience).await.map(|()| Slot(()))
    }

    /// Sends, and reads the answer. A 429 has paused the pacer when this returns.
    pub(super) async fn send(
        &self,
        _: Slot,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, Silence> {
        let sent_at = Instant::now();
        let outcome = self.exchange(operation, request, sent_at).await;
        self.seconds
            .with_label_values(&[operation])
            .observe(sent_at.elapsed().as_secs_f64());
        let (status, outcome) = match outcome {
            Ok(answer) => (answer.status.as_str().to_owned(), Ok(answer)),
            Err((label, silence)) => (label.to_owned(), Err(silence)),
        };
        self.requests
            .with_label_values(&[operation, status.as_str()])
            .inc();
        let mut answer = outcome?;
        if let Some(told) = Told::read(&answer.headers) {
            self.pacer.heed(told, sent_at);
        }
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            answer.retry_after = Some(self.too_fast(&answer).await);
        } else if answer.status != StatusCode::BAD_REQUEST {
            // A 400 of the token endpoint may be a 429 in disguise.
            self.unasked().answered(operation, answer.sent_at);
        }
        Ok(answer)
    }

    /// Pauses the pacer for what the answer asks, and says for how long.
    pub(super) async fn too_fast(&self, answer: &Answer) -> Duration {
        let asked = retry_after::read(&answer.headers, self.clock.now());
        let pause = asked.unwrap_or_else(|| self.unasked().pause(answer.operation, answer.sent_at));
        self.pacer.rate_limited(pause).await;
        pause
    }

    async fn exchange(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        sent_at: Instant,
    ) -> Result<Answer, (&'static str, Silence)> {
        let request = request.build().map_err(|cause| silence(cause, false))?;
        let mut response = self
            .http
            .execute(request)
            .await
            .map_err(|cause| silence(cause, true))?;
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: read(&mut response).await,
            retry_after: None,
            operation,
            sent_at,
        })
    }

    fn unasked(&self) -> std::sync::MutexGuard<'_, Unasked> {
        self.unasked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(response: &mut reqwest::Response) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER => {
                return Err("the answer is longer than 1 MiB".to_owned());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(cause) if cause.is_timeout() => return Err("the answer did not end in time".into()),
            Err(cause) => return Err(format!("the answer was cut off: {}", reason(cause))),
        }
    }
}

/// The metric's label, and what it means that no answer came.
fn silence(cause: reqwest::Error, sent: bool) -> (&'static str, Silence) {
    if cause.is_connect() {
        let detail = format!("no connection to the platform: {}", reason(cause));
        let sent = false;
        return ("connect", Silence { sent, detail });
    }
    if cause.is_timeout() {
        let detail = "the platform did not answer in time".to_owned();
        return ("timeout", Silence { sent, detail });
    }
    let detail = format!("the call failed: {}", reason(cause));
    ("error", Silence { sent, detail })
}

/// The chain of causes, without the URL.
fn reason(cause: reqwest::Error) -> String {
    let cause = cause.without_url();
    let mut text = cause.to_string();
    let mut deeper = cause.source();
    while let Some(cause) = deeper {
        write!(text, ": {cause}").expect("writing to a string does not fail");
        deeper = cause.source();
    }
    text
}

/// Pauses for 429s that do not say how long: doubled from one round to the next, not within a round.
#[derive(Debug, Default)]
struct Unasked {
    current: Duration,
    /// When the last such pause began, and for which operation, while that was answered with nothing but 429s since:
    /// a platform may limit its writes and go on to answer looks.
    begun: Option<(Instant, &'static str)>,
}

impl Unasked {
    fn pause(&mut self, operation: &'static str, sent_at: Instant) -> Duration {
        match self.begun {
            // On the wire when the pause began: it belongs to the same round.
            Some((begun, _)) if sent_at <= begun => return self.current,
            Some(_) => self.current = (self.current * 2).min(MOST_PAUSE),
            None => self.current = FIRST_PAUSE,
        }
        self.begun = Some((Instant::now(), operation));
        self.current
    }

    fn answered(&mut self, operation: &str, sent_at: Instant) {
        let ends = |(begun, limited)| limited == operation && sent_at > begun;
        if self.begun.is_some_and(ends) {
            self.begun = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_that_nobody_asked_for_double_by_rounds_up_to_a_minute() {
        let mut unasked = Unasked::default();
        let mut seen = Vec::new();
        for _ in 0..6 {
            let sent_at = Instant::now();
            tokio::time::advance(Duration::from_millis(1)).await;
            // A look that passes tells nothing of writes.
            unasked.answered("state", Instant::now());
            let pause = unasked.pause("assign", sent_at);
            assert_eq!(unasked.pause("state", sent_at), pause, "of the same round");
            unasked.answered("assign", sent_at);
            seen.push(pause.as_secs());
            tokio::time::advance(pause).await;
        }
        assert_eq!(seen, [5, 10, 20, 40, 60, 60]);
        unasked.answered("assign", Instant::now());
        assert_eq!(unasked.pause("assign", Instant::now()), FIRST_PAUSE);
    }
}
