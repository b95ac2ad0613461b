//! Writes that nobody has seen yet, and looks that show nothing.

use super::*;

#[test]
fn a_write_that_cannot_be_seen_yet_is_looked_for_at_no_cost() {
    let report = Report {
        outcome: Outcome::Unconfirmed {
            written_ago: Duration::from_secs(7),
            overdue: false,
            detail: "not yet".into(),
        },
        wrote: true,
    };
    let mut progress = Progress::default();
    for seconds in [2, 4, 8, 15, 15] {
        let told = ruling(&report, &progress, &scene());
        assert_eq!(told.verdict, Verdict::Snooze);
        assert_eq!(told.next, Next::Due(NOW + Duration::from_secs(seconds)));
        assert_eq!(told.signal, Signal::Alive { wrote: true });
        progress = told.progress;
        assert_eq!(progress.attempts, 0);
        assert_eq!(
            progress.unclear_write_at,
            Some(NOW - Duration::from_secs(7))
        );
    }
}

#[test]
fn a_write_that_should_have_been_seen_costs_an_attempt() {
    let report = Report {
        outcome: Outcome::Unconfirmed {
            written_ago: Duration::from_secs(31),
            overdue: true,
            detail: "not there".into(),
        },
        wrote: true,
    };
    let told = ruling(&report, &Progress::default(), &scene());
    assert_eq!((told.verdict, told.progress.attempts), (Verdict::Retry, 1));
    assert!(told.progress.unclear_write_at.is_some());
    assert_eq!(
        told.signal,
        Signal::Alive { wrote: true },
        "no outage: it answers"
    );
}

#[test]
fn a_look_back_that_fails_leaves_an_unclear_write_whatever_it_fails_of() {
    for failure in [
        Failure::NoSlot,
        Failure::RateLimited {
            retry_after: Duration::from_hours(3),
        },
        unavailable(),
        Failure::Forbidden {
            detail: "no".into(),
        },
        Failure::Unauthorized {
            detail: "no".into(),
        },
    ] {
        let outcome = Outcome::Failed {
            step: Step::Confirm,
            failure,
        };
        let told = ruling(
            &Report {
                outcome,
                wrote: true,
            },
            &Progress::default(),
            &scene(),
        );
        assert_eq!(told.progress.unclear_write_at, Some(NOW), "{told:?}");
        assert!(matches!(told.next, Next::Due(_)), "{told:?}");
    }
}
