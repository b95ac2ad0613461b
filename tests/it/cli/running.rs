//! Commands that run until they are told to end, and the health check of one.

use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;
use crate::support::remote::Remote;

#[tokio::test]
async fn an_address_that_is_taken_exits_with_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[server]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let workspace = Workspace::new(NOBODY, &[&listen]);
    let refused = output(&workspace, &["serve"]).await;
    exited(&refused, 69);
    assert!(text(&refused.stderr).contains("cannot listen on"));
}

#[tokio::test]
async fn a_started_simulator_prints_settings_that_can_be_used() {
    let nowhere = Workspace::new(NOBODY, &[]);
    let mut command = nowhere.command(&["simulate", "--listen", "127.0.0.1:0"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut settings = String::new();
    while !settings.contains("/control/received") {
        let line = tokio::time::timeout(PATIENCE, lines.next_line());
        let line = line.await.expect("in time").unwrap().expect("it goes on");
        settings = format!("{settings}{line}\n");
    }
    let table: toml::Table = toml::from_str(&settings).expect("it can be pasted");
    let base_url = table["platform"]["base_url"].as_str().unwrap().to_owned();

    let workspace = Workspace::new(NOBODY, &[&settings]);
    std::fs::create_dir(workspace.path("demo")).unwrap();
    std::fs::copy(
        repository("config/demo/demo-client.pem"),
        workspace.path("demo/demo-client.pem"),
    )
    .unwrap();
    let service = Process::serve(&workspace).await;
    let remote = Remote::to(&service);
    let interaction = remote.promoter().await.to_string();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let received = eventually(async || {
        let answer = http
            .get(format!("{base_url}/control/received"))
            .send()
            .await;
        answer.unwrap().text().await.unwrap().contains(&interaction)
    });
    assert!(received.await, "{}", service.log());
    assert!(service.stop().await.success());
    let pid = child.id().expect("it runs").to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(told.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("in time");
    assert_eq!(ended.unwrap().code(), Some(0));
}

#[tokio::test]
async fn the_demo_ends_with_0_and_prints_plain_lines_where_nobody_looks() {
    let workspace = Workspace::new(NOBODY, &[]);
    // It needs no configuration, and disturbs none.
    std::fs::remove_file(workspace.config()).unwrap();
    let shown = output(&workspace, &["demo", "--once"]).await;
    let told = exited(&shown, 0);
    assert!(told.contains("9 of 9 as expected"), "{told}");
    for line in [
        "202 accepted",
        "200 duplicate",
        "401 unauthorized",
        "422 invalid-survey",
        "WU_PROMPT_SUCCESS",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains(['\u{1b}', '\r', '\u{8}']), "{told:?}");
    assert_eq!(text(&shown.stderr), "");
}

#[tokio::test]
async fn the_health_check_says_up_down_or_wrong() {
    let workspace = Workspace::new(NOBODY, &[]);
    let service = Process::serve(&workspace).await;
    let (admin, public) = (service.admin, service.public);
    let listen = format!("[admin]\nlisten = \"{admin}\"\n");
    workspace.configure(NOBODY, &[&listen]);
    let up = output(&workspace, &["healthcheck"]).await;
    assert_eq!(exited(&up, 0), format!("http://{admin}/livez: alive\n"));
    let elsewhere = format!("http://{public}/livez");
    exited(
        &output(&workspace, &["healthcheck", "--url", &elsewhere]).await,
        0,
    );
    let wrong = format!("http://{admin}/nothing-here");
    exited(
        &output(&workspace, &["healthcheck", "--url", &wrong]).await,
        1,
    );
    // It asks although somebody is editing the file.
    std::fs::write(
        workspace.config(),
        format!("{listen}[platform]\nnonsense = 1\n"),
    )
    .unwrap();
    exited(&output(&workspace, &["healthcheck"]).await, 0);
    assert!(service.stop().await.success());
    exited(&output(&workspace, &["healthcheck"]).await, 69);
}
