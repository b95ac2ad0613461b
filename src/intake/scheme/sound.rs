//! Whether a scheme can tell a sender from a stranger: what could never pass, and what always would, is no scheme.
//!
//! Each finding says why, for it is told to somebody who meant well.

use super::{Around, IdSource, Problems, Scheme, VerifyConfig};
use crate::intake::algorithm::Algorithm;
use crate::intake::config::{Encoding, Over, SecretEncoding};
use crate::intake::payload::Kind;
use crate::intake::place::{Moment, Place};
use crate::intake::template::Part;

pub(super) fn check(
    scheme: &Scheme,
    config: &VerifyConfig,
    around: &Around<'_>,
    problems: &mut Problems,
) {
    match scheme.algorithm {
        Algorithm::None => {
            if !config.i_know_this_is_unsigned && !around.has_path_token {
                problems.add(
                    "algorithm",
                    "with `none` anybody who reaches this address can send surveys: give the source a `path_token`, or \
                     say that you know with i_know_this_is_unsigned = true",
                );
            }
        }
        Algorithm::Token => token(scheme, config, problems),
        Algorithm::Hmac(_) | Algorithm::Digest(_) | Algorithm::Ed25519 => {
            content(scheme, around, problems);
            if scheme.needs_form() && config.over == Some(Over::Received) {
                problems.add(
                    "over",
                    "a form is read as it was before it was compressed: leave it out, or set \"decoded\"",
                );
            }
            itself(scheme, problems);
        }
    }
    words(scheme, problems);
    timestamp(scheme, problems);
}

fn token(scheme: &Scheme, config: &VerifyConfig, problems: &mut Problems) {
    if scheme.separator.is_some() {
        problems.add(
            "separator",
            "a token is one item: leave it out, or set \"\" over the preset's",
        );
    }
    if config.secret_encoding.unwrap_or_default() != SecretEncoding::Text {
        problems.add(
            "secret_encoding",
            "a token is compared as it is written: set \"text\"",
        );
    }
}

/// What the signature is made over.
fn content(scheme: &Scheme, around: &Around<'_>, problems: &mut Problems) {
    let content = &scheme.content;
    let has_secret = content.has(&Part::Secret);
    if matches!(scheme.algorithm, Algorithm::Digest(_)) && !has_secret {
        problems.add(
            "content",
            "has no {secret}: without it anybody can compute this digest",
        );
    }
    if scheme.algorithm == Algorithm::Ed25519 && has_secret {
        problems.add(
            "content",
            "has {secret}, and the key of ed25519 is public: take it out",
        );
    }
    if content.has(&Part::Url) && around.public_url.is_none() {
        problems.add(
            "content",
            "{url} is the address as the sender knows it: set `server.public_url`; what a client says in `Host` is \
             never believed",
        );
    }
    if content.has(&Part::Timestamp) && scheme.timestamp.is_none() {
        problems.add(
            "timestamp",
            "missing: `content` has {timestamp}; set `header:NAME`",
        );
    }
    match scheme.signed_fields() {
        Some(fields) if fields.is_empty() => problems.add(
            "content",
            "has no {body} and no {form:FIELD}: a signature that does not cover the body proves nothing about it",
        ),
        Some(fields) => {
            // With `form` each mapped field is looked at by itself, where the fields are known.
            if matches!(around.body, Kind::FormField(read) if !fields.contains(&&**read)) {
                problems.add(
                    "content",
                    "the survey is read from a field of the form that is not in `content`, so it is not signed: name \
                     that field as {form:FIELD}",
                );
            }
        }
        None => {}
    }
    if scheme.needs_form() && !reads_form(around) {
        let key = if matches!(scheme.place, Some(Place::Form(_))) {
            "signature"
        } else {
            "content"
        };
        problems.add(
            key,
            "`form:` needs a body that is a form, and this source's is not: set body = \"form:FIELD\" or \"form\"",
        );
    }
}

