//! `[platform]`: where it is, who we are there, and how fast we may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::region;
use super::{DAY, HOUR, MILLI, MOST_REQUESTS};
use crate::config::checks::{Checks, with_source};
use crate::config::raw::{self, Api, Auth, Codes, Divisions, Grant, Platform};
use crate::platform as config;
use crate::secret::Secret;
use crate::units::Span;

/// `is_field` says which names are fields of any source.
pub(super) fn platform(
    raw: &Platform,
    codes: &Codes,
    is_field: impl Fn(&str) -> bool,
    checks: &mut Checks<'_>,
) -> config::Config {
    if let Err(problem) = region::domain(&raw.environment) {
        checks.refuse("platform.environment", problem);
    }
    let known = checks.sound("platform.environment");
    let base_url = if raw.base_url.is_some() || known {
        checks.url("platform.base_url", &base_url(raw), true)
    } else {
        String::new()
    };
    let login_url = match &raw.login_url {
        Some(url) => checks.url("platform.login_url", url, true),
        None => login_url(raw),
    };
    config::Config {
        api: match raw.api {
            Api::Interactions => config::Api::Interactions,
            Api::Conversations => {
                config::Api::Conversations(conversations(&raw.conversations, is_field, checks))
            }
        },
        base_url,
        token_url: format!("{}/oauth/token", login_url.trim_end_matches('/')),
        divisions: divisions(raw.division_id.as_ref(), checks),
        org_id: id("platform.org_id", raw.org_id.as_deref(), checks),
        request_timeout: checks.span(
            "platform.request_timeout",
            raw.request_timeout,
            MILLI..=HOUR,
        ),
        ca_file: raw.ca_file.as_deref().map(|path| ca_file(path, checks)),
        auth: auth(raw.api, &raw.auth, checks),
        rate_limit: rate_limit(raw.api, &raw.rate_limit, checks),
        // Checked where it is written, with the other keys of `[codes]`.
        page_size: u32::try_from(page_size(raw.api, codes)).unwrap_or_default(),
    }
}

/// Where the API is: as written, or by the environment.
pub(in crate::config) fn base_url(raw: &Platform) -> String {
    let default = || format!("https://api.{}", domain(raw));
    raw.base_url.clone().unwrap_or_else(default)
}

/// Where tokens come from. An API that is somewhere else (a proxy, a simulator) has them with it.
pub(in crate::config) fn login_url(raw: &Platform) -> String {
    match (&raw.login_url, &raw.base_url, raw.api) {
        (Some(url), ..) => url.clone(),
        (None, None, Api::Conversations) => format!("https://login.{}", domain(raw)),
        (None, ..) => base_url(raw),
    }
}

fn domain(raw: &Platform) -> String {
    region::domain(&raw.environment).unwrap_or_else(|_problem| raw.environment.clone())
}

pub(in crate::config) fn page_size(api: Api, codes: &Codes) -> u64 {
    codes.page_size.unwrap_or(api.defaults().page_size)
}

fn conversations(
    raw: &raw::Conversations,
    is_field: impl Fn(&str) -> bool,
    checks: &mut Checks<'_>,
) -> config::Conversations {
    let notes = config::Notes::parse(&raw.notes, is_field);
    let notes = notes.map_err(|problem| checks.refuse("platform.conversations.notes", problem));
    config::Conversations {
        notes: notes.ok().filter(|_| !raw.notes.is_empty()),
        check_queue_codes: raw.check_queue_codes,
        confirm_within: checks.span(
            "platform.conversations.confirm_within",
            raw.confirm_within,
            Duration::ZERO..=HOUR,
        ),
    }
}

fn divisions(raw: Option<&Divisions>, checks: &mut Checks<'_>) -> Vec<String> {
    const KEY: &str = "platform.division_id";
    match raw {
        None => Vec::new(),
        Some(Divisions::One(division)) => id(KEY, Some(division), checks).into_iter().collect(),
        Some(Divisions::Several(divisions)) => {
            if divisions.is_empty() {
                checks.refuse(KEY, "an empty list: name a division, or leave the key out");
            }
            for (index, division) in divisions.iter().enumerate() {
                id(&format!("{KEY}[{index}]"), Some(division), checks);
            }
            divisions.clone()
        }
    }
}

/// An id goes into a query: whatever it is, it is one word.
fn id(key: &str, value: Option<&str>, checks: &mut Checks<'_>) -> Option<String> {
    let value = value?;
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        checks.refuse(
            key,
            "not an id: write it as the platform shows it, or leave the key out",
        );
    }
    Some(value.to_owned())
}

