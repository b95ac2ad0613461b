//! What waits too long: expiry, and codes that nobody knows.

use super::*;

#[test]
fn nothing_expires_before_three_tries_since_dispatch_was_held() {
    let old = Scene {
        accepted_at: UnixMs(NOW.0 - 25 * 3_600_000),
        ..scene()
    };
    let mut progress = Progress::default();
    for _ in 0..2 {
        let told = ruling(&write_failed(unavailable()), &progress, &old);
        assert_eq!(told.verdict, Verdict::Retry);
        progress = told.progress;
    }
    let held_again = Scene {
        held_until: NOW,
        ..old
    };
    assert_eq!(
        ruling(&write_failed(unavailable()), &progress, &held_again).verdict,
        Verdict::Retry
    );
    let told = ruling(&write_failed(unavailable()), &progress, &old);
    assert!(matches!(
        told.next,
        Next::Dead {
            class: DeadClass::Expired,
            ..
        }
    ));
}

#[test]
fn a_lease_that_found_no_slot_never_expires() {
    let old = Scene {
        accepted_at: UnixMs(0),
        ..scene()
    };
    let before = Progress {
        tries: 9,
        tries_from: HELD,
        ..Progress::default()
    };
    let told = ruling(&write_failed(Failure::NoSlot), &before, &old);
    assert_eq!((told.verdict, told.entry), (Verdict::GivenBack, None));
}

#[test]
fn a_delivery_whose_code_is_unknown_expires_as_well() {
    let old = Scene {
        accepted_at: UnixMs(NOW.0 - 25 * 3_600_000),
        ..scene()
    };
    for lacked_by in [Some(NOW), None] {
        let mut progress = Progress::default();
        for _ in 0..2 {
            let told = judge_unknown_code(&progress, lacked_by, "WU", &old, &POLICY);
            assert_eq!(told.verdict, Verdict::Snooze);
            progress = told.progress;
        }
        let told = judge_unknown_code(&progress, lacked_by, "WU", &old, &POLICY);
        assert!(
            matches!(&told.next, Next::Dead { class: DeadClass::Expired, reason } if reason.contains("WU")),
            "{told:?}"
        );
    }
}

#[test]
fn what_a_failed_refresh_did_not_tell_is_not_said() {
    let detail = |lacked_by| {
        let told = judge_unknown_code(&Progress::default(), lacked_by, "WU", &scene(), &POLICY);
        told.entry.unwrap().detail
    };
    assert!(detail(Some(NOW)).contains("the platform lists no code named WU"));
    let unasked = detail(None);
    assert!(!unasked.contains("the platform lists"), "{unasked}");
    assert!(unasked.contains("WU"), "{unasked}");
}

#[test]
fn an_unknown_code_dies_only_after_an_hour_of_successful_refreshes() {
    let hour = Duration::from_hours(1);
    let first = judge_unknown_code(&Progress::default(), Some(NOW), "WU", &scene(), &POLICY);
    assert_eq!(
        (first.verdict, &first.next),
        (Verdict::Snooze, &Next::Due(NOW + Duration::from_mins(1)))
    );
    let failed = judge_unknown_code(
        &first.progress,
        None,
        "WU",
        &Scene {
            now: NOW + 2 * hour,
            ..scene()
        },
        &POLICY,
    );
    assert_eq!(failed.verdict, Verdict::Snooze);
    let told = judge_unknown_code(&failed.progress, Some(NOW + hour), "WU", &scene(), &POLICY);
    assert!(matches!(
        told.next,
        Next::Dead {
            class: DeadClass::UnknownCode,
            ..
        }
    ));
}
