//! Each row of the verdict table, as a claim.

use std::time::Duration;

use super::*;
use crate::ids::EventId;
use crate::platform::{Failure, Step, TokenFailure};

const NOW: UnixMs = UnixMs(1_000_000_000);
const HELD: UnixMs = UnixMs(900_000_000);
const POLICY: Policy = Policy {
    max_age: Duration::from_hours(24),
    max_attempts: 10,
};

fn scene() -> Scene {
    Scene {
        now: NOW,
        wall: NOW,
        accepted_at: NOW,
        wrap_up_time: NOW,
        held_until: HELD,
        last_success: None,
        chance: 0.5,
    }
}

fn write_failed(failure: Failure) -> Report {
    Report {
        outcome: Outcome::Failed {
            step: Step::Write,
            failure,
        },
        wrote: true,
    }
}

fn ruling(report: &Report, before: &Progress, scene: &Scene) -> Judgement {
    judge(report, &CodeId::from("c-1"), before, scene, &POLICY)
}

fn unavailable() -> Failure {
    Failure::Unavailable {
        status: Some(503),
        detail: "503".into(),
    }
}

#[test]
fn a_documented_2xx_assigns_and_records_what_it_replaced() {
    let outcome = Outcome::Assigned {
        event: Some(EventId::from("e")),
        replaced: Some(CodeId::from("old")),
        detail: String::new(),
    };
    let told = ruling(
        &Report {
            outcome,
            wrote: true,
        },
        &Progress::default(),
        &scene(),
    );
    let next = Next::Assigned {
        event: Some(EventId::from("e")),
        code_id: CodeId::from("c-1"),
        replaced: Some(CodeId::from("old")),
    };
    assert_eq!(
        (told.next, told.signal),
        (next, Signal::Alive { wrote: true })
    );
}

#[test]
fn an_unclear_write_is_retried_with_an_attempt_and_a_look() {
    let told = ruling(&write_failed(unavailable()), &Progress::default(), &scene());
    assert_eq!(told.verdict, Verdict::Retry);
    assert_eq!(told.progress.attempts, 1);
    assert_eq!(told.progress.unclear_write_at, Some(NOW));
    assert_eq!(told.progress.wrap_up_time, Some(NOW));
    assert_eq!(told.progress.written, Some(CodeId::from("c-1")));
    assert!(matches!(told.signal, Signal::Outage { .. }));
}

#[test]
fn the_first_moment_of_writing_is_kept() {
    let first = UnixMs(5);
    let before = Progress {
        wrap_up_time: Some(first),
        ..Progress::default()
    };
    let told = ruling(&write_failed(unavailable()), &before, &scene());
    assert_eq!(told.progress.wrap_up_time, Some(first));
}

#[test]
fn a_429_costs_no_attempt_and_waits_only_for_the_pacer() {
    let report = write_failed(Failure::RateLimited {
        retry_after: Duration::from_secs(7),
    });
    let told = ruling(&report, &Progress::default(), &scene());
    assert_eq!((told.verdict, told.next), (Verdict::Snooze, Next::Due(NOW)));
    assert_eq!((told.progress.attempts, told.signal), (0, Signal::Busy));
}

#[test]
fn a_second_401_gives_the_lease_back_and_tells_the_breaker() {
    let report = write_failed(Failure::Unauthorized {
        detail: "no".into(),
    });
    let told = ruling(&report, &Progress::default(), &scene());
    assert_eq!(
        (told.verdict, told.next),
        (Verdict::GivenBack, Next::Due(NOW))
    );
    assert!(matches!(told.signal, Signal::Refused { .. }));
}

#[test]
fn a_403_costs_an_attempt_of_its_own_kind_and_exhausts_only_while_others_pass() {
    let report = write_failed(Failure::Forbidden {
        detail: "division".into(),
    });
    let first = ruling(&report, &Progress::default(), &scene());
    assert_eq!(
        (first.progress.refusals, first.next),
        (1, Next::Due(NOW + Duration::from_mins(1)))
    );
    let nine = Progress {
        refusals: 9,
        refused_since: Some(UnixMs(NOW.0 - 10)),
        ..Progress::default()
    };
    assert_eq!(ruling(&report, &nine, &scene()).verdict, Verdict::Retry);
    let others_pass = Scene {
        last_success: Some(NOW),
        ..scene()
    };
    let told = ruling(&report, &nine, &others_pass);
    assert!(
        matches!(
            told.next,
            Next::Dead {
                class: DeadClass::Exhausted,
                ..
            }
        ),
        "{told:?}"
    );
}

