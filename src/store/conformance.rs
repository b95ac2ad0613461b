//! What every store must do, whatever its database: one suite, run against each.
//!
//! A test takes a [`Bed`], on which stores are opened one after the other as a service would be started again.

pub(crate) mod accept;
pub(crate) mod lease;
pub(crate) mod model;
pub(crate) mod operate;
pub(crate) mod order;
pub(crate) mod repeat;
pub(crate) mod scan;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::operate::Operate;
use super::{
    Content, Decided, DecisionRecord, DedupKey, Entry, Error, LeaseAnswer, LeaseAsk, Leased,
    NewDelivery, Next, Receipt, Record, Repeat, Settled, Settlement, State, Store,
};
use crate::clock::UnixMs;
use crate::ids::{CodeId, DeliveryId, EventId, InteractionId, RuleName};

/// Where stores are opened. What one stored, the next finds.
#[async_trait]
pub(crate) trait Bed: Send + Sync {
    async fn operate(&self, terms: Terms) -> Arc<dyn Operate>;

    async fn open(&self, terms: Terms) -> Arc<dyn Store> {
        self.operate(terms).await
    }
}

/// For how long a write may take effect, as each bed opens its store.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// What a test opens a store with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) repeat: Repeat,
    pub(crate) max_pending: u64,
    pub(crate) max_quarantined: u64,
}

impl Terms {
    pub(crate) const LAST: Self = Self {
        repeat: Repeat::Last,
        max_pending: 1_000,
        max_quarantined: 100,
    };
    pub(crate) const FIRST: Self = Self {
        repeat: Repeat::First,
        ..Self::LAST
    };
}

/// Makes a test of each claim of the suite; `$bed` makes a fresh bed.
macro_rules! conformance {
    ($bed:expr; $($module:ident: $($claim:ident)*;)*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                $crate::store::conformance::$module::$claim(&$bed).await;
            }
        )*)*
    };
    ($bed:expr) => {
        $crate::store::conformance::conformance! { $bed;
            accept:
                a_survey_is_stored_and_found
                a_survey_that_comes_again_is_told_its_first_id
                either_key_makes_a_duplicate_that_inserts_nothing
                duplicates_within_one_request_are_found
                many_at_once_with_one_key_store_one
                a_request_is_stored_whole_or_not_at_all
                a_full_store_takes_what_does_not_add_to_the_backlog
                keys_outlive_deliveries_and_are_forgotten_in_the_end;
            repeat:
                an_unreadable_survey_is_kept_once
                a_quarantined_row_becomes_the_delivery
                a_quarantined_survey_holds_nothing_against_a_readable_one
                an_unreadable_copy_of_an_accepted_survey_is_a_duplicate
                a_replay_of_resolved_bytes_under_another_id_is_a_duplicate
                the_quarantine_has_a_limit
                a_purged_quarantine_counts_for_nothing;
            order:
                under_last_the_newest_supersedes_what_waits
                under_last_a_leased_one_finishes_and_the_newest_waits
                under_last_a_retry_gives_way_to_a_later_one
                under_last_an_unclear_write_delays_the_next_which_then_looks
                under_last_a_pending_one_leaves_its_unclear_write_to_the_next
                a_write_that_may_land_yet_delays_whoever_comes_after_the_end
                under_last_a_dead_one_lets_the_next_go
                under_first_the_others_wait_and_give_way_to_the_assigned
                under_first_a_dead_one_is_followed_by_the_next
                under_first_a_late_one_is_superseded_at_once
                what_is_ignored_or_quarantined_has_no_place_in_the_order
                another_rule_of_repetition_holds_after_a_start;
            lease:
                what_is_due_longest_is_leased_first
                the_newest_can_be_leased_first
                a_stale_fence_changes_nothing_but_the_story
                a_lease_given_back_leaves_no_trace
                a_lease_that_nobody_took_is_given_back
                a_start_voids_leases_and_asks_for_a_look
                a_refund_gives_progress_back_but_not_a_write
                what_is_due_too_far_ahead_is_pulled_in
                the_code_written_last_is_ours_and_a_found_one_is_not
                a_leased_deliverys_fields_can_be_read
                codes_and_pauses_are_remembered
                nothing_is_done_after_the_end;
            operate:
                a_survey_that_can_be_read_now_becomes_its_delivery_and_keeps_its_number
                what_still_cannot_be_read_keeps_its_row_with_its_new_problems
                a_resolved_survey_goes_before_earlier_and_behind_later_ones
                a_resolved_survey_waits_for_one_that_is_leased
                force_puts_a_resolved_survey_before_later_ones
                under_first_a_resolved_survey_gives_way_to_the_assigned_only
                what_the_sender_repeated_meanwhile_is_left_alone
                one_survey_is_resolved_once_whoever_comes_first
                a_survey_that_was_accepted_under_another_id_is_its_duplicate
                a_key_that_is_found_only_now_is_remembered
                a_rehearsal_changes_nothing
                what_is_resolved_or_redriven_keeps_to_max_pending
                a_dead_delivery_is_tried_again_and_forgets_all_but_its_writes
                a_redriven_delivery_keeps_its_place_in_the_order
                only_the_dead_are_redriven_unless_forced
                an_erased_delivery_leaves_its_keys_and_nothing_else
                what_is_on_its_way_is_not_erased_by_accident
                what_an_erased_delivery_wrote_is_looked_at_by_the_next
                pages_hold_what_the_filter_means_and_end
                quarantined_surveys_are_handed_out_as_they_came;
            scan:
                a_scan_hands_out_each_survey_once_with_what_was_decided
                a_scan_begins_at_its_moment_though_the_clock_was_stepped
                a_scan_tells_surveys_without_fields_apart;
            model:
                under_last_every_history_follows_the_model
                under_first_every_history_follows_the_model;
        }
    };
}
pub(crate) use conformance;

