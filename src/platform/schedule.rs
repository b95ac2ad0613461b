//! When the next call may start: the arithmetic of the pacer, without a clock, a lock or a wait.
//!
//! GCRA with a burst of one: moments on one line, each at least one spacing after the one before, whoever takes them.
//! Not a token bucket: idle time earns nothing, because a burst after a lull is what breaks a strict sliding window.
//!
//! Invariant: no half-open window of `per + slack` holds more than `requests` moments, and none lies in a pause that
//! was known when it was reserved. Moments are spans since an origin of the caller's choice (the pacer's start).

use std::time::Duration;

use super::config::RateLimit;
use super::pacer::Lowered;

/// How far behind `now` a moment may lie, so that a timer that fires late does not cost pace. Timers tick each
/// millisecond, and a busy machine adds its own: a fifth of the slack is given to that, the rest is the network's.
const LEAST_GRACE: Duration = Duration::from_millis(2);
const MOST_GRACE: Duration = Duration::from_millis(10);

/// The line of moments. Whoever holds it, holds the limit: one for each platform, however many callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    spacing: Duration,
    grace: Duration,
    /// The moment reserved last; at first the origin, so that a restart breaks no window.
    last: Duration,
    /// No moment lies before this one.
    open_from: Duration,
    /// Slower for a while, because the platform said so.
    lowered: Option<Lowered>,
}

impl Schedule {
    pub fn new(limit: &RateLimit) -> Self {
        let window = (limit.per + limit.slack).as_nanos();
        // Rounded up: a spacing a hair too short would let one call too many into a window.
        let spacing = window.div_ceil(u128::from(limit.requests.max(1))).max(1);
        Self {
            spacing: Duration::from_nanos(u64::try_from(spacing).unwrap_or(u64::MAX)),
            grace: (limit.slack / 5).clamp(LEAST_GRACE, MOST_GRACE),
            last: Duration::ZERO,
            open_from: Duration::ZERO,
            lowered: None,
        }
    }

    /// Between two moments, as things are now.
    pub fn spacing(&self, now: Duration) -> Duration {
        match self.lowered {
            Some(lowered) if now < lowered.until => lowered.spacing.max(self.spacing),
            _ => self.spacing,
        }
    }

    /// Slower for a while, or as fast as ever.
    pub(super) fn lower(&mut self, lowered: Option<Lowered>) {
        self.lowered = lowered;
    }

    /// How late a moment may still be used.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// The moment that [`Self::reserve`] would give first. It may lie ahead of `now`; the call waits until then.
    pub fn next(&self, now: Duration) -> Duration {
        let held = self.lowered.filter(|lowered| now < lowered.until);
        self.last
            .saturating_add(self.spacing(now))
            .max(now.saturating_sub(self.grace))
            .max(held.map_or(Duration::ZERO, |lowered| lowered.not_before))
            .max(self.open_from)
    }

    /// Takes the next moment.
    pub fn take(&mut self, now: Duration) -> Duration {
        self.last = self.next(now);
        self.last
    }

    /// Takes the next `n` moments, in order.
    ///
    /// What is reserved and then falls into a pause is void: its holder reserves anew, and so the pause ends at the
    /// pace and not in a burst.
    pub fn reserve(&mut self, n: usize, now: Duration) -> Vec<Duration> {
        (0..n).map(|_| self.take(now)).collect()
    }

    /// Nothing starts before `end`. A pause is only ever extended. Answers whether it was.
    pub fn pause_until(&mut self, end: Duration) -> bool {
        let extends = end > self.open_from;
        if extends {
            self.open_from = end;
        }
        extends
    }

    /// The end of the pause, if one is on.
    pub fn paused_until(&self, now: Duration) -> Option<Duration> {
        (self.open_from > now).then_some(self.open_from)
    }

