//! The platform's limit is never broken: against a strict sliding window, with calls of every kind.

use std::time::Duration;

use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::process::Workspace;
use crate::support::{PATIENCE, simulator};

#[tokio::test]
async fn a_backlog_against_a_strict_window_earns_no_429() {
    const SURVEYS: usize = 30;
    // A wide window: a machine at work may hold a call up by much more than the default slack.
    let simulator = simulator::limited(20, Duration::from_secs(5)).await;
    let control = simulator.control();
    let pace = "[platform.rate_limit]\nrequests = 20\nper = \"5s\"\nslack = \"500ms\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[pace]);
    let app = TestApp::on(simulator, workspace, wrapup::clock::Clock::system()).await;
    for _ in 0..SURVEYS {
        app.promoter(Uuid::new_v4()).await;
    }
    simulator::assigned(&control, SURVEYS, PATIENCE).await;
    let stats = control.stats();
    assert_eq!(stats.limited, 0, "{stats:?}");
    assert!(stats.busiest_window <= 20, "{stats:?}");
    app.finish().await;
}
