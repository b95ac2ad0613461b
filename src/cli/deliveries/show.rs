//! `wrapup deliveries show`: why did this call get this code?

use std::io::{self, Write};

use anyhow::bail;
use serde_json::Value;
use uuid::Uuid;

use super::list;
use super::view::{self, Answered, View};
use crate::cli::Exit;
use crate::cli::file::Desk;
use crate::clock::UnixMs;
use crate::ids::{DeliveryId, InteractionId};
use crate::store::operate::{Cursor, Filter, Operate, PAGE_MOST};
use crate::store::{Record, State, Store};
use crate::units::Span;

/// Deliveries that are shown of one interaction.
const MOST: usize = 100;

/// Show all that is known of a delivery, or of every delivery of an interaction.
///
/// Source and moment, rule and code with the trace of the rules, what was replaced, the platform's event, and every
/// attempt with its status. What was answered is shown only with --answers. Of an interaction the newest 100 are shown.
/// Exits with 1 where there is no such delivery.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup deliveries show a1b2c3d4-e5f6-7890-abcd-ef1234567890\n  \
                  wrapup deliveries show 0198c0de-0000-7000-8000-000000000000 --answers"
)]
pub(super) struct Args {
    /// A delivery's id, or an interaction's.
    #[arg(value_name = "ID")]
    id: Uuid,
    /// Show what was answered, too: the fields, and the body as far as it is kept. This is personal data.
    #[arg(long)]
    answers: bool,
    /// For scripts: one JSON object for each delivery, each on its line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(desk: &Desk, args: &Args) -> anyhow::Result<Exit> {
    let found = find(desk, args.id).await?;
    if found.is_empty() {
        bail!(
            "neither a delivery nor an interaction of a delivery has the id {}: it was never accepted, or ended long \
             ago and is no longer kept (store.retention), or was erased",
            args.id
        );
    }
    // Tells whether the rules are still those that decided; without them, that is left out.
    let rules = desk.config.read_rules().ok();
    let present = rules.as_ref().map(|rules| &**rules.hash());
    let now = desk.clock.now();
    let mut pages = Vec::new();
    for record in &found {
        let answered = super::answered(desk, record, args.answers).await?;
        if args.json {
            view::json_line(&View::whole(record, answered), &mut pages)?;
        } else {
            print(record, answered, present, now, &mut pages)?;
        }
    }
    io::stdout().lock().write_all(&pages)?;
    let more = beyond(desk, args.id, &found).await?;
    if more > 0 {
        writeln!(
            io::stderr(),
            "there are {more} more: `wrapup deliveries list --interaction {} --limit {}` lists all of them",
            args.id,
            found.len() + more
        )?;
    }
    Ok(Exit::Ok)
}

/// The delivery, or those of the interaction, the newest first.
async fn find(desk: &Desk, id: Uuid) -> anyhow::Result<Vec<Record>> {
    if let Some(record) = desk.store.find(DeliveryId(id)).await? {
        return Ok(vec![record]);
    }
    list::newest(desk, &Filter::about(InteractionId(id)), MOST).await
}

/// How many of the interaction are older than those that are shown.
async fn beyond(desk: &Desk, id: Uuid, shown: &[Record]) -> anyhow::Result<usize> {
    let Some(last) = shown.last().filter(|_| shown.len() >= MOST) else {
        return Ok(0);
    };
    let filter = Filter::about(InteractionId(id));
    let mut more = 0;
    let mut from = Some(Cursor::newest_first().at(last.seq));
    while let Some(cursor) = from {
        let page = desk.store.page(filter.clone(), cursor, PAGE_MOST).await?;
        more += page.found.len();
        from = page.next;
    }
    Ok(more)
}

