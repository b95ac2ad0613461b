//! From a request's bytes to surveys: is it authentic, was it seen before, what does it say.
//!
//! A [`Source`] is one sender, compiled from its configuration. [`Source::verify`] alone can make a [`Verified`];
//! [`Source::read`] takes nothing else, so that no unsigned byte is ever interpreted. Everything about a sender's
//! signatures is data: `config` holds the words, `preset` the known senders, `scheme` the compiled form.
//!
//! Not here: HTTP, rules, the store. No function does IO or asks the clock.

mod algorithm;
pub mod config;
mod dedup;
mod encoding;
mod envelope;
mod form;
mod given;
mod key;
mod need;
mod path;
mod payload;
mod place;
pub mod preset;
mod read;
mod scheme;
mod sign;
mod tag;
mod template;
mod timestamp;
mod verify;

use bytes::Bytes;
use http::{HeaderName, StatusCode};

pub use config::{FieldConfig, Invalid, SourceConfig, VerifyConfig};
pub use envelope::Envelope;
pub use given::{Given, check_path_token, check_secret};
pub use read::{INTERACTION_ID, Problem, Reading, Unreadable};
pub use sign::{SignError, Signed, Stamp};
pub use verify::{Received, Refusal, Verified};

use crate::clock::UnixMs;
use crate::ids::SourceName;
use crate::secret::Secret;
use crate::survey::FieldSpec;

/// Content types that a source of JSON takes: JSON, what ends in `+json`, and none at all.
const JSON_TYPES: [&str; 3] = ["application/json", "+json", ""];

/// One sender of surveys, ready to judge and read what it sends.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: SourceName,
    /// Answers that all is well.
    pub ack: StatusCode,
    pub invalid: Invalid,
    /// `GET` and `HEAD` answer 200.
    pub handshake: bool,
    /// The preset that it is laid over, if any.
    pub preset: Option<String>,
    /// How it proves itself, in the configuration's words, those of the preset included.
    pub words: VerifyConfig,
    /// How the survey stands in the body, as `body` has it.
    pub body: String,
    content_types: Vec<String>,
    /// In the order of their names; `finders` is in the same order.
    fields: Vec<FieldSpec>,
    finders: Vec<read::Finder>,
    need: need::Need,
    scheme: scheme::Scheme,
    ring: key::Ring,
    path_token: Option<Secret>,
    warnings: Vec<String>,
}

impl Source {
    /// Compiles a source. Every problem is told at once, as `key: what to do`, the key seen from `[[source]]`.
    pub fn build(config: &SourceConfig, given: impl Into<Given>) -> Result<Self, Vec<String>> {
        let given = given.into();
        let mut problems = Vec::new();
        let name = config.name.parse::<SourceName>();
        if let Err(problem) = &name {
            problems.push(format!("name: {problem}"));
        }
        let preset = preset(config).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let ack = config.ack.or(preset.and_then(|preset| preset.ack));
        let ack = ack.unwrap_or(StatusCode::ACCEPTED.as_u16());
        let ack = StatusCode::from_u16(ack)
            .ok()
            .filter(StatusCode::is_success);
        if ack.is_none() {
            problems.push("ack: a status from 200 to 299".to_owned());
        }
        let body = config.body.as_deref();
        let body = body.or(preset.and_then(|preset| preset.body.as_deref()));
        let body = body.unwrap_or("json");
        let field = |kind| {
            body.strip_prefix(kind)
                .is_some_and(|field| !field.is_empty())
        };
        if !matches!(body, "json" | "form") && !field("form:") && !field("multipart:") {
            problems.push(
                "body: write `json`, `form`, `form:FIELD` or `multipart:FIELD`, where FIELD holds the JSON"
                    .to_owned(),
            );
        }
        let content_types = content_types(config, body, &mut problems);
        let (fields, finders) = fields(config, &mut problems);
        // Without its preset a source would lack half of its keys: one problem is enough.
        let knows_its_preset = preset.is_some() || config.preset.is_none();
        let around = scheme::Around {
            body,
            public_url: given.public_url.as_deref(),
            has_path_token: config.path_token.is_some() || given.path_token.is_some(),
        };
        let words = verify_config(config);
        let mut compiled = None;
        if knows_its_preset {
            match scheme::Scheme::compile(&words, &around) {
                Ok(scheme) => compiled = Some(scheme),
                Err(found) => problems.extend(found),
            }
        }
        let (found, given_warnings) = given::check(config, &given);
        problems.extend(found);
        if let Some((scheme, _)) = &compiled
            && let Err(problem) = given::check_coverage(body, scheme, &finders)
        {
            problems.push(problem);
        }
        match (name, ack, compiled) {
            (Ok(name), Some(ack), Some((scheme, mut warnings))) if problems.is_empty() => {
                Ok(Self {
                    name,
                    ack,
                    invalid: first(config.invalid, preset.and_then(|preset| preset.invalid)),
                    handshake: first(config.handshake, preset.and_then(|preset| preset.handshake)),
                    preset: config.preset.clone(),
                    body: body.to_owned(),
                    content_types,
                    need: need::Need::of(
                        finders
                            .iter()
                            .map(read::Finder::path)
                            .chain(scheme.id.path()),
                    ),
                    fields,
                    finders,
                    scheme,
                    ring: key::Ring::new(scheme::key_form(&words), given.secrets),
                    path_token: given.path_token,
                    words,
                    warnings: {
                        warnings.extend(given_warnings);
                        warnings
                    },
                })
            }
            _ => Err(problems),
        }
    }

