//! Full disks.

use wrapup::store::State;

use super::*;

#[tokio::test]
async fn a_full_disk_is_told_and_heals_when_there_is_room_again() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let Some(_mount) = Mount::tmpfs(&workspace.path("store"), "4m") else {
        return;
    };
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    // Something else fills the disk, down to the last page, and the store has to notice by itself.
    let ballast = workspace.path("store/ballast");
    fill(&ballast);
    ledger.send_until_refused(&remote, 20_000).await;
    remote
        .readyz_says(503, "the disk or the quota is full: make room")
        .await;
    let public = remote.get(remote.public, "/readyz").await;
    assert_eq!((public.status, public.body.get("reasons")), (503, None));
    assert_eq!(remote.get(remote.admin, "/livez").await.status, 200);
    let refused = remote
        .metric("wrapup_webhooks_total", "outcome=\"unavailable\"")
        .await;
    assert!(refused > 0.0);
    for _ in 0..20 {
        ledger.send(&remote, 20_000).await;
    }
    std::fs::remove_file(&ballast).unwrap();
    remote.readyz_says(200, "\"ready\"").await;
    for _ in 0..5 {
        assert_eq!(ledger.send(&remote, 10).await.status, 202);
    }
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
    let records = records(&workspace).await;
    assert!(
        records.iter().all(|record| record.state == State::Assigned),
        "{records:#?}"
    );
}

#[tokio::test]
async fn a_store_that_filled_its_disk_itself_goes_on_when_the_disk_grows() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let store = workspace.path("store");
    let Some(_mount) = Mount::tmpfs(&store, "3m") else {
        return;
    };
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send_until_refused(&remote, 100_000).await;
    remote.readyz_says(503, "make room").await;
    let grown = std::process::Command::new("mount")
        .args(["-o", "remount,size=32m"])
        .arg(&store)
        .status();
    assert!(grown.unwrap().success());
    remote.readyz_says(200, "\"ready\"").await;
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn nothing_answered_is_lost_when_the_service_ends_on_a_full_disk() {
    let simulator = simulator::unlimited().await;
    let short = "[server]\nshutdown_grace = \"1s\"\n";
    let workspace = apart(&simulator, short);
    let Some(_mount) = Mount::tmpfs(&workspace.path("store"), "4m") else {
        return;
    };
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    let ballast = workspace.path("store/ballast");
    fill(&ballast);
    ledger.send_until_refused(&remote, 20_000).await;
    assert_eq!(service.stop().await.code(), Some(0));
    std::fs::remove_file(&ballast).unwrap();
    let service = Process::serve(&workspace).await;
    ledger.settle(&Remote::to(&service), &simulator).await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_what_to_do() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let store = workspace.path("store");
    let Some(_mount) = Mount::tmpfs(&store, "4m") else {
        return;
    };
    fill(&store.join("ballast"));
    // Neither a new file nor one that was used.
    assert_exit(&output(&workspace, &["serve"]).await, 69, "make room");
    std::fs::remove_file(store.join("ballast")).unwrap();
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let mut ledger = Ledger::default();
    ledger.send(&remote, 10).await;
    let settled = eventually(async || records(&workspace).await[0].state == State::Assigned);
    assert!(settled.await, "{}", service.log());
    service.kill().await;
    // Nothing has to be put right in the file, so that it can be opened; it still cannot take anything.
    fill(&store.join("ballast"));
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let known = remote.readyz().await;
    assert_eq!(known.status, 503, "from the start: {known:?}");
    assert!(known.body.to_string().contains("make room"), "{known:?}");
    ledger.send_until_refused(&remote, 20_000).await;
    let still = remote.readyz().await;
    assert_eq!(still.status, 503, "{still:?}");
    std::fs::remove_file(store.join("ballast")).unwrap();
    remote.readyz_says(200, "\"ready\"").await;
    ledger.settle(&remote, &simulator).await;
    assert!(service.stop().await.success());
    // No room even for the log's index.
    fill(&store.join("ballast"));
    assert_exit(&output(&workspace, &["serve"]).await, 69, "make room");
}

/// Takes all the room there is.
fn fill(file: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(file).unwrap();
    for size in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
