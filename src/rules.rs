//! Rules: which wrap-up code a survey gets, and why. Pure: no IO, no clock, no network.
//!
//! A rule set is an ordered list of named conditions in CEL over the fields that sources declare; the first that
//! matches decides. It chooses a code's *name*; what id the platform has for it is found out when it is delivered.
//! Everything that can be wrong with a file is told when it is parsed, all of it at once, so that a parsed rule set
//! decides every survey: a condition that cannot be evaluated for one does not match it, and the trace says why.

mod case;
mod condition;
mod direct;
mod file;
mod functions;
mod names;
mod nodes;
mod numbers;
mod price;
mod problem;
mod schema;
mod scope;
mod trace;
mod trial;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::ids::{CodeName, RuleName, SourceName};
use crate::survey::Survey;

pub use case::CaseResult;
pub use file::MAX_FILE_BYTES;
pub use problem::Problem;
pub use schema::Schema;
pub use trace::{Decision, Finding, Step, trace};

use case::Case;
use condition::Condition;
use file::{RawFile, RawRule};
use problem::position;
use scope::{Engine, Scope};

/// A rules file, checked and compiled. Shared between threads; replaced whole when the file changes.
pub struct RuleSet {
    hash: Arc<str>,
    rules: Vec<Rule>,
    names: Arc<[RuleName]>,
    cases: Vec<Case>,
    schema: Schema,
    engine: Engine,
}

/// One rule as the file has it.
pub struct Rule {
    name: RuleName,
    when: Option<Condition>,
    assign: Option<CodeName>,
}

impl Rule {
    pub fn name(&self) -> &RuleName {
        &self.name
    }

    /// The condition's text; without one the rule always matches.
    pub fn when(&self) -> Option<&str> {
        self.when.as_ref().map(|condition| &*condition.text)
    }

    /// `None`: the survey is recorded, and nothing is assigned.
    pub fn assign(&self) -> Option<&CodeName> {
        self.assign.as_ref()
    }
}

impl RuleSet {
    /// Compiles a rules file for the fields of `schema`. On a thread of its own, for its stack; blocks until done.
    pub fn parse(toml: &str, schema: &Schema) -> Result<Self, Vec<Problem>> {
        let failed = |message: &str| {
            vec![Problem {
                at: None,
                path: String::new(),
                message: message.to_owned(),
            }]
        };
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("rules".to_owned());
            let builder = builder.stack_size(condition::COMPILE_STACK_BYTES);
            match builder.spawn_scoped(scope, || Self::compile(toml, schema)) {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|_| Err(failed("the compiler of conditions failed"))),
                Err(cause) => Err(failed(&format!(
                    "cannot start a thread to compile: {cause}"
                ))),
            }
        })
    }

    /// What can be judged where nobody knows the fields: whether the file is written as rules are. Not what conditions
    /// and cases say.
    pub fn check_form(toml: &str) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        read(toml, &mut problems);
        none_of(problems)
    }

    fn compile(toml: &str, schema: &Schema) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut engine = Engine::new();
        let raw = read(toml, &mut problems);
        let mut rules: Vec<Rule> = Vec::with_capacity(raw.rules.len());
        for rule in raw.rules {
            rules.extend(compile(rule, toml, &mut engine, schema, &mut problems));
        }
        let cases = raw.cases.into_iter();
        let cases = cases
            .filter_map(|case| Case::build(case, toml, schema, &mut problems))
            .collect();
        none_of(problems)?;
        Ok(Self {
            hash: Arc::from(hash_of(toml)),
            names: rules.iter().map(|rule| rule.name.clone()).collect(),
            rules,
            cases,
            schema: schema.clone(),
            engine,
        })
    }

    /// SHA-256 of the file's text, in hex.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The names of the rules in their order.
    pub fn names(&self) -> &Arc<[RuleName]> {
        &self.names
    }

    /// The rules in their order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The first rule that matches decides; where none does, nothing is assigned.
    pub fn decide(&self, survey: &Survey) -> Decision {
        let scope = Scope {
            survey,
            schema: &self.schema,
        };
        let mut failures = Vec::new();
        let mut matches = |rule: &Rule| match &rule.when {
            None => true,
            Some(condition) => condition.holds(&self.engine, &scope).unwrap_or_else(|why| {
                failures.push((rule.name.clone(), why));
                false
            }),
        };
        let rule = self.rules.iter().find(|rule| matches(rule));
        Decision {
            rule: rule.map(|rule| rule.name.clone()),
            code: rule.and_then(|rule| rule.assign.clone()),
            failures,
            rules: Arc::clone(&self.names),
        }
    }

    /// Runs every case of the file, in its order.
    pub fn run_cases(&self) -> Vec<CaseResult> {
        self.cases
            .iter()
            .map(|case| case.run(self, &self.schema))
            .collect()
    }

    /// Every code that a rule may assign, each once.
    pub fn codes(&self) -> impl Iterator<Item = &CodeName> {
        let codes: BTreeSet<_> = self
            .rules
            .iter()
            .filter_map(|rule| rule.assign.as_ref())
            .collect();
        codes.into_iter()
    }

    /// What is allowed but hardly meant: rules that no survey can reach or match.
    pub fn warnings(&self) -> Vec<String> {
        warnings::of(self)
    }

    /// The fields of each source that no condition names, in the order of the configuration; sources without such are
    /// left out.
    pub fn unused_fields(&self) -> Vec<(&SourceName, Vec<&str>)> {
        let conditions = self.rules.iter().filter_map(|rule| rule.when.as_ref());
        let used: BTreeSet<&str> = conditions
            .flat_map(|condition| condition.fields.iter().map(|field| &**field))
            .collect();
        let sources = self.schema.sources();
        let unused = sources.filter_map(|source| {
            let (source, fields) = self.schema.source(Some(source.as_str()))?;
            let names = fields.iter().map(|field| &*field.name);
            let unused: Vec<&str> = names.filter(|name| !used.contains(name)).collect();
            (!unused.is_empty()).then_some((source, unused))
        });
        unused.collect()
    }

    /// Whether any condition names the field.
    pub fn uses(&self, field: &str) -> bool {
        let mut conditions = self.rules.iter().filter_map(|rule| rule.when.as_ref());
        conditions.any(|condition| condition.fields.iter().any(|name| **name == *field))
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rule = f.debug_struct("Rule");
        rule.field("name", &self.name)
            .field("when", &self.when())
            .field("assign", &self.assign);
        rule.finish()
    }
}

