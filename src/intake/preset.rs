//! What is known about senders, as data: `presets.toml` beside this file, in the words of the configuration.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::config::{Invalid, VerifyConfig};

/// A named set of keys that a source's own keys are laid over.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    /// Who sends like this.
    pub sender: String,
    /// What belongs into `secrets`.
    pub secret: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid: Option<Invalid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    pub verify: VerifyConfig,
}

static PRESETS: LazyLock<BTreeMap<String, Preset>> = LazyLock::new(|| {
    toml::from_str(include_str!("presets.toml"))
        .expect("presets.toml is part of the program and every test run reads it")
});

pub(super) fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.get(name)
}

/// Every preset by its name, in alphabetical order.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Preset)> {
    PRESETS.iter().map(|(name, preset)| (&**name, preset))
}

#[cfg(test)]
mod tests;
