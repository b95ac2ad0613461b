//! What a source is given besides its own words: secrets, the path's token, the address. And what each must be.

use super::algorithm::Algorithm;
use super::config::Root;
use super::fields::Route;
use super::items::Items;
use super::path::{Path, Step};
use super::payload;
use super::scheme::{self, Scheme};
use super::tag::Tag;
use super::{Source, SourceConfig, preset};
use crate::secret::Secret;
use crate::survey::FieldSpec;

/// A shorter one can be found by trying.
const SHORT_TOKEN: usize = 16;

/// What a source is built with besides its configuration.
#[derive(Debug, Default)]
pub struct Given {
    /// Those that `secrets` names, in their order.
    pub secrets: Vec<Secret>,
    /// The one that `path_token` names.
    pub path_token: Option<Secret>,
    /// `server.public_url`, without a slash at its end.
    pub public_url: Option<String>,
}

impl From<Vec<Secret>> for Given {
    fn from(secrets: Vec<Secret>) -> Self {
        Self {
            secrets,
            ..Self::default()
        }
    }
}

impl Source {
    /// Whether the path ends as it must: with the token, or, where there is none, with the name.
    pub(super) fn opens(&self, path_token: Option<&str>) -> bool {
        match (&self.path_token, path_token) {
            (None, None) => true,
            (Some(token), Some(given)) => {
                let given = Tag::of_token(given.as_bytes());
                token.expose(|token| Tag::of_token(token).matches(&given).into())
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Whether its path is longer than its name.
    pub fn has_path_token(&self) -> bool {
        self.path_token.is_some()
    }
}

/// Says why a value cannot be a secret of this source, without a byte of it. For [`Secret::load`].
pub fn check_secret(
    config: &SourceConfig,
) -> impl Fn(&[u8]) -> Result<(), String> + Send + Sync + use<> {
    let preset = config.preset.as_deref().and_then(preset::find);
    let form = match preset {
        Some(preset) => scheme::key_form(&config.verify.over(&preset.verify)),
        None => scheme::key_form(&config.verify),
    };
    move |secret| form.check(secret)
}

/// Says why a value cannot be the end of a path. Escapes are not decoded, so it must need none.
pub fn check_path_token(token: &[u8]) -> Result<(), String> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    if !token.iter().all(is_plain) {
        return Err("a path's token is made of letters, digits, `-`, `.`, `_` and `~`".to_owned());
    }
    if matches!(token, b"." | b"..") {
        return Err("`.` and `..` mean something else in a path".to_owned());
    }
    Ok(())
}

/// The problems of what is given, as `key: what to do`; and its warnings. `config` has its preset's words in it.
pub(super) fn check(config: &SourceConfig, given: &Given) -> (Vec<String>, Vec<String>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let is_none =
        config.verify.algorithm.as_deref().map(Algorithm::parse) == Some(Ok(Algorithm::None));
    if is_none && !config.secrets.is_empty() {
        problems.push(
            "secrets: with algorithm = \"none\" nobody looks at them: leave them out, or set an algorithm"
                .to_owned(),
        );
    } else if !is_none && given.secrets.is_empty() {
        problems.push("secrets: give at least one, such as [{ env = \"NAME\" }]".to_owned());
    }
    let check = check_secret(config);
    let there = |secret: &&Secret| !secret.is_stand_in();
    for (index, secret) in given.secrets.iter().enumerate() {
        if there(&secret)
            && let Err(problem) = secret.expose(|secret| check(secret))
        {
            problems.push(format!("secrets[{index}]: {problem}"));
        }
    }
    if let Some(token) = given.path_token.as_ref().filter(there) {
        if let Err(problem) = token.expose(check_path_token) {
            problems.push(format!("path_token: {problem}"));
        } else if token.expose(<[u8]>::len) < SHORT_TOKEN {
            warnings.push(format!(
                "path_token: shorter than {SHORT_TOKEN} characters: it can be guessed"
            ));
        }
    }
    (problems, warnings)
}

/// A survey that is read from a form must be read from what is signed of it. `fields` and `routes` go together.
pub(super) fn check_coverage(
    body: &payload::Kind,
    scheme: &Scheme,
    items: Option<&Items>,
    (fields, routes): (&[FieldSpec], &[Route]),
) -> Result<(), String> {
    let signed = scheme.signed_fields();
    let Some(signed) = signed.filter(|_| *body == payload::Kind::Form) else {
        return Ok(());
    };
    let of_items = items.map(|items| ("items", items.path()));
    let of_fields = (fields.iter().zip(routes))
        .filter(|(_, route)| items.is_none() || route.from == Root::Body)
        .map(|(field, route)| (&*field.name, &route.path));
    let of_id = scheme.id.path().filter(|_| items.is_none());
    let all = of_fields
        .chain(of_items)
        .chain(of_id.map(|path| ("verify.id", path)));
    let unsigned = all.filter(|(_, path)| !begins_with(path, &signed));
    match unsigned.map(|(name, _)| name).next() {
        None => Ok(()),
        Some(name) => Err(format!(
            "verify.content: {name} is read from a field of the form that is not in `content`, so it is not signed: \
             name that field as {{form:FIELD}}"
        )),
    }
}

fn begins_with(path: &Path, fields: &[&str]) -> bool {
    matches!(path.steps().first(), Some(Step::Name(name)) if fields.contains(&&**name))
}

#[cfg(test)]
mod tests;
