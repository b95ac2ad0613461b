//! `wrapup serve`: the service, until a signal ends it.

use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;
use crate::clock::Clock;
use crate::config::Secrets;
use crate::service::{self, Service};
use crate::{store, telemetry};

/// Run the service until SIGTERM or SIGINT.
///
/// Rules and secrets are read again on SIGHUP. Logs go to stderr: `WRAPUP_LOG_FORMAT` is `text` or `json`, `RUST_LOG`
/// filters. Exits with 78 on a wrong configuration, with 69 where the store or an address is not to be had.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wrapup --config /etc/wrapup/wrapup.toml serve")]
pub(super) struct Args {}

/// SIGTERM and SIGINT, listened for from before anything is started.
#[derive(Debug)]
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    /// Held, because what nobody listens for would end the process: SIGHUP while it waits for the store, say, and
    /// SIGXFSZ where a file may grow no further, which is trouble of the store like any other.
    _held: [Signal; 2],
}

/// `SIGXFSZ`, which `tokio` has no name for.
const FILE_TOO_LARGE: i32 = 25;

impl Stop {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _held: [
                signal(SignalKind::hangup())?,
                signal(SignalKind::from_raw(FILE_TOO_LARGE))?,
            ],
        })
    }

    /// The next of either.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

pub(super) async fn run(file: &Path, _: &Args) -> anyhow::Result<Exit> {
    let mut stop = Stop::listen()?;
    telemetry::init("info")?;
    let loaded = super::load(file, Secrets::Needed)?;
    let rules = loaded.config.read_rules()?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for warning in rules.warnings() {
        tracing::warn!("{}: {warning}", loaded.config.rules.file.display());
    }
    for case in rules.run_cases().iter().filter(|case| !case.passed) {
        // No service stays down at night for a case; `check` and a reload are stricter.
        tracing::warn!(case = %case.name, expected = %case.expected, got = %case.got, "a case of the rules fails");
    }
    // A start may wait long, for another server to let go of the store. To give it up leaves nothing half done: what
    // was opened is closed by its drop.
    let started = tokio::select! {
        started = Service::start(loaded, rules, Clock::system()) => started,
        () = stop.told() => {
            tracing::info!("told to stop before it was up");
            return Ok(Exit::Ok);
        }
    };
    match started {
        Ok(service) => Ok(until_told(service, stop).await),
        Err(error) => {
            let exit = exit_of(&error);
            tracing::error!(error = %telemetry::chain(&error), "the service cannot start");
            Ok(exit)
        }
    }
}

fn exit_of(error: &service::Error) -> Exit {
    match error {
        service::Error::Store(store::Error::Newer(_)) | service::Error::Platform(_) => Exit::Config,
        service::Error::Store(_) | service::Error::Http(_) => Exit::Unavailable,
    }
}

/// Runs the started service until it is told to stop, or stops by itself. A second signal ends it at once with 1,
/// which is safe: nothing that was answered is lost.
async fn until_told(service: Service, mut stop: Stop) -> Exit {
    let draining = service.lifecycle.draining.clone();
    tokio::select! {
        () = stop.told() => {}
        () = draining.cancelled() => {}
    }
    tokio::select! {
        ended = service.shutdown() => match ended {
            Ok(()) => Exit::Ok,
            Err(_) => Exit::Failed,
        },
        () = stop.told() => {
            tracing::warn!("a second signal: ending at once");
            Exit::Failed
        }
    }
}
