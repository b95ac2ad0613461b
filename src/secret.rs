//! Secrets: where they come from, how they are held, how they are read again.
//!
//! A secret is never printed: `Debug` shows where it comes from, not what it is, and there is no `Display`.
//! Rotation needs no restart: [`Secret::reload`] reads the source again and keeps the old value where the new one
//! is missing, empty or refused by the check that its owner gave.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};

/// Where a secret comes from. In TOML: `{ env = "NAME" }`, `{ file = "PATH" }` or `{ value = "..." }`.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Env(String),
    File(PathBuf),
    #[serde(serialize_with = "hidden")]
    Value(String),
}

fn hidden<S: serde::Serializer>(_: &String, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("[hidden]")
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Value(_) => f.write_str("value [hidden]"),
        }
    }
}

/// Why a secret could not be had. Says where it was looked for, never what was found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("environment variable {0} is not set: set it, or name another in `env`")]
    Unset(String),
    #[error("secret file {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the secret from {0:?} is empty: an empty secret protects nothing")]
    Empty(Origin),
    #[error("the secret from {origin:?} cannot be used: {reason}")]
    Refused { origin: Origin, reason: String },
}

/// What a reload found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Changed,
}

/// Says why a value cannot be used as this secret; the text must not repeat the value.
pub type Check = dyn Fn(&[u8]) -> Result<(), String> + Send + Sync;

/// A secret that can change while the service runs. Cloning shares it.
#[derive(Clone)]
pub struct Secret(Arc<Inner>);

struct Inner {
    origin: Origin,
    /// Relative file origins are read from here: the configuration file's folder.
    base: PathBuf,
    check: Box<Check>,
    value: ArcSwap<SecretSlice<u8>>,
    /// Counted up after each new value.
    generation: AtomicU64,
    is_stand_in: bool,
}

impl Secret {
    /// Reads the secret for the first time. `base` is the folder that relative file paths start from;
    /// `check` says whether a value can be used at all (a key of the right form), now and at each reload.
    pub fn load(
        origin: Origin,
        base: &Path,
        check: impl Fn(&[u8]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let value = read(&origin, base, &check)?;
        Ok(Self(Arc::new(Inner {
            origin,
            base: base.to_owned(),
            check: Box::new(check),
            value: ArcSwap::from_pointee(SecretSlice::from(value)),
            generation: AtomicU64::new(0),
            is_stand_in: false,
        })))
    }

    /// A secret that is known already: for the simulator, the demo and tests.
    pub fn fixed(value: &[u8]) -> Self {
        Self::without_origin(value, false)
    }

    /// Takes the place of a secret that is not there, where that is allowed. It is never used as one, so it need not
    /// look like one.
    pub fn stand_in() -> Self {
        Self::without_origin(b"a secret that is not there", true)
    }

    fn without_origin(value: &[u8], is_stand_in: bool) -> Self {
        Self(Arc::new(Inner {
            origin: Origin::Value(String::new()),
            base: PathBuf::new(),
            check: Box::new(|_| Ok(())),
            value: ArcSwap::from_pointee(SecretSlice::from(value.to_vec())),
            generation: AtomicU64::new(0),
            is_stand_in,
        }))
    }

    pub fn is_stand_in(&self) -> bool {
        self.0.is_stand_in
    }

    /// Grows with each new value, so that what was made of the last one can be kept until then. To be asked before
    /// the value is: what is made of a value that comes in between is then merely made once more.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Lends the current bytes to `use_it`.
    pub fn expose<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
        use_it(self.0.value.load().expose_secret())
    }

    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// Reads the origin again. On any error the old value stays in force.
    pub fn reload(&self) -> Result<Reload, Error> {
        let inner = &self.0;
        let value = read(&inner.origin, &inner.base, &inner.check)?;
        if self.expose(|old| old == value) {
            return Ok(Reload::Unchanged);
        }
        inner.value.store(Arc::new(SecretSlice::from(value)));
        inner.generation.fetch_add(1, Ordering::AcqRel);
        Ok(Reload::Changed)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?})", self.0.origin)
    }
}

fn read(origin: &Origin, base: &Path, check: &Check) -> Result<Vec<u8>, Error> {
    let mut value = match origin {
        Origin::Env(name) => std::env::var_os(name)
            .ok_or_else(|| Error::Unset(name.clone()))?
            .into_encoded_bytes(),
        Origin::File(path) => {
            let path = base.join(path);
            std::fs::read(&path).map_err(|source| Error::Unreadable { path, source })?
        }
        Origin::Value(text) => text.clone().into_bytes(),
    };
    if matches!(origin, Origin::File(_)) {
        // Editors and `echo` end a file with a newline that nobody means.
        if value.last() == Some(&b'\n') {
            value.pop();
            if value.last() == Some(&b'\r') {
                value.pop();
            }
        }
    }
    if value.is_empty() {
        return Err(Error::Empty(origin.clone()));
    }
    check(&value).map_err(|reason| Error::Refused {
        origin: origin.clone(),
        reason,
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_newline_of_a_file_is_dropped_and_a_bad_rotation_keeps_the_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        std::fs::write(&path, "one\n\n").unwrap();
        let secret = Secret::load(Origin::File("s".into()), dir.path(), |_| Ok(())).unwrap();
        secret.expose(|bytes| assert_eq!(bytes, b"one\n"));
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(secret.reload(), Err(Error::Empty(_))));
        secret.expose(|bytes| assert_eq!(bytes, b"one\n"));
        assert_eq!(secret.generation(), 0);
        std::fs::write(&path, "two").unwrap();
        assert_eq!(secret.reload().unwrap(), Reload::Changed);
        assert_eq!(secret.generation(), 1);
        assert_eq!(secret.reload().unwrap(), Reload::Unchanged);
        assert_eq!(secret.generation(), 1);
        secret.expose(|bytes| assert_eq!(bytes, b"two"));
    }

    #[test]
    fn debug_shows_no_value() {
        let secret =
            Secret::load(Origin::Value("canary".into()), Path::new(""), |_| Ok(())).unwrap();
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
