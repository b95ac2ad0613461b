//! Configuration: one TOML file and the environment, brought into the values that the service is built from.
//!
//! Four steps: the file becomes a [`tree`] that knows where each value stands; variables are laid over it ([`mod@env`]);
//! the tree is read into [`raw`] types; these are checked ([`validate`]). Every problem is collected on the way.
//! Invariants: who holds a [`Config`] holds one that is good as a whole; no error, warning or print holds a value
//! or a line of the file, so that a secret in the wrong place stays a secret.

mod checks;
mod env;
mod fault;
mod problem;
mod raw;
mod show;
mod tree;
mod typed;
mod unknown;
mod url;
mod validate;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use problem::{Place, Problem, Problems};
pub use show::Effective;

use crate::intake::Source;
use crate::rules::{RuleSet, Schema};
use crate::secret::Secret;
use crate::{codes, delivery, http, platform, rules, store};

/// Everything the service is told.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: http::Config,
    pub admin: http::Admin,
    pub platform: platform::Config,
    pub codes: codes::Config,
    pub delivery: delivery::Config,
    pub store: store::Config,
    pub rules: Rules,
    /// At least one, in the order of the file, each with its own name.
    pub sources: Vec<Arc<Source>>,
    /// The fields of all sources: what rules may name.
    pub schema: Schema,
}

/// `[rules]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// From the configuration file's folder; read again when it changes.
    pub file: PathBuf,
}

/// A good configuration, and what else is known of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// All of them, to be read again when they may have changed.
    pub secrets: Vec<Secret>,
    pub warnings: Vec<Problem>,
    /// Secrets that are not there and have a stand-in, with [`Secrets::Wanted`]: nothing can be signed with these.
    pub stand_ins: Vec<Problem>,
    pub effective: Effective,
}

/// What a secret that is not there means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// A problem, as for all that serves or says whether it could.
    Needed,
    /// A stand-in takes its place: for tools that look at the configuration where its secrets do not belong, as
    /// `rules test` does on the machine of whoever writes rules.
    Wanted,
}

/// Reads the file, lays the variables over it, and checks everything. Blocks while it reads files.
pub fn load(
    path: &Path,
    variables: impl Iterator<Item = (String, String)>,
    secrets: Secrets,
) -> Result<Loaded, Problems> {
    let file = checks::shared(path);
    let text = read(&file, NAME_IT, usize::MAX)?;
    let (mut root, syntax) = tree::parse(&text, &file);
    let mut problems = env::overlay(&mut root, variables);
    let (mut raw, found) = typed::read::<raw::Raw>(&root);
    problems.extend(found);
    if let Some(first) = syntax.iter().map(|problem| &problem.place).min() {
        // What follows a fault of syntax may be read wrongly; what stands before it, and variables, can be judged.
        problems.retain(|problem| match &problem.place {
            Place::File { .. } => problem.place < *first,
            Place::Env(_) => true,
        });
        problems.extend(syntax);
        return Err(Problems::new(problems));
    }
    let mut checks = checks::Checks::new(&root, path, secrets, problems);
    let config = validate::config(&raw, &mut checks);
    if !checks.problems.is_empty() {
        let rules = rules_problems(&config, &checks);
        return Err(Problems::new([checks.problems, rules].concat()));
    }
    let checks::Checks {
        secrets,
        mut warnings,
        stand_ins,
        ..
    } = checks;
    warnings.sort();
    validate::complete(&mut raw);
    Ok(Loaded {
        config,
        secrets,
        warnings,
        stand_ins,
        effective: Effective::new(raw, &root),
    })
}

/// What is wrong with the rules of a configuration that is not good itself, so that one run tells all. What rules may
/// name is known only where the sources are good; how they are written can be judged without.
fn rules_problems(config: &Config, checks: &checks::Checks<'_>) -> Vec<Problem> {
    if !checks.sound("rules") {
        return Vec::new();
    }
    let judged = config.rules_text().and_then(|text| {
        if checks.sound("source") {
            config.compile_rules(&text).map(drop)
        } else {
            RuleSet::check_form(&text).map_err(|problems| config.of_rules(problems))
        }
    });
    judged.err().map(Problems::into_vec).unwrap_or_default()
}

impl Config {
    /// Reads and compiles the rules file: at start and for checks. Blocks while it does.
    pub fn read_rules(&self) -> Result<RuleSet, Problems> {
        self.compile_rules(&self.rules_text()?)
    }

    /// The rules file as it is; of one that is too large to be taken no more than shows it. Blocks while it reads.
    pub fn rules_text(&self) -> Result<String, Problems> {
        let file = checks::shared(&self.rules.file);
        let most = rules::MAX_FILE_BYTES + 1;
        read(
            &file,
            "`rules.file` (or --rules) names a file that can be read",
            most,
        )
    }

    /// Compiles what was read from the rules file. Blocks while it does.
    pub fn compile_rules(&self, text: &str) -> Result<RuleSet, Problems> {
        RuleSet::parse(text, &self.schema).map_err(|problems| self.of_rules(problems))
    }

    /// With the file's name before them.
    fn of_rules(&self, problems: Vec<rules::Problem>) -> Problems {
        let file = checks::shared(&self.rules.file);
        let told = |problem: rules::Problem| Problem {
            place: Place::File {
                path: Arc::clone(&file),
                at: problem.at,
            },
            key: problem.path,
            message: problem.message,
        };
        Problems::new(problems.into_iter().map(told).collect())
    }
}

/// Where the admin listener is, and nothing else: a health check must work while other things are out of order.
/// Without a file the variables and the default decide.
pub fn admin_listen(
    path: &Path,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<SocketAddr, Problems> {
    let file = checks::shared(path);
    let text = if path.exists() {
        read(&file, NAME_IT, usize::MAX)?
    } else {
        String::new()
    };
    let (mut root, _) = tree::parse(&text, &file);
    let mut problems = env::overlay(&mut root, variables);
    let (raw, found) = typed::read::<raw::Raw>(&root);
    problems.extend(found);
    problems.retain(|problem| problem.key == "admin" || problem.key == "admin.listen");
    let mut checks = checks::Checks::new(&root, path, Secrets::Needed, problems);
    let address = checks.listen("admin.listen", &raw.admin.listen);
    if checks.problems.is_empty() {
        Ok(address)
    } else {
        Err(Problems::new(checks.problems))
    }
}

/// The process's variables that concern the configuration.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        // What is not UTF-8 is no key, and no value that any key takes: it is refused, not passed over.
        let name = name.to_string_lossy();
        name.starts_with(env::PREFIX)
            .then(|| (name.into_owned(), value.to_string_lossy().into_owned()))
    })
}

const NAME_IT: &str = "name the configuration file with --config or WRAPUP_CONFIG";

/// A file's text, as far as `most` bytes go.
fn read(file: &Arc<Path>, advice: &str, most: usize) -> Result<String, Problems> {
    let told = |message: String| {
        Problems::new(vec![Problem {
            place: Place::File {
                path: Arc::clone(file),
                at: None,
            },
            key: String::new(),
            message,
        }])
    };
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|it| {
            let most = u64::try_from(most).unwrap_or(u64::MAX);
            it.take(most).read_to_end(&mut bytes)
        })
        .map_err(|cause| told(format!("cannot be read: {cause}; {advice}")))?;
    String::from_utf8(bytes).map_err(|_why| told("not UTF-8".to_owned()))
}
