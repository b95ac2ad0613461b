//! Durations (`"5m"`) and sizes (`"256KiB"`) as people write them in the configuration.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time, written with a unit: `"250ms"`, `"5m"`, `"24h"`, `"30d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The parser's error repeats the text, which may be anything: a secret in the wrong place, too.
        match humantime::parse_duration(&text) {
            // The parser's `M` is a month: nobody means that.
            Ok(span) if !text.contains('M') => Ok(Self(span)),
            _ => Err(serde::de::Error::custom(
                "not a duration; write a number and a unit, such as \"5m\"",
            )),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one unit, as people write it: "400d", not "1year 1month 4days".
        const UNITS: [(u128, &str); 5] = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1000, "s"),
            (1, "ms"),
        ];
        let millis = self.0.as_millis();
        if millis == 0 && self.0.is_zero() {
            return f.write_str("0s");
        }
        let whole = Duration::from_millis(self::millis(self.0)) == self.0;
        match UNITS.iter().find(|(unit, _)| millis.is_multiple_of(*unit)) {
            Some((unit, name)) if whole => write!(f, "{}{name}", millis / unit),
            _ => humantime::format_duration(self.0).fmt(f),
        }
    }
}

/// A number of bytes, written with a unit: `"256KiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<bytesize::ByteSize>() {
            Ok(size) if !text.ends_with(|last: char| last.is_ascii_digit()) => {
                Ok(Self(size.as_u64()))
            }
            _ => Err(serde::de::Error::custom(
                "not a size; write a number and a unit, such as \"256KiB\"",
            )),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
            (1, "B"),
        ];
        match UNITS.iter().find(|(unit, _)| self.0.is_multiple_of(*unit)) {
            Some((unit, name)) if self.0 > 0 => write!(f, "{}{name}", self.0 / unit),
            _ => write!(f, "{}B", self.0),
        }
    }
}

/// Milliseconds as the unsigned integer that JSON and SQL take; saturates.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_are_written_as_people_write_them() {
        for text in ["0s", "50ms", "1500ms", "90s", "5m", "36h", "1d", "400d"] {
            let span = Span(humantime::parse_duration(text).unwrap());
            assert_eq!(span.to_string(), text);
        }
        for bad in ["\"5M\"", "\"5\"", "\"soon\""] {
            assert!(serde_json::from_str::<Span>(bad).is_err(), "{bad}");
        }
        for bad in ["\"8192\"", "\"8 Q\"", "\"\""] {
            assert!(serde_json::from_str::<Size>(bad).is_err(), "{bad}");
        }
        for text in ["0B", "1000B", "256KiB", "1MiB"] {
            let size = Size(text.parse::<bytesize::ByteSize>().unwrap().as_u64());
            assert_eq!(size.to_string(), text);
        }
    }
}
