//! What a sender of an example posts, and what somebody who does not know its secret could.

use std::path::Path;

use serde_json::Value;

use super::run;
use crate::support::process::{Process, Workspace};

/// A request as the sender of a source would make it.
pub(super) struct Request {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    /// Signed by `wrapup sign`.
    pub(super) async fn signed(workspace: &Workspace, source: &str, payload: &Path) -> Self {
        let message = run(
            workspace,
            &["sign", source, payload.to_str().unwrap(), "--json"],
        )
        .await;
        let url = message["url"].as_str().unwrap();
        let headers = message["headers"].as_object().unwrap();
        let mut headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        if !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Self {
            path: url.splitn(4, '/').nth(3).unwrap().to_owned(),
            headers,
            body: match message["body"].as_str() {
                Some(body) => body.to_owned(),
                None => std::fs::read_to_string(payload).unwrap(),
            },
        }
    }

    /// By somebody who does not know the secret: with another body, or another token where that is all there is.
    pub(super) fn forged(&self, source: &toml::Table) -> Self {
        let signs = source.get("preset").and_then(toml::Value::as_str);
        let (mut path, mut headers, mut body) =
            (self.path.clone(), self.headers.clone(), self.body.clone());
        if signs.is_some_and(|preset| preset != "token") {
            body = body.replace("6f1d0c5e", "6f1d0c5f");
            assert_ne!(body, self.body);
        } else if let Some((_, token)) = headers.iter_mut().find(|it| it.0 != "content-type") {
            // Of base64 the last letters may stand for nothing.
            let middle = token.len() - 8;
            let other = if token.as_bytes()[middle] == b'A' {
                "B"
            } else {
                "A"
            };
            token.replace_range(middle..=middle, other);
        } else {
            path.pop();
            path.push('-');
        }
        Self {
            path,
            headers,
            body,
        }
    }

    pub(super) async fn post(&self, service: &Process) -> (u16, Value) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = http.post(format!("http://{}/{}", service.public, self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.body(self.body.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}
