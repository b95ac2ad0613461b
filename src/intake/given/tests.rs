//! Secrets, path tokens and forms that could not be what they should.

use super::super::tests::{source, source_with};
use super::*;

#[track_caller]
fn refused(toml: &str, secrets: &[&str], expected: &[&str]) {
    let problems = source(toml, secrets).unwrap_err();
    assert_eq!(problems.len(), expected.len(), "{toml}: {problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{toml}: {problem}");
    }
}

#[test]
fn secrets_are_given_where_something_is_proved_by_them_and_only_there() {
    refused("preset = 'typeform'", &[], &["secrets: give at least one"]);
    let none = "verify.algorithm = 'none'\nverify.i_know_this_is_unsigned = true";
    assert!(source(none, &[]).is_ok());
    let named = format!("secrets = [{{ env = 'X' }}]\n{none}");
    refused(
        &named,
        &["x"],
        &["secrets: with algorithm = \"none\" nobody looks"],
    );
}

#[test]
fn a_secret_that_can_be_no_key_is_refused() {
    for (toml, secret, expected) in [
        (
            "preset = 'svix'",
            "whsec_",
            "secrets[0]: nothing is left of it",
        ),
        (
            "preset = 'svix'",
            "no base64!",
            "secrets[0]: it is not base64",
        ),
        (
            "preset = 'standard-webhooks-v1a'",
            "whpk_c2hvcnQ=",
            "secrets[0]: a public key of ed25519 has 32 bytes, this has 5",
        ),
        (
            "preset = 'standard-webhooks-v1a'",
            "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "secrets[0]: this ed25519 key is a weak one",
        ),
        (
            "preset = 'token'",
            " t",
            "secrets[0]: a token begins and ends with no blank",
        ),
        (
            "preset = 'token'\nverify.signature = 'basic'",
            "password",
            "secrets[0]: for `basic` it is `user:password`",
        ),
    ] {
        refused(toml, &[secret], &[expected]);
    }
    // What is not there yet needs no form.
    let given = Given::from(vec![Secret::stand_in()]);
    assert!(source_with("preset = 'standard-webhooks-v1a'", given).is_ok());
}

#[test]
fn a_paths_token_is_one_that_arrives_as_it_is_written() {
    let with = |token: &str| Given {
        path_token: Some(Secret::fixed(token.as_bytes())),
        ..Given::from(vec![Secret::fixed(b"s")])
    };
    let github = "preset = 'github'";
    let good = source_with(github, with("0123-abc.DEF_~xyz")).unwrap();
    assert_eq!(good.warnings(), Vec::<String>::new());
    assert!(good.has_path_token());
    let short = source_with(github, with("0123456789abcde")).unwrap();
    assert!(short.warnings()[0].starts_with("path_token: shorter than 16 characters"));
    for bad in ["a/b", "a b", "a%20b", "ä", "a?b", "..", "."] {
        let problems = source_with(github, with(bad)).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("path_token: "), "{problems:?}");
    }
}

#[test]
fn what_is_read_of_a_form_is_signed() {
    let toml = |body: &str, content: &str| {
        format!(
            "body = '{body}'\nverify.algorithm = 'hmac-sha256'\nverify.signature = 'form:sig'\n\
             verify.encoding = 'hex'\nverify.content = '{content}'"
        )
    };
    assert!(source(&toml("form:MSG", "{form:MSG}"), &["s"]).is_ok());
    assert!(source(&toml("form", "{form:interactionId}"), &["s"]).is_ok());
    for (body, content, expected) in [
        (
            "form:MSG",
            "{form:OTHER}",
            "verify.content: the survey is read from a field",
        ),
        (
            "form",
            "{form:OTHER}",
            "verify.content: interaction_id is read from a field",
        ),
        (
            "form:MSG",
            "{body}",
            "verify.content: the signature would have to be made over itself",
        ),
        (
            "json",
            "{form:MSG}",
            "verify.signature: `form:` needs a body that is a form",
        ),
    ] {
        refused(&toml(body, content), &["s"], &[expected]);
    }
    // A signature in a header may cover the whole of a form.
    let whole = toml("form", "{body}").replace("form:sig", "header:sig");
    assert!(source(&whole, &["s"]).is_ok());
    let by_id = toml("form", "{form:interactionId}") + "\nverify.id = 'path:$.answer'";
    refused(
        &by_id,
        &["s"],
        &["verify.content: verify.id is read from a field"],
    );
    // Of a form of several surveys it is where they stand that counts.
    let items = toml("form", "{form:rows}") + "\nitems = '$.rows[*]'";
    assert!(source(&items, &["s"]).is_ok());
    let elsewhere = toml("form", "{form:rows}") + "\nitems = '$.other[*]'";
    refused(
        &elsewhere,
        &["s"],
        &["verify.content: items is read from a field"],
    );
}
