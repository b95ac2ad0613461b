//! Tests of what the environment may say.

use std::time::Duration;

use super::super::admin_listen;
use super::{Folder, LEAST};
use crate::delivery::Mode;

#[track_caller]
fn refused(variables: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(Folder::with(LEAST).problems(variables), expected);
}

#[test]
fn a_variable_takes_the_type_of_its_key() {
    let folder = Folder::with(&format!(
        "[server]\nlisten = \"0.0.0.0:1\"\n[delivery]\nmode = \"live\"\nworkers = 1\n{LEAST}"
    ));
    let loaded = folder
        .load(&[
            ("WRAPUP__SERVER__LISTEN", "127.0.0.1:9"),
            ("WRAPUP__SERVER__MAX_BODY", "1MiB"),
            ("WRAPUP__DELIVERY__MODE", "shadow"),
            ("WRAPUP__DELIVERY__WORKERS", "1_000"),
            ("WRAPUP__Store__keep_body", " false "),
            ("WRAPUP__STORE__URL", "sqlite:///var/lib/w.db"),
            (
                "WRAPUP__PLATFORM__RATE_LIMIT",
                "{ requests = 7, per = \"1m\" }",
            ),
            ("WRAPUP__PLATFORM__DIVISION_ID", "42"),
            ("WRAPUP_CONFIG", "passed by"),
            ("WRAPUP_LOG_FORMAT", "passed by"),
        ])
        .unwrap();
    let config = &loaded.config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:9");
    assert_eq!(config.server.max_body, 1024 * 1024);
    assert_eq!(config.delivery.mode, Mode::Shadow);
    assert_eq!(config.delivery.workers, 1000);
    assert!(!config.store.keep_body);
    assert_eq!(config.store.path.to_str(), Some("/var/lib/w.db"));
    assert_eq!(config.platform.rate_limit.requests, 7);
    assert_eq!(config.platform.rate_limit.per, Duration::from_mins(1));
    assert_eq!(config.platform.rate_limit.slack, Duration::from_millis(50));
    assert_eq!(config.platform.divisions, ["42"]);
    let shown = loaded.effective.to_toml().unwrap();
    for line in [
        "mode = \"shadow\"                         # environment WRAPUP__DELIVERY__MODE",
        "requests = 7                            # environment WRAPUP__PLATFORM__RATE_LIMIT",
        "repeat = \"last\"                         # default",
    ] {
        assert!(shown.contains(line), "{line} in:\n{shown}");
    }
}

#[test]
fn a_secret_is_named_as_a_table_or_by_its_part() {
    let folder = Folder::with(&format!(
        "[admin]\ntoken = {{ env = \"NEVER_SET\" }}\n{LEAST}"
    ));
    std::fs::write(folder.path("token"), "0123456789abcdef0123\n").unwrap();
    for (name, value) in [
        ("WRAPUP__ADMIN__TOKEN", "{ file = \"token\" }"),
        ("WRAPUP__ADMIN__TOKEN__FILE", "token"),
    ] {
        let loaded = folder.load(&[(name, value)]).unwrap();
        let token = loaded.config.admin.token.unwrap();
        token.expose(|bytes| assert_eq!(bytes, b"0123456789abcdef0123"));
    }
}

#[test]
fn variables_that_are_no_key_are_refused() {
    refused(
        &[
            ("WRAPUP__", "1"),
            ("WRAPUP__SERVER____LISTEN", "1"),
            ("WRAPUP__SERVER__LISTEN__", "1"),
            ("WRAPUP__SERVER__LISTNE", "1"),
            ("WRAPUP__SERVR__LISTEN", "1"),
            ("WRAPUP__SERVR__MAX_BODY", "1"),
            ("WRAPUP__SOURCE__0__NAME", "x"),
            ("WRAPUP__COLOUR", "x"),
        ],
        &[
            "environment WRAPUP__: an empty part in the name: write WRAPUP__SECTION__KEY, with two underscores between the parts",
            "environment WRAPUP__COLOUR: colour: unknown key `colour`; known here: server, admin, platform, codes, delivery, store, rules, source",
            "environment WRAPUP__SERVER__LISTEN__: an empty part in the name: write WRAPUP__SECTION__KEY, with two underscores between the parts",
            "environment WRAPUP__SERVER__LISTNE: server.listne: unknown key `listne`; did you mean `listen`?",
            "environment WRAPUP__SERVER____LISTEN: an empty part in the name: write WRAPUP__SECTION__KEY, with two underscores between the parts",
            "environment WRAPUP__SERVR__LISTEN: servr: unknown key `servr`; did you mean `server`?",
            "environment WRAPUP__SERVR__MAX_BODY: servr: unknown key `servr`; did you mean `server`?",
            "environment WRAPUP__SOURCE__0__NAME: source.0.name: sources cannot be set by environment: write them in the file (their secrets can come from variables)",
        ],
    );
}

