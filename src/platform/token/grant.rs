//! What the token endpoint answers, and what its refusals mean for the person who has to mend them. Pure.

use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use crate::platform::Grant;

/// Where `expires_in` is missing or makes no sense.
const DEFAULT_LIFE: Duration = Duration::from_mins(5);
/// Longer lives are not believed: the platform's own limit is 48 h.
const LONGEST_LIFE: Duration = Duration::from_hours(48);
/// What each call needs, and what for.
const SCOPES: [(&str, &str); 2] = [
    ("interaction:write", "to set wrap-up codes"),
    ("interaction:view", "to read codes and interactions"),
];

/// A granted token.
pub(super) struct Granted {
    /// `Bearer ...`, marked sensitive.
    pub(super) header: HeaderValue,
    pub(super) lives: Duration,
    pub(super) scope: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    access_token: String,
    expires_in: Option<Value>,
    scope: Option<String>,
}

pub(super) fn read(body: &[u8]) -> Result<Granted, &'static str> {
    // The parser's own message would quote the answer.
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return Err("the answer is not the documented JSON with an `access_token`");
    };
    if body.access_token.is_empty() {
        return Err("the answer's `access_token` is empty");
    }
    let Ok(mut header) = HeaderValue::try_from(format!("Bearer {}", body.access_token)) else {
        return Err("the answer's `access_token` holds characters that no header can");
    };
    header.set_sensitive(true);
    Ok(Granted {
        header,
        lives: life(body.expires_in.as_ref()),
        scope: body.scope,
    })
}

fn life(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    seconds
        .filter(|seconds| *seconds >= 1.0)
        .map_or(DEFAULT_LIFE, |seconds| {
            Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFE)
        })
        .min(LONGEST_LIFE)
}

/// A scope that is not given is taken as granted (RFC 6749, 5.1); one that is given must hold what the calls need.
pub(super) fn check_scope(scope: Option<&str>) -> Result<(), String> {
    let granted: Vec<&str> = scope
        .unwrap_or_default()
        .split([' ', ','])
        .filter(|name| !name.is_empty())
        .collect();
    if granted.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = SCOPES
        .iter()
        .filter(|(name, _)| !granted.contains(name))
        .map(|(name, what_for)| format!("`{name}` ({what_for})"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the token lacks the scope {}: grant it to this OAuth client in the platform's administration, \
         under Integrations, OAuth; it is tried again by itself",
        missing.join(" and ")
    ))
}

/// Why the endpoint may have said no, with what can be checked.
pub(super) fn refusal(grant: &Grant, status: u16, said: &str, skew_ms: Option<i64>) -> String {
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(" ({said})")
    };
    let why = match grant {
        Grant::JwtBearer { .. } => {
            let clock = skew_ms.map_or_else(
                || "this machine's clock is off".to_owned(),
                |skew| format!("the clock is off: {}", skew_text(skew)),
            );
            format!(
                "the private key does not belong to the public key that is uploaded for this client, the client is \
                 unknown or disabled, the token URL (platform.login_url) is not the one the platform expects as \
                 `aud`, or {clock}"
            )
        }
        Grant::ClientCredentials { .. } => "client_id and client_secret do not belong together, the client is unknown \
            or disabled or has another grant type, or its organisation is in another region than the token URL \
            (platform.environment, platform.login_url)"
            .to_owned(),
    };
    format!("the token endpoint answered {status}{said}: {why}")
}

/// `skew_ms` above zero: this machine is ahead.
pub(super) fn skew_text(skew_ms: i64) -> String {
    let direction = if skew_ms > 0 { "ahead of" } else { "behind" };
    let seconds = skew_ms.unsigned_abs() / 1000;
    format!("this machine's clock is {seconds} s {direction} the platform's")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_grant_is_read_with_or_without_a_life() {
        for (expires_in, seconds) in [
            (r#","expires_in":3600"#, 3600),
            (r#","expires_in":"3600""#, 3600),
            (r#","expires_in":1e300"#, 172_800),
            (r#","expires_in":0"#, 300),
            (r#","expires_in":-1"#, 300),
            (r#","expires_in":null"#, 300),
            ("", 300),
        ] {
            let body = format!(r#"{{"access_token":"t"{expires_in}}}"#);
            let granted = read(body.as_bytes()).ok().unwrap();
            assert_eq!(granted.lives.as_secs(), seconds, "{expires_in}");
            assert!(granted.header.is_sensitive());
        }
    }

    #[test]
    fn what_is_no_grant_is_told_without_quoting_it() {
        for body in [
            "",
            "canary",
            r#"{"access_token":["canary"]}"#,
            r#"{"access_token":""}"#,
            "{\"access_token\":\"canary\\n\"}",
        ] {
            let why = read(body.as_bytes()).err().unwrap();
            assert!(!why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn a_scope_that_is_given_must_hold_both() {
        assert!(check_scope(None).is_ok());
        assert!(check_scope(Some("")).is_ok());
        assert!(check_scope(Some("interaction:view interaction:write")).is_ok());
        let text = check_scope(Some("interaction:view")).unwrap_err();
        assert!(text.contains("`interaction:write`") && !text.contains("interaction:view"));
        assert!(check_scope(Some("interaction:write:own")).is_err());
    }

    #[test]
    fn a_refusal_says_by_how_much_the_clock_is_off() {
        let grant = Grant::JwtBearer {
            private_key: Secret::fixed(b""),
        };
        let text = refusal(&grant, 401, "bad", Some(-95_000));
        assert!(text.contains("95 s behind"), "{text}");
        assert!(text.contains("401 (bad)"), "{text}");
        assert!(refusal(&grant, 401, "", None).contains("clock is off"));
    }

    #[test]
    fn a_refused_secret_is_not_blamed_on_a_key() {
        let grant = Grant::ClientCredentials {
            client_secret: Secret::fixed(b""),
        };
        let text = refusal(&grant, 401, "bad", Some(-95_000));
        assert!(
            text.contains("client_secret") && text.contains("region"),
            "{text}"
        );
        assert!(!text.contains("private key"), "{text}");
    }
}