/// Any problems are told in the order of the file.
fn none_of(mut problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort_by_key(|problem| problem.at);
    Err(problems)
}

/// The file's tables and values, each rule under a name of its own.
fn read(toml: &str, problems: &mut Vec<Problem>) -> RawFile {
    let raw = file::read(toml, problems);
    let mut seen = BTreeMap::new();
    for rule in &raw.rules {
        let Some(name) = &rule.name else { continue };
        let at = position(toml, name.offset);
        if let Some((line, _)) = seen.insert(name.value.as_str(), at) {
            problems.push(Problem {
                at: Some(at),
                path: rule.path.clone(),
                message: format!("the rule in line {line} has the same name"),
            });
        }
    }
    raw
}

fn compile(
    raw: RawRule,
    toml: &str,
    engine: &mut Engine,
    schema: &Schema,
    problems: &mut Vec<Problem>,
) -> Option<Rule> {
    let when = match raw.when {
        None => None,
        Some((span, text)) => {
            let mut tell = |offset: usize, message| {
                let at = Some(position(toml, offset));
                problems.push(Problem {
                    at,
                    path: format!("{}.when", raw.path),
                    message,
                });
            };
            match Condition::compile(&text, engine, schema) {
                Err(flaws) => {
                    for flaw in flaws {
                        tell(
                            offset_in_file(toml, &span, &text, flaw.offset),
                            flaw.message,
                        );
                    }
                    return None;
                }
                Ok(condition) => {
                    if let Err(why) = trial::gives_a_boolean(&condition, engine, schema) {
                        tell(span.start, format!("can never be true or false: {why}"));
                        return None;
                    }
                    Some(condition)
                }
            }
        }
    };
    Some(Rule {
        name: RuleName::new(raw.name?.value),
        when,
        assign: raw.assign.map(CodeName::new),
    })
}

/// SHA-256 of a rules file's text, in hex: by it rule sets are told apart.
pub fn hash_of(toml: &str) -> String {
    hex::encode(Sha256::digest(toml))
}

/// Where a byte of the condition stands in the file: exact as long as the literal has no escapes.
fn offset_in_file(
    toml: &str,
    span: &std::ops::Range<usize>,
    text: &str,
    offset: Option<usize>,
) -> usize {
    let literal = toml.get(span.clone()).unwrap_or_default();
    let quotes = if literal.starts_with("'''") || literal.starts_with("\"\"\"") {
        3
    } else {
        1
    };
    match (literal.find(text), offset) {
        (Some(begin), Some(offset)) if begin <= quotes + "\r\n".len() => {
            span.start + begin + offset
        }
        _ => span.start,
    }
}

#[cfg(test)]
mod tests;
