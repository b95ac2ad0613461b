//! Claims about several surveys for one interaction.

use super::*;

pub(crate) async fn under_last_the_newest_supersedes_what_waits(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let old = stored(&*store, &sample(1, 1)).await;
    let other = stored(&*store, &sample(2, 2)).await;
    let new = stored(&*store, &sample(1, 3).at(1_500)).await;
    let ended = record(&*store, old).await;
    assert_eq!(ended.state, State::Superseded);
    assert_eq!(ended.ended_at, Some(UnixMs(1_500)));
    assert_eq!(verdicts(&ended), ["superseded"]);
    assert_eq!(ended.story[0].detail, format!("by {new}"));
    assert_eq!(state(&*store, other).await, State::Pending);
    assert_eq!(record(&*store, new).await.due_at, Some(UnixMs(1_500)));
    finish(store).await;
}

pub(crate) async fn under_last_a_leased_one_finishes_and_the_newest_waits(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let first = stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let second = stored(&*store, &sample(1, 2)).await;
    let third = stored(&*store, &sample(1, 3)).await;
    assert_eq!(state(&*store, second).await, State::Superseded);
    assert_eq!(record(&*store, third).await.due_at, None);
    let answer = lease_at(&*store, 9_000, 10).await;
    assert!(
        answer.leased.is_empty() && answer.next_due.is_none(),
        "{answer:?}"
    );
    assert_eq!(
        settle(&*store, &leased, 3_000, assigned()).await,
        Settled::Done
    );
    assert_eq!(state(&*store, first).await, State::Assigned);
    let next = lease_one(&*store, 3_000).await;
    assert_eq!((next.id, next.due_at), (third, UnixMs(3_000)));
    assert_eq!(next.progress.unclear_write_at, None);
    finish(store).await;
}

pub(crate) async fn under_last_a_retry_gives_way_to_a_later_one(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let first = stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let second = stored(&*store, &sample(1, 2)).await;
    let settled = settle(&*store, &leased, 3_000, Next::Due(UnixMs(8_000))).await;
    assert_eq!(settled, Settled::Superseded);
    let ended = record(&*store, first).await;
    assert_eq!(ended.state, State::Superseded);
    assert_eq!(verdicts(&ended), ["settled", "superseded"]);
    let next = lease_one(&*store, 3_000).await;
    assert_eq!(next.id, second);
    assert_eq!(next.progress.unclear_write_at, None);
    finish(store).await;
}

pub(crate) async fn under_last_an_unclear_write_delays_the_next_which_then_looks(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let second = stored(&*store, &sample(1, 2)).await;
    let mut unclear = settlement(&leased, 3_000, Next::Due(UnixMs(4_000)));
    unclear.progress.unclear_write_at = Some(UnixMs(2_500));
    unclear.sibling_waits_until = Some(UnixMs(12_500));
    assert_eq!(store.settle(unclear).await.unwrap(), Settled::Superseded);
    let answer = lease_at(&*store, 12_499, 1).await;
    assert!(answer.leased.is_empty());
    assert_eq!(answer.next_due, Some(UnixMs(12_500)));
    let next = lease_one(&*store, 12_500).await;
    assert_eq!(next.id, second);
    assert_eq!(next.progress.unclear_write_at, Some(UnixMs(2_500)));
    finish(store).await;
}

pub(crate) async fn under_last_a_pending_one_leaves_its_unclear_write_to_the_next(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let mut unclear = settlement(&leased, 3_000, Next::Due(UnixMs(4_000)));
    unclear.progress.unclear_write_at = Some(UnixMs(2_500));
    unclear.sibling_waits_until = Some(UnixMs(12_500));
    assert_eq!(store.settle(unclear).await.unwrap(), Settled::Done);
    // Two come while the first waits for its retry: what it left goes on to the second and from that to the third.
    stored(&*store, &sample(1, 2).at(3_100)).await;
    let third = stored(&*store, &sample(1, 3).at(3_200)).await;
    assert!(lease_at(&*store, 12_499, 1).await.leased.is_empty());
    let next = lease_one(&*store, 12_500).await;
    assert_eq!(next.id, third);
    assert_eq!(next.progress.unclear_write_at, Some(UnixMs(2_500)));
    finish(store).await;
}