/// A readable survey, with what a test wants to differ.
#[derive(Clone, Debug)]
struct Sample {
    interaction: u128,
    at: i64,
    keys: Vec<u8>,
    content: u8,
    ignored: bool,
    readable: bool,
}

/// About the interaction `interaction`, under the key `key`.
fn sample(interaction: u128, key: u8) -> Sample {
    Sample {
        interaction,
        at: 1_000,
        keys: vec![key],
        content: key,
        ignored: false,
        readable: true,
    }
}

impl Sample {
    fn at(self, at: i64) -> Self {
        Self { at, ..self }
    }

    fn keys(self, keys: &[u8]) -> Self {
        Self {
            keys: keys.to_vec(),
            ..self
        }
    }

    fn content(self, content: u8) -> Self {
        Self { content, ..self }
    }

    fn ignored(self) -> Self {
        Self {
            ignored: true,
            ..self
        }
    }

    fn unreadable(self) -> Self {
        Self {
            readable: false,
            ..self
        }
    }

    fn delivery(&self) -> NewDelivery {
        let content = if self.readable {
            Content::Readable {
                interaction: interaction(self.interaction),
                fields: r#"{"nps_score":9}"#.to_owned(),
                decision: DecisionRecord {
                    rule: Some("promoter".into()),
                    code: (!self.ignored).then(|| "WU_PROMPT_SUCCESS".into()),
                    rules_hash: "abc".into(),
                    rules: ["detractor", "promoter"].map(RuleName::from).into(),
                    failures: vec![("detractor".into(), "nps_score is missing".to_owned())],
                },
            }
        } else {
            Content::Unreadable {
                problems: r#"[{"field":"nps_score"}]"#.to_owned(),
            }
        };
        NewDelivery {
            id: DeliveryId::generate(),
            source: "generic".into(),
            accepted_at: UnixMs(self.at),
            keys: self.keys.iter().map(|key| DedupKey([*key; 32])).collect(),
            content_key: DedupKey([self.content; 32]),
            body: Bytes::from_static(b"\xff not utf-8"),
            content,
        }
    }
}

fn interaction(number: u128) -> InteractionId {
    InteractionId(Uuid::from_u128(number))
}

async fn accept(store: &dyn Store, sample: &Sample) -> Receipt {
    let receipts = store.accept(vec![sample.delivery()]).await.unwrap();
    receipts[0]
}

