//! The moment that a sender claims, and whether it is near enough to now.

use std::time::Duration;

use chrono::DateTime;

use super::config::TimestampFormat;
use crate::clock::UnixMs;

/// Where a claimed moment lies, seen from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    TooOld,
    TooNew,
}

impl TimestampFormat {
    /// The moment, or `None` where the text is not of this format.
    pub(super) fn parse(self, text: &[u8]) -> Option<UnixMs> {
        let text = str::from_utf8(text).ok()?;
        match self {
            Self::Unix => digits(text)?.checked_mul(1000).map(UnixMs),
            Self::UnixMs => digits(text).map(UnixMs),
            Self::Rfc3339 => DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|moment| UnixMs(moment.timestamp_millis())),
        }
    }

    pub(super) fn write(self, moment: UnixMs) -> String {
        match self {
            Self::Unix => moment.as_secs().to_string(),
            Self::UnixMs => moment.0.to_string(),
            Self::Rfc3339 => moment.to_rfc3339(),
        }
    }
}

fn digits(text: &str) -> Option<i64> {
    // `parse` alone would also take a sign.
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok()).flatten()
}

/// Judges in both directions: exactly `tolerance` away is still fresh.
pub(super) fn age(claimed: UnixMs, now: UnixMs, tolerance: Duration) -> Age {
    if now.since(claimed) > tolerance {
        Age::TooOld
    } else if claimed.since(now) > tolerance {
        Age::TooNew
    } else {
        Age::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_reads_what_it_writes_and_nothing_else() {
        let moment = UnixMs(1_627_207_200_000);
        let all = [
            (TimestampFormat::Unix, "1627207200"),
            (TimestampFormat::UnixMs, "1627207200000"),
            (TimestampFormat::Rfc3339, "2021-07-25T10:00:00.000Z"),
        ];
        for (format, text) in all {
            assert_eq!(format.write(moment), text);
            assert_eq!(format.parse(text.as_bytes()), Some(moment));
        }
        let zoned = TimestampFormat::Rfc3339.parse(b"2021-07-25T12:00:00+02:00");
        assert_eq!(zoned, Some(moment));
        for bad in ["", "-1", "+1", "1.5", " 1", "99999999999999999", "soon"] {
            assert_eq!(TimestampFormat::Unix.parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(TimestampFormat::Unix.parse(b"\xff"), None);
        assert_eq!(TimestampFormat::Rfc3339.parse(b"2021-07-25"), None);
    }

    #[test]
    fn the_tolerance_holds_in_both_directions() {
        #[track_caller]
        fn check(seconds_late: i64, expected: Age) {
            let claimed = UnixMs(1_000_000_000);
            let now = UnixMs(claimed.0 + seconds_late * 1000);
            assert_eq!(age(claimed, now, Duration::from_mins(5)), expected);
        }
        check(0, Age::Fresh);
        check(300, Age::Fresh);
        check(-300, Age::Fresh);
        check(301, Age::TooOld);
        check(-301, Age::TooNew);
        let extreme = age(UnixMs(i64::MAX), UnixMs(i64::MIN), Duration::MAX);
        assert_eq!(extreme, Age::Fresh);
    }
}
