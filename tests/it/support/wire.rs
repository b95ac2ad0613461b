//! A bare connection: for what no HTTP client does, such as half a head or a body that never ends.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;
use super::app::Answer;

pub(crate) struct Wire {
    stream: TcpStream,
    /// Read, and not yet given out.
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await;
        Self {
            stream: stream.expect("the service listens"),
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.stream.write_all(bytes.as_ref()).await;
        sent.expect("the connection is open");
    }

    /// As far as the other side lets us: it may refuse and close before it has everything.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// The next whole answer, which says its length. The connection stays open.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "closed before an answer");
        };
        let head: Vec<u8> = self.buffer.drain(..head_end).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let headers: http::HeaderMap = (head.lines().skip(1))
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(http::HeaderName, http::HeaderValue)>>()
            .into_iter()
            .collect();
        let length = headers.get("content-length");
        let length = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.more().await, "closed within an answer");
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        Answer {
            status: head[9..12].parse().expect("a status"),
            headers,
            body: serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null),
        }
    }

    /// Waits until the other side has said this; false where it has closed before.
    pub(crate) async fn says(&mut self, bytes: &[u8]) -> bool {
        while !self.buffer.windows(bytes.len()).any(|part| part == bytes) {
            if !self.more().await {
                return false;
            }
        }
        true
    }

    /// Waits until the other side closes, and gives what it said before.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    /// Reads once; false where the other side has closed.
    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.expect("neither an answer nor a close in time");
        // A reset is a close, too.
        read.is_ok_and(|count| count > 0)
    }
}
