//! The commands, on configurations that are wrong in every way that a test thought of.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_shows_a_secret_whatever_is_wrong_with_the_configuration() {
    let simulator = simulator::unlimited().await;
    let workspace = workspace(&simulator);
    let needles = Needles::new(&workspace);
    // What is in a payload is for whoever asks to see; `rules explain` shows it.
    let asked_about = survey(Uuid::new_v4()).replace(ANSWER, "billing");
    std::fs::write(workspace.path("payload.json"), asked_about).unwrap();
    let payload = workspace.path("payload.json");
    let payload = payload.to_str().unwrap();
    let good = std::fs::read_to_string(workspace.config()).unwrap();
    let secret_in_line = "secrets = [{ value = \"canary-survey-secret\" }]";
    let configs = [
        good.clone(),
        good.replace("[rules]", "[rules]\ntoken = \"canary\""),
        format!("{good}\nsecrets = [{{ value = \"canary\" }}] canary"),
        format!(
            "{good}\n[[source]]\nname = \"other\"\n{secret_in_line}\npreset = \"standard-webhooks\""
        ),
        format!("{good}\n[[source]]\nname = \"other\"\n{secret_in_line}\nack = \"canary\""),
        good.replace("admin.token", "canary-no-such-file"),
        good.replace("client.pem", "survey.secret"),
    ];
    let commands: [&[&str]; 7] = [
        &["serve"],
        &["check"],
        &["check", "--json"],
        &["config"],
        &["config", "--json"],
        &["rules", "explain", payload],
        &["sign", "generic", payload],
    ];
    for (index, config) in configs.iter().enumerate() {
        std::fs::write(workspace.config(), config).unwrap();
        for arguments in commands {
            if index == 0 && arguments == ["serve"] {
                continue;
            }
            for variables in [
                &[][..],
                &[(
                    "WRAPUP__ADMIN__TOKEN",
                    "{ value = \"canary-token-by-variable\" }",
                )],
                &[("WRAPUP__ADMIN__TOKN", "canary")],
                &[("WRAPUP__SERVER__MAX_BODY", "canary")],
            ] {
                let output = workspace
                    .command(arguments)
                    .env("RUST_LOG", "trace")
                    .envs(variables.iter().copied())
                    .output();
                let output = tokio::time::timeout(PATIENCE, output)
                    .await
                    .unwrap()
                    .unwrap();
                let what = format!("{arguments:?} with configuration {index} and {variables:?}");
                for text in [&output.stdout, &output.stderr] {
                    let text = String::from_utf8_lossy(text).replace("canary-no-such-file", "");
                    needles.search(&what, &text);
                }
            }
        }
    }
}
