//! `wrapup healthcheck`: does the server on this machine answer? For images without a shell.
//!
//! Needs the admin listener's address and nothing else, so that it works while secrets are being rotated and while
//! somebody edits the file.

use std::io::Write;
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
/// otherwise, with 69 if it does not answer. Needs nothing of the configuration but `admin.listen`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example (Dockerfile):\n  HEALTHCHECK --interval=10s --timeout=5s CMD [\"wrapup\", \"healthcheck\"]"
)]
pub(super) struct Args {
    /// Ask here instead, such as `http://127.0.0.1:9090/livez`.
    #[arg(long, value_parser = target)]
    url: Option<Target>,
}

/// Where to ask, without TLS: it is this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// As in `host:port`.
    authority: String,
    path: String,
}

fn target(text: &str) -> Result<Target, &'static str> {
    let uri: http::Uri = text.parse().map_err(|_why| "not a URL")?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let authority = authority.ok_or("begins with http:// and a host")?;
    let port = authority.port_u16().unwrap_or(80);
    Ok(Target {
        authority: format!("{}:{port}", authority.host()),
        path: uri.path().to_owned(),
    })
}

pub(super) async fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let target = if let Some(target) = &args.url {
        target.clone()
    } else {
        let listen = crate::config::admin_listen(file, crate::config::variables())?;
        Target {
            authority: super::reachable(listen).to_string(),
            path: "/livez".to_owned(),
        }
    };
    let answer = match tokio::time::timeout(PATIENCE, ask(&target)).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut)),
    };
    let (exit, told) = match answer {
        Ok(200) => (Exit::Ok, "alive".to_owned()),
        Ok(status) => (Exit::Failed, format!("answered {status}")),
        Err(cause) => (Exit::Unavailable, format!("does not answer: {cause}")),
    };
    let Target { authority, path } = target;
    writeln!(std::io::stdout().lock(), "http://{authority}{path}: {told}")?;
    Ok(exit)
}

/// The status of the answer.
async fn ask(target: &Target) -> std::io::Result<u16> {
    let Target { authority, path } = target;
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
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
        let authority = listener.local_addr().unwrap().to_string();
        let target = target(&format!("http://{authority}/livez")).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(with.as_bytes()).await.unwrap();
        };
        tokio::join!(ask(&target), server).0
    }

    #[tokio::test]
    async fn the_status_line_decides() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\n").await.unwrap(), 200);
        assert_eq!(answered("HTTP/1.1 503 No\r\n\r\n").await.unwrap(), 503);
        assert!(answered("SSH-2.0-OpenSSH_9").await.is_err());
        assert!(answered("HTTP").await.is_err());
    }

    #[test]
    fn only_plain_http_is_asked() {
        assert_eq!(target("http://[::1]/x").unwrap().authority, "[::1]:80");
        for bad in ["", "/livez", "https://127.0.0.1/livez"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
