//! `wrapup simulate`: a stand-in for the platform on a port of this machine, until it is told to end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
use crate::simulator::{Api, DEMO_CLIENT_SECRET, Error, Limit, Settings, Simulator, Unknown};
use crate::units::Span;

/// Where it listens if nobody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// Stand in for the contact-centre platform, to develop and rehearse against.
///
/// Speaks the Interaction API or the conversations API, with tokens, codes, interactions and a strict rate limit.
/// Prints what to set in wrapup.toml to use it. What shall go wrong is told by a script or, at run time, under
/// /control.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wrapup simulate --limit 100/1s
  wrapup simulate --api conversations
  curl -X POST localhost:9090/control/faults -H 'content-type: application/json' \\
       -d '{\"on\": \"assign\", \"times\": 3, \"status\": 503}'
  curl localhost:9090/control/received?code=WU_PROMPT_SUCCESS")]
pub(super) struct Args {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Settings, interactions, codes and faults to start with (TOML, or JSON where it is called .json); the options
    /// below go before it
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// The API to speak: `interactions` or `conversations` [default: interactions]
    #[arg(long, value_name = "API")]
    api: Option<Api>,
    /// Calls let through in any such time, or `off` [default: 100/1s, for conversations 300/1m]
    #[arg(long, value_name = "N/TIME")]
    limit: Option<Limit>,
    /// What a JWT's `aud` must be, where callers know this machine by another name [default: /oauth/token at the
    /// address]
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// PEM file with the public key of the client [default: the demo key, which is no secret]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// The client that may ask for tokens [default: demo-client]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The secret of that client, for the client credentials grant [default: the demo secret, which is none]
    #[arg(long, value_name = "SECRET")]
    client_secret: Option<String>,
    /// How long a token lives [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    token_lifetime: Option<Duration>,
    /// What an interaction is that nobody told of: `completed` or `not-found` [default: completed]
    #[arg(long, value_name = "WHAT")]
    unknown: Option<Unknown>,
}

/// Runs until SIGINT or SIGTERM.
pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    crate::telemetry::init("info")?;
    // Asked for before anything is told, so that a supervisor's signal is never missed.
    let mut terminated = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let demo_key = args.public_key.is_none();
    let settings = match settings(args).await {
        Ok(settings) => settings,
        Err(cause) => return fail(&cause, Exit::Config),
    };
    let demo_key = demo_key && settings.public_key == Settings::default().public_key;
    let told = Told {
        api: settings.api,
        limit: settings.limit(),
        demo_key,
        demo_secret: settings.client_secret == DEMO_CLIENT_SECRET,
    };
    let simulator = match Simulator::start(settings).await {
        Ok(simulator) => simulator,
        Err(error) => {
            let exit = match error {
                Error::Listen { .. } => Exit::Unavailable,
                Error::Key(_) | Error::Script(_) => Exit::Config,
            };
            return fail(&error.into(), exit);
        }
    };
    let told = instructions(&simulator, &told);
    let mut stdout = std::io::stdout();
    stdout.write_all(told.as_bytes())?;
    stdout.flush()?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("signals cannot be received")?,
        _ = terminated.recv() => {}
    }
    simulator.stop().await;
    Ok(Exit::Ok)
}

fn fail(cause: &anyhow::Error, exit: Exit) -> anyhow::Result<Exit> {
    writeln!(std::io::stderr(), "wrapup simulate: {cause:#}")?;
    Ok(exit)
}

/// The script, with the options over it.
async fn settings(args: Args) -> anyhow::Result<Settings> {
    let mut settings = match &args.script {
        None => Settings::default(),
        Some(path) => Settings::from_file(path)
            .await
            .with_context(|| format!("script {}", path.display()))?,
    };
    if let Some(listen) = args.listen {
        settings.listen = listen;
    } else if settings.listen == Settings::default().listen {
        settings.listen = LISTEN;
    }
    if let Some(path) = &args.public_key {
        settings.public_key = tokio::fs::read_to_string(path)
            .await
            .with_context(|| format!("public key {} cannot be read", path.display()))?;
    }
    settings.api = args.api.unwrap_or(settings.api);
    settings.client_secret = args.client_secret.unwrap_or(settings.client_secret);
    if let Some(limit) = args.limit {
        settings.limit = Some(limit);
    }
    if let Some(id) = args.client_id {
        settings.client_id = id;
    }
    if let Some(lifetime) = args.token_lifetime {
        settings.token_lifetime = Span(lifetime);
    }
    if let Some(unknown) = args.unknown {
        settings.unknown = unknown;
    }
    settings.token_url = args.token_url.or(settings.token_url);
    Ok(settings)
}

