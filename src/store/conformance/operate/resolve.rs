//! Quarantined surveys that were read again.

use super::*;

pub(crate) async fn a_survey_that_can_be_read_now_becomes_its_delivery_and_keeps_its_number(
    bed: &dyn Bed,
) {
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let before = record(&*store, id).await;
    let other = stored(&*store, &sample(8, 2)).await;
    assert_eq!(resolve(&*store, id, &sample(7, 1), USUAL).await, LIVE);
    let found = record(&*store, id).await;
    assert_eq!((found.state, found.seq), (State::Pending, before.seq));
    assert_eq!(found.accepted_at, before.accepted_at);
    assert_eq!(found.interaction, Some(interaction(7)));
    assert_eq!(
        (found.due_at, found.ended_at),
        (Some(UnixMs(2_000)), None),
        "due at once"
    );
    assert!(found.problems.is_none() && found.rules_hash.is_some());
    assert_eq!(found.progress.again_at, Some(UnixMs(2_000)));
    assert_eq!(verdicts(&found), ["reprocessed"]);
    // Its keys count from now on, whether the sender's copy can be read or not.
    assert_eq!(duplicate(&*store, &sample(7, 1)).await, id);
    assert_eq!(duplicate(&*store, &sample(0, 1).unreadable()).await, id);
    let leased = lease_at(&*store, 2_000, 10).await.leased;
    let leased: Vec<_> = leased.iter().map(|it| it.id).collect();
    assert_eq!(leased, [other, id]);
    // Once more: it is no longer what it was.
    assert_eq!(resolve(&*store, id, &sample(7, 1), USUAL).await, Fate::Gone);

    let ignored = stored(&*store, &sample(0, 5).unreadable()).await;
    let fate = resolve(&*store, ignored, &sample(7, 5).ignored(), USUAL).await;
    assert_eq!(fate, Fate::Ignored);
    let found = record(&*store, ignored).await;
    assert_eq!(
        (found.state, found.ended_at),
        (State::Ignored, Some(UnixMs(2_000)))
    );
    finish(store).await;
}

pub(crate) async fn what_still_cannot_be_read_keeps_its_row_with_its_new_problems(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let mut survey = reread(&*store, id, &sample(0, 1)).await;
    survey.content = Content::Unreadable {
        problems: r#"[{"field":"another"}]"#.to_owned(),
    };
    let fates = store.resolve(vec![survey], USUAL).await.unwrap();
    assert_eq!(fates, [Fate::Quarantined]);
    let found = record(&*store, id).await;
    assert_eq!(found.state, State::Quarantined);
    assert_eq!(found.problems.unwrap()[0]["field"], "another");
    // It holds nothing against a readable one still.
    assert_eq!(stored(&*store, &sample(7, 1)).await, id);
    finish(store).await;
}

pub(crate) async fn a_resolved_survey_goes_before_earlier_and_behind_later_ones(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let early = stored(&*store, &sample(7, 1)).await;
    let id = stored(&*store, &sample(0, 2).unreadable()).await;
    assert_eq!(resolve(&*store, id, &sample(7, 2), USUAL).await, LIVE);
    let gave_way = record(&*store, early).await;
    assert_eq!(gave_way.state, State::Superseded);
    assert_eq!(gave_way.story[0].detail, format!("by {id}"));

    // One later than the quarantined, first on its way and then assigned.
    for (about, key) in [(17, 11), (27, 21)] {
        let id = stored(&*store, &sample(0, key).unreadable()).await;
        let late = stored(&*store, &sample(about, key + 1).at(1_500)).await;
        if about == 27 {
            let leased = lease_at(&*store, 3_000, 10).await.leased;
            let leased = leased.iter().find(|it| it.id == late).unwrap();
            settle(&*store, leased, 3_000, assigned()).await;
        }
        let fate = resolve(&*store, id, &sample(about, key), USUAL).await;
        assert_eq!(fate, Fate::Superseded { by: late }, "{about}");
        let found = record(&*store, id).await;
        assert_eq!(found.state, State::Superseded);
        assert_eq!(verdicts(&found), ["reprocessed", "superseded"]);
        assert_ne!(state(&*store, late).await, State::Superseded);
    }
    // Neither the ignored nor the dead of an interaction count.
    let id = stored(&*store, &sample(0, 31).unreadable()).await;
    stored(&*store, &sample(37, 32)).await;
    for leased in lease_at(&*store, 9_000, 10).await.leased {
        settle(&*store, &leased, 9_000, dead()).await;
    }
    stored(&*store, &sample(37, 33).ignored()).await;
    assert_eq!(resolve(&*store, id, &sample(37, 31), USUAL).await, LIVE);
    finish(store).await;
}

