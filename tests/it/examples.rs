//! The examples of `config/sources/`: each can be pasted as it stands, and its sample comes to its code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use uuid::Uuid;
use wrapup::intake::preset;

use crate::support::PATIENCE;
use crate::support::process::{Process, Workspace};
use crate::support::remote::{Remote, text};
use crate::support::simulator;

mod request;

use request::Request;

const ESCALATION: &str = "WU_PROMPT_ESCALATION";
const GENERAL: &str = "WU_PROMPT_GENERAL";
const SUCCESS: &str = "WU_PROMPT_SUCCESS";
const TECHNICAL: &str = "WU_PROMPT_TECH_ISSUE";

/// `csat_score`, `nps_score` and `issue_type` as they reach the rules, and the code.
type Reading = (Option<u8>, Option<u8>, &'static str, &'static str);

/// What becomes of each example's sample, in alphabetical order.
const EXAMPLES: &[(&str, &[Reading])] = &[
    ("alchemer", &[(Some(2), Some(10), "TECHNICAL", TECHNICAL)]),
    ("asknicely", &[(None, Some(6), "BILLING", ESCALATION)]),
    ("delighted", &[(None, Some(4), "BILLING", ESCALATION)]),
    ("formbricks", &[(Some(4), Some(10), "BILLING", SUCCESS)]),
    (
        "genesys-open-messaging",
        &[(Some(3), Some(8), "TECHNICAL", TECHNICAL)],
    ),
    ("github", &[(Some(5), Some(10), "TECHNICAL", SUCCESS)]),
    ("hmac-sha256", &[(Some(5), Some(8), "BILLING", GENERAL)]),
    ("hookdeck", &[(Some(3), Some(9), "BILLING", GENERAL)]),
    (
        "hubspot",
        &[
            (Some(3), Some(8), "BILLING", GENERAL),
            (Some(1), Some(2), "TECHNICAL", ESCALATION),
        ],
    ),
    ("intercom", &[(Some(2), None, "TECHNICAL", TECHNICAL)]),
    ("jotform", &[(Some(5), Some(9), "BILLING", SUCCESS)]),
    ("medallia", &[(Some(4), Some(9), "BILLING", SUCCESS)]),
    ("path-token", &[(Some(3), Some(7), "TECHNICAL", TECHNICAL)]),
    ("qualtrics", &[(Some(2), Some(3), "BILLING", ESCALATION)]),
    ("qualtrics-social", &[(Some(4), Some(9), "REFUND", SUCCESS)]),
    (
        "smartsurvey",
        &[
            (Some(5), Some(9), "BILLING", SUCCESS),
            (Some(1), Some(0), "TECHNICAL", ESCALATION),
        ],
    ),
    (
        "standard-webhooks",
        &[(Some(5), Some(9), "REFUND", SUCCESS)],
    ),
    (
        "standard-webhooks-v1a",
        &[(Some(2), Some(8), "TECHNICAL", TECHNICAL)],
    ),
    ("stripe", &[(Some(3), Some(6), "BILLING", ESCALATION)]),
    ("surveymonkey", &[(Some(5), Some(9), "TECHNICAL", SUCCESS)]),
    (
        "surveysparrow",
        &[(Some(4), Some(7), "TECHNICAL", TECHNICAL)],
    ),
    ("survicate", &[(Some(1), None, "TECHNICAL", TECHNICAL)]),
    ("svix", &[(Some(5), Some(10), "BILLING", SUCCESS)]),
    ("tally", &[(Some(3), Some(8), "TECHNICAL", TECHNICAL)]),
    ("typeform", &[(Some(5), Some(10), "BILLING", SUCCESS)]),
    ("wootric", &[(Some(2), None, "TECHNICAL", TECHNICAL)]),
    ("zendesk", &[(Some(5), Some(9), "BILLING", SUCCESS)]),
];

