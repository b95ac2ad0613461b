//! What the fuzz targets assert, for every input that is kept, and for some thousand made of them.
//!
//! No fuzzer runs here: `cargo fuzz` is for people and looks for new inputs; this keeps what was found from coming back.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Each run makes the same inputs.
const SEED: u64 = 0x7772_6170_7570;
/// Few enough for a debug build in seconds; a fuzzer is there for more.
const MADE: usize = 1500;
/// What is longer has been shown by the kept inputs.
const LONGEST_MADE: usize = 4096;

/// Pieces that turn one thing into another.
const PIECES: [&[u8]; 18] = [
    b"\"",
    b"{",
    b"[",
    b"]}",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"null",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b"%",
    b"&",
    b"=",
    b"[[rule]]\n",
    b"{ value = 1 }",
    b"\0",
];

fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let mut all = Vec::new();
    for folder in ["corpus", "regressions"] {
        let folder = root.join(folder).join(target);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
    // Folders are listed in any order; what is made of them must not depend on it.
    all.sort();
    all
}

/// One input made of others: parts changed, taken out, doubled, or put together.
fn made(kept: &[(PathBuf, Vec<u8>)], chance: &mut StdRng) -> Vec<u8> {
    let mut bytes = kept[chance.random_range(0..kept.len())].1.clone();
    bytes.truncate(LONGEST_MADE);
    for _ in 0..chance.random_range(1..6) {
        let at = chance.random_range(0..=bytes.len());
        let end = (at + chance.random_range(0..16_usize)).min(bytes.len());
        match chance.random_range(0..5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.random_range(0..8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].repeat(chance.random_range(1..40));
                bytes.splice(at..at, again);
            }
            3 => {
                let piece = PIECES[chance.random_range(0..PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let other = &kept[chance.random_range(0..kept.len())].1;
                let from = chance.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
                bytes.truncate(LONGEST_MADE);
            }
        }
    }
    bytes
}

/// Tells which input it was where one fails.
fn run(target: &str, judge: fn(&[u8])) {
    let kept = kept(target);
    assert!(kept.len() > 10, "the corpus of {target} was not found");
    let tell = |what: &str, bytes: &[u8]| {
        if let Err(cause) = std::panic::catch_unwind(|| judge(bytes)) {
            eprintln!("{target} fails on {what}: {}", bytes.escape_ascii());
            std::panic::resume_unwind(cause);
        }
    };
    for (path, bytes) in &kept {
        tell(&path.display().to_string(), bytes);
    }
    let mut chance = StdRng::seed_from_u64(SEED);
    for _ in 0..MADE {
        tell("an input made of others", &made(&kept, &mut chance));
    }
}

#[test]
fn nothing_unsigned_passes_and_nothing_changed_says_something_else() {
    run("verification", targets::verification::run);
}

#[test]
fn every_authentic_body_is_surveys_or_problems_without_its_values() {
    run("reading", targets::reading::run);
}

#[test]
fn forms_and_compressed_bodies_are_what_others_find_in_them() {
    run("forms", targets::forms::run);
}

#[test]
fn a_rules_file_is_rules_or_problems_in_their_places() {
    run("rules", targets::rules::run);
}

#[test]
fn a_configuration_is_good_or_told_in_its_place_without_a_value() {
    run("config", targets::config::run);
}
