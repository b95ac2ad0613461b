//! How one source signs, compiled from the configuration's words.
//!
//! All that verification and signing need is decided here, once; a scheme that this version cannot do in full is
//! refused here, so that there is no half-verified survey later.

use std::time::Duration;

use http::HeaderName;

use super::config::{Encoding, Prefixes, TimestampFormat, VerifyConfig};
use super::key::{Algorithm, KeyForm};
use super::path::Path;
use super::template::{Part, Template};

/// How far a timestamp may lie from now where nothing else is configured, as Standard Webhooks has it.
const DEFAULT_TOLERANCE: Duration = Duration::from_mins(5);
/// A tolerance above this gets a warning: for as long a caught message can be sent again.
const LONG_TOLERANCE: Duration = Duration::from_hours(1);

#[derive(Clone, Debug)]
pub(super) struct Scheme {
    pub(super) algorithm: Algorithm,
    pub(super) signature: HeaderName,
    pub(super) separator: Option<String>,
    /// Tried in order; never empty.
    pub(super) prefixes: Vec<String>,
    pub(super) encoding: Encoding,
    pub(super) content: Template,
    pub(super) key: KeyForm,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) id: IdSource,
}

#[derive(Clone, Debug)]
pub(super) struct Timestamp {
    pub(super) header: HeaderName,
    pub(super) format: TimestampFormat,
    pub(super) tolerance: Duration,
}

/// By what the sender says that two messages are the same.
#[derive(Clone, Debug)]
pub(super) enum IdSource {
    /// Nothing: the signed content's hash is all there is.
    Hash,
    Header {
        name: HeaderName,
        /// Part of the content, so that a replayer cannot change it.
        signed: bool,
        /// `{id}` is in the content: without an id nothing can be verified.
        needed: bool,
    },
    /// In the body, which is always signed.
    Path(Path),
}

impl IdSource {
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Hash | Self::Header { .. } => None,
        }
    }
}

impl Scheme {
    /// The scheme and its warnings, or every problem as `key: what to do`.
    pub(super) fn compile(config: &VerifyConfig) -> Result<(Self, Vec<String>), Vec<String>> {
        let mut problems = Problems(Vec::new());
        let algorithm = problems.take("algorithm", algorithm(config));
        let signature = problems.take("signature", signature(config));
        let encoding = config
            .encoding
            .ok_or_else(|| "missing: set `hex` or `base64`, or a preset".to_owned());
        let encoding = problems.take("encoding", encoding);
        let content = config.content.as_deref().unwrap_or("{body}");
        let content = problems.take("content", Template::parse(content));
        let prefixes = problems.take("prefix", prefixes(config));
        let timestamp = problems.take("timestamp", timestamp(config));
        if let Some(content) = &content
            && content.has(&Part::Timestamp)
            && matches!(timestamp, Some(None))
        {
            problems.add(
                "timestamp",
                "missing: `content` has {timestamp}; set `header:NAME`",
            );
        }
        let id = content
            .as_ref()
            .and_then(|content| problems.take("id", id_source(config, content)));
        match (
            algorithm, signature, encoding, content, prefixes, timestamp, id,
        ) {
            (
                Some(algorithm),
                Some(signature),
                Some(encoding),
                Some(content),
                Some(prefixes),
                Some(timestamp),
                Some(id),
            ) if problems.0.is_empty() => {
                let scheme = Self {
                    algorithm,
                    signature,
                    separator: text(config.separator.as_ref()).map(str::to_owned),
                    prefixes,
                    encoding,
                    content,
                    key: key_form(config),
                    timestamp,
                    id,
                };
                let warnings = scheme.warnings(config);
                Ok((scheme, warnings))
            }
            _ => Err(problems.0),
        }
    }

    /// Whether a header's value is covered by the signature.
    fn signs(&self, header: &HeaderName, placeholder: &Part) -> bool {
        self.content.has(placeholder) || self.content.has(&Part::Header(header.clone()))
    }

