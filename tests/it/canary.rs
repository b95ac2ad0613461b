//! Secrets and answers are never shown: a canary in each of them, the real binary with everything logged, every error
//! path that a test can drive, then a search of all that was written.
//!
//! At `trace` the libraries below us speak as well, which know nothing of what is secret here.

mod commands;
mod proxy;

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use uuid::Uuid;
use wrapup::simulator::{Fault, Kind, Operation, RetryAfter, Settings, Simulator};

use crate::support::process::{Process, Workspace};
use crate::support::wire::Wire;
use crate::support::{PATIENCE, eventually, load, simulator};

const SECRET: &str = "canary-survey-secret";
const ADMIN_TOKEN: &str = "canary-admin-token-0123";
const ACCESS_TOKEN: &str = "canary-access-token";
const ANSWER: &str = "canary-answer";
const CONFIG: &str = r#"
[server]
max_body = "4KiB"
request_timeout = "500ms"
[admin]
token = { file = "admin.token" }
[platform]
request_timeout = "1s"
[platform.rate_limit]
requests = 2000
[[source]]
name = "generic"
preset = "hmac-sha256"
secrets = [{ file = "survey.secret" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
csat_score = { path = "$.csat_score", type = "number", default = 0 }
nps_score = { path = "$.nps_score", type = "number", default = 0 }
issue_type = { path = "$.issue_type", type = "string", default = "", case = "upper" }
[[source]]
name = "tokens"
preset = "token"
path_token = { value = "canary-path-token" }
secrets = [{ value = "canary-header-token" }]
verify.signature = "header:x-token"
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
"#;

/// What must not be found, whatever its case.
struct Needles(Vec<String>);

impl Needles {
    fn new(workspace: &Workspace) -> Self {
        let key = std::fs::read_to_string(workspace.path("client.pem")).unwrap();
        let key = key.lines().filter(|line| !line.starts_with('-'));
        // Tokens of the simulator begin with `sim-`, JWTs with `eyJ` (the beginning of a JSON object in base64).
        let fixed = ["canary", "sim-", "eyJ", "Bearer "].map(str::to_owned);
        Self(key.map(str::to_owned).chain(fixed).collect())
    }

    fn add(&mut self, needle: &str) {
        self.0.push(needle.to_owned());
    }

    fn search(&self, what: &str, text: &str) {
        let found: Vec<_> = text
            .lines()
            .filter(|line| {
                let line = line.to_lowercase();
                (self.0.iter()).any(|needle| line.contains(&needle.to_lowercase()))
            })
            .take(20)
            .collect();
        assert!(found.is_empty(), "{what} shows:\n{}", found.join("\n"));
    }
}

fn workspace(simulator: &Simulator) -> Workspace {
    let workspace = Workspace::new(&simulator.base_url(), &[CONFIG]);
    std::fs::write(workspace.path("survey.secret"), SECRET).unwrap();
    std::fs::write(workspace.path("admin.token"), ADMIN_TOKEN).unwrap();
    workspace
}

fn survey(interaction: impl std::fmt::Display) -> String {
    format!(
        r#"{{"interactionId":"{interaction}","nps_score":10,"csat_score":5,"issue_type":"{ANSWER}"}}"#
    )
}

struct Scene {
    simulator: Simulator,
    service: Process,
    needles: Needles,
    http: reqwest::Client,
}

impl Scene {
    async fn post(&mut self, body: &str) -> u16 {
        let signature = load::signature(SECRET.as_bytes(), body.as_bytes());
        self.needles.add(signature.trim_start_matches("sha256="));
        self.post_with(body, &[("x-signature", &signature)]).await
    }

    async fn post_with(&self, body: &str, headers: &[(&str, &str)]) -> u16 {
        let url = format!("http://{}/webhooks/generic?key=canary", self.service.public);
        let mut request = self.http.post(url).header("authorization", "canary");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        answer.status().as_u16()
    }

    /// Posts a survey and waits until its code is on the interaction, whatever is in the way.
    async fn delivered(&mut self, fault: Fault) {
        let control = self.simulator.control();
        let interaction = Uuid::new_v4();
        control
            .add_fault(fault.about(interaction).times(1))
            .unwrap();
        assert_eq!(self.post(&survey(interaction)).await, 202);
        let there = eventually(async || control.assigned(interaction).is_some()).await;
        assert!(there, "{:#?}", control.calls());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_no_answer_is_ever_logged() {
    let simulator = simulator::unlimited().await;
    let workspace = workspace(&simulator);
    let out = std::fs::File::create(workspace.path("stdout")).unwrap();
    let service = Process::serve_with(&workspace, |command| {
        command.env("RUST_LOG", "trace").stdout(Stdio::from(out))
    });
    let mut scene = Scene {
        needles: Needles::new(&workspace),
        service: service.await,
        simulator,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    };
    good_and_bad_webhooks(&mut scene).await;
    bare_and_broken_requests(&scene).await;
    over_http2(&mut scene).await;
    at_the_admin_listener(&scene).await;
    trouble_with_the_platform(&mut scene).await;
    rotations(&scene, &workspace).await;
    a_token_that_is_refused(&mut scene).await;

    scene.service.signal("TERM").await;
    scene.service.logged("\"message\":\"shut down\"").await;
    let log = scene.service.log();
    assert!(scene.service.ended().await.success());
    assert!(log.contains("\"TRACE\""), "everything is logged");
    scene.needles.search("the log", &log);
    let out = std::fs::read_to_string(workspace.path("stdout")).unwrap();
    scene.needles.search("stdout", &out);
}

async fn good_and_bad_webhooks(scene: &mut Scene) {
    let good = survey(Uuid::new_v4());
    assert_eq!(scene.post(&good).await, 202);
    assert_eq!(scene.post(&good).await, 200);
    let wrong = load::signature(b"canary", good.as_bytes());
    for signature in ["canary", "sha256=canary", &wrong] {
        let headers = [("x-signature", signature), ("x-delivery-id", "canary")];
        assert_eq!(scene.post_with(&good, &headers).await, 401);
    }
    for (body, status) in [
        (survey(ANSWER), 422),
        (survey("x").replace("10", &format!("\"{ANSWER}\"")), 422),
        (format!("[\"{ANSWER}\"]"), 422),
        (format!("{{\"{ANSWER}\":"), 400),
        (format!("{{\"{ANSWER}\" \"{ANSWER}\"}}"), 400),
        (ANSWER.to_owned(), 400),
        (ANSWER.repeat(1000), 413),
    ] {
        assert_eq!(scene.post(&body).await, status, "{body:.60}");
    }
    for (path, token, status) in [
        ("tokens/canary-path-token", "canary-header-token", 202),
        ("tokens/canary-path-token", "canary", 401),
        ("tokens/canary", "canary-header-token", 401),
        ("tokens/canary-path-token/canary", "canary", 404),
        ("generic/canary-path-token", "canary", 404),
    ] {
        let url = format!("http://{}/webhooks/{path}", scene.service.public);
        let request = scene.http.post(url).header("x-token", token);
        let body = survey(Uuid::new_v4());
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
    let kind = [("content-type", "text/canary")];
    assert_eq!(scene.post_with(&good, &kind).await, 415);
}

async fn bare_and_broken_requests(scene: &Scene) {
    for request in [
        "GET /canary/canary?canary HTTP/1.1\r\nhost: canary\r\ncookie: canary\r\n\r\n",
        "CANARY /webhooks/generic HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /webhooks/canary HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        "POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ncontent-length: canary\r\n\r\n",
        "POST /webhooks/generic HTTP/1.1\r\ncanary canary\r\n\r\n",
        "POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\ncanary\r\n",
        "POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{\"canary",
        "canary\r\n\r\n",
    ] {
        let mut wire = Wire::to(scene.service.public).await;
        wire.send(request).await;
        let said = wire.answer().await;
        assert!(said.status >= 400, "{request}: {said:?}");
    }
}

/// A request over HTTP/2 whose header `te` may not be what it is; h2 has an opinion on it at `trace`.
const BAD_TE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
    \0\0\x12\x01\x05\0\0\0\x01\x83\x86\x84\x41\x01a\0\x02te\x07canary!";

/// One whose path is none, which h2 tells at `debug`.
const BAD_PATH: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
    \0\0\x2d\x01\x05\0\0\0\x01\x83\x86\x04&/webhooks/tokens/canary-path-token?x y\x01\x01a";

async fn over_http2(scene: &mut Scene) {
    for bad in [BAD_TE, BAD_PATH] {
        let mut wire = Wire::to(scene.service.public).await;
        wire.send(bad).await;
        // A frame of its stream: the request has been read.
        assert!(wire.says(&[0, 0, 0, 1]).await);
    }
    let socket = TcpStream::connect(scene.service.public).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(connection);
    let body = survey(Uuid::new_v4());
    let right = load::signature(SECRET.as_bytes(), body.as_bytes());
    scene.needles.add(right.trim_start_matches("sha256="));
    for (path, signature, status) in [
        ("/webhooks/generic", right.as_str(), 202),
        ("/webhooks/generic", "canary", 401),
        ("/canary?canary", "canary", 404),
    ] {
        let url = format!("http://{}{path}", scene.service.public);
        let request = http::Request::post(url)
            .header("x-signature", signature)
            .header("x-canary", "canary")
            .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
            .header("cookie", "canary=canary")
            .body(Full::new(Bytes::from(body.clone())))
            .unwrap();
        let answer = tokio::time::timeout(PATIENCE, client.send_request(request)).await;
        let answer = answer.unwrap().unwrap();
        assert_eq!(answer.status(), status);
        answer.into_body().collect().await.unwrap();
    }
}

async fn at_the_admin_listener(scene: &Scene) {
    for (path, status) in [
        ("/", 404),
        ("/api/v1/deliveries?token=canary", 404),
        ("/canary", 404),
        ("/metrics?canary", 200),
        ("/readyz?canary", 200),
    ] {
        let request = scene
            .http
            .get(format!("http://{}{path}", scene.service.admin))
            .bearer_auth(ADMIN_TOKEN)
            .header("cookie", format!("session={ADMIN_TOKEN}"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.unwrap();
        scene.needles.search(path, &text);
    }
}

async fn trouble_with_the_platform(scene: &mut Scene) {
    for status in [401, 403, 500] {
        // The 403 is tried again after a minute, so it is not waited for; neither is what is dead.
        let fault = Fault::status(status).on(Operation::Assign);
        if status == 403 {
            let interaction = Uuid::new_v4();
            let control = scene.simulator.control();
            control.add_fault(fault.about(interaction)).unwrap();
            assert_eq!(scene.post(&survey(interaction)).await, 202);
            let said = eventually(async || !control.received_for(interaction).is_empty());
            assert!(said.await);
        } else {
            scene.delivered(fault).await;
        }
    }
    for kind in [Kind::Drop, Kind::Malformed, Kind::Truncated, Kind::Redirect] {
        scene.delivered(Fault::of(kind).on(Operation::Assign)).await;
    }
    let late = Fault::latency(Duration::from_secs(3)).on(Operation::State);
    scene.delivered(late).await;
    let limited = Fault::status(429).on(Operation::State);
    scene
        .delivered(limited.retry_after(RetryAfter::Seconds(1)))
        .await;
    // A token that is taken from the answer, sent, and said again by a platform that wants to be helpful.
    let control = scene.simulator.control();
    let interaction = Uuid::new_v4();
    let issued = format!(r#"{{"access_token":"{ACCESS_TOKEN}","expires_in":600}}"#);
    let says = format!(r#"{{"message":"Bearer {ACCESS_TOKEN} is none of mine"}}"#);
    let look = |status| Fault::status(status).on(Operation::State);
    for fault in [
        look(401).about(interaction).times(1),
        look(409).about(interaction).body(says),
        Fault::status(200)
            .on(Operation::Token)
            .times(1)
            .body(issued),
    ] {
        control.add_fault(fault).unwrap();
    }
    assert_eq!(scene.post(&survey(interaction)).await, 202);
    scene.service.logged("repeats a secret").await;
    for garbled in [
        format!(r#"{{"access_token":["{ACCESS_TOKEN}"]}}"#),
        format!(r#"{{"access_token":"{ACCESS_TOKEN}\n"}}"#),
        ACCESS_TOKEN.to_owned(),
    ] {
        let token = Fault::status(200).on(Operation::Token).times(1);
        control.add_fault(token.body(garbled)).unwrap();
        control.revoke_tokens();
        let interaction = Uuid::new_v4();
        assert_eq!(scene.post(&survey(interaction)).await, 202);
        let there = eventually(async || control.assigned(interaction).is_some()).await;
        assert!(there, "{}", scene.service.log());
    }
}

async fn rotations(scene: &Scene, workspace: &Workspace) {
    let key = std::fs::read_to_string(workspace.path("client.pem")).unwrap();
    let rules = std::fs::read_to_string(workspace.path("rules.toml")).unwrap();
    // Half of a key, with a canary in it, as a copy that was interrupted leaves it.
    let half = key.split_inclusive('\n').take(9).collect::<String>();
    let write = |name: &str, text: &str| std::fs::write(workspace.path(name), text).unwrap();
    write("client.pem", &format!("{half}canary"));
    write("survey.secret", "\n");
    std::fs::remove_file(workspace.path("admin.token")).unwrap();
    write(
        "rules.toml",
        &rules.replace("nps_score <= 6", "nps_score <=< 6"),
    );
    scene.service.signal("HUP").await;
    for told in [
        "cannot be used",
        "is empty",
        "cannot be read",
        "stay in force",
    ] {
        scene.service.logged(told).await;
    }
    write("client.pem", &key);
    write("survey.secret", "canary-another-survey-secret");
    write("admin.token", "canary-another-admin-token");
    write("rules.toml", &format!("{rules}\n# Another hash."));
    scene.service.signal("HUP").await;
    scene.service.logged("the rules were changed").await;
    scene.service.logged("a secret was rotated").await;
    write("survey.secret", SECRET);
    scene.service.signal("HUP").await;
    let again = async || scene.service.log().matches("a secret was rotated").count() >= 3;
    assert!(eventually(again).await, "{}", scene.service.log());
}

/// Last, because it takes half a minute until it is tried again.
async fn a_token_that_is_refused(scene: &mut Scene) {
    let control = scene.simulator.control();
    let refused = Fault::status(401).on(Operation::Token);
    let says = r#"{"error":"invalid_client","error_description":"not like that"}"#;
    control.add_fault(refused.body(says)).unwrap();
    control.revoke_tokens();
    assert_eq!(scene.post(&survey(Uuid::new_v4())).await, 202);
    let url = format!("http://{}/readyz", scene.service.admin);
    let told = eventually(async || {
        let answer = scene.http.get(&url).send().await.unwrap();
        answer.text().await.unwrap().contains("not like that")
    });
    assert!(told.await, "{}", scene.service.log());
}
