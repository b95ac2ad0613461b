//! What a scenario says must be so, held against the service and the simulator.

use uuid::Uuid;
use wrapup::simulator::conversations::id_of;
use wrapup::simulator::{Call, Limit, Operation, Received};
use wrapup::store::Record;

use super::scenario::{Calls, Count, Metric, Readyz, Until};
use super::stage::Stage;
use crate::support::{PATIENCE, eventually};

impl Stage {
    pub(super) async fn until(&self, until: &Until, context: &str) {
        let id = self.deliveries[&until.survey];
        let mut last = None;
        let came = eventually(async || {
            let record = self.app().record(id).await;
            let so = until.state.is_none_or(|state| record.state == state)
                && until
                    .entries
                    .is_none_or(|entries| record.story.len() >= entries);
            last = Some(record);
            so
        });
        let came = came.await;
        let record = last.expect("looked at least once");
        assert!(
            came,
            "{context}\nnot within {PATIENCE:?}: {record:#?}\n{:#?}",
            self.all_calls()
        );
        self.judge(until, &record, context);
    }

    fn judge(&self, until: &Until, record: &Record, context: &str) {
        let told = format!("{context}\n{record:#?}\n{:#?}", self.all_calls());
        if let Some(class) = until.class {
            assert_eq!(record.dead_class, Some(class), "{told}");
        }
        if let Some(part) = &until.reason {
            let reason = record.reason.as_deref().unwrap_or_default();
            assert!(reason.contains(part.as_str()), "{part:?} in {told}");
        }
        let id_of_code = |name: &String| {
            let id = self.control.code_id(name);
            id.expect("a code of the simulator").to_string()
        };
        if let Some(code) = &until.code {
            let written = record.code_id.as_ref().map(|id| id.as_str().to_owned());
            assert_eq!(written, Some(id_of_code(code)), "{told}");
        }
        if let Some(name) = &until.replaced {
            let replaced = record.replaced.as_ref().map(|id| id.as_str().to_owned());
            let expected = (!name.is_empty()).then(|| id_of_code(name));
            assert_eq!(replaced, expected, "{told}");
        }
        if let Some(attempts) = until.attempts {
            assert_eq!(record.progress.attempts, attempts, "{told}");
        }
        if let Some(refusals) = until.refusals {
            assert_eq!(record.progress.refusals, refusals, "{told}");
        }
        if let Some(story) = &until.story {
            let fits = story.len() == record.story.len()
                && story.iter().zip(&record.story).all(|(expected, entry)| {
                    let (verdict, part) = expected.split_once(": ").unwrap_or((expected, ""));
                    entry.verdict == verdict && entry.detail.contains(part)
                });
            assert!(fits, "{story:#?}\n{told}");
        }
        if let Some(operation) = until.names_call {
            let about = record.interaction.map(|interaction| interaction.0);
            let calls = self.control.calls();
            let mut calls = calls.iter().rev();
            let call = calls.find(|call| call.operation == operation && call.interaction == about);
            let id = call
                .and_then(|call| call.correlation_id)
                .expect("such a call");
            let id = id.to_string();
            let reason = record.reason.as_deref().unwrap_or_default();
            let mut story = record.story.iter();
            let named = reason.contains(&id) || story.any(|entry| entry.detail.contains(&id));
            assert!(named, "{id} in {told}");
        }
    }

    pub(super) async fn readyz(&self, readyz: &Readyz, context: &str) {
        let mut last = None;
        let so = eventually(async || {
            let answer = self.app().admin("/readyz").await;
            let reasons = answer.body["reasons"].to_string();
            // Never down: surveys are taken all the while.
            let so = answer.status == 200
                && answer.body["status"] == readyz.is.as_str()
                && readyz
                    .says
                    .iter()
                    .all(|part| reasons.contains(part.as_str()));
            last = Some(answer);
            so
        });
        assert!(so.await, "{context}\n{last:#?}");
        if let Some(status) = readyz.delivery {
            let answer = self.app().admin("/readyz?delivery=true").await;
            assert_eq!(answer.status, status, "{context}\n{answer:#?}");
        }
    }

