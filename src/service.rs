//! The composition root: builds the service from its configuration, runs it, and ends it in order.
//!
//! Order of the end (DESIGN section 9): `/readyz` says 503; webhooks are still taken for `shutdown_delay`; listeners
//! close and leasing stops; calls on the wire get `shutdown_grace`; the store commits what it holds and closes.

mod gauges;
mod readiness;
mod reload;
mod room;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::codes::Codes;
use crate::config::{Config, Loaded};
use crate::delivery::{self, Breakers};
use crate::http::server::Server;
use crate::intake::Source;
use crate::lifecycle::Lifecycle;
use crate::metrics::Registry;
use crate::platform::pacer::Pacer;
use crate::rules::RuleSet;
use crate::store::Store;
use crate::store::sqlite::{Role, SqliteStore};
use crate::{http, platform, store};

/// For aborted tasks to see that the grace period is over.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The code book counts as stale after so many missed refreshes.
const STALE_AFTER_REFRESHES: u32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Platform(#[from] platform::Error),
    #[error(transparent)]
    Http(#[from] http::server::Error),
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// Where webhooks are taken.
    pub public: SocketAddr,
    /// Where operators look.
    pub admin: SocketAddr,
    pub lifecycle: Lifecycle,
    pub store: Arc<dyn Store>,
    pub registry: Registry,
    shutdown_delay: Duration,
    shutdown_grace: Duration,
}

impl Service {
    /// Opens the store, binds both listeners and starts every task. Nothing is half started on an error: what was
    /// opened is closed by its drop.
    pub async fn start(loaded: Loaded, rules: RuleSet, clock: Clock) -> Result<Self, Error> {
        let Loaded {
            config, secrets, ..
        } = loaded;
        let registry = Registry::new().with_process();
        let lifecycle = Lifecycle::new();
        let opening = SqliteStore::open(
            config.store.clone(),
            config.delivery.repeat,
            Role::Server,
            &clock,
            &registry,
        );
        let store: Arc<dyn Store> = Arc::new(opening.await?);
        // After the store: a server that waits for another to let go of it may want that one's addresses, too, and
        // must not keep clients waiting in the meantime.
        let (public, admin) = bind(&config).await?;
        let (public_addr, admin_addr) = (public.local_addr(), admin.local_addr());
        let wake = Arc::new(Notify::new());
        let back = start_back_office(&config, &store, &wake, &clock, &lifecycle, &registry).await?;

        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let rules_trouble = Arc::new(ArcSwapOption::empty());
        let reload = reload::Parts {
            secrets,
            config: config.clone(),
            rules: Arc::clone(&rules),
            trouble: Arc::clone(&rules_trouble),
            metrics: reload::Metrics::new(&registry),
            closing: lifecycle.closing.clone(),
        };
        lifecycle.spawn("reload", reload::run(reload));

        let front = Front {
            config: &config,
            store: &store,
            wake,
            rules,
            rules_trouble,
            clock,
        };
        front.open(public, admin, back, &lifecycle, &registry);
        tracing::info!(public = %public_addr, admin = %admin_addr, platform = %config.platform.base_url,
            organisation = config.platform.org_id.as_deref(), store = %config.store.path.display(), "listening");
        Ok(Self {
            public: public_addr,
            admin: admin_addr,
            lifecycle,
            store,
            registry,
            shutdown_delay: config.server.shutdown_delay,
            shutdown_grace: config.server.shutdown_grace,
        })
    }

    /// Ends the service in order. Answers why it ended by itself, if it did.
    pub async fn shutdown(self) -> Result<(), String> {
        let lifecycle = &self.lifecycle;
        let by_itself = lifecycle.failure().is_some();
        lifecycle.draining.cancel();
        if !by_itself {
            tracing::info!(delay = ?self.shutdown_delay, "shutting down: webhooks are still taken");
            tokio::time::sleep(self.shutdown_delay).await;
        }
        lifecycle.closing.cancel();
        if tokio::time::timeout(self.shutdown_grace, lifecycle.finished())
            .await
            .is_err()
        {
            tracing::warn!(
                "the grace period is over; what is on the wire is looked at after the next start"
            );
            lifecycle.stopped.cancel();
            if tokio::time::timeout(LAST_WORDS, lifecycle.finished())
                .await
                .is_err()
            {
                tracing::error!("some tasks did not end; the process ends without them");
            }
        }
        self.store.close().await;
        tracing::info!("shut down");
        lifecycle
            .failure()
            .map_or(Ok(()), |why| Err(why.to_owned()))
    }
}

/// The public listener and the admin's, not accepting yet.
async fn bind(config: &Config) -> Result<(Server, Server), http::server::Error> {
    let limits = http::server::Limits::from(&config.server);
    let public = Server::bind(config.server.listen, limits).await?;
    let admin = Server::bind(config.admin.listen, limits).await?;
    Ok((public, admin))
}

/// What takes webhooks and answers operators.
struct Front<'a> {
    config: &'a Config,
    store: &'a Arc<dyn Store>,
    wake: Arc<Notify>,
    rules: Arc<ArcSwap<RuleSet>>,
    rules_trouble: Arc<ArcSwapOption<String>>,
    clock: Clock,
}

