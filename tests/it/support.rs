//! What the scenarios share: the real service in this process or as a child, the simulator, a load generator.

pub mod app;
#[expect(dead_code, reason = "the load harness uses the rest")]
pub mod load;
pub mod mount;
pub mod process;
pub mod remote;
pub mod simulator;
pub(crate) mod wire;

use std::time::Duration;

use wrapup::simulator::Control;

/// How long a condition may take before the test fails. Far above what anything needs: it is a bound, not a timing.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until the condition holds; false if it does not within [`PATIENCE`].
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .is_ok()
}

/// Waits until so many calls have run into a fault. Where it holds them, they are on the wire until it is removed.
pub async fn on_the_wire(control: &Control, count: u64) {
    let struck = eventually(async || control.stats().faults_struck >= count).await;
    assert!(struck, "{count} calls did not come: {:?}", control.stats());
}
