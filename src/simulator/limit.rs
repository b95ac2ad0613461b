//! A limit of the simulator: a strict window over calls, sliding unless told otherwise.
//!
//! Invariant: in no window of `per`, wherever it begins, are more than `requests` calls let through. It smooths
//! nothing and forgives nothing, and remembers how close its callers came. Which limits a call meets is [`meter`]'s.
//!
//! [`meter`]: super::meter

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;

/// Arrivals remembered for measuring the busiest window; beyond it the measure stops growing, the limit goes on.
const MAX_ARRIVALS: usize = 1_000_000;

/// A longer window would be no rate limit but a quota, and could overflow the clock.
const MAX_PER: Duration = Duration::from_hours(24);

/// How many calls in how long, written `100/1s` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Off,
    Window { requests: NonZeroU32, per: Duration },
}

impl Limit {
    /// `requests` calls in every `per`; no requests at all means no limit.
    pub fn per(requests: u32, per: Duration) -> Self {
        NonZeroU32::new(requests).map_or(Self::Off, |requests| Self::Window { requests, per })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Window { requests, per } => {
                write!(f, "{requests}/{}", humantime::format_duration(*per))
            }
        }
    }
}

/// A text that is no limit.
#[derive(Debug, thiserror::Error)]
#[error("not a limit: write requests and a time of at most 24 h, such as `100/1s`, or `off`")]
pub struct BadLimit;

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let (requests, per) = text.split_once('/').ok_or(BadLimit)?;
        let requests = requests.trim().parse().ok().ok_or(BadLimit)?;
        let per = humantime::parse_duration(per.trim()).ok().ok_or(BadLimit)?;
        if per.is_zero() || per > MAX_PER {
            return Err(BadLimit);
        }
        Ok(Self::Window { requests, per })
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a window moves on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A place is free again when its own call is `per` ago: nothing is stricter.
    #[default]
    Sliding,
    /// All places are free again when the first call of the window is `per` ago.
    Fixed,
}

/// How far a window is used up, as the platform's headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) count: usize,
    pub(super) allowed: u32,
    /// Until the oldest call of the window leaves it.
    pub(super) reset: Duration,
}

/// The window as it moves.
#[derive(Debug)]
pub(super) struct Window {
    limit: Limit,
    shape: Shape,
    /// Whether a refused call takes a place in the window, too.
    count_refused: bool,
    /// What counts against the limit.
    taken: VecDeque<Instant>,
    /// All that arrived, let through or not.
    arrived: VecDeque<Instant>,
    busiest: usize,
    refused: u64,
}

impl Window {
    pub(super) fn new(limit: Limit, shape: Shape, count_refused: bool) -> Self {
        Self {
            limit,
            shape,
            count_refused,
            taken: VecDeque::new(),
            arrived: VecDeque::new(),
            busiest: 0,
            refused: 0,
        }
    }

    pub(super) fn limit(&self) -> Limit {
        self.limit
    }

    /// The most calls that arrived within any one window, refused ones included; 0 while the limit is off.
    pub(super) fn busiest(&self) -> usize {
        self.busiest
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// None while the limit is off.
    pub(super) fn usage(&mut self, now: Instant) -> Option<Usage> {
        let Limit::Window { requests, per } = self.limit else {
            return None;
        };
        self.move_on(now, per);
        let reset = self.taken.front().map_or(Duration::ZERO, |oldest| {
            (*oldest + per).saturating_duration_since(now)
        });
        Some(Usage {
            count: self.taken.len(),
            allowed: requests.get(),
            reset,
        })
    }

    /// Somebody else's calls, who shares the limit: they take places and are no arrivals of ours.
    pub(super) fn taken_by_others(&mut self, calls: usize, now: Instant) {
        let Limit::Window { requests, per } = self.limit else {
            return;
        };
        self.move_on(now, per);
        let most = usize::try_from(requests.get()).unwrap_or(usize::MAX);
        let room = most.saturating_sub(self.taken.len());
        self.taken.extend(std::iter::repeat_n(now, calls.min(room)));
    }

    fn move_on(&mut self, now: Instant, per: Duration) {
        match self.shape {
            Shape::Sliding => leave(&mut self.taken, now, per),
            Shape::Fixed if self.taken.front().is_some_and(|first| *first + per <= now) => {
                self.taken.clear();
            }
            Shape::Fixed => {}
        }
    }

    /// Lets a call through, or says after how long the next place is free.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let Limit::Window { requests, per } = self.limit else {
            return Ok(());
        };
        leave(&mut self.arrived, now, per);
        self.move_on(now, per);
        if self.arrived.len() < MAX_ARRIVALS {
            self.arrived.push_back(now);
            self.busiest = self.busiest.max(self.arrived.len());
        }
        let most = usize::try_from(requests.get()).unwrap_or(usize::MAX);
        let Some(oldest) = self.taken.front().filter(|_| self.taken.len() >= most) else {
            self.taken.push_back(now);
            return Ok(());
        };
        let room_in = (*oldest + per).saturating_duration_since(now);
        self.refused += 1;
        if self.count_refused {
            // The oldest makes place: the window stays full for as long as the caller keeps knocking.
            self.taken.pop_front();
            self.taken.push_back(now);
        }
        Err(room_in)
    }
}

