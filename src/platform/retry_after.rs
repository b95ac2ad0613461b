//! Reading `Retry-After`: seconds, or an HTTP-date measured against the answer's own `Date`.
//!
//! Not a policy: what is waited where nothing readable stands there (5 s, doubling) is kept by the client, and that a
//! pause is only ever extended is the pacer's. Not the platform's body either, and none of the `X-RateLimit-*` dialects.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use super::pacer::LONGEST_PAUSE;
use crate::clock::UnixMs;

/// A 429 that asks for no wait, or for a moment that has passed, still says that we were too fast.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long the platform wants no calls: 1 s to 24 h. `None` where the header is absent or unreadable.
/// `now` stands in where a date is given and the answer has no `Date`.
pub fn read(headers: &HeaderMap, now: UnixMs) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds still mean "very long".
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        http_date(text)?.since(answered_at(headers).unwrap_or(now))
    };
    Some(asked.clamp(SHORTEST, LONGEST_PAUSE))
}

/// The answer's own `Date`.
pub fn answered_at(headers: &HeaderMap) -> Option<UnixMs> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<UnixMs> {
    let moment = httpdate::parse_http_date(text.trim()).ok()?;
    let since_epoch = moment.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(UnixMs(0) + since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_769_851_800_000); // Sat, 31 Jan 2026 09:30:00 GMT

    #[track_caller]
    fn check(retry_after: &str, date: Option<&str>, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        assert_eq!(
            read(&headers, NOW),
            expected.map(Duration::from_secs),
            "{retry_after:?}"
        );
    }

    #[test]
    fn seconds() {
        check("7", None, Some(7));
        check(" 120 ", None, Some(120));
        check("0", None, Some(1));
    }

    #[test]
    fn absurd_values_are_capped_at_a_day() {
        check("86401", None, Some(86_400));
        check("99999999999999999999999999", None, Some(86_400));
        check("Fri, 31 Dec 9999 23:59:59 GMT", None, Some(86_400));
    }

    #[test]
    fn a_date_is_measured_against_the_answers_own() {
        let their_clock = Some("Sat, 31 Jan 2026 12:00:00 GMT");
        check("Sat, 31 Jan 2026 12:00:30 GMT", their_clock, Some(30));
        check("Sat, 31 Jan 2026 09:30:30 GMT", None, Some(30));
        check("Sat, 31 Jan 2026 11:00:00 GMT", their_clock, Some(1));
        check("Sat, 31 Jan 2026 09:30:30 GMT", Some("yesterday"), Some(30));
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        for bad in [
            "",
            "soon",
            "-5",
            "1.5",
            "5s",
            "0x10",
            "2026-01-31T09:30:00Z",
        ] {
            check(bad, None, None);
        }
        assert_eq!(read(&HeaderMap::new(), NOW), None);
    }
}
