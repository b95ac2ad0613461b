//! Lanes, pauses, patience and pace, in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{advance, timeout};

use super::*;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_hours(1);

fn pacer(requests: u32, per: Duration, slack: Duration) -> Pacer {
    let limit = RateLimit {
        requests,
        per,
        slack,
    };
    Pacer::new(&limit, Clock::system(), None, &Registry::new())
}

/// One slot each 100 ms.
fn ten_a_second() -> Pacer {
    pacer(10, 1000 * MS, Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_saturated_pacer_keeps_its_pace_without_drift() {
    let pacer = pacer(100, 1000 * MS, 50 * MS);
    let start = Instant::now();
    let mut workers = JoinSet::new();
    let taken = Arc::new(AtomicUsize::new(0));
    for _ in 0..8 {
        let (pacer, taken) = (pacer.clone(), Arc::clone(&taken));
        workers.spawn(async move {
            while taken.fetch_add(1, Ordering::Relaxed) < 952 {
                pacer.slot(Lane::Deliveries, LONG).await.unwrap();
            }
        });
    }
    workers.join_all().await;
    let took = start.elapsed();
    assert!(
        took >= 9_995 * MS && took <= 10_002 * MS,
        "952 took {took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_lane_goes_before_deliveries_that_came_earlier() {
    let pacer = ten_a_second();
    let order = Mutex::new(Vec::new());
    let ask = |name: &'static str, lane| {
        let (pacer, order) = (&pacer, &order);
        async move {
            pacer.slot(lane, LONG).await.unwrap();
            order.lock().unwrap().push(name);
        }
    };
    join_all([
        ask("delivery 1", Lane::Deliveries),
        ask("delivery 2", Lane::Deliveries),
        ask("token", Lane::First),
        ask("codes", Lane::First),
    ])
    .await;
    assert_eq!(
        order.into_inner().unwrap(),
        ["token", "codes", "delivery 1", "delivery 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everyone_and_ends_at_the_pace() {
    let pacer = ten_a_second();
    let start = Instant::now();
    let waiting = join_all((0..3).map(|_| async {
        pacer.slot(Lane::Deliveries, LONG).await.unwrap();
        start.elapsed()
    }));
    let pausing = async {
        advance(10 * MS).await;
        pacer.pause_for(2000 * MS).await;
        assert_eq!(pacer.paused(), Some(2000 * MS));
        pacer.pause_for(500 * MS).await;
        assert_eq!(pacer.paused(), Some(2000 * MS), "only ever extended");
    };
    let (starts, ()) = tokio::join!(waiting, pausing);
    for (nth, started) in (0u32..).zip(starts) {
        let due = 2010 * MS + 100 * MS * nth;
        assert!(
            started >= due && started < due + 3 * MS,
            "{nth}: {started:?}"
        );
    }
    assert_eq!(pacer.paused(), None);
}

#[tokio::test(start_paused = true)]
async fn patience_ends_at_once_where_the_estimate_says_so() {
    let pacer = ten_a_second();
    let start = Instant::now();
    assert_eq!(pacer.slot(Lane::Deliveries, 99 * MS).await, Err(NoSlot));
    let others = join_all((0..3).map(|_| pacer.slot(Lane::Deliveries, LONG)));
    let late = async {
        tokio::task::yield_now().await;
        assert_eq!(pacer.slot(Lane::Deliveries, 350 * MS).await, Err(NoSlot));
        assert_eq!(start.elapsed(), Duration::ZERO);
        // The first lane has nobody ahead.
        pacer.slot(Lane::First, 110 * MS).await.unwrap();
    };
    let (others, ()) = tokio::join!(others, late);
    assert!(others.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn patience_ends_when_a_pause_begins_that_exceeds_it() {
    let pacer = ten_a_second();
    pacer.slot(Lane::Deliveries, LONG).await.unwrap();
    let start = Instant::now();
    let (slots, ()) = tokio::join!(
        join_all((0..4).map(|_| pacer.slot(Lane::Deliveries, 1000 * MS))),
        async {
            advance(20 * MS).await;
            pacer.pause_for(1000 * MS).await;
        }
    );
    assert_eq!(slots, [Err(NoSlot); 4]);
    assert!(start.elapsed() < 30 * MS, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_costs_nobody_a_slot() {
    let pacer = ten_a_second();
    let start = Instant::now();
    // The first in line keeps the timer; it gives up before its slot.
    let quitter = timeout(50 * MS, pacer.slot(Lane::Deliveries, LONG));
    let (quit, stayed) = tokio::join!(quitter, pacer.slot(Lane::Deliveries, LONG));
    assert!(quit.is_err());
    stayed.unwrap();
    assert!(start.elapsed() < 103 * MS, "{:?}", start.elapsed());
    assert_eq!(pacer.line().deliveries.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slot_handed_to_one_who_has_gone_is_handed_on() {
    let pacer = ten_a_second();
    let mut gone = Waiter::enrol(&pacer, Lane::Deliveries, Instant::now(), LONG).unwrap();
    let mut next = Waiter::enrol(&pacer, Lane::Deliveries, Instant::now(), LONG).unwrap();
    assert!(matches!(gone.step(), Step::WaitUntil(_)));
    advance(100 * MS).await;
    // The other one's look hands the slot to the first in line, which never looks again.
    assert!(matches!(next.step(), Step::WaitUntil(_)));
    drop(gone);
    assert!(matches!(next.step(), Step::Go));
}

#[tokio::test(start_paused = true)]
async fn room_is_what_others_have_left() {
    let pacer = ten_a_second();
    assert_eq!(pacer.room_within(1000 * MS), 10);
    let waiting: Vec<_> = (0..4)
        .map(|_| Waiter::enrol(&pacer, Lane::Deliveries, Instant::now(), LONG).unwrap())
        .collect();
    assert_eq!(pacer.room_within(1000 * MS), 6);
    pacer.pause_for(2000 * MS).await;
    assert_eq!(pacer.room_within(1000 * MS), 0);
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_heard_when_a_pause_begins_and_when_it_ends() {
    let pacer = ten_a_second();
    let begins = pacer.changed();
    pacer.pause_for(300 * MS).await;
    begins.await;
    assert!(pacer.paused().is_some());
    pacer.changed().await;
    assert_eq!(pacer.paused(), None);
}

#[derive(Debug, Default)]
struct Memory(Mutex<Vec<UnixMs>>);

#[async_trait::async_trait]
impl PauseMemory for Memory {
    async fn remember(&self, until: UnixMs) {
        self.0.lock().unwrap().push(until);
    }
}

#[tokio::test(start_paused = true)]
async fn long_pauses_are_kept_once_and_capped_at_a_day() {
    let (memory, clock) = (Arc::new(Memory::default()), Clock::system());
    let limit = RateLimit {
        requests: 10,
        per: 1000 * MS,
        slack: Duration::ZERO,
    };
    let kept: Arc<dyn PauseMemory> = Arc::<Memory>::clone(&memory);
    let pacer = Pacer::new(&limit, clock.clone(), Some(kept), &Registry::new());
    pacer.pause_for(Duration::from_secs(5)).await;
    assert!(memory.0.lock().unwrap().is_empty(), "too short to matter");
    pacer.pause_for(LONG * 1000).await;
    pacer.pause_for(LONG).await;
    let saved = memory.0.lock().unwrap().clone();
    assert_eq!(saved.len(), 1);
    let left = saved[0].since(clock.now());
    assert!(left <= LONGEST_PAUSE + 1000 * MS && left + 5000 * MS > LONGEST_PAUSE);

    let restarted = Pacer::new(&limit, clock.clone(), None, &Registry::new());
    restarted.resume_from(saved[0]);
    assert!(restarted.paused().unwrap() + 5000 * MS > LONGEST_PAUSE);
    restarted.resume_from(UnixMs(0));
    restarted.refresh();
}

/// Timers tick each millisecond, in virtual time too; one slot for each tick would be 300.
#[tokio::test(start_paused = true)]
async fn a_limit_of_100_000_is_not_held_back_by_timers() {
    let pacer = pacer(100_000, 1000 * MS, 50 * MS);
    let taken = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    let start = Instant::now();
    for _ in 0..32 {
        let (pacer, taken) = (pacer.clone(), Arc::clone(&taken));
        workers.spawn(async move {
            while start.elapsed() < 300 * MS {
                pacer.slot(Lane::Deliveries, LONG).await.unwrap();
                taken.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    workers.join_all().await;
    let taken = taken.load(Ordering::Relaxed);
    // The limit itself allows 28,571 in 0.3 s, and each worker gets one more as it ends.
    assert!((28_000..=28_700).contains(&taken), "{taken} slots in 0.3 s");
}

#[tokio::test(start_paused = true)]
async fn a_closed_pacer_sends_everybody_away_at_once() {
    let pacer = ten_a_second();
    let waiting = tokio::join!(
        pacer.slot(Lane::Deliveries, LONG),
        pacer.slot(Lane::First, LONG),
        async {
            tokio::task::yield_now().await;
            pacer.close();
        }
    );
    assert_eq!((waiting.0, waiting.1), (Err(NoSlot), Err(NoSlot)));
    assert_eq!(pacer.slot(Lane::First, LONG).await, Err(NoSlot));
}

#[tokio::test(start_paused = true)]
async fn a_rest_ends_with_the_service() {
    let pacer = ten_a_second();
    assert!(pacer.rest(MS).await);
    let begun = Instant::now();
    let (went_on, ()) = tokio::join!(pacer.rest(LONG), async {
        tokio::task::yield_now().await;
        pacer.close();
    });
    assert!(!went_on && begun.elapsed() < LONG);
}

#[tokio::test(start_paused = true)]
async fn what_headers_say_lowers_the_pace_and_gives_it_back() {
    let pacer = ten_a_second();
    pacer.slot(Lane::First, LONG).await.unwrap();
    let told = |allowed| Told {
        count: Some(1),
        allowed: Some(allowed),
        reset: None,
    };
    pacer.heed(told(2), Instant::now());
    assert_eq!(pacer.spacing(), 500 * MS);
    let asked = Instant::now();
    // Somebody who waits already is let go earlier when the pace comes back.
    let (slot, ()) = tokio::join!(pacer.slot(Lane::First, LONG), async {
        sleep(200 * MS).await;
        pacer.heed(told(50), Instant::now());
    });
    slot.unwrap();
    assert!(asked.elapsed() <= 205 * MS, "{:?}", asked.elapsed());
    assert_eq!(pacer.spacing(), 100 * MS, "never faster than ours");
}

#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_hours_is_one_line_in_the_log() {
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let pacer = ten_a_second();
    pacer.rate_limited(5000 * MS).await;
    for _ in 0..30 {
        pacer.rate_limited(3 * LONG).await;
        advance(MS).await;
    }
    let text = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("pause=3h"), "{text}");
}
