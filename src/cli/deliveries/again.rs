//! What `reprocess` and `redrive` share: which deliveries, what became of each, and the pace.
//!
//! The work is done in pieces, each a short transaction, with as long a rest after each as it took: a service beside
//! it has the file for at least half of the time. Whoever ends the command has what was done until then; to run it
//! again goes on with the rest.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::view::{self, json_line};
use crate::cli::Exit;
use crate::clock::UnixMs;
use crate::ids::{CodeName, DeliveryId, RuleName, SourceName};
use crate::rules::Decision;
use crate::store::operate::Fate;
use crate::store::{Receipt, State};

/// Deliveries in one transaction: some ten milliseconds. More pieces would cost more, because after each the service
/// reads anew what it knows of the file by heart.
pub(super) const PIECE: usize = 250;
/// However long a piece took, the next begins after this.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How often the way so far is told.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// The outcome of what was left as it was because the store is full.
const NO_ROOM: &str = "no-room";

/// Which deliveries: named ones, some, or all. One of these has to be given.
#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = true)]
pub(super) struct Which {
    /// Those of these ids.
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<Uuid>,
    /// Those of this source.
    #[arg(long, value_name = "NAME", value_parser = super::source, conflicts_with = "ids")]
    pub(super) source: Option<SourceName>,
    /// Those accepted since then: 2h, 7d, or a moment in RFC 3339.
    #[arg(long, value_name = "WHEN", value_parser = super::since, conflicts_with = "ids")]
    pub(super) since: Option<UnixMs>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["ids", "source", "since"])]
    pub(super) all: bool,
}

/// How, and how it is told.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Say what would become of each, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Try it even where a later survey of the interaction is on its way or was assigned: it then wins over that one.
    #[arg(long)]
    pub(super) force: bool,
    /// For scripts: one JSON object for each delivery and one with the `summary`, each on its line.
    #[arg(long)]
    pub(super) json: bool,
}

/// One delivery, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Became {
    delivery_id: String,
    outcome: &'static str,
    /// There is no room for it, nor for any that follows.
    #[serde(skip)]
    ends: bool,
    /// The other one: that superseded it, was overridden by it, or is the same survey.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap_up_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

impl Became {
    pub(super) fn of(id: DeliveryId, fate: &Fate) -> Self {
        let (outcome, other, detail) = match fate {
            Fate::Live { over: None } => ("pending", None, String::new()),
            Fate::Live { over: Some(over) } => {
                ("pending", Some(over), format!("forced over {over}"))
            }
            Fate::Ignored => ("ignored", None, "the rules assign nothing".to_owned()),
            Fate::Superseded { by } => (
                "superseded",
                Some(by),
                format!("by {by}; --force would try it all the same"),
            ),
            Fate::Duplicate { of } => ("duplicate", Some(of), format!("the same survey is {of}")),
            Fate::Quarantined => ("quarantined", None, String::new()),
            Fate::Gone => ("unchanged", None, "it was changed meanwhile".to_owned()),
            Fate::NoRoom { live } => (
                NO_ROOM,
                None,
                format!("{live} deliveries are on their way, the limit of store.max_pending"),
            ),
        };
        Self {
            other: other.map(ToString::to_string),
            ends: matches!(fate, Fate::NoRoom { .. }),
            ..Self::new(id, outcome, detail)
        }
    }

    /// A survey that a body held beside another.
    pub(super) fn one_of_several(receipt: Receipt, decision: Option<&Decision>) -> Self {
        let outcome = match (receipt, decision) {
            (Receipt::Duplicate(_), _) => "duplicate",
            (Receipt::Stored(_) | Receipt::StillQuarantined(_), None) => "quarantined",
            (_, Some(decision)) if decision.code.is_none() => "ignored",
            (_, Some(_)) => "pending",
        };
        let became = Self::new(receipt.id(), outcome, "of the same body".to_owned());
        match decision {
            Some(decision) => became.decided(decision.rule.as_ref(), decision.code.as_ref()),
            None => became,
        }
    }

    /// One of its body could not be read, and as many of those are kept as may be. Others may still be read, and make
    /// room.
    pub(super) fn crowded_out(id: DeliveryId, kept: u64) -> Self {
        let detail = format!(
            "its body holds another survey that cannot be read, and {kept} are quarantined, the limit of \
             store.max_quarantined"
        );
        Self::new(id, NO_ROOM, detail)
    }

