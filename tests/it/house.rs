//! The house rule of DESIGN section 3: imports point one way only. A new arrow fails here before it becomes a habit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module, and what it may see directly; what those see, it may see, too.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("ids", &[]),
    ("lifecycle", &[]),
    ("metrics", &[]),
    ("secret", &[]),
    ("telemetry", &[]),
    ("units", &[]),
    ("survey", LEAVES),
    ("rules", &["survey"]),
    ("platform", LEAVES),
    ("simulator", LEAVES),
    ("store", &["survey"]),
    ("codes", &["platform", "store"]),
    ("intake", &["rules", "store"]),
    ("delivery", &["codes", "platform", "store"]),
    ("http", &["intake", "codes", "delivery", "store"]),
    ("config", &["http"]),
    ("service", &["config"]),
    ("cli", &["service", "simulator"]),
];

const LEAVES: &[&str] = &[
    "clock",
    "ids",
    "lifecycle",
    "metrics",
    "secret",
    "telemetry",
    "units",
];

fn may_see() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut table: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // Listed from the ground up, so that what a module sees is complete when it is built upon.
    for (module, direct) in ARROWS {
        let mut all: BTreeSet<&str> = BTreeSet::from([*module]);
        for seen in *direct {
            all.extend(&table[seen]);
        }
        if !LEAVES.contains(module) {
            all.extend(LEAVES);
        }
        table.insert(module, all);
    }
    table
}

fn sources(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The modules of ours that a file names in its code: `crate::x` and, within `use crate::{...}`, every first segment.
fn named(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let after = &code[at + "crate::".len()..];
        if let Some(group) = after.strip_prefix('{') {
            let mut depth = 1;
            let mut segment = String::new();
            let mut first = true;
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => first = true,
                    _ => {}
                }
                if depth == 0 || letter == ',' || letter == ':' {
                    if !segment.trim().is_empty() {
                        found.insert(segment.trim().to_owned());
                    }
                    segment.clear();
                    first = first && letter == ',';
                } else if first && depth == 1 {
                    segment.push(letter);
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.insert(
                after
                    .chars()
                    .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                    .collect(),
            );
        }
    }
    found
}

#[test]
fn imports_point_one_way_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = may_see();
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        if module == "main" || module == "lib" {
            continue;
        }
        let allowed = table
            .get(module.as_str())
            .unwrap_or_else(|| panic!("{module} is not in the table of arrows"));
        for seen in named(&std::fs::read_to_string(file).unwrap()) {
            if table.contains_key(seen.as_str()) && !allowed.contains(seen.as_str()) {
                wrong.push(format!("{} sees {seen}", inside.display()));
            }
        }
    }
    assert!(files.len() > 50, "the sources were not found");
    assert!(wrong.is_empty(), "new arrows:\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_groups_and_paths() {
    let seen = named(
        "use crate::{http, store::{Store, sqlite}};\nlet x = crate::ids::CodeId;\n// crate::service",
    );
    assert_eq!(
        seen,
        BTreeSet::from(["http", "store", "ids"].map(str::to_owned))
    );
}
