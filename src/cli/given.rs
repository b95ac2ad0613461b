//! What arguments name: a source of the configuration, a survey in a file or on standard input, an address.
//!
//! An argument that names nothing that there is exits with 64, as one that cannot be understood. Not so a file that
//! stands for a part of the configuration (`--rules`, as `--config` itself): what is wrong with that is the
//! configuration's trouble, 78. And ids of deliveries are asked after, so that none of that id is an answer, 1.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;

use crate::intake::Source;

/// An argument that names nothing that there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misnamed(pub(super) String);

/// The source of that name.
pub(super) fn source<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    name: &str,
) -> Result<&'a Source, Misnamed> {
    let mut known = Vec::new();
    for source in sources {
        if source.name.as_str() == name {
            return Ok(source);
        }
        known.push(source.name.as_str());
    }
    Err(Misnamed(format!(
        "no source is called `{name}`; there are {}",
        known.join(", ")
    )))
}

/// An address to post to, as it was written.
pub(super) fn address(text: &str) -> Result<String, &'static str> {
    const WANTED: &str = "write an address such as http://127.0.0.1:8080";
    // `Uri` drops a fragment without a word.
    if text.contains('#') {
        return Err("an address to post to has no fragment");
    }
    let uri: http::Uri = text.parse().map_err(|_why| WANTED)?;
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if has_host && matches!(uri.scheme_str(), Some("http" | "https")) {
        Ok(text.to_owned())
    } else {
        Err(WANTED)
    }
}

pub(super) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What the file holds, or standard input where it is `-`. No more than `limit` and one byte: who gets that much is to
/// say that it is too much.
pub(super) fn survey(file: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let most = limit.saturating_add(1);
    let mut bytes = Vec::new();
    let read = if is_stdin(file) {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    let misnamed = || Misnamed(format!("the survey {} cannot be read", file.display()));
    read.with_context(misnamed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for good in [
            "http://127.0.0.1:8080",
            "https://a.example/x?y&z",
            "http://[::1]:80/",
        ] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "garbage",
            "/webhooks/generic",
            "127.0.0.1:8080",
            "ftp://a.example",
            "http://",
            "http:///path",
            "http://x/y z",
            "http://x/#y",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
