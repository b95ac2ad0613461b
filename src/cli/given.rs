//! What arguments name: a source of the configuration, and a survey in a file or on standard input.
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
pub(super) struct Misnamed(String);

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
