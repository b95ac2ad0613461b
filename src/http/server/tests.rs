//! Clients that misbehave, against the real listener. Each waits for what the server does, never for a time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Limits, Server};
use crate::lifecycle::Lifecycle;

/// For what must happen; far above every limit below, so that only a hang fails.
const SOON: Duration = Duration::from_secs(20);
/// Long enough that a good client keeps it on a machine that stands still for a moment.
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);

struct Running {
    addr: std::net::SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
    lifecycle: Lifecycle,
    /// Lets `GET /slow` answer.
    go: Arc<Notify>,
    /// Says that `GET /slow` has begun.
    begun: Arc<Notify>,
}

async fn start(max_connections: usize, keep_alive: Duration) -> Running {
    start_with(Limits {
        max_connections,
        header_timeout: HEADER_TIMEOUT,
        request_timeout: SOON,
        keep_alive,
    })
    .await
}

async fn start_with(limits: Limits) -> Running {
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (go, begun) = (Arc::clone(&go), Arc::clone(&begun));
        move || async move {
            begun.notify_one();
            go.notified().await;
            "slow"
        }
    };
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route(
            "/refuse",
            post(|| async { (http::StatusCode::PAYLOAD_TOO_LARGE, "no") }),
        )
        .route("/slow", get(slow));
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let bound = Server::bind(anywhere, limits).await.unwrap();
    let addr = bound.local_addr();
    let (stop, lifecycle) = (CancellationToken::new(), Lifecycle::new());
    let served = lifecycle
        .clone()
        .spawn_work(bound.serve(router, stop.clone(), lifecycle.clone()));
    Running {
        addr,
        stop,
        served,
        lifecycle,
        go,
        begun,
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn finished(self) {
        self.stop.cancel();
        timeout(SOON, self.served).await.unwrap().unwrap();
    }
}

/// Reads until the server closes.
async fn rest(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    match timeout(SOON, socket.read_to_end(&mut text)).await.unwrap() {
        Ok(_) => {}
        Err(cause) => assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset),
    }
    String::from_utf8(text).unwrap()
}

/// Reads one answer with the body that the router above gives.
async fn answer(socket: &mut TcpStream, body: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(body.as_bytes()) {
        let read = timeout(SOON, socket.read_buf(&mut text)).await.unwrap();
        assert_ne!(read.unwrap(), 0, "closed before the answer");
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed() {
    let server = start(10, SOON).await;
    for beginning in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-",
    ] {
        let mut socket = server.connect().await;
        socket.write_all(beginning.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut socket).await, "", "after {beginning:?}");
    }
    server.finished().await;
}

#[tokio::test]
async fn a_head_that_trickles_in_does_not_move_its_deadline() {
    let server = start(10, SOON).await;
    let mut socket = server.connect().await;
    let trickle = async {
        for _ in 0..1000 {
            if socket.write_all(b"G").await.is_err() {
                return;
            }
            sleep(HEADER_TIMEOUT / 10).await;
        }
        panic!("still open");
    };
    timeout(SOON, trickle).await.unwrap();
    server.finished().await;
}

#[tokio::test]
async fn an_idle_kept_connection_outlives_the_header_timeout_but_half_a_head_on_it_does_not() {
    let server = start(10, SOON * 10).await;
    let mut socket = server.connect().await;
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut socket, "here").await;
    // Idle for three header timeouts: a connection that says nothing would be gone.
    assert!(
        timeout(HEADER_TIMEOUT * 3, socket.readable())
            .await
            .is_err()
    );
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut socket, "here").await;
    socket.write_all(b"GET / HT").await.unwrap();
    assert_eq!(rest(&mut socket).await, "");
    server.finished().await;
}

#[tokio::test]
async fn an_idle_kept_connection_ends_with_keep_alive() {
    let server = start(10, Duration::from_millis(300)).await;
    let mut socket = server.connect().await;
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut socket, "here").await;
    assert_eq!(rest(&mut socket).await, "");
    server.finished().await;
}

