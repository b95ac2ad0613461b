//! Simulator and service, started together, and one sample played through them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use super::sample::{Sample, Twist};
use crate::clock::Clock;
use crate::config::Secrets;
use crate::intake::{Payload, Source, Stamp};
use crate::service::Service;
use crate::simulator::{
    Api, Control, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_PRIVATE_KEY, Fault, Kind, Operation,
    Received, RetryAfter, Settings, Simulator,
};

/// How long one survey may take; the rate-limited one needs a little more than a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// DEMO ONLY.
const SECRET: &str = "demo-only-survey-secret";

pub(super) struct Stage {
    api: Api,
    pub(super) service: Service,
    pub(super) simulator: Simulator,
    source: Arc<Source>,
    http: reqwest::Client,
    /// Removed at the end.
    folder: tempfile::TempDir,
}

/// What came of a sample.
pub(super) struct Played {
    pub(super) status: u16,
    /// `accepted`, `duplicate` or the slug of a problem's type.
    pub(super) said: String,
    pub(super) rule: Option<String>,
    /// The code that stands on the interaction, and how long it took from the post.
    pub(super) code: Option<(String, Duration)>,
    /// Calls of the platform about it, and how many of them wrote.
    pub(super) writes: usize,
    pub(super) as_expected: bool,
}

