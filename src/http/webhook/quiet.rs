//! Keeps a line of log that every request could cause to one in ten seconds for each reason, with a count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(10);

/// Bounded by the reasons, which are words of this program and never a client's.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<HashMap<&'static str, Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    /// Not logged since then.
    unsaid: u64,
}

impl Quiet {
    /// Notes that it happened. `Some`: time for a line, about so many.
    pub(super) fn say(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = reasons.get_mut(reason) else {
            reasons.insert(reason, Said { at: now, unsaid: 0 });
            return Some(1);
        };
        said.unsaid += 1;
        if now.duration_since(said.at) < EVERY {
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_reason_and_ten_seconds_tells_how_many() {
        let (quiet, start) = (Quiet::default(), Instant::now());
        assert_eq!(quiet.say("mismatch", start), Some(1));
        assert_eq!(quiet.say("mismatch", start + EVERY / 2), None);
        assert_eq!(quiet.say("too_old", start + EVERY / 2), Some(1));
        assert_eq!(quiet.say("mismatch", start + EVERY), Some(2));
        assert_eq!(quiet.say("mismatch", start + EVERY), None);
    }
}