impl Front<'_> {
    /// Serves both listeners as parts of the service.
    fn open(
        self,
        public: Server,
        admin: Server,
        back: BackOffice,
        lifecycle: &Lifecycle,
        registry: &Registry,
    ) {
        let config = self.config;
        let gauges = gauges::Gauges::new(self.store, &back, self.clock.clone(), registry);
        let room = room::Room::new(self.store, &config.store);
        let watching = Arc::clone(&room).watch(lifecycle.closing.clone());
        lifecycle.spawn("room in the store", watching);
        let facts = readiness::Facts {
            lifecycle: lifecycle.clone(),
            store: Arc::clone(self.store),
            back,
            clock: self.clock.clone(),
            mode: config.delivery.mode,
            book_stale_after: config.codes.refresh_every * STALE_AFTER_REFRESHES,
            rules_trouble: self.rules_trouble,
            room,
        };
        let health = http::Health {
            readiness: Arc::new(facts),
            registry: registry.clone(),
            scrape: Arc::new(gauges),
        };
        let named = |source: &Arc<Source>| (source.name.clone(), Arc::clone(source));
        let intake = http::Intake {
            sources: config.sources.iter().map(named).collect(),
            rules: self.rules,
            store: Arc::clone(self.store),
            clock: self.clock,
            wake: self.wake,
            lifecycle: lifecycle.clone(),
            closing: lifecycle.closing.clone(),
            limits: http::webhook::Limits::from(&config.server),
        };
        let webhooks = http::public_router(intake, health.clone(), registry);
        let serve = |server: Server, router| {
            server.serve(router, lifecycle.closing.clone(), lifecycle.clone())
        };
        lifecycle.spawn("public listener", serve(public, webhooks));
        lifecycle.spawn("admin listener", serve(admin, http::admin_router(health)));
    }
}

/// What delivers, as the front sees it.
#[derive(Clone, Debug)]
struct BackOffice {
    pacer: Pacer,
    codes: Codes,
    breakers: Breakers,
}

/// Pacer, platform, code book and delivery, all running.
async fn start_back_office(
    config: &Config,
    store: &Arc<dyn Store>,
    wake: &Arc<Notify>,
    clock: &Clock,
    lifecycle: &Lifecycle,
    registry: &Registry,
) -> Result<BackOffice, Error> {
    let memory = Arc::new(delivery::StoredPause(Arc::clone(store)));
    let pacer = Pacer::new(
        &config.platform.rate_limit,
        clock.clone(),
        Some(memory),
        registry,
    );
    if let Some(until) = store.saved_pause().await? {
        pacer.resume_from(until);
    }
    let platform = platform::connect(
        config.platform.clone(),
        pacer.clone(),
        clock.clone(),
        registry,
    )?;
    let breakers = Breakers::new();
    let codes = Codes::new(
        config.codes.clone(),
        Arc::clone(&platform),
        Arc::clone(store),
        clock.clone(),
        registry,
    );
    codes.restore().await;
    let parts = delivery::Parts {
        config: config.delivery.clone(),
        keep: delivery::Keep {
            retention: config.store.retention,
            remember: config.store.remember,
        },
        store: Arc::clone(store),
        platform,
        codes: codes.clone(),
        pacer: pacer.clone(),
        clock: clock.clone(),
        wake: Arc::clone(wake),
    };
    delivery::start(parts, &breakers, lifecycle, registry);
    let hears = breakers.clone();
    let refreshing = codes
        .clone()
        .run(lifecycle.clone(), move |outcome: &Result<_, _>| {
            hears.hear_codes(outcome.as_ref().map(|_| ()));
        });
    lifecycle.spawn("code book", refreshing);
    Ok(BackOffice {
        pacer,
        codes,
        breakers,
    })
}
