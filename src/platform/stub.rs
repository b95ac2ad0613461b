//! A platform in a few lines for this module's own tests: a handler that each test writes. Not the simulator.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Api, Auth, Config, Grant, Pacer, RateLimit};
use crate::clock::Clock;
use crate::metrics::Registry;
use crate::secret::Secret;

/// A request as the stub received it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Listens on port 0 until dropped.
#[derive(Debug)]
pub(super) struct Stub {
    pub(super) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: JoinSet<()>,
}

impl Stub {
    pub(super) async fn start<F, Fut>(handler: F) -> Self
    where
        F: Fn(Seen) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send,
    {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let record = Arc::clone(&seen);
        let router = Router::new().fallback(move |request: Request| {
            let (record, handler) = (Arc::clone(&record), handler.clone());
            async move {
                let (parts, body) = request.into_parts();
                let one = Seen {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers: parts.headers,
                    body: axum::body::to_bytes(body, 1 << 20).await.unwrap(),
                };
                record.lock().unwrap().push(one.clone());
                handler(one).await
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            addr,
            seen,
            _server: server,
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests went to `path`.
    pub(super) fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|one| one.path == path).count()
    }

    pub(super) fn config(&self) -> Config {
        Config {
            api: Api::Interactions,
            base_url: format!("http://{}", self.addr),
            token_url: format!("http://{}/oauth/token", self.addr),
            divisions: vec!["di&v".to_owned()],
            org_id: None,
            request_timeout: Duration::from_secs(5),
            ca_file: None,
            auth: Auth {
                client_id: Secret::fixed(b"client-1"),
                grant: Grant::JwtBearer {
                    private_key: Secret::fixed(private_key().as_bytes()),
                },
            },
            rate_limit: LIMIT,
            page_size: 2,
        }
    }
}

const LIMIT: RateLimit = RateLimit {
    requests: 10_000,
    per: Duration::from_secs(1),
    slack: Duration::ZERO,
};

pub(super) fn pacer(registry: &Registry) -> Pacer {
    Pacer::new(&LIMIT, Clock::system(), None, registry)
}

pub(super) fn json(status: u16, body: &str) -> Response {
    let mut response = Body::from(body.to_owned()).into_response();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    response
}

pub(super) fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    response.headers_mut().insert(name, value.parse().unwrap());
    response
}

/// A key of this run; none is kept in the repository.
pub(super) fn private_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        use aws_lc_rs::encoding::AsDer;
        let size = aws_lc_rs::rsa::KeySize::Rsa2048;
        let pair = aws_lc_rs::rsa::KeyPair::generate(size).unwrap();
        let der = pair.as_der().unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
    })
}
