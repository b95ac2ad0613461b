//! From a request's bytes to surveys: is it authentic, was it seen before, what does it say.
//!
//! A [`Source`] is one sender, compiled from its configuration. [`Source::verify`] alone can make a [`Verified`];
//! [`Source::read`] takes nothing else, so that no unsigned byte is ever interpreted. Everything about a sender's
//! signatures is data: `config` holds the words, `preset` the known senders, `scheme` the compiled form.
//!
//! Not here: HTTP, rules, the store. No function does IO or asks the clock.

pub mod config;
mod dedup;
mod encoding;
mod key;
mod need;
mod path;
mod payload;
mod preset;
mod read;
mod scheme;
mod sign;
mod template;
mod timestamp;
mod verify;

use http::{HeaderName, StatusCode};

pub use config::{FieldConfig, Invalid, SourceConfig, VerifyConfig};
pub use preset::names as presets;
pub use read::{INTERACTION_ID, Problem, Reading, Unreadable};
pub use sign::SignError;
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
    content_types: Vec<String>,
    /// In the order of their names; `finders` is in the same order.
    fields: Vec<FieldSpec>,
    finders: Vec<read::Finder>,
    need: need::Need,
    scheme: scheme::Scheme,
    secrets: Vec<Secret>,
    warnings: Vec<String>,
}

impl Source {
    /// Compiles a source. `secrets` are those that `config.secrets` name, in their order. Every problem is told at
    /// once, as `key: what to do`, the key seen from `[[source]]`.
    pub fn build(config: &SourceConfig, secrets: Vec<Secret>) -> Result<Self, Vec<String>> {
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
        if config.body.as_deref().is_some_and(|body| body != "json") {
            problems.push("body: this version of wrapup reads `json` only".to_owned());
        }
        let content_types = content_types(config, &mut problems);
        let (fields, finders) = fields(config, &mut problems);
        // Without its preset a source would lack half of its keys: one problem is enough.
        let knows_its_preset = preset.is_some() || config.preset.is_none();
        let compiled = knows_its_preset
            .then(|| scheme::Scheme::compile(&verify_config(config)))
            .transpose();
        let compiled = compiled.unwrap_or_else(|found| {
            problems.extend(found);
            None
        });
        if secrets.is_empty() {
            problems.push("secrets: give at least one, such as [{ env = \"NAME\" }]".to_owned());
        }
        if knows_its_preset {
            let check = check_secret(config);
            for (index, secret) in secrets.iter().enumerate() {
                if let Err(problem) = secret.expose(|secret| check(secret)) {
                    problems.push(format!("secrets[{index}]: {problem}"));
                }
            }
        }
        match (name, ack, compiled) {
            (Ok(name), Some(ack), Some((scheme, warnings))) if problems.is_empty() => Ok(Self {
                name,
                ack,
                invalid: first(config.invalid, preset.and_then(|preset| preset.invalid)),
                handshake: first(config.handshake, preset.and_then(|preset| preset.handshake)),
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
                secrets,
                warnings,
            }),
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
        verify::verify(&self.scheme, &self.secrets, received)
    }

    /// The surveys of an authentic body, at least one, in their order.
    pub fn read(&self, verified: &Verified) -> Vec<Reading> {
        read::read(self, verified)
    }

    /// The headers that this sender would send with `body`, signed with the secret at `secret` (0 is the first).
    /// `id` is not used where ids stand in the body or are not sent.
    pub fn sign(
        &self,
        secret: usize,
        body: &[u8],
        now: UnixMs,
        id: &str,
    ) -> Result<Vec<(HeaderName, String)>, SignError> {
        sign::sign(self, secret, body, now, id)
    }

    /// The fields that rules can use, in the order of their names.
    pub fn fields(&self) -> &[FieldSpec] {
        &self.fields
    }

    /// Where the value of a field is looked for.
    pub fn path_of(&self, field: &str) -> Option<&str> {
        let mut found = self.fields.iter().zip(&self.finders);
        let (_, finder) = found.find(|(spec, _)| *spec.name == *field)?;
        Some(finder.path().text())
    }

    /// The same source, but what a sender left out stays out: by it a value is told from a default.
    #[must_use]
    pub fn without_defaults(&self) -> Self {
        let mut plain = self.clone();
        for field in &mut plain.fields {
            field.required &= field.default.take().is_none();
        }
        plain
    }

    /// The secrets that are accepted, to be read again when they may have changed.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
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

/// Says why a value cannot be a secret of this source, without a byte of it. For [`Secret::load`].
pub fn check_secret(
    config: &SourceConfig,
) -> impl Fn(&[u8]) -> Result<(), String> + Send + Sync + use<> {
    let form = scheme::key_form(&verify_config(config));
    move |secret| form.check(secret)
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
        let known: Vec<_> = preset::names().collect();
        format!(
            "preset: `{name}` is unknown; known are {}; any other scheme can be written out under [source.verify]",
            known.join(", ")
        )
    })
}

fn first<T: Default>(own: Option<T>, presets: Option<T>) -> T {
    own.or(presets).unwrap_or_default()
}

fn content_types(config: &SourceConfig, problems: &mut Vec<String>) -> Vec<String> {
    let Some(list) = &config.content_types else {
        return JSON_TYPES.map(str::to_owned).to_vec();
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
