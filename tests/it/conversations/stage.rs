//! A scenario, played step by step.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use wrapup::clock::Clock;
use wrapup::ids::DeliveryId;
use wrapup::simulator::conversations::id_of;
use wrapup::simulator::{
    Api, Control, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, Fault, Limit, Settings, Simulator,
};

use super::scenario::{Access, Deed, Limits, Scenario, Step, Survey};
use crate::support::app::TestApp;
use crate::support::process::Workspace;

/// What the client needs, as the simulator begins with it.
const ALL: [&str; 3] = [
    "routing:wrapupCode:view",
    "conversation:communication:view",
    "conversation:participant:wrapup",
];

pub(super) struct Stage {
    /// None only while it restarts.
    app: Option<TestApp>,
    pub(super) control: Control,
    /// Deliveries by the name of their survey.
    pub(super) deliveries: BTreeMap<String, DeliveryId>,
    /// Every word of the scenario that may stand for an id.
    pub(super) words: Vec<String>,
    surveys: u32,
}

pub(super) async fn play(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let scenario: Scenario = toml::from_str(&text).unwrap_or_else(|why| panic!("{why}"));
    let mut stage = Stage::build(&scenario).await;
    for (at, step) in scenario.steps.iter().enumerate() {
        let context = format!("{} (step {}: {step:?})", scenario.says, at + 1);
        stage.step(step, &context).await;
    }
    stage.app.expect("it runs").finish().await;
}

impl Stage {
    async fn build(scenario: &Scenario) -> Self {
        let clock = Clock::system();
        let mut script = scenario.simulator.clone();
        script.entry("api").or_insert("conversations".into());
        script.entry("limit").or_insert("off".into());
        script.entry("appears_after").or_insert("50ms".into());
        let mut settings: Settings = script.try_into().expect("a simulator's script");
        settings.clock = clock.clone();
        let api = settings.api;
        let simulator = Simulator::start(settings).await.expect("it starts");
        let more = toml::to_string(&scenario.service).unwrap();
        let workspace = Workspace::new(&simulator.base_url(), &[&base(api), &more]);
        let control = simulator.control();
        Self {
            app: Some(TestApp::on(simulator, workspace, clock).await),
            control,
            deliveries: BTreeMap::new(),
            words: words_of(scenario),
            surveys: 0,
        }
    }

    pub(super) fn app(&self) -> &TestApp {
        self.app.as_ref().expect("it runs")
    }

    async fn step(&mut self, step: &Step, context: &str) {
        match step {
            Step::Survey(survey) => self.survey(survey).await,
            Step::Do(deed) => self.deed(*deed, context).await,
            Step::Surveys(count) => {
                for n in 0..*count {
                    let about = format!("conversation {n}");
                    let survey = Survey {
                        about,
                        ..Survey::default()
                    };
                    self.survey(&survey).await;
                }
            }
            Step::Fault(fault) => self.fault(fault.clone()),
            Step::Access(access) => self.access(access),
            Step::Limits(limits) => self.limits(limits),
            Step::Others(calls) => self.control.others_call(*calls),
            Step::Skip(by) => self.app().skip(by.0),
            Step::Until(until) => self.until(until, context).await,
            Step::Readyz(readyz) => self.readyz(readyz, context).await,
            Step::Metric(metric) => self.metric(metric, context).await,
            Step::Reaches(count) => self.reaches(count, context).await,
            Step::Calls(calls) => self.calls(calls, context),
        }
    }

    async fn deed(&mut self, deed: Deed, context: &str) {
        match deed {
            Deed::ClearFaults => self.control.clear_faults(),
            Deed::RevokeTokens => {
                self.control.revoke_tokens();
            }
            Deed::Restart => {
                let app = self.app.take().expect("it runs");
                self.app = Some(app.restart().await);
            }
            Deed::CheckLimit => self.check_limit(context),
        }
    }

    async fn survey(&mut self, survey: &Survey) {
        self.surveys += 1;
        let mut body = json!({
            "interactionId": id_of(&survey.about),
            "nps_score": survey.nps,
            "csat_score": survey.csat,
            "issue_type": survey.issue,
            // No two surveys are the same bytes.
            "n": self.surveys,
        });
        let ids = [("agent", &survey.agent), ("queue", &survey.queue)];
        for (name, word) in ids {
            if let Some(word) = word {
                body[name] = json!(id_of(word));
            }
        }
        if let Some(comment) = &survey.comment {
            body["comment"] = json!(comment.repeat(survey.times));
        }
        let id = self.app().accepted(&body.to_string()).await;
        let name = survey.name.as_ref().unwrap_or(&survey.about);
        self.deliveries.insert(name.clone(), id);
        self.words.push(survey.about.clone());
    }

    fn fault(&self, mut told: toml::Table) {
        let about = told.remove("about");
        let mut fault: Fault = told.try_into().expect("a fault");
        fault.interaction = about.map(|word| id_of(word.as_str().expect("a word")));
        self.control.add_fault(fault).expect("a fault that can be");
    }

    fn access(&self, access: &Access) {
        if access.all {
            self.control.set_permissions(ALL);
        }
        if let Some(permission) = &access.revoke {
            assert!(self.control.revoke_permission(permission), "{permission}");
        }
        if let Some(allowed) = access.apps_wrap_up {
            self.control.let_apps_wrap_up(allowed);
        }
    }

    fn limits(&self, limits: &Limits) {
        let set = |limit: Option<Limit>, set: &dyn Fn(Limit)| limit.map(set);
        set(limits.rate, &|limit| self.control.set_limit(limit));
        set(limits.quota, &|limit| self.control.set_quota(limit));
        set(limits.tokens, &|limit| self.control.set_token_limit(limit));
    }
}

/// As fast as it goes, with every field that a survey may have.
fn base(api: Api) -> String {
    let platform = match api {
        Api::Conversations => format!(
            r#"
            [platform]
            api = "conversations"
            [platform.auth]
            grant = "client-credentials"
            client_id = {{ value = "{DEMO_CLIENT_ID}" }}
            client_secret = {{ value = "{DEMO_CLIENT_SECRET}" }}
            [platform.conversations]
            confirm_within = "5s"
            "#
        ),
        Api::Interactions => String::new(),
    };
    format!(
        r#"
        {platform}
        [platform.rate_limit]
        requests = 2000
        per = "1s"
        [[source]]
        name = "generic"
        preset = "hmac-sha256"
        secrets = [{{ value = "{}" }}]
        [source.fields]
        interaction_id = {{ path = "$.interactionId", type = "uuid", required = true }}
        csat_score = {{ path = "$.csat_score", type = "number", default = 0 }}
        nps_score = {{ path = "$.nps_score", type = "number", default = 0 }}
        issue_type = {{ path = "$.issue_type", type = "string", default = "", case = "upper" }}
        agent_id = {{ path = "$.agent", type = "uuid" }}
        queue_id = {{ path = "$.queue", type = "uuid" }}
        comment = {{ path = "$.comment", type = "string", default = "" }}
        "#,
        crate::support::process::SECRET
    )
}

/// Those of the script, and the one agent of a conversation that nobody told of.
fn words_of(scenario: &Scenario) -> Vec<String> {
    let mut all = words(&toml::Value::Table(scenario.simulator.clone()));
    all.push("ordinary agent".to_owned());
    all
}

fn words(of: &toml::Value) -> Vec<String> {
    match of {
        toml::Value::String(word) => vec![word.clone()],
        toml::Value::Array(all) => all.iter().flat_map(words).collect(),
        toml::Value::Table(all) => all.values().flat_map(words).collect(),
        _ => Vec::new(),
    }
}
