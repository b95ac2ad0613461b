//! The book is loaded, kept, asked for early and never swapped for a worse one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;

use super::*;
use crate::ids::{DeliveryId, InteractionId};
use crate::lifecycle::Lifecycle;
use crate::platform::{Assignment, Code, Outcome, Preview, Report, TokenFailure};
use crate::store::{
    Census, Error, LeaseAnswer, LeaseAsk, NewDelivery, Receipt, Record, Refund, Scanned, Settled,
    Settlement,
};

/// Gives the lists it was told, in turn, each after a second; then the last one for ever.
#[derive(Debug, Default)]
struct Lists {
    next: Mutex<VecDeque<Option<&'static str>>>,
    loads: Mutex<Vec<Instant>>,
    at_once: AtomicUsize,
}

impl Lists {
    fn count(&self) -> usize {
        self.loads.lock().unwrap().len()
    }
}

#[async_trait]
impl Platform for Lists {
    async fn load_codes(&self) -> Result<Vec<Code>, Failure> {
        assert_eq!(
            self.at_once.fetch_add(1, Ordering::SeqCst),
            0,
            "two loads at once"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.loads.lock().unwrap().push(Instant::now());
        let mut lists = self.next.lock().unwrap();
        let list = if lists.len() > 1 {
            lists.pop_front()
        } else {
            lists.front().copied()
        };
        drop(lists);
        match list.flatten() {
            Some(id) => Ok(vec![Code {
                name: CodeName::from("A"),
                id: CodeId::from(id),
            }]),
            None => Err(down()),
        }
    }

    async fn probe(&self) -> Result<(), Failure> {
        Err(down())
    }

    async fn renew_token(&self) -> Result<(), TokenFailure> {
        Ok(())
    }

    async fn assign(&self, _: &Assignment) -> Report {
        Report {
            outcome: Outcome::AlreadyAssigned,
            wrote: false,
        }
    }

    async fn preview(&self, _: &Assignment) -> Result<Preview, Failure> {
        Err(down())
    }

    fn settles_within(&self) -> Duration {
        Duration::ZERO
    }
}

fn down() -> Failure {
    Failure::Unavailable {
        status: Some(503),
        detail: "down".to_owned(),
    }
}

/// Keeps code books and nothing else.
#[derive(Debug, Default)]
struct Shelf(Mutex<Option<SavedCodes>>);

fn no<T>() -> Result<T, Error> {
    Err(Error::Unavailable("only code books here".to_owned()))
}

#[async_trait]
impl Store for Shelf {
    async fn save_codes(&self, codes: SavedCodes) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(codes);
        Ok(())
    }
    async fn saved_codes(&self) -> Result<Option<SavedCodes>, Error> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn accept(&self, _: Vec<NewDelivery>) -> Result<Vec<Receipt>, Error> {
        no()
    }
    async fn lease(&self, _: LeaseAsk) -> Result<LeaseAnswer, Error> {
        no()
    }
    async fn settle(&self, _: Settlement) -> Result<Settled, Error> {
        no()
    }
    async fn pull_in(&self, _: UnixMs, _: UnixMs) -> Result<u64, Error> {
        no()
    }
    async fn refund(&self, _: Vec<Refund>, _: UnixMs) -> Result<u64, Error> {
        no()
    }
    async fn last_written(&self, _: InteractionId) -> Result<Vec<CodeId>, Error> {
        no()
    }
    async fn fields(&self, _: i64) -> Result<Option<String>, Error> {
        no()
    }
    async fn find(&self, _: DeliveryId) -> Result<Option<Record>, Error> {
        no()
    }
    async fn list(&self, _: i64, _: usize) -> Result<Vec<Record>, Error> {
        no()
    }
    async fn scan(&self, _: UnixMs, _: i64, _: usize) -> Result<Scanned, Error> {
        no()
    }
    async fn census(&self) -> Result<Census, Error> {
        no()
    }
    async fn save_pause(&self, _: Option<UnixMs>) -> Result<(), Error> {
        no()
    }
    async fn saved_pause(&self) -> Result<Option<UnixMs>, Error> {
        no()
    }
    async fn purge(&self, _: UnixMs, _: UnixMs) -> Result<bool, Error> {
        no()
    }
    fn health(&self) -> Result<(), String> {
        Ok(())
    }
    async fn close(&self) {}
}

struct Bench {
    lists: Arc<Lists>,
    shelf: Arc<Shelf>,
    codes: Codes,
    lifecycle: Lifecycle,
    registry: Registry,
}

