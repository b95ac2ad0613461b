//! Logs: one `tracing` subscriber, on stderr, as text or JSON.
//!
//! `WRAPUP_LOG_FORMAT` is `text` (default; with colours in a terminal, unless `NO_COLOR` is set) or `json`; `RUST_LOG`
//! filters (by default as the command says: `info` for `serve`). Field names come from one vocabulary: `source`,
//! `delivery.id`, `interaction.id`, `rule`, `code.name`, `code.id`, `attempt`, `http.status`, `error`. Never logged,
//! whatever the filter says: tokens, signatures, keys, answers, bodies, paths or queries of requests.

use std::error::Error;
use std::ffi::OsString;
use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Libraries through which headers and bodies pass. What they say at `trace` is not ours to vouch for. At `debug` they
/// tell of connections, which is what one may want to know of them.
const NEVER_AT_TRACE: [&str; 5] = ["hyper", "hyper_rustls", "hyper_util", "reqwest", "rustls"];
/// Quotes the values of headers it takes offence at, paths among them, at `debug`.
const NEVER_AT_DEBUG: &str = "h2";

/// What is wrong with what the variables say of logs.
#[derive(Debug, thiserror::Error)]
pub enum BadSetting {
    #[error("RUST_LOG cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("WRAPUP_LOG_FORMAT is `{0}`; it can be `text` or `json`")]
    Format(String),
    #[error("logging cannot start")]
    Start(#[from] tracing_subscriber::util::TryInitError),
}

/// Installs the subscriber. Called once, by the command that runs; says so where the filter cannot be read.
pub fn init(default_filter: &str) -> Result<(), BadSetting> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)?,
        _ => EnvFilter::new(default_filter),
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match std::env::var("WRAPUP_LOG_FORMAT").as_deref() {
        Ok("json") => lines.json().flatten_event(true).boxed(),
        Ok("text" | "") | Err(_) => lines
            .with_ansi(
                std::io::stderr().is_terminal() && allows_colours(std::env::var_os("NO_COLOR")),
            )
            .with_target(false)
            .boxed(),
        Ok(other) => return Err(BadSetting::Format(other.to_owned())),
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .with(filter_fn(is_fit_for_a_log))
        .try_init()?;
    Ok(())
}

/// As <https://no-color.org> has it.
fn allows_colours(no_color: Option<OsString>) -> bool {
    no_color.is_none_or(|value| value.is_empty())
}

fn is_fit_for_a_log(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    match *metadata.level() {
        Level::TRACE => library != NEVER_AT_DEBUG && !NEVER_AT_TRACE.contains(&library),
        Level::DEBUG => library != NEVER_AT_DEBUG,
        _ => true,
    }
}

/// An error with what caused it, in one line: errors do not repeat their sources themselves.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_is_heeded_unless_it_is_empty() {
        assert!(allows_colours(None));
        assert!(allows_colours(Some("".into())));
        assert!(!allows_colours(Some("1".into())));
    }
}