#[test]
fn variables_that_do_not_fit_their_key_are_refused() {
    refused(
        &[
            ("WRAPUP__DELIVERY__WORKERS", "many"),
            ("WRAPUP__DELIVERY__MODE", "dry"),
            ("WRAPUP__STORE__KEEP_BODY", "1"),
            ("WRAPUP__STORE__REMEMBER", "1d"),
            ("WRAPUP__ADMIN__TOKEN", "t"),
            ("WRAPUP__CODES", "{ page_size = 0, page = 1 }"),
            ("WRAPUP__PLATFORM__RATE_LIMIT", "{ requests = \"7\" }"),
            ("WRAPUP__PLATFORM__BASE_URL", ""),
        ],
        &[
            "environment WRAPUP__ADMIN__TOKEN: admin.token: a secret is written { env = \"NAME\" }, { file = \"PATH\" } or { value = \"...\" }",
            "environment WRAPUP__CODES: codes.page: unknown key `page`; known here: refresh_every, page_size",
            "environment WRAPUP__CODES: codes.page_size: must be from 1 to 500",
            "environment WRAPUP__DELIVERY__MODE: delivery.mode: expected \"live\" or \"shadow\"",
            "environment WRAPUP__DELIVERY__WORKERS: delivery.workers: expected a whole number, as TOML writes it",
            "environment WRAPUP__PLATFORM__BASE_URL: platform.base_url: not a URL: write one such as \"https://api.example.com\"",
            "environment WRAPUP__PLATFORM__RATE_LIMIT: platform.rate_limit.requests: expected a whole number, 0 or more, found a string",
            "environment WRAPUP__STORE__KEEP_BODY: store.keep_body: expected true or false, found a whole number",
            "environment WRAPUP__STORE__REMEMBER: store.remember: must be at least `store.retention`: a delivery that is kept is known as a duplicate",
        ],
    );
}

#[test]
fn a_key_that_is_set_twice_is_refused() {
    refused(
        &[
            ("WRAPUP__ADMIN__TOKEN", "{ env = \"X\" }"),
            ("WRAPUP__ADMIN__TOKEN__ENV", "X"),
            ("WRAPUP__STORE__Url", "sqlite:a"),
            ("WRAPUP__STORE__URL", "sqlite:a"),
        ],
        &[
            "environment WRAPUP__ADMIN__TOKEN__ENV: admin.token.env: set beside environment WRAPUP__ADMIN__TOKEN: set one of the two",
            "environment WRAPUP__STORE__Url: store.url: set beside environment WRAPUP__STORE__URL: set one of the two",
        ],
    );
}

#[test]
fn the_health_check_needs_nothing_but_its_address() {
    let broken =
        Folder::with("[admin]\nlisten = \"0.0.0.0:1\"\ntoken = 5\n[platform.auth]\nx = \"");
    let listen = |folder: &Folder, file: &str, set: &[(&str, &str)]| {
        let set: Vec<_> = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        admin_listen(&folder.path(file), set.into_iter()).map(|address| address.to_string())
    };
    let variable = [("WRAPUP__ADMIN__LISTEN", "0.0.0.0:2")];
    assert_eq!(listen(&broken, "c.toml", &[]).unwrap(), "0.0.0.0:1");
    assert_eq!(listen(&broken, "c.toml", &variable).unwrap(), "0.0.0.0:2");
    assert_eq!(listen(&broken, "none", &[]).unwrap(), "127.0.0.1:8081");
    assert_eq!(listen(&broken, "none", &variable).unwrap(), "0.0.0.0:2");
    let bad = [("WRAPUP__ADMIN__LISTEN", "here")];
    assert!(listen(&broken, "c.toml", &bad).is_err());
}
