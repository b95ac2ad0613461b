//! A stand-in for the contact-centre platform, for the demo, the tests, and whoever integrates with it.
//!
//! It behaves like the platform's page says, is as strict as the platform may be, and does wrong only when told to.
//! It shares no wire type with `platform`, so that one mistake cannot pass on both sides. It is no load balancer and
//! keeps nothing on disk.
//!
//! A call's way is [`visit`]: limit, fault, effect, answer, record. Each API has a module of its own:
//! [`interactions`] and [`conversations`]; what they share (tokens, codes, limits) is in [`world`]. Tests hold a
//! [`Control`]; others reach the same things under `/control` ([`control_api`]).

mod answer;
mod assertion;
mod book;
mod cases;
mod control;
mod control_api;
pub mod conversations;
mod fault;
mod interactions;
mod limit;
mod log;
mod meter;
mod oauth;
mod record;
mod server;
mod settings;
mod tokens;
mod visit;
mod world;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::TcpListener;

pub use book::Code;
pub use cases::{Interaction, Standing};
pub use control::{Control, ReceivedFilter, TimedOut};
pub use fault::plan::Listed;
pub use fault::{BadFault, Fault, Kind, RetryAfter, When};
pub use limit::{BadLimit, Limit, Shape};
pub use log::Page;
pub use record::{Call, LegPath, Operation, Received, Stats};
pub use settings::{
    Api, BadScript, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_PRIVATE_KEY, DEMO_PUBLIC_KEY,
    Settings, Unknown,
};
pub use world::Refused;

use answer::Answer;
use server::Server;
use visit::{Done, Endpoint, Glance};
use world::World;

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {addr}")]
    Listen {
        addr: SocketAddr,
        source: std::io::Error,
    },
    #[error("the public key is not an RSA key in PEM")]
    Key(#[source] jsonwebtoken::errors::Error),
    #[error("the script cannot be played: {0}")]
    Script(String),
}

/// A running simulator. Dropped, it stops without waiting.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    world: Arc<World>,
    server: Mutex<Option<Server>>,
}

impl Simulator {
    /// Listens on `settings.listen`.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let (listener, addr) = listen(settings.listen).await?;
        let token_url = settings
            .token_url
            .clone()
            .unwrap_or_else(|| format!("{}/oauth/token", base_url(addr)));
        let world = World::new(settings, token_url)?;
        let server = Server::start(listener, router(Arc::clone(&world)));
        Ok(Self {
            addr,
            world,
            server: Mutex::new(Some(server)),
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:9090`, without a slash at the end: `platform.base_url`.
    pub fn base_url(&self) -> String {
        base_url(self.addr)
    }

    /// What a JWT's `aud` must be.
    pub fn token_url(&self) -> &str {
        self.world.judge.token_url()
    }

    pub fn client_id(&self) -> &str {
        self.world.judge.client_id()
    }

    /// Outlives the simulator: what was received can be asked for after it has stopped.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.world))
    }

    /// Closes the listener and all connections, so that callers are refused. What it knows stays.
    pub async fn stop(&self) {
        let server = world::lock(&self.server).take();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    /// Listens again, on the same address, as if the platform had come back.
    pub async fn listen_again(&self) -> Result<(), Error> {
        self.stop().await;
        let (listener, _) = listen(self.addr).await?;
        let server = Server::start(listener, router(Arc::clone(&self.world)));
        *world::lock(&self.server) = Some(server);
        Ok(())
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Where it listens on all addresses, the loopback one stands for them.
fn base_url(addr: SocketAddr) -> String {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, addr.port()))
}

const ELSEWHERE: Endpoint = Endpoint {
    operation: Operation::Other,
    glance: |_, _| Glance::default(),
    effect: |_, _| Done::from(Answer::not_found("The API has no such path.")),
};

fn router(world: Arc<World>) -> Router {
    let elsewhere = async |State(world): State<Arc<World>>, request: Request| -> Response {
        ELSEWHERE.visit(world, None, request).await
    };
    let routes = match world.settings.api {
        Api::Interactions => interactions::routes(),
        Api::Conversations => conversations::routes(),
    };
    routes
        .fallback(elsewhere)
        .method_not_allowed_fallback(elsewhere)
        .nest("/control", control_api::routes())
        .with_state(world)
}

#[cfg(test)]
mod tests;
