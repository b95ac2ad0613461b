//! The simulator over real HTTP, as a caller meets it.

mod api;
mod control;
mod conversations;
mod faults;
mod token;

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const PATIENCE: Duration = Duration::from_secs(10);

/// A simulator and a caller that holds a token for it.
struct Rig {
    sim: Simulator,
    http: reqwest::Client,
    token: String,
}

impl Rig {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let sim = Simulator::start(settings).await.unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let mut rig = Self {
            sim,
            http,
            token: String::new(),
        };
        rig.token = rig.fresh_token().await;
        rig
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sim.base_url())
    }

    fn claims(&self) -> Value {
        let now = Settings::default().clock.now().as_secs();
        json!({
            "iss": "demo-client", "sub": "demo-client", "aud": self.sim.token_url(),
            "iat": now, "exp": now + 600, "jti": Uuid::new_v4(),
        })
    }

    async fn ask_token(&self, claims: &Value) -> Response {
        let key = EncodingKey::from_rsa_pem(DEMO_PRIVATE_KEY.as_bytes()).unwrap();
        let jwt = jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).unwrap();
        self.post_form(&[("grant_type", GRANT), ("assertion", &jwt)])
            .await
    }

    async fn post_form(&self, form: &[(&str, &str)]) -> Response {
        let request = self.http.post(self.url("/oauth/token")).form(form);
        request.send().await.unwrap()
    }

    async fn fresh_token(&self) -> String {
        let answer: Value = self.ask_token(&self.claims()).await.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Response {
        self.try_get(path).await.unwrap()
    }

    async fn try_get(&self, path: &str) -> reqwest::Result<Response> {
        let request = self.http.get(self.url(path)).bearer_auth(&self.token);
        request.send().await
    }

    fn event(&self, interaction: Uuid, code: &str) -> Value {
        json!({
            "eventType": "wrapup",
            "interactionId": interaction,
            "wrapUpCode": {"id": self.sim.control().code_id(code).unwrap()},
            "wrapUpTime": "2026-01-31T09:30:00.000Z",
        })
    }

    async fn assign(&self, interaction: Uuid, code: &str) -> reqwest::Result<Response> {
        self.post_event(&self.event(interaction, code)).await
    }

    async fn post_event(&self, event: &Value) -> reqwest::Result<Response> {
        let request = self.http.post(self.url("/api/v2/interactions/events"));
        request.bearer_auth(&self.token).json(event).send().await
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self
            .http
            .request(method, self.url(&format!("/control{path}")));
        let answer = request.json(&body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }
}

async fn body(answer: Response) -> Value {
    answer.json().await.unwrap()
}
