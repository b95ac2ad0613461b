//! Every preset by the command line alone: configured, listed, signed for, and taken.

use std::fmt::Write as _;

use uuid::Uuid;
use wrapup::intake::preset::{self, Preset};

use crate::support::app::survey;
use crate::support::process::{Process, Workspace};
use crate::support::remote::{output, text};
use crate::support::simulator;

/// A pair of keys. DEMO ONLY.
const PUBLIC: &str = "whpk_6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const PRIVATE: &str = "whsk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn configuration() -> String {
    let mut text = "[server]\npublic_url = \"https://surveys.example.com\"\n".to_owned();
    for (name, preset) in preset::all() {
        let secret = match preset.verify.algorithm.as_deref() {
            Some("ed25519") => PUBLIC,
            _ => "ZGVtby1vbmx5",
        };
        write!(
            text,
            "[[source]]\nname = \"{name}\"\npreset = \"{name}\"\nsecrets = [{{ value = \"{secret}\" }}]\n\
             [source.fields]\n\
             interaction_id = {{ path = \"$.interactionId\", type = \"uuid\", required = true }}\n\
             csat_score = {{ path = \"$.csat_score\", type = \"number\", default = 0 }}\n\
             nps_score = {{ path = \"$.nps_score\", type = \"number\", default = 0 }}\n\
             issue_type = {{ path = \"$.issue_type\", type = \"string\", default = \"\" }}\n"
        )
        .unwrap();
    }
    text
}

fn payload(preset: &Preset) -> String {
    let one = survey(Uuid::new_v4(), 10, 5);
    match preset.items {
        Some(_) => format!("[{one},{}]", survey(Uuid::new_v4(), 3, 1)),
        None => one,
    }
}

#[tokio::test]
async fn what_sign_makes_for_a_preset_is_taken_and_anything_else_is_not() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[&configuration()]);
    let service = Process::serve(&workspace).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (name, preset) in preset::all() {
        let survey = payload(preset);
        let file = workspace.path("survey.json");
        std::fs::write(&file, &survey).unwrap();
        let url = format!("http://{}/webhooks/{name}", service.public);
        let mut command = workspace.command(&["sign", name, file.to_str().unwrap()]);
        command.args(["--json", "--url", &url]);
        let signed = command
            .env("WRAPUP_SIGNING_KEY", PRIVATE)
            .output()
            .await
            .unwrap();
        assert!(signed.status.success(), "{name}: {}", text(&signed.stderr));
        let message: serde_json::Value = serde_json::from_slice(&signed.stdout).unwrap();
        let body = message["body"].as_str().unwrap_or(&survey);
        let send = async |body: String, proved: bool| {
            let mut request = http.post(message["url"].as_str().unwrap());
            for (header, value) in message["headers"].as_object().unwrap() {
                if proved || header == "content-type" {
                    request = request.header(header, value.as_str().unwrap());
                }
            }
            request.body(body).send().await.unwrap()
        };
        let answer = send(body.to_owned(), true).await;
        let status = answer.status().as_u16();
        let told = answer.text().await.unwrap();
        assert_eq!(status, preset.ack.unwrap_or(202), "{name}: {told}");
        let again = send(body.to_owned(), true).await;
        assert_eq!(again.status().as_u16(), 200, "{name}: a duplicate");
        let other = body.replace("csat_score", "csat_scorf");
        if preset.verify.algorithm.as_deref() != Some("token") {
            assert_eq!(send(other, true).await.status().as_u16(), 401, "{name}");
        }
        if preset.body.is_none() {
            let bare = send(body.to_owned(), false).await;
            assert_eq!(bare.status().as_u16(), 401, "{name}");
        }
        let handshake = preset.handshake.unwrap_or_default();
        let tried = http.head(&url).send().await.unwrap().status().as_u16();
        assert_eq!(tried, if handshake { 200 } else { 405 }, "{name}");
    }
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn sources_are_listed_with_their_webhooks_and_presets_even_without_a_configuration() {
    let workspace = Workspace::new("http://127.0.0.1:9", &[&configuration()]);
    let listed = output(&workspace, &["sources"]).await;
    assert!(listed.status.success());
    let out = text(&listed.stdout);
    for expected in [
        "sources\n",
        "webhook    POST https://surveys.example.com/webhooks/typeform\n",
        "presets\n",
        "answers    200; the same to what cannot be read\n",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    let listed = output(&workspace, &["sources", "--json"]).await;
    let all: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let sources = all["sources"].as_array().unwrap();
    assert_eq!(sources.len(), preset::all().count());
    assert_eq!(sources[0]["name"], "delighted");
    assert_eq!(
        sources[0]["verify"]["signature"],
        "header:x-delighted-webhook-signature"
    );
    assert_eq!(all["presets"]["smartsurvey"]["items"], "$[*]");
    assert!(
        !text(&listed.stdout).contains("ZGVtby1vbmx5"),
        "no secret is shown"
    );

    std::fs::write(workspace.config(), "[nonsense]\n").unwrap();
    let listed = output(&workspace, &["sources"]).await;
    assert_eq!(listed.status.code(), Some(78));
    assert!(text(&listed.stdout).starts_with("presets\n"));
    assert!(text(&listed.stderr).contains("nonsense"));
}

#[tokio::test]
async fn without_its_private_key_nothing_is_signed_for_an_ed25519_source() {
    let workspace = Workspace::new("http://127.0.0.1:9", &[&configuration()]);
    let file = workspace.path("survey.json");
    std::fs::write(&file, "{}").unwrap();
    let sign = async |key: Option<&str>| {
        let arguments = ["sign", "standard-webhooks-v1a", file.to_str().unwrap()];
        let mut command = workspace.command(&arguments);
        if let Some(key) = key {
            command.args(["--signing-key", key]);
        }
        let done = command.output().await.unwrap();
        (done.status.code(), text(&done.stderr).to_owned())
    };
    assert_eq!(sign(Some(PRIVATE)).await, (Some(0), String::new()));
    let with_public = format!("{}{}", "07".repeat(32), "00".repeat(32));
    assert_eq!(sign(Some(&with_public)).await.0, Some(0));
    for (key, expected) in [
        (None, "the private key is needed (--signing-key)"),
        (Some("whsk_c2hvcnQ="), "the private key is not understood"),
        (Some(&*"08".repeat(32)), "is not the other half of secret 0"),
    ] {
        let (code, told) = sign(key).await;
        assert_eq!(code, Some(64), "{told}");
        assert!(told.contains(expected), "{told}");
        assert!(key.is_none_or(|key| !told.contains(key)), "{told}");
    }
}
