//! Claims about leasing, settling, starting again, and what is remembered.

use super::*;
use crate::clock::Clock;
use crate::store::{Progress, Refund, SavedCodes};

pub(crate) async fn what_is_due_longest_is_leased_first(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let late = stored(&*store, &sample(1, 1).at(3_000)).await;
    let early = stored(&*store, &sample(2, 2).at(1_000)).await;
    let also_early = stored(&*store, &sample(3, 3).at(1_000)).await;
    let future = stored(&*store, &sample(4, 4).at(9_000)).await;
    let answer = lease_at(&*store, 5_000, 2).await;
    let ids: Vec<_> = answer.leased.iter().map(|it| it.id).collect();
    assert_eq!(ids, [early, also_early]);
    assert_eq!(answer.next_due, Some(UnixMs(3_000)));
    let leased = &answer.leased[0];
    assert_eq!(leased.leased_at, UnixMs(5_000));
    assert_eq!(leased.accepted_at, UnixMs(1_000));
    assert_eq!(leased.interaction, interaction(2));
    assert_eq!(leased.code.as_str(), "WU_PROMPT_SUCCESS");
    let answer = lease_at(&*store, 5_000, 100).await;
    assert_eq!(answer.leased.len(), 1);
    assert_eq!(answer.leased[0].id, late);
    assert_eq!(answer.next_due, Some(UnixMs(9_000)));
    assert_eq!(state(&*store, future).await, State::Pending);
    assert_eq!(lease_at(&*store, 9_000, 0).await.leased.len(), 0);
    finish(store).await;
}

pub(crate) async fn the_newest_can_be_leased_first(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let mut ids = Vec::new();
    for n in 1..=4 {
        ids.push(stored(&*store, &sample(u128::from(n), n).at(1_000 - i64::from(n))).await);
    }
    let not_due = stored(&*store, &sample(9, 9).at(50_000)).await;
    let newest = LeaseAsk {
        due_by: UnixMs(2_000),
        now: UnixMs(2_000),
        limit: 2,
        newest_first: true,
    };
    let answer = store.lease(newest).await.unwrap();
    let got: Vec<_> = answer.leased.iter().map(|it| it.id).collect();
    assert_eq!(got, [ids[3], ids[2]]);
    assert_eq!(state(&*store, not_due).await, State::Pending);
    finish(store).await;
}

pub(crate) async fn a_stale_fence_changes_nothing_but_the_story(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let id = stored(&*store, &sample(1, 1)).await;
    let stale = lease_one(&*store, 2_000).await;
    settle(&*store, &stale, 2_100, Next::Due(UnixMs(2_200))).await;
    let fresh = lease_one(&*store, 3_000).await;
    assert!(fresh.fence > stale.fence);

    assert_eq!(
        settle(&*store, &stale, 3_100, assigned()).await,
        Settled::Fenced
    );
    let found = record(&*store, id).await;
    assert_eq!((found.state, found.event.as_ref()), (State::Leased, None));
    let late = found.story.last().unwrap();
    assert_eq!((late.verdict.as_str(), late.status), ("late", Some(200)));
    assert_eq!(late.detail, "assigned, event event-1");

    assert_eq!(
        settle(&*store, &fresh, 3_200, assigned()).await,
        Settled::Done
    );
    let found = record(&*store, id).await;
    assert_eq!(found.event, Some(EventId::from("event-1")));
    assert_eq!(found.code_id, Some(CodeId::from("code-1")));
    assert_eq!((found.ended_at, found.due_at), (Some(UnixMs(3_200)), None));
    // What has ended does not move again, and what is gone is not missed.
    assert_eq!(
        settle(&*store, &fresh, 3_300, dead()).await,
        Settled::Fenced
    );
    assert_eq!(state(&*store, id).await, State::Assigned);
    store.purge(UnixMs(9_000), UnixMs(0)).await.unwrap();
    assert_eq!(
        settle(&*store, &fresh, 3_300, dead()).await,
        Settled::Fenced
    );
    finish(store).await;
}

pub(crate) async fn a_lease_given_back_leaves_no_trace(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let id = stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let mut back = settlement(&leased, 2_100, Next::Due(UnixMs(2_150)));
    back.entry = None;
    assert_eq!(store.settle(back.clone()).await.unwrap(), Settled::Done);
    assert_eq!(store.settle(back).await.unwrap(), Settled::Fenced);
    let found = record(&*store, id).await;
    assert_eq!(
        (found.state, found.due_at),
        (State::Pending, Some(UnixMs(2_150)))
    );
    assert!(found.story.is_empty());
    assert_eq!(found.progress, Progress::default());
    finish(store).await;
}

