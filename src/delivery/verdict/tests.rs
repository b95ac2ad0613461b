//! Each row of the verdict table, as a claim.

mod age;
mod unseen;

use std::time::Duration;

use super::*;
use crate::ids::EventId;
use crate::platform::TokenFailure;

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
fn a_write_is_only_noted_where_it_may_have_taken_effect() {
    let before = Progress {
        written: Some(CodeId::from("before")),
        ..Progress::default()
    };
    let written = |outcome| {
        let report = Report {
            outcome,
            wrote: true,
        };
        ruling(&report, &before, &scene()).progress.written
    };
    let failed = |step, failure| written(Outcome::Failed { step, failure });
    let new = Some(CodeId::from("c-1"));
    assert_eq!(failed(Step::Write, unavailable()), new);
    assert_eq!(failed(Step::Confirm, Failure::NoSlot), new);
    let unseen = Outcome::Unconfirmed {
        written_ago: Duration::ZERO,
        overdue: false,
        detail: String::new(),
    };
    assert_eq!(written(unseen), new);
    let taken = Outcome::Assigned {
        event: None,
        replaced: None,
        detail: String::new(),
    };
    assert_eq!(written(taken), new);
    let detail = || "no".to_owned();
    let refusals = [
        Failure::RateLimited {
            retry_after: Duration::ZERO,
        },
        Failure::Unauthorized { detail: detail() },
        Failure::Forbidden { detail: detail() },
        Failure::NotFound { detail: detail() },
        Failure::Refused {
            status: 409,
            detail: detail(),
        },
    ];
    for refusal in refusals {
        assert_eq!(
            failed(Step::Write, refusal.clone()),
            before.written,
            "{refusal:?}"
        );
    }
    // Refused with 400, and then found there.
    assert_eq!(written(Outcome::AlreadyAssigned), before.written);
    assert_eq!(failed(Step::Look, unavailable()), before.written);
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
fn who_is_refused_gives_the_lease_back_tells_the_breaker_and_the_story_why() {
    let detail = "wrong client";
    let second_401 = Failure::Unauthorized {
        detail: detail.into(),
    };
    let no_token = Failure::Token(TokenFailure::Refused {
        status: Some(400),
        detail: detail.into(),
    });
    for (failure, status) in [(second_401, 401), (no_token, 400)] {
        let told = ruling(&write_failed(failure), &Progress::default(), &scene());
        assert_eq!(
            (told.verdict, told.next),
            (Verdict::GivenBack, Next::Due(NOW + Duration::from_secs(1))),
            "not before the breaker has heard of it"
        );
        assert_eq!(told.progress.attempts, 0);
        assert!(matches!(told.signal, Signal::Refused { .. }));
        let entry = told.entry.expect("a line of the story");
        assert_eq!(
            (entry.verdict.as_str(), entry.status),
            ("given-back", Some(status))
        );
        assert!(entry.detail.contains(detail), "{entry:?}");
    }
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
fn every_failed_trial_makes_room_for_another_delivery() {
    let put_off = |failure| {
        let mut told = ruling(&write_failed(failure), &Progress::default(), &scene());
        told.put_off(NOW);
        told.next
    };
    let detail = "division".to_owned();
    let later = Next::Due(NOW + Duration::from_mins(9));
    for failure in [
        Failure::Unauthorized {
            detail: detail.clone(),
        },
        Failure::Forbidden {
            detail: detail.clone(),
        },
        Failure::Barred {
            status: 403,
            detail,
        },
        unavailable(),
    ] {
        assert_eq!(put_off(failure.clone()), later, "{failure}");
    }
    let busy = Failure::RateLimited {
        retry_after: Duration::ZERO,
    };
    assert_eq!(put_off(busy), Next::Due(NOW), "that was no failure");
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
    // Seen in between it was there: a later 404 is the first again.
    let there = Report {
        outcome: Outcome::NotCompleted {
            state: "connected".into(),
        },
        wrote: false,
    };
    let seen = ruling(&there, &first.progress, &scene());
    let later = ruling(&report, &seen.progress, &scene());
    assert_eq!(later.next, Next::Due(NOW + Duration::from_secs(10)));
}

#[test]
fn a_refused_look_is_not_told_as_a_refused_code() {
    let report = Report {
        outcome: Outcome::Failed {
            step: Step::Look,
            failure: Failure::Refused {
                status: 409,
                detail: "because".into(),
            },
        },
        wrote: false,
    };
    let told = ruling(&report, &Progress::default(), &scene());
    assert!(
        matches!(told.next, Next::Dead { reason, .. } if reason == "the platform refused to show the interaction: because")
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
