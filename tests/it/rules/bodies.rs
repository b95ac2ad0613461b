//! `wrapup rules explain` for each kind of body.

use serde_json::json;

use super::{NOBODY, run, run_json};
use crate::support::process::Workspace;

const ID: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

fn source(name: &str, keys: &str) -> String {
    format!(
        r#"
[[source]]
name = "{name}"
preset = "hmac-sha256"
secrets = [{{ value = "demo-only-survey-secret" }}]
{keys}
[source.fields]
interaction_id = {{ path = "$.id", type = "uuid", required = true }}
nps_score = {{ path = "$.score", type = "number" }}
"#
    )
}

fn workspace() -> Workspace {
    let team = "team = { path = \"$.team\", type = \"string\", from = \"body\" }\n";
    let sources = [
        source("plain", ""),
        source("form", "body = \"form\""),
        source("field", "body = \"form:rawRequest\""),
        source("parts", "body = \"multipart:rawRequest\""),
        source("list", "items = \"$.responses[*]\"") + team,
    ];
    let workspace = Workspace::new(NOBODY, &[&sources.concat()]);
    let rules = "[[rule]]\nname = 'low'\nwhen = 'nps_score <= 6'\nassign = 'LOW'\n\
                 [[rule]]\nname = 'else'\nassign = 'ELSE'\n";
    std::fs::write(workspace.path("rules.toml"), rules).unwrap();
    workspace
}

fn saved(workspace: &Workspace, body: &str) -> String {
    let file = workspace.path("payload");
    std::fs::write(&file, body).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn explain_reads_forms_and_multipart_bodies() {
    let workspace = workspace();
    let survey = json!({ "id": ID, "score": 3 }).to_string();
    let encoded: String = form_urlencoded::byte_serialize(survey.as_bytes()).collect();
    let part = "--b0und\r\nContent-Disposition: form-data; name=\"rawRequest\"\r\n\r\n";
    for (source, body) in [
        ("plain", survey.clone()),
        ("form", format!("id={ID}&score=3")),
        ("field", format!("other=1&rawRequest={encoded}")),
        ("parts", format!("{part}{survey}\r\n--b0und--\r\n")),
    ] {
        let file = saved(&workspace, &body);
        let told = run(
            &workspace,
            &["rules", "explain", "--source", source, &file],
            0,
        )
        .await;
        for line in [
            "nps_score       3.0 ",
            "$.score\n",
            "code         LOW (by low)",
        ] {
            assert!(told.contains(line), "{source}: {line}\n{told}");
        }
    }
    // The survey alone is put where its sender would put it.
    let file = saved(&workspace, &survey);
    for source in ["plain", "form", "field", "parts"] {
        let told = run(
            &workspace,
            &["rules", "explain", "--source", source, &file],
            0,
        )
        .await;
        assert!(
            told.contains("code         LOW (by low)"),
            "{source}:\n{told}"
        );
    }
    let file = saved(&workspace, "id=nobody");
    for source in ["field", "parts"] {
        run(
            &workspace,
            &["rules", "explain", "--source", source, &file],
            1,
        )
        .await;
    }
}

#[tokio::test]
async fn explain_shows_each_item_of_a_list() {
    let workspace = workspace();
    let body = json!({ "team": "north", "responses": [
        { "id": ID, "score": 9 },
        { "id": "nobody", "score": 3 },
    ] });
    let file = saved(&workspace, &body.to_string());
    let arguments = ["rules", "explain", "--source", "list", &file];
    let told = run(&workspace, &arguments, 1).await;
    let (first, second) = told.split_once("\nsurvey 2 of 2\n").expect("two surveys");
    assert!(first.starts_with("survey 1 of 2\n"), "{told}");
    for line in ["\"north\"", "$.team", "code         ELSE (by else)"] {
        assert!(first.contains(line), "{line}\n{told}");
    }
    assert!(second.contains("interaction_id ($.id, uuid): "), "{told}");
    let told = run_json(&workspace, &[&arguments[..], &["--json"]].concat(), 1).await;
    assert_eq!(told[0]["wrapUpCode"], "ELSE");
    assert_eq!(told[0]["fields"]["team"], "north");
    assert_eq!(told[1]["problems"][0]["field"], "interaction_id");
    // A list of one is a list.
    let one = json!({ "responses": [{ "id": ID, "score": 1 }] });
    let file = saved(&workspace, &one.to_string());
    let told = run_json(
        &workspace,
        &[&arguments[..4], &[&*file, "--json"]].concat(),
        0,
    )
    .await;
    assert_eq!(told[0]["wrapUpCode"], "LOW");
}
