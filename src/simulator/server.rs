//! The simulator's listener: connections that can be hung up on, and that end when it stops.
//!
//! Not `axum::serve`, which cannot close a connection without an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::answer::HangUp;

/// Further connections wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;
/// How long a call on the wire may go on when the simulator stops.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// Time for accepting to work again where it failed, for want of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener at work.
#[derive(Debug)]
pub(super) struct Server {
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The connection is closed instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up on purpose")]
struct HungUp;

impl Server {
    pub(super) fn start(listener: TcpListener, router: Router) -> Self {
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(accept(listener, router, stop.clone(), tasks.clone()));
        Self { stop, tasks }
    }

    /// Closes the listener and every connection, and waits until they are.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&room).acquire_owned();
        // All three are cancel-safe: a connection that was not accepted stays in the kernel's queue.
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            both = async { (place.await, listener.accept().await) } => both,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                tasks.spawn(async move {
                    converse(stream, router, stop).await;
                    drop(place);
                });
            }
            Err(cause) => {
                tracing::warn!(error = %cause, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    if let Err(cause) = stream.set_nodelay(true) {
        tracing::debug!(error = %cause, "a connection was gone at once");
        return;
    }
    let service = service_fn(move |request: http::Request<Incoming>| {
        let router = router.clone();
        async move { answer(router, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(STOP_GRACE, connection).await {
                Ok(ended) => ended,
                Err(_elapsed) => return,
            }
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(error = %cause, "a connection ended");
    }
}

async fn answer(router: Router, request: http::Request<Incoming>) -> Result<Response, HungUp> {
    let response = match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if response.extensions().get::<HangUp>().is_some() {
        return Err(HungUp);
    }
    Ok(response)
}
