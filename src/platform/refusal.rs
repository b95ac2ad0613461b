//! A refusal, made fit for a log, a story and a screen: what the platform says, what support would ask for, and for
//! what a person has to mend, where that is done. Pure.
//!
//! Only the fields that explain are taken; the rest of a body is nobody's business here. A text that repeats the
//! token is never shown.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::Failure;

/// Longer texts are cut: this is an explanation in one line, not a document.
const MAX_CHARS: usize = 300;
const FIELDS: [&str; 4] = ["message", "error_description", "code", "error"];
/// Longer ones are not ids.
const MAX_ID: usize = 100;
const CORRELATION: &str = "ININ-Correlation-Id";

/// Which API answers: the words of its errors are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Interactions,
    Conversations,
}

/// What each operation needs, for a platform that says only that something is missing.
const NEEDS: [(&str, &str); 4] = [
    ("codes", "routing:wrapupCode:view"),
    ("conversation", "conversation:communication:view"),
    ("confirm", "conversation:communication:view"),
    ("assign", "conversation:participant:wrapup"),
];

/// DESIGN's verdict table, as far as a status goes. Not for 2xx and 429.
pub(super) fn judge(
    dialect: Dialect,
    operation: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut said = explanation(&body, secret);
    if said.is_empty() {
        "the platform gave no reason".clone_into(&mut said);
    }
    let ids = ids(headers, &body, secret);
    if dialect == Dialect::Conversations
        && let Some(what) = barred(operation, status, &body)
    {
        return Failure::Barred {
            status: status.as_u16(),
            detail: format!("{what}; the platform says: {said}{ids}"),
        };
    }
    failure(status.as_u16(), said + &ids)
}

fn failure(status: u16, detail: String) -> Failure {
    let unavailable = |detail: &str| Failure::Unavailable {
        status: Some(status),
        detail: format!("{status}: {detail}"),
    };
    match status {
        401 => Failure::Unauthorized { detail },
        403 => Failure::Forbidden { detail },
        404 => Failure::NotFound { detail },
        408 | 425 => unavailable(&detail),
        400..500 => Failure::Refused { status, detail },
        // 3xx is not followed: whatever is meant by it, nothing was done.
        _ => unavailable(&detail),
    }
}

/// What this client may not do at all, and where that is changed.
fn barred(operation: &str, status: StatusCode, body: &Value) -> Option<String> {
    let code = body.get("code").and_then(Value::as_str)?;
    match (status.as_u16(), code) {
        (403, "missing.permissions" | "missing.any.permissions") => {
            let mut names = permissions(body);
            if names.is_empty() {
                let needed = NEEDS.iter().filter(|(what, _)| *what == operation);
                names = needed.map(|(_, name)| (*name).to_owned()).collect();
            }
            let joint = if code == "missing.any.permissions" { " or " } else { " and " };
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let what = if names.is_empty() {
                "a permission that the platform does not name".to_owned()
            } else {
                format!("the permission {}", names.join(joint))
            };
            Some(format!(
                "this OAuth client lacks {what}: give it a role that holds it, for the division of these \
                 conversations, in the platform's administration (Integrations, OAuth, the client's tab Roles)"
            ))
        }
        (400, "not.a.user") => Some(
            "the organisation does not let an application wrap up for an agent (`not.a.user`): ask the platform's \
             support to allow it for this OAuth client, or set another `platform.auth.grant`, one that stands for a user"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Names of permissions, `domain:entity:action`, wherever the body puts them.
fn permissions(body: &Value) -> Vec<String> {
    let mut texts: Vec<&str> = Vec::new();
    if let Some(Value::Object(params)) = body.get("messageParams") {
        texts.extend(params.values().filter_map(Value::as_str));
    }
    texts.extend(body.get("message").and_then(Value::as_str));
    let mut names: Vec<String> = Vec::new();
    let words = texts.iter().flat_map(|text| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '*' | '_' | '-')))
    });
    for word in words {
        let parts: Vec<_> = word.split(':').collect();
        let is_one = parts.len() == 3 && parts.iter().all(|part| !part.is_empty());
        if is_one && word.len() <= MAX_ID && !names.iter().any(|name| name == word) {
            names.push(word.to_owned());
        }
    }
    names
}

/// ` [ININ-Correlation-Id ..., contextId ...]`, as far as there are any.
pub(super) fn ids(headers: &HeaderMap, body: &Value, secret: &str) -> String {
    let context = body.get("contextId").and_then(Value::as_str);
    let found = [
        (CORRELATION, correlation(headers)),
        ("contextId", context.filter(|text| is_id(text))),
    ];
    let mut told: Vec<String> = Vec::new();
    for (name, id) in found {
        if let Some(id) = id.filter(|id| secret.is_empty() || !id.contains(secret)) {
            told.push(format!("{name} {id}"));
        }
    }
    if told.is_empty() {
        String::new()
    } else {
        format!(" [{}]", told.join(", "))
    }
}