fn bench(lists: &[Option<&'static str>]) -> Bench {
    let platform = Arc::new(Lists {
        next: Mutex::new(lists.iter().copied().collect()),
        ..Lists::default()
    });
    let shelf = Arc::new(Shelf::default());
    let registry = Registry::new();
    let codes = Codes::new(
        Config {
            refresh_every: Duration::from_mins(5),
            page_size: 25,
        },
        Arc::<Lists>::clone(&platform),
        Arc::<Shelf>::clone(&shelf),
        Clock::system(),
        &registry,
    );
    Bench {
        lists: platform,
        shelf,
        codes,
        lifecycle: Lifecycle::new(),
        registry,
    }
}

impl Bench {
    /// Runs the refresher for `span` of virtual time and answers what the observer heard: whether each load was good.
    async fn run_for(&self, span: Duration) -> Vec<bool> {
        let heard: Arc<Mutex<Vec<bool>>> = Arc::default();
        let ear = Arc::clone(&heard);
        let run = self
            .codes
            .clone()
            .run(self.lifecycle.clone(), move |loaded| {
                ear.lock().unwrap().push(loaded.is_ok());
            });
        let stop = async {
            tokio::time::sleep(span).await;
            self.lifecycle.draining.cancel();
        };
        tokio::join!(run, stop);
        std::mem::take(&mut *heard.lock().unwrap())
    }

    fn id(&self) -> Option<String> {
        let id = self.codes.get(&CodeName::from("A"))?;
        Some(id.to_string())
    }
}

#[tokio::test(start_paused = true)]
async fn it_loads_at_start_and_again_within_the_jitter() {
    let bench = bench(&[Some("1"), Some("2")]);
    assert_eq!(bench.run_for(Duration::from_secs(335)).await, [true, true]);
    assert_eq!(bench.id().unwrap(), "2");
    let loads = bench.lists.loads.lock().unwrap().clone();
    let between = (loads[1] - loads[0]).as_secs_f64();
    assert!((270.0..=332.0).contains(&between), "{between}");
    bench.codes.refresh_metrics();
    let metrics = bench.registry.render();
    assert!(metrics.contains("wrapup_codes 1\n"));
    assert!(metrics.contains("wrapup_codes_refresh_total{outcome=\"ok\"} 2"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_load_keeps_the_last_book_and_is_tried_ever_less_often() {
    let bench = bench(&[Some("1"), None]);
    bench.run_for(Duration::from_mins(10)).await;
    assert_eq!(bench.id().unwrap(), "1");
    assert_eq!(bench.codes.last_failure(), Some(down()));
    let loads = bench.lists.loads.lock().unwrap().clone();
    let waits: Vec<u64> = loads[1..]
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs() - 1)
        .collect();
    assert_eq!(waits[..7], [1, 2, 4, 8, 16, 30, 30]);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_book_outlives_a_restart() {
    let before = bench(&[Some("1")]);
    before.run_for(Duration::from_secs(2)).await;
    let kept = before.shelf.0.lock().unwrap().clone();
    assert!(kept.is_some());

    let after = bench(&[None]);
    *after.shelf.0.lock().unwrap() = kept;
    assert_eq!(after.codes.book(), None);
    after.codes.restore().await;
    after.run_for(Duration::from_secs(5)).await;
    assert_eq!(after.id().unwrap(), "1");
    assert_eq!(after.codes.book().unwrap().from, Origin::Store);
}

#[tokio::test(start_paused = true)]
async fn a_request_brings_the_next_load_forward_but_not_within_30_s() {
    let bench = bench(&[Some("1"), Some("2")]);
    let start = Instant::now();
    let asking = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        bench.codes.request_refresh();
        bench.codes.request_refresh();
    };
    let (heard, ()) = tokio::join!(bench.run_for(Duration::from_mins(2)), asking);
    assert_eq!(heard, [true, true]);
    let second = bench.lists.loads.lock().unwrap()[1] - start;
    assert_eq!(second.as_secs(), 32, "1 s load, 30 s apart, 1 s load");
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_now_share_one_load_every_30_s() {
    let bench = bench(&[Some("1"), Some("2")]);
    let ask = || join_all((0..32).map(|_| bench.codes.refresh_now()));
    for loaded in ask().await {
        assert_eq!(
            loaded.unwrap().get(&CodeName::from("A")).unwrap().as_str(),
            "1"
        );
    }
    assert!(ask().await.iter().all(Result::is_ok));
    assert_eq!(bench.lists.count(), 1);
    tokio::time::advance(ASKED_LOADS_APART).await;
    assert!(ask().await.iter().all(Result::is_ok));
    assert_eq!(bench.lists.count(), 2);
    assert_eq!(bench.id().unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn who_asks_now_is_not_put_off_with_a_load_that_came_by_itself() {
    let bench = bench(&[Some("1"), Some("2"), Some("3")]);
    bench.run_for(Duration::from_secs(5)).await;
    assert_eq!(bench.id().unwrap(), "1");
    assert!(bench.codes.refresh_now().await.is_ok());
    assert_eq!(bench.id().unwrap(), "2");
    assert!(bench.codes.refresh_now().await.is_ok());
    assert_eq!(bench.id().unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn who_asks_now_hears_of_the_failure() {
    let bench = bench(&[None]);
    let asked = join_all((0..4).map(|_| bench.codes.refresh_now())).await;
    assert!(asked.iter().all(|loaded| *loaded == Err(down())));
    assert_eq!(bench.lists.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_was_asked_for_and_failed_is_tried_again_ever_less_often() {
    let bench = bench(&[Some("1"), None, None, None, Some("2")]);
    let asking = async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(bench.codes.refresh_now().await, Err(down()));
    };
    let (_, ()) = tokio::join!(bench.run_for(Duration::from_mins(2)), asking);
    assert_eq!(bench.id().unwrap(), "2");
    let loads = bench.lists.loads.lock().unwrap().clone();
    let waits: Vec<u64> = loads[1..]
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs() - 1)
        .collect();
    assert_eq!(waits, [1, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_was_asked_for_and_took_too_long_is_asked_for_again() {
    let bench = bench(&[Some("1"), Some("2")]);
    let asking = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let flight = bench.codes.0.flight.lock().await;
        assert_eq!(bench.codes.refresh_now().await, Err(Failure::NoSlot));
        drop(flight);
    };
    let (heard, ()) = tokio::join!(bench.run_for(Duration::from_mins(2)), asking);
    assert_eq!(heard, [true, true]);
}
