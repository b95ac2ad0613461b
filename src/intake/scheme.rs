//! How one source proves itself, compiled from the configuration's words.
//!
//! All that verification and signing need is decided here, once; a scheme that could never pass, or would always, is
//! refused here ([`sound`]), so that there is no half-verified survey later.

mod sound;

use std::time::Duration;

use http::HeaderName;

use super::algorithm::Algorithm;
use super::config::{Encoding, Prefixes, TimestampFormat, VerifyConfig};
use super::key::KeyForm;
use super::path::Path;
use super::payload;
use super::place::{self, Moment, Place};
use super::template::{Part, Template};

/// How far a timestamp may lie from now where nothing else is configured, as Standard Webhooks has it.
const DEFAULT_TOLERANCE: Duration = Duration::from_mins(5);
/// A tolerance above this gets a warning: for as long a caught message can be sent again.
const LONG_TOLERANCE: Duration = Duration::from_hours(1);
/// A tolerance below this gets one, too: clocks and networks are not as exact.
const SHORT_TOLERANCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(super) struct Scheme {
    pub(super) algorithm: Algorithm,
    /// `None` only where nothing is proved.
    pub(super) place: Option<Place>,
    pub(super) separator: Option<String>,
    /// Tried in order; never empty.
    pub(super) prefixes: Vec<String>,
    /// `None`: tokens, which are sent as they are.
    pub(super) encoding: Option<Encoding>,
    /// For tokens and where nothing is proved the raw body, by which a survey is known when it comes again.
    pub(super) content: Template,
    /// What `{url}` begins with: scheme, host and perhaps a path, without a slash at the end.
    pub(super) url: Box<str>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) id: IdSource,
}

#[derive(Clone, Debug)]
pub(super) struct Timestamp {
    pub(super) place: Moment,
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
    /// In the body.
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

/// What else of the configuration a scheme stands on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// How the survey stands in the body.
    pub(super) body: &'a payload::Kind,
    /// The address as senders know it, without a slash at the end.
    pub(super) public_url: Option<&'a str>,
    pub(super) has_path_token: bool,
}

impl Scheme {
    /// The scheme and its warnings, or every problem as `key: what to do`.
    pub(super) fn compile(
        config: &VerifyConfig,
        around: &Around<'_>,
    ) -> Result<(Self, Vec<String>), Vec<String>> {
        let mut problems = Problems(Vec::new());
        let algorithm = problems.take("algorithm", algorithm(config));
        // What is unknown is taken for a signature, which needs most.
        let signs = algorithm.is_none_or(Algorithm::signs);
        let is_none = algorithm == Some(Algorithm::None);
        let place = (!is_none).then(|| problems.take("signature", place(config)));
        let encoding = match (signs, config.encoding) {
            (false, _) => Some(None),
            (true, Some(encoding)) => Some(Some(encoding)),
            (true, None) => {
                problems.add(
                    "encoding",
                    "missing: set `hex` or `base64`, or a preset".to_owned(),
                );
                None
            }
        };
        let content = if signs {
            let content = config.content.as_deref().unwrap_or("{body}");
            problems.take("content", Template::parse(content))
        } else {
            Some(Template::body())
        };
        let prefixes = problems.take("prefix", prefixes(config));
        let timestamp = problems.take("timestamp", timestamp(config));
        // Of a content that cannot be read nothing is known that an id could be in conflict with.
        let known = content.clone().unwrap_or_else(Template::body);
        let id = problems.take("id", id_source(config, &known));
        let place = match place {
            None => Some(None),
            Some(place) => place.map(Some),
        };
        let (
            Some(algorithm),
            Some(place),
            Some(encoding),
            Some(content),
            Some(prefixes),
            Some(timestamp),
            Some(id),
        ) = (algorithm, place, encoding, content, prefixes, timestamp, id)
        else {
            return Err(problems.0);
        };
        let scheme = Self {
            algorithm,
            place,
            separator: text(config.separator.as_ref()).map(str::to_owned),
            prefixes,
            encoding,
            content,
            url: around.public_url.unwrap_or_default().into(),
            timestamp,
            id,
        };
        sound::check(&scheme, config, around, &mut problems);
        if problems.0.is_empty() {
            let warnings = scheme.warnings(config, around);
            Ok((scheme, warnings))
        } else {
            Err(problems.0)
        }
    }

    /// Whether the body must be a form for anything to be verified.
    pub(super) fn needs_form(&self) -> bool {
        matches!(self.place, Some(Place::Form(_))) || self.content.fields().next().is_some()
    }

