//! One connection from its first byte to its close, watched: none is held open by a client that does nothing.
//!
//! The protocol is recognised here and not by hyper-util's `auto`, which waits for the first bytes without a limit.
//! The watch is one timer, armed for the nearest deadline and moved only when it fires or must fire earlier, so that
//! a busy connection does not touch the timer at each request.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::activity::{Activity, Phase};
use super::io::Watched;
use super::service::Counted;
use crate::lifecycle::Lifecycle;

/// How every connection of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Head and first body of an ordinary webhook fit, so that one read is enough.
const READ_AHEAD: usize = 4096;
/// Heads above this are answered with 431; load balancers stop at 8 to 64 KiB as well.
const MAX_HEAD: usize = 32 * 1024;
/// hyper's read and write buffer of one HTTP/1 connection; also the largest piece of a body.
const MAX_BUFFER: usize = 64 * 1024;
/// One client's share; the whole service is bounded by `max_in_flight`.
const MAX_STREAMS: u32 = 128;
/// The decoded header list of one HTTP/2 request.
const MAX_HEADER_LIST: u32 = 32 * 1024;
/// What a client that was refused may still send before the connection is reset, and for how long.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How a connection ended; for the log at debug.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("closed")]
    Closed,
    #[error("nothing, or half a request, within the time")]
    TimedOut,
    #[error("the connection failed")]
    Failed(#[source] hyper::Error),
    #[error("the connection could not be read")]
    Unreadable(#[source] io::Error),
}

/// Serves `socket` until it ends, until its time is over, or until `stop` and its last answer.
pub(super) async fn serve(
    mut socket: TcpStream,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    lifecycle: Lifecycle,
) -> End {
    let since = Instant::now();
    let recognised = timeout_at(since + limits.header_timeout, recognise(&mut socket, &stop));
    let (protocol, ahead) = match recognised.await {
        Err(_) => return End::TimedOut,
        Ok(Err(cause)) => return End::Unreadable(cause),
        Ok(Ok(None)) => return End::Closed,
        Ok(Ok(Some(begun))) => begun,
    };
    let activity = Activity::new(limits, since, protocol == Protocol::Http1);
    let io = TokioIo::new(Watched::new(ahead, socket, Arc::clone(&activity)));
    let service = Counted::new(router, Arc::clone(&activity));
    match protocol {
        Protocol::Http1 => {
            let mut connection = http1().serve_connection(io, service);
            let end = watch(&mut connection, &activity, &stop).await;
            if matches!(end, End::Closed) && !stop.is_cancelled() {
                linger(connection.into_parts().io.into_inner().into_socket()).await;
            }
            end
        }
        Protocol::Http2 => {
            let builder = http2(Streams(lifecycle));
            let mut connection = builder.serve_connection(io, service);
            watch(&mut connection, &activity, &stop).await
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Reads until the first bytes are, or are not, HTTP/2's preface. `None`: the client left, or said nothing yet when
/// the service stopped.
async fn recognise(
    socket: &mut TcpStream,
    stop: &CancellationToken,
) -> io::Result<Option<(Protocol, Bytes)>> {
    let mut ahead = BytesMut::with_capacity(READ_AHEAD);
    loop {
        // Cancel-safe: a cancelled read has read nothing.
        let read = tokio::select! {
            biased;
            read = socket.read_buf(&mut ahead) => read?,
            () = stop.cancelled(), if ahead.is_empty() => 0,
        };
        if read == 0 && ahead.is_empty() {
            return Ok(None);
        }
        let common = ahead.len().min(PREFACE.len());
        if ahead.get(..common) != PREFACE.get(..common) || read == 0 {
            return Ok(Some((Protocol::Http1, ahead.freeze())));
        }
        if common == PREFACE.len() {
            return Ok(Some((Protocol::Http2, ahead.freeze())));
        }
    }
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The watch below has its own; see `activity`.
        .header_read_timeout(None)
        // A client may close its sending side after the request and still wait for the answer.
        .half_close(true)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER);
    builder
}

fn http2(streams: Streams) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buf_size(MAX_BUFFER);
    builder
}

/// Runs HTTP/2's streams as tracked work.
#[derive(Clone, Debug)]
struct Streams(Lifecycle);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        drop(self.0.spawn_work(stream));
    }
}

/// What the watch needs of hyper's two kinds of connection.
trait Connection: Future<Output = hyper::Result<()>> + Unpin {
    fn finish(self: Pin<&mut Self>);
}

impl Connection for http1::Connection<TokioIo<Watched<TcpStream>>, Counted> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl Connection for http2::Connection<TokioIo<Watched<TcpStream>>, Counted, Streams> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives the connection, and ends it at its deadline or, `stop` given, after the answers that are owed.
async fn watch(
    connection: &mut impl Connection,
    activity: &Activity,
    stop: &CancellationToken,
) -> End {
    let mut stopping = false;
    let mut told = false;
    // Polled only once it was woken: a token's own poll takes locks that all connections share, at each request.
    let mut on_stop = FuturesUnordered::from_iter([stop.cancelled()]);
    let mut timer = pin!(sleep_until(activity.deadline(false)));
    poll_fn(|cx| {
        loop {
            match Pin::new(&mut *connection).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(End::Closed),
                Poll::Ready(Err(cause)) => return Poll::Ready(End::Failed(cause)),
                Poll::Pending => {}
            }
            stopping = stopping || matches!(on_stop.poll_next_unpin(cx), Poll::Ready(Some(())));
            // Told while half a head is here, hyper would drop the request that is coming; it shall have its 503.
            if stopping && !told && activity.phase() != Phase::Head {
                told = true;
                Pin::new(&mut *connection).finish();
                continue;
            }
            let deadline = activity.deadline(stopping);
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if deadline <= Instant::now() {
                return Poll::Ready(End::TimedOut);
            }
            timer.as_mut().reset(deadline);
        }
    })
    .await
}

/// Lets the client read its answer: a socket that is closed with unread bytes in it is reset, and a client that was
/// still sending a body that was refused would see that instead of the 413.
async fn linger(mut socket: TcpStream) {
    let drain = async {
        socket.shutdown().await?;
        let mut scrap = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match socket.read(&mut scrap).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    match timeout(LINGER, drain).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(cause)) => tracing::trace!(error = %cause, "a closing connection could not be read"),
    }
}
