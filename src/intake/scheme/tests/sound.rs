//! What could never pass, and what always would.

use super::*;

const UNSIGNED: &str = "algorithm = 'none'";

#[test]
fn nothing_is_proved_only_where_somebody_says_that_he_knows() {
    refused(
        UNSIGNED,
        &["verify.algorithm: anybody who reaches this address could send"],
    );
    let known = "algorithm = 'none'\ni_know_this_is_unsigned = true";
    warned(known, &["verify.algorithm: nothing is verified"]);
    // The path's token alone is a protection, and the warning stays.
    let behind_a_token = Around {
        has_path_token: true,
        ..AROUND
    };
    warned_with(
        UNSIGNED,
        &behind_a_token,
        &["verify.algorithm: nothing is signed"],
    );
    warned(
        "i_know_this_is_unsigned = true",
        &["has no effect but with algorithm"],
    );
    // It needs no other key, not even a place.
    let alone: VerifyConfig = toml::from_str(known).unwrap();
    assert!(Scheme::compile(&alone, &AROUND).is_ok());
    // Nobody can have said it on somebody's behalf.
    let preset: VerifyConfig = toml::from_str(known).unwrap();
    let under = VerifyConfig::default().over(&preset);
    assert!(Scheme::compile(&under, &AROUND).is_err());
}

#[test]
fn a_signature_covers_the_body() {
    let why = "verify.content: has no {body} and no {form:FIELD}";
    for content in [
        "{id}",
        "{timestamp}",
        "{header:x-a}",
        "{method}{url}",
        "static",
        "{secret}",
    ] {
        let toml =
            format!("content = '{content}'\nid = 'header:x-id'\ntimestamp = 'header:x-time'");
        refused(&toml, &[why]);
    }
}

#[test]
fn a_digest_has_the_secret_in_it_and_a_public_key_has_none() {
    for algorithm in ["digest-sha256", "digest-sha384", "digest-sha512"] {
        refused(
            &format!("algorithm = '{algorithm}'"),
            &["verify.content: has no {secret}: without it anybody can compute"],
        );
        warned(
            &format!("algorithm = '{algorithm}'\ncontent = '{{body}}{{secret}}'"),
            &[],
        );
    }
    refused(
        "algorithm = 'ed25519'\ncontent = '{secret}{body}'",
        &["verify.content: has {secret}, and the key of ed25519 is public"],
    );
}

#[test]
fn the_url_is_the_configured_one() {
    let nowhere = Around {
        public_url: None,
        ..AROUND
    };
    let toml = "content = '{url}{body}'";
    refused_with(
        toml,
        &nowhere,
        &["verify.content: {url} is the address as the sender knows it: set `server.public_url`"],
    );
    warned(toml, &[]);
}

#[test]
fn no_signature_is_made_over_itself() {
    let why = "verify.content: the signature would have to be made over itself";
    refused("content = '{body}{header:X-Signature}'", &[why]);
    refused("content = '{body}{id}'\nid = 'header:x-signature'", &[why]);
    let form = Around {
        body: &payload::Kind::FormField("MSG".into()),
        ..AROUND
    };
    refused_with("signature = 'form:SIG'", &form, &[why]);
    refused_with(
        "signature = 'form:SIG'\ncontent = '{form:MSG}{form:SIG}'",
        &form,
        &[why],
    );
    warned_with("signature = 'form:SIG'\ncontent = '{form:MSG}'", &form, &[]);
    refused(
        "timestamp = 'header:x-signature'",
        &["verify.timestamp: that header holds the signature; set `item:PREFIX`"],
    );
}

#[test]
fn a_form_is_looked_into_only_where_there_is_one() {
    let needs = "`form:` needs a body that is a form";
    refused("content = '{body}{form:MSG}'", &[needs]);
    refused("signature = 'form:SIG'", &[needs, "made over itself"]);
    let multipart = Around {
        body: &payload::Kind::MultipartField("MSG".into()),
        ..AROUND
    };
    refused_with("content = '{form:MSG}'", &multipart, &[needs]);
    let form = Around {
        body: &payload::Kind::Form,
        ..AROUND
    };
    refused_with(
        "signature = 'form:SIG'\ncontent = '{form:MSG}'\nover = 'received'",
        &form,
        &["verify.over: a form is read as it was before it was compressed"],
    );
    let another = Around {
        body: &payload::Kind::FormField("OTHER".into()),
        ..AROUND
    };
    refused_with(
        "content = '{form:MSG}'",
        &another,
        &["read from a field of the form that is not in `content`"],
    );
}

#[test]
fn tokens_stand_where_only_tokens_can() {
    for place in ["bearer", "basic", "query:t"] {
        refused(
            &format!("signature = '{place}'"),
            &["verify.signature: only a token can stand there"],
        );
        warned(&format!("algorithm = 'token'\nsignature = '{place}'"), &[]);
    }
    refused(
        "algorithm = 'token'\nseparator = ','\nsecret_encoding = 'hex'",
        &[
            "verify.separator: a token is one item",
            "verify.secret_encoding: a token is compared as it is written",
        ],
    );
    warned(
        "algorithm = 'token'\ncontent = '{timestamp}{body}'\ntimestamp = 'header:x-time'",
        &[
            "verify.content: has no effect",
            "verify.timestamp: nothing is signed, so anybody can change it",
        ],
    );
}

#[test]
fn prefixes_and_separators_are_such_as_can_arrive() {
    for (toml, expected) in [
        ("prefix = ' v1'", "verify.prefix: items are trimmed"),
        ("prefix = 'v1é'", "verify.prefix: it is not visible ASCII"),
        (
            "prefix = 'v1,'\nseparator = ','",
            "verify.prefix: it has the separator in it",
        ),
        (
            "separator = 'a'",
            "verify.separator: it can stand within a signature",
        ),
        (
            "separator = '=='\nencoding = 'base64'",
            "verify.separator: it can stand within a signature",
        ),
        (
            "separator = '·'",
            "verify.separator: it is not visible ASCII",
        ),
    ] {
        refused(toml, &[expected]);
    }
    warned("separator = '='", &[]);
    warned("separator = ', '\nprefix = ['v1=', 'v1 ']", &[]);
}

#[test]
fn a_timestamp_among_the_signatures_can_be_told_from_them() {
    let signed = "content = '{timestamp}{body}'\ntimestamp = 'item:t='";
    warned(&format!("{signed}\nseparator = ','\nprefix = 'v1='"), &[]);
    for (more, expected) in [
        ("", "verify.timestamp: `item:` needs a `separator`"),
        (
            "separator = ','\nprefix = 't='",
            "verify.timestamp: signatures have the same prefix",
        ),
        (
            "separator = 't'",
            "verify.timestamp: it has the separator in it",
        ),
    ] {
        refused(&format!("{signed}\n{more}"), &[expected]);
    }
    refused(
        "timestamp = 'item:'",
        &["verify.timestamp: `item:` is not understood"],
    );
    refused(
        "algorithm = 'token'\ntimestamp = 'item:t='",
        &["verify.timestamp: there are no items where nothing is signed"],
    );
}

#[test]
fn a_broken_content_does_not_hide_a_broken_id() {
    refused(
        "content = '{body}.{nope}'\nid = 'foo:bar'",
        &["verify.content: ", "verify.id: `foo:bar` is not understood"],
    );
}
