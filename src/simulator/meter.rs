//! The limits that a call meets: the rate limit, a quota for the day, and one for token requests alone.
//!
//! Each is a [`Window`]; here is which of them counts what, and how a refusal is told in each API.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use tokio::time::Instant;

use super::answer::{Answer, whole_seconds};
use super::limit::{Limit, Usage, Window};
use super::record::Operation;
use super::settings::{Api, Settings};

const COUNT: HeaderName = HeaderName::from_static("inin-ratelimit-count");
const ALLOWED: HeaderName = HeaderName::from_static("inin-ratelimit-allowed");
const RESET: HeaderName = HeaderName::from_static("inin-ratelimit-reset");

#[derive(Debug)]
pub(super) struct Meter {
    api: Api,
    /// All calls, token calls included.
    rate: Window,
    quota: Window,
    tokens: Window,
}

/// Which limit refused a call, and after how long it would let one through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    Rate(Duration),
    Quota(Duration),
    Tokens(Duration),
}

impl Meter {
    pub(super) fn new(settings: &Settings) -> Self {
        let window = |limit| Window::new(limit, settings.window, settings.count_refused);
        Self {
            api: settings.api,
            rate: window(settings.limit()),
            quota: window(settings.quota),
            tokens: window(settings.token_limit),
        }
    }

    /// The first limit that has no place refuses. A place taken before that stays taken: to the strict, an attempt
    /// is a call.
    pub(super) fn admit(&mut self, operation: Operation, now: Instant) -> Result<(), Turned> {
        self.rate.admit(now).map_err(Turned::Rate)?;
        self.quota.admit(now).map_err(Turned::Quota)?;
        if operation == Operation::Token {
            self.tokens.admit(now).map_err(Turned::Tokens)?;
        }
        Ok(())
    }

    pub(super) fn set_rate(&mut self, settings: &Settings, limit: Limit) {
        self.rate = Window::new(limit, settings.window, settings.count_refused);
    }

    pub(super) fn set_quota(&mut self, settings: &Settings, limit: Limit) {
        self.quota = Window::new(limit, settings.window, settings.count_refused);
    }

    pub(super) fn set_token_limit(&mut self, settings: &Settings, limit: Limit) {
        self.tokens = Window::new(limit, settings.window, settings.count_refused);
    }

    /// Calls of somebody who shares the rate limit with us.
    pub(super) fn others_call(&mut self, calls: usize, now: Instant) {
        self.rate.taken_by_others(calls, now);
    }

    pub(super) fn limit(&self) -> Limit {
        self.rate.limit()
    }

    pub(super) fn quota(&self) -> Limit {
        self.quota.limit()
    }

    pub(super) fn token_limit(&self) -> Limit {
        self.tokens.limit()
    }

    pub(super) fn refused(&self) -> u64 {
        self.rate.refused() + self.quota.refused() + self.tokens.refused()
    }

    pub(super) fn busiest(&self) -> usize {
        self.rate.busiest()
    }

    /// The conversations API tells on each answer how far its limit is used up.
    pub(super) fn tell(&mut self, headers: &mut HeaderMap, now: Instant) {
        if self.api == Api::Interactions {
            return;
        }
        let Some(Usage {
            count,
            allowed,
            reset,
        }) = self.rate.usage(now)
        else {
            return;
        };
        let told = [
            (COUNT, HeaderValue::from(count)),
            (ALLOWED, HeaderValue::from(allowed)),
            (RESET, HeaderValue::from(whole_seconds(reset))),
        ];
        for (name, value) in told {
            headers.entry(name).or_insert(value);
        }
    }

    /// What the caller is told. The token endpoint of the conversations API has no 429: it disguises it.
    pub(super) fn refusal(&self, turned: Turned, operation: Operation) -> Answer {
        if operation == Operation::Token && self.api == Api::Conversations {
            return Answer::json(
                StatusCode::BAD_REQUEST,
                &json!({
                    "error": "invalid_request",
                    "error_description": "rate limit exceeded: too many token requests",
                }),
            );
        }
        match turned {
            Turned::Rate(room_in) | Turned::Tokens(room_in) => {
                Answer::too_many("too.many.requests", room_in)
            }
            Turned::Quota(room_in) => Answer::too_many("too.many.requests.retry.after", room_in),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(api: Api) -> Meter {
        Meter::new(&Settings {
            api,
            limit: Some(Limit::per(10, Duration::from_secs(1))),
            quota: Limit::per(3, Duration::from_hours(24)),
            token_limit: Limit::per(1, Duration::from_mins(1)),
            ..Settings::default()
        })
    }

    #[test]
    fn each_limit_counts_its_own_and_says_for_how_long_it_refuses() {
        let mut meter = meter(Api::Conversations);
        let now = Instant::now();
        let hours = Duration::from_hours;
        assert_eq!(meter.admit(Operation::Token, now), Ok(()));
        let minute = Duration::from_mins(1);
        assert_eq!(
            meter.admit(Operation::Token, now),
            Err(Turned::Tokens(minute))
        );
        assert_eq!(meter.admit(Operation::State, now), Ok(()));
        assert_eq!(
            meter.admit(Operation::State, now),
            Err(Turned::Quota(hours(24)))
        );
        assert_eq!(meter.refused(), 2);
    }

    #[test]
    fn a_refusal_is_told_as_the_api_tells_it() {
        let room = Duration::from_hours(5);
        let conversations = meter(Api::Conversations);
        let quota = conversations.refusal(Turned::Quota(room), Operation::State);
        assert_eq!(quota.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(quota.into_response().headers()["retry-after"], "18000");
        let disguised = conversations.refusal(Turned::Rate(room), Operation::Token);
        assert_eq!(disguised.status, StatusCode::BAD_REQUEST);
        let plain = meter(Api::Interactions).refusal(Turned::Rate(room), Operation::Token);
        assert_eq!(plain.status, StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn headers_tell_what_is_used_up_and_only_in_the_api_that_has_them() {
        let now = Instant::now();
        for (api, told) in [
            (Api::Interactions, None),
            (Api::Conversations, Some(["1", "10", "1"])),
        ] {
            let mut meter = meter(api);
            meter.admit(Operation::State, now).unwrap();
            let mut headers = HeaderMap::new();
            meter.tell(&mut headers, now + Duration::from_millis(1));
            let seen = told.map(|_| [COUNT, ALLOWED, RESET].map(|name| headers[name].clone()));
            assert_eq!(seen, told.map(|told| told.map(HeaderValue::from_static)));
            assert_eq!(headers.is_empty(), told.is_none());
        }
    }
}
