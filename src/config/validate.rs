//! Raw values become the validated ones that the service is built from; everything wrong with them is told.

mod platform;
mod region;
mod sources;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checks::Checks;
use super::raw::{self, Raw};
use super::{Config, Rules};
use crate::delivery::CheckState;
use crate::platform::{AGENT_ID, Api, Overwrite, QUEUE_ID, RateLimit};
use crate::survey::FieldType;
use crate::{codes, delivery, http, store};

const MILLI: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Longer than anything is kept; far below what arithmetic on milliseconds can hold.
const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

/// A body is held in memory while it is read, for each request in flight.
const MOST_BODY: u64 = 64 * 1024 * 1024;
/// Beyond this the pacer's steps are shorter than a timer can tell.
const MOST_REQUESTS: u64 = 100_000;

pub(super) fn config(raw: &Raw, checks: &mut Checks<'_>) -> Config {
    let sources = sources::sources(&raw.sources, raw.server.public_url.as_deref(), checks);
    let is_field = |name: &str| {
        // Of the sources as they are written, so that a problem of one does not look like one of a template.
        let mut fields = raw.sources.iter().map(|source| &source.fields);
        fields.any(|fields| fields.contains_key(name))
    };
    let server = server(&raw.server, checks);
    let admin = admin(&raw.admin, checks);
    let platform = platform::platform(&raw.platform, &raw.codes, is_field, checks);
    let settles_within = platform.settles_within();
    let config = Config {
        server,
        admin,
        platform,
        codes: codes(raw.platform.api, &raw.codes, checks),
        delivery: delivery(&raw.delivery, checks),
        store: store(&raw.store, settles_within, checks),
        rules: Rules {
            file: checks.path("rules.file", &raw.rules.file),
        },
        schema: sources::schema(&sources, checks),
        sources,
    };
    across(&config, checks);
    named_fields(&config, checks);
    config
}

/// Fills in what follows from other keys, so that it can be shown.
pub(super) fn complete(raw: &mut Raw) {
    raw.platform.login_url = Some(platform::login_url(&raw.platform));
    raw.platform.base_url = Some(platform::base_url(&raw.platform));
    let defaults = raw.platform.api.defaults();
    raw.platform.auth.grant.get_or_insert(defaults.grant);
    let limit = &mut raw.platform.rate_limit;
    limit.requests.get_or_insert(defaults.requests);
    limit.per.get_or_insert(defaults.per);
    raw.codes.page_size.get_or_insert(defaults.page_size);
}

fn server(raw: &raw::Server, checks: &mut Checks<'_>) -> http::Config {
    http::Config {
        listen: checks.listen("server.listen", &raw.listen),
        public_url: raw
            .public_url
            .as_deref()
            .map(|url| checks.url("server.public_url", url, false)),
        max_body: body(raw, checks),
        header_timeout: checks.span("server.header_timeout", raw.header_timeout, MILLI..=HOUR),
        request_timeout: checks.span("server.request_timeout", raw.request_timeout, MILLI..=HOUR),
        keep_alive: checks.span("server.keep_alive", raw.keep_alive, MILLI..=DAY),
        max_connections: checks.number(
            "server.max_connections",
            raw.max_connections,
            1..=1_000_000,
        ),
        max_in_flight: checks.number("server.max_in_flight", raw.max_in_flight, 1..=1_000_000),
        shutdown_delay: checks.span(
            "server.shutdown_delay",
            raw.shutdown_delay,
            Duration::ZERO..=HOUR,
        ),
        shutdown_grace: checks.span("server.shutdown_grace", raw.shutdown_grace, MILLI..=HOUR),
    }
}

fn body(raw: &raw::Server, checks: &mut Checks<'_>) -> usize {
    if !(1..=MOST_BODY).contains(&raw.max_body.0) {
        let most = crate::units::Size(MOST_BODY);
        checks.refuse("server.max_body", format!("must be from 1B to {most}"));
    }
    usize::try_from(raw.max_body.0).unwrap_or(usize::MAX)
}

fn admin(raw: &raw::Admin, checks: &mut Checks<'_>) -> http::Admin {
    let token = checks.secret("admin.token", raw.token.as_ref(), |token| {
        // It has to fit into a header and a form as it is.
        if token.iter().all(u8::is_ascii_graphic) {
            Ok(())
        } else {
            Err("a token is made of visible ASCII characters, without spaces".to_owned())
        }
    });
    if token
        .as_ref()
        .is_some_and(|token| token.expose(<[u8]>::len) < 16)
    {
        checks.warn(
            "admin.token",
            "shorter than 16 characters: it can be guessed",
        );
    }
    http::Admin {
        listen: checks.listen("admin.listen", &raw.listen),
        token,
    }
}

fn codes(api: raw::Api, raw: &raw::Codes, checks: &mut Checks<'_>) -> codes::Config {
    codes::Config {
        refresh_every: checks.span("codes.refresh_every", raw.refresh_every, 100 * MILLI..=DAY),
        page_size: checks.number("codes.page_size", platform::page_size(api, raw), 1..=500),
    }
}