    /// It is not what it should be, and was left alone.
    pub(super) fn unchanged(id: DeliveryId, state: State, advice: &str) -> Self {
        let detail = format!("it is {}: {advice}", state.as_str());
        Self::new(id, "unchanged", detail)
    }

    fn new(id: DeliveryId, outcome: &'static str, detail: String) -> Self {
        Self {
            delivery_id: id.to_string(),
            outcome,
            ends: false,
            other: None,
            rule: None,
            wrap_up_code: None,
            problems: None,
            detail,
        }
    }

    pub(super) fn decided(self, rule: Option<&RuleName>, code: Option<&CodeName>) -> Self {
        Self {
            rule: rule.map(ToString::to_string),
            wrap_up_code: code.map(ToString::to_string),
            ..self
        }
    }

    pub(super) fn problems(self, problems: Value) -> Self {
        Self {
            problems: Some(problems),
            ..self
        }
    }

    fn line(&self) -> String {
        let mut told = Vec::new();
        if let (Some(code), Some(rule)) = (&self.wrap_up_code, &self.rule) {
            told.push(format!("{} (by {})", view::plain(code), view::plain(rule)));
        }
        if !self.detail.is_empty() {
            told.push(self.detail.clone());
        }
        if let Some(problems) = &self.problems {
            told.extend(view::problems(problems));
        }
        let line = format!(
            "{}  {:11}  {}",
            self.delivery_id,
            self.outcome,
            told.join("; ")
        );
        line.trim_end().to_owned()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    summary: &'a BTreeMap<&'static str, u64>,
    dry_run: bool,
}

/// Prints what becomes of each delivery, counts, and keeps the pace.
pub(super) struct Run<'a> {
    how: &'a How,
    counts: BTreeMap<&'static str, u64>,
    /// How many there may be, if that is known.
    of: Option<u64>,
    told: Instant,
}

impl<'a> Run<'a> {
    pub(super) fn new(how: &'a How, of: Option<u64>) -> Self {
        Self {
            how,
            counts: BTreeMap::new(),
            of,
            told: Instant::now(),
        }
    }

    /// Prints a piece. False: there is no room for more.
    pub(super) fn tell(&mut self, outcomes: &[Became]) -> io::Result<bool> {
        let out = &mut io::stdout().lock();
        for outcome in outcomes {
            *self.counts.entry(outcome.outcome).or_default() += 1;
            if self.how.json {
                json_line(outcome, out)?;
            } else {
                writeln!(out, "{}", outcome.line())?;
            }
        }
        out.flush()?;
        if self.told.elapsed() >= TOLD_EVERY {
            self.told = Instant::now();
            let done: u64 = self.counts.values().sum();
            let of = self.of.map_or_else(String::new, |of| format!(" of {of}"));
            writeln!(io::stderr(), "{done}{of} done")?;
        }
        Ok(!outcomes.iter().any(|outcome| outcome.ends))
    }

    /// Lets others have the file for as long as this had it.
    pub(super) async fn rest(&self, begun: Instant) {
        if !self.how.dry_run {
            tokio::time::sleep(begun.elapsed().min(LONGEST_REST)).await;
        }
    }

    /// Prints the summary, and says how it went.
    pub(super) fn end(self) -> io::Result<Exit> {
        let out = &mut io::stdout().lock();
        if self.how.json {
            let summary = Summary {
                summary: &self.counts,
                dry_run: self.how.dry_run,
            };
            json_line(&summary, out)?;
        } else {
            writeln!(out, "{}", self.summary())?;
        }
        let has = |outcome| self.counts.contains_key(outcome);
        Ok(if has(NO_ROOM) {
            Exit::Unavailable
        } else if has("quarantined") {
            Exit::Failed
        } else {
            Exit::Ok
        })
    }

    fn summary(&self) -> String {
        let counts: Vec<_> = (self.counts.iter())
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        let counts = if counts.is_empty() {
            "there is none".to_owned()
        } else {
            counts.join(", ")
        };
        if self.how.dry_run {
            format!("{counts}; nothing was changed")
        } else {
            counts
        }
    }
}
