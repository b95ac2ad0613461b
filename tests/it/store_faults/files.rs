//! What a start finds: damaged and foreign files, held ones, places that cannot be written; and whose the files are.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A file that a service used and closed.
async fn used(simulator: &Simulator) -> (Workspace, PathBuf) {
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    for _ in 0..50 {
        remote.promoter().await;
    }
    assert!(service.stop().await.success());
    let file = workspace.path("wrapup.db");
    (workspace, file)
}

/// What is stored: the file and its log. An index of the log and a log without anything in it store nothing.
fn bytes_of(file: &Path) -> [Vec<u8>; 2] {
    let log = file.with_extension("db-wal");
    [
        std::fs::read(file).unwrap(),
        std::fs::read(log).unwrap_or_default(),
    ]
}

#[tokio::test]
async fn a_damaged_file_is_told_and_left_as_it_is() {
    let simulator = simulator::unlimited().await;
    let (workspace, file) = used(&simulator).await;
    let sound = std::fs::read(&file).unwrap();
    let page = 2048;
    assert!(sound.len() > 8 * page, "{}", sound.len());
    let mut spoilt: Vec<(String, Vec<u8>)> = Vec::new();
    let mut damaged = sound.clone();
    damaged[..100].fill(b'?');
    spoilt.push(("a garbage header".to_owned(), damaged));
    spoilt.push(("cut in half".to_owned(), sound[..sound.len() / 2].to_vec()));
    spoilt.push(("cut within a page".to_owned(), sound[..page + 100].to_vec()));
    spoilt.push(("less than a header".to_owned(), sound[..10].to_vec()));
    spoilt.push(("another file".to_owned(), b"just some notes\n".repeat(500)));
    for nth in [1, 3, 7] {
        let mut damaged = sound.clone();
        damaged[nth * page..(nth + 1) * page].fill(0xA5);
        spoilt.push((format!("page {nth} overwritten"), damaged));
    }
    for (what, bytes) in spoilt {
        eprintln!("{what}");
        std::fs::write(&file, bytes).unwrap();
        let before = bytes_of(&file);
        let output = output(&workspace, &["serve"]).await;
        assert_exit(&output, 69, "Nothing was changed. Stop wrapup and copy");
        assert!(bytes_of(&file) == before, "{what}: it was changed");
    }
    std::fs::write(&file, sound).unwrap();
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_damaged_log_loses_nothing_that_is_in_the_file() {
    let simulator = simulator::unlimited().await;
    let (workspace, _) = used(&simulator).await;
    // SQLite's own rule: a log ends at its first frame that is not whole. Garbage is a log without a frame.
    std::fs::write(workspace.path("wrapup.db-wal"), b"garbage".repeat(1000)).unwrap();
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
    assert_eq!(records(&workspace).await.len(), 51);
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_as_it_is() {
    let simulator = simulator::unlimited().await;
    let (workspace, file) = used(&simulator).await;
    let db = Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    db.close().unwrap();
    let before = bytes_of(&file);
    let output = output(&workspace, &["serve"]).await;
    assert_exit(&output, 78, "made by a later version");
    assert!(bytes_of(&file) == before, "it was changed");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[FAST]);
    let file = workspace.path("wrapup.db");
    let db = Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE accounts (x)").unwrap();
    db.close().unwrap();
    let before = bytes_of(&file);
    let output = output(&workspace, &["serve"]).await;
    assert_exit(&output, 69, "a database of another program");
    assert!(bytes_of(&file) == before, "it was changed");
}

#[tokio::test]
async fn a_second_server_gives_up_and_says_who_holds_the_file() {
    let simulator = simulator::unlimited().await;
    let soon = "[store]\nlock_wait = \"200ms\"\n";
    let workspace = Workspace::new(&simulator.base_url(), &[FAST, soon]);
    let first = Process::serve(&workspace).await;
    let output = output(&workspace, &["serve"]).await;
    assert_exit(
        &output,
        69,
        &format!("is in use by another server (pid {} on ", first.pid()),
    );
    Remote::to(&first).promoter().await;
    assert!(first.stop().await.success());
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_told() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    std::fs::create_dir(workspace.path("store")).unwrap();
    let Some(mount) = Mount::read_only(&workspace.path("store")) else {
        return;
    };
    let refused = output(&workspace, &["serve"]).await;
    assert_exit(&refused, 69, "writable for this user");
    drop(mount);
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    assert!(service.stop().await.success());
    // Now there is a file, but it cannot be written.
    let _mount = Mount::read_only(&workspace.path("store"));
    let refused = output(&workspace, &["serve"]).await;
    assert_exit(&refused, 69, "Read-only file system");
}

#[tokio::test]
async fn every_file_of_the_store_is_for_its_owner_alone() {
    let simulator = simulator::unlimited().await;
    let workspace = apart(&simulator, "");
    let service = Process::serve(&workspace).await;
    Remote::to(&service).promoter().await;
    let folder = workspace.path("store");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    let all = [
        "wrapup.db",
        "wrapup.db-shm",
        "wrapup.db-wal",
        "wrapup.db.lock",
    ];
    assert_eq!(names, all);
    assert!(service.stop().await.success());
}
