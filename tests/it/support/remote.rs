//! A service in a child process, as its clients and its operators see it, and the file that it leaves behind.

use std::net::SocketAddr;
use std::process::Output;

use bytes::Bytes;
use uuid::Uuid;
use wrapup::clock::Clock;
use wrapup::config::{Config, Secrets};
use wrapup::metrics::Registry;
use wrapup::store::sqlite::{Role, SqliteStore};
use wrapup::store::{Record, Store};

use super::app::{self, Answer, survey};
use super::process::{Process, SECRET, Workspace};
use super::{PATIENCE, eventually, load};

/// Talks to one service. Each request has a connection of its own, so that none is kept by accident.
pub struct Remote {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    http: reqwest::Client,
}

impl Remote {
    pub fn to(service: &Process) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0);
        Self {
            public: service.public,
            admin: service.admin,
            http: http.build().expect("a client without TLS of its own"),
        }
    }

    /// Posts a body with the right signature, as the source `generic`.
    pub async fn post(&self, body: &str) -> Answer {
        self.post_signed(body, SECRET).await
    }

    pub async fn post_signed(&self, body: &str, secret: &str) -> Answer {
        let signature = load::signature(secret.as_bytes(), body.as_bytes());
        let request = self
            .http
            .post(format!("http://{}/webhooks/generic", self.public))
            .header("content-type", "application/json")
            .header("x-signature", signature)
            .body(Bytes::copy_from_slice(body.as_bytes()));
        app::answer(request).await
    }

    /// A promoter's survey about a new interaction, accepted.
    pub async fn promoter(&self) -> Uuid {
        let interaction = Uuid::new_v4();
        let answer = self.post(&survey(interaction, 10, 5)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        interaction
    }

    pub async fn readyz(&self) -> Answer {
        self.get(self.admin, "/readyz").await
    }

    pub async fn get(&self, at: SocketAddr, path: &str) -> Answer {
        app::answer(self.http.get(format!("http://{at}{path}"))).await
    }

    /// Waits until `/readyz` of the operators answers the status with a reason that holds the text.
    pub async fn readyz_says(&self, status: u16, text: &str) {
        let mut last = None;
        let said = eventually(async || {
            let answer = self.readyz().await;
            let said = answer.status == status && answer.body.to_string().contains(text);
            last = Some(answer);
            said
        });
        assert!(
            said.await,
            "{status} {text:?} not within {PATIENCE:?}: {last:#?}"
        );
    }

    /// Waits until nothing listens for webhooks any more.
    pub async fn closes(&self) {
        let closed =
            eventually(async || tokio::net::TcpStream::connect(self.public).await.is_err());
        assert!(closed.await, "the listener is open after {PATIENCE:?}");
    }

    /// The sum of a metric's samples whose labels hold all of `labels`.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let request = self.http.get(format!("http://{}/metrics", self.admin));
        let text = request
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("text");
        let matching = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
        });
        matching
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

/// Everything in the store's file, read beside whoever else has it open.
pub async fn records(workspace: &Workspace) -> Vec<Record> {
    let config = configuration(workspace);
    let (clock, registry) = (Clock::system(), Registry::new());
    let opening = SqliteStore::open(
        config.store,
        config.delivery.repeat,
        Role::Tool,
        &clock,
        &registry,
    );
    let store = opening.await.expect("a tool can open the file");
    let records = store.list(0, 1_000).await.expect("a tool can read");
    store.close().await;
    records
}

fn configuration(workspace: &Workspace) -> Config {
    let variables = std::iter::empty();
    wrapup::config::load(&workspace.config(), variables, Secrets::Needed)
        .expect("the test's configuration")
        .config
}

/// Runs a command of the binary to its end.
pub async fn output(workspace: &Workspace, arguments: &[&str]) -> Output {
    let running = workspace.command(arguments).output();
    tokio::time::timeout(PATIENCE, running)
        .await
        .expect("it ends in time")
        .expect("it starts")
}

/// What a command wrote, as text.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("commands write UTF-8")
}
