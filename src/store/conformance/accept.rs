//! Claims about accepting readable surveys.

use futures_util::future::join_all;

use super::*;
use crate::ids::RuleName;

pub(crate) async fn a_survey_is_stored_and_found(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let id = stored(&*store, &sample(7, 1)).await;
    let found = record(&*store, id).await;
    assert_eq!(found.state, State::Pending);
    assert_eq!(found.interaction, Some(interaction(7)));
    assert_eq!(found.due_at, Some(UnixMs(1_000)));
    assert_eq!(found.rule, Some("promoter".into()));
    assert_eq!(found.code, Some("WU_PROMPT_SUCCESS".into()));
    assert_eq!(found.rules_hash.as_deref(), Some("abc"));
    assert_eq!(found.rules, ["detractor", "promoter"].map(RuleName::from));
    let why = "nps_score is missing".to_owned();
    assert_eq!(found.failures, [(RuleName::from("detractor"), why)]);
    assert_eq!(
        store
            .find(DeliveryId::generate())
            .await
            .unwrap()
            .map(|it| it.id),
        None
    );

    let ignored = stored(&*store, &sample(7, 2).ignored()).await;
    let found = record(&*store, ignored).await;
    assert_eq!(found.state, State::Ignored);
    assert_eq!(found.ended_at, Some(UnixMs(1_000)));
    assert_eq!(store.accept(Vec::new()).await.unwrap(), []);
    finish(store).await;
}

pub(crate) async fn a_survey_that_comes_again_is_told_its_first_id(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let first = stored(&*store, &sample(1, 1)).await;
    assert_eq!(duplicate(&*store, &sample(1, 1)).await, first);
    finish(store).await;

    let again = bed.open(Terms::LAST).await;
    assert_eq!(duplicate(&*again, &sample(2, 1)).await, first);
    finish(again).await;
}

pub(crate) async fn either_key_makes_a_duplicate_that_inserts_nothing(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let first = stored(&*store, &sample(1, 0).keys(&[1, 2])).await;
    assert_eq!(duplicate(&*store, &sample(1, 0).keys(&[3, 2])).await, first);
    // The duplicate left nothing behind, so its own id is free.
    stored(&*store, &sample(2, 0).keys(&[3])).await;
    finish(store).await;
}

pub(crate) async fn duplicates_within_one_request_are_found(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let (one, two) = (sample(1, 1).delivery(), sample(2, 2).delivery());
    let receipts = store
        .accept(vec![one.clone(), two.clone(), sample(3, 1).delivery()])
        .await
        .unwrap();
    assert_eq!(
        receipts,
        [
            Receipt::Stored(one.id),
            Receipt::Stored(two.id),
            Receipt::Duplicate(one.id)
        ]
    );
    finish(store).await;
}

pub(crate) async fn many_at_once_with_one_key_store_one(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let calls = (0..200).map(|n| {
        let store = Arc::clone(&store);
        async move {
            let receipts = store.accept(vec![sample(n, 9).delivery()]).await;
            receipts.unwrap()[0]
        }
    });
    let receipts = join_all(calls).await;
    let new: Vec<_> = receipts
        .iter()
        .filter(|receipt| matches!(receipt, Receipt::Stored(_)))
        .collect();
    assert_eq!(new.len(), 1);
    assert!(receipts.iter().all(|receipt| receipt.id() == new[0].id()));
    finish(store).await;
}

pub(crate) async fn a_request_is_stored_whole_or_not_at_all(bed: &dyn Bed) {
    let store = bed
        .open(Terms {
            max_pending: 2,
            ..Terms::LAST
        })
        .await;
    let waits = stored(&*store, &sample(1, 1)).await;
    let too_many = vec![
        sample(1, 2).delivery(),
        sample(2, 3).delivery(),
        sample(3, 4).delivery(),
    ];
    let (refused, other) = tokio::join!(store.accept(too_many.clone()), async {
        stored(&*store, &sample(9, 9).ignored()).await
    });
    assert!(
        matches!(refused, Err(Error::TooManyPending(2))),
        "{refused:?}"
    );
    // Not even what the first of them set off: the one before it is not superseded.
    assert_eq!(state(&*store, waits).await, State::Pending);
    assert_eq!(state(&*store, other).await, State::Ignored);
    assert_eq!(
        store.find(too_many[0].id).await.unwrap().map(|it| it.id),
        None
    );
    stored(&*store, &sample(2, 3)).await;
    finish(store).await;
}