fn print(
    record: &Record,
    answered: Option<Answered>,
    present_rules: Option<&str>,
    now: UnixMs,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = |name: &str, text: &str| writeln!(out, "{name:12} {text}");
    line("delivery", &record.id.to_string())?;
    line("state", &stands(record, now))?;
    line("source", &view::plain(record.source.as_str()))?;
    if let Some(interaction) = record.interaction {
        line("interaction", &interaction.to_string())?;
    }
    let accepted = format!("{}, number {}", record.accepted_at, record.seq);
    line("accepted", &accepted)?;
    match (&record.rule, &record.code) {
        (Some(rule), _) => line("rule", &view::plain(rule.as_str()))?,
        (None, _) if record.state == State::Quarantined => {}
        (None, _) => line("rule", "none matched")?,
    }
    if let Some(code) = &record.code {
        let found = record.state == State::Kept;
        let id = record.code_id.as_ref().map(|id| view::plain(id.as_str()));
        let code = view::plain(code.as_str());
        line(
            "code",
            &match id {
                Some(id) if found => format!("{code}; found and kept: {id}"),
                Some(id) => format!("{code} = {id}"),
                None => code,
            },
        )?;
    }
    if let Some(replaced) = &record.replaced {
        line("replaced", &view::plain(replaced.as_str()))?;
    }
    if let Some(event) = &record.event {
        line("event", &view::plain(event.as_str()))?;
    }
    if let Some(reason) = &record.reason {
        line("reason", &view::plain(reason))?;
    }
    if let Some(problems) = &record.problems {
        writeln!(out, "problems")?;
        for problem in view::problems(problems) {
            writeln!(out, "    {problem}")?;
        }
    }
    print_trace(record, present_rules, out)?;
    print_story(record, out)?;
    if let Some(answered) = answered {
        writeln!(out, "answers")?;
        answered.print(out)?;
    }
    writeln!(out)
}

/// The state, since when, and what comes next.
fn stands(record: &Record, now: UnixMs) -> String {
    let state = view::state(record);
    match (record.state, record.due_at, record.ended_at) {
        (_, _, Some(ended)) => format!("{state} since {ended}"),
        (State::Leased, ..) => format!("{state}: a worker has it in hand"),
        (_, Some(due), _) if due > now => format!("{state}, due {due} (in {})", ago(due, now)),
        (_, Some(due), _) => format!("{state}, due since {due} ({})", ago(now, due)),
        (_, None, _) => format!("{state}, waits for another survey of the interaction"),
    }
}

fn ago(later: UnixMs, earlier: UnixMs) -> Span {
    let seconds = later.since(earlier).as_secs();
    Span(std::time::Duration::from_secs(seconds))
}

fn print_trace(record: &Record, present: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let Some(steps) = view::trace(record) else {
        return Ok(());
    };
    let hash = record.rules_hash.as_deref().unwrap_or_default();
    let which = match present {
        Some(present) if present == hash => "as they are in the file",
        Some(_) => "the file has changed since",
        None => "the file cannot be read now",
    };
    let short: String = hash.chars().take(12).collect();
    writeln!(out, "rules        {short} ({which})")?;
    let names = steps.iter().map(|step| step.rule.as_str().chars().count());
    let width = names.max().unwrap_or(0).min(40);
    for step in &steps {
        let rule = view::plain(step.rule.as_str());
        write!(out, "    {rule:width$}  {}", step.finding)?;
        match &step.why {
            Some(why) => writeln!(out, " ({})", view::plain(why))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn print_story(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "story")?;
    writeln!(out, "    {}  accepted", record.accepted_at)?;
    for entry in &record.story {
        let status = entry
            .status
            .map_or_else(String::new, |status| format!("{status} "));
        let verdict = view::plain(&entry.verdict);
        let told = format!("{status}{}", view::plain(&entry.detail));
        let line = format!("    {}  {verdict:11}  {told}", entry.at);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

impl Answered {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(Value::Object(fields)) = &self.fields {
            let width = fields.keys().map(|name| name.chars().count()).max();
            let width = width.unwrap_or(0).min(40);
            for (name, value) in fields {
                writeln!(
                    out,
                    "    {name:width$}  {}",
                    view::plain(&value.to_string())
                )?;
            }
        }
        match (&self.body, &self.body_hex) {
            (Some(text), _) => writeln!(out, "    body: {}", view::plain(text)),
            (None, Some(hex)) => writeln!(out, "    body, in hexadecimal: {hex}"),
            (None, None) => writeln!(out, "    the body is not kept"),
        }
    }
}