/// The id that the platform gave the call, to be quoted to its support.
pub(super) fn correlation(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(CORRELATION)
        .and_then(|id| id.to_str().ok())
        .filter(|text| is_id(text))
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `message (code)`, on one line; empty where the body explains nothing. A text that repeats `secret` is hidden.
pub(super) fn explanation(body: &Value, secret: &str) -> String {
    let mut parts = FIELDS
        .iter()
        .filter_map(|field| body.get(*field)?.as_str())
        .map(one_line)
        .filter(|text| !text.is_empty());
    let Some(first) = parts.next() else {
        return String::new();
    };
    let rest: Vec<String> = parts.filter(|part| *part != first).collect();
    let text = if rest.is_empty() {
        first
    } else {
        format!("{first} ({})", rest.join(", "))
    };
    if !secret.is_empty() && text.contains(secret) {
        return "[the platform's text repeats a secret]".to_owned();
    }
    text.chars().take(MAX_CHARS).collect()
}

fn one_line(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let body = serde_json::from_str(body).unwrap_or_default();
        assert_eq!(explanation(&body, "s3cret"), expected);
    }

    #[test]
    fn only_what_explains_is_taken() {
        check(
            r#"{"message":"no such code","code":"bad.request","who":"x"}"#,
            "no such code (bad.request)",
        );
        check(
            r#"{"error":"invalid_client","error_description":"bad key"}"#,
            "bad key (invalid_client)",
        );
        check(r#"{"message":{"a":1},"code":17}"#, "");
        check("<html>oops</html>", "");
        check("", "");
    }

    #[test]
    fn it_is_one_short_line_without_secrets() {
        check("{\"message\":\"a\\n\\u001b[31mb\\u0000\"}", "a[31mb");
        check(
            r#"{"message":"token s3cret is bad"}"#,
            "[the platform's text repeats a secret]",
        );
        let long = format!(r#"{{"message":"{}"}}"#, "ü".repeat(1000));
        let long = serde_json::from_str(&long).unwrap();
        assert_eq!(explanation(&long, "").chars().count(), 300);
    }

    fn judged(dialect: Dialect, operation: &str, status: u16, body: &str) -> Failure {
        let mut headers = HeaderMap::new();
        headers.insert("inin-correlation-id", "c-77".parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        judge(
            dialect,
            operation,
            status,
            &headers,
            body.as_bytes(),
            "s3cret",
        )
    }

    #[test]
    fn a_status_becomes_the_failure_of_the_verdict_table() {
        let refusal = |status| judged(Dialect::Interactions, "x", status, r#"{"message":"why"}"#);
        for status in [300, 302, 304, 408, 425, 500, 502, 503, 504, 599] {
            assert!(
                matches!(refusal(status), Failure::Unavailable { status: s, .. } if s == Some(status)),
                "{status}"
            );
        }
        for status in [400, 402, 405, 409, 410, 413, 422, 451, 499] {
            assert!(
                matches!(refusal(status), Failure::Refused { status: s, detail } if s == status && detail.starts_with("why"))
            );
        }
        assert!(matches!(refusal(401), Failure::Unauthorized { .. }));
        assert!(matches!(refusal(403), Failure::Forbidden { .. }));
        assert!(matches!(refusal(404), Failure::NotFound { .. }));
    }

    #[test]
    fn a_missing_permission_is_named_with_the_place_where_it_is_granted() {
        let named = r#"{"code":"missing.any.permissions","message":"You must have at least one of [a:b:view]","messageParams":{"permissions":"conversation:participant:wrapup, a:b:view"}}"#;
        let unnamed = r#"{"code":"missing.permissions","message":"no"}"#;
        for (operation, body, part) in [
            (
                "assign",
                named,
                "permission `conversation:participant:wrapup` or `a:b:view`",
            ),
            (
                "assign",
                unnamed,
                "permission `conversation:participant:wrapup`",
            ),
            ("codes", unnamed, "permission `routing:wrapupCode:view`"),
            ("queue_codes", unnamed, "that the platform does not name"),
        ] {
            let Failure::Barred {
                status: 403,
                detail,
            } = judged(Dialect::Conversations, operation, 403, body)
            else {
                panic!("{operation}")
            };
            assert!(
                detail.contains(part) && detail.contains("OAuth"),
                "{detail}"
            );
        }
        let elsewhere = judged(Dialect::Interactions, "assign", 403, unnamed);
        assert!(matches!(elsewhere, Failure::Forbidden { .. }));
        let another = judged(
            Dialect::Conversations,
            "assign",
            403,
            r#"{"code":"not.authorized"}"#,
        );
        assert!(matches!(another, Failure::Forbidden { .. }));
    }

    #[test]
    fn an_organisation_that_lets_no_application_wrap_up_is_explained() {
        let told = judged(
            Dialect::Conversations,
            "assign",
            400,
            r#"{"code":"not.a.user"}"#,
        );
        let Failure::Barred {
            status: 400,
            detail,
        } = told
        else {
            panic!("{told:?}")
        };
        assert!(
            detail.contains("does not let an application wrap up"),
            "{detail}"
        );
    }

    #[test]
    fn what_support_asks_for_is_kept() {
        let body = r#"{"message":"m","code":"bad.request","contextId":"ctx-5"}"#;
        let told = judged(Dialect::Conversations, "assign", 400, body).to_string();
        assert!(
            told.ends_with("m (bad.request) [ININ-Correlation-Id c-77, contextId ctx-5]"),
            "{told}"
        );
        let odd = r#"{"message":"m","contextId":"with s3cret"}"#;
        let told = judged(Dialect::Conversations, "assign", 503, odd).to_string();
        assert!(told.ends_with("[ININ-Correlation-Id c-77]"), "{told}");
    }
}
