//! Tools look at a configuration where its secrets do not belong.

use super::*;

#[test]
fn tools_do_without_secrets_and_say_which_are_missing() {
    let toml = LEAST
        .replace("key.pem", "none.pem")
        .replace(
            "{ value = \"canary-0123456789abcdef\" }",
            "{ env = \"WRAPUP_TEST_IS_NEVER_SET\" }",
        )
        .replace("hmac-sha256", "standard-webhooks");
    let folder = Folder::with(&toml);
    let loaded = load(&folder.path("c.toml"), std::iter::empty(), Secrets::Wanted).unwrap();
    let keys: Vec<&str> = loaded
        .stand_ins
        .iter()
        .map(|missing| missing.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "source[0].secrets[0]",
            "platform.auth.client_id",
            "platform.auth.private_key"
        ]
    );
    assert_eq!(folder.problems(&[]).len(), 3);
}

#[test]
fn tools_that_need_no_secret_do_with_one_that_cannot_be_used() {
    let token = "name = \"generic\"\npath_token = { value = \"a b\" }";
    let folder = Folder::with(&LEAST.replacen("name = \"generic\"", token, 1));
    let told = folder.problems(&[]);
    assert!(told[0].contains("source[0].path_token"), "{told:#?}");
    let loaded = load(&folder.path("c.toml"), std::iter::empty(), Secrets::Wanted).unwrap();
    assert_eq!(loaded.stand_ins.len(), 1, "{:#?}", loaded.stand_ins);
    assert_eq!(loaded.stand_ins[0].key, "source[0].path_token");
}