fn delivery(raw: &raw::Delivery, checks: &mut Checks<'_>) -> delivery::Config {
    delivery::Config {
        workers: checks.number("delivery.workers", raw.workers, 1..=1024),
        lease: checks.span("delivery.lease", raw.lease, MILLI..=DAY),
        max_age: checks.span("delivery.max_age", raw.max_age, MILLI..=CENTURY),
        max_attempts: checks.number("delivery.max_attempts", raw.max_attempts, 1..=1_000_000),
        check_state: raw.check_state,
        overwrite: raw.overwrite,
        repeat: raw.repeat,
        mode: raw.mode,
    }
}

fn store(raw: &raw::Store, settles_within: Duration, checks: &mut Checks<'_>) -> store::Config {
    const MANY: u64 = 1_000_000_000;
    store::Config {
        path: store_path(&raw.url, checks),
        lock_wait: checks.span("store.lock_wait", raw.lock_wait, Duration::ZERO..=DAY),
        max_pending: checks.number("store.max_pending", raw.max_pending, 1..=MANY),
        max_quarantined: checks.number("store.max_quarantined", raw.max_quarantined, 1..=MANY),
        retention: checks.span("store.retention", raw.retention, MINUTE..=CENTURY),
        remember: checks.span("store.remember", raw.remember, MINUTE..=CENTURY),
        keep_body: raw.keep_body,
        settles_within,
    }
}

fn store_path(url: &str, checks: &mut Checks<'_>) -> PathBuf {
    const KEY: &str = "store.url";
    let refusal = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        "PostgreSQL is not built yet: write a file, such as \"sqlite:../data/wrapup.db\""
    } else if let Some(path) = url.strip_prefix("sqlite:") {
        // Two slashes, as other programs write it, mean the same; a third begins an absolute path.
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains(['?', '#']) {
            "no parameters are taken after the file's path"
        } else if matches!(path.rsplit('/').next(), None | Some("" | "." | "..")) {
            "names no file: write one such as \"sqlite:../data/wrapup.db\""
        } else if path.contains(":memory:") {
            "a store in memory loses what was accepted: write a file, such as \"sqlite:../data/wrapup.db\""
        } else {
            return checks.path(KEY, Path::new(path));
        }
    } else {
        "not a store: write a file, such as \"sqlite:../data/wrapup.db\""
    };
    checks.refuse(KEY, refusal);
    PathBuf::new()
}

/// What keys mean to each other. Said only where each of them is good by itself.
fn across(config: &Config, checks: &mut Checks<'_>) {
    let (server, admin) = (config.server.listen, config.admin.listen);
    if checks.sound("server.listen") && same_door(server, admin) {
        checks.refuse(
            "admin.listen",
            "the address of `server.listen`: take another port",
        );
    }
    // Four calls may follow one another in a delivery: token, look, write, look again.
    let least = config.platform.request_timeout * 4 + Duration::from_secs(10);
    if checks.sound("platform.request_timeout") && config.delivery.lease < least {
        let least = crate::units::Span(least);
        checks.refuse(
            "delivery.lease",
            format!("must be at least 4 x platform.request_timeout + 10s, that is {least}"),
        );
    }
    let least = shortest_lease(config.platform.rate_limit);
    if checks.sound("platform.rate_limit")
        && checks.sound("delivery.lease")
        && config.delivery.lease < least
    {
        let least = crate::units::Span(least);
        checks.refuse(
            "delivery.lease",
            format!(
                "must be at least 3 x (per + slack) / requests of platform.rate_limit + 1s, that is {least}: else the \
                 write finds no turn after the look, however often it is tried; allow more requests, or a longer lease"
            ),
        );
    }
    if config.delivery.overwrite == Overwrite::IfEmpty
        && config.delivery.check_state == CheckState::Repeats
    {
        checks.refuse(
            "delivery.check_state",
            "\"repeats\" does not look before the first write, which `overwrite = \"if-empty\"` needs: set \"always\"",
        );
    }
    if checks.sound("store.retention") && config.store.remember < config.store.retention {
        checks.refuse(
            "store.remember",
            "must be at least `store.retention`: a delivery that is kept is known as a duplicate",
        );
    }
}

/// The shortest lease in which a write finds its turn: it comes one spacing of calls after the look, a third of what is
/// left is waited for it, and the look may have waited for a second. Rounded up to what can be written.
fn shortest_lease(limit: RateLimit) -> Duration {
    let three = limit.per.saturating_add(limit.slack).saturating_mul(3);
    let millis = three
        .as_nanos()
        .div_ceil(u128::from(limit.requests.max(1)) * MILLI.as_nanos());
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)) + 1000 * MILLI
}

/// Fields that mean something to the platform hold ids.
fn named_fields(config: &Config, checks: &mut Checks<'_>) {
    if !matches!(config.platform.api, Api::Conversations(_)) || !checks.sound("source") {
        return;
    }
    for (index, source) in config.sources.iter().enumerate() {
        let ids = source.fields().iter().filter(|field| {
            [AGENT_ID, QUEUE_ID].contains(&&*field.name)
                && !matches!(field.kind, FieldType::Uuid | FieldType::String)
        });
        for field in ids {
            checks.refuse(
                &format!("source[{index}].fields.{}.type", field.name),
                "an id of the platform, which chooses the agent's part of the conversation: set `uuid` or `string`",
            );
        }
    }
}

fn same_door(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