    pub(super) async fn metric(&self, metric: &Metric, context: &str) {
        let most = metric.at_most.unwrap_or(f64::INFINITY);
        let mut last = 0.0;
        let so = eventually(async || {
            last = self.app().metric(&metric.name, &metric.labels).await;
            (metric.at_least..=most).contains(&last)
        });
        assert!(so.await, "{context}\n{last}");
    }

    pub(super) async fn reaches(&self, count: &Count, context: &str) {
        let made = |control: &wrapup::simulator::Control| {
            control.stats().calls_of(count.on) >= count.count
        };
        if let Err(late) = self.control.wait_for(made, PATIENCE).await {
            panic!("{context}\n{late}");
        }
    }

    pub(super) fn calls(&self, expected: &Calls, context: &str) {
        let about = expected.about.as_deref().map(id_of);
        let seen = self.rendered(|call| {
            about.is_none_or(|id| call.interaction == Some(id))
                && expected
                    .on
                    .is_none_or(|operation| call.operation == operation)
        });
        assert_eq!(seen, expected.are, "{context}");
    }

    pub(super) fn check_limit(&self, context: &str) {
        let stats = self.control.stats();
        assert_eq!(stats.limited, 0, "{context}\n{stats:#?}");
        let Limit::Window { requests, .. } = stats.limit else {
            panic!("{context}\nthere is no limit to keep");
        };
        let most = usize::try_from(requests.get()).unwrap();
        assert!(stats.busiest_window <= most, "{context}\n{stats:#?}");
    }

    fn all_calls(&self) -> Vec<String> {
        self.rendered(|_| true)
    }

    /// `POST /conversations/calls/moved/participants/ben/communications/leg 1/wrapup WU_PROMPT_SUCCESS "..." -> 202`
    fn rendered(&self, wanted: impl Fn(&Call) -> bool) -> Vec<String> {
        let names = self.names();
        let mut writes = self.control.received();
        let mut lines = Vec::new();
        for call in self.control.calls() {
            let mut line = format!("{} {}", call.method, call.path.replacen("/api/v2", "", 1));
            for (id, name) in &names {
                line = line.replace(&id.to_string(), name);
            }
            if call.operation == Operation::Assign {
                let at = writes
                    .iter()
                    .position(|write| write.interaction == call.interaction);
                line += &at.map(|at| sent(&writes.remove(at))).unwrap_or_default();
            }
            if wanted(&call) {
                let status = call
                    .status
                    .map_or("nothing".to_owned(), |status| status.to_string());
                push(&mut lines, format!("{line} -> {status}"), call.operation);
            }
        }
        lines
    }

    /// What ids are called: by the scenario's words, participants by their user or purpose, legs by their place.
    fn names(&self) -> Vec<(Uuid, String)> {
        let words = self.words.iter();
        let mut names: Vec<_> = words.map(|word| (id_of(word), word.clone())).collect();
        let known = names.clone();
        for (conversation, _) in &known {
            let Some(standing) = self.control.conversation(*conversation) else {
                continue;
            };
            for (at, leg) in standing.legs.iter().enumerate() {
                let user = leg
                    .user
                    .and_then(|user| known.iter().find(|(id, _)| *id == user));
                let name = user.map_or(leg.purpose.as_str(), |(_, name)| name);
                names.push((leg.participant, name.to_owned()));
                names.push((leg.communication, format!("leg {at}")));
            }
        }
        names
    }
}

/// How often the same is read back depends on how fast the machine is: once, or `again`.
fn push(lines: &mut Vec<String>, line: String, operation: Operation) {
    let again = format!("{line}, again");
    match lines.last_mut() {
        Some(last) if operation == Operation::Confirm && *last == line => *last = again,
        Some(last) if operation == Operation::Confirm && *last == again => {}
        _ => lines.push(line),
    }
}

fn sent(write: &Received) -> String {
    let code = write.code_name.as_deref().unwrap_or("no code");
    let notes = write.notes.as_ref().map(|notes| format!(" {notes:?}"));
    format!(" {code}{}", notes.unwrap_or_default())
}