pub(crate) async fn a_resolved_survey_waits_for_one_that_is_leased(bed: &dyn Bed) {
    for terms in [Terms::LAST, Terms::FIRST] {
        let store = bed.operate(terms).await;
        let key = 10 * u8::from(terms.repeat == Repeat::First);
        let about = 7 + u128::from(key);
        stored(&*store, &sample(about, key + 1)).await;
        let leased = lease_one(&*store, 2_000).await;
        let id = stored(&*store, &sample(0, key + 2).unreadable()).await;
        let fate = resolve(&*store, id, &sample(about, key + 2), USUAL).await;
        assert_eq!(fate, LIVE);
        assert_eq!(record(&*store, id).await.due_at, None);
        assert!(lease_at(&*store, 9_000, 1).await.leased.is_empty());
        let mut unclear = settlement(&leased, 3_000, dead());
        unclear.sibling_waits_until = Some(UnixMs(13_000));
        store.settle(unclear).await.unwrap();
        let next = lease_one(&*store, 13_000).await;
        assert_eq!(next.id, id);
        assert_eq!(next.progress.unclear_write_at, Some(UnixMs(3_000)));
        settle(&*store, &next, 13_000, assigned()).await;
        finish(store).await;
    }
}

pub(crate) async fn force_puts_a_resolved_survey_before_later_ones(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let late = stored(&*store, &sample(7, 2)).await;
    let fate = resolve(&*store, id, &sample(7, 1), FORCE).await;
    assert_eq!(fate, Fate::Live { over: Some(late) });
    assert_eq!(state(&*store, late).await, State::Superseded);
    let found = record(&*store, id).await;
    assert!(found.seq > record(&*store, late).await.seq);
    assert_eq!(
        found.story[0].detail,
        format!("it can be read now; forced over {late}")
    );
    // Everything of it has moved along.
    assert_eq!(duplicate(&*store, &sample(7, 1)).await, id);
    assert!(store.answers(found.seq).await.unwrap().is_some());
    let next = stored(&*store, &sample(8, 3)).await;
    assert!(
        record(&*store, next).await.seq > found.seq,
        "no number is given twice"
    );
    // Over one that was assigned it keeps its number, and over one that is leased it waits.
    let second = stored(&*store, &sample(0, 4).unreadable()).await;
    let late = stored(&*store, &sample(17, 5)).await;
    let leased = lease_at(&*store, 3_000, 10).await.leased;
    let leased = leased.iter().find(|it| it.id == late).unwrap();
    let third = stored(&*store, &sample(0, 6).unreadable()).await;
    let fate = resolve(&*store, second, &sample(17, 4), FORCE).await;
    assert_eq!(fate, Fate::Live { over: Some(late) });
    assert_eq!(record(&*store, second).await.due_at, None);
    settle(&*store, leased, 3_000, assigned()).await;
    assert_eq!(record(&*store, second).await.due_at, Some(UnixMs(3_000)));
    let seq = record(&*store, third).await.seq;
    let fate = resolve(&*store, third, &sample(17, 6), FORCE).await;
    assert_eq!(
        fate,
        Fate::Live { over: Some(second) },
        "which has the newest number now"
    );
    assert!(record(&*store, third).await.seq > seq);
    assert_eq!(state(&*store, second).await, State::Superseded);
    finish(store).await;
}

