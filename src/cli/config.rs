//! `wrapup config`: what is in force, and where each value came from.

use std::io::Write;
use std::path::Path;

use super::Exit;
use crate::config::Secrets;

/// Print the configuration in force, secrets as their origin.
///
/// Shows every key with its value after defaults, file and environment, and where the value came from; of a source
/// what the file says, to which its preset adds what `wrapup sources` shows. The output is TOML (or JSON) that could be
/// read again, apart from secrets that were written out.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  WRAPUP__DELIVERY__MODE=shadow wrapup config\n  wrapup config --json | jq .config.server"
)]
pub(super) struct Args {
    /// As JSON: `config` holds the values, `from` where those that are no defaults came from.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let effective = super::load(file, Secrets::Wanted)?.effective;
    let text = if args.json {
        let mut text = serde_json::to_string_pretty(&effective.to_json()?)?;
        text.push('\n');
        text
    } else {
        effective.to_toml()?
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