    /// How many moments lie between now and `span` from now, both included.
    pub fn room_within(&self, span: Duration, now: Duration) -> usize {
        let Some(room) = now
            .saturating_add(span)
            .checked_sub(self.next(now).max(now))
        else {
            return 0;
        };
        let further = room.as_nanos() / self.spacing(now).as_nanos();
        usize::try_from(further)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limit(requests: u32, per: Duration, slack: Duration) -> RateLimit {
        RateLimit {
            requests,
            per,
            slack,
        }
    }

    #[test]
    fn the_first_moment_is_one_spacing_after_the_start() {
        let schedule = Schedule::new(&limit(100, 1000 * MS, 50 * MS));
        assert_eq!(schedule.next(Duration::ZERO), Duration::from_micros(10_500));
    }

    #[test]
    fn idle_time_earns_nothing() {
        let mut schedule = Schedule::new(&limit(10, 1000 * MS, Duration::ZERO));
        let early = Duration::from_hours(1);
        let now = early + 2 * MS;
        assert_eq!(
            schedule.reserve(3, now),
            [early, early + 100 * MS, early + 200 * MS]
        );
    }

    #[test]
    fn a_late_timer_costs_no_pace() {
        let mut schedule = Schedule::new(&limit(100, 1000 * MS, 50 * MS));
        let mut now = Duration::ZERO;
        for _ in 0..952 {
            now = schedule.next(now) + 9 * MS;
            schedule.take(now);
        }
        assert!(now <= 10_010 * MS, "952 calls took {now:?}");
    }

    #[test]
    fn a_pause_is_never_shortened_and_ends_at_the_pace() {
        let mut schedule = Schedule::new(&limit(10, 1000 * MS, Duration::ZERO));
        assert!(schedule.pause_until(5000 * MS));
        assert!(!schedule.pause_until(3000 * MS));
        assert_eq!(schedule.reserve(2, 1000 * MS), [5000 * MS, 5100 * MS]);
    }

    #[test]
    fn room_counts_moments_up_to_the_end_of_the_span() {
        let mut schedule = Schedule::new(&limit(10, 1000 * MS, Duration::ZERO));
        assert_eq!(schedule.room_within(1000 * MS, Duration::ZERO), 10);
        assert_eq!(schedule.room_within(99 * MS, Duration::ZERO), 0);
        schedule.pause_until(900 * MS);
        assert_eq!(schedule.room_within(1000 * MS, Duration::ZERO), 2);
        schedule.pause_until(1001 * MS);
        assert_eq!(schedule.room_within(1000 * MS, Duration::ZERO), 0);
    }

    #[test]
    fn a_lowered_pace_holds_for_its_time_and_is_never_faster() {
        let mut schedule = Schedule::new(&limit(10, 1000 * MS, Duration::ZERO));
        let lower = |spacing| {
            Some(Lowered {
                spacing,
                not_before: Duration::ZERO,
                until: 5000 * MS,
            })
        };
        schedule.lower(lower(400 * MS));
        assert_eq!(schedule.reserve(2, 1000 * MS), [998 * MS, 1398 * MS]);
        assert_eq!(schedule.room_within(1000 * MS, 1400 * MS), 2);
        schedule.lower(lower(MS));
        assert_eq!(schedule.next(1400 * MS), 1498 * MS);
        schedule.lower(lower(400 * MS));
        assert_eq!(schedule.next(5000 * MS), 4998 * MS, "forgotten by then");
        schedule.lower(Some(Lowered {
            not_before: 3000 * MS,
            ..lower(400 * MS).unwrap()
        }));
        assert_eq!(schedule.reserve(2, 1400 * MS), [3000 * MS, 3400 * MS]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Reserve(usize),
        Pause(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u64..2_000_000).prop_map(Step::Wait),
            6 => (1usize..40).prop_map(Step::Reserve),
            1 => (0u64..3_000_000).prop_map(Step::Pause),
        ]
    }

    proptest! {
        /// In virtual time: random waits, batches and pauses, and no window is ever overfull.
        #[test]
        fn no_window_holds_more_than_its_requests(
            requests in 1u32..300,
            per_us in 1_000u64..5_000_000,
            slack_us in 0u64..100_000,
            steps in prop::collection::vec(step(), 1..120),
        ) {
            let limit = limit(requests, Duration::from_micros(per_us), Duration::from_micros(slack_us));
            let mut schedule = Schedule::new(&limit);
            let (mut now, mut pause_end) = (Duration::ZERO, Duration::ZERO);
            let mut moments: Vec<Duration> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(us) => now += Duration::from_micros(us),
                    Step::Pause(us) => {
                        let end = now + Duration::from_micros(us);
                        schedule.pause_until(end);
                        pause_end = pause_end.max(end);
                    }
                    Step::Reserve(n) => {
                        for moment in schedule.reserve(n, now) {
                            prop_assert!(moment >= pause_end, "in a pause");
                            prop_assert!(moment + schedule.grace() >= now, "too far back");
                            moments.push(moment);
                        }
                    }
                }
            }
            let window = limit.per + limit.slack;
            let full = usize::try_from(requests).unwrap();
            for pair in moments.windows(full + 1) {
                prop_assert!(pair[full] >= pair[0] + window, "overfull at {:?}", pair[0]);
            }
            prop_assert!(moments.first().is_none_or(|first| *first >= schedule.spacing(now)));
        }
    }
}
