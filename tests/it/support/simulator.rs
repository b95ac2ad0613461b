//! Simulators as the scenarios want them.

use std::time::Duration;

use wrapup::clock::Clock;
use wrapup::simulator::{Control, Limit, Settings, Simulator};

/// As fast as it goes.
pub async fn unlimited() -> Simulator {
    with(Settings {
        limit: Some(Limit::Off),
        ..Settings::default()
    })
    .await
}

/// A strict sliding window.
pub async fn limited(requests: u32, per: Duration) -> Simulator {
    with(Settings {
        limit: Some(Limit::per(requests, per)),
        ..Settings::default()
    })
    .await
}

/// Unlimited, and on the service's clock, so that tokens stay good when a test steps it.
pub async fn on_clock(clock: &Clock) -> Simulator {
    with(Settings {
        limit: Some(Limit::Off),
        clock: clock.clone(),
        ..Settings::default()
    })
    .await
}

pub async fn with(settings: Settings) -> Simulator {
    Simulator::start(settings)
        .await
        .expect("the simulator starts on a free port")
}

/// Waits until so many assignments took effect.
pub async fn assigned(control: &Control, count: usize, timeout: Duration) {
    let wanted = u64::try_from(count).expect("a count");
    if let Err(error) = control
        .wait_for(|control| control.assigned_count() >= wanted, timeout)
        .await
    {
        panic!("{count} assignments did not come: {error}");
    }
}