    /// The form fields that are signed, where they are all that is signed of the body.
    pub(super) fn signed_fields(&self) -> Option<Vec<&str>> {
        (!self.content.has(&Part::Body)).then(|| self.content.fields().collect())
    }

    /// Whether a value is covered by the signature: under its own placeholder, or as the header that it is.
    fn signs(&self, header: Option<&HeaderName>, placeholder: &Part) -> bool {
        let as_header = header.is_some_and(|name| self.content.has(&Part::Header(name.clone())));
        self.content.has(placeholder) || as_header
    }

    fn warnings(&self, config: &VerifyConfig, around: &Around<'_>) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |key: &str, what: &str| warnings.push(format!("verify.{key}: {what}"));
        let is_none = self.algorithm == Algorithm::None;
        match (is_none, around.has_path_token) {
            (true, true) => warn(
                "algorithm",
                "nothing is signed: whoever knows the address with its token can send surveys",
            ),
            (true, false) => warn(
                "algorithm",
                "nothing is verified: anybody who reaches this address can send surveys",
            ),
            (false, _) if config.i_know_this_is_unsigned => warn(
                "i_know_this_is_unsigned",
                "has no effect but with algorithm = \"none\"",
            ),
            (false, _) => {}
        }
        let says_content = text(config.content.as_ref()).is_some_and(|text| text != "{body}");
        if says_content && !self.algorithm.signs() {
            warn(
                "content",
                "has no effect: with this algorithm nothing is signed",
            );
        }
        let Some(timestamp) = &self.timestamp else {
            if config.tolerance.is_some() {
                warn("tolerance", "has no effect without `verify.timestamp`");
            }
            return warnings;
        };
        let header = match &timestamp.place {
            Moment::Header(name) => Some(name),
            Moment::Item(_) => None,
        };
        if !self.algorithm.signs() {
            warn(
                "timestamp",
                "nothing is signed, so anybody can change it and it stops no replay",
            );
        } else if !self.signs(header, &Part::Timestamp) {
            warn(
                "timestamp",
                "it is not in `content`, so anybody can change it and it stops no replay; add {timestamp} to `content` \
                 where the sender signs it",
            );
        }
        if timestamp.tolerance > LONG_TOLERANCE {
            let long = humantime::format_duration(timestamp.tolerance);
            let what = format!("a caught message can be sent again for {long}; 5m is usual");
            warn("tolerance", &what);
        } else if timestamp.tolerance < SHORT_TOLERANCE {
            warn("tolerance", "next to nothing will pass; 5m is usual");
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

/// How a secret becomes a key, as far as that can be said of a configuration that may be wrong.
pub(super) fn key_form(config: &VerifyConfig) -> KeyForm {
    KeyForm {
        prefix: config.secret_prefix.clone().unwrap_or_default(),
        encoding: config.secret_encoding.unwrap_or_default(),
        algorithm: algorithm(config).ok(),
        place: place(config).ok(),
    }
}

fn algorithm(config: &VerifyConfig) -> Result<Algorithm, String> {
    match text(config.algorithm.as_ref()) {
        Some(text) => Algorithm::parse(text),
        None => Err("missing: set it, such as `hmac-sha256`, or a preset".to_owned()),
    }
}

fn place(config: &VerifyConfig) -> Result<Place, String> {
    match text(config.signature.as_ref()) {
        Some(text) => Place::parse(text),
        None => Err("missing: set `header:NAME`, or a preset".to_owned()),
    }
}

fn prefixes(config: &VerifyConfig) -> Result<Vec<String>, String> {
    match config.prefix.as_ref().map(Prefixes::list) {
        None => Ok(vec![String::new()]),
        Some([]) => Err("an empty list fits nothing; leave it out, or list \"\"".to_owned()),
        Some(list) => Ok(list.to_vec()),
    }
}

fn timestamp(config: &VerifyConfig) -> Result<Option<Timestamp>, String> {
    let Some(place) = text(config.timestamp.as_ref()) else {
        return Ok(None);
    };
    Ok(Some(Timestamp {
        place: Moment::parse(place)?,
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
    let Some(name) = place.strip_prefix("header:") else {
        return Err(format!(
            "`{place}` is not understood; write `header:NAME`, `path:JSONPATH` or `hash`"
        ));
    };
    let name = place::header(name)?;
    let signed = needed || content.has(&Part::Header(name.clone()));
    Ok(IdSource::Header {
        name,
        signed,
        needed,
    })
}

#[cfg(test)]
mod tests;