/// What the instructions depend on, beside the address.
struct Told {
    api: Api,
    limit: Limit,
    demo_key: bool,
    demo_secret: bool,
}

/// TOML to paste into wrapup.toml; all that is not a setting is a comment.
fn instructions(simulator: &Simulator, of: &Told) -> String {
    let base_url = simulator.base_url();
    // Callers that know this machine by another name reach everything by it, not only the token.
    let url = simulator.token_url();
    let base_url = url.strip_suffix("/oauth/token").unwrap_or(&base_url);
    let client_id = simulator.client_id();
    let (api, grant) = match of.api {
        Api::Interactions => ("interactions", "jwt-bearer"),
        Api::Conversations => ("conversations", "client-credentials"),
    };
    let proof = match (of.api, of.demo_key, of.demo_secret) {
        (Api::Interactions, true, _) => {
            "private_key = { file = \"demo/demo-client.pem\" }   # relative to wrapup.toml; published, for demos only"
                .to_owned()
        }
        (Api::Interactions, false, _) => {
            "private_key = { file = \"...\" }   # the private half of the key given to the simulator"
                .to_owned()
        }
        (Api::Conversations, _, true) => {
            format!("client_secret = {{ value = {DEMO_CLIENT_SECRET:?} }}   # published, for demos only")
        }
        (Api::Conversations, _, false) => {
            "client_secret = { env = \"...\" }   # the secret given to the simulator".to_owned()
        }
    };
    let mut told = format!(
        "# The simulator answers at {base_url}. In wrapup.toml:\n\
         [platform]\n\
         api = {api:?}\n\
         base_url = {base_url:?}\n\
         [platform.auth]\n\
         grant = {grant:?}\n\
         client_id = {{ value = {client_id:?} }}\n\
         {proof}\n"
    );
    let limited = match of.limit {
        Limit::Off => "# The rate limit is off.\n".to_owned(),
        Limit::Window { requests, per } => format!(
            "[platform.rate_limit]\nrequests = {requests}\nper = \"{}\"\n",
            humantime::format_duration(per)
        ),
    };
    writeln!(
        told,
        "{limited}# What it got: {base_url}/control/received and /control/stats; what else it can do: {base_url}/control"
    )
    .expect("writing to memory does not fail");
    told
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &[&str]) -> Args {
        let line = std::iter::once("simulate").chain(line.iter().copied());
        Line::try_parse_from(line).unwrap().args
    }

    #[tokio::test]
    async fn options_go_before_the_script_and_the_script_before_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script.toml");
        std::fs::write(&script, "limit = '7/1s'\nclient_id = 'scripted'\n").unwrap();
        let script = script.to_str().unwrap();
        let got = settings(args(&["--script", script, "--limit", "off"]))
            .await
            .unwrap();
        assert_eq!((got.limit(), &*got.client_id), (Limit::Off, "scripted"));
        assert_eq!(got.listen, LISTEN);
        std::fs::write(script, "limits = 'off'").unwrap();
        let error = settings(args(&["--script", script])).await.unwrap_err();
        assert!(format!("{error:#}").contains("limits"), "{error:#}");
    }

    #[tokio::test]
    async fn what_it_prints_is_toml_that_points_back_to_it() {
        let line = args(&[
            "--listen",
            "127.0.0.1:0",
            "--token-url",
            "http://sim:9090/oauth/token",
        ]);
        let settings = settings(line).await.unwrap();
        let mut of = Told {
            api: settings.api,
            limit: settings.limit(),
            demo_key: true,
            demo_secret: true,
        };
        let simulator = Simulator::start(settings).await.unwrap();
        let parsed: toml::Table = instructions(&simulator, &of).parse().unwrap();
        assert_eq!(
            parsed["platform"]["base_url"].as_str(),
            Some("http://sim:9090")
        );
        assert_eq!(
            parsed["platform"]["rate_limit"]["requests"].as_integer(),
            Some(100)
        );
        of.api = Api::Conversations;
        let parsed: toml::Table = instructions(&simulator, &of).parse().unwrap();
        assert_eq!(parsed["platform"]["api"].as_str(), Some("conversations"));
        assert_eq!(
            parsed["platform"]["auth"]["client_secret"]["value"].as_str(),
            Some(DEMO_CLIENT_SECRET)
        );
    }

    #[tokio::test]
    async fn each_api_comes_with_its_own_limit_unless_told_otherwise() {
        for (line, limit) in [
            (&["--api", "conversations"][..], "300/1m"),
            (&["--api", "conversations", "--limit", "off"], "off"),
            (&[], "100/1s"),
        ] {
            let settings = settings(args(line)).await.unwrap();
            assert_eq!(settings.limit().to_string(), limit);
        }
    }
}
