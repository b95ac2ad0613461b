//! Names and identifiers as types, so that a code's name never stands where its id is meant.
//!
//! Parsed once at the edge; inside, holding one is the proof that it is well formed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A delivery's id: a `UUIDv7`, so that ids sort roughly by time of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// A new id from the machine's clock and random bits.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An interaction's id on the platform: a UUID, written in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InteractionId(pub Uuid);

impl fmt::Display for InteractionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }
    };
}

name! {
    /// A wrap-up code's name, such as `WU_PROMPT_SUCCESS`.
    CodeName
}
name! {
    /// A wrap-up code's id on the platform, as the platform writes it.
    CodeId
}
name! {
    /// A rule's name in the rules file.
    RuleName
}
name! {
    /// The id that the platform answers an assignment with.
    EventId
}
name! {
    /// A configured sender of surveys: `[a-z0-9][a-z0-9-]{0,62}`, unique.
    SourceName
}

/// Why a text is no source name.
#[derive(Debug, thiserror::Error)]
#[error("a source name is 1 to 63 of a-z, 0-9 and '-', and begins with a letter or digit")]
pub struct BadSourceName;

impl FromStr for SourceName {
    type Err = BadSourceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts_well = text.as_bytes().first().is_some_and(&allowed);
        let goes_on_well = text.bytes().all(|byte| allowed(&byte) || byte == b'-');
        if starts_well && goes_on_well && text.len() <= 63 {
            Ok(Self::from(text))
        } else {
            Err(BadSourceName)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_are_checked_at_the_edge() {
        for good in ["generic", "a", "0-x"] {
            assert!(good.parse::<SourceName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", &"a".repeat(64)] {
            assert!(bad.parse::<SourceName>().is_err(), "{bad}");
        }
    }
}
