//! `wrapup healthcheck`: does the server on this machine answer? For images without a shell.
//!
//! Needs the admin listener's address and nothing else, so that it works while secrets are being rotated and while
//! somebody edits the file.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Exit;

/// For connecting, asking and the answer together: shorter than what containers are commonly given.
const PATIENCE: Duration = Duration::from_secs(3);
/// `HTTP/1.1 200`: the rest of the answer does not matter.
const STATUS_LINE: usize = 12;

/// Ask the server on this machine whether it is alive.
///
/// Requests /livez from the admin listener, within 3 seconds. Exits with 0 if it answers 200, with 1 if it answers
/// otherwise, with 69 if it does not answer.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example (Dockerfile):\n  HEALTHCHECK --interval=10s --timeout=5s CMD [\"wrapup\", \"healthcheck\"]"
)]
pub(super) struct Args {}

pub(super) async fn run(file: &Path, _: &Args) -> anyhow::Result<Exit> {
    let listen = crate::config::admin_listen(file, crate::config::variables())?;
    let address = reachable(listen);
    let answer = match tokio::time::timeout(PATIENCE, ask(address)).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut)),
    };
    let (exit, told) = match answer {
        Ok(200) => (Exit::Ok, "alive".to_owned()),
        Ok(status) => (Exit::Failed, format!("answered {status}")),
        Err(cause) => (Exit::Unavailable, format!("does not answer: {cause}")),
    };
    writeln!(std::io::stdout().lock(), "http://{address}/livez: {told}")?;
    Ok(exit)
}

/// An address that a listener on every address can be reached at.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The status that /livez is answered with.
async fn ask(address: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await?;
    std::str::from_utf8(&line)
        .ok()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line.get(9..))
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(with: &'static str) -> std::io::Result<u16> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(with.as_bytes()).await.unwrap();
        };
        tokio::join!(ask(address), server).0
    }

    #[tokio::test]
    async fn the_status_line_decides() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\n").await.unwrap(), 200);
        assert_eq!(answered("HTTP/1.1 503 No\r\n\r\n").await.unwrap(), 503);
        assert!(answered("SSH-2.0-OpenSSH_9").await.is_err());
        assert!(answered("HTTP").await.is_err());
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        for (listen, asked) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:8081", "[::1]:8081"),
            ("10.0.0.1:8081", "10.0.0.1:8081"),
        ] {
            let listen: SocketAddr = listen.parse().unwrap();
            assert_eq!(reachable(listen).to_string(), asked);
        }
    }
}