fn leave(window: &mut VecDeque<Instant>, now: Instant, per: Duration) {
    while window.front().is_some_and(|first| *first + per <= now) {
        window.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_limit_is_read_as_it_is_written() {
        for text in ["100/1s", "300/1m", "off"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        for bad in ["", "100", "0/1s", "5/0s", "x/1s", "5/soon"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_window_wherever_it_begins_lets_more_through() {
        let start = Instant::now();
        let mut window = Window::new(Limit::per(2, 1000 * MS), Shape::Sliding, false);
        assert_eq!(window.admit(start), Ok(()));
        assert_eq!(window.admit(start + 900 * MS), Ok(()));
        // A fixed window would have begun anew by 1000 ms and let two through.
        assert_eq!(window.admit(start + 999 * MS), Err(MS));
        assert_eq!(window.admit(start + 1000 * MS), Ok(()));
        assert_eq!(window.admit(start + 1000 * MS), Err(900 * MS));
        assert_eq!((window.refused(), window.busiest()), (2, 4));
    }

    #[test]
    fn refused_calls_count_only_where_told_so() {
        let start = Instant::now();
        for (count_refused, later) in [(false, Ok(())), (true, Err(500 * MS))] {
            let mut window = Window::new(Limit::per(1, 1000 * MS), Shape::Sliding, count_refused);
            assert_eq!(window.admit(start), Ok(()));
            assert!(window.admit(start + 500 * MS).is_err());
            assert_eq!(window.admit(start + 1000 * MS), later);
        }
    }

    #[test]
    fn a_fixed_window_frees_all_its_places_at_once() {
        let start = Instant::now();
        let mut window = Window::new(Limit::per(2, 1000 * MS), Shape::Fixed, false);
        for (at, admitted) in [
            (0, true),
            (900, true),
            (999, false),
            (1000, true),
            (1001, true),
        ] {
            assert_eq!(window.admit(start + at * MS).is_ok(), admitted, "{at}");
        }
    }

    #[test]
    fn usage_counts_others_who_share_the_limit_and_says_when_it_eases() {
        let start = Instant::now();
        let mut window = Window::new(Limit::per(5, 1000 * MS), Shape::Sliding, false);
        assert_eq!(window.admit(start), Ok(()));
        window.taken_by_others(3, start + 100 * MS);
        let used = |count, reset| {
            Some(Usage {
                count,
                allowed: 5,
                reset: reset * MS,
            })
        };
        assert_eq!(window.usage(start + 400 * MS), used(4, 600));
        assert_eq!(window.usage(start + 1000 * MS), used(3, 100));
        assert_eq!(window.busiest(), 1);
        window.taken_by_others(100, start + 1000 * MS);
        assert_eq!(window.usage(start + 1000 * MS), used(5, 100));
    }

    #[test]
    fn off_lets_all_through() {
        let mut window = Window::new(Limit::Off, Shape::Sliding, false);
        assert!((0..10_000).all(|_| window.admit(Instant::now()).is_ok()));
    }
}
