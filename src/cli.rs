//! The command line: what can be asked for, and what the exit code says.
//!
//! Data goes to stdout, everything else to stderr. Each command lives in a module of its own, which says what its
//! arguments mean; here they are only named and called.

mod check;
mod config;
mod demo;
mod healthcheck;
mod rules;
mod serve;
mod sign;
mod simulate;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Loaded, Problems};

/// What the exit code says: 0 and 1 as everywhere, the others as in `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// The check or a case failed.
    Failed,
    /// The command line cannot be understood.
    Usage,
    /// Something that is needed is not there now; trying again later may help.
    Unavailable,
    /// The configuration is wrong; trying again does not help.
    Config,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Config => 78,
        }
    }

    /// What an error that a command did not judge itself means.
    fn of(error: &anyhow::Error) -> Self {
        if error.is::<Problems>() {
            return Self::Config;
        }
        let closed = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe);
        // Whoever read our output has seen enough.
        if closed { Self::Ok } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Turns post-call survey answers into wrap-up codes on contact-centre interactions.
#[derive(Debug, Parser)]
#[command(
    name = "wrapup",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 ok, 1 the check or a case failed, 64 usage, 69 something needed is unavailable, \
                  78 configuration.\n\nExample:\n  wrapup --config config/wrapup.toml check"
)]
struct Cli {
    /// The configuration file; keys outside [[source]] can be set by environment, as WRAPUP__SECTION__KEY.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "WRAPUP_CONFIG",
        hide_env_values = true,
        default_value = "config/wrapup.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Check(check::Args),
    Config(config::Args),
    Rules(rules::Args),
    Sign(sign::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
    Healthcheck(healthcheck::Args),
}

/// Parses, runs, and says how it went.
pub async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_error) => {
            let asked_for = !help_or_error.use_stderr();
            let printed = help_or_error.print();
            return match (asked_for, printed) {
                (true, Ok(())) => Exit::Ok.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    match run(cli).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = Exit::of(&error);
            if exit != Exit::Ok && writeln!(std::io::stderr(), "{error:#}").is_err() {
                // Nobody listens; the exit code still tells.
                return exit.into();
            }
            exit.into()
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let file = cli.config;
    match cli.command {
        Command::Serve(args) => serve::run(&file, &args).await,
        Command::Check(args) => check::run(&file, &args),
        Command::Config(args) => config::run(&file, &args),
        Command::Rules(args) => rules::run(&file, &args),
        Command::Sign(args) => {
            let config = load(&file)?.config;
            let base = config.server.public_url.clone().unwrap_or_else(|| reachable(config.server.listen));
            sign::run(config.sources.iter().map(AsRef::as_ref), &base, &args)
        }
        Command::Simulate(args) => simulate::run(args).await,
        Command::Demo(args) => demo::run(&file, args).await,
        Command::Healthcheck(args) => healthcheck::run(&file, &args).await,
    }
}

/// Where a listener can be reached from this machine.
fn reachable(listen: std::net::SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        format!("http://localhost:{}", listen.port())
    } else {
        format!("http://{listen}")
    }
}

/// The configuration in force for this process.
fn load(file: &Path) -> Result<Loaded, Problems> {
    crate::config::load(file, crate::config::variables())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string);
            let parent = command.get_subcommands().next().is_some();
            assert!(
                parent || help.is_some_and(|help| help.contains("Example")),
                "{}",
                command.get_name()
            );
            command.get_subcommands().for_each(check);
        }
        Cli::command().debug_assert();
        check(&Cli::command());
    }
}