pub(crate) async fn a_write_that_may_land_yet_delays_whoever_comes_after_the_end(bed: &dyn Bed) {
    for (n, end) in [assigned(), dead()].into_iter().enumerate() {
        let store = bed.open(Terms::LAST).await;
        let (about, key) = (u128::try_from(n).unwrap(), 10 * u8::try_from(n).unwrap());
        stored(&*store, &sample(about, key + 1)).await;
        let leased = lease_one(&*store, 2_000).await;
        let waiting = stored(&*store, &sample(about, key + 2)).await;
        // Its first write was unclear; it was looked at, and written again with a clear answer.
        let mut ended = settlement(&leased, 3_000, end);
        ended.sibling_waits_until = Some(UnixMs(12_500));
        store.settle(ended).await.unwrap();
        assert_eq!(record(&*store, waiting).await.due_at, Some(UnixMs(12_500)));
        let newer = stored(&*store, &sample(about, key + 3).at(3_100)).await;
        assert_eq!(state(&*store, waiting).await, State::Superseded);
        assert!(lease_at(&*store, 12_499, 1).await.leased.is_empty());
        let next = lease_one(&*store, 12_500).await;
        assert_eq!(next.id, newer);
        assert_eq!(next.progress.unclear_write_at, Some(UnixMs(2_500)));
        settle(&*store, &next, 12_500, assigned()).await;

        // The same where nobody waits, and after a start.
        let other = about + 100;
        stored(&*store, &sample(other, key + 4).at(4_000)).await;
        let leased = lease_one(&*store, 4_000).await;
        let mut ended = settlement(&leased, 4_100, assigned());
        ended.sibling_waits_until = Some(UnixMs(13_900));
        store.settle(ended).await.unwrap();
        finish(store).await;
        let store = bed.open(Terms::LAST).await;
        let newer = stored(&*store, &sample(other, key + 5).at(4_200)).await;
        let found = record(&*store, newer).await;
        assert_eq!(found.due_at, Some(UnixMs(13_900)));
        assert_eq!(found.progress.unclear_write_at, Some(UnixMs(3_900)));
        // Another interaction has nothing to wait for, and later nobody has.
        let stranger = stored(&*store, &sample(other + 1_000, key + 6).at(4_200)).await;
        assert_eq!(record(&*store, stranger).await.due_at, Some(UnixMs(4_200)));
        let late = stored(&*store, &sample(other, key + 7).at(13_900)).await;
        let found = record(&*store, late).await;
        assert_eq!(found.due_at, Some(UnixMs(13_900)));
        for _ in 0..2 {
            let leased = lease_at(&*store, 20_000, 1).await.leased.remove(0);
            settle(&*store, &leased, 20_000, assigned()).await;
        }
        finish(store).await;
    }
}

pub(crate) async fn under_last_a_dead_one_lets_the_next_go(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let first = stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let second = stored(&*store, &sample(1, 2)).await;
    settle(&*store, &leased, 3_000, dead()).await;
    let ended = record(&*store, first).await;
    assert_eq!(ended.state, State::Dead);
    assert_eq!(ended.dead_class, Some(crate::store::DeadClass::Rejected));
    assert_eq!(ended.reason.as_deref(), Some("no such interaction"));
    assert_eq!(lease_one(&*store, 3_000).await.id, second);
    // The dead do not stand in the way of what comes later either.
    finish(store).await;
}

pub(crate) async fn under_first_the_others_wait_and_give_way_to_the_assigned(bed: &dyn Bed) {
    for end in [
        assigned(),
        Next::Kept {
            found: CodeId::from("another"),
        },
    ] {
        let store = bed.open(Terms::FIRST).await;
        let fresh = u128::try_from(store.list(0, 100).await.unwrap().len()).unwrap();
        let key = u8::try_from(fresh).unwrap();
        let first = stored(&*store, &sample(fresh, key + 1)).await;
        let second = stored(&*store, &sample(fresh, key + 2)).await;
        let leased = lease_one(&*store, 2_000).await;
        assert_eq!(leased.id, first);
        let third = stored(&*store, &sample(fresh, key + 3)).await;
        // A retry keeps its place.
        settle(&*store, &leased, 2_500, Next::Due(UnixMs(2_600))).await;
        let leased = lease_one(&*store, 9_000).await;
        assert_eq!(leased.id, first);
        settle(&*store, &leased, 9_100, end).await;
        for id in [second, third] {
            assert_eq!(state(&*store, id).await, State::Superseded);
        }
        finish(store).await;
    }
}