    /// Whether a request of this content type is for us.
    pub fn takes(&self, content_type: Option<&str>) -> bool {
        let essence = content_type.unwrap_or_default();
        let essence = essence
            .split_once(';')
            .map_or(essence, |(essence, _)| essence);
        let essence = essence.trim().to_ascii_lowercase();
        self.content_types.iter().any(|taken| {
            if taken.starts_with('+') {
                essence.contains('/') && essence.ends_with(&**taken)
            } else {
                *taken == essence
            }
        })
    }

    /// Is it authentic, and of now? Over the raw bytes, in constant time.
    pub fn verify(&self, received: &Received<'_>) -> Result<Verified, Refusal> {
        verify::verify(self, received)
    }

    /// What would be read of a body if it were authentic: for tools that show somebody's own file. Nothing of it may
    /// be stored: its keys are those of no message.
    pub fn preview(&self, body: Bytes, now: UnixMs) -> Vec<Reading> {
        read::read(self, &Verified::unproved(body, now))
    }

    /// The surveys of an authentic body, at least one, in their order.
    pub fn read(&self, verified: &Verified) -> Vec<Reading> {
        read::read(self, verified)
    }

    /// The request in which this sender would send a survey.
    pub fn sign(&self, stamp: &Stamp<'_>, survey: &[u8]) -> Result<Signed, SignError> {
        sign::sign(self, stamp, survey)
    }

    /// The fields that rules can use, in the order of their names.
    pub fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    /// The secrets that are accepted, to be read again when they may have changed.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.ring.secrets().chain(&self.path_token)
    }

    /// Headers in which a secret itself is sent.
    pub fn sensitive_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let is_token = self.scheme.algorithm == algorithm::Algorithm::Token;
        let place = self.scheme.place.as_ref().filter(|_| is_token);
        place.and_then(place::Place::header).into_iter()
    }

    /// What should be told at start, as `key: what`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What `check` tells besides: the price of what is configured, right as it may be.
    pub fn notes(&self) -> Vec<String> {
        self.scheme.price().map(str::to_owned).into_iter().collect()
    }
}

/// The source's `verify` laid over its preset's.
fn verify_config(config: &SourceConfig) -> VerifyConfig {
    match preset(config) {
        Ok(Some(preset)) => config.verify.over(&preset.verify),
        Ok(None) | Err(_) => config.verify.clone(),
    }
}

fn preset(config: &SourceConfig) -> Result<Option<&'static preset::Preset>, String> {
    let Some(name) = config.preset.as_deref() else {
        return Ok(None);
    };
    preset::find(name).map(Some).ok_or_else(|| {
        let known: Vec<_> = preset::all().map(|(name, _)| name).collect();
        format!(
            "preset: `{name}` is unknown; known are {}; any other scheme can be written out under [source.verify]",
            known.join(", ")
        )
    })
}

fn first<T: Default>(own: Option<T>, presets: Option<T>) -> T {
    own.or(presets).unwrap_or_default()
}

fn content_types(config: &SourceConfig, body: &str, problems: &mut Vec<String>) -> Vec<String> {
    let Some(list) = &config.content_types else {
        return match body.split(':').next() {
            Some("form") => vec![envelope::FORM.to_owned()],
            Some("multipart") => vec![envelope::MULTIPART.to_owned()],
            _ => JSON_TYPES.map(str::to_owned).to_vec(),
        };
    };
    if list.is_empty() {
        problems.push("content_types: an empty list takes nothing; leave it out".to_owned());
    }
    for (index, kind) in list.iter().enumerate() {
        let is_kind = kind.is_empty() || kind.starts_with('+') || kind.contains('/');
        if !is_kind || kind.contains([';', ' ']) {
            problems.push(format!(
                "content_types[{index}]: write `type/subtype` without parameters, `+suffix`, or an empty text for none"
            ));
        }
    }
    list.iter().map(|kind| kind.to_ascii_lowercase()).collect()
}

fn fields(
    config: &SourceConfig,
    problems: &mut Vec<String>,
) -> (Vec<FieldSpec>, Vec<read::Finder>) {
    if !config.fields.contains_key(INTERACTION_ID) {
        problems.push(format!(
            "fields.{INTERACTION_ID}: missing: say where the interaction's id stands, such as \
             {{ path = \"$.interactionId\", type = \"uuid\", required = true }}"
        ));
    }
    let compiled = config.fields.iter().filter_map(|(name, field)| {
        let field = read::compile(name, field);
        field.map_err(|found| problems.extend(found)).ok()
    });
    compiled.unzip()
}

#[cfg(test)]
mod tests;
