//! What a client can do with connections alone: hold them, stuff them, open too many. The real service with short
//! limits; the mechanics are tested with the listener itself (`src/http/server/tests.rs`).
//!
//! A bound is only ever checked from the side that a slow machine cannot break: that something ends, or that it still
//! serves after it has been idle for longer than another limit.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;
use wrapup::store::State;

use crate::support::app::{TestApp, survey};
use crate::support::process::SECRET;
use crate::support::wire::Wire;
use crate::support::{PATIENCE, eventually, load};

const HEADER_TIMEOUT: Duration = Duration::from_millis(400);
const LIMITS: &str =
    "[server]\nheader_timeout = \"400ms\"\nkeep_alive = \"60s\"\nrequest_timeout = \"5s\"\n";
const LIVEZ: &str = "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";

/// Lets twice the time pass that a connection has for a head. This is what the tests here are about, not a wait for
/// something to happen.
async fn outlive_the_header_timeout() {
    sleep_until(Instant::now() + HEADER_TIMEOUT * 2).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed_on_both_listeners() {
    let app = TestApp::fresh(LIMITS).await;
    for address in [app.service.public, app.service.admin] {
        for beginning in [
            "",
            "P",
            "PRI * HTTP/2.0\r\n\r\n",
            "POST /webhooks/generic HTTP/1.1\r\nhost: a\r\nx-",
        ] {
            let mut wire = Wire::to(address).await;
            wire.send(beginning).await;
            assert_eq!(wire.rest().await, "", "after {beginning:?}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn an_idle_kept_connection_outlives_the_header_timeout_and_half_a_head_on_it_does_not() {
    let app = TestApp::fresh(LIMITS).await;
    let mut wire = Wire::to(app.service.public).await;
    for _ in 0..2 {
        let body = survey(Uuid::new_v4(), 10, 5);
        wire.send(load::framed("generic", SECRET.as_bytes(), &body))
            .await;
        assert_eq!(wire.answer().await.status, 202);
        outlive_the_header_timeout().await;
    }
    wire.send("POST /webhooks/generic HTTP/1.1\r\nhost").await;
    assert_eq!(wire.rest().await, "");
    app.finish().await;
}

#[tokio::test]
async fn a_head_that_comes_in_pieces_within_the_time_is_served() {
    let app = TestApp::fresh(&LIMITS.replace("400ms", "60s")).await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let request = load::framed("generic", SECRET.as_bytes(), &body);
    let mut wire = Wire::to(app.service.public).await;
    for piece in request.chunks(7) {
        wire.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.answer().await.status, 202);
    // Two at once on one connection are answered one after the other.
    let two = [LIVEZ, LIVEZ].concat();
    wire.send(two).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.answer().await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn an_idle_connection_ends_with_keep_alive() {
    let app = TestApp::fresh(&LIMITS.replace("60s", "300ms")).await;
    let mut wire = Wire::to(app.service.public).await;
    wire.send(LIVEZ).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.rest().await, "");
    app.finish().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431_and_one_that_is_none_is_400() {
    let app = TestApp::fresh("").await;
    let large = format!(
        "GET /livez HTTP/1.1\r\nx-large: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let many = format!("GET /livez HTTP/1.1\r\n{}\r\n", "x-many: y\r\n".repeat(300));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    for (head, statuses) in [
        (large.as_str(), &["431"][..]),
        (&many, &["431"]),
        (&long, &["431", "414"]),
        ("GET /livez HTTP/1.1\r\n: no name\r\n\r\n", &["400"]),
        ("what is this\r\n\r\n", &["400"]),
        (
            "POST /webhooks/generic HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            &["400"],
        ),
    ] {
        let mut wire = Wire::to(app.service.public).await;
        // The service may answer and close before it has all of it.
        wire.try_send(head).await;
        let text = wire.rest().await;
        let status = text.get(9..12).unwrap_or_default();
        assert!(statuses.contains(&status), "{text} to {}", &head[..30]);
    }
    app.finish().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_one_ends_and_are_then_served() {
    let app = TestApp::fresh(&format!("{LIMITS}max_connections = 2\n")).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::to(app.service.public).await;
        wire.send(LIVEZ).await;
        assert_eq!(wire.answer().await.status, 200);
        held.push(wire);
    }
    let interaction = Uuid::new_v4();
    let mut third = Wire::to(app.service.public).await;
    let body = survey(interaction, 10, 5);
    third
        .send(load::framed("generic", SECRET.as_bytes(), &body))
        .await;
    let early = timeout(HEADER_TIMEOUT, third.answer()).await;
    assert!(early.is_err(), "taken beyond the limit: {early:?}");
    // The limit is each listener's own: operators still get in.
    assert_eq!(app.admin("/livez").await.status, 200);
    held.pop();
    let answer = third.answer().await;
    assert_eq!(answer.status, 202, "{answer:?}");
    app.reaches(answer.delivery(), State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn silent_connections_cannot_keep_the_others_out() {
    let app = TestApp::fresh(&format!("{LIMITS}max_connections = 4\n")).await;
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(Wire::to(app.service.public).await);
    }
    // It waits in line behind three rounds of silence.
    let id = app.promoter(Uuid::new_v4()).await;
    app.reaches(id, State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served_and_idles_longer_than_the_header_timeout() {
    let app = TestApp::fresh(LIMITS).await;
    let socket = TcpStream::connect(app.service.public).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(connection);
    for _ in 0..2 {
        let body = survey(Uuid::new_v4(), 10, 5);
        let request = http::Request::post(app.url("/webhooks/generic"))
            .header("content-type", "application/json")
            .header(
                "x-signature",
                load::signature(SECRET.as_bytes(), body.as_bytes()),
            )
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = timeout(PATIENCE, client.send_request(request))
            .await
            .unwrap();
        let answer = answer.expect("the same connection still serves");
        assert_eq!(answer.status(), 202);
        answer.into_body().collect().await.unwrap();
        outlive_the_header_timeout().await;
    }
    let too_large = http::Request::get(app.url("/livez"))
        .header("x-large", "x".repeat(60_000))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let refused = timeout(PATIENCE, client.send_request(too_large))
        .await
        .unwrap();
    let status = refused.as_ref().map(http::Response::status);
    assert!(
        status.is_err() || status.is_ok_and(|status| status == 431),
        "{status:?}"
    );
    drop(client);
    app.finish().await;
}

#[tokio::test]
async fn a_slow_body_ends_and_its_connection_with_it() {
    let app = TestApp::fresh("[server]\nrequest_timeout = \"300ms\"\nmax_in_flight = 1\n").await;
    let mut wire = Wire::to(app.service.public).await;
    wire.send("POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{")
        .await;
    let said = wire.rest().await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    // What it held is free again.
    assert!(
        eventually(async || app.post(&survey(Uuid::new_v4(), 10, 5)).await.status == 202).await
    );
    app.finish().await;
}
