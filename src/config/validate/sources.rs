//! `[[source]]`: who sends. How a source is built is known to `intake`; here its problems find their places.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::checks::Checks;
use crate::intake::{Given, Source, SourceConfig, check_path_token, check_secret};
use crate::rules::Schema;

pub(super) fn sources(
    raw: &[SourceConfig],
    public_url: Option<&str>,
    checks: &mut Checks<'_>,
) -> Vec<Arc<Source>> {
    if raw.is_empty() {
        checks.refuse(
            "source",
            "no source: nobody could send surveys; write at least one [[source]] with a `name`",
        );
    }
    let mut built = Vec::with_capacity(raw.len());
    let mut names = BTreeMap::new();
    let indices = checks.indices("source");
    for (source, index) in raw.iter().zip(indices) {
        let key = format!("source[{index}]");
        if let Some(first) = names.insert(source.name.as_str(), index) {
            checks.refuse(
                &format!("{key}.name"),
                format!("the name of source[{first}], too: each source needs its own"),
            );
        }
        built.extend(one(&key, source, public_url, checks).map(Arc::new));
    }
    built
}

fn one(
    key: &str,
    raw: &SourceConfig,
    public_url: Option<&str>,
    checks: &mut Checks<'_>,
) -> Option<Source> {
    let mut secrets = Vec::with_capacity(raw.secrets.len());
    for (index, origin) in raw.secrets.iter().enumerate() {
        let key = format!("{key}.secrets[{index}]");
        secrets.extend(checks.secret(&key, Some(origin), check_secret(raw)));
    }
    let path_token = checks.secret(
        &format!("{key}.path_token"),
        raw.path_token.as_ref(),
        check_path_token,
    );
    let given = Given {
        secrets,
        path_token,
        public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
    };
    match Source::build(raw, given) {
        Ok(source) => {
            for warning in source.warnings() {
                let (key, message) = placed(key, warning);
                checks.warn(&key, message);
            }
            Some(source)
        }
        Err(problems) => {
            let found = problems.iter().map(|problem| {
                let (key, message) = placed(key, problem);
                let message = without(&checks.texts(&key), message);
                (key, message)
            });
            let found = found.collect();
            checks.refuse_all(found);
            None
        }
    }
}

/// What rules may name. Only asked of sources that are all good: a missing one would hide a clash.
pub(super) fn schema(sources: &[Arc<Source>], checks: &mut Checks<'_>) -> Schema {
    let fields = sources.iter().map(|source| (&source.name, source.fields()));
    let empty = || Schema::new([]).expect("no fields do not clash");
    if !checks.sound("source") {
        return empty();
    }
    Schema::new(fields).unwrap_or_else(|problems| {
        let index_of = |name: &str| {
            sources
                .iter()
                .position(|source| source.name.as_str() == name)
        };
        let found = problems.into_iter().map(|problem| {
            // `source.NAME.fields.FIELD`: a source's name holds no dot.
            let key = problem
                .path
                .strip_prefix("source.")
                .and_then(|rest| rest.split_once('.'))
                .and_then(|(name, rest)| Some(format!("source[{}].{rest}", index_of(name)?)));
            (key.unwrap_or(problem.path), problem.message)
        });
        checks.refuse_all(found.collect());
        empty()
    })
}

/// `key: what`, the key seen from its source, as key from the top and what.
fn placed(source: &str, problem: &str) -> (String, String) {
    match problem.split_once(": ") {
        Some((key, message)) => (format!("{source}.{key}"), message.to_owned()),
        None => (source.to_owned(), problem.to_owned()),
    }
}

/// The message without what stands at its key. Words of the configuration's author help him, and `intake` repeats
/// them; but what is wrong at its place may be a secret that belongs elsewhere.
fn without(texts: &[&str], mut message: String) -> String {
    /// Shorter ones would take letters out of the message's own words.
    const TELLING: usize = 8;
    /// Nor are these secrets: the messages' own, as they stand in many a value.
    const OWN: [&str; 3] = ["multipart", "signature", "timestamp"];
    for text in texts {
        message = message.replace(&format!("`{text}`"), "this");
        let parts = text.split([':', '{', '}']).chain([*text]);
        for part in parts.filter(|part| part.len() >= TELLING && !OWN.contains(part)) {
            message = message.replace(&format!("`{part}`"), "this");
            message = message.replace(part, "this");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn what_was_written_is_not_repeated() {
        for (text, message, told) in [
            (
                "md5",
                "`md5` is unknown; known are x",
                "this is unknown; known are x",
            ),
            ("x", "`x` is no JSONPath", "this is no JSONPath"),
            (
                "{body}{my-long-secret",
                "`{my-long-secret` has no closing",
                "`{this` has no closing",
            ),
            (
                "header:my long secret",
                "`my long secret` cannot be",
                "this cannot be",
            ),
        ] {
            assert_eq!(without(&[text], message.to_owned()), told);
        }
    }
}
