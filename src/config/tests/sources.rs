//! Tests of what is told about sources.

use super::{Folder, LEAST};

#[test]
fn sources_are_told_where_they_stand() {
    let source = "\n[[source]]\nname = \"other\"\npreset = \"hmac-sha256\"\nsecrets = [{ value = \"x\" }]\n\
                  fields.interaction_id = { path = \"$.i\", type = \"uuid\", required = true }\n";
    for (from, to, expected) in [
        (
            "name = \"other\"",
            "name = \"generic\"",
            "c.toml:13:8: source[1].name: the name of source[0], too: each source needs its own",
        ),
        (
            "name = \"other\"",
            "nam = \"other\"",
            "c.toml:13:1: source[1].nam: unknown key `nam`; did you mean `name`?",
        ),
        (
            "hmac-sha256",
            "hmac-sha255",
            "c.toml:14:10: source[1].preset: ",
        ),
        (
            "secrets",
            "verify.tolerance = \"long\"\nsecrets",
            "c.toml:15:20: source[1].verify.tolerance: not a duration; write a number and a unit, such as \"5m\"",
        ),
        (
            "secrets",
            "verify.algorithm = \"rot13\"\nsecrets",
            "c.toml:15:20: source[1].verify.algorithm: ",
        ),
        (
            "[{ value = \"x\" }]",
            "[{ env = \"WRAPUP_TEST_IS_NEVER_SET\" }]",
            "c.toml:15:12: source[1].secrets[0]: environment variable",
        ),
        (
            "[{ value = \"x\" }]",
            "[]",
            "c.toml:15:11: source[1].secrets: give at least one",
        ),
        (
            "\"uuid\"",
            "\"guid\"",
            "c.toml:16:48: source[1].fields.interaction_id.type: expected \"uuid\"",
        ),
        (
            "\"$.i\"",
            "\"$.[i\"",
            "c.toml:16:34: source[1].fields.interaction_id.path: ",
        ),
        (
            "required = true",
            "required = true, defualt = 1",
            "c.toml:16:73: source[1].fields.interaction_id.defualt: unknown key `defualt`; did you mean `default`?",
        ),
    ] {
        let told = Folder::with(&format!("{LEAST}{}", source.replacen(from, to, 1))).problems(&[]);
        assert!(
            told.iter().any(|line| line.starts_with(expected)),
            "{expected}: {told:#?}"
        );
    }
    let clash = source.replace(
        "fields.",
        "fields.score = { path = \"$.s\", type = \"string\" }\nfields.",
    );
    let least = format!("{LEAST}score = {{ path = \"$.s\", type = \"number\" }}\n{clash}");
    let told = Folder::with(&least).problems(&[]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].starts_with("c.toml:17:16: source[1].fields.score: is "),
        "{told:#?}"
    );
}

#[test]
fn what_could_never_pass_or_always_would_is_told_where_it_stands() {
    for (keys, expected) in [
        (
            "preset = \"hubspot-v3\"\nsecrets = [{ value = \"x\" }]",
            "source[0].verify.content: {url} is the address as the sender knows it: set `server.public_url`",
        ),
        (
            "verify.algorithm = \"none\"",
            "source[0].verify.algorithm: with `none` anybody who reaches this address can send surveys: give the \
             source a `path_token`, or say that you know with i_know_this_is_unsigned = true",
        ),
        (
            "preset = \"standard-webhooks-v1a\"\nsecrets = [{ value = \"whpk_AAAA\" }]",
            "source[0].secrets[0]: the secret from value [hidden] cannot be used: a public key of ed25519 has 32 bytes, \
             this has 3",
        ),
        (
            "preset = \"github\"\nsecrets = [{ value = \"\" }]",
            "source[0].secrets[0]: the secret from value [hidden] is empty",
        ),
        (
            "preset = \"github\"\nsecrets = [{ value = \"x\" }]\npath_token = { value = \"a/b\" }",
            "source[0].path_token: the secret from value [hidden] cannot be used: a path's token is made of letters",
        ),
        (
            "preset = \"hmac-sha256\"\nsecrets = [{ value = \"x\" }]\nverify.content = \"{bodi}\"",
            "source[0].verify.content: unknown placeholder",
        ),
    ] {
        let told = Folder::with(&with_source(keys)).problems(&[]);
        assert_eq!(told.len(), 1, "{keys}: {told:#?}");
        assert!(told[0].contains(expected), "{keys}: {told:#?}");
    }
    let good = "preset = \"hubspot-v3\"\nsecrets = [{ value = \"x\" }]";
    let good = format!(
        "[server]\npublic_url = \"https://a.example/\"\n{}",
        with_source(good)
    );
    assert_eq!(Folder::with(&good).problems(&[]), [""; 0]);
}

#[test]
fn what_is_open_is_warned_of_at_start() {
    for (keys, expected) in [
        (
            "verify.algorithm = \"none\"\nverify.i_know_this_is_unsigned = true",
            "source[0].verify.algorithm: nothing is verified",
        ),
        (
            "verify.algorithm = \"none\"\npath_token = { value = \"0123456789abcdef\" }",
            "source[0].verify.algorithm: nothing is signed",
        ),
        (
            "preset = \"github\"\nsecrets = [{ value = \"x\" }]\nverify.timestamp = \"header:x-time\"",
            "source[0].verify.timestamp: it is not in `content`",
        ),
    ] {
        let loaded = Folder::with(&with_source(keys)).load(&[]).unwrap();
        let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{keys}: {told:#?}");
        assert!(told[0].contains(expected), "{keys}: {told:#?}");
    }
}

/// The longest published schedule of retries is 76 h, and most senders sign no timestamp.
#[test]
fn duplicates_are_remembered_far_longer_than_anybody_retries_and_than_rows_are_kept() {
    let store = Folder::with(LEAST).load(&[]).unwrap().config.store;
    assert!(store.remember > 10 * std::time::Duration::from_hours(76));
    assert!(store.remember > 10 * store.retention);
}

fn with_source(keys: &str) -> String {
    let (platform, source) = LEAST.split_once("[[source]]").unwrap();
    let (_, fields) = source.split_once("[source.fields]").unwrap();
    format!("{platform}[[source]]\nname = \"generic\"\n{keys}\n[source.fields]{fields}")
}
