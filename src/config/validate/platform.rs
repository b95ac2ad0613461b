//! `[platform]`: where it is, who we are there, and how fast we may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{DAY, HOUR, MILLI, MOST_REQUESTS};
use crate::config::checks::{Checks, with_source};
use crate::config::raw::{Api, Auth, Codes, Grant, Platform, RateLimit};
use crate::platform as config;
use crate::secret::Secret;

pub(super) fn platform(raw: &Platform, codes: &Codes, checks: &mut Checks<'_>) -> config::Config {
    if raw.api == Api::Conversations {
        checks.refuse(
            "platform.api",
            "\"conversations\" is not built yet: set \"interactions\"",
        );
    }
    environment(&raw.environment, checks);
    let base_url = if raw.base_url.is_some() || checks.sound("platform.environment") {
        checks.url("platform.base_url", &base_url(raw), true)
    } else {
        String::new()
    };
    let login_url = match &raw.login_url {
        Some(url) => checks.url("platform.login_url", url, true),
        None => base_url.clone(),
    };
    config::Config {
        base_url,
        token_url: format!("{login_url}/oauth/token"),
        division_id: id("platform.division_id", raw.division_id.as_deref(), checks),
        org_id: id("platform.org_id", raw.org_id.as_deref(), checks),
        request_timeout: checks.span(
            "platform.request_timeout",
            raw.request_timeout,
            MILLI..=HOUR,
        ),
        ca_file: raw.ca_file.as_deref().map(|path| ca_file(path, checks)),
        auth: auth(&raw.auth, checks),
        rate_limit: rate_limit(&raw.rate_limit, checks),
        // Checked where it is written, with the other keys of `[codes]`.
        page_size: u32::try_from(codes.page_size).unwrap_or_default(),
    }
}

/// Where the API is: as written, or by the environment.
pub(in crate::config) fn base_url(raw: &Platform) -> String {
    let default = || format!("https://api.{}", raw.environment);
    raw.base_url.clone().unwrap_or_else(default)
}

fn environment(domain: &str, checks: &mut Checks<'_>) {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let shape = domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    if !shape || !domain.bytes().all(letter) {
        checks.refuse(
            "platform.environment",
            "not a domain: write one such as \"mypurecloud.com\", without https:// and api.",
        );
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

fn auth(raw: &Auth, checks: &mut Checks<'_>) -> config::Auth {
    if raw.grant == Grant::ClientCredentials {
        checks.refuse(
            "platform.auth.grant",
            "\"client-credentials\" is not built yet: set \"jwt-bearer\" and a `private_key`",
        );
    } else if raw.client_secret.is_some() {
        checks.refuse(
            "platform.auth.client_secret",
            "not used by grant \"jwt-bearer\": remove it, and set `private_key`",
        );
    }
    let client_id = checks.secret("platform.auth.client_id", raw.client_id.as_ref(), |id| {
        if id.iter().all(u8::is_ascii_graphic) {
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
    let key = raw.private_key.as_ref();
    let private_key = checks.secret("platform.auth.private_key", key, config::check_key);
    if raw.private_key.is_none() && raw.grant == Grant::JwtBearer {
        checks.refuse(
            "platform.auth.private_key",
            "missing: write private_key = { file = \"genesys.pem\" }, or set WRAPUP__PLATFORM__AUTH__PRIVATE_KEY__FILE",
        );
    }
    config::Auth {
        client_id: client_id.unwrap_or_else(|| Secret::fixed(b"")),
        private_key: private_key.unwrap_or_else(|| Secret::fixed(b"")),
    }
}

fn rate_limit(raw: &RateLimit, checks: &mut Checks<'_>) -> config::RateLimit {
    config::RateLimit {
        requests: checks.number(
            "platform.rate_limit.requests",
            raw.requests,
            1..=MOST_REQUESTS,
        ),
        per: checks.span("platform.rate_limit.per", raw.per, MILLI..=DAY),
        slack: checks.span("platform.rate_limit.slack", raw.slack, Duration::ZERO..=DAY),
    }
}
