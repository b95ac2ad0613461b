//! `wrapup sign`: what it prints is taken.

use uuid::Uuid;

use super::*;
use crate::support::app::survey;
use crate::support::simulator;

/// Both presets under names of their own, and a service with them.
const BOTH: &str = r#"
[[source]]
name = "plain"
preset = "hmac-sha256"
secrets = [{ value = "first-survey-secret" }, { value = "second-survey-secret" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
csat_score = { path = "$.csat_score", type = "number", default = 0 }
nps_score = { path = "$.nps_score", type = "number", default = 0 }
issue_type = { path = "$.issue_type", type = "string", default = "", case = "upper" }
[[source]]
name = "standard"
preset = "standard-webhooks"
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
"#;

#[tokio::test]
async fn signed_headers_are_taken_for_both_presets() {
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[BOTH]);
    let service = Process::serve(&workspace).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |source: &str, body: &str, headers: &str| {
        let url = format!("http://{}/webhooks/{source}", service.public);
        let mut request = http.post(url).header("content-type", "application/json");
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        request
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for (source, more) in [
        ("plain", "--secret=0"),
        ("plain", "--secret=1"),
        ("standard", "--id=msg_1"),
    ] {
        let body = survey(Uuid::new_v4(), 10, 5);
        let signed = fed(&mut workspace.command(&["sign", source, "-", more]), &body).await;
        let headers = exited(&signed, 0);
        assert_eq!(
            send(source, &body, headers).await,
            202,
            "{source} {more}: {headers}"
        );
        assert_eq!(
            send(source, &format!("{body} "), headers).await,
            401,
            "{source} {more}"
        );
    }
    let mut command = workspace.command(&["sign", "standard", "-", "--json", "--id", "msg_2"]);
    let signed = fed(&mut command, SAMPLE).await;
    let message: serde_json::Value = serde_json::from_str(exited(&signed, 0)).unwrap();
    assert_eq!(message["method"], "POST");
    assert_eq!(message["headers"]["webhook-id"], "msg_2");
    let nobody = fed(&mut workspace.command(&["sign", "nobody", "-"]), SAMPLE).await;
    exited(&nobody, 64);
    assert!(
        text(&nobody.stderr).contains("plain, standard"),
        "it names those there are"
    );
    assert!(service.stop().await.success());
}

#[tokio::test]
async fn the_printed_curl_command_is_answered_with_202() {
    if Command::new("curl")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        assert!(std::env::var("CI").is_err(), "CI has curl");
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let simulator = simulator::unlimited().await;
    let workspace = Workspace::new(&simulator.base_url(), &[]);
    let service = Process::serve(&workspace).await;
    let url = format!("http://{}/webhooks/generic", service.public);
    let interaction = Uuid::new_v4();
    // What a shell could stumble over, in the payload and in its file's name.
    let awkward =
        survey(interaction, 10, 5).replacen('{', "{\"said\": \"it's $HOME `x` \\\\ \\\"\",\n", 1);
    let file = workspace.path("it's a survey.json");
    std::fs::write(&file, &awkward).unwrap();
    let from_file = output(
        &workspace,
        &[
            "sign",
            "generic",
            file.to_str().unwrap(),
            "--curl",
            "--url",
            &url,
        ],
    )
    .await;
    let other = survey(Uuid::new_v4(), 10, 5).replacen('{', "{\"said\": \"it's @ $HOME\",\n", 1);
    let mut command = workspace.command(&["sign", "generic", "-", "--curl", "--url", &url]);
    let from_stdin = fed(&mut command, &other).await;
    // More than one argument can hold.
    let said = format!("{{\"said\": \"{}\",\n", "it's long ".repeat(20_000));
    let large = survey(Uuid::new_v4(), 10, 5).replacen('{', &said, 1);
    let mut command = workspace.command(&["sign", "generic", "-", "--curl", "--url", &url]);
    let from_pipe = fed(&mut command, &large).await;
    for signed in [from_file, from_stdin, from_pipe] {
        let line = exited(&signed, 0).trim_end();
        let pasted = fed(
            &mut Command::new("sh"),
            &format!("{line} -w ' %{{http_code}}'\n"),
        )
        .await;
        let answer = exited(&pasted, 0);
        assert!(answer.ends_with(" 202"), "{line}\n{answer}");
        assert!(answer.contains("\"status\":\"accepted\""), "{answer}");
    }
    let assigned = eventually(async || simulator.control().assigned(interaction).is_some()).await;
    assert!(assigned, "{}", service.log());
    assert!(service.stop().await.success());
}