pub(crate) async fn under_first_a_resolved_survey_gives_way_to_the_assigned_only(bed: &dyn Bed) {
    let store = bed.operate(Terms::FIRST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let late = stored(&*store, &sample(7, 2)).await;
    assert_eq!(resolve(&*store, id, &sample(7, 1), USUAL).await, LIVE);
    // It is the first again, so the later one waits.
    let leased = lease_one(&*store, 3_000).await;
    assert_eq!(leased.id, id);
    assert_eq!(record(&*store, late).await.due_at, None);
    let last = stored(&*store, &sample(0, 3).unreadable()).await;
    settle(&*store, &leased, 3_000, assigned()).await;
    let fate = resolve(&*store, last, &sample(7, 3), USUAL).await;
    assert_eq!(fate, Fate::Superseded { by: id });
    let forced = stored(&*store, &sample(0, 4).unreadable()).await;
    let fate = resolve(&*store, forced, &sample(7, 4), FORCE).await;
    assert_eq!(fate, Fate::Live { over: Some(id) });
    assert_eq!(lease_one(&*store, 3_000).await.id, forced);
    finish(store).await;
}

pub(crate) async fn what_the_sender_repeated_meanwhile_is_left_alone(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let survey = reread(&*store, id, &sample(7, 1)).await;
    assert_eq!(stored(&*store, &sample(7, 1)).await, id);
    let before = record(&*store, id).await;
    let fates = store.resolve(vec![survey], USUAL).await.unwrap();
    assert_eq!(fates, [Fate::Gone]);
    let after = record(&*store, id).await;
    assert_eq!(after.seq, before.seq);
    assert_eq!(after.story, before.story);
    assert_eq!(store.list(0, 10).await.unwrap().len(), 1);
    // One that was purged meanwhile.
    let id = stored(&*store, &sample(0, 2).unreadable()).await;
    let survey = reread(&*store, id, &sample(8, 2)).await;
    store.purge(UnixMs(9_000), UnixMs(0)).await.unwrap();
    let fates = store.resolve(vec![survey], USUAL).await.unwrap();
    assert_eq!(fates, [Fate::Gone]);
    finish(store).await;
}

pub(crate) async fn one_survey_is_resolved_once_whoever_comes_first(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let mut surveys = Vec::new();
    for key in 1..60 {
        let id = stored(&*store, &sample(0, key).unreadable()).await;
        let about = sample(u128::from(key), key);
        surveys.push((reread(&*store, id, &about).await, about));
    }
    let repeated = futures_util::future::join_all(surveys.iter().map(|(survey, about)| {
        let store = &store;
        async move {
            let resolving = store.resolve(vec![survey.clone()], USUAL);
            let (fates, receipt) = tokio::join!(resolving, accept(&**store, about));
            (fates.unwrap().remove(0), receipt)
        }
    }));
    for ((survey, _), (fate, receipt)) in surveys.iter().zip(repeated.await) {
        assert_eq!(receipt.id(), survey.id);
        let by_sender = matches!(receipt, Receipt::Stored(_));
        assert_eq!(by_sender, fate == Fate::Gone, "{fate:?} {receipt:?}");
    }
    let leased = lease_at(&*store, 9_000, 100).await.leased;
    assert_eq!(leased.len(), surveys.len());
    assert_eq!(store.list(0, 100).await.unwrap().len(), surveys.len());
    finish(store).await;
}

pub(crate) async fn a_survey_that_was_accepted_under_another_id_is_its_duplicate(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    // Two copies with other bytes under one id of the sender.
    let first = stored(&*store, &sample(0, 0).keys(&[1, 2]).content(2).unreadable()).await;
    let second = stored(&*store, &sample(0, 0).keys(&[1, 3]).content(3).unreadable()).await;
    assert_eq!(resolve(&*store, first, &sample(7, 0), USUAL).await, LIVE);
    let fate = resolve(&*store, second, &sample(8, 0), USUAL).await;
    assert_eq!(fate, Fate::Duplicate { of: first });
    let found = record(&*store, second).await;
    assert_eq!(found.state, State::Superseded);
    assert_eq!(found.story.last().unwrap().detail, format!("by {first}"));
    let leased = lease_at(&*store, 9_000, 10).await.leased;
    assert_eq!(leased.len(), 1, "nothing is delivered twice");
    // After a start as well.
    store.close().await;
    let store = bed.operate(Terms::LAST).await;
    for (keys, holder) in [([1, 9], first), ([9, 2], first), ([9, 3], second)] {
        let copy = sample(7, 0).keys(&keys);
        assert_eq!(duplicate(&*store, &copy).await, holder, "{keys:?}");
    }
    // The same bytes under signed ids of their own are surveys of their own.
    let one = stored(&*store, &sample(0, 0).keys(&[21]).content(20).unreadable()).await;
    assert_eq!(resolve(&*store, one, &sample(9, 0), USUAL).await, LIVE);
    let other = stored(&*store, &sample(0, 0).keys(&[22]).content(20).unreadable()).await;
    assert_ne!(one, other);
    assert_eq!(resolve(&*store, other, &sample(10, 0), USUAL).await, LIVE);
    finish(store).await;
}

pub(crate) async fn a_key_that_is_found_only_now_is_remembered(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let mut survey = reread(&*store, id, &sample(7, 1)).await;
    survey.keys = vec![DedupKey([50; 32])];
    assert_eq!(store.resolve(vec![survey], USUAL).await.unwrap(), [LIVE]);
    for key in [1, 50] {
        assert_eq!(duplicate(&*store, &sample(7, key)).await, id);
    }
    // And one that is found to be another's makes it that one's duplicate.
    let second = stored(&*store, &sample(0, 2).unreadable()).await;
    let mut survey = reread(&*store, second, &sample(7, 2)).await;
    survey.keys = vec![DedupKey([50; 32])];
    let fates = store.resolve(vec![survey], USUAL).await.unwrap();
    assert_eq!(fates, [Fate::Duplicate { of: id }]);
    finish(store).await;
}

pub(crate) async fn a_rehearsal_changes_nothing(bed: &dyn Bed) {
    const REHEARSE: Redrive = Redrive {
        dry_run: true,
        ..FORCE
    };
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(0, 1).unreadable()).await;
    let late = stored(&*store, &sample(7, 2)).await;
    let told = |records: Vec<Record>| format!("{records:?}");
    let before = told(store.list(0, 10).await.unwrap());
    let fate = resolve(&*store, id, &sample(7, 1), REHEARSE).await;
    assert_eq!(fate, Fate::Live { over: Some(late) });
    let fate = resolve(&*store, id, &sample(7, 1).unreadable(), REHEARSE).await;
    assert_eq!(fate, Fate::Quarantined);
    let fate = redrive(&*store, late, REHEARSE).await;
    assert_eq!(fate, Fate::Gone, "it is on its way");
    assert_eq!(told(store.list(0, 10).await.unwrap()), before);
    assert_eq!(
        stored(&*store, &sample(7, 1)).await,
        id,
        "its keys do not count"
    );
    finish(store).await;
}

