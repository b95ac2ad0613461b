//! The listener: hyper under our own accept loop, because `axum::serve` sets no limit at all.
//!
//! Invariant: whatever a client does or leaves undone, it holds one connection at most for a known time
//! ([`activity`]), and all clients together hold at most [`Limits::max_connections`]; what comes beyond waits in the
//! kernel's backlog. Both listeners, public and admin, are served by this code.

mod activity;
mod connection;
mod io;
mod service;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Lifecycle;

/// A commit that takes longer is answered with 503 (and may still succeed).
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(3);
/// Open files beside the connections: store, logs, the platform's connections, the other listener.
const OTHER_FILES: u64 = 512;
/// Without a pause a full table of open files would make the accept loop spin.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// One line of log for this long, however many accepts fail.
const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(10);

/// What a client may take of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; beyond, nothing is accepted until one ends.
    pub max_connections: usize,
    /// From the connect, or from the first byte on a kept connection, to the end of the head.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub request_timeout: Duration,
    /// How long a kept connection may be idle.
    pub keep_alive: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {addr}: is the port taken, or does it need privileges?")]
    Bind {
        addr: SocketAddr,
        source: std::io::Error,
    },
}

/// A bound listener that does not accept yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Binds the address (port 0 takes any free one), and raises the limit of open files to fit the connections.
    pub async fn bind(addr: SocketAddr, limits: Limits) -> Result<Self, Error> {
        raise_open_files(limits.max_connections);
        let failed = |source| Error::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            addr,
            limits,
        })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts until `stop`; then the listener closes, kept connections end after the answer they owe, and the future
    /// ends with the last of them. `lifecycle.stopped` cuts off what is left.
    pub fn serve(
        self,
        router: Router,
        stop: CancellationToken,
        lifecycle: Lifecycle,
    ) -> impl Future<Output = ()> + Send + 'static {
        let Self {
            listener, limits, ..
        } = self;
        let all = u32::try_from(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS))
            .unwrap_or(u32::MAX);
        // Once, and not at each request.
        let router: Router = router.with_state(());
        async move {
            let slots = Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX)));
            let mut failures = AcceptFailures::default();
            // Both are cancel-safe: a cancelled acquire holds no slot, a cancelled accept took no connection.
            while let Some(Ok(slot)) = stop
                .run_until_cancelled(Arc::clone(&slots).acquire_owned())
                .await
            {
                let socket = match stop.run_until_cancelled(listener.accept()).await {
                    None => break,
                    Some(Ok((socket, _))) => socket,
                    Some(Err(cause)) => {
                        if failures.is_exhaustion(&cause) {
                            sleep(ACCEPT_BACKOFF).await;
                        }
                        continue;
                    }
                };
                without_delay(&socket);
                let (router, stop, cut_off) =
                    (router.clone(), stop.clone(), lifecycle.stopped.clone());
                let streams = lifecycle.clone();
                let work = async move {
                    let served = connection::serve(socket, router, limits, stop, streams);
                    let end = cut_off.run_until_cancelled(served).await;
                    tracing::trace!(?end, "connection ended");
                    drop(slot);
                };
                drop(lifecycle.spawn_work(work));
            }
            drop(listener);
            // Each connection holds a slot, so that to have them all is to have waited for all.
            if let Err(closed) = slots.acquire_many(all).await {
                tracing::debug!(error = %closed, "nobody closes this semaphore");
            }
        }
    }
}

/// Answers are small and complete; to wait for more would only delay them.
fn without_delay(socket: &TcpStream) {
    if let Err(cause) = socket.set_nodelay(true) {
        tracing::debug!(error = %cause, "TCP_NODELAY could not be set");
    }
}

/// Tells the failures of one client from a want of our own, and logs the latter now and then.
#[derive(Debug, Default)]
struct AcceptFailures {
    logged_at: Option<Instant>,
    unlogged: u64,
}

impl AcceptFailures {
    fn is_exhaustion(&mut self, cause: &std::io::Error) -> bool {
        use std::io::ErrorKind;
        if matches!(
            cause.kind(),
            ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::Interrupted
        ) {
            return false;
        }
        let now = Instant::now();
        if self
            .logged_at
            .is_some_and(|then| now.duration_since(then) < ACCEPT_LOG_EVERY)
        {
            self.unlogged += 1;
        } else {
            tracing::error!(
                error = %cause,
                since_last_line = self.unlogged,
                "connections cannot be accepted; if files are exhausted, raise the limit (ulimit -n)"
            );
            self.logged_at = Some(now);
            self.unlogged = 0;
        }
        true
    }
}

/// Raises the soft limit of open files, so that `max_connections` can be kept. Warns where the hard limit is lower.
fn raise_open_files(connections: usize) {
    let wanted = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_add(OTHER_FILES);
    match rlimit::Resource::NOFILE.get() {
        Ok((soft, _)) if soft >= wanted => {}
        Ok(_) => match rlimit::increase_nofile_limit(wanted) {
            Ok(got) if got >= wanted => {}
            Ok(got) => tracing::warn!(
                "only {got} files can be open, {wanted} are wanted: raise the hard limit (ulimit -Hn) or lower \
                 server.max_connections"
            ),
            Err(cause) => {
                tracing::warn!(error = %cause, "the limit of open files cannot be raised to {wanted}");
            }
        },
        Err(cause) => {
            tracing::warn!(error = %cause, "the limit of open files cannot be read");
        }
    }
}

#[cfg(test)]
mod tests;
