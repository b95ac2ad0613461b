//! What a sender would send: the other half of verification, for `wrapup sign`, the demo and the tests.

use http::{HeaderName, HeaderValue};

use super::Source;
use super::scheme::IdSource;
use super::template::Part;
use crate::clock::UnixMs;

/// Why a message could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("source {name} has {count} secrets, counted from 0; there is no secret {index}")]
    NoSuchSecret {
        name: crate::ids::SourceName,
        index: usize,
        count: usize,
    },
    #[error("the secret cannot be decoded as verify.secret_encoding says")]
    Secret,
    #[error(
        "an id goes into a header: it cannot be empty, begin or end with a blank, or hold control characters"
    )]
    Id,
}

/// What stands in a signed header whose value means nothing to us.
const ANY_VALUE: &str = "wrapup";

pub(super) fn sign(
    source: &Source,
    index: usize,
    body: &[u8],
    now: UnixMs,
    id: &str,
) -> Result<Vec<(HeaderName, String)>, SignError> {
    let scheme = &source.scheme;
    let secret = source
        .secrets
        .get(index)
        .ok_or_else(|| SignError::NoSuchSecret {
            name: source.name.clone(),
            index,
            count: source.secrets.len(),
        })?;
    let mut headers: Vec<(HeaderName, String)> = Vec::new();
    if let IdSource::Header { name, .. } = &scheme.id {
        let is_clean = !id.is_empty() && id.trim() == id && HeaderValue::from_str(id).is_ok();
        if !is_clean {
            return Err(SignError::Id);
        }
        headers.push((name.clone(), id.to_owned()));
    }
    let mut claimed = String::new();
    if let Some(timestamp) = &scheme.timestamp {
        claimed = timestamp.format.write(now);
        headers.push((timestamp.header.clone(), claimed.clone()));
    }
    for part in scheme.content.parts() {
        if let Part::Header(name) = part
            && value(&headers, name).is_none()
        {
            let value = if *name == http::header::DATE {
                httpdate::fmt_http_date(std::time::UNIX_EPOCH + now.since(UnixMs(0)))
            } else {
                ANY_VALUE.to_owned()
            };
            headers.push((name.clone(), value));
        }
    }
    let parts: Vec<&[u8]> = (scheme.content.parts().iter())
        .map(|part| match part {
            Part::Literal(text) => text,
            Part::Body => body,
            Part::Id => id.as_bytes(),
            Part::Timestamp => claimed.as_bytes(),
            Part::Header(name) => value(&headers, name).unwrap_or_default().as_bytes(),
        })
        .collect();
    let tag = secret
        .expose(|secret| (scheme.key).with_key(secret, |key| scheme.algorithm.tag(key, &parts)));
    let tag = tag.ok_or(SignError::Secret)?.encode(scheme.encoding);
    let prefix = scheme.prefixes.first().map_or("", String::as_str);
    headers.push((scheme.signature.clone(), format!("{prefix}{tag}")));
    Ok(headers)
}

fn value<'a>(headers: &'a [(HeaderName, String)], name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.iter().filter(|(header, _)| header == name);
    values.next().map(|(_, value)| value.as_str())
}
