//! Counting what would change, and printing it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use crate::clock::UnixMs;
use crate::config::Config;
use crate::ids::{CodeName, DeliveryId, InteractionId, RuleName, SourceName};
use crate::rules::RuleSet;
use crate::store::{Decided, State};
use crate::survey::{Fields, Survey};

/// What is printed where nothing is assigned.
const IGNORED: &str = "ignored";
const NO_RULE: &str = "no rule";

pub(super) struct Tally<'a> {
    rules: &'a RuleSet,
    /// Of each source, the fields that the rules name.
    named: BTreeMap<&'a SourceName, Vec<&'a str>>,
    most_examples: usize,
    unchanged: u64,
    by_another_rule: u64,
    changed: u64,
    unreadable: u64,
    without_fields: u64,
    changes: BTreeMap<FromTo, Change>,
    matched: BTreeMap<Option<RuleName>, u64>,
    lacking: BTreeMap<(&'a str, &'a str), u64>,
}

/// None: ignored.
type FromTo = (Option<CodeName>, Option<CodeName>);

#[derive(Default)]
struct Change {
    count: u64,
    examples: Vec<Example>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Example {
    delivery_id: DeliveryId,
    source: SourceName,
    accepted_at: String,
    from_rule: Option<RuleName>,
    to_rule: Option<RuleName>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(config: &'a Config, rules: &'a RuleSet, most_examples: usize) -> Self {
        let named = config.sources.iter().map(|source| {
            let fields = source.fields().iter().map(|field| &*field.name);
            (&source.name, fields.filter(|it| rules.uses(it)).collect())
        });
        Self {
            rules,
            named: named.collect(),
            most_examples,
            unchanged: 0,
            by_another_rule: 0,
            changed: 0,
            unreadable: 0,
            without_fields: 0,
            changes: BTreeMap::new(),
            matched: BTreeMap::new(),
            lacking: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, then: &Decided) {
        let fields = then.fields.as_deref();
        let Some(fields) = fields.and_then(|text| serde_json::from_str::<Fields>(text).ok()) else {
            match then.state {
                State::Quarantined => self.unreadable += 1,
                _ => self.without_fields += 1,
            }
            return;
        };
        self.note_lacking(&then.source, &fields);
        let now = self.rules.decide(&Survey {
            source: then.source.clone(),
            // Rules see it as a field.
            interaction: InteractionId(uuid::Uuid::nil()),
            received_at: then.accepted_at,
            fields,
        });
        *self.matched.entry(now.rule.clone()).or_default() += 1;
        if now.code == then.code {
            self.unchanged += 1;
            self.by_another_rule += u64::from(now.rule != then.rule);
            return;
        }
        self.changed += 1;
        let change = self.changes.entry((then.code.clone(), now.code));
        let change = change.or_default();
        change.count += 1;
        if change.examples.len() < self.most_examples {
            change.examples.push(Example {
                delivery_id: then.id,
                source: then.source.clone(),
                accepted_at: then.accepted_at.to_rfc3339(),
                from_rule: then.rule.clone(),
                to_rule: now.rule,
            });
        }
    }

    /// Fields that the source has now and did not have when the survey was read: the rules see null.
    fn note_lacking(&mut self, source: &SourceName, fields: &Fields) {
        let Some((source, named)) = self.named.get_key_value(source) else {
            return;
        };
        for field in named {
            if !fields.contains_key(*field) {
                *self.lacking.entry((source.as_str(), field)).or_default() += 1;
            }
        }
    }

    pub(super) fn print(&self, since: UnixMs, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            serde_json::to_writer_pretty(&mut *out, &self.report(since))?;
            return writeln!(out);
        }
        let compared = self.unchanged + self.changed;
        writeln!(
            out,
            "surveys since {since}, compared with what was decided then"
        )?;
        writeln!(out, "{compared:>10}  compared")?;
        write!(out, "{:>10}  get the same code", self.unchanged)?;
        match self.by_another_rule {
            0 => writeln!(out)?,
            some => writeln!(out, ", {some} of them by another rule")?,
        }
        writeln!(out, "{:>10}  get another one", self.changed)?;
        for (count, why) in [
            (
                self.unreadable,
                "not compared: they could not be read, and are quarantined",
            ),
            (
                self.without_fields,
                "not compared: their fields are not kept",
            ),
        ] {
            if count > 0 {
                writeln!(out, "{count:>10}  {why}")?;
            }
        }
        for ((source, field), count) in &self.lacking {
            writeln!(
                out,
                "{count:>10}  of {source} were read without the field {field}: it counts as missing"
            )?;
        }
        if !self.changes.is_empty() {
            writeln!(out, "changes")?;
        }
        for ((from, to), change) in self.by_count() {
            writeln!(
                out,
                "{:>10}  {} -> {}",
                change.count,
                code(from.as_ref()),
                code(to.as_ref())
            )?;
            for example in &change.examples {
                let (from, to) = (
                    rule(example.from_rule.as_ref()),
                    rule(example.to_rule.as_ref()),
                );
                writeln!(out, "            {}  {from} -> {to}", example.delivery_id)?;
            }
        }
        writeln!(out, "rules")?;
        for (rule, count) in self.matches() {
            writeln!(out, "{count:>10}  {}", rule.unwrap_or("(no rule matches)"))?;
        }
        Ok(())
    }

    /// The most frequent change first.
    fn by_count(&self) -> Vec<(&FromTo, &Change)> {
        let mut changes: Vec<_> = self.changes.iter().collect();
        changes.sort_by_key(|(_, change)| std::cmp::Reverse(change.count));
        changes
    }

    /// How often each rule decided, in the order of the file; then how often none did.
    fn matches(&self) -> Vec<(Option<&str>, u64)> {
        let count = |rule: &Option<RuleName>| self.matched.get(rule).copied().unwrap_or(0);
        let rules = self.rules.rules().map(|rule| {
            let name = rule.name();
            (Some(name.as_str()), count(&Some(name.clone())))
        });
        let mut matches: Vec<_> = rules.collect();
        match count(&None) {
            0 => {}
            none => matches.push((None, none)),
        }
        matches
    }

    fn report(&self, since: UnixMs) -> Report<'_> {
        let changes = self
            .by_count()
            .into_iter()
            .map(|((from, to), change)| Changed {
                from: from.as_ref(),
                to: to.as_ref(),
                count: change.count,
                examples: &change.examples,
            });
        let lacking = self.lacking.iter();
        Report {
            since: since.to_rfc3339(),
            rules_hash: self.rules.hash(),
            compared: self.unchanged + self.changed,
            unchanged: self.unchanged,
            unchanged_by_another_rule: self.by_another_rule,
            changed: self.changed,
            unreadable: self.unreadable,
            without_fields: self.without_fields,
            changes: changes.collect(),
            rules: self
                .matches()
                .into_iter()
                .map(|(rule, matched)| Matched { rule, matched })
                .collect(),
            lacking: lacking
                .map(|((source, field), count)| Lacking {
                    source,
                    field,
                    count: *count,
                })
                .collect(),
        }
    }
}

fn code(code: Option<&CodeName>) -> &str {
    code.map_or(IGNORED, CodeName::as_str)
}

fn rule(rule: Option<&RuleName>) -> &str {
    rule.map_or(NO_RULE, RuleName::as_str)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    since: String,
    rules_hash: &'a Arc<str>,
    compared: u64,
    unchanged: u64,
    unchanged_by_another_rule: u64,
    changed: u64,
    unreadable: u64,
    without_fields: u64,
    /// The most frequent first; a code that is null means ignored.
    changes: Vec<Changed<'a>>,
    /// A rule that is null: none matched.
    rules: Vec<Matched<'a>>,
    /// Fields that the rules name and that these surveys were read without.
    lacking: Vec<Lacking<'a>>,
}

#[derive(Serialize)]
struct Changed<'a> {
    from: Option<&'a CodeName>,
    to: Option<&'a CodeName>,
    count: u64,
    examples: &'a [Example],
}

#[derive(Serialize)]
struct Matched<'a> {
    rule: Option<&'a str>,
    matched: u64,
}

#[derive(Serialize)]
struct Lacking<'a> {
    source: &'a str,
    field: &'a str,
    count: u64,
}
