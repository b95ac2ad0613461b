//! Configuration as a whole: what is refused, in which words, and where; what the environment may say.

mod canary;
mod platform;
mod shipped;
mod sources;
mod tools;
mod variables;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Loaded, Problems, Secrets, load};

/// Stands wherever a secret may stand, and must never be seen again.
const CANARY: &str = "canary-0123456789abcdef";

/// A good configuration with as little as possible; problems are put into it.
const LEAST: &str = r#"
[platform.auth]
client_id = { value = "canary-0123456789abcdef" }
private_key = { file = "key.pem" }
[[source]]
name = "generic"
preset = "hmac-sha256"
secrets = [{ value = "canary-0123456789abcdef" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
"#;

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn with(toml: &str) -> Self {
        static KEY: OnceLock<String> = OnceLock::new();
        let dir = tempfile::tempdir().unwrap();
        let key = KEY.get_or_init(private_key);
        std::fs::write(dir.path().join("key.pem"), key).unwrap();
        std::fs::write(dir.path().join("c.toml"), toml).unwrap();
        let rules = "[[rule]]\nname = \"all\"\nassign = \"X\"\n";
        std::fs::write(dir.path().join("rules.toml"), rules).unwrap();
        Self { dir }
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(&self.path("c.toml"), variables, Secrets::Needed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Problem lines, without the temporary folder.
    fn problems(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let told = match self.load(variables) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        let folder = format!("{}/", self.dir.path().display());
        told.into_iter()
            .map(|line: String| line.replace(&folder, ""))
            .collect()
    }
}

fn private_key() -> String {
    use aws_lc_rs::encoding::AsDer;
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

#[track_caller]
fn refused(toml: &str, expected: &[&str]) {
    let told = Folder::with(&format!("{toml}{LEAST}")).problems(&[]);
    assert_eq!(told, expected, "for:\n{toml}");
}

#[test]
fn little_is_enough_and_the_rest_is_default() {
    let folder = Folder::with(LEAST);
    let loaded = folder.load(&[]).unwrap();
    let config = loaded.config;
    assert_eq!(config.server.max_body, 256 * 1024);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.platform.base_url, "https://api.mypurecloud.com");
    assert_eq!(
        config.platform.token_url,
        "https://api.mypurecloud.com/oauth/token"
    );
    assert_eq!(config.platform.page_size, 25);
    assert_eq!(config.delivery.lease, Duration::from_mins(1));
    assert_eq!(config.store.path, folder.path("../data/wrapup.db"));
    assert_eq!(config.rules.file, folder.path("rules.toml"));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.secrets.len(), 3);
}

#[test]
fn keys_that_nobody_knows_are_told_with_what_they_may_mean() {
    refused(
        "[servr]\nlisten = \"x\"\n[server]\nlisten_on = \"x\"\nmaxbody = 1\ncolour = 1\n",
        &[
            "c.toml:1:2: servr: unknown key `servr`; did you mean `server`?",
            "c.toml:4:1: server.listen_on: unknown key `listen_on`; did you mean `listen`?",
            "c.toml:5:1: server.maxbody: unknown key `maxbody`; did you mean `max_body`?",
            "c.toml:6:1: server.colour: unknown key `colour`; known here: listen, public_url, max_body, header_timeout, request_timeout, keep_alive, max_connections, max_in_flight, shutdown_delay, shutdown_grace",
        ],
    );
}

#[test]
fn every_wrong_type_is_told_in_one_run() {
    refused(
        "[server]\nmax_body = 5\nkeep_alive = \"5 parsecs\"\nmax_in_flight = \"many\"\nmax_connections = -1\n\
         [store]\nkeep_body = \"yes\"\nurl = 1979-05-27\nmax_pending = 1.5\n\
         [delivery]\nmode = \"dry\"\nrepeat = { last = true }\n[codes]\npage_size = [25]\n[admin]\ntoken = \"t\"\n",
        &[
            "c.toml:2:12: server.max_body: expected a string, found a whole number",
            "c.toml:3:14: server.keep_alive: not a duration; write a number and a unit, such as \"5m\"",
            "c.toml:4:17: server.max_in_flight: expected a whole number, 0 or more, found a string",
            "c.toml:5:19: server.max_connections: out of range: expected a whole number, 0 or more",
            "c.toml:7:13: store.keep_body: expected true or false, found a string",
            "c.toml:8:7: store.url: expected a string, found a date",
            "c.toml:9:15: store.max_pending: expected a whole number, 0 or more, found a number with a fraction",
            "c.toml:11:8: delivery.mode: expected \"live\" or \"shadow\"",
            "c.toml:12:10: delivery.repeat: expected a string",
            "c.toml:14:13: codes.page_size: expected a whole number, 0 or more, found an array",
            "c.toml:16:9: admin.token: a secret is written { env = \"NAME\" }, { file = \"PATH\" } or { value = \"...\" }",
        ],
    );
}

#[test]
fn a_wrong_type_within_a_source_says_what_is_taken() {
    let wrong = LEAST.replace("[[source]]", "[[source]]\nack = 70000\nverify.prefix = 5");
    assert_eq!(
        Folder::with(&wrong).problems(&[]),
        [
            "c.toml:6:7: source[0].ack: out of range: expected a whole number from 0 to 65535",
            "c.toml:7:17: source[0].verify.prefix: expected a string or an array of strings",
        ]
    );
}

#[test]
fn a_store_is_a_file_and_no_folder() {
    for folder in ["sqlite:", "sqlite:data/", "sqlite:.", "sqlite:../data/.."] {
        refused(
            &format!("[store]\nurl = \"{folder}\"\n"),
            &[
                "c.toml:2:7: store.url: names no file: write one such as \"sqlite:../data/wrapup.db\"",
            ],
        );
    }
}

#[test]
fn values_out_of_their_bounds_are_told_in_one_run() {
    refused(
        "[server]\nlisten = \"localhost:8080\"\npublic_url = \"https://a@b\"\nmax_body = \"0B\"\n\
         [platform]\nenvironment = \"https://api.mypurecloud.com\"\nlogin_url = \"ftp://x\"\ndivision_id = \"\"\nca_file = \"none.pem\"\n\
         [platform.rate_limit]\nrequests = 0\nper = \"0s\"\n\
         [codes]\npage_size = 501\n\
         [delivery]\nworkers = 1025\nmax_attempts = 0\n\
         [store]\nurl = \"sqlite::memory:\"\nmax_pending = 0\n[rules]\nfile = \"\"\n",
        &[
            "c.toml:2:10: server.listen: not an address and a port: write one such as \"0.0.0.0:8080\" or \"[::]:8080\"",
            "c.toml:3:14: server.public_url: a base URL names no user and no password",
            "c.toml:4:12: server.max_body: must be from 1B to 64MiB",
            "c.toml:6:15: platform.environment: not a domain: write one such as \"mypurecloud.com\", without https:// and api.",
            "c.toml:7:13: platform.login_url: a base URL begins with https:// (or http://)",
            "c.toml:8:15: platform.division_id: not an id: write it as the platform shows it, or leave the key out",
            "c.toml:9:11: platform.ca_file: cannot be read: No such file or directory (os error 2)",
            "c.toml:11:12: platform.rate_limit.requests: must be from 1 to 100000",
            "c.toml:12:7: platform.rate_limit.per: must be from 1ms to 1d",
            "c.toml:14:13: codes.page_size: must be from 1 to 500",
            "c.toml:16:11: delivery.workers: must be from 1 to 1024",
            "c.toml:17:16: delivery.max_attempts: must be from 1 to 1000000",
            "c.toml:19:7: store.url: a store in memory loses what was accepted: write a file, such as \"sqlite:../data/wrapup.db\"",
            "c.toml:20:15: store.max_pending: must be from 1 to 1000000000",
            "c.toml:22:8: rules.file: an empty path",
        ],
    );
}

#[test]
fn keys_that_do_not_go_together_are_told() {
    refused(
        "[server]\nlisten = \"0.0.0.0:8081\"\n[platform]\nrequest_timeout = \"20s\"\n\
         [delivery]\noverwrite = \"if-empty\"\ncheck_state = \"repeats\"\n[store]\nremember = \"29d\"\n",
        &[
            "c.toml: admin.listen: the address of `server.listen`: take another port",
            "c.toml:5:2: delivery.lease: must be at least 4 x platform.request_timeout + 10s, that is 90s",
            "c.toml:7:15: delivery.check_state: \"repeats\" does not look before the first write, which `overwrite = \"if-empty\"` needs: set \"always\"",
            "c.toml:9:12: store.remember: must be at least `store.retention`: a delivery that is kept is known as a duplicate",
        ],
    );
    // Rounded up, so that what is told is enough.
    refused(
        "[platform.rate_limit]\nrequests = 7\nper = \"60s\"\nslack = \"0s\"\n\
         [platform]\nrequest_timeout = \"1s\"\n[delivery]\nlease = \"26s\"\n",
        &[
            "c.toml:8:9: delivery.lease: must be at least 3 x (per + slack) / requests of platform.rate_limit + 1s, that is 26715ms: else the write finds no turn after the look, however often it is tried; allow more requests, or a longer lease",
        ],
    );
    for (lease, good) in [("26715ms", true), ("26714ms", false)] {
        let toml = format!(
            "[platform.rate_limit]\nrequests = 7\nper = \"60s\"\nslack = \"0s\"\n\
             [platform]\nrequest_timeout = \"1s\"\n[delivery]\nlease = \"{lease}\"\n{LEAST}"
        );
        assert_eq!(Folder::with(&toml).load(&[]).is_ok(), good, "{lease}");
    }
    // A follow-up of another problem is not told.
    refused(
        "[platform]\nrequest_timeout = \"long\"\n",
        &[
            "c.toml:2:19: platform.request_timeout: not a duration; write a number and a unit, such as \"5m\"",
        ],
    );
}

#[test]
fn what_is_not_built_yet_names_what_can_be_set_instead() {
    refused(
        "[store]\nurl = \"postgres://u:canary-0123456789abcdef@h/d\"\n",
        &[
            "c.toml:2:7: store.url: PostgreSQL is not built yet: write a file, such as \"sqlite:../data/wrapup.db\"",
        ],
    );
}

#[test]
fn secrets_are_there_and_fit_or_it_is_told_where_they_were_looked_for() {
    let told = Folder::with(
        r#"
[admin]
token = { env = "WRAPUP_TEST_IS_NEVER_SET" }
[platform.auth]
client_id = { file = "empty" }
private_key = { file = "wrong.pem" }
client_secret = { env = "not a name" }
[[source]]
name = "generic"
preset = "hmac-sha256"
secrets = [{ value = "x" }]
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
"#,
    );
    std::fs::write(told.path("empty"), "\n").unwrap();
    std::fs::write(told.path("wrong.pem"), CANARY).unwrap();
    assert_eq!(
        told.problems(&[]),
        [
            "c.toml:3:9: admin.token: environment variable WRAPUP_TEST_IS_NEVER_SET is not set: set it, or name another in `env`",
            "c.toml:5:13: platform.auth.client_id: the secret from file empty is empty: an empty secret protects nothing",
            "c.toml:6:15: platform.auth.private_key: the secret from file wrong.pem cannot be used: platform.auth.private_key cannot sign: it has to be an RSA private key in PEM (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY), not encrypted, of at least 2048 bits",
            "c.toml:7:17: platform.auth.client_secret: not used by grant \"jwt-bearer\": remove it, and set `private_key`",
        ]
    );
    assert_eq!(
        Folder::with("").problems(&[]),
        [
            "c.toml: platform.auth.client_id: missing: write client_id = { env = \"GENESYS_CLIENT_ID\" }, or set WRAPUP__PLATFORM__AUTH__CLIENT_ID__ENV",
            "c.toml: platform.auth.private_key: missing: write private_key = { file = \"genesys.pem\" }, or set WRAPUP__PLATFORM__AUTH__PRIVATE_KEY__FILE",
            "c.toml: source: no source: nobody could send surveys; write at least one [[source]] with a `name`",
        ]
    );
}

/// The slip that is made most: a number without its quotes. What is wrong inside of a choice is told once, like all.
#[test]
fn a_secret_that_is_no_text_is_told_in_its_place() {
    for (value, found) in [
        ("12345", "a whole number"),
        ("true", "true or false"),
        ("[]", "an array"),
        ("{}", "a table"),
        ("2026-01-31", "a date"),
    ] {
        refused(
            &format!("[admin]\ntoken = {{ value = {value} }}\n"),
            &[&format!(
                "c.toml:2:19: admin.token.value: expected a string, found {found}"
            )],
        );
    }
    let variable = ("WRAPUP__ADMIN__TOKEN", "{ value = 12345 }");
    let told = Folder::with(LEAST).problems(&[variable]);
    assert_eq!(
        told,
        [
            "environment WRAPUP__ADMIN__TOKEN: admin.token.value: expected a string, found a whole number"
        ]
    );
    let secrets = LEAST.replace(
        "secrets = [{ ",
        "secrets = [{ value = 1 }, { file = 2 }, { ",
    );
    let told = Folder::with(&secrets).problems(&[]);
    assert_eq!(told.len(), 2, "{told:#?}");
}

#[test]
fn problems_of_the_rules_are_told_beside_those_of_the_configuration() {
    const RULES: &str = "[[rule]]\nname = \"a\"\nwhen = \"nope > 1\"\nassign = \"X\"\n";
    let told = |toml: &str, rules: Option<&str>| {
        let folder = Folder::with(toml);
        match rules {
            Some(text) => std::fs::write(folder.path("rules.toml"), text).unwrap(),
            None => std::fs::remove_file(folder.path("rules.toml")).unwrap(),
        }
        folder.problems(&[("WRAPUP__SERVER__COLOUR", "1")])
    };
    let all = told(LEAST, Some(RULES));
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[0].starts_with("rules.toml:3:9: rule.a.when: no source declares `nope`"));
    assert!(all[1].starts_with("environment WRAPUP__SERVER__COLOUR: server.colour: unknown key"));
    // Of a source that is wrong itself, nobody knows what rules may name; how they are written can be told.
    let broken = LEAST.replace("uuid", "date");
    let all = told(&broken, Some(RULES));
    assert!(all.iter().all(|line| !line.contains("nope")), "{all:#?}");
    let all = told(&broken, Some(&[RULES, "colour = 1\n", RULES].concat()));
    let of_rules: Vec<_> = all
        .iter()
        .filter(|line| line.starts_with("rules.toml:"))
        .collect();
    assert_eq!(of_rules.len(), 2, "{all:#?}");
    assert!(of_rules[0].contains("colour: unknown key"), "{all:#?}");
    assert!(
        of_rules[1].contains("the rule in line 2 has the same name"),
        "{all:#?}"
    );
    let all = told(&broken, None);
    assert!(
        all.iter()
            .any(|line| line.starts_with("rules.toml: cannot be read: ")),
        "{all:#?}"
    );
}

#[test]
fn a_fault_of_syntax_does_not_hide_what_stands_before_it() {
    let told = Folder::with(
        "[server]\ncolour = 1\nlisten = canary-0123456789abcdef\n[admin]\nlisten = \"x\nother = 1\n",
    )
    .problems(&[("WRAPUP__DELIVERY__WORKERS", "many")]);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[0].starts_with("c.toml:2:1: server.colour: unknown key"));
    assert!(
        told[1].starts_with("c.toml:3:10: not TOML: "),
        "{}",
        told[1]
    );
    assert!(
        told[2].starts_with("c.toml:5:12: not TOML: "),
        "{}",
        told[2]
    );
    assert!(told[3].starts_with("environment WRAPUP__DELIVERY__WORKERS: delivery.workers:"));
    let twice = Folder::with("[server]\n[server]\n").problems(&[]);
    assert_eq!(twice, ["c.toml:2:2: not TOML: duplicate key"]);
}

#[test]
fn http_to_another_machine_is_a_warning_and_to_this_one_is_not() {
    for (url, warnings) in [("http://sim:9000", 2), ("http://127.0.0.1:9000", 0)] {
        let set = [
            ("WRAPUP__PLATFORM__BASE_URL", url),
            ("WRAPUP__PLATFORM__LOGIN_URL", url),
        ];
        let loaded = Folder::with(LEAST).load(&set).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{url}");
        assert_eq!(
            loaded.config.platform.token_url,
            format!("{url}/oauth/token")
        );
    }
}
