//! Random histories, against a model that says in the plainest way what should be.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Histories for each way of repetition.
const CASES: u32 = 24;

#[derive(Clone, Copy, Debug)]
enum Step {
    Accept {
        about: u128,
        ignored: bool,
        again: bool,
    },
    Lease {
        limit: usize,
    },
    /// Settles one of those that were leased at some time, as `end` says.
    Settle {
        which: usize,
        end: End,
    },
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Due,
    Assigned,
    Kept,
    Dead,
    Shadowed,
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        Just(End::Due),
        Just(End::Assigned),
        Just(End::Kept),
        Just(End::Dead),
        Just(End::Shadowed)
    ];
    prop_oneof![
        8 => (0_u128..3, prop::bool::weighted(0.1), prop::bool::weighted(0.2))
            .prop_map(|(about, ignored, again)| Step::Accept { about, ignored, again }),
        4 => (1_usize..4).prop_map(|limit| Step::Lease { limit }),
        6 => (0_usize..8, end).prop_map(|(which, end)| Step::Settle { which, end }),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Debug)]
struct Row {
    about: u128,
    state: State,
    fence: i64,
}

/// Rows by number of acceptance.
#[derive(Debug)]
struct Model {
    repeat: Repeat,
    rows: BTreeMap<i64, Row>,
}

impl Model {
    fn live(&self, about: u128) -> Vec<i64> {
        let live = |row: &Row| matches!(row.state, State::Pending | State::Leased);
        let mine = self
            .rows
            .iter()
            .filter(|(_, row)| row.about == about && live(row));
        mine.map(|(seq, _)| *seq).collect()
    }

    fn supersede_pending(&mut self, about: u128, but: Option<i64>) {
        for seq in self.live(about) {
            let row = self.rows.get_mut(&seq).unwrap();
            if row.state == State::Pending && Some(seq) != but {
                row.state = State::Superseded;
            }
        }
    }

    fn accept(&mut self, seq: i64, about: u128, ignored: bool) {
        let won =
            |row: &Row| row.about == about && matches!(row.state, State::Assigned | State::Kept);
        let state = match self.repeat {
            _ if ignored => State::Ignored,
            Repeat::First if self.rows.values().any(won) => State::Superseded,
            Repeat::First | Repeat::Last => State::Pending,
        };
        if self.repeat == Repeat::Last && !ignored {
            self.supersede_pending(about, None);
        }
        let fence = 0;
        self.rows.insert(
            seq,
            Row {
                about,
                state,
                fence,
            },
        );
    }

    /// Whose turn it is: nobody's while one of the interaction is leased.
    fn has_turn(&self, seq: i64) -> bool {
        let row = &self.rows[&seq];
        let live = self.live(row.about);
        let busy = live.iter().any(|it| self.rows[it].state == State::Leased);
        let turn = match self.repeat {
            Repeat::Last => live.last(),
            Repeat::First => live.first(),
        };
        row.state == State::Pending && !busy && turn == Some(&seq)
    }

    fn settle(&mut self, seq: i64, fence: i64, end: End) -> Settled {
        let row = &self.rows[&seq];
        if row.state != State::Leased || row.fence != fence {
            return Settled::Fenced;
        }
        let about = row.about;
        let later = self.live(about).last() != Some(&seq);
        let gives_way = matches!(end, End::Due) && later && self.repeat == Repeat::Last;
        self.rows.get_mut(&seq).unwrap().state = match end {
            End::Due if gives_way => State::Superseded,
            End::Due => State::Pending,
            End::Assigned => State::Assigned,
            End::Kept => State::Kept,
            End::Dead => State::Dead,
            End::Shadowed => State::Shadowed,
        };
        if self.repeat == Repeat::First && matches!(end, End::Assigned | End::Kept) {
            self.supersede_pending(about, None);
        }
        if gives_way {
            Settled::Superseded
        } else {
            Settled::Done
        }
    }

    fn restart(&mut self) {
        for row in self.rows.values_mut() {
            if row.state == State::Leased {
                row.state = State::Pending;
            }
        }
        if self.repeat == Repeat::Last {
            for about in 0..3 {
                let newest = self.live(about).last().copied();
                self.supersede_pending(about, newest);
            }
        }
    }
}

