//! When the breakers open, what they let through, when they close.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::store::Progress;

fn interaction(n: u128) -> InteractionId {
    InteractionId(Uuid::from_u128(n))
}

fn spent(seq: i64) -> Refund {
    Refund {
        seq,
        fence: 1,
        progress: Progress::default(),
    }
}

fn outage() -> Signal {
    Signal::Outage {
        detail: "503".into(),
    }
}

fn forbidden() -> Signal {
    Signal::Forbidden {
        detail: "scope interaction:write is missing".into(),
    }
}

fn unavailable() -> Failure {
    Failure::Unavailable {
        status: Some(503),
        detail: "503".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn five_failures_of_three_interactions_open_it_and_are_owed_back() {
    let (gate, now) = (Gate::default(), Instant::now());
    for n in 0..4_i64 {
        assert!(
            gate.hear(
                &outage(),
                interaction(u128::try_from(n % 3).unwrap()),
                spent(n),
                false,
                now
            )
            .is_empty()
        );
    }
    let owed = gate.hear(&outage(), interaction(1), spent(4), false, now);
    assert_eq!(
        owed.iter().map(|refund| refund.seq).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(gate.pass(), Pass::Held);
    assert_eq!(
        gate.hear(&outage(), interaction(9), spent(5), false, now)
            .len(),
        1,
        "those on the wire, too"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_failed_more_than_once_in_the_row_has_all_of_it_back() {
    let (gate, now) = (Gate::default(), Instant::now());
    let after = |attempts, fence| Refund {
        fence,
        progress: Progress {
            attempts,
            ..Progress::default()
        },
        ..spent(7)
    };
    let fails = |spent| gate.hear(&outage(), interaction(7), spent, false, now);
    fails(after(3, 1));
    fails(after(4, 2));
    for n in 0..3 {
        let owed = gate.hear(&outage(), interaction(n), spent(0), false, now);
        let owed = owed.iter().find(|refund| refund.seq == 7);
        let owed = owed.map(|refund| (refund.fence, refund.progress.attempts));
        assert_eq!(owed, (n == 2).then_some((2, 3)), "{n}");
    }
    // It was on the wire again meanwhile, so that what was given back then met a lease.
    let owed = fails(after(5, 3));
    assert_eq!(owed.len(), 1, "the others have theirs");
    assert_eq!((owed[0].fence, owed[0].progress.attempts), (3, 3));
    // The next outage is another matter.
    gate.probed(Ok(()), 0.5, now);
    for n in 0..4 {
        gate.hear(&outage(), interaction(n), spent(0), false, now);
    }
    let owed = fails(after(4, 9));
    assert_eq!(owed.last().unwrap().progress.attempts, 4, "{owed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_any_kind_ends_the_row() {
    for signal in [Signal::Alive { wrote: false }, Signal::Busy, forbidden()] {
        let (gate, now) = (Gate::default(), Instant::now());
        for n in 0..4 {
            gate.hear(&outage(), interaction(n), spent(0), false, now);
        }
        gate.hear(&signal, interaction(8), spent(0), false, now);
        gate.hear(&outage(), interaction(9), spent(0), false, now);
        assert_eq!(gate.pass(), Pass::Open, "{signal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_fewer_interactions_the_code_list_decides() {
    for down in [true, false] {
        let (gate, now) = (Gate::default(), Instant::now());
        for n in 0..5 {
            gate.hear(&outage(), interaction(7), spent(n), false, now);
        }
        assert_eq!(gate.pass(), Pass::Open);
        assert_eq!(gate.duty(), Duty::ProbeAt(now));
        let failure = unavailable();
        let owed = gate.probed(if down { Err(&failure) } else { Ok(()) }, 0.5, now);
        assert_eq!(gate.pass() == Pass::Held, down);
        assert_eq!(owed.len(), if down { 5 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn probes_go_after_1_2_4_to_30_seconds_and_a_relapse_goes_on_growing() {
    let (gate, mut now) = (Gate::default(), Instant::now());
    let open = |gate: &Gate, now| {
        for n in 0..5 {
            gate.hear(&outage(), interaction(n), spent(0), false, now);
        }
    };
    open(&gate, now);
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let Duty::ProbeAt(at) = gate.duty() else {
            panic!("open means a probe")
        };
        assert_eq!(at - now, Duration::from_secs(seconds));
        now = at;
        gate.probed(Err(&unavailable()), 0.5, now);
    }
    gate.probed(Ok(()), 0.5, now);
    assert_eq!(gate.pass(), Pass::Open);
    open(&gate, now + Duration::from_secs(59));
    assert_eq!(
        gate.duty(),
        Duty::ProbeAt(now + Duration::from_secs(59 + 30))
    );
    gate.probed(Ok(()), 0.5, now + Duration::from_secs(90));
    open(&gate, now + Duration::from_secs(200));
    assert_eq!(gate.duty(), Duty::ProbeAt(now + Duration::from_secs(201)));
}

#[tokio::test(start_paused = true)]
async fn credentials_open_on_a_refusal_and_close_on_one_success_of_a_trial() {
    let (gate, now) = (Gate::default(), Instant::now());
    gate.hear(
        &Signal::Refused {
            detail: "401".into(),
        },
        interaction(1),
        spent(1),
        false,
        now,
    );
    assert_eq!(gate.pass(), Pass::Held);
    assert_eq!(gate.duty(), Duty::RenewAt(now + Duration::from_secs(30)));
    gate.renewed(Ok(()), now + Duration::from_secs(30));
    assert_eq!(gate.pass(), Pass::Trial);
    assert_eq!(gate.pass(), Pass::Held, "one at a time");
    gate.hear(
        &Signal::Alive { wrote: true },
        interaction(2),
        spent(2),
        true,
        now,
    );
    assert_eq!(gate.pass(), Pass::Open);
}

#[tokio::test(start_paused = true)]
async fn five_403_of_different_interactions_in_a_row_open_it_and_a_look_does_not_close_it() {
    let (gate, now) = (Gate::default(), Instant::now());
    for (n, seq) in [(0, 0), (1, 1), (2, 2), (3, 3), (3, 4)] {
        gate.hear(&forbidden(), interaction(n), spent(seq), false, now);
    }
    assert_eq!(gate.pass(), Pass::Open, "the same one twice is one");
    let owed = gate.hear(&forbidden(), interaction(4), spent(5), false, now);
    assert_eq!(owed.len(), 6);
    assert!(
        gate.reasons()[1]
            .as_ref()
            .unwrap()
            .contains("interaction:write")
    );
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    gate.hear(
        &Signal::Alive { wrote: false },
        interaction(9),
        spent(9),
        true,
        now,
    );
    assert_eq!(gate.pass(), Pass::Held);
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    assert!(
        gate.hear(&forbidden(), interaction(8), spent(8), true, now)
            .is_empty()
    );
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    let owed = gate.hear(
        &Signal::Alive { wrote: true },
        interaction(7),
        spent(7),
        true,
        now,
    );
    assert_eq!((gate.pass(), owed.len(), owed[0].seq), (Pass::Open, 1, 8));
}

#[tokio::test(start_paused = true)]
async fn without_a_delivery_to_try_token_and_probe_must_do() {
    let (gate, now) = (Gate::default(), Instant::now());
    let refused = Failure::Token(TokenFailure::Refused {
        status: Some(401),
        detail: "key".into(),
    });
    gate.hear_codes(Err(&refused), now);
    gate.renewed(Err(&refused), now);
    assert_eq!(gate.pass(), Pass::Held);
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    assert!(gate.nothing_to_try().is_empty());
    assert_eq!(gate.pass(), Pass::Open);
}

fn barred() -> Signal {
    Signal::Barred {
        detail: "lacks the permission `a:b:c`".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn one_refusal_that_names_what_we_lack_opens_the_credentials_breaker() {
    let (gate, now) = (Gate::default(), Instant::now());
    let owed = gate.hear(&barred(), interaction(1), spent(1), false, now);
    assert_eq!(owed.len(), 1, "and is given back");
    assert_eq!(gate.pass(), Pass::Held);
    assert!(gate.reasons()[1].as_ref().unwrap().contains("`a:b:c`"));
    // A look shows nothing about writing; the next trial does.
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    let look = Signal::Alive { wrote: false };
    gate.hear(&look, interaction(2), spent(2), true, now);
    assert_eq!(gate.pass(), Pass::Held);
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    let write = Signal::Alive { wrote: true };
    gate.hear(&write, interaction(3), spent(3), true, now);
    assert_eq!(gate.pass(), Pass::Open);
}

#[tokio::test(start_paused = true)]
async fn once_a_write_was_let_in_a_refusal_is_about_its_interaction_until_five_say_so() {
    let (gate, now) = (Gate::default(), Instant::now());
    gate.hear(&barred(), interaction(1), spent(1), false, now);
    gate.renewed(Ok(()), now);
    assert_eq!(gate.pass(), Pass::Trial);
    let write = Signal::Alive { wrote: true };
    gate.hear(&write, interaction(2), spent(2), true, now);
    for n in 0..4 {
        gate.hear(&barred(), interaction(n), spent(9), false, now);
        assert_eq!(gate.pass(), Pass::Open);
    }
    gate.hear(&barred(), interaction(8), spent(9), false, now);
    assert_eq!(gate.pass(), Pass::Held);
    let (gate, later) = (Gate::default(), now + Duration::from_mins(11));
    gate.hear(&barred(), interaction(1), spent(1), false, later);
    assert_eq!(gate.pass(), Pass::Held);
}

#[tokio::test(start_paused = true)]
async fn a_code_list_that_we_may_not_read_opens_it_and_names_the_permission() {
    let (gate, now) = (Gate::default(), Instant::now());
    let failure = Failure::Barred {
        status: 403,
        detail: "lacks `routing:wrapupCode:view`".into(),
    };
    gate.hear_codes(Err(&failure), now);
    assert_eq!(gate.pass(), Pass::Held);
    assert!(
        gate.reasons()[1]
            .as_ref()
            .unwrap()
            .contains("routing:wrapupCode:view")
    );
}

fn refused_token(detail: &str) -> Failure {
    Failure::Token(TokenFailure::Refused {
        status: None,
        detail: detail.to_owned(),
    })
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_nobody_uses_does_not_stop_the_rhythm() {
    let (gate, now) = (Gate::default(), Instant::now());
    gate.hear_codes(Err(&refused_token("scope")), now);
    gate.renewed(Ok(()), now);
    gate.duty_changed().await;
    assert_eq!(gate.duty(), Duty::Rest, "until the trial is taken");
    assert_eq!(gate.pass(), Pass::Trial);
    // The probe task rests: only a word wakes it.
    let word = tokio::time::timeout(Duration::from_secs(1), gate.duty_changed());
    word.await.expect("a word to the probe task");
    assert_eq!(gate.duty(), Duty::RenewAt(now + Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_refusal_leaves_the_reason_as_it_is() {
    let (gate, now) = (Gate::default(), Instant::now());
    let reason = || gate.reasons()[1].clone().unwrap();
    gate.hear_codes(Err(&refused_token("no scope interaction:write")), now);
    for trouble in [
        unavailable(),
        Failure::NoSlot,
        Failure::RateLimited {
            retry_after: Duration::from_secs(1),
        },
        Failure::Token(TokenFailure::NoSlot),
    ] {
        gate.renewed(Ok(()), now);
        gate.renewed(Err(&trouble), now);
        assert!(reason().contains("interaction:write"), "{}", reason());
        assert_eq!(gate.pass(), Pass::Held, "{trouble}");
    }
    gate.renewed(Err(&refused_token("wrong key")), now);
    assert!(reason().contains("wrong key"), "{}", reason());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_after_an_answer_has_ended_the_row_opens_nothing() {
    let (gate, now) = (Gate::default(), Instant::now());
    for n in 0..5 {
        gate.hear(&outage(), interaction(7), spent(n), false, now);
    }
    assert_eq!(gate.duty(), Duty::ProbeAt(now));
    // While the probe is on the wire.
    let alive = Signal::Alive { wrote: true };
    gate.hear(&alive, interaction(8), spent(9), false, now);
    gate.probed(Err(&unavailable()), 0.5, now);
    assert_eq!((gate.pass(), gate.duty()), (Pass::Open, Duty::Rest));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_tried_more_than_once_has_all_of_it_back() {
    let (gate, now) = (Gate::default(), Instant::now());
    gate.hear(&barred(), interaction(1), spent(1), false, now);
    for (refusals, fence) in [(0, 1), (1, 2)] {
        let progress = Progress {
            refusals,
            ..Progress::default()
        };
        let tried = Refund {
            fence,
            progress,
            ..spent(7)
        };
        gate.hear(&forbidden(), interaction(7), tried, true, now);
    }
    let alive = Signal::Alive { wrote: true };
    let owed = gate.hear(&alive, interaction(2), spent(2), true, now);
    let owed: Vec<_> = owed
        .iter()
        .map(|it| (it.seq, it.fence, it.progress.refusals))
        .collect();
    assert_eq!(owed, [(7, 2, 0)]);
}
