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