fn next(end: End) -> Next {
    match end {
        End::Due => Next::Due(UnixMs(1_000)),
        End::Assigned => assigned(),
        End::Kept => Next::Kept {
            found: "other".into(),
        },
        End::Dead => dead(),
        End::Shadowed => Next::Shadowed { code_id: None },
    }
}

async fn compare(store: &dyn Store, model: &Model) {
    let found = store.list(0, 1_000).await.unwrap();
    assert_eq!(found.len(), model.rows.len());
    for record in found {
        let row = &model.rows[&record.seq];
        assert_eq!(record.state, row.state, "{record:?}\n{model:?}");
        if record.state == State::Pending {
            assert_eq!(
                record.due_at.is_some(),
                model.has_turn(record.seq),
                "{record:?}\n{model:?}"
            );
        }
    }
    check_invariants(store).await;
}

async fn follow(bed: &dyn Bed, terms: Terms, steps: &[Step]) {
    let mut store = bed.open(terms).await;
    // One bed serves all histories; each history has its own interactions and sees its own rows.
    store
        .purge(UnixMs(i64::MAX), UnixMs(i64::MAX))
        .await
        .unwrap();
    assert_eq!(store.list(0, 1).await.unwrap().len(), 0);
    let mut model = Model {
        repeat: terms.repeat,
        rows: BTreeMap::new(),
    };
    let mut leases: Vec<Leased> = Vec::new();
    let mut key = 0;
    for step in steps {
        match *step {
            Step::Accept {
                about,
                ignored,
                again,
            } => {
                let repeated = again && key > 0;
                key += u8::from(!repeated);
                let mut sample = sample(about, key);
                sample.ignored = ignored;
                let receipt = accept(&*store, &sample).await;
                assert_eq!(matches!(receipt, Receipt::Duplicate(_)), repeated);
                if !repeated {
                    let seq = record(&*store, receipt.id()).await.seq;
                    assert!(model.rows.keys().all(|known| *known < seq));
                    model.accept(seq, about, ignored);
                }
            }
            Step::Lease { limit } => {
                for leased in lease_at(&*store, i64::MAX / 2, limit).await.leased {
                    assert!(model.has_turn(leased.seq), "{leased:?}\n{model:?}");
                    let row = model.rows.get_mut(&leased.seq).unwrap();
                    assert!(leased.fence > row.fence);
                    (row.state, row.fence) = (State::Leased, leased.fence);
                    leases.push(leased);
                }
            }
            Step::Settle { which, end } => {
                if let Some(leased) = leases.iter().rev().nth(which) {
                    let settled = settle(&*store, leased, 2_000, next(end)).await;
                    assert_eq!(
                        settled,
                        model.settle(leased.seq, leased.fence, end),
                        "{model:?}"
                    );
                }
            }
            Step::Restart => {
                store.close().await;
                store = bed.open(terms).await;
                model.restart();
            }
        }
        compare(&*store, &model).await;
    }
    // Everything comes to its end.
    while let Some(leased) = lease_at(&*store, i64::MAX / 2, 1).await.leased.pop() {
        settle(&*store, &leased, 2_000, dead()).await;
    }
    for leased in leases {
        settle(&*store, &leased, 2_000, dead()).await;
    }
    while let Some(leased) = lease_at(&*store, i64::MAX / 2, 1).await.leased.pop() {
        settle(&*store, &leased, 2_000, dead()).await;
    }
    let states = store.census().await.unwrap().states;
    assert_eq!(states[0] + states[1], 0, "nothing is left behind");
    finish(store).await;
}

fn histories(bed: &dyn Bed, terms: Terms) {
    let strategy = prop::collection::vec(step(), 1..40);
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(CASES)
    };
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        TestRunner::new(config)
            .run(&strategy, |steps| {
                runtime.block_on(follow(bed, terms, &steps));
                Ok(())
            })
            .unwrap();
    });
}

pub(crate) async fn under_last_every_history_follows_the_model(bed: &dyn Bed) {
    histories(bed, Terms::LAST);
}

pub(crate) async fn under_first_every_history_follows_the_model(bed: &dyn Bed) {
    histories(bed, Terms::FIRST);
}
