//! Collecting what is wrong while raw values become good ones.
//!
//! Every check returns a value even where it complains, so that the next check can run; nobody sees such a value,
//! because a configuration with a problem is never given out.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Secrets;
use super::problem::{Place, Problem};
use super::tree::{Node, Value};
use super::url::base_url;
use crate::secret::{Origin, Secret};
use crate::units::Span;

pub(super) struct Checks<'a> {
    root: &'a Node,
    /// What relative paths start from: the configuration file's folder.
    pub(super) base: PathBuf,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) secrets: Vec<Secret>,
    need: Secrets,
    /// Keys of the secrets that are not there, where that is allowed.
    pub(super) stand_ins: Vec<Problem>,
}

impl<'a> Checks<'a> {
    /// `problems` were found before; what they already tell is not told again.
    pub(super) fn new(root: &'a Node, file: &Path, need: Secrets, problems: Vec<Problem>) -> Self {
        Self {
            root,
            base: file.parent().unwrap_or(Path::new("")).to_owned(),
            problems,
            warnings: Vec::new(),
            secrets: Vec::new(),
            need,
            stand_ins: Vec::new(),
        }
    }

    pub(super) fn refuse(&mut self, key: &str, message: impl Into<String>) {
        if self.sound(key) {
            let problem = self.at(key, message.into());
            self.problems.push(problem);
        }
    }

    /// Several problems that were found together, some of them perhaps of one key.
    pub(super) fn refuse_all(&mut self, found: Vec<(String, String)>) {
        let found: Vec<Problem> = found
            .into_iter()
            .filter(|(key, _)| self.sound(key))
            .map(|(key, message)| self.at(&key, message))
            .collect();
        self.problems.extend(found);
    }

    /// Where the items that could be read stand in an array as it was written.
    pub(super) fn indices(&self, key: &str) -> Vec<usize> {
        let (node, _) = self.root.nearest(key);
        match &node.value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .filter(|(_, item)| !item.refused.get())
                .map(|(index, _)| index)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Every text that stands at a key or below it; none where there is no such key.
    pub(super) fn texts(&self, key: &str) -> Vec<&'a str> {
        let mut texts = Vec::new();
        let (node, found) = self.root.nearest(key);
        let mut waiting = if found { vec![node] } else { Vec::new() };
        while let Some(node) = waiting.pop() {
            match &node.value {
                Value::String(text) | Value::Text(text) => texts.push(text.as_str()),
                Value::Array(items) => waiting.extend(items),
                Value::Table(entries) => waiting.extend(entries.values()),
                _ => {}
            }
        }
        texts
    }

    pub(super) fn warn(&mut self, key: &str, message: impl Into<String>) {
        let warning = self.at(key, message.into());
        self.warnings.push(warning);
    }

    /// Whether nothing has been said against this key, what it is in, or what is in it.
    pub(super) fn sound(&self, key: &str) -> bool {
        let holds = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        !self
            .problems
            .iter()
            .any(|known| holds(&known.key, key) || holds(key, &known.key))
    }

    fn at(&self, key: &str, message: String) -> Problem {
        let (node, found) = self.root.nearest(key);
        let place = match (&node.value, &node.place) {
            // What is missing from a table is missing from the file, even where a variable made the table.
            (Value::Table(_), Place::Env(_)) if !found => &self.root.place,
            (Value::Table(_), _) if !found => &node.key_place,
            (_, place) => place,
        };
        Problem {
            place: place.clone(),
            key: key.to_owned(),
            message,
        }
    }

    /// A number within bounds, in the type that the program counts in.
    pub(super) fn number<T>(&mut self, key: &str, value: u64, within: RangeInclusive<u64>) -> T
    where
        T: TryFrom<u64> + Default,
    {
        let converted = T::try_from(value).ok();
        match converted {
            Some(number) if within.contains(&value) => number,
            _ => {
                let (low, high) = (within.start(), within.end());
                self.refuse(key, format!("must be from {low} to {high}"));
                T::default()
            }
        }
    }

    pub(super) fn span(
        &mut self,
        key: &str,
        value: Span,
        within: RangeInclusive<Duration>,
    ) -> Duration {
        if !within.contains(&value.0) {
            let (low, high) = (Span(*within.start()), Span(*within.end()));
            self.refuse(key, format!("must be from {low} to {high}"));
        }
        value.0
    }

    pub(super) fn listen(&mut self, key: &str, value: &str) -> SocketAddr {
        if let Ok(address) = value.parse::<SocketAddr>() {
            if address.port() == 0 {
                self.warn(key, "port 0 takes any free port: nobody will know which");
            }
            return address;
        }
        self.refuse(
            key,
            "not an address and a port: write one such as \"0.0.0.0:8080\" or \"[::]:8080\"",
        );
        SocketAddr::from(([0, 0, 0, 0], 0))
    }

    /// A base URL without a slash at the end; says so where it is not encrypted.
    pub(super) fn url(&mut self, key: &str, value: &str, warn_if_exposed: bool) -> String {
        match base_url(value) {
            Ok(url) => {
                if url.exposed && warn_if_exposed {
                    self.warn(
                        key,
                        "http:// to another machine: tokens and codes can be read on the way; use https://",
                    );
                }
                url.text
            }
            Err(message) => {
                self.refuse(key, message);
                String::new()
            }
        }
    }

    /// A path, from the configuration file's folder.
    pub(super) fn path(&mut self, key: &str, value: &Path) -> PathBuf {
        if value.as_os_str().is_empty() {
            self.refuse(key, "an empty path");
        }
        self.base.join(value)
    }

    /// A secret that may be missing. `check` says whether a value can be used, now and when it changes.
    pub(super) fn secret(
        &mut self,
        key: &str,
        origin: Option<&Origin>,
        check: impl Fn(&[u8]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Option<Secret> {
        let origin = origin?;
        if let Origin::Env(name) = origin
            && !is_variable_name(name)
        {
            // Not repeated: it may be the secret itself, written where its variable's name belongs.
            self.refuse(key, "`env` takes the name of an environment variable");
            return None;
        }
        match Secret::load(origin.clone(), &self.base, check) {
            Ok(secret) => {
                self.secrets.push(secret.clone());
                Some(secret)
            }
            Err(cause) if self.need == Secrets::Wanted => {
                let missing = self.at(key, with_source(&cause));
                self.stand_ins.push(missing);
                Some(Secret::stand_in())
            }
            Err(cause) => {
                self.refuse(key, with_source(&cause));
                None
            }
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.bytes().all(word)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// An error and what it came from, in one line.
pub(super) fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The configuration file as places name it.
pub(super) fn shared(path: &Path) -> Arc<Path> {
    Arc::from(path)
}
