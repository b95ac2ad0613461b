//! What each status becomes, and how tokens, slots and limits are kept.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::*;
use crate::clock::Clock;
use crate::platform::stub::{Seen, Stub, json, pacer, with};

const PATIENCE: Duration = Duration::from_secs(2);

fn client(config: &Config) -> Client {
    let registry = Registry::new();
    Client::new(config, pacer(&registry), Clock::system(), &registry).unwrap()
}

async fn get(client: &Client, config: &Config, path: &str) -> Result<Success, Missed> {
    let url = format!("{}{path}", config.base_url);
    client
        .call("state", Lane::Deliveries, PATIENCE, |http| http.get(&url))
        .await
}

fn grant(token: &str) -> Response {
    json(
        200,
        &format!(r#"{{"access_token":"{token}","expires_in":3600}}"#),
    )
}

/// A stub that grants tokens and answers everything else with `answer`.
async fn answering(answer: fn() -> Response) -> Stub {
    Stub::start(move |seen: Seen| async move {
        if seen.path == "/oauth/token" {
            grant("tok")
        } else {
            answer()
        }
    })
    .await
}

/// What a status and body become.
async fn failure(answer: fn() -> Response) -> (Failure, Stub, Client) {
    let stub = answering(answer).await;
    let client = client(&stub.config());
    let missed = get(&client, &stub.config(), "/x").await.unwrap_err();
    assert!(missed.sent);
    (missed.failure, stub, client)
}

/// The status, the first bytes, and then the connection is gone.
fn cut_off(status: u16) -> Response {
    let begun = stream::once(async { Ok("{\"a\"") });
    let gone = stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::other("gone"))
    });
    let status = StatusCode::from_u16(status).unwrap();
    (status, Body::from_stream(begun.chain(gone))).into_response()
}

fn status_of(failure: &Failure) -> Option<u16> {
    match failure {
        Failure::Unavailable { status, .. } => *status,
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (failure, stub, _) = failure(|| with(json(302, ""), "location", "/elsewhere")).await;
    assert_eq!(status_of(&failure), Some(302));
    assert_eq!(stub.count("/elsewhere"), 0);
}

#[tokio::test]
async fn a_success_that_is_cut_off_or_too_long_is_unclear() {
    let (cut, ..) = failure(|| cut_off(200)).await;
    assert_eq!(status_of(&cut), Some(200));
    let long = failure(|| Body::from(vec![b' '; (1 << 20) + 1]).into_response());
    let (failure, ..) = long.await;
    assert_eq!(status_of(&failure), Some(200));
    assert!(failure.to_string().contains("1 MiB"), "{failure}");
}

#[tokio::test]
async fn a_refusal_keeps_its_status_even_if_its_body_is_cut_off() {
    let (failure, ..) = failure(|| cut_off(404)).await;
    assert!(matches!(failure, Failure::NotFound { .. }));
}

#[tokio::test]
async fn a_429_pauses_everyone_for_as_long_as_it_says() {
    let (failure, stub, client) = failure(|| with(json(429, ""), "retry-after", "7")).await;
    let seven = Duration::from_secs(7);
    assert_eq!(failure, Failure::RateLimited { retry_after: seven });
    let left = client.exchange.pacer.paused().unwrap();
    assert!(left > Duration::from_secs(6) && left <= seven, "{left:?}");
    let missed = get(&client, &stub.config(), "/x").await.unwrap_err();
    assert_eq!(missed.failure, Failure::NoSlot);
    assert!(!missed.sent);
    assert_eq!(stub.count("/x"), 1);
}

#[tokio::test]
async fn a_429_that_does_not_say_how_long_pauses_for_five_seconds() {
    let (failure, ..) = failure(|| json(429, "")).await;
    let retry_after = Duration::from_secs(5);
    assert_eq!(failure, Failure::RateLimited { retry_after });
}

#[tokio::test]
async fn a_write_that_found_no_connection_was_not_sent() {
    let stub = answering(|| json(200, "{}")).await;
    let config = stub.config();
    let client = client(&config);
    get(&client, &config, "/x").await.unwrap();
    let nowhere = Config {
        base_url: "http://127.0.0.1:1".to_owned(),
        ..config
    };
    let missed = get(&client, &nowhere, "/canary").await.unwrap_err();
    assert!(!missed.sent);
    let text = missed.failure.to_string();
    assert!(text.contains("no connection"), "{text}");
    assert!(!text.contains("canary") && !text.contains("http"), "{text}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unclear() {
    let stub = Stub::start(|seen: Seen| async move {
        if seen.path == "/oauth/token" {
            return grant("tok");
        }
        std::future::pending().await
    })
    .await;
    let config = Config {
        request_timeout: Duration::from_secs(1),
        ..stub.config()
    };
    let missed = get(&client(&config), &config, "/x").await.unwrap_err();
    assert!(missed.sent);
    assert_eq!(status_of(&missed.failure), None);
}

/// Grants tok-1, tok-2 ... and takes only those whose number is in `good`.
async fn revoking(good: fn(usize) -> bool) -> Stub {
    let granted = Arc::new(AtomicUsize::new(0));
    Stub::start(move |seen: Seen| {
        let granted = Arc::clone(&granted);
        async move {
            if seen.path == "/oauth/token" {
                let number = granted.fetch_add(1, Ordering::SeqCst) + 1;
                return grant(&format!("tok-{number}"));
            }
            let sent = seen.headers[AUTHORIZATION].to_str().unwrap().to_owned();
            let number = sent.strip_prefix("Bearer tok-").unwrap().parse().unwrap();
            if good(number) {
                json(200, "{}")
            } else {
                json(401, r#"{"message":"expired"}"#)
            }
        }
    })
    .await
}

#[tokio::test]
async fn thirty_two_401s_cost_one_renewal() {
    let stub = revoking(|number| number > 1).await;
    let config = stub.config();
    let client = client(&config);
    let calls = join_all((0..32).map(|_| get(&client, &config, "/x"))).await;
    assert!(calls.iter().all(Result::is_ok));
    assert_eq!(stub.count("/oauth/token"), 2);
    assert!(stub.count("/x") <= 64);
}

#[tokio::test]
async fn a_second_401_is_unauthorized() {
    let stub = revoking(|_| false).await;
    let config = stub.config();
    let missed = get(&client(&config), &config, "/x").await.unwrap_err();
    let detail = "expired".to_owned();
    assert_eq!(missed.failure, Failure::Unauthorized { detail });
    assert_eq!(stub.count("/x"), 2);
    assert_eq!(stub.count("/oauth/token"), 2);
}
