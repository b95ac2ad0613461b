//! How long to wait before a delivery is tried again. Pure: the random part is an argument.
//!
//! Two kinds: a retry (the platform failed) spreads over the whole interval, so that a crowd that failed together does
//! not come back together; a snooze (nothing failed, it is only too early) keeps near its step.

use std::time::Duration;

const RETRY_BASE: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_mins(15);
const FORBIDDEN_BASE: Duration = Duration::from_mins(1);
/// How far a snooze or a probe strays from its step, either way.
const SPREAD: f64 = 0.2;

/// The furthest ahead that anything here puts a delivery: what is due later has a wrong clock to blame.
pub(super) const LONGEST: Duration = Duration::from_mins(18);

const NOT_COMPLETED: [Duration; 4] = [
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
];
const CONFIRM: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
const CODE_UNKNOWN: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(10),
];

/// Full jitter: anything from zero to base x 2^(attempts - 1), at most the cap. `attempts` counts this one;
/// `chance` is in `0.0..1.0`.
pub(super) fn retry(attempts: u32, chance: f64) -> Duration {
    doubled(RETRY_BASE, attempts, RETRY_CAP).mul_f64(chance)
}

/// After a 403 of its own: 1 min, doubling to 15 min. `refusals` counts this one.
pub(super) fn forbidden(refusals: u32, chance: f64) -> Duration {
    spread(doubled(FORBIDDEN_BASE, refusals, RETRY_CAP), chance)
}

/// The interaction is not completed: 30 s, 1 min, 2 min, 5 min and so on. `snoozes` were before this one.
pub(super) fn not_completed(snoozes: u32, chance: f64) -> Duration {
    step(&NOT_COMPLETED, snoozes, chance)
}

/// The code book lacks the name: 1, 2, 5, 10 min and so on. `snoozes` were before this one.
pub(super) fn code_unknown(snoozes: u32, chance: f64) -> Duration {
    step(&CODE_UNKNOWN, snoozes, chance)
}

/// A write was taken and cannot be seen yet: 2, 4, 8, 15 s and so on. `confirms` were before this one.
pub(super) fn confirm(confirms: u32, chance: f64) -> Duration {
    step(&CONFIRM, confirms, chance)
}

/// `by` +-20 %.
pub(super) fn spread(by: Duration, chance: f64) -> Duration {
    by.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * chance)
}

fn step(steps: &[Duration], before: u32, chance: f64) -> Duration {
    let at = usize::try_from(before)
        .unwrap_or(usize::MAX)
        .min(steps.len() - 1);
    spread(steps[at], chance)
}

fn doubled(base: Duration, nth: u32, cap: Duration) -> Duration {
    let doublings = nth.saturating_sub(1).min(31);
    base.saturating_mul(1 << doublings).min(cap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_longest(nth in 0u32.., chance in 0.0..1.0f64) {
            for wait in [retry(nth, chance), forbidden(nth, chance), not_completed(nth, chance), code_unknown(nth, chance), confirm(nth, chance)] {
                prop_assert!(wait <= LONGEST);
            }
        }

        #[test]
        fn a_retry_spreads_from_zero_to_its_step(nth in 1u32..40, chance in 0.0..1.0f64) {
            let top = Duration::from_secs(1 << (nth - 1).min(10)).min(RETRY_CAP);
            prop_assert!(retry(nth, chance) <= top);
            prop_assert_eq!(retry(nth, 0.0), Duration::ZERO);
        }

        #[test]
        fn a_snooze_stays_within_a_fifth_of_its_step(n in 0u32..10, chance in 0.0..1.0f64) {
            let wait = not_completed(n, chance).as_secs_f64();
            let middle = NOT_COMPLETED[usize::try_from(n).unwrap().min(3)].as_secs_f64();
            prop_assert!(wait >= middle * 0.799 && wait <= middle * 1.201);
        }
    }
}