    fn warnings(&self, config: &VerifyConfig) -> Vec<String> {
        let mut warnings = Vec::new();
        match &self.timestamp {
            Some(timestamp) => {
                if !self.signs(&timestamp.header, &Part::Timestamp) {
                    warnings.push(
                        "verify.timestamp: it is not in `content`, so anybody can change it and it stops no replay; \
                         add {timestamp} to `content` where the sender signs it"
                            .to_owned(),
                    );
                }
                if timestamp.tolerance > LONG_TOLERANCE {
                    warnings.push(format!(
                        "verify.tolerance: a caught message can be sent again for {}; 5m is usual",
                        humantime::format_duration(timestamp.tolerance)
                    ));
                }
            }
            None if config.tolerance.is_some() => warnings
                .push("verify.tolerance: has no effect without `verify.timestamp`".to_owned()),
            None => {}
        }
        warnings
    }

    /// What `check` tells about the price of this scheme, where it has one.
    pub(super) fn price(&self) -> Option<&'static str> {
        match self.id {
            IdSource::Header { signed: true, .. } | IdSource::Path(_) => None,
            IdSource::Header { .. } | IdSource::Hash => Some(
                "verify.id: no id is signed, so a second answer with exactly the same bytes counts as a duplicate for \
                 as long as it is remembered (store.remember)",
            ),
        }
    }
}

struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, key: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("verify.{key}: {problem}"));
    }

    fn take<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.add(key, problem)).ok()
    }
}

/// A key's text; an empty one takes the preset's back.
fn text(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}

/// How a secret becomes a key, whatever else is configured.
pub(super) fn key_form(config: &VerifyConfig) -> KeyForm {
    KeyForm {
        prefix: config.secret_prefix.clone().unwrap_or_default(),
        encoding: config.secret_encoding.unwrap_or_default(),
    }
}

fn algorithm(config: &VerifyConfig) -> Result<Algorithm, String> {
    match text(config.algorithm.as_ref()) {
        Some(text) => Algorithm::parse(text),
        None => Err("missing: set it, such as `hmac-sha256`, or a preset".to_owned()),
    }
}

fn signature(config: &VerifyConfig) -> Result<HeaderName, String> {
    match text(config.signature.as_ref()) {
        Some(text) => header(text),
        None => Err("missing: set `header:NAME`, or a preset".to_owned()),
    }
}

fn header(text: &str) -> Result<HeaderName, String> {
    match text.split_once(':') {
        Some(("header", name)) => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(name),
            Err(_) => Err(format!("`{name}` cannot be a header's name")),
        },
        Some((place @ ("form" | "item"), _)) => Err(format!(
            "`{place}:` is not in this version of wrapup; it knows `header:NAME`"
        )),
        _ => Err(format!("`{text}` is not understood; write `header:NAME`")),
    }
}

fn prefixes(config: &VerifyConfig) -> Result<Vec<String>, String> {
    match &config.prefix {
        None => Ok(vec![String::new()]),
        Some(Prefixes::One(prefix)) => Ok(vec![prefix.clone()]),
        Some(Prefixes::Many(list)) if list.is_empty() => {
            Err("an empty list fits nothing; leave it out, or list \"\"".to_owned())
        }
        Some(Prefixes::Many(list)) => Ok(list.clone()),
    }
}

fn timestamp(config: &VerifyConfig) -> Result<Option<Timestamp>, String> {
    let Some(place) = text(config.timestamp.as_ref()) else {
        return Ok(None);
    };
    Ok(Some(Timestamp {
        header: header(place)?,
        format: config.timestamp_format.unwrap_or_default(),
        tolerance: config.tolerance.map_or(DEFAULT_TOLERANCE, |span| span.0),
    }))
}

fn id_source(config: &VerifyConfig, content: &Template) -> Result<IdSource, String> {
    let needed = content.has(&Part::Id);
    let place = text(config.id.as_ref()).unwrap_or("hash");
    if let Some(path) = place.strip_prefix("path:") {
        let path = Path::parse(path)?;
        if needed {
            return Err(
                "an id from the body cannot be in `content` as {id}: the body is signed already; \
                 take {id} out of `content`, or set `header:NAME`"
                    .to_owned(),
            );
        }
        return Ok(IdSource::Path(path));
    }
    if place == "hash" {
        return if needed {
            Err("missing: `content` has {id}; set `header:NAME`".to_owned())
        } else {
            Ok(IdSource::Hash)
        };
    }
    let name = header(place).map_err(|problem| format!("{problem}, `path:JSONPATH` or `hash`"))?;
    let signed = needed || content.has(&Part::Header(name.clone()));
    Ok(IdSource::Header {
        name,
        signed,
        needed,
    })
}

#[cfg(test)]
mod tests;