pub(crate) async fn a_lease_that_nobody_took_is_given_back(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    for n in 1..=20 {
        stored(&*store, &sample(u128::from(n), n)).await;
    }
    for _ in 0..50 {
        let ask = LeaseAsk {
            due_by: UnixMs(2_000),
            now: UnixMs(2_000),
            limit: 20,
            newest_first: false,
        };
        let mut call = store.lease(ask);
        // Handed over by the first poll, and dropped before its answer is taken.
        drop(futures_util::poll!(&mut call));
        drop(call);
    }
    // The last one may be under way still; its undoing then comes before this one's turn, or just after.
    let mut leased = 0;
    while leased < 20 {
        leased += lease_at(&*store, 3_000, 20).await.leased.len();
    }
    assert_eq!(leased, 20);
    finish(store).await;
}

pub(crate) async fn a_start_voids_leases_and_asks_for_a_look(bed: &dyn Bed) {
    let opened = Clock::system().now();
    let store = bed.open(Terms::LAST).await;
    let codes = SavedCodes {
        loaded_at: UnixMs(1),
        codes: vec![("WU_PROMPT_SUCCESS".into(), "code-9".into())],
    };
    store.save_codes(codes).await.unwrap();
    let alone = stored(&*store, &sample(1, 1)).await;
    let older = stored(&*store, &sample(2, 2)).await;
    let answer = lease_at(&*store, 2_000, 10).await;
    let newer = stored(&*store, &sample(2, 3)).await;
    finish(store).await;

    let store = bed.open(Terms::LAST).await;
    assert_eq!(
        settle(&*store, &answer.leased[0], 3_000, assigned()).await,
        Settled::Fenced
    );
    let found = record(&*store, alone).await;
    assert_eq!(found.state, State::Pending);
    assert_eq!(found.progress.wrap_up_time, Some(UnixMs(2_000)));
    assert_eq!(found.progress.unclear_write_at, Some(UnixMs(2_000)));
    assert_eq!(found.progress.written, Some(CodeId::from("code-9")));
    assert_eq!(verdicts(&found), ["voided", "late"]);
    assert_eq!(state(&*store, older).await, State::Superseded);
    let found = record(&*store, newer).await;
    // The write of the older one may have gone out just before the end, and take effect yet.
    assert!(found.due_at >= Some(opened + SETTLES_WITHIN), "{found:?}");
    assert_eq!(found.progress.unclear_write_at, Some(UnixMs(2_000)));
    assert_eq!(found.progress.wrap_up_time, None);
    // What the one before it may have written is ours.
    let ours = store.last_written(interaction(2)).await.unwrap();
    assert_eq!(ours, [CodeId::from("code-9")]);
    assert_eq!(lease_at(&*store, i64::MAX, 10).await.leased.len(), 2);
    finish(store).await;
}

pub(crate) async fn a_refund_gives_progress_back_but_not_a_write(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let id = stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let mut failed = settlement(&leased, 2_100, Next::Due(UnixMs(99_000)));
    failed.progress.attempts = 1;
    failed.progress.wrap_up_time = Some(UnixMs(2_050));
    failed.progress.unclear_write_at = Some(UnixMs(2_050));
    store.settle(failed).await.unwrap();

    let refund = Refund {
        seq: leased.seq,
        fence: leased.fence,
        progress: leased.progress.clone(),
    };
    assert_eq!(
        store
            .refund(vec![refund.clone()], UnixMs(3_000))
            .await
            .unwrap(),
        1
    );
    let found = record(&*store, id).await;
    assert_eq!(
        (found.progress.attempts, found.due_at),
        (0, Some(UnixMs(3_000)))
    );
    assert_eq!(found.progress.wrap_up_time, Some(UnixMs(2_050)));
    assert_eq!(found.progress.unclear_write_at, Some(UnixMs(2_050)));

    lease_one(&*store, 3_000).await;
    assert_eq!(store.refund(vec![refund], UnixMs(3_000)).await.unwrap(), 0);
    finish(store).await;
}

pub(crate) async fn what_is_due_too_far_ahead_is_pulled_in(bed: &dyn Bed) {
    let store = bed
        .open(Terms {
            max_pending: 10_000,
            ..Terms::LAST
        })
        .await;
    let near = stored(&*store, &sample(1, 1).at(5_000)).await;
    let far: Vec<_> = (0..4_500)
        .map(|n| {
            let mut new = sample(100 + n, 2).at(100_000).delivery();
            new.keys = vec![DedupKey(
                [n.to_le_bytes(), n.to_le_bytes()]
                    .concat()
                    .try_into()
                    .unwrap(),
            )];
            new
        })
        .collect();
    for some in far.chunks(1_000) {
        store.accept(some.to_vec()).await.unwrap();
    }
    assert_eq!(
        store.pull_in(UnixMs(6_000), UnixMs(4_000)).await.unwrap(),
        4_500
    );
    assert_eq!(
        store.pull_in(UnixMs(6_000), UnixMs(4_000)).await.unwrap(),
        0
    );
    assert_eq!(record(&*store, near).await.due_at, Some(UnixMs(5_000)));
    assert_eq!(lease_at(&*store, 4_000, 10_000).await.leased.len(), 4_500);
    // A horizon before now does not go on for ever.
    assert_eq!(store.pull_in(UnixMs(0), UnixMs(4_500)).await.unwrap(), 1);
    finish(store).await;
}

