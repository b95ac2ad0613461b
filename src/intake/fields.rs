//! The fields of a source, from its configuration: what each may be, and where it is looked for.

use super::config::{FieldConfig, Root, SourceConfig, Take};
use super::path::Path;
use crate::survey::{FieldSpec, FieldType};

/// The field that every source must have: which interaction the survey is about.
pub const INTERACTION_ID: &str = "interaction_id";

/// Where a field is looked for.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) path: Path,
    pub(super) take: Option<Take>,
    pub(super) from: Root,
}

/// The fields in the order of their names, and the route of each. What is wrong with any is added to `problems`.
pub(super) fn compile_all(
    config: &SourceConfig,
    problems: &mut Vec<String>,
) -> (Vec<FieldSpec>, Vec<Route>) {
    if !config.fields.contains_key(INTERACTION_ID) {
        problems.push(format!(
            "fields.{INTERACTION_ID}: missing: say where the interaction's id stands, such as \
             {{ path = \"$.interactionId\", type = \"uuid\", required = true }}"
        ));
    }
    let compiled = config.fields.iter().filter_map(|(name, field)| {
        let field = compile(name, field);
        field.map_err(|found| problems.extend(found)).ok()
    });
    compiled.unzip()
}

/// A source's field as its configuration has it, or every problem as `key: what to do`.
fn compile(name: &str, config: &FieldConfig) -> Result<(FieldSpec, Route), Vec<String>> {
    let mut problems = Vec::new();
    let mut add = |key: &str, problem: &str| {
        let dot = if key.is_empty() { "" } else { "." };
        problems.push(format!("fields.{name}{dot}{key}: {problem}"));
    };
    if !is_name(name) {
        add(
            "",
            "a field's name is letters, digits and `_`, begins with no digit and is not `source`, so that rules can \
             use it",
        );
    }
    let path = match config.path.as_deref().map(Path::parse) {
        Some(Ok(path)) => Some(path),
        Some(Err(problem)) => {
            add("path", &problem);
            None
        }
        None => {
            add(
                "path",
                "missing: say where the value stands, such as `$.name`",
            );
            None
        }
    };
    if config.kind.is_none() {
        add(
            "type",
            "missing: uuid, string, integer, number, boolean or timestamp",
        );
    }
    if name == INTERACTION_ID {
        if config.kind.is_some_and(|kind| kind != FieldType::Uuid) {
            add("type", "interactions have UUIDs: set `uuid`");
        }
        if !config.required {
            add("required", "no survey can do without it: set `true`");
        }
        if config.default.is_some() {
            add(
                "default",
                "every survey is about an interaction of its own: leave it out",
            );
        }
    }
    let spec = FieldSpec {
        required: config.required,
        default: config.default.clone(),
        case: config.case,
        min: config.min,
        max: config.max,
        one_of: config.one_of.clone(),
        map: config.map.clone(),
        ..FieldSpec::new(name, config.kind.unwrap_or(FieldType::String))
    };
    let spec = match (config.kind, spec.checked()) {
        // Without a type nothing can be said about the rest.
        (None, _) => None,
        (Some(_), Ok(spec)) => Some(spec),
        (Some(_), Err(found)) => {
            for problem in found {
                problems.push(format!("fields.{name}.{problem}"));
            }
            None
        }
    };
    match (spec, path) {
        (Some(spec), Some(path)) if problems.is_empty() => {
            let route = Route {
                path,
                take: config.take,
                from: config.from.unwrap_or_default(),
            };
            Ok((spec, route))
        }
        _ => Err(problems),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let begins = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name != "source"
}
