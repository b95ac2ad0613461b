//! What a base URL may look like: scheme, host, port and a path; nothing that could hold a secret.

use std::net::IpAddr;

/// A checked base URL.
#[derive(Debug)]
pub(super) struct BaseUrl {
    /// Without a slash at the end.
    pub(super) text: String,
    /// `http://` to another machine: what is sent can be read on the way.
    pub(super) exposed: bool,
}

/// Reads a base URL; the error says what is wrong and never repeats the text.
pub(super) fn base_url(text: &str) -> Result<BaseUrl, &'static str> {
    if text.contains(['?', '#']) {
        return Err("a base URL has no query and no fragment");
    }
    if text.contains("..") {
        return Err("a base URL has no `..`");
    }
    let uri: http::Uri = text.parse().map_err(|_why| NO_URL)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(NO_URL);
    };
    if !matches!(scheme, "http" | "https") {
        return Err("a base URL begins with https:// (or http://)");
    }
    if authority.as_str().contains('@') {
        return Err("a base URL names no user and no password");
    }
    let host = authority.host();
    let port = authority.as_str().get(host.len()..).unwrap_or_default();
    let port_is_good = port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    if host.is_empty() || !port_is_good {
        return Err("the host or port of this URL cannot be");
    }
    Ok(BaseUrl {
        text: text.trim_end_matches('/').to_owned(),
        exposed: scheme == "http" && !is_loopback(host),
    })
}

const NO_URL: &str = "not a URL: write one such as \"https://api.example.com\"";

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_plain() {
        for (text, exposed) in [
            ("https://api.mypurecloud.com", false),
            ("https://proxy.example.com:8443/genesys/", false),
            ("http://127.0.0.1:9000", false),
            ("http://[::1]:9000", false),
            ("http://localhost", false),
            ("http://simulator:9000", true),
        ] {
            let url = base_url(text).unwrap();
            assert_eq!(url.exposed, exposed, "{text}");
            assert_eq!(url.text, text.trim_end_matches('/'));
        }
        for text in [
            "",
            "api.example.com",
            "ftp://example.com",
            "https://user:pw@example.com",
            "https://example.com?x=1",
            "https://example.com/#x",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com/a/../b",
            "https:///path",
        ] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