/// Stores it, which must be new.
async fn stored(store: &dyn Store, sample: &Sample) -> DeliveryId {
    match accept(store, sample).await {
        Receipt::Stored(id) => id,
        other => panic!("it was there already: {other:?}"),
    }
}

async fn duplicate(store: &dyn Store, sample: &Sample) -> DeliveryId {
    match accept(store, sample).await {
        Receipt::Duplicate(id) => id,
        other => panic!("{other:?}"),
    }
}

/// It is unreadable, and kept as that already.
async fn still_quarantined(store: &dyn Store, sample: &Sample) -> DeliveryId {
    match accept(store, sample).await {
        Receipt::StillQuarantined(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn lease_at(store: &dyn Store, now: i64, limit: usize) -> LeaseAnswer {
    let ask = LeaseAsk {
        due_by: UnixMs(now),
        now: UnixMs(now),
        limit,
        newest_first: false,
    };
    store.lease(ask).await.unwrap()
}

/// Leases the one that is due.
async fn lease_one(store: &dyn Store, now: i64) -> Leased {
    let mut answer = lease_at(store, now, 10).await;
    assert_eq!(answer.leased.len(), 1, "{answer:?}");
    answer.leased.remove(0)
}

fn settlement(leased: &Leased, at: i64, next: Next) -> Settlement {
    Settlement {
        seq: leased.seq,
        interaction: leased.interaction,
        fence: leased.fence,
        at: UnixMs(at),
        next,
        progress: leased.progress.clone(),
        entry: Some(Entry {
            at: UnixMs(at),
            verdict: "settled".to_owned(),
            status: Some(200),
            detail: String::new(),
        }),
        sibling_waits_until: None,
    }
}

async fn settle(store: &dyn Store, leased: &Leased, at: i64, next: Next) -> Settled {
    store.settle(settlement(leased, at, next)).await.unwrap()
}

fn assigned() -> Next {
    Next::Assigned {
        event: Some(EventId::from("event-1")),
        code_id: CodeId::from("code-1"),
        replaced: None,
    }
}

fn dead() -> Next {
    Next::Dead {
        class: super::DeadClass::Rejected,
        reason: "no such interaction".to_owned(),
    }
}

async fn record(store: &dyn Store, id: DeliveryId) -> Record {
    store.find(id).await.unwrap().expect("it is stored")
}

async fn state(store: &dyn Store, id: DeliveryId) -> State {
    record(store, id).await.state
}

fn verdicts(record: &Record) -> Vec<&str> {
    record
        .story
        .iter()
        .map(|entry| entry.verdict.as_str())
        .collect()
}

/// The counts that are kept are those that a count would give, and the order of each interaction holds.
async fn check_invariants(store: &dyn Store) {
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(0, |record: &Record| record.seq);
        let more = store.list(after, 1_000).await.unwrap();
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    assert!(all.is_sorted_by(|one, next| one.seq < next.seq));
    let mut counted = [0; 9];
    let mut turns = std::collections::BTreeMap::<_, usize>::new();
    for record in &all {
        let place = State::ALL.iter().position(|it| *it == record.state);
        counted[place.unwrap()] += 1;
        let turn = record.state == State::Leased
            || (record.state == State::Pending && record.due_at.is_some());
        let live = matches!(record.state, State::Pending | State::Leased);
        if live {
            *turns.entry(record.interaction).or_default() += usize::from(turn);
        }
        assert_eq!(live, record.ended_at.is_none(), "{record:?}");
    }
    for (interaction, turns) in turns {
        assert_eq!(turns, 1, "{interaction:?}: one has its turn, and only one");
    }
    assert_eq!(store.census().await.unwrap().states, counted);
}

/// The store, closed in order, with its invariants checked.
async fn finish(store: Arc<dyn Store>) {
    check_invariants(store.as_ref()).await;
    store.health().unwrap();
    store.close().await;
    assert!(matches!(
        store.accept(vec![sample(1, 1).delivery()]).await,
        Err(Error::Unavailable(_))
    ));
}