pub(crate) async fn under_first_a_dead_one_is_followed_by_the_next(bed: &dyn Bed) {
    let store = bed.open(Terms::FIRST).await;
    stored(&*store, &sample(1, 1)).await;
    let second = stored(&*store, &sample(1, 2)).await;
    let third = stored(&*store, &sample(1, 3)).await;
    let leased = lease_one(&*store, 2_000).await;
    let mut unclear = settlement(&leased, 3_000, dead());
    unclear.sibling_waits_until = Some(UnixMs(13_000));
    store.settle(unclear).await.unwrap();
    assert!(lease_at(&*store, 12_999, 1).await.leased.is_empty());
    let next = lease_one(&*store, 13_000).await;
    assert_eq!(next.id, second);
    assert_eq!(next.progress.unclear_write_at, Some(UnixMs(3_000)));
    assert_eq!(record(&*store, third).await.due_at, None);
    settle(&*store, &next, 14_000, Next::Shadowed { code_id: None }).await;
    assert_eq!(state(&*store, second).await, State::Shadowed);
    assert_eq!(lease_one(&*store, 14_000).await.id, third);
    finish(store).await;
}

pub(crate) async fn under_first_a_late_one_is_superseded_at_once(bed: &dyn Bed) {
    let store = bed.open(Terms::FIRST).await;
    let first = stored(&*store, &sample(1, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_100, assigned()).await;
    let late = stored(&*store, &sample(1, 2).at(3_000)).await;
    let found = record(&*store, late).await;
    assert_eq!(found.state, State::Superseded);
    assert_eq!(found.ended_at, Some(UnixMs(3_000)));
    assert_eq!(found.story[0].detail, format!("by {first}"));
    assert_eq!(duplicate(&*store, &sample(1, 2)).await, late);
    finish(store).await;
}

pub(crate) async fn what_is_ignored_or_quarantined_has_no_place_in_the_order(bed: &dyn Bed) {
    for terms in [Terms::LAST, Terms::FIRST] {
        let store = bed.open(terms).await;
        let key = 10 * u8::from(terms.repeat == Repeat::First);
        let about = 1 + u128::from(key);
        stored(&*store, &sample(about, key + 1).ignored()).await;
        let id = stored(&*store, &sample(about, key + 2)).await;
        stored(&*store, &sample(about, key + 3).ignored()).await;
        stored(&*store, &sample(about, key + 4).unreadable()).await;
        let leased = lease_one(&*store, 2_000).await;
        assert_eq!(leased.id, id);
        settle(&*store, &leased, 2_000, dead()).await;
        let next = stored(&*store, &sample(about, key + 5)).await;
        let leased = lease_one(&*store, 2_000).await;
        assert_eq!(leased.id, next);
        settle(&*store, &leased, 2_000, assigned()).await;
        finish(store).await;
    }
}

pub(crate) async fn another_rule_of_repetition_holds_after_a_start(bed: &dyn Bed) {
    let store = bed.open(Terms::FIRST).await;
    let ids = [
        stored(&*store, &sample(1, 1)).await,
        stored(&*store, &sample(1, 2)).await,
        stored(&*store, &sample(1, 3)).await,
    ];
    finish(store).await;

    let store = bed.open(Terms::LAST).await;
    let leased = lease_one(&*store, i64::MAX).await;
    assert_eq!(leased.id, ids[2]);
    for id in &ids[..2] {
        assert_eq!(state(&*store, *id).await, State::Superseded);
    }
    let newest = stored(&*store, &sample(1, 4)).await;
    assert_eq!(record(&*store, newest).await.due_at, None);
    finish(store).await;

    // The lease is void now; under `first` the older of the two has its turn.
    let store = bed.open(Terms::FIRST).await;
    assert_eq!(lease_one(&*store, i64::MAX).await.id, ids[2]);
    assert_eq!(record(&*store, newest).await.due_at, None);
    finish(store).await;
}
