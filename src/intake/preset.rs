//! What is known about senders, as data: `presets.toml` beside this file, in the words of the configuration.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::config::{Invalid, VerifyConfig};

/// A named set of keys that a source's own keys are laid over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Preset {
    pub(super) ack: Option<u16>,
    pub(super) invalid: Option<Invalid>,
    pub(super) handshake: Option<bool>,
    pub(super) verify: VerifyConfig,
}

static PRESETS: LazyLock<BTreeMap<String, Preset>> = LazyLock::new(|| {
    toml::from_str(include_str!("presets.toml"))
        .expect("presets.toml is part of the program and every test run reads it")
});

pub(super) fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.get(name)
}

/// Every preset's name, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.keys().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::scheme::Scheme;

    #[test]
    fn all_presets_compile_without_a_warning() {
        assert!(names().count() >= 2);
        for name in names() {
            let (_, warnings) = Scheme::compile(&find(name).unwrap().verify).unwrap();
            assert_eq!(warnings, Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn presets_know_no_other_keys_than_the_configuration() {
        let mut unknown = Vec::new();
        let table = toml::Deserializer::parse(include_str!("presets.toml")).unwrap();
        let all: BTreeMap<String, Preset> =
            serde_ignored::deserialize(table, |path| unknown.push(path.to_string())).unwrap();
        assert_eq!(all.len(), PRESETS.len());
        assert_eq!(unknown, Vec::<String>::new());
    }
}
