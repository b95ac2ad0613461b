//! The presets against the table that they were written from, key by key.

use super::*;
use crate::intake::config::{Encoding, Prefixes, SecretEncoding, TimestampFormat};
use crate::intake::payload;
use crate::intake::scheme::{Around, Scheme};
use crate::units::Span;

/// Name; algorithm; signature; separator; prefix; encoding; content; timestamp and its format; id. `-`: none.
/// What a key is made of stands in [`KEYS`], what a sender expects of an answer in [`ANSWERS`].
const TABLE: [&str; 25] = [
    "hmac-sha256            | hmac-sha256   | header:x-signature                | -     | sha256=, | hex    | {body}                       | -                                              | header:x-delivery-id",
    "standard-webhooks      | hmac-sha256   | header:webhook-signature          | space | v1,      | base64 | {id}.{timestamp}.{body}      | header:webhook-timestamp unix                  | header:webhook-id",
    "formbricks             | hmac-sha256   | header:webhook-signature          | space | v1,      | base64 | {id}.{timestamp}.{body}      | header:webhook-timestamp unix                  | header:webhook-id",
    "standard-webhooks-v1a  | ed25519       | header:webhook-signature          | space | v1a,     | base64 | {id}.{timestamp}.{body}      | header:webhook-timestamp unix                  | header:webhook-id",
    "svix                   | hmac-sha256   | header:svix-signature             | space | v1,      | base64 | {id}.{timestamp}.{body}      | header:svix-timestamp unix                     | header:svix-id",
    "typeform               | hmac-sha256   | header:typeform-signature         | -     | sha256=  | base64 | {body}                       | -                                              | path:$.event_id",
    "surveymonkey           | hmac-sha1     | header:sm-signature               | -     | -        | base64 | {body}                       | -                                              | path:$.event_id",
    "qualtrics              | hmac-sha512   | form:HMAC                         | -     | -        | hex    | {form:MSG}                   | -                                              | hash",
    "qualtrics-social       | hmac-sha256   | header:x-signature                | -     | -        | base64 | {body}                       | -                                              | hash",
    "delighted              | hmac-sha256   | header:x-delighted-webhook-signature | -  | sha256=  | hex    | {body}                       | -                                              | path:$.event_id",
    "tally                  | hmac-sha256   | header:tally-signature            | -     | -        | base64 | {body}                       | -                                              | path:$.eventId",
    "wootric                | hmac-sha1     | header:x-wootric-signature        | -     | sha1=    | hex    | {body}                       | -                                              | hash",
    "intercom               | hmac-sha1     | header:x-hub-signature            | -     | sha1=    | hex    | {body}                       | -                                              | path:$.id",
    "zendesk                | hmac-sha256   | header:x-zendesk-webhook-signature | -    | -        | base64 | {timestamp}{body}            | header:x-zendesk-webhook-signature-timestamp rfc3339 | header:x-zendesk-webhook-invocation-id",
    "hubspot-v3             | hmac-sha256   | header:x-hubspot-signature-v3     | -     | -        | base64 | {method}{url}{body}{timestamp} | header:x-hubspot-request-timestamp unix-ms   | hash",
    "hubspot-v2             | digest-sha256 | header:x-hubspot-signature        | -     | -        | hex    | {secret}{method}{url}{body}  | -                                              | hash",
    "hubspot-v1             | digest-sha256 | header:x-hubspot-signature        | -     | -        | hex    | {secret}{body}               | -                                              | hash",
    "survicate              | hmac-sha256   | header:hmac                       | -     | -        | hex    | {body}                       | -                                              | path:$.messageId",
    "smartsurvey            | hmac-sha256   | header:x-smartsurvey-signature    | -     | -        | hex    | {body}                       | -                                              | hash",
    "surveysparrow          | digest-sha384 | header:x-appnest-signature        | -     | -        | hex    | {secret}{body}               | -                                              | header:traceid",
    "genesys-open-messaging | hmac-sha256   | header:x-hub-signature-256        | -     | sha256=  | base64 | {body}                       | -                                              | path:$.id",
    "github                 | hmac-sha256   | header:x-hub-signature-256        | -     | sha256=  | hex    | {body}                       | -                                              | header:x-github-delivery",
    "stripe                 | hmac-sha256   | header:stripe-signature           | ,     | v1=      | hex    | {timestamp}.{body}           | item:t= unix                                   | path:$.id",
    "hookdeck               | hmac-sha256   | header:x-hookdeck-signature       | -     | -        | base64 | {body}                       | -                                              | header:x-hookdeck-eventid",
    "token                  | token         | bearer                            | -     | -        | -      | -                            | -                                              | hash",
];

/// Those whose key is not the secret's text: what is cut from it, and how the rest is written.
const KEYS: [(&str, &str, SecretEncoding); 4] = [
    ("standard-webhooks", "whsec_", SecretEncoding::Base64),
    ("formbricks", "whsec_", SecretEncoding::Base64),
    ("standard-webhooks-v1a", "whpk_", SecretEncoding::Base64),
    ("svix", "whsec_", SecretEncoding::Base64),
];