#[test]
fn a_404_is_looked_at_once_more_and_then_believed() {
    let report = write_failed(Failure::NotFound {
        detail: "gone".into(),
    });
    let first = ruling(&report, &Progress::default(), &scene());
    assert_eq!(first.next, Next::Due(NOW + Duration::from_secs(10)));
    assert_eq!(first.progress.attempts, 0);
    let second = ruling(&report, &first.progress, &scene());
    assert!(
        matches!(second.next, Next::Dead { class: DeadClass::Rejected, reason } if reason.contains("not found"))
    );
}

#[test]
fn a_400_and_every_other_4xx_is_dead_with_the_message_and_the_code_id() {
    for status in [400, 405, 409, 422] {
        let told = ruling(
            &write_failed(Failure::Refused {
                status,
                detail: "because".into(),
            }),
            &Progress::default(),
            &scene(),
        );
        let Next::Dead {
            class: DeadClass::Rejected,
            reason,
        } = told.next
        else {
            panic!("{status}")
        };
        assert!(
            reason.contains("because") && reason.contains("c-1"),
            "{reason}"
        );
        assert_eq!(told.signal, Signal::Alive { wrote: true });
    }
}

#[test]
fn not_completed_snoozes_without_an_attempt_and_longer_each_time() {
    let report = Report {
        outcome: Outcome::NotCompleted {
            state: "connected".into(),
        },
        wrote: false,
    };
    let mut progress = Progress::default();
    for seconds in [30, 60, 120, 300, 300] {
        let told = ruling(&report, &progress, &scene());
        assert_eq!(told.next, Next::Due(NOW + Duration::from_secs(seconds)));
        assert_eq!(told.progress.attempts, 0);
        progress = told.progress;
    }
}

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
fn an_unknown_code_dies_only_after_an_hour_of_successful_refreshes() {
    let hour = Duration::from_hours(1);
    let first = judge_unknown_code(&Progress::default(), Some(NOW), "WU", &scene());
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
    );
    assert_eq!(failed.verdict, Verdict::Snooze);
    let told = judge_unknown_code(&failed.progress, Some(NOW + hour), "WU", &scene());
    assert!(matches!(
        told.next,
        Next::Dead {
            class: DeadClass::UnknownCode,
            ..
        }
    ));
}

#[test]
fn no_token_costs_no_attempt() {
    for failure in [
        TokenFailure::Unavailable {
            status: Some(500),
            detail: "500".into(),
        },
        TokenFailure::Refused {
            status: Some(401),
            detail: "401".into(),
        },
        TokenFailure::RateLimited {
            retry_after: Duration::from_secs(1),
        },
    ] {
        let report = Report {
            outcome: Outcome::Failed {
                step: Step::Look,
                failure: Failure::Token(failure),
            },
            wrote: false,
        };
        let told = ruling(&report, &Progress::default(), &scene());
        assert_eq!(told.progress, Progress::default());
    }
}

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

#[test]
fn an_interaction_that_nothing_can_be_put_on_is_rejected_with_the_reason() {
    let report = Report {
        outcome: Outcome::Unfit {
            reason: "the conversation had no agent".into(),
        },
        wrote: false,
    };
    let told = ruling(&report, &Progress::default(), &scene());
    let Next::Dead { class, reason } = told.next else {
        panic!("{told:?}")
    };
    assert_eq!(class, DeadClass::Rejected);
    assert_eq!(reason, "the conversation had no agent");
}

#[test]
fn what_this_client_may_not_do_tells_the_breaker_and_costs_what_a_403_costs() {
    let report = write_failed(Failure::Barred {
        status: 400,
        detail: "not.a.user".into(),
    });
    let told = ruling(&report, &Progress::default(), &scene());
    assert_eq!((told.progress.refusals, told.progress.attempts), (1, 0));
    assert!(matches!(told.signal, Signal::Barred { .. }));
    assert_eq!(told.entry.unwrap().status, Some(400));
}
