//! A load generator: surveys signed beforehand, sent over kept connections, with every answer accounted for.
//!
//! It speaks just enough HTTP/1.1 to be cheaper than what it measures. Distinct surveys only: the same body twice
//! would measure duplicates. Used by the crash test and by the load harness.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use uuid::Uuid;

/// One survey, signed and framed, and what must come of it.
pub struct Shot {
    pub interaction: Uuid,
    pub code: &'static str,
    pub request: Vec<u8>,
}

/// Distinct surveys with random interactions; scores go round so that every rule has its turn.
pub fn shots(count: usize, source: &str, secret: &[u8]) -> Vec<Shot> {
    (0..count).map(|n| shot(n, source, secret)).collect()
}

fn shot(n: usize, source: &str, secret: &[u8]) -> Shot {
    let interaction = Uuid::new_v4();
    let (nps, csat, issue, code) = match n % 4 {
        0 => (10, 5, "billing", "WU_PROMPT_SUCCESS"),
        1 => (3, 2, "billing", "WU_PROMPT_ESCALATION"),
        2 => (8, 3, "technical", "WU_PROMPT_TECH_ISSUE"),
        _ => (7, 3, "delivery", "WU_PROMPT_GENERAL"),
    };
    let body = format!(
        "{{\"interactionId\":\"{interaction}\",\"csat_score\":{csat},\"nps_score\":{nps},\"issue_type\":\"{issue}\",\"n\":{n}}}"
    );
    let request = framed(source, secret, &body);
    Shot {
        interaction,
        code,
        request,
    }
}

/// A signed POST as it goes over the wire, for the preset `hmac-sha256`.
pub fn framed(source: &str, secret: &[u8], body: &str) -> Vec<u8> {
    let signature = signature(secret, body.as_bytes());
    format!(
        "POST /webhooks/{source} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         x-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What the preset `hmac-sha256` expects in `x-signature`.
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// What came back for one shot.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub shot: usize,
    /// None: the connection ended without an answer.
    pub status: Option<u16>,
    /// From when it should have been sent to the last byte of the answer.
    pub took: Duration,
}

/// A kept connection that reconnects when it must.
pub struct Line {
    address: std::net::SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Line {
    pub fn to(address: std::net::SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: Vec::with_capacity(4096),
        }
    }

    /// Sends and waits for the whole answer; none where the connection fails first.
    pub async fn send(&mut self, request: &[u8]) -> Option<u16> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(stream);
        }
        let status = self.exchange(request).await;
        if status.is_none() {
            self.stream = None;
        }
        status
    }

    async fn exchange(&mut self, request: &[u8]) -> Option<u16> {
        let stream = self.stream.as_mut()?;
        stream.write_all(request).await.ok()?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
            if let Some(status) = complete(&self.buffer) {
                return Some(status);
            }
        }
    }
}

/// The status, once head and body (by Content-Length) are whole.
fn complete(buffer: &[u8]) -> Option<u16> {
    let head_end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..head_end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    (buffer.len() >= head_end + length.unwrap_or(0)).then(|| head.get(9..12)?.parse().ok())?
}

/// Fires every shot once over `connections`, each as fast as answers come (a closed loop). A connection that dies is
/// not opened again: the service was killed, or something is wrong.
pub async fn closed_loop(
    address: std::net::SocketAddr,
    shots: Arc<Vec<Shot>>,
    connections: usize,
) -> Vec<Answer> {
    fire(|| Line::to(address), shots, connections, |_| Instant::now()).await
}

/// The same through reqwest, as a sender would do it.
pub async fn closed_loop_of_reqwest(
    address: std::net::SocketAddr,
    shots: Arc<Vec<Shot>>,
    connections: usize,
) -> Vec<Answer> {
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a client without TLS of its own");
    let url = format!("http://{address}/webhooks/generic");
    let poster = || Poster {
        http: http.clone(),
        url: url.clone(),
    };
    fire(poster, shots, connections, |_| Instant::now()).await
}

struct Poster {
    http: reqwest::Client,
    url: String,
}

/// What carries a shot, and waits for the whole answer; none where it fails first.
trait Carrier: Send + 'static {
    fn carry(&mut self, request: &[u8]) -> impl Future<Output = Option<u16>> + Send;
}

impl Carrier for Line {
    async fn carry(&mut self, request: &[u8]) -> Option<u16> {
        self.send(request).await
    }
}

impl Carrier for Poster {
    /// Posts what was framed for the wire.
    async fn carry(&mut self, framed: &[u8]) -> Option<u16> {
        let text = std::str::from_utf8(framed).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (_, signature) = head.split_once("x-signature: ")?;
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-signature", signature.lines().next()?)
            .body(body.to_owned());
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        answer.bytes().await.ok()?;
        Some(status)
    }
}

/// Fires the shots at a fixed rate whatever the answers do (an open loop): a slow answer delays no later shot, and
/// latency counts from the moment a shot was due. A connection that dies is not opened again.
pub async fn open_loop(
    address: std::net::SocketAddr,
    shots: Arc<Vec<Shot>>,
    connections: usize,
    per_second: f64,
) -> Vec<Answer> {
    let started = Instant::now() + Duration::from_millis(50);
    fire(
        || Line::to(address),
        shots,
        connections,
        move |shot| {
            let nth = u32::try_from(shot).expect("a load run has fewer shots than that");
            started + Duration::from_secs_f64(f64::from(nth) / per_second)
        },
    )
    .await
}

/// Each shot goes out when it is due, or when a line is free, if that is later.
async fn fire<C: Carrier>(
    carrier: impl Fn() -> C,
    shots: Arc<Vec<Shot>>,
    connections: usize,
    due: impl Fn(usize) -> Instant + Copy + Send + Sync + 'static,
) -> Vec<Answer> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut lines = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (shots, next) = (Arc::clone(&shots), Arc::clone(&next));
        let mut line = carrier();
        lines.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let shot = next.fetch_add(1, Ordering::Relaxed);
                let Some(Shot { request, .. }) = shots.get(shot) else {
                    return answers;
                };
                let due = due(shot);
                if due > Instant::now() {
                    tokio::time::sleep_until(due).await;
                }
                let status = line.carry(request).await;
                answers.push(Answer {
                    shot,
                    status,
                    took: due.elapsed(),
                });
                if status.is_none() {
                    return answers;
                }
            }
        });
    }
    lines.join_all().await.into_iter().flatten().collect()
}