pub(crate) async fn a_leased_deliverys_fields_can_be_read(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let fields = store.fields(leased.seq).await.unwrap().unwrap();
    assert!(fields.starts_with('{'), "{fields}");
    assert_eq!(store.fields(leased.seq + 1).await.unwrap(), None);
    finish(store).await;
}

pub(crate) async fn the_code_written_last_is_ours_and_a_found_one_is_not(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let ours = async || store.last_written(interaction(1)).await.unwrap();
    assert_eq!(ours().await, []);
    let codes = |ids: &[&str]| ids.iter().copied().map(CodeId::from).collect::<Vec<_>>();

    stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(
        &*store,
        &leased,
        2_000,
        Next::Kept {
            found: "theirs".into(),
        },
    )
    .await;
    assert_eq!(ours().await, []);

    stored(&*store, &sample(1, 2)).await;
    let leased = lease_one(&*store, 3_000).await;
    let there = Next::Assigned {
        event: None,
        code_id: "wanted".into(),
        replaced: None,
    };
    settle(&*store, &leased, 3_000, there.clone()).await;
    assert_eq!(ours().await, []);

    stored(&*store, &sample(1, 3)).await;
    let leased = lease_one(&*store, 4_000).await;
    settle(&*store, &leased, 4_000, assigned()).await;
    assert_eq!(ours().await, codes(&["code-1"]));

    // Written twice since, unclear: any of the three may stand there.
    for (n, may_be) in [(4, "may-be"), (5, "may-be-too")] {
        stored(&*store, &sample(1, n)).await;
        let leased = lease_one(&*store, 5_000).await;
        let mut unclear = settlement(&leased, 5_000, dead());
        unclear.progress.written = Some(CodeId::from(may_be));
        store.settle(unclear).await.unwrap();
    }
    assert_eq!(ours().await, codes(&["may-be-too", "may-be", "code-1"]));

    // Refused: nothing was written.
    stored(&*store, &sample(1, 6)).await;
    let leased = lease_one(&*store, 6_000).await;
    let mut refused = settlement(&leased, 6_000, dead());
    refused.progress.wrap_up_time = Some(UnixMs(5_900));
    store.settle(refused).await.unwrap();
    assert_eq!(ours().await, codes(&["may-be-too", "may-be", "code-1"]));

    // Written, unclear, and then found to be there: ours.
    stored(&*store, &sample(1, 7)).await;
    let leased = lease_one(&*store, 7_000).await;
    let mut found = settlement(&leased, 7_000, there);
    found.progress.written = Some(CodeId::from("wanted"));
    store.settle(found).await.unwrap();
    assert_eq!(ours().await, codes(&["wanted"]));
    finish(store).await;
}

pub(crate) async fn codes_and_pauses_are_remembered(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    assert_eq!(store.saved_codes().await.unwrap(), None);
    assert_eq!(store.saved_pause().await.unwrap(), None);
    let codes = SavedCodes {
        loaded_at: UnixMs(5),
        codes: vec![("A".into(), "1".into()), ("B".into(), "2".into())],
    };
    store.save_codes(codes.clone()).await.unwrap();
    store.save_pause(Some(UnixMs(77))).await.unwrap();
    finish(store).await;

    let store = bed.open(Terms::LAST).await;
    assert_eq!(store.saved_codes().await.unwrap(), Some(codes));
    assert_eq!(store.saved_pause().await.unwrap(), Some(UnixMs(77)));
    store.save_pause(None).await.unwrap();
    assert_eq!(store.saved_pause().await.unwrap(), None);
    finish(store).await;
}

pub(crate) async fn nothing_is_done_after_the_end(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    // What was handed over before is committed.
    let last = Arc::clone(&store);
    let new = sample(1, 1).delivery();
    let mut call = last.accept(vec![new.clone()]);
    drop(futures_util::poll!(&mut call));
    store.close().await;
    assert_eq!(call.await.unwrap(), [Receipt::Stored(new.id)]);
    let closed = store.find(new.id).await;
    assert!(matches!(closed, Err(Error::Unavailable(_))), "{closed:?}");
    store.close().await;

    let store = bed.open(Terms::LAST).await;
    assert_eq!(state(&*store, new.id).await, State::Pending);
    finish(store).await;
}
