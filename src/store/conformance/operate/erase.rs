//! Deliveries that are erased.

use super::*;

pub(crate) async fn an_erased_delivery_leaves_its_keys_and_nothing_else(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let ended = stored(&*store, &sample(7, 1).ignored()).await;
    let kept = stored(&*store, &sample(0, 2).unreadable()).await;
    let other = stored(&*store, &sample(8, 3)).await;
    for (id, was) in [(ended, State::Ignored), (kept, State::Quarantined)] {
        let seq = record(&*store, id).await.seq;
        let erased = store.erase(id, false, UnixMs(2_000)).await.unwrap();
        assert_eq!(erased, Erased::Done(was));
        assert!(store.find(id).await.unwrap().is_none());
        assert!(store.answers(seq).await.unwrap().is_none());
        let again = store.erase(id, false, UnixMs(2_000)).await.unwrap();
        assert_eq!(again, Erased::Unknown);
    }
    // A repetition does not bring it back, readable or not.
    assert_eq!(duplicate(&*store, &sample(7, 1)).await, ended);
    assert_eq!(duplicate(&*store, &sample(0, 2).unreadable()).await, kept);
    assert_eq!(duplicate(&*store, &sample(7, 2)).await, kept);
    assert_eq!(state(&*store, other).await, State::Pending);
    assert_eq!(store.list(0, 10).await.unwrap().len(), 1);
    // Nor does it take a key from another, after a start least of all.
    let first = stored(
        &*store,
        &sample(0, 0).keys(&[11, 12]).content(12).unreadable(),
    )
    .await;
    let second = stored(
        &*store,
        &sample(0, 0).keys(&[11, 13]).content(13).unreadable(),
    )
    .await;
    assert_eq!(resolve(&*store, first, &sample(9, 0), USUAL).await, LIVE);
    store.erase(second, false, UnixMs(2_000)).await.unwrap();
    store.close().await;
    let store = bed.operate(Terms::LAST).await;
    let copy = sample(9, 0).keys(&[11]);
    assert_eq!(duplicate(&*store, &copy).await, first);
    let copy = sample(9, 0).keys(&[13]);
    assert_eq!(duplicate(&*store, &copy).await, second);
    finish(store).await;
}

pub(crate) async fn what_is_on_its_way_is_not_erased_by_accident(bed: &dyn Bed) {
    let store = bed.operate(Terms::FIRST).await;
    let first = stored(&*store, &sample(7, 1)).await;
    let second = stored(&*store, &sample(7, 2)).await;
    let erase = async |id, force| store.erase(id, force, UnixMs(2_000)).await.unwrap();
    assert_eq!(erase(first, false).await, Erased::Live(State::Pending));
    let leased = lease_one(&*store, 2_000).await;
    assert_eq!(erase(first, true).await, Erased::Live(State::Leased));
    settle(&*store, &leased, 2_000, Next::Due(UnixMs(9_000))).await;
    assert_eq!(erase(first, true).await, Erased::Done(State::Pending));
    // The next of the interaction has its turn.
    assert_eq!(lease_one(&*store, 2_000).await.id, second);
    finish(store).await;
}

pub(crate) async fn what_an_erased_delivery_wrote_is_looked_at_by_the_next(bed: &dyn Bed) {
    let store = bed.operate(Terms::FIRST).await;
    let first = stored(&*store, &sample(7, 1)).await;
    let second = stored(&*store, &sample(7, 2)).await;
    let leased = lease_one(&*store, 2_000).await;
    let mut unclear = settlement(&leased, 2_000, Next::Due(UnixMs(60_000)));
    unclear.progress.unclear_write_at = Some(UnixMs(2_000));
    unclear.sibling_waits_until = Some(UnixMs(12_000));
    store.settle(unclear).await.unwrap();
    let erased = store.erase(first, true, UnixMs(3_000)).await.unwrap();
    assert_eq!(erased, Erased::Done(State::Pending));
    assert!(lease_at(&*store, 11_999, 1).await.leased.is_empty());
    let next = lease_one(&*store, 12_000).await;
    assert_eq!(next.id, second);
    assert_eq!(next.progress.unclear_write_at, Some(UnixMs(2_000)));
    settle(&*store, &next, 12_000, assigned()).await;
    finish(store).await;
}
