//! Asks the platform, for nobody's sake, while a breaker is open.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::breaker::{Duty, refuses};
use super::worker::Worker;
use crate::platform::Failure;

/// Runs until told to close: does what the breakers' duty is, when it is.
pub(super) async fn run(worker: Arc<Worker>, closing: CancellationToken) {
    loop {
        let duty = worker.gate.duty();
        let due = match duty {
            Duty::Rest => None,
            Duty::ProbeAt(at) | Duty::RenewAt(at) => Some(at),
        };
        // Both wait only, so losing the race loses nothing.
        tokio::select! {
            () = closing.cancelled() => return,
            () = worker.gate.duty_changed() => {
                if due.is_none_or(|at| at > Instant::now()) {
                    continue;
                }
            }
            () = sleep_until(due) => {}
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = fulfil(&worker, duty) => {}
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn fulfil(worker: &Worker, duty: Duty) {
    match duty {
        Duty::Rest => {}
        Duty::ProbeAt(_) => {
            let outcome = worker.platform.probe().await;
            let owed =
                worker
                    .gate
                    .probed(outcome.as_ref().copied(), rand::random(), Instant::now());
            worker.refund(owed).await;
        }
        Duty::RenewAt(_) => {
            let outcome = match worker.platform.renew_token().await {
                Ok(()) => worker.platform.probe().await,
                Err(failure) => Err(Failure::Token(failure)),
            };
            match &outcome {
                Ok(()) => {}
                Err(failure) if refuses(failure) => {
                    tracing::warn!(error = %failure, "the platform still refuses this client");
                }
                Err(failure) => {
                    tracing::warn!(error = %failure, "it could not be tried whether the platform still refuses this client");
                }
            }
            worker
                .gate
                .renewed(outcome.as_ref().copied(), Instant::now());
        }
    }
}