/// Senders whose own events hold no answers, and how such an event is answered. All of them are quarantined.
const THIN: &[(&str, u16)] = &[("hubspot", 202), ("qualtrics", 422), ("surveymonkey", 422)];

/// What `check` warns of, and rightly.
const WARNED_OF: &[(&str, &str)] = &[(
    "path-token",
    "nothing is signed: whoever knows the address with its token can send surveys",
)];

/// A pair of keys. DEMO ONLY.
const PUBLIC: &str = "whpk_6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const PRIVATE: &str = "whsk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// Good as a text, as base64 and as the end of a path. DEMO ONLY.
const SECRET: &str = "ZGVtby1vbmx5LWRlbW8tb25seS1kZW1vLW9ubHkh";
const LOGIN: &str = "wrapup:demo-only-password";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/sources")
}

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/wrapup.toml");
    std::fs::read_to_string(path).unwrap()
}

fn toml_of(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap()
}

/// The one source that the example holds.
fn source_of(name: &str) -> toml::Table {
    let file: toml::Table = toml::from_str(&toml_of(name)).unwrap();
    assert_eq!(file.len(), 1, "{name}: a source and nothing else");
    let sources = file["source"].as_array().unwrap();
    assert_eq!(sources.len(), 1, "{name}");
    sources[0].as_table().unwrap().clone()
}

fn sample_of(name: &str) -> PathBuf {
    folder().join(format!("{name}.sample.json"))
}

/// Every variable that the examples and the shipped configuration name.
fn variables() -> &'static BTreeMap<String, &'static str> {
    static VARIABLES: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(read_variables);
    &VARIABLES
}

fn read_variables() -> BTreeMap<String, &'static str> {
    let mut variables = BTreeMap::from([
        ("GENESYS_CLIENT_ID".to_owned(), "demo-client"),
        ("SURVEY_SECRET".to_owned(), SECRET),
        ("WRAPUP_SIGNING_KEY".to_owned(), PRIVATE),
    ]);
    for (name, _) in EXAMPLES {
        let source = source_of(name);
        let secrets = source.get("secrets").and_then(toml::Value::as_array);
        let origins = secrets
            .into_iter()
            .flatten()
            .chain(source.get("path_token"));
        let mut count = 0;
        for origin in origins {
            let variable = origin["env"].as_str().unwrap().to_owned();
            let value = match *name {
                "standard-webhooks-v1a" => PUBLIC,
                "medallia" => LOGIN,
                _ => SECRET,
            };
            let known = variables.insert(variable, value);
            assert_eq!(known, None, "{name}: each example has its own secret");
            count += 1;
        }
        assert_eq!(count, 1, "{name}");
    }
    variables
}

/// All examples pasted behind a configuration that can run here.
fn all_in(platform: &str) -> Workspace {
    let workspace = Workspace::new(
        platform,
        &[
            "[server]\npublic_url = \"https://surveys.example.com\"\n[platform.rate_limit]\nrequests = 2000\n",
        ],
    );
    let mut config = std::fs::read_to_string(workspace.config()).unwrap();
    for (name, _) in EXAMPLES {
        config = [config, toml_of(name)].join("\n");
    }
    std::fs::write(workspace.config(), config).unwrap();
    workspace
}

