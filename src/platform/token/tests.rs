//! Through the client, because what counts is what a call makes of it.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::clock::Clock;
use crate::platform::client::{Client, Missed, Success};
use crate::platform::stub::{self, Seen, Stub, json, private_key, with};
use crate::platform::{Api, Config, Failure, Grant, Pacer};
use crate::secret::Secret;

fn client(config: &Config) -> (Client, Pacer) {
    let registry = Registry::new();
    let pacer = stub::pacer(&registry);
    let client = Client::new(config, pacer.clone(), Clock::system(), &registry).unwrap();
    (client, pacer)
}

async fn get(client: &Client, config: &Config, path: &str) -> Result<Success, Missed> {
    let url = format!("{}{path}", config.base_url);
    let patience = Duration::from_secs(2);
    client
        .call("state", Lane::Deliveries, patience, |http| http.get(&url))
        .await
}

/// A token endpoint that gives `answer`, asked by 32 callers at once.
async fn no_token(answer: fn() -> Response) -> (TokenFailure, Pacer) {
    let stub = Stub::start(move |_| async move { answer() }).await;
    let config = stub.config();
    let (client, pacer) = client(&config);
    let calls = join_all((0..32).map(|_| get(&client, &config, "/x"))).await;
    assert_eq!(stub.count("/oauth/token"), 1, "shared by all who waited");
    assert_eq!(stub.count("/x"), 0);
    let missed = calls.into_iter().next().unwrap().unwrap_err();
    assert!(!missed.sent);
    match missed.failure {
        Failure::Token(failure) => (failure, pacer),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_token_says_what_to_check() {
    let (failure, _) = no_token(|| {
        let answer = json(
            401,
            r#"{"error":"invalid_client","error_description":"bad key"}"#,
        );
        with(answer, "date", "Sat, 31 Jan 2015 09:30:00 GMT")
    })
    .await;
    let TokenFailure::Refused { status, detail } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(status, Some(401));
    for part in [
        "bad key (invalid_client)",
        "private key",
        "`aud`",
        "ahead of the platform's",
    ] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[tokio::test]
async fn a_token_without_the_write_scope_is_refused() {
    let (failure, _) =
        no_token(|| json(200, r#"{"access_token":"t","scope":"interaction:view"}"#)).await;
    assert!(
        matches!(failure, TokenFailure::Refused { detail, .. } if detail.contains("`interaction:write`"))
    );
}

#[tokio::test]
async fn a_limited_token_endpoint_pauses_the_pacer_whatever_its_status() {
    let limited: [fn() -> Response; 2] = [
        || with(json(429, ""), "retry-after", "3"),
        || {
            let text = r#"{"error":"invalid_request","error_description":"Rate Limit Exceeded"}"#;
            with(json(400, text), "retry-after", "3")
        },
    ];
    for answer in limited {
        let (failure, pacer) = no_token(answer).await;
        let retry_after = Duration::from_secs(3);
        assert_eq!(failure, TokenFailure::RateLimited { retry_after });
        assert!(pacer.paused().is_some());
    }
}

#[tokio::test]
async fn who_asks_after_a_429_waits_for_the_pause_and_asks_again() {
    let stub = Stub::start(|seen: Seen| async move {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        if seen.path == "/oauth/token" && ASKED.fetch_add(1, Ordering::SeqCst) == 0 {
            return with(json(429, ""), "retry-after", "1");
        }
        json(200, r#"{"access_token":"t"}"#)
    })
    .await;
    let config = stub.config();
    let (client, pacer) = client(&config);
    let missed = get(&client, &config, "/x").await.unwrap_err();
    assert!(matches!(
        missed.failure,
        Failure::Token(TokenFailure::RateLimited { .. })
    ));
    // Told of the same 429 at once, a delivery would be due, leased and told again, as fast as the store can write.
    get(&client, &config, "/x").await.unwrap();
    assert!(pacer.paused().is_none(), "not before the pause had ended");
    assert_eq!(stub.count("/oauth/token"), 2);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_unavailable() {
    let failing: [fn() -> Response; 4] = [
        || json(503, ""),
        || json(302, ""),
        || json(200, "<html>"),
        || json(404, ""),
    ];
    for answer in failing {
        let (failure, _) = no_token(answer).await;
        assert!(
            matches!(
                failure,
                TokenFailure::Unavailable {
                    status: Some(_),
                    ..
                }
            ),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_or_at_half_its_life() {
    for (expires_in, asked) in [(3600, 1), (1, 2)] {
        let stub = Stub::start(move |seen: Seen| async move {
            if seen.path == "/oauth/token" {
                return json(
                    200,
                    &format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#),
                );
            }
            json(200, "{}")
        })
        .await;
        let config = stub.config();
        let (client, _) = client(&config);
        get(&client, &config, "/x").await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        get(&client, &config, "/x").await.unwrap();
        assert_eq!(stub.count("/oauth/token"), asked, "{expires_in}");
    }
}

#[tokio::test]
async fn a_token_due_for_renewal_serves_on_while_its_endpoint_fails() {
    let stub = Stub::start(|seen: Seen| async move {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        if seen.path != "/oauth/token" {
            return json(200, "{}");
        }
        if ASKED.fetch_add(1, Ordering::SeqCst) == 0 {
            json(200, r#"{"access_token":"t","expires_in":3600}"#)
        } else {
            json(503, "")
        }
    })
    .await;
    let config = stub.config();
    let registry = Registry::new();
    let pacer = stub::pacer(&registry);
    let exchange = Exchange::new(&config, pacer, Clock::system(), &registry).unwrap();
    let tokens = Tokens::new(
        Arc::new(exchange),
        &config,
        Dialect::Interactions,
        &registry,
    );
    let patience = Duration::from_secs(2);
    let first = tokens.get(patience).await.unwrap();
    tokens.cache().held.as_mut().unwrap().renew_at = Instant::now();
    let second = tokens.get(patience).await.unwrap();
    assert_eq!(first.number, second.number);
    assert_eq!(stub.count("/oauth/token"), 2);
    // One that the platform threw out serves no more.
    tokens.invalidate(&first);
    let failure = tokens.get(patience).await.unwrap_err();
    assert!(matches!(failure, TokenFailure::Unavailable { .. }));
    assert_eq!(stub.count("/oauth/token"), 2, "the failure is still held");
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_refused_credentials() {
    let stub = Stub::start(|_| async { json(200, "{}") }).await;
    let mut config = stub.config();
    config.auth.grant = Grant::JwtBearer {
        private_key: Secret::fixed(b"canary"),
    };
    let missed = get(&client(&config).0, &config, "/x").await.unwrap_err();
    let text = missed.failure.to_string();
    assert!(
        text.contains("RSA private key") && !text.contains("canary"),
        "{text}"
    );
    assert!(check_key(b"canary").is_err());
    assert!(check_key(private_key().as_bytes()).is_ok());
    assert_eq!(stub.seen().len(), 0);
}

#[tokio::test]
async fn client_credentials_go_by_http_basic_and_a_scope_is_not_needed_for_conversations() {
    let stub = Stub::start(|seen: Seen| async move {
        if seen.path == "/oauth/token" {
            json(
                200,
                r#"{"access_token":"t","token_type":"bearer","scope":"other"}"#,
            )
        } else {
            json(200, "{}")
        }
    })
    .await;
    let mut config = stub.config();
    config.auth.grant = Grant::ClientCredentials {
        client_secret: Secret::fixed(b"s3cret"),
    };
    config.api = Api::Conversations(crate::platform::Conversations {
        notes: None,
        check_queue_codes: false,
        confirm_within: Duration::ZERO,
    });
    get(&client(&config).0, &config, "/x").await.unwrap();
    let asked = &stub.seen()[0];
    // client-1:s3cret
    assert_eq!(asked.headers[AUTHORIZATION], "Basic Y2xpZW50LTE6czNjcmV0");
    assert_eq!(&asked.body[..], b"grant_type=client_credentials");
    config.api = Api::Interactions;
    let missed = get(&client(&config).0, &config, "/x").await.unwrap_err();
    assert!(
        missed.failure.to_string().contains("`interaction:write`"),
        "{}",
        missed.failure
    );
}

#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_client_secret_is_never_logged_or_told() {
    let logs = Logs::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(logs.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // The worst of platforms: its refusals repeat what was sent.
    let stub = Stub::start(|_| async {
        json(
            400,
            r#"{"error":"no","error_description":"canary-secret is wrong"}"#,
        )
    })
    .await;
    let mut config = stub.config();
    config.auth.grant = Grant::ClientCredentials {
        client_secret: Secret::fixed(b"canary-secret"),
    };
    let (client, _) = client(&config);
    let missed = get(&client, &config, "/x").await.unwrap_err();
    let mut text = format!("{missed:?} {client:?} {config:?}");
    text.push_str(&String::from_utf8(logs.0.lock().unwrap().clone()).unwrap());
    assert!(text.contains("repeats a secret"), "{text}");
    let encoded = STANDARD.encode("client-1:canary-secret");
    assert!(
        !text.contains("canary-secret") && !text.contains(&encoded),
        "{text}"
    );
}

#[tokio::test]
async fn neither_token_nor_key_nor_assertion_is_ever_logged_or_told() {
    let logs = Logs::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(logs.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // The worst of platforms: its refusals repeat what was sent.
    let stub = Stub::start(|seen: Seen| async move {
        if seen.path == "/oauth/token" {
            return json(200, r#"{"access_token":"canary-token"}"#);
        }
        let sent = seen.headers[AUTHORIZATION].to_str().unwrap().to_owned();
        json(400, &format!(r#"{{"message":"bad: {sent}"}}"#))
    })
    .await;
    let config = stub.config();
    let (client, _) = client(&config);
    let missed = get(&client, &config, "/x").await.unwrap_err();
    let mut text = format!("{missed:?} {client:?} {config:?}");
    text.push_str(&String::from_utf8(logs.0.lock().unwrap().clone()).unwrap());
    assert!(text.contains("asking for a token with these claims"));
    assert!(!text.contains("canary-token"));
    let assertion = String::from_utf8(stub.seen()[0].body.to_vec()).unwrap();
    let assertion = assertion.split("assertion=").nth(1).unwrap();
    assert!(assertion.len() > 300 && !text.contains(assertion));
    let key = private_key();
    assert!(!text.contains(key.lines().nth(1).unwrap()));
}