pub(crate) async fn a_full_store_takes_what_does_not_add_to_the_backlog(bed: &dyn Bed) {
    let store = bed
        .open(Terms {
            max_pending: 1,
            ..Terms::LAST
        })
        .await;
    let first = stored(&*store, &sample(1, 1)).await;
    let full = store.accept(vec![sample(2, 2).delivery()]).await;
    assert!(matches!(full, Err(Error::TooManyPending(1))), "{full:?}");
    assert_eq!(duplicate(&*store, &sample(1, 1)).await, first);
    stored(&*store, &sample(2, 3).ignored()).await;
    stored(&*store, &sample(0, 4).unreadable()).await;
    stored(&*store, &sample(1, 5)).await;
    assert_eq!(state(&*store, first).await, State::Superseded);
    // A leased one is live, too.
    let leased = lease_one(&*store, 2_000).await;
    let full = store.accept(vec![sample(2, 6).delivery()]).await;
    assert!(matches!(full, Err(Error::TooManyPending(1))), "{full:?}");
    settle(&*store, &leased, 2_000, assigned()).await;
    stored(&*store, &sample(2, 6)).await;
    finish(store).await;
}

pub(crate) async fn keys_outlive_deliveries_and_are_forgotten_in_the_end(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let old = stored(&*store, &sample(1, 1).ignored().at(1_000)).await;
    let live = stored(&*store, &sample(2, 2).at(1_000)).await;
    let newer = stored(&*store, &sample(3, 3).ignored().at(5_000)).await;
    assert!(!store.purge(UnixMs(3_000), UnixMs(500)).await.unwrap());
    assert!(store.find(old).await.unwrap().is_none());
    assert_eq!(state(&*store, live).await, State::Pending);
    assert_eq!(state(&*store, newer).await, State::Ignored);
    assert_eq!(duplicate(&*store, &sample(1, 1)).await, old);

    store.purge(UnixMs(3_000), UnixMs(3_000)).await.unwrap();
    assert_ne!(stored(&*store, &sample(1, 1).ignored()).await, old);
    // One that is still there is known, however old, and forgotten with it at the latest.
    assert_eq!(duplicate(&*store, &sample(2, 2)).await, live);
    assert_eq!(duplicate(&*store, &sample(3, 3)).await, newer);

    // More than a piece.
    for chunk in 0..3 {
        let many = (0..250).map(|n| {
            let mut new = sample(5, 0).ignored().delivery();
            new.keys = vec![DedupKey(std::array::from_fn(|at| {
                u8::try_from((n + chunk * 1_000) >> (8 * (at % 2)) & 0xff).unwrap()
                    ^ u8::from(at > 1)
            }))];
            new
        });
        store.accept(many.collect()).await.unwrap();
    }
    let mut pieces = 0;
    while store.purge(UnixMs(9_000), UnixMs(9_000)).await.unwrap() {
        pieces += 1;
    }
    assert!(pieces > 0);
    assert_eq!(store.list(0, 10).await.unwrap().len(), 1);
    // Behind more of those that are there still than a piece has.
    for n in 0..600 {
        let mut new = sample(100 + n, 0).delivery();
        let mut key = [7; 32];
        key[..16].copy_from_slice(&n.to_le_bytes());
        new.keys = vec![DedupKey(key)];
        store.accept(vec![new]).await.unwrap();
    }
    let behind = stored(&*store, &sample(8, 8).ignored()).await;
    while store.purge(UnixMs(9_000), UnixMs(9_000)).await.unwrap() {}
    assert_ne!(stored(&*store, &sample(8, 8).ignored()).await, behind);
    finish(store).await;
}