fn ca_file(path: &Path, checks: &mut Checks<'_>) -> PathBuf {
    const KEY: &str = "platform.ca_file";
    let path = checks.path(KEY, path);
    match std::fs::read(&path) {
        Err(cause) => checks.refuse(KEY, format!("cannot be read: {}", with_source(&cause))),
        Ok(pem) => {
            let found = reqwest::Certificate::from_pem_bundle(&pem);
            if found.map_or(0, |certificates| certificates.len()) == 0 {
                checks.refuse(KEY, "holds no certificate in PEM");
            }
        }
    }
    path
}

fn auth(api: Api, raw: &Auth, checks: &mut Checks<'_>) -> config::Auth {
    let client_id = checks.secret("platform.auth.client_id", raw.client_id.as_ref(), |id| {
        if id.iter().all(u8::is_ascii_graphic) && !id.contains(&b':') {
            Ok(())
        } else {
            Err("a client id is one word of ASCII characters".to_owned())
        }
    });
    if raw.client_id.is_none() {
        checks.refuse(
            "platform.auth.client_id",
            "missing: write client_id = { env = \"GENESYS_CLIENT_ID\" }, or set WRAPUP__PLATFORM__AUTH__CLIENT_ID__ENV",
        );
    }
    config::Auth {
        client_id: client_id.unwrap_or_else(|| Secret::fixed(b"")),
        grant: match raw.grant.unwrap_or(api.defaults().grant) {
            Grant::JwtBearer => jwt_bearer(raw, checks),
            Grant::ClientCredentials => client_credentials(raw, checks),
        },
    }
}

fn jwt_bearer(raw: &Auth, checks: &mut Checks<'_>) -> config::Grant {
    if raw.client_secret.is_some() {
        checks.refuse(
            "platform.auth.client_secret",
            "not used by grant \"jwt-bearer\": remove it, and set `private_key`",
        );
    }
    let key = raw.private_key.as_ref();
    let private_key = checks.secret("platform.auth.private_key", key, config::check_key);
    if raw.private_key.is_none() {
        checks.refuse(
            "platform.auth.private_key",
            "missing: write private_key = { file = \"genesys.pem\" }, or set WRAPUP__PLATFORM__AUTH__PRIVATE_KEY__FILE",
        );
    }
    config::Grant::JwtBearer {
        private_key: private_key.unwrap_or_else(|| Secret::fixed(b"")),
    }
}

fn client_credentials(raw: &Auth, checks: &mut Checks<'_>) -> config::Grant {
    if raw.private_key.is_some() {
        checks.refuse(
            "platform.auth.private_key",
            "not used by grant \"client-credentials\": remove it and set `client_secret`, or set grant \"jwt-bearer\"",
        );
    }
    let secret = raw.client_secret.as_ref();
    let client_secret = checks.secret("platform.auth.client_secret", secret, |secret| {
        // It goes into a header as it is.
        if secret.iter().all(u8::is_ascii_graphic) {
            Ok(())
        } else {
            Err("a client secret is one word of ASCII characters".to_owned())
        }
    });
    if raw.client_secret.is_none() {
        checks.refuse(
            "platform.auth.client_secret",
            "missing: write client_secret = { env = \"GENESYS_CLIENT_SECRET\" }, or set WRAPUP__PLATFORM__AUTH__CLIENT_SECRET__ENV",
        );
    }
    config::Grant::ClientCredentials {
        client_secret: client_secret.unwrap_or_else(|| Secret::fixed(b"")),
    }
}

fn rate_limit(api: Api, raw: &raw::RateLimit, checks: &mut Checks<'_>) -> config::RateLimit {
    let defaults = api.defaults();
    let limit = config::RateLimit {
        requests: checks.number(
            "platform.rate_limit.requests",
            raw.requests.unwrap_or(defaults.requests),
            1..=MOST_REQUESTS,
        ),
        per: checks.span(
            "platform.rate_limit.per",
            raw.per.unwrap_or(defaults.per),
            MILLI..=DAY,
        ),
        slack: checks.span("platform.rate_limit.slack", raw.slack, Duration::ZERO..=DAY),
    };
    if api == Api::Conversations
        && checks.sound("platform.rate_limit")
        && u128::from(limit.requests) * defaults.per.0.as_millis()
            > u128::from(defaults.requests) * limit.per.as_millis()
    {
        let message = format!(
            "{} in {} is faster than the {} in {} that the conversations API grants a client unless its owner has \
             raised that: leave `requests` and `per` out to keep to it",
            limit.requests,
            Span(limit.per),
            defaults.requests,
            defaults.per
        );
        checks.warn("platform.rate_limit", message);
    }
    limit
}
