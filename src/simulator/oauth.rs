//! `POST /oauth/token`: the JWT bearer grant and the client credentials grant, with the errors of RFC 6749 section 5.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use super::answer::Answer;
use super::record::Operation;
use super::settings::Api;
use super::tokens::{Grant, JtiRefused};
use super::visit::{Asked, Done, Endpoint, Glance};
use super::world::{World, lock};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_CREDENTIALS: &str = "client_credentials";
const FORM: &str = "application/x-www-form-urlencoded";

pub(super) const TOKEN: Endpoint = Endpoint {
    operation: Operation::Token,
    glance: |_, _| Glance::default(),
    effect: |world, asked| Done::from(issue(world, asked).unwrap_or_else(|refusal| refusal)),
};

#[derive(Serialize)]
struct TokenBody {
    access_token: String,
    expires_in: u64,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

#[derive(Serialize)]
struct OAuthError<'a> {
    error: &'a str,
    error_description: &'a str,
}

fn refuse(status: StatusCode, error: &str, error_description: &str) -> Answer {
    tracing::info!(
        operation = "token",
        http.status = status.as_u16(),
        error = error_description,
        "refused"
    );
    Answer::json(
        status,
        &OAuthError {
            error,
            error_description,
        },
    )
}

fn issue(world: &World, asked: &Asked) -> Result<Answer, Answer> {
    let invalid = |text: &str| refuse(StatusCode::BAD_REQUEST, "invalid_request", text);
    let kind = asked.head.headers.get(CONTENT_TYPE);
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(FORM) {
        return Err(invalid(
            "Content-Type must be application/x-www-form-urlencoded",
        ));
    }
    let grant = field(&asked.body, "grant_type").map_err(|text| invalid(&text))?;
    let grant = match grant.as_str() {
        JWT_BEARER => {
            let assertion = field(&asked.body, "assertion").map_err(|text| invalid(&text))?;
            judge_assertion(world, &assertion)?;
            Grant::JwtBearer
        }
        CLIENT_CREDENTIALS => {
            judge_secret(world, &asked.head.headers)?;
            Grant::ClientCredentials
        }
        _ => {
            let text = format!("grant_type must be {JWT_BEARER} or {CLIENT_CREDENTIALS}");
            let error = "unsupported_grant_type";
            return Err(refuse(StatusCode::BAD_REQUEST, error, &text));
        }
    };
    let issued = lock(&world.tokens).issue(grant, Instant::now());
    // With the conversations API rights come from the client's roles, and no scope is told.
    let told = world.settings.announce_scope && world.settings.api == Api::Interactions;
    let body = TokenBody {
        access_token: issued.token,
        expires_in: issued.lifetime.as_secs(),
        token_type: "bearer",
        scope: told.then(|| issued.scopes.join(" ")),
    };
    let no_store = HeaderValue::from_static("no-store");
    Ok(Answer::json(StatusCode::OK, &body).with(CACHE_CONTROL, no_store))
}

fn unauthorized(text: &str) -> Answer {
    refuse(StatusCode::UNAUTHORIZED, "invalid_client", text)
}

fn judge_assertion(world: &World, assertion: &str) -> Result<(), Answer> {
    let now = world.now();
    let accepted = world
        .judge
        .judge(assertion, now)
        .map_err(|refused| unauthorized(&refused.to_string()))?;
    lock(&world.tokens)
        .use_jti(&accepted.jti, accepted.exp, now.as_secs())
        .map_err(|refused| match refused {
            JtiRefused::Used => unauthorized("jti was used before"),
            JtiRefused::Full => refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "too many assertions that have not expired",
            ),
        })
}

/// Client id and secret come by HTTP Basic. A client that is not known is a 400, a wrong secret a 401.
fn judge_secret(world: &World, headers: &HeaderMap) -> Result<(), Answer> {
    let basic = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = basic.as_deref().and_then(|basic| basic.split_once(':')) else {
        return Err(unauthorized(
            "client id and client secret are missing (Authorization: Basic)",
        ));
    };
    if id != world.judge.client_id() {
        let text = "client not found";
        return Err(refuse(StatusCode::BAD_REQUEST, "invalid_client", text));
    }
    if secret != world.settings.client_secret {
        return Err(unauthorized("authentication failed"));
    }
    Ok(())
}

/// A field that must be in the form exactly once.
fn field(form: &Bytes, name: &'static str) -> Result<String, String> {
    let mut values = form_urlencoded::parse(form).filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(value.into_owned()),
        (None, _) => Err(format!("{name} is missing")),
        (Some(_), Some(_)) => Err(format!("{name} is given twice")),
    }
}
