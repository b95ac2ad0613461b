//! Deliveries that have ended and are tried again.

use super::*;
use crate::store::Progress;

/// Stores it, leases it and lets it die.
async fn died(store: &dyn Operate, sample: &Sample) -> DeliveryId {
    let id = stored(store, sample).await;
    let leased = lease_one(store, 2_000).await;
    assert_eq!(leased.id, id);
    settle(store, &leased, 2_000, dead()).await;
    id
}

pub(crate) async fn a_dead_delivery_is_tried_again_and_forgets_all_but_its_writes(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let id = stored(&*store, &sample(7, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    let mut unclear = settlement(&leased, 2_000, dead());
    unclear.progress = Progress {
        attempts: 9,
        refusals: 4,
        tries: 3,
        looked_again: true,
        code_unknown_since: Some(UnixMs(5)),
        wrap_up_time: Some(UnixMs(1_900)),
        unclear_write_at: Some(UnixMs(1_900)),
        written: Some(CodeId::from("code-1")),
        ..Progress::default()
    };
    store.settle(unclear).await.unwrap();
    let before = record(&*store, id).await;
    let how = Redrive {
        at: UnixMs(5_000),
        ..USUAL
    };
    assert_eq!(redrive(&*store, id, how).await, LIVE);
    let found = record(&*store, id).await;
    assert_eq!((found.state, found.seq), (State::Pending, before.seq));
    assert_eq!((found.dead_class, &found.reason), (None, &None));
    assert_eq!(verdicts(&found), ["settled", "redriven"]);
    assert_eq!(
        found.story[1].detail,
        "was dead: rejected, no such interaction"
    );
    let leased = lease_one(&*store, 5_000).await;
    let expected = Progress {
        wrap_up_time: Some(UnixMs(1_900)),
        unclear_write_at: Some(UnixMs(1_900)),
        written: Some(CodeId::from("code-1")),
        again_at: Some(UnixMs(5_000)),
        ..Progress::default()
    };
    assert_eq!(leased.progress, expected);
    // What it wrote is ours still.
    let ours = store.last_written(interaction(7)).await.unwrap();
    assert_eq!(ours, [CodeId::from("code-1")]);
    settle(&*store, &leased, 5_000, assigned()).await;
    assert_eq!(state(&*store, id).await, State::Assigned);
    finish(store).await;
}

pub(crate) async fn a_redriven_delivery_keeps_its_place_in_the_order(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let first = died(&*store, &sample(7, 1)).await;
    let second = died(&*store, &sample(7, 2)).await;
    // Both at once: the later of them is what counts.
    let mut seqs = Vec::new();
    for id in [first, second] {
        seqs.push(record(&*store, id).await.seq);
    }
    assert_eq!(store.redrive(seqs, USUAL).await.unwrap(), [LIVE, LIVE]);
    assert_eq!(state(&*store, first).await, State::Superseded);
    let leased = lease_one(&*store, 2_000).await;
    assert_eq!(leased.id, second);
    settle(&*store, &leased, 2_000, assigned()).await;
    // Behind one that was assigned.
    let third = died(&*store, &sample(8, 3)).await;
    let fourth = stored(&*store, &sample(8, 4)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_000, assigned()).await;
    let behind = Fate::Superseded { by: fourth };
    assert_eq!(redrive(&*store, third, USUAL).await, behind);
    let found = record(&*store, third).await;
    assert_eq!(found.state, State::Superseded);
    assert_eq!(verdicts(&found), ["settled", "redriven", "superseded"]);
    finish(store).await;

    let store = bed.operate(Terms::FIRST).await;
    let first = died(&*store, &sample(17, 11)).await;
    let second = stored(&*store, &sample(17, 12)).await;
    assert_eq!(redrive(&*store, first, USUAL).await, LIVE);
    let leased = lease_one(&*store, 3_000).await;
    assert_eq!(leased.id, first, "the first has its turn again");
    settle(&*store, &leased, 3_000, assigned()).await;
    assert_eq!(state(&*store, second).await, State::Superseded);
    finish(store).await;
}

pub(crate) async fn only_the_dead_are_redriven_unless_forced(bed: &dyn Bed) {
    let store = bed.operate(Terms::LAST).await;
    let early = stored(&*store, &sample(7, 1)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_000, assigned()).await;
    let late = stored(&*store, &sample(7, 2)).await;
    let leased = lease_one(&*store, 2_000).await;
    settle(&*store, &leased, 2_000, assigned()).await;
    assert_eq!(redrive(&*store, early, USUAL).await, Fate::Gone);
    assert_eq!(
        redrive(&*store, early, FORCE).await,
        Fate::Live { over: Some(late) }
    );
    let found = record(&*store, early).await;
    assert_eq!((&found.event, found.state), (&None, State::Pending));
    let told = format!("was assigned; forced over {late}");
    assert_eq!(found.story.last().unwrap().detail, told);
    assert_eq!(
        redrive(&*store, early, FORCE).await,
        Fate::Gone,
        "it is live"
    );
    let leased = lease_one(&*store, 2_000).await;
    assert_eq!(leased.id, early);
    assert_eq!(redrive(&*store, early, FORCE).await, Fate::Gone);
    settle(&*store, &leased, 2_000, assigned()).await;
    // What has no code cannot be tried.
    let ignored = stored(&*store, &sample(7, 3).ignored()).await;
    assert_eq!(redrive(&*store, ignored, FORCE).await, Fate::Gone);
    let unreadable = stored(&*store, &sample(0, 4).unreadable()).await;
    assert_eq!(redrive(&*store, unreadable, FORCE).await, Fate::Gone);
    assert_eq!(store.redrive(vec![999], FORCE).await.unwrap(), [Fate::Gone]);
    finish(store).await;
}
