//! What is known about senders, as data: `presets.toml` beside this file, in the words of the configuration.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::config::{Invalid, SourceConfig, VerifyConfig};

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

impl Preset {
    /// A source as it is with its preset under it: whatever it says itself goes before. An empty text says nothing.
    pub(super) fn under(&self, config: &SourceConfig) -> SourceConfig {
        let text = |own: &Option<String>, preset: &Option<String>| {
            let text = own.as_ref().or(preset.as_ref());
            text.filter(|text| !text.is_empty()).cloned()
        };
        SourceConfig {
            ack: config.ack.or(self.ack),
            invalid: config.invalid.or(self.invalid),
            handshake: config.handshake.or(self.handshake),
            body: text(&config.body, &self.body),
            items: text(&config.items, &self.items),
            verify: config.verify.over(&self.verify),
            ..config.clone()
        }
    }
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
