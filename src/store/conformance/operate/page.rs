//! Looking through what is stored.

use super::*;
use crate::store::DeadClass;

/// All pages, and how many there were.
async fn all(
    store: &dyn Operate,
    filter: &Filter,
    mut from: Cursor,
    limit: usize,
) -> Vec<DeliveryId> {
    let mut found = Vec::new();
    loop {
        let page = store.page(filter.clone(), from, limit).await.unwrap();
        assert!(page.found.len() <= limit);
        found.extend(page.found.iter().map(|record| record.id));
        match page.next {
            Some(next) => from = next,
            None => return found,
        }
    }
}

pub(crate) async fn pages_hold_what_the_filter_means_and_end(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let died = stored(&*store, &sample(1, 1).at(1_000)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_000, dead()).await;
    let mut other = sample(2, 2).at(2_000).delivery();
    other.source = "other".into();
    let other = store.accept(vec![other]).await.unwrap()[0].id();
    let ignored = stored(&*store, &sample(2, 3).ignored().at(3_000)).await;
    let kept = stored(&*store, &sample(0, 4).unreadable().at(4_000)).await;

    let everything = Filter::default();
    for limit in [1, 2, 3, 4, 100] {
        let newest = all(&*store, &everything, Cursor::newest_first(), limit).await;
        assert_eq!(newest, [kept, ignored, other, died]);
        let oldest = all(&*store, &everything, Cursor::oldest_first(), limit).await;
        assert_eq!(oldest, [died, other, ignored, kept]);
    }
    let check = async |filter: Filter, expected: &[DeliveryId]| {
        let found = all(&*store, &filter, Cursor::newest_first(), 3).await;
        assert_eq!(found, expected, "{filter:?}");
    };
    check(Filter::state(State::Dead), &[died]).await;
    let states = vec![State::Dead, State::Quarantined];
    check(
        Filter {
            states,
            ..Filter::default()
        },
        &[kept, died],
    )
    .await;
    check(
        Filter {
            class: Some(DeadClass::Rejected),
            ..Filter::default()
        },
        &[died],
    )
    .await;
    check(
        Filter {
            class: Some(DeadClass::Expired),
            ..Filter::default()
        },
        &[],
    )
    .await;
    check(
        Filter {
            source: Some("other".into()),
            ..Filter::default()
        },
        &[other],
    )
    .await;
    check(
        Filter {
            interaction: Some(interaction(2)),
            ..Filter::default()
        },
        &[ignored, other],
    )
    .await;
    check(
        Filter {
            since: Some(UnixMs(3_000)),
            ..Filter::default()
        },
        &[kept, ignored],
    )
    .await;
    let page = store.page(Filter::state(State::Dead), Cursor::newest_first(), 10);
    assert_eq!(verdicts(&page.await.unwrap().found[0]), ["settled"]);
    finish(store).await;
}

pub(crate) async fn quarantined_surveys_are_handed_out_as_they_came(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let first = stored(&*store, &sample(0, 1).unreadable().at(1_000)).await;
    stored(&*store, &sample(7, 2)).await;
    let second = stored(&*store, &sample(0, 3).unreadable().at(3_000)).await;
    let mut found = Vec::new();
    let mut from = Some(Cursor::oldest_first());
    while let Some(cursor) = from {
        let page = store.quarantined(Filter::default(), cursor, 1).await;
        let page = page.unwrap();
        found.extend(page.found);
        from = page.next;
    }
    let ids: Vec<_> = found.iter().map(|survey| survey.id).collect();
    assert_eq!(ids, [first, second]);
    assert_eq!(found[0].body, sample(0, 1).delivery().body);
    assert_eq!(found[1].accepted_at, UnixMs(3_000));
    assert_eq!(found[1].source.as_str(), "generic");
    assert_eq!(found[1].seq, store.newest().await.unwrap());
    let since = Filter {
        since: Some(UnixMs(2_000)),
        ..Filter::default()
    };
    let page = store.quarantined(since, Cursor::oldest_first(), 10).await;
    assert_eq!(page.unwrap().found.len(), 1);
    let answers = store.answers(found[0].seq).await.unwrap().unwrap();
    assert_eq!(
        (answers.fields, answers.body),
        (None, Some(found[0].body.clone()))
    );
    finish(store).await;
}
