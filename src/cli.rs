//! The command line: what can be asked for, and what the exit code says.
//!
//! Data goes to stdout, everything else to stderr. Each command lives in a module of its own, which says what its
//! arguments mean; here they are only named and called.

mod check;
mod codes;
mod config;
mod deliveries;
mod demo;
mod file;
mod given;
mod healthcheck;
mod rules;
mod serve;
mod sign;
mod simulate;
mod sources;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Loaded, Problems, Secrets};
use crate::intake::SignError;
use crate::{store, telemetry};

/// What the exit code says: 0 and 1 as everywhere, the others as in `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// The check or a case failed.
    Failed,
    /// The command line cannot be understood, or names what there is not.
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
        if error.is::<Problems>() || error.is::<telemetry::BadSetting>() {
            return Self::Config;
        }
        if error.is::<given::Misnamed>() {
            return Self::Usage;
        }
        if let Some(error) = error.downcast_ref::<SignError>() {
            return Self::of_signing(error);
        }
        if let Some(error) = error.downcast_ref::<store::Error>() {
            return Self::of_store(error);
        }
        let io = error.downcast_ref::<std::io::Error>();
        let json = error.downcast_ref::<serde_json::Error>();
        let kind = io
            .map(std::io::Error::kind)
            .or_else(|| json?.io_error_kind());
        // Whoever read our output has seen enough.
        if kind == Some(std::io::ErrorKind::BrokenPipe) {
            Self::Ok
        } else {
            Self::Failed
        }
    }

    fn of_signing(error: &SignError) -> Self {
        match error {
            SignError::Secret | SignError::PathToken => Self::Config,
            SignError::NoSuchSecret { .. }
            | SignError::Id
            | SignError::NoPrivateKey(_)
            | SignError::PrivateKey
            | SignError::AnotherKey(_) => Self::Usage,
        }
    }

    fn of_store(error: &store::Error) -> Self {
        match error {
            store::Error::Newer(_) => Self::Config,
            _ => Self::Unavailable,
        }
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
    /// The configuration file; keys outside `[[source]]` can be set by environment, as `WRAPUP__SECTION__KEY`.
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
    Sources(sources::Args),
    Sign(sign::Args),
    Deliveries(deliveries::Args),
    Codes(codes::Args),
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
            return match help_or_error.print() {
                Ok(()) if asked_for => Exit::Ok.into(),
                Err(cause) if asked_for => failed(&cause.into()),
                _ => Exit::Usage.into(),
            };
        }
    };
    match run(cli).await {
        Ok(exit) => exit.into(),
        Err(error) => failed(&error),
    }
}

/// Says what went wrong, unless nobody reads on, and what that means.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let exit = Exit::of(error);
    if exit != Exit::Ok {
        // Should nobody listen, the exit code still tells.
        drop(writeln!(std::io::stderr(), "{error:#}"));
    }
    exit.into()
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let file = cli.config;
    match cli.command {
        Command::Serve(args) => serve::run(&file, &args).await,
        Command::Check(args) => check::run(&file, &args).await,
        Command::Config(args) => config::run(&file, &args),
        Command::Rules(args) => rules::run(&file, &args).await,
        Command::Sources(args) => sources::run(&file, &args),
        Command::Sign(args) => sign_with(&file, &args),
        Command::Deliveries(args) => deliveries::run(&file, args).await,
        Command::Codes(args) => codes::run(&file, &args).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Demo(args) => demo::run(&file, args).await,
        Command::Healthcheck(args) => healthcheck::run(&file, &args).await,
    }
}

/// Signing needs the secrets of one source, and none of the others.
fn sign_with(file: &Path, args: &sign::Args) -> anyhow::Result<Exit> {
    let loaded = load(file, Secrets::Wanted)?;
    let sources = &loaded.config.sources;
    let index = sources
        .iter()
        .position(|source| source.name.as_str() == args.source);
    if let Some(index) = index {
        let key = format!("source[{index}].");
        let missing = loaded.stand_ins.into_iter();
        let missing: Vec<_> = missing
            .filter(|secret| secret.key.starts_with(&key))
            .collect();
        if !missing.is_empty() {
            return Err(Problems::new(missing).into());
        }
    }
    let base = format!("http://{}", reachable(loaded.config.server.listen));
    sign::run(sources.iter().map(|source| &**source), &base, args)
}

/// The configuration in force for this process.
fn load(file: &Path, secrets: Secrets) -> Result<Loaded, Problems> {
    crate::config::load(file, crate::config::variables(), secrets)
}

/// An address that a listener can be reached at from this machine, whatever it listens on.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, reachable};

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

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_machine() {
        for (listen, reached) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:8081", "[::1]:8081"),
            ("10.0.0.1:8081", "10.0.0.1:8081"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
