//! The real service in this process, against the simulator, with a clock that tests can step.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;
use wrapup::clock::Clock;
use wrapup::ids::DeliveryId;
use wrapup::service::Service;
use wrapup::simulator::Simulator;
use wrapup::store::{Record, State};

use super::load;
use super::process::{SECRET, Workspace};
use super::{PATIENCE, eventually};

/// Short enough for a test of timeouts, long enough for a busy machine.
pub const SHORT_CALLS: &str = "[platform]\nrequest_timeout = \"2s\"\n";

pub struct TestApp {
    pub simulator: Simulator,
    pub service: Service,
    pub workspace: Workspace,
    pub clock: Clock,
    pub http: reqwest::Client,
}

/// A survey platform's answer as far as tests care.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: serde_json::Value,
}

impl Answer {
    pub fn delivery(&self) -> DeliveryId {
        let id = self.body["deliveryId"]
            .as_str()
            .unwrap_or_else(|| panic!("no deliveryId in {self:?}"));
        DeliveryId(id.parse().expect("a UUID"))
    }
}

impl TestApp {
    /// A service and a simulator of its own, unlimited and on the same clock.
    pub async fn fresh(more: &str) -> Self {
        let clock = Clock::system();
        let simulator = super::simulator::on_clock(&clock).await;
        // The pace of the shipped configuration would only make the suite slow; pacing has tests of its own.
        let pace = "[platform.rate_limit]\nrequests = 2000\n";
        let workspace = Workspace::new(&simulator.base_url(), &[pace, more]);
        Self::on(simulator, workspace, clock).await
    }

    /// The service on a workspace that may have been used before.
    pub async fn on(simulator: Simulator, workspace: Workspace, clock: Clock) -> Self {
        let service = start_service(&workspace, &clock).await;
        Self {
            simulator,
            service,
            workspace,
            clock,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Ends the service and starts it again on the same store and simulator.
    pub async fn restart(self) -> Self {
        self.service.shutdown().await.expect("it ends in order");
        Self::on(self.simulator, self.workspace, self.clock).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.public)
    }

    /// Posts a body with the right signature, as the source `generic`.
    pub async fn post(&self, body: &str) -> Answer {
        self.post_with(body, &[]).await
    }

    pub async fn post_with(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self
            .http
            .post(self.url("/webhooks/generic"))
            .header("content-type", "application/json")
            .header(
                "x-signature",
                load::signature(SECRET.as_bytes(), body.as_bytes()),
            );
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.body(Bytes::copy_from_slice(body.as_bytes()))).await
    }

    /// A survey of a promoter about the interaction, accepted.
    pub async fn promoter(&self, interaction: Uuid) -> DeliveryId {
        self.accepted(&survey(interaction, 10, 5)).await
    }

    pub async fn accepted(&self, body: &str) -> DeliveryId {
        let answer = self.post(body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.delivery()
    }

    pub async fn record(&self, id: DeliveryId) -> Record {
        self.service
            .store
            .find(id)
            .await
            .expect("the store answers")
            .expect("the delivery is stored")
    }

    /// Waits until the delivery is in the state.
    pub async fn reaches(&self, id: DeliveryId, state: State) -> Record {
        self.until(id, |record| record.state == state).await
    }

    /// Waits until the condition holds of the delivery.
    pub async fn until(&self, id: DeliveryId, mut holds: impl FnMut(&Record) -> bool) -> Record {
        let mut last = None;
        let found = eventually(async || {
            let record = self.record(id).await;
            let done = holds(&record);
            last = Some(record);
            done
        })
        .await;
        assert!(found, "not within {PATIENCE:?}; last: {last:#?}");
        last.expect("looked at least once")
    }

    /// Lets wall time jump ahead, so that what waits falls due.
    pub fn skip(&self, by: Duration) {
        self.clock.step_ms(i64::try_from(by.as_millis()).unwrap());
    }

    pub async fn admin(&self, path: &str) -> Answer {
        answer(
            self.http
                .get(format!("http://{}{path}", self.service.admin)),
        )
        .await
    }

    /// The sum of a metric's samples whose labels hold all of `labels`.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self
            .http
            .get(format!("http://{}/metrics", self.service.admin))
            .send()
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        let matching = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
        });
        matching
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Ends the service in order and looks at what it leaves: no task died, nothing is leased, every count is right.
    pub async fn finish(self) {
        let store = std::sync::Arc::clone(&self.service.store);
        let census = store.census().await.expect("the store can be counted");
        let leased_index = State::ALL
            .iter()
            .position(|state| *state == State::Leased)
            .unwrap();
        assert_eq!(self.service.lifecycle.failure(), None);
        let path = self.workspace.path("wrapup.db");
        self.service.shutdown().await.expect("no task died");
        let after = counted(&path);
        assert_eq!(
            after[leased_index], 0,
            "nothing stays leased (before the end: {:?})",
            census.states
        );
    }
}

/// Counts the rows by state in the closed file, beside the store's own bookkeeping.
fn counted(path: &std::path::Path) -> [u64; 9] {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut states = [0; 9];
    let mut query = connection
        .prepare("SELECT state, count(*) FROM delivery GROUP BY state")
        .unwrap();
    let rows = query
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .unwrap();
    for row in rows {
        let (state, count) = row.unwrap();
        states[usize::try_from(state).unwrap()] = u64::try_from(count).unwrap();
    }
    states
}

async fn start_service(workspace: &Workspace, clock: &Clock) -> Service {
    let loaded = wrapup::config::load(
        &workspace.config(),
        std::iter::empty(),
        wrapup::config::Secrets::Needed,
    )
    .expect("the test's configuration");
    let rules = loaded.config.read_rules().expect("the shipped rules");
    Service::start(loaded, rules, clock.clone())
        .await
        .expect("the service starts")
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.expect("a whole answer");
    let body = serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null);
    Answer {
        status,
        headers,
        body,
    }
}

/// A readable survey for the shipped fields.
pub fn survey(interaction: Uuid, nps: i64, csat: i64) -> String {
    format!(
        r#"{{"interactionId":"{interaction}","csat_score":{csat},"nps_score":{nps},"issue_type":"billing"}}"#
    )
}
