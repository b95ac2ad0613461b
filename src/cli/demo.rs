//! `wrapup demo`: the whole way of a survey, to be watched, with nothing but this binary.
//!
//! Starts the simulator and the service with a store in a temporary folder, posts signed surveys of every kind (good,
//! duplicate, forged, unreadable, and two that meet trouble on the platform), and shows each until its wrap-up code is
//! on the interaction. What is shown is what the simulator received, not what the service says of itself.
//! With `--target` it posts the same kinds to a service that runs elsewhere, and shows its answers.

mod sample;
mod show;
mod stage;
mod target;

use std::time::Duration;

use super::Exit;
use super::serve::Stop;
use crate::simulator::Api;
use show::Show;
use stage::Stage;

/// How long the whole first round may take; on a machine at work it takes a few seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two surveys after the first round.
const EVERY: Duration = Duration::from_secs(2);

/// Show surveys becoming wrap-up codes, on a simulated platform, without an account anywhere.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wrapup demo\n  wrapup demo --once\n  wrapup demo --api conversations\n  \
                        wrapup --config config/demo/wrapup.toml demo --target http://127.0.0.1:8080 --rate 2"
)]
pub(super) struct Args {
    /// End when the first surveys are done: 0 if all came out as expected, else 1.
    #[arg(long, conflicts_with = "target")]
    once: bool,
    /// The platform's API: `interactions` or `conversations`.
    #[arg(
        long,
        value_name = "API",
        default_value = "interactions",
        conflicts_with = "target"
    )]
    api: Api,
    /// Post to a service that runs already, signed with the first source of the configuration.
    #[arg(long, value_name = "URL", value_parser = super::given::address)]
    target: Option<String>,
    /// Surveys a second for --target, from 0.001 to 100.
    #[arg(long, default_value_t = 1.0, requires = "target", value_parser = rate)]
    rate: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0.001 to 100".to_owned()),
    }
}

/// Runs until the first surveys are done (`--once`) or until it is told to stop.
pub(super) async fn run(config: &std::path::Path, args: Args) -> anyhow::Result<Exit> {
    let mut stop = Stop::listen()?;
    // The lines of the demo say what goes on; RUST_LOG shows the service's own as well.
    crate::telemetry::init("error")?;
    if let Some(target) = args.target {
        return target::run(config, &target, args.rate, &mut stop).await;
    }
    let stage = Stage::build(args.api).await?;
    let mut show = Show::new();
    Show::opening(&stage)?;
    let as_expected = tokio::select! {
        done = tokio::time::timeout(PATIENCE, first_round(&stage, &mut show)) => if let Ok(done) = done { done? } else {
            show::line("not every survey was done in time")?;
            false
        },
        () = stop.told() => {
            stage.strike().await;
            // Whoever wants to know whether all came out as expected does not know it.
            return Ok(if args.once { Exit::Failed } else { Exit::Ok });
        }
    };
    show.summary(&stage)?;
    if !args.once {
        show::line("One more survey every 2 s from here on; Ctrl-C ends it.")?;
        tokio::select! {
            ended = go_on(&stage, &mut show) => ended?,
            () = stop.told() => {}
        }
    }
    stage.strike().await;
    Ok(if as_expected { Exit::Ok } else { Exit::Failed })
}

/// Every sample once; true if each came out as it says it should.
async fn first_round(stage: &Stage, show: &mut Show) -> anyhow::Result<bool> {
    let mut all = true;
    for sample in sample::all() {
        let row = show.begin(&sample);
        let result = stage.play(&sample).await?;
        all &= result.as_expected;
        show.end(row, &sample, &result)?;
    }
    Ok(all)
}

async fn go_on(stage: &Stage, show: &mut Show) -> anyhow::Result<()> {
    let mut turn = tokio::time::interval(EVERY);
    loop {
        turn.tick().await;
        let sample = sample::random();
        let row = show.begin(&sample);
        let result = stage.play(&sample).await?;
        show.end(row, &sample, &result)?;
    }
}
