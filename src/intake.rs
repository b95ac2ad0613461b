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
mod fields;
mod find;
mod form;
mod inflate;
mod items;
mod key;
mod mend;
mod multipart;
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

use bytes::Bytes;
use http::{HeaderName, StatusCode};

pub use config::{FieldConfig, Invalid, SourceConfig, VerifyConfig};
pub use fields::INTERACTION_ID;
pub use inflate::{Codings, Untaken};
pub use preset::names as presets;
pub use read::{Problem, Reading, Unreadable};
pub use sign::SignError;
pub use verify::{Received, Refusal, Verified};

use crate::clock::UnixMs;
use crate::ids::SourceName;
use crate::secret::Secret;
use crate::survey::FieldSpec;

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
    /// In the order of their names.
    fields: Vec<FieldSpec>,
    reader: read::Reader,
    over: config::Over,
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
        let body = payload::Kind::parse(config.body.as_deref().unwrap_or("json"));
        let body = body.unwrap_or_else(|problem| {
            problems.push(format!("body: {problem}"));
            payload::Kind::Json
        });
        let content_types = content_types(config, &body, &mut problems);
        let (fields, routes) = fields::compile_all(config, &mut problems);
        let mut needs = need::Needs::default();
        let items = items::Items::compile(config, &mut needs, &mut problems);
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
                reader: read::Reader::new(body, items, needs, routes, scheme.id.path()),
                over: verify_config(config).over.unwrap_or_default(),
                fields,
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

    /// The surveys of an authentic body, in their order; none only of a body of several that is an empty list.
    pub fn read(&self, verified: &Verified) -> Vec<Reading> {
        read::read(self, verified)
    }

    /// Verifies and reads a message whose body may be compressed: whether its signature is over what came or over
    /// what that becomes is a matter of the source. `max` holds for the inflated body, too.
    pub fn take(
        &self,
        received: Received<'_>,
        codings: &Codings,
        max: usize,
    ) -> Result<Vec<Reading>, Rejected> {
        if codings.is_identity() {
            return Ok(self.read(&self.verify(&received)?));
        }
        match self.over {
            config::Over::Decoded => {
                let body = match codings.undo(received.body.clone(), max) {
                    Ok(body) => body,
                    Err(inflate::Fault::TooLarge) => return Err(Rejected::TooLarge),
                    // There is nothing that a signature could fit.
                    Err(inflate::Fault::Broken) => return Err(Refusal::EncodingBroken.into()),
                };
                Ok(self.read(&self.verify(&Received { body, ..received })?))
            }
            config::Over::Received => {
                let verified = self.verify(&received)?;
                match codings.undo(received.body, max) {
                    Ok(body) => Ok(self.read(&verified.decoded(body))),
                    Err(inflate::Fault::TooLarge) => Err(Rejected::TooLarge),
                    Err(cause @ inflate::Fault::Broken) => {
                        Ok(vec![read::unreadable(self, &verified, cause)])
                    }
                }
            }
        }
    }

    /// Reads again what was kept: a body, or one item of a body. Its keys are those of its content.
    pub fn read_kept(&self, body: &Bytes, received_at: UnixMs) -> Vec<Reading> {
        read::read_kept(self, body, received_at)
    }

    /// Whether a body is several surveys, and is answered with a list.
    pub fn reads_items(&self) -> bool {
        self.reader.reads_items()
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
        let place = self.fields.iter().position(|spec| *spec.name == *field)?;
        self.reader.path_of(place)
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

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the body is over the limit once it is inflated")]
    TooLarge,
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

fn content_types(
    config: &SourceConfig,
    body: &payload::Kind,
    problems: &mut Vec<String>,
) -> Vec<String> {
    let Some(list) = &config.content_types else {
        let types = body.content_types().iter().copied();
        return types.map(str::to_owned).collect();
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

#[cfg(test)]
mod tests;
