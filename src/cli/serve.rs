//! `wrapup serve`: the service, until a signal ends it.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::service::Service;

/// SIGTERM and SIGINT, listened for from before anything is started.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next of either.
    pub async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs the started service until it is told to stop, or stops by itself. A second signal ends it at once with 1,
/// which is safe: nothing that was answered is lost.
pub async fn until_told(service: Service, mut stop: Stop) -> ExitCode {
    let draining = service.lifecycle.draining.clone();
    tokio::select! {
        () = stop.told() => {}
        () = draining.cancelled() => {}
    }
    tokio::select! {
        ended = service.shutdown() => match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        () = stop.told() => {
            tracing::warn!("a second signal: ending at once");
            ExitCode::FAILURE
        }
    }
}
