//! `wrapup deliveries` and `wrapup codes`: the commands of operators, beside a running service and without one.

mod commands;
mod items;
mod redrive;
mod reprocess;

use serde_json::Value;
use uuid::Uuid;
use wrapup::simulator::Simulator;

use crate::support::eventually;
use crate::support::process::Workspace;
use crate::support::remote::{output, text};

/// The workspace's source with the interaction's id at another place.
fn mapped(path: &str) -> String {
    format!(
        r#"
        [[source]]
        name = "generic"
        preset = "hmac-sha256"
        secrets = [{{ value = "demo-only-survey-secret" }}]
        [source.fields]
        interaction_id = {{ path = "{path}", type = "uuid", required = true }}
        csat_score = {{ path = "$.csat_score", type = "number", default = 0 }}
        nps_score = {{ path = "$.nps_score", type = "number", default = 0 }}
        issue_type = {{ path = "$.issue_type", type = "string", default = "", case = "upper" }}
        [platform.rate_limit]
        requests = 2000
        "#
    )
}

/// What the sender really sends.
fn promoter(interaction: Uuid) -> String {
    format!(r#"{{"conversation":"{interaction}","nps_score":10,"csat_score":5}}"#)
}

/// A configuration that looks for the interaction where it is not.
fn wrongly_mapped(simulator: &Simulator) -> Workspace {
    Workspace::new(&simulator.base_url(), &[&mapped("$.interactionId")])
}

fn mend(workspace: &Workspace, simulator: &Simulator) {
    workspace.configure(&simulator.base_url(), &[&mapped("$.conversation")]);
}

/// Runs `wrapup deliveries` with these words; answers the exit code and what was printed.
async fn deliveries(workspace: &Workspace, words: &[&str]) -> (i32, String) {
    let words: Vec<_> = ["deliveries"].iter().chain(words).copied().collect();
    run(workspace, &words).await
}

async fn run(workspace: &Workspace, words: &[&str]) -> (i32, String) {
    let ended = output(workspace, words).await;
    let told = text(&ended.stderr);
    assert!(!told.contains("panicked"), "{told}");
    let code = ended.status.code().expect("it was not killed");
    let out = text(&ended.stdout).to_owned();
    (code, if out.is_empty() { told.to_owned() } else { out })
}

/// The same, for scripts: a JSON value for each line.
async fn lines(workspace: &Workspace, words: &[&str]) -> (i32, Vec<Value>) {
    let (code, out) = deliveries(workspace, words).await;
    let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {out}"));
    (code, out.lines().map(line).collect())
}

async fn listed(workspace: &Workspace, words: &[&str]) -> Vec<Value> {
    let words: Vec<_> = ["list", "--json"].iter().chain(words).copied().collect();
    let (code, out) = deliveries(workspace, &words).await;
    assert_eq!(code, 0, "{out}");
    let list: Value = serde_json::from_str(&out).unwrap();
    list["deliveries"].as_array().unwrap().clone()
}

/// Waits until each of the interactions has the code of a promoter.
async fn coded(simulator: &Simulator, interactions: &[Uuid]) {
    let control = simulator.control();
    let is_coded =
        |interaction: &Uuid| control.assigned(*interaction).as_deref() == Some("WU_PROMPT_SUCCESS");
    let all = eventually(async || interactions.iter().all(is_coded)).await;
    assert!(all, "{:?}", control.stats());
}
