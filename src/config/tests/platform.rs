//! `[platform]`: what each API brings with it, and what its keys may be.

use std::time::Duration;

use super::{CANARY, Folder, LEAST, refused};
use crate::platform::{Api, Config, Grant};

const CONVERSATIONS: &str = "[platform]\napi = \"conversations\"\n";

/// With a client's secret in the place of its key.
fn with_secret(toml: &str) -> Folder {
    let secret = format!("client_secret = {{ value = \"{CANARY}\" }}");
    let least = LEAST.replace(r#"private_key = { file = "key.pem" }"#, &secret);
    Folder::with(&format!("{toml}{least}"))
}

fn platform(toml: &str) -> Config {
    with_secret(toml).load(&[]).unwrap().config.platform
}

#[test]
fn the_conversations_api_has_its_own_defaults() {
    let folder = with_secret(CONVERSATIONS);
    let loaded = folder.load(&[]).unwrap();
    let config = &loaded.config.platform;
    let Api::Conversations(settings) = &config.api else {
        panic!("{:?}", config.api)
    };
    assert!(matches!(config.auth.grant, Grant::ClientCredentials { .. }));
    assert_eq!(config.base_url, "https://api.mypurecloud.com");
    assert_eq!(
        config.token_url,
        "https://login.mypurecloud.com/oauth/token"
    );
    assert_eq!(config.page_size, 100);
    let limit = config.rate_limit;
    assert_eq!((limit.requests, limit.per), (300, Duration::from_mins(1)));
    assert_eq!(settings.confirm_within, Duration::from_secs(30));
    assert!(settings.notes.is_none() && !settings.check_queue_codes);
    let shown = loaded.effective.to_toml().unwrap();
    for line in [
        "requests = 300 ",
        "page_size = 100 ",
        "grant = \"client-credentials\" ",
        "login_url = \"https://login.mypurecloud.com\" ",
    ] {
        assert!(shown.contains(line), "{line} in:\n{shown}");
    }
}

#[test]
fn a_region_has_a_name_and_its_own_hosts() {
    let at = |more: &str| platform(&format!("{CONVERSATIONS}{more}\n"));
    let config = at("environment = \"usw2\"");
    assert_eq!(config.base_url, "https://api.usw2.pure.cloud");
    assert_eq!(
        config.token_url,
        "https://login.usw2.pure.cloud/oauth/token"
    );
    let config = at("base_url = \"http://127.0.0.1:9000/\"");
    assert_eq!(
        config.token_url, "http://127.0.0.1:9000/oauth/token",
        "where only the base is set"
    );
    let config = at("login_url = \"http://127.0.0.1:9001\"");
    assert_eq!(config.base_url, "https://api.mypurecloud.com");
    assert_eq!(config.token_url, "http://127.0.0.1:9001/oauth/token");
}

#[test]
fn either_grant_can_be_used_with_either_api() {
    let set = [("WRAPUP__PLATFORM__AUTH__GRANT", "client-credentials")];
    let config = with_secret("").load(&set).unwrap().config.platform;
    assert!(matches!(config.api, Api::Interactions));
    assert!(matches!(config.auth.grant, Grant::ClientCredentials { .. }));
    let set = [("WRAPUP__PLATFORM__AUTH__GRANT", "jwt-bearer")];
    let folder = Folder::with(&format!("{CONVERSATIONS}{LEAST}"));
    let config = folder.load(&set).unwrap().config.platform;
    assert!(matches!(config.auth.grant, Grant::JwtBearer { .. }));
}

#[test]
fn several_divisions_may_be_named() {
    let config = platform(&format!(
        "{CONVERSATIONS}division_id = [\"d-1\", \"d-2\"]\n"
    ));
    assert_eq!(config.divisions, ["d-1", "d-2"]);
    let config = platform(&format!("{CONVERSATIONS}division_id = \"d-1\"\n"));
    assert_eq!(config.divisions, ["d-1"]);
    let set = [("WRAPUP__PLATFORM__DIVISION_ID", "[\"d-3\", \"d-4\"]")];
    let config = with_secret(CONVERSATIONS).load(&set).unwrap().config;
    assert_eq!(config.platform.divisions, ["d-3", "d-4"]);
    refused(
        "[platform]\ndivision_id = [\"a b\", 7]\n",
        &[
            "c.toml:2:16: platform.division_id[0]: not an id: write it as the platform shows it, or leave the key out",
            "c.toml:2:23: platform.division_id[1]: expected a string, found a whole number",
        ],
    );
}

#[test]
fn what_a_grant_needs_is_told_with_its_place() {
    refused(
        CONVERSATIONS,
        &[
            "c.toml:4:11: platform.auth.client_secret: missing: write client_secret = { env = \"GENESYS_CLIENT_SECRET\" }, or set WRAPUP__PLATFORM__AUTH__CLIENT_SECRET__ENV",
            "c.toml:6:15: platform.auth.private_key: not used by grant \"client-credentials\": remove it and set `client_secret`, or set grant \"jwt-bearer\"",
        ],
    );
}

#[test]
fn the_settings_of_conversations_are_checked_with_their_places() {
    let told = with_secret(
        "[platform]\napi = \"conversations\"\nenvironment = \"usw9\"\n[platform.conversations]\nnotes = \"{rule} {canary-0123456789abcdef}\"\nconfirm_within = \"2h\"\n",
    )
    .problems(&[]);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told[0].starts_with("c.toml:3:15: platform.environment: not a region that is known"),
        "{told:#?}"
    );
    assert_eq!(
        told[1],
        "c.toml:5:9: platform.conversations.notes: placeholder 2 is neither `{rule}` nor `{code}` nor a field of any source"
    );
    assert!(
        told[2].starts_with("c.toml:6:18: platform.conversations.confirm_within: must be from"),
        "{told:#?}"
    );
}

#[test]
fn a_field_that_only_the_note_names_is_used() {
    let notes = "[platform.conversations]\nnotes = \"{interaction_id}: {rule}\"\n";
    let config = platform(&format!("{CONVERSATIONS}{notes}"));
    assert!(config.writes("interaction_id") && !config.writes("rule"));
    assert!(!platform(CONVERSATIONS).writes("interaction_id"));
}

#[test]
fn a_field_that_chooses_the_agent_is_an_id() {
    let field = "agent_id = { path = \"$.agent\", type = \"integer\" }\n";
    let toml = |least: &str| format!("{CONVERSATIONS}{least}{field}");
    let secret = format!("client_secret = {{ value = \"{CANARY}\" }}");
    let least = LEAST.replace(r#"private_key = { file = "key.pem" }"#, &secret);
    let told = Folder::with(&toml(&least)).problems(&[]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("source[0].fields.agent_id.type: an id of the platform"),
        "{told:#?}"
    );
    let text = Folder::with(&toml(&least).replace("integer", "string"));
    assert!(text.load(&[]).is_ok());
}
