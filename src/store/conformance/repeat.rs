//! Claims about unreadable surveys, and about surveys that could be read later.

use super::*;

pub(crate) async fn an_unreadable_survey_is_kept_once(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let bad = sample(0, 1).unreadable();
    let id = stored(&*store, &bad).await;
    assert_eq!(still_quarantined(&*store, &bad).await, id);
    let found = record(&*store, id).await;
    assert_eq!(found.state, State::Quarantined);
    assert_eq!(found.interaction, None);
    assert_eq!(found.problems.unwrap()[0]["field"], "nps_score");
    // Other bytes under the same id are another survey that cannot be read.
    let other = stored(&*store, &bad.clone().content(2)).await;
    assert_ne!(other, id);
    assert_eq!(still_quarantined(&*store, &bad).await, id);
    // One of that id is accepted: the rest stays as it was told.
    let corrected = sample(7, 1).content(3);
    assert_eq!(stored(&*store, &corrected).await, id);
    assert_eq!(
        still_quarantined(&*store, &bad.clone().content(2)).await,
        other
    );
    assert_eq!(duplicate(&*store, &bad.clone().content(4)).await, id);
    finish(store).await;
}

pub(crate) async fn a_quarantined_row_becomes_the_delivery(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let between = stored(&*store, &sample(7, 9)).await;
    // The mapping was mended: the same bytes, readable now.
    assert_eq!(stored(&*store, &sample(7, 1)).await, id);
    let found = record(&*store, id).await;
    assert_eq!(found.state, State::Pending);
    assert!(found.problems.is_none() && found.rules_hash.is_some());
    // Its place in the order is that of the moment when it could be read.
    assert!(found.seq > record(&*store, between).await.seq);
    assert_eq!(state(&*store, between).await, State::Superseded);
    assert_eq!(duplicate(&*store, &sample(7, 1)).await, id);
    assert_eq!(duplicate(&*store, &sample(0, 1).unreadable()).await, id);
    assert_eq!(store.list(0, 10).await.unwrap().len(), 2);
    finish(store).await;
}

pub(crate) async fn a_quarantined_survey_holds_nothing_against_a_readable_one(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    // An unsigned id: the sender corrects it under the same id, with other bytes.
    let id = stored(&*store, &sample(0, 0).keys(&[1, 2]).content(2).unreadable()).await;
    assert_eq!(
        stored(&*store, &sample(7, 0).keys(&[1, 3]).content(3)).await,
        id
    );
    // Only a content key is alike: nothing is held against it either, and no row is taken over.
    let bytes = stored(&*store, &sample(0, 0).keys(&[10]).content(11).unreadable()).await;
    let fresh = stored(&*store, &sample(8, 0).keys(&[11]).content(11)).await;
    assert_ne!(bytes, fresh);
    finish(store).await;
}

pub(crate) async fn an_unreadable_copy_of_an_accepted_survey_is_a_duplicate(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let id = stored(&*store, &sample(7, 1)).await;
    let copy = sample(0, 0).keys(&[5, 1]).content(6).unreadable();
    assert_eq!(duplicate(&*store, &copy).await, id);
    // It inserted nothing: key 5 is free.
    stored(&*store, &sample(8, 5)).await;
    finish(store).await;
}

pub(crate) async fn a_replay_of_resolved_bytes_under_another_id_is_a_duplicate(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    // Two unreadable ones share an id; the second's bytes become readable.
    let first = stored(&*store, &sample(0, 0).keys(&[1, 2]).content(2).unreadable()).await;
    let second = stored(&*store, &sample(0, 0).keys(&[1, 3]).content(3).unreadable()).await;
    assert_eq!(stored(&*store, &sample(7, 0).keys(&[1, 3])).await, first);
    assert_eq!(state(&*store, second).await, State::Quarantined);
    for replay in [&[4, 3], &[4, 2], &[1, 4]] {
        assert_eq!(duplicate(&*store, &sample(7, 0).keys(replay)).await, first);
    }
    // The one that stays behind takes no key with it when it is purged.
    store.purge(UnixMs(9_000), UnixMs(0)).await.unwrap();
    assert_eq!(duplicate(&*store, &sample(7, 0).keys(&[4, 3])).await, first);
    finish(store).await;
}

pub(crate) async fn the_quarantine_has_a_limit(bed: &dyn Bed) {
    let store = bed
        .open(Terms {
            max_quarantined: 1,
            max_pending: 1,
            ..Terms::LAST
        })
        .await;
    let kept = stored(&*store, &sample(0, 1).unreadable()).await;
    let full = store
        .accept(vec![sample(0, 2).unreadable().delivery()])
        .await;
    assert!(
        matches!(full, Err(Error::TooManyQuarantined(1))),
        "{full:?}"
    );
    assert_eq!(
        still_quarantined(&*store, &sample(0, 1).unreadable()).await,
        kept
    );
    // One that is resolved adds to the backlog, and leaves the quarantine only if there is room.
    stored(&*store, &sample(8, 8)).await;
    let full = store.accept(vec![sample(7, 1).delivery()]).await;
    assert!(matches!(full, Err(Error::TooManyPending(1))), "{full:?}");
    assert_eq!(state(&*store, kept).await, State::Quarantined);
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_000, assigned()).await;
    assert_eq!(stored(&*store, &sample(7, 1)).await, kept);
    stored(&*store, &sample(0, 2).unreadable()).await;
    finish(store).await;
}

pub(crate) async fn a_purged_quarantine_counts_for_nothing(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let gone = stored(&*store, &sample(0, 1).unreadable()).await;
    store.purge(UnixMs(9_000), UnixMs(0)).await.unwrap();
    assert!(store.find(gone).await.unwrap().is_none());
    assert_ne!(stored(&*store, &sample(7, 1)).await, gone);
    finish(store).await;
}