impl Stage {
    pub(super) async fn build(api: Api) -> anyhow::Result<Self> {
        let settings = Settings {
            api,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await?;
        let folder =
            tempfile::tempdir().context("a temporary folder is needed for the demo's store")?;
        let config = folder.path().join("wrapup.toml");
        std::fs::write(&config, configuration(api, &simulator.base_url()))?;
        std::fs::write(
            folder.path().join("rules.toml"),
            include_str!("../../../config/rules.toml"),
        )?;
        std::fs::write(folder.path().join("demo-client.pem"), DEMO_PRIVATE_KEY)?;
        let loaded = crate::config::load(&config, std::iter::empty(), Secrets::Needed)?;
        let rules = loaded.config.read_rules()?;
        let source = Arc::clone(loaded.config.sources.first().context("the demo's source")?);
        let service = Service::start(loaded, rules, Clock::system()).await?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        Ok(Self {
            api,
            service,
            simulator,
            source,
            http,
            folder,
        })
    }

    /// Posts a sample, and follows it until its code stands on the interaction.
    pub(super) async fn play(&self, sample: &Sample) -> anyhow::Result<Played> {
        let control = self.simulator.control();
        prepare(&control, sample)?;
        let posted = Instant::now();
        let answer = post(
            &self.http,
            &self.source,
            &format!("http://{}", self.service.public),
            sample,
        )
        .await?;
        let code = match sample.code {
            Some(wanted) => {
                let stands = |control: &Control| {
                    control.assigned(sample.interaction).as_deref() == Some(wanted)
                        && control
                            .received_for(sample.interaction)
                            .iter()
                            .any(Received::applied)
                };
                let came = control.wait_for(stands, PATIENCE).await;
                came.ok().map(|()| (wanted.to_owned(), posted.elapsed()))
            }
            None => None,
        };
        let looks = match self.api {
            Api::Interactions => sample.twist == Twist::AnswerLost,
            Api::Conversations => code.is_some(),
        };
        if looks {
            // The code is the platform's at once; the service finds out by looking.
            self.settled(answer.delivery).await?;
        }
        let writes = control
            .received_for(sample.interaction)
            .iter()
            .filter(|write| write.applied())
            .count();
        let wanted_writes = match sample.twist {
            Twist::Forged | Twist::Unreadable => 0,
            _ => 1,
        };
        let as_expected = answer.status == sample.status
            && code.is_some() == sample.code.is_some()
            && writes == wanted_writes;
        Ok(Played {
            status: answer.status,
            said: answer.said,
            rule: answer.rule,
            code,
            writes,
            as_expected,
        })
    }

    async fn settled(&self, delivery: Option<uuid::Uuid>) -> anyhow::Result<()> {
        let id = crate::ids::DeliveryId(delivery.context("the answer names the delivery")?);
        let ended = async {
            while self
                .service
                .store
                .find(id)
                .await?
                .is_some_and(|record| record.ended_at.is_none())
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .context("the delivery did not end in time")?
    }

    /// Ends everything in order and removes the store.
    pub(super) async fn strike(self) {
        if let Err(why) = self.service.shutdown().await {
            tracing::error!(error = %why, "the demo's service stopped by itself");
        }
        self.simulator.stop().await;
        if let Err(error) = self.folder.close() {
            tracing::warn!(%error, "the demo's folder could not be removed");
        }
    }
}

fn prepare(control: &Control, sample: &Sample) -> anyhow::Result<()> {
    let fault = match sample.twist {
        Twist::RateLimited => Fault::status(429).retry_after(RetryAfter::Seconds(1)),
        Twist::AnswerLost => Fault::of(Kind::Drop).after(),
        _ => return Ok(()),
    };
    control.add_fault(
        fault
            .on(Operation::Assign)
            .about(sample.interaction)
            .times(1),
    )?;
    Ok(())
}

/// What the service answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) said: String,
    pub(super) rule: Option<String>,
    pub(super) code: Option<String>,
    delivery: Option<uuid::Uuid>,
}

/// Signs a sample as its sender would (or, forged, would not) and posts it.
pub(super) async fn post(
    http: &reqwest::Client,
    source: &Source,
    base: &str,
    sample: &Sample,
) -> anyhow::Result<Answer> {
    let id = uuid::Uuid::now_v7().to_string();
    // Forged: the signature is good, but of other bytes.
    let signed = if sample.twist == Twist::Forged {
        "{}"
    } else {
        sample.body.as_str()
    };
    let stamp = Stamp {
        secret: 0,
        private_key: None,
        now: Clock::system().now(),
        id: &id,
    };
    let signed = source.sign(&stamp, Payload::Body(signed.as_bytes()))?;
    let mut request = http
        .post(format!("{base}{}", signed.target))
        .header(http::header::CONTENT_TYPE, signed.content_type);
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    let response = request
        .body(sample.body.clone())
        .send()
        .await
        .map_err(reqwest::Error::without_url)?;
    let status = response.status().as_u16();
    let body: serde_json::Value = response.json().await.map_err(reqwest::Error::without_url)?;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let slug = |urn: String| urn.rsplit(':').next().map(str::to_owned);
    Ok(Answer {
        status,
        said: text("type")
            .and_then(slug)
            .or_else(|| text("status"))
            .unwrap_or_default(),
        rule: text("rule"),
        code: text("wrapUpCode"),
        delivery: body["deliveryId"].as_str().and_then(|id| id.parse().ok()),
    })
}

fn configuration(api: Api, platform: &str) -> String {
    let (api, proof) = match api {
        Api::Interactions => (
            "interactions",
            "private_key = { file = \"demo-client.pem\" }".to_owned(),
        ),
        Api::Conversations => (
            "conversations",
            format!("client_secret = {{ value = \"{DEMO_CLIENT_SECRET}\" }}"),
        ),
    };
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
shutdown_delay = "0s"
[admin]
listen = "127.0.0.1:0"
[platform]
api = "{api}"
base_url = "{platform}"
[platform.auth]
client_id = {{ value = "{DEMO_CLIENT_ID}" }}
{proof}
[store]
url = "sqlite:wrapup.db"
[rules]
file = "rules.toml"
[[source]]
name = "generic"
preset = "hmac-sha256"
secrets = [{{ value = "{SECRET}" }}]
[source.fields]
interaction_id = {{ path = "$.interactionId", type = "uuid", required = true }}
csat_score     = {{ path = "$.csat_score", type = "number", default = 0 }}
nps_score      = {{ path = "$.nps_score", type = "number", default = 0 }}
issue_type     = {{ path = "$.issue_type", type = "string", default = "", case = "upper" }}
"#
    )
}
