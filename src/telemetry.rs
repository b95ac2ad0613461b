//! Logs: one `tracing` subscriber, on stderr, as text or JSON.
//!
//! `WRAPUP_LOG_FORMAT` is `text` (default) or `json`; `RUST_LOG` filters (by default as the command says: `info` for `serve`). Field names come from one
//! vocabulary: `source`, `delivery.id`, `interaction.id`, `rule`, `code.name`, `code.id`, `attempt`, `http.status`,
//! `error`. Never logged: tokens, signatures, keys, answers, bodies, paths or queries of requests.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Installs the subscriber. Called once, by the command that runs; says so where the filter cannot be read.
pub fn init(default_filter: &str) -> Result<(), String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .map_err(|cause| format!("RUST_LOG cannot be read: {cause}"))?,
        _ => EnvFilter::new(default_filter),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let installed = match std::env::var("WRAPUP_LOG_FORMAT").as_deref() {
        Ok("json") => builder.json().flatten_event(true).try_init(),
        Ok("text" | "") | Err(_) => builder
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        Ok(other) => {
            return Err(format!(
                "WRAPUP_LOG_FORMAT is `{other}`; it can be `text` or `json`"
            ));
        }
    };
    installed.map_err(|cause| format!("logging cannot start: {cause}"))
}