fn reads_form(around: &Around<'_>) -> bool {
    matches!(around.body, Kind::Form | Kind::FormField(_))
}

/// No signature can cover itself.
fn itself(scheme: &Scheme, problems: &mut Problems) {
    let why = "the signature would have to be made over itself";
    match &scheme.place {
        Some(Place::Form(_)) if scheme.content.has(&Part::Body) => problems.add(
            "content",
            format!("{why}: it stands in the {{body}}; name the fields that are signed as {{form:FIELD}}"),
        ),
        Some(Place::Form(field)) if scheme.content.has(&Part::Form(field.clone())) => {
            problems.add("content", format!("{why}: it stands in that field"));
        }
        Some(Place::Header(name)) => {
            let id = matches!(&scheme.id, IdSource::Header { name: id, needed: true, .. } if id == name);
            if id || scheme.content.has(&Part::Header(name.clone())) {
                problems.add("content", format!("{why}: it stands in that header"));
            }
        }
        Some(place) if place.is_for_tokens() => problems.add(
            "signature",
            "only a token can stand there: set algorithm = \"token\", or `header:NAME`",
        ),
        _ => {}
    }
}

/// Separator and prefixes: an item is what stands between separators, trimmed, in visible ASCII.
fn words(scheme: &Scheme, problems: &mut Problems) {
    if let Some(separator) = &scheme.separator {
        if !separator.bytes().all(is_in_headers) {
            problems.add("separator", NEVER_SENT);
        } else if scheme
            .encoding
            .is_some_and(|it| separator.bytes().all(|byte| may_hold(it, byte)))
        {
            problems.add(
                "separator",
                "it can stand within a signature of this encoding and would cut it in two",
            );
        }
    }
    let mut prefixes: Vec<_> = (scheme.prefixes.iter())
        .map(|prefix| ("prefix", prefix.as_str()))
        .collect();
    if let Some(Moment::Item(prefix)) = scheme.timestamp.as_ref().map(|it| &it.place) {
        prefixes.push(("timestamp", prefix));
    }
    for (key, prefix) in prefixes {
        if !prefix.bytes().all(is_in_headers) {
            problems.add(key, NEVER_SENT);
        } else if prefix.trim_start() != prefix {
            problems.add(key, "items are trimmed: none begins with a blank");
        } else if (scheme.separator.as_ref()).is_some_and(|by| prefix.contains(&**by)) {
            problems.add(
                key,
                "it has the separator in it, so that no item can begin with it",
            );
        }
    }
}

const NEVER_SENT: &str = "it is not visible ASCII, so that no header can hold it";

fn is_in_headers(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

fn may_hold(encoding: Encoding, byte: u8) -> bool {
    match encoding {
        Encoding::Hex => byte.is_ascii_hexdigit(),
        Encoding::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
    }
}

fn timestamp(scheme: &Scheme, problems: &mut Problems) {
    let Some(timestamp) = &scheme.timestamp else {
        return;
    };
    match &timestamp.place {
        Moment::Header(name) => {
            let place = scheme.place.as_ref();
            if place.and_then(Place::header) == Some(name) {
                problems.add(
                    "timestamp",
                    "that header holds the signature; set `item:PREFIX` where the timestamp is one of its items",
                );
            }
        }
        Moment::Item(_) if !scheme.algorithm.signs() => problems.add(
            "timestamp",
            "there are no items where nothing is signed: set `header:NAME`, or leave it out",
        ),
        Moment::Item(_) if scheme.separator.is_none() => problems.add(
            "timestamp",
            "`item:` needs a `separator`: a value that is one item cannot be signature and timestamp",
        ),
        Moment::Item(prefix) if scheme.prefixes.iter().any(|it| **it == **prefix) => problems.add(
            "timestamp",
            "signatures have the same prefix: which item is the timestamp could not be told",
        ),
        Moment::Item(_) => {}
    }
}
