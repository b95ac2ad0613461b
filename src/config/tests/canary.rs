//! Tests that no value is ever shown.

use super::{CANARY, Folder, LEAST};

#[test]
fn no_value_of_a_secret_is_ever_shown() {
    let folder = Folder::with(&format!(
        "[admin]\ntoken = {{ value = \"{CANARY}\" }}\n{LEAST}"
    ));
    let loaded = folder.load(&[]).unwrap();
    for shown in [
        format!("{loaded:?}"),
        loaded.effective.to_toml().unwrap(),
        loaded.effective.to_json().unwrap().to_string(),
    ] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

/// Whatever key a secret is written to by mistake, in the file or by a variable, the refusal does not repeat it.
#[test]
fn a_secret_at_a_wrong_place_is_not_repeated() {
    for place in [
        "server.listen",
        "server.public_url",
        "server.max_body",
        "server.keep_alive",
        "server.max_connections",
        "admin.listen",
        "admin.token",
        "platform.api",
        "platform.environment",
        "platform.base_url",
        "platform.request_timeout",
        "platform.auth",
        "platform.auth.grant",
        "platform.auth.client_id",
        "platform.rate_limit.requests",
        "codes",
        "delivery.mode",
        "delivery.overwrite",
        "store.url",
        "store.keep_body",
        "store.retention",
        "source",
    ] {
        for value in [
            format!("\"{CANARY} /@:{{\""),
            format!("{{ env = \"{CANARY}\" }}"),
            format!("{{ what = \"{CANARY}\" }}"),
            format!("[\"{CANARY}\"]"),
            format!("{CANARY} 'x'"),
            format!("\"{CANARY}"),
        ] {
            let told = Folder::with(&format!("{place} = {value}\n")).problems(&[]);
            assert!(!told.is_empty());
            let variable = format!("WRAPUP__{}", place.replace('.', "__").to_uppercase());
            let laid = Folder::with(LEAST).problems(&[(&variable, &value)]);
            for line in told.iter().chain(&laid) {
                assert!(!line.contains("canary"), "{place} = {value}: {line}");
            }
        }
    }
}

#[test]
fn a_secret_at_a_wrong_place_of_a_source_is_not_repeated() {
    let source = "preset = \"hmac-sha256\"";
    for place in [
        "name",
        "preset",
        "ack",
        "invalid",
        "handshake",
        "body",
        "items",
        "max_items",
        "content_types",
        "items",
        "secrets",
        "path_token",
        "fields",
        "verify.algorithm",
        "verify.i_know_this_is_unsigned",
        "verify.signature",
        "verify.separator",
        "verify.prefix",
        "verify.encoding",
        "verify.content",
        "verify.secret_encoding",
        "verify.timestamp",
        "verify.timestamp_format",
        "verify.tolerance",
        "verify.id",
        "verify.over",
        "fields.x",
        "fields.x.path",
        "fields.x.type",
        "fields.x.case",
        "fields.x.default",
        "fields.x.min",
        "fields.x.one_of",
        "fields.x.map",
        "fields.x.take",
        "fields.x.from",
    ] {
        for value in [
            format!("\"{CANARY} /@:{{\""),
            format!("[\"{CANARY}\"]"),
            format!("{{ env = \"{CANARY}\" }}"),
        ] {
            let toml = LEAST.replace(source, &format!("{source}\n{place} = {value}\n"));
            for line in Folder::with(&toml).problems(&[]) {
                assert!(!line.contains("canary"), "{place} = {value}: {line}");
            }
        }
    }
}
