//! The demo's surveys against a service that runs elsewhere: for containers, and for trying an installation out.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::sample::{self, Sample};
use super::show::line;
use super::stage::post;
use crate::cli::Exit;
use crate::cli::serve::Stop;
use crate::config::Secrets;

/// One in so many surveys is of a kind that must be refused or recognised.
const ODD_ONE_IN: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts until it is told to stop. A service that is not there is told of and tried again.
pub(super) async fn run(
    config: &Path,
    target: &str,
    rate: f64,
    stop: &mut Stop,
) -> anyhow::Result<Exit> {
    let loaded = crate::cli::load(config, Secrets::Needed)?;
    let source = loaded
        .config
        .sources
        .first()
        .context("the configuration has no source")?;
    let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let mut turn = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    let mut last = sample::random();
    for n in 1_usize.. {
        tokio::select! {
            _ = turn.tick() => {}
            () = stop.told() => break,
        }
        let sample = if n.is_multiple_of(ODD_ONE_IN) {
            odd(&last)
        } else {
            sample::random()
        };
        match post(&http, source, target.trim_end_matches('/'), &sample).await {
            Ok(answer) => {
                let rule = answer.rule.as_deref().unwrap_or("-");
                let code = answer.code.as_deref().unwrap_or("-");
                line(&format!(
                    "{:<26} {} {:<20} {rule:<16} {code}",
                    sample.title, answer.status, answer.said
                ))?;
            }
            Err(error) => line(&format!("{:<26} no answer: {error:#}", sample.title))?,
        }
        last = sample;
    }
    Ok(Exit::Ok)
}

/// The last survey again, a forged one or an unreadable one, by chance.
fn odd(last: &Sample) -> Sample {
    let mut odd: Vec<_> = sample::all()
        .into_iter()
        .filter(|sample| matches!(sample.status, 401 | 422))
        .collect();
    odd.push(Sample {
        title: "the same survey again",
        ..last.clone()
    });
    odd.swap_remove(rand::random_range(0..odd.len()))
}
