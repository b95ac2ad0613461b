//! The configuration: told what is wrong, in the place where it is and without a value; or good as a whole.
//!
//! An input is a file. Lines `NAME=value` before a line `---` are variables of the environment.

use wrapup::config::{Place, Problem, Secrets, load};
use wrapup::secret::Origin;

use super::rules::is_in;

/// Stands for values that nobody may see; seeds are full of it.
const CANARY: &str = "canary-7f3a9c1e5b";

pub fn run(data: &[u8]) {
    let Ok(input) = str::from_utf8(data) else {
        return;
    };
    // The machine's own files are not part of the test, and a device may never end.
    if ["/dev", "/proc", "/sys"]
        .iter()
        .any(|folder| input.contains(folder))
    {
        return;
    }
    let (variables, file) = input.split_once("---\n").unwrap_or(("", input));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<_> = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("c.toml");
    std::fs::write(&path, file).expect("a temporary file");
    match load(&path, variables.iter().cloned(), Secrets::Wanted) {
        Ok(loaded) => {
            let shown = loaded
                .effective
                .to_toml()
                .expect("what is in force can be shown");
            let json = loaded.effective.to_json().expect("and as JSON").to_string();
            let debug = format!("{loaded:?}");
            for secret in &loaded.secrets {
                // A value that stands nowhere else.
                if let Origin::Value(value) = secret.origin()
                    && value.len() >= 8
                    && input.matches(value.as_str()).count() == 1
                {
                    assert!(
                        ![&shown, &json, &debug]
                            .iter()
                            .any(|text| text.contains(value.as_str()))
                    );
                }
            }
            assert!(!loaded.config.sources.is_empty());
            // A rules file that is not there is told, too.
            assert!(loaded.config.read_rules().is_err());
            for problem in loaded.warnings.iter().chain(&loaded.stand_ins) {
                is_told_well(problem, file, &variables);
            }
        }
        Err(problems) => {
            assert!(problems.iter().len() > 0, "refused for no reason");
            for problem in &problems {
                is_told_well(problem, file, &variables);
            }
        }
    }
}

fn is_told_well(problem: &Problem, file: &str, variables: &[(String, String)]) {
    match &problem.place {
        Place::File { at: Some(at), .. } => {
            assert!(is_in(file, *at), "{problem} is not in the file");
        }
        Place::File { at: None, .. } => {}
        Place::Env(name) => {
            let known = variables.iter().any(|(known, _)| known.as_str() == &**name);
            assert!(known, "nobody set {name}");
        }
    }
    assert!(!problem.message.is_empty());
    // A key is shown, and it may be any text; a value is not.
    let is_key =
        problem.key.contains(CANARY) || variables.iter().any(|(name, _)| name.contains(CANARY));
    assert!(
        is_key || !problem.message.contains(CANARY),
        "a value is in {problem}"
    );
}