pub(crate) async fn what_is_resolved_or_redriven_keeps_to_max_pending(bed: &dyn Bed) {
    let store = bed
        .operate(Terms {
            max_pending: 1,
            ..Terms::LAST
        })
        .await;
    let died = stored(&*store, &sample(5, 9)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_000, dead()).await;
    let waits = stored(&*store, &sample(7, 1)).await;
    let ids = [
        stored(&*store, &sample(0, 2).unreadable()).await,
        stored(&*store, &sample(0, 3).unreadable()).await,
    ];
    let full = Fate::NoRoom { live: 1 };
    // The second takes the place of what waits, so it adds nothing.
    let surveys = vec![
        reread(&*store, ids[0], &sample(8, 2)).await,
        reread(&*store, ids[1], &sample(7, 3)).await,
    ];
    let fates = store.resolve(surveys, USUAL).await.unwrap();
    assert_eq!(fates, [full.clone(), LIVE]);
    assert_eq!(state(&*store, ids[0]).await, State::Quarantined);
    assert_eq!(state(&*store, waits).await, State::Superseded);
    assert_eq!(redrive(&*store, died, USUAL).await, full);
    assert_eq!(state(&*store, died).await, State::Dead);
    let ignored = resolve(&*store, ids[0], &sample(8, 2).ignored(), USUAL).await;
    assert_eq!(ignored, Fate::Ignored);
    finish(store).await;
}