#[tokio::test]
async fn oversized_heads_are_431() {
    let server = start(10, SOON).await;
    let large = format!("X-Large: {}\r\n", "x".repeat(100_000));
    let many = "X-Many: y\r\n".repeat(200);
    for headers in [large, many] {
        let mut socket = server.connect().await;
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        // The server may answer and close before it has all of it.
        drop(socket.write_all(head.as_bytes()).await);
        let text = rest(&mut socket).await;
        assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    }
    server.finished().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_one_ends() {
    let server = start(1, SOON * 10).await;
    let mut first = server.connect().await;
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut first, "here").await;
    let mut second = server.connect().await;
    second
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(
        timeout(HEADER_TIMEOUT * 2, second.readable())
            .await
            .is_err()
    );
    drop(first);
    answer(&mut second, "here").await;
    drop(second);
    server.finished().await;
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_still_gets_its_answer() {
    let server = start(10, SOON * 10).await;
    let mut socket = server.connect().await;
    socket
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    socket.shutdown().await.unwrap();
    server.begun.notified().await;
    server.go.notify_one();
    let text = rest(&mut socket).await;
    assert!(text.ends_with("slow"), "{text}");
    server.finished().await;
}

#[tokio::test]
async fn a_client_whose_body_is_refused_while_it_sends_can_read_why() {
    let server = start(10, SOON * 10).await;
    let mut socket = server.connect().await;
    let length = 2_000_000;
    let head = format!("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![b' '; length]).await.unwrap();
    let text = rest(&mut socket).await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    server.finished().await;
}

#[tokio::test]
async fn at_the_stop_idle_connections_close_and_owed_answers_are_given() {
    let server = start(10, SOON * 10).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut idle, "here").await;
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    server.begun.notified().await;
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(!server.served.is_finished());
    server.go.notify_one();
    let text = rest(&mut busy).await;
    assert!(text.contains("connection: close"), "{text}");
    assert!(text.ends_with("slow"), "{text}");
    assert!(TcpStream::connect(server.addr).await.is_err());
    server.finished().await;
}

#[tokio::test]
async fn half_a_head_at_the_stop_may_still_become_a_request() {
    let server = start_with(Limits {
        max_connections: 10,
        header_timeout: SOON,
        request_timeout: SOON,
        keep_alive: SOON * 10,
    })
    .await;
    let mut late = server.connect().await;
    late.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut late, "here").await;
    late.write_all(b"GET /slow HTTP/1.1\r\n").await.unwrap();
    // The half is read before the stop: another connection's whole request comes after it.
    let mut other = server.connect().await;
    other
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    answer(&mut other, "here").await;
    server.stop.cancel();
    assert_eq!(rest(&mut other).await, "");
    late.write_all(b"Host: a\r\n\r\n").await.unwrap();
    server.begun.notified().await;
    server.go.notify_one();
    let text = rest(&mut late).await;
    assert!(text.ends_with("slow"), "{text}");
    server.finished().await;
}

#[tokio::test]
async fn http2_is_served_and_pings_do_not_shorten_its_idle_time() {
    let server = start(10, SOON * 10).await;
    let (mut client, connection) =
        hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
            .timer(hyper_util::rt::TokioTimer::new())
            .keep_alive_interval(HEADER_TIMEOUT / 4)
            .keep_alive_while_idle(true)
            .handshake(hyper_util::rt::TokioIo::new(server.connect().await))
            .await
            .unwrap();
    let connection = server.lifecycle.spawn_work(connection);
    for _ in 0..2 {
        let request = http::Request::get(format!("http://{}/", server.addr));
        let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        let body = http_body_util::BodyExt::collect(response.into_body()).await;
        assert_eq!(body.unwrap().to_bytes(), "here");
        // With pings all the time; the same connection must serve the second request.
        sleep(HEADER_TIMEOUT * 3).await;
        assert!(!connection.is_finished());
    }
    server.finished().await;
}

#[tokio::test]
async fn an_http2_connection_without_a_request_is_closed() {
    let server = start(10, SOON * 10).await;
    let mut socket = server.connect().await;
    let preface_and_settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    socket.write_all(preface_and_settings).await.unwrap();
    let since = Instant::now();
    let mut scrap = Vec::new();
    let ended = timeout(SOON, socket.read_to_end(&mut scrap)).await;
    assert!(ended.is_ok(), "open after {:?}", since.elapsed());
    server.finished().await;
}
