//! Claims about reading what was decided.

use super::*;

/// Everything since a moment, in pieces of `limit`.
async fn scanned(store: &dyn Store, since: i64, limit: usize) -> Vec<Decided> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let piece = store.scan(UnixMs(since), after, limit).await.unwrap();
        assert!(piece.looked_at <= limit && piece.surveys.len() <= piece.looked_at);
        all.extend(piece.surveys);
        match piece.after {
            Some(next) if next > after => after = next,
            Some(same) => panic!("it does not go on after {same}"),
            None => return all,
        }
    }
}

pub(crate) async fn a_scan_hands_out_each_survey_once_with_what_was_decided(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    let mut ids = Vec::new();
    for (n, at) in [(1, 1_000), (2, 2_000), (3, 3_000)] {
        ids.push(stored(&*store, &sample(u128::from(n), n).at(at)).await);
    }
    ids.push(stored(&*store, &sample(4, 4).at(4_000).ignored()).await);
    // Whatever became of it, what was decided is told as it was.
    let leased = lease_one_of(&*store, ids[0]).await;
    settle(&*store, &leased, 9_000, assigned()).await;

    for limit in [1, 2, 3, 4, 100] {
        let all = scanned(&*store, 0, limit).await;
        let found: Vec<_> = all.iter().map(|survey| survey.id).collect();
        assert_eq!(found, ids, "in pieces of {limit}");
    }
    let all = scanned(&*store, 0, 100).await;
    assert_eq!(all[0].state, State::Assigned);
    assert_eq!(all[0].source, "generic".into());
    for survey in &all {
        assert_eq!(survey.fields.as_deref(), Some(r#"{"nps_score":9}"#));
        assert_eq!(survey.rule, Some("promoter".into()));
    }
    assert_eq!(all[2].code, Some("WU_PROMPT_SUCCESS".into()));
    assert_eq!((&all[3].code, all[3].state), (&None, State::Ignored));
    finish(store).await;
}

/// Leases until it is the one that is wanted; the others stay leased.
async fn lease_one_of(store: &dyn Store, id: DeliveryId) -> Leased {
    let answer = lease_at(store, 5_000, 10).await;
    let wanted = answer.leased.into_iter().find(|leased| leased.id == id);
    wanted.expect("it is due")
}

pub(crate) async fn a_scan_begins_at_its_moment_though_the_clock_was_stepped(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    // The second was accepted after the clock was put back.
    stored(&*store, &sample(1, 1).at(1_000)).await;
    let late = stored(&*store, &sample(2, 2).at(5_000)).await;
    stored(&*store, &sample(3, 3).at(2_000)).await;
    let later = stored(&*store, &sample(4, 4).at(6_000)).await;
    let exact = stored(&*store, &sample(5, 5).at(3_000)).await;
    for limit in [1, 2, 10] {
        let all = scanned(&*store, 3_000, limit).await;
        let found: Vec<_> = all.iter().map(|survey| survey.id).collect();
        assert_eq!(found, [late, later, exact]);
    }
    assert!(scanned(&*store, 7_000, 2).await.is_empty());
    finish(store).await;
}

pub(crate) async fn a_scan_tells_surveys_without_fields_apart(bed: &dyn Bed) {
    let store = bed.open(Terms::LAST).await;
    stored(&*store, &sample(1, 1).unreadable()).await;
    stored(&*store, &sample(2, 2)).await;
    let all = scanned(&*store, 0, 10).await;
    assert_eq!(all[0].state, State::Quarantined);
    assert_eq!((&all[0].fields, &all[0].rule), (&None, &None));
    assert!(all[1].fields.is_some());
    finish(store).await;
}