/// Those who expect something of an answer, or send more than one survey as JSON: ack, invalid, handshake, body, items.
const ANSWERS: [&str; 8] = [
    "surveymonkey  | -   | -      | true | -        | -",
    "qualtrics     | -   | -      | true | form:MSG | -",
    "zendesk       | -   | accept | -    | -        | -",
    "hubspot-v3    | -   | accept | -    | -        | $[*]",
    "hubspot-v2    | -   | accept | -    | -        | $[*]",
    "hubspot-v1    | -   | accept | -    | -        | $[*]",
    "smartsurvey   | 200 | accept | -    | -        | $[*]",
    "surveysparrow | -   | accept | -    | -        | -",
];

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn said(cell: &str) -> Option<String> {
    (cell != "-").then(|| cell.replace("space", " "))
}

#[test]
fn each_preset_is_its_row_of_the_table() {
    let names: Vec<_> = TABLE.iter().map(|line| cells(line)[0]).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(all().map(|(name, _)| name).collect::<Vec<_>>(), sorted);
    for line in TABLE {
        let cells = cells(line);
        let &[
            name,
            algorithm,
            signature,
            separator,
            prefix,
            encoding,
            content,
            timestamp,
            id,
        ] = &cells[..]
        else {
            panic!("{line}");
        };
        let preset = find(name).unwrap();
        let verify = &preset.verify;
        assert_eq!(verify.algorithm.as_deref(), Some(algorithm), "{name}");
        assert_eq!(verify.signature.as_deref(), Some(signature), "{name}");
        assert_eq!(verify.separator, said(separator), "{name}");
        let prefixes = said(prefix).map(|prefix| match prefix.as_str() {
            "sha256=," => Prefixes::Many(vec!["sha256=".to_owned(), String::new()]),
            _ => Prefixes::One(prefix),
        });
        assert_eq!(verify.prefix, prefixes, "{name}");
        let encoding = match encoding {
            "hex" => Some(Encoding::Hex),
            "base64" => Some(Encoding::Base64),
            _ => None,
        };
        assert_eq!(verify.encoding, encoding, "{name}");
        assert_eq!(verify.content, said(content), "{name}");
        let (place, format) = timestamp.split_once(' ').unzip();
        assert_eq!(verify.timestamp.as_deref(), place, "{name}");
        let format = format.map(|format| match format {
            "unix" => TimestampFormat::Unix,
            "unix-ms" => TimestampFormat::UnixMs,
            "rfc3339" => TimestampFormat::Rfc3339,
            _ => panic!("{line}"),
        });
        assert_eq!(verify.timestamp_format, format, "{name}");
        let five_minutes = Span(std::time::Duration::from_mins(5));
        assert_eq!(verify.tolerance, place.map(|_| five_minutes), "{name}");
        assert_eq!(verify.id.as_deref(), Some(id), "{name}");
        let key = KEYS.iter().find(|(of, ..)| *of == name);
        let (cut, rest) = key.map(|(_, cut, rest)| (*cut, *rest)).unzip();
        assert_eq!(verify.secret_prefix.as_deref(), cut, "{name}");
        assert_eq!(verify.secret_encoding, rest, "{name}");
        assert!(!verify.i_know_this_is_unsigned, "{name}");
        assert!(
            !preset.sender.is_empty() && !preset.secret.is_empty(),
            "{name}"
        );
    }
}

#[test]
fn each_preset_answers_as_its_sender_expects() {
    for (name, preset) in all() {
        let row = ANSWERS.iter().map(|line| cells(line));
        let row = row.clone().find(|cells| cells[0] == name);
        let row = row.unwrap_or_else(|| vec![name, "-", "-", "-", "-", "-"]);
        let &[_, ack, invalid, handshake, body, items] = &row[..] else {
            panic!("{row:?}");
        };
        assert_eq!(preset.ack.map(|ack| ack.to_string()), said(ack), "{name}");
        let accepts = (invalid == "accept").then_some(Invalid::Accept);
        assert_eq!(preset.invalid, accepts, "{name}");
        let asks = (handshake == "true").then_some(true);
        assert_eq!(preset.handshake, asks, "{name}");
        assert_eq!(preset.body, said(body), "{name}");
        assert_eq!(preset.items, said(items), "{name}");
    }
}

#[test]
fn all_presets_compile_without_a_warning() {
    for (name, preset) in all() {
        let body = preset.body.as_deref().unwrap_or("json");
        let around = Around {
            body: &payload::Kind::parse(body).unwrap(),
            public_url: Some("https://a.example"),
            has_path_token: false,
        };
        let (_, warnings) = Scheme::compile(&preset.verify, &around).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn presets_know_no_other_keys_than_the_configuration() {
    let mut unknown = Vec::new();
    let table = toml::Deserializer::parse(include_str!("../presets.toml")).unwrap();
    let all: BTreeMap<String, Preset> =
        serde_ignored::deserialize(table, |path| unknown.push(path.to_string())).unwrap();
    assert_eq!(all.len(), PRESETS.len());
    assert_eq!(unknown, Vec::<String>::new());
}