async fn run(workspace: &Workspace, arguments: &[&str]) -> Value {
    let mut command = workspace.command(arguments);
    let done = command.envs(variables()).output().await.unwrap();
    assert!(
        done.status.success(),
        "{arguments:?}: {}{}",
        text(&done.stdout),
        text(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn the_folder_holds_what_the_table_says_and_every_preset_has_its_example() {
    let mut expected = BTreeSet::new();
    let mut texts = String::new();
    for (name, _) in EXAMPLES {
        expected.extend([format!("{name}.toml"), format!("{name}.sample.json")]);
        let text = toml_of(name);
        assert_eq!(source_of(name)["name"].as_str(), Some(*name));
        let tried = format!("wrapup sign {name} config/sources/{name}.sample.json");
        for part in [
            "# Sender: ",
            "# Secret: ",
            "# Adapt: ",
            "# Answers: ",
            &tried,
        ] {
            assert!(text.contains(part), "{name} says nothing about {part}");
        }
        let is_thin = THIN.iter().any(|(thin, _)| thin == name);
        assert_eq!(text.contains("THIN"), is_thin, "{name}");
        texts.push_str(&text);
    }
    expected.extend(THIN.iter().map(|(name, _)| format!("{name}.thin.json")));
    let found: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected);
    for (preset, _) in preset::all() {
        let used = format!("preset = \"{preset}\"");
        let named = texts.contains(&used) || texts.contains(&format!("\"{preset}\""));
        assert!(named, "no example says a word about {preset}");
    }
}

/// What `wrapup check` says of a configuration with all that it needs.
async fn checked(workspace: &Workspace, config: String) -> Value {
    std::fs::write(workspace.config(), config).unwrap();
    let mut command = workspace.command(&["check", "--json"]);
    let key = "{ file = \"client.pem\" }";
    command
        .envs(variables())
        .env("WRAPUP__PLATFORM__AUTH__PRIVATE_KEY", key)
        .env("WRAPUP__SERVER__PUBLIC_URL", "https://surveys.example.com");
    let done = command.output().await.unwrap();
    serde_json::from_slice(&done.stdout).unwrap()
}

#[tokio::test]
async fn each_example_passes_the_check_pasted_into_the_shipped_file_and_all_do_together() {
    let shipped = shipped();
    let workspace = Workspace::new("http://127.0.0.1:9", &[]);
    let each = EXAMPLES.iter().map(|(name, _)| (*name, toml_of(name)));
    let all: Vec<_> = EXAMPLES.iter().map(|(name, _)| toml_of(name)).collect();
    for (name, pasted) in each.chain([("all of them", all.join("\n"))]) {
        let report = checked(&workspace, format!("{shipped}\n{pasted}")).await;
        assert_eq!(report["ok"], true, "{name}: {report:#}");
        let warnings = report["warnings"].as_array().unwrap();
        let expected = WARNED_OF
            .iter()
            .filter(|(of, _)| name == *of || name == "all of them");
        let count = expected.clone().count();
        assert_eq!(warnings.len(), count, "{name}: {report:#}");
        for (warning, (_, expected)) in warnings.iter().zip(expected) {
            assert!(warning.as_str().unwrap().ends_with(expected), "{warning}");
        }
        // One price is told once, however many sources pay it.
        let notes = report["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 1, "{name}: {report:#}");
    }
}

#[tokio::test]
async fn alone_each_example_has_the_fields_that_the_shipped_rules_name() {
    let shipped = shipped();
    let (head, _) = shipped.split_once("\n[[source]]").unwrap();
    let workspace = Workspace::new("http://127.0.0.1:9", &[]);
    for (name, _) in EXAMPLES {
        let text = toml_of(name);
        let report = checked(&workspace, format!("{head}\n{text}")).await;
        let none = Value::Array(Vec::new());
        assert_eq!(report["problems"], none, "{name}: {report:#}");
        // The shipped cases are about the shipped fields; an example with other ones says so.
        let says_so = text.contains("# Cases: ");
        assert_eq!(report["ok"], !says_so, "{name}: {report:#}");
        for failure in report["failures"].as_array().unwrap() {
            let whose = format!("with the fields of source {name}");
            assert!(failure.as_str().unwrap().ends_with(&whose), "{failure}");
        }
    }
}

#[tokio::test]
async fn explain_shows_what_each_sample_says() {
    let workspace = all_in("http://127.0.0.1:9");
    for (name, expected) in EXAMPLES {
        let sample = sample_of(name);
        let arguments = ["rules", "explain", "--json", "--source", name];
        let arguments = [&arguments[..], &[sample.to_str().unwrap()]].concat();
        let explained = run(&workspace, &arguments).await;
        let surveys = match explained {
            Value::Array(surveys) => surveys,
            survey => vec![survey],
        };
        let read: Vec<_> = surveys
            .iter()
            .map(|survey| {
                let fields = &survey["fields"];
                let number = |field: &str| fields[field].as_f64();
                let issue = fields["issue_type"].as_str().unwrap();
                let code = survey["wrapUpCode"].as_str().unwrap();
                (number("csat_score"), number("nps_score"), issue, code)
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(csat, nps, issue, code)| {
                (csat.map(f64::from), nps.map(f64::from), *issue, *code)
            })
            .collect();
        assert_eq!(read, expected, "{name}");
    }
}

/// What an answer says of each survey of the body.
fn surveys_of(answer: &Value) -> Vec<&Value> {
    match answer["deliveries"].as_array() {
        Some(list) => list.iter().collect(),
        None => vec![answer],
    }
}

fn ack_of(source: &toml::Table) -> u16 {
    let preset = source.get("preset").and_then(toml::Value::as_str);
    let mut presets = preset::all();
    let preset = presets.find(|(name, _)| Some(*name) == preset);
    let own = source.get("ack").and_then(toml::Value::as_integer);
    own.and_then(|ack| u16::try_from(ack).ok())
        .or_else(|| preset?.1.ack)
        .unwrap_or(202)
}

#[tokio::test]
async fn each_sample_comes_to_its_code_and_no_forged_one_gets_in() {
    let simulator = simulator::unlimited().await;
    let workspace = all_in(&simulator.base_url());
    let service = Process::serve_with(&workspace, |command| command.envs(variables())).await;
    let mut wanted = BTreeMap::new();
    for (name, expected) in EXAMPLES {
        let source = source_of(name);
        let request = Request::signed(&workspace, name, &sample_of(name)).await;
        let (status, answer) = request.forged(&source).post(&service).await;
        assert_eq!(status, 401, "{name}, forged: {answer}");
        let (status, answer) = request.post(&service).await;
        assert_eq!(status, ack_of(&source), "{name}: {answer}");
        let told = surveys_of(&answer);
        assert_eq!(told.len(), expected.len(), "{name}: {answer}");
        for (survey, (.., code)) in told.iter().zip(*expected) {
            assert_eq!(survey["status"], "accepted", "{name}");
            assert_eq!(survey["wrapUpCode"], *code, "{name}");
            let id: Uuid = survey["interactionId"].as_str().unwrap().parse().unwrap();
            let before = wanted.insert(id, (*name, *code));
            assert_eq!(before, None, "{name}: an interaction of its own");
        }
    }
    simulator::assigned(&simulator.control(), wanted.len(), PATIENCE).await;
    for (id, (name, code)) in wanted {
        let assigned = simulator.control().assigned(id);
        assert_eq!(assigned.as_deref(), Some(code), "{name}");
    }
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn a_thin_event_is_authentic_and_kept_and_assigns_nothing() {
    let simulator = simulator::unlimited().await;
    let workspace = all_in(&simulator.base_url());
    let service = Process::serve_with(&workspace, |command| command.envs(variables())).await;
    for (name, expected) in THIN {
        let event = folder().join(format!("{name}.thin.json"));
        let request = Request::signed(&workspace, name, &event).await;
        let (status, answer) = request.post(&service).await;
        assert_eq!(status, *expected, "{name}: {answer}");
        let told = toml_of(name);
        assert!(told.contains(&expected.to_string()), "{name} says so");
        for survey in surveys_of(&answer) {
            assert_eq!(survey["wrapUpCode"], Value::Null, "{name}: {answer}");
        }
    }
    let remote = Remote::to(&service);
    let quarantined = remote
        .metric("wrapup_deliveries", "state=\"quarantined\"")
        .await;
    assert!((quarantined - 3.0).abs() < 0.1, "{quarantined}");
    assert_eq!(simulator.control().assigned_count(), 0);
    assert!(service.stop().await.success());
}
