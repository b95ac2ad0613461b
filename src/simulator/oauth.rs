//! `POST /oauth/token`: the JWT bearer grant, with the errors of RFC 6749 section 5.2.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use super::answer::Answer;
use super::record::Operation;
use super::tokens::JtiRefused;
use super::visit::{Asked, Done, Endpoint, Glance};
use super::world::{World, lock};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
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
    if grant != GRANT {
        let text = format!("grant_type must be {GRANT}");
        return Err(refuse(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            &text,
        ));
    }
    let assertion = field(&asked.body, "assertion").map_err(|text| invalid(&text))?;

    let unauthorized = |text: &str| refuse(StatusCode::UNAUTHORIZED, "invalid_client", text);
    let now = world.now();
    let accepted = world
        .judge
        .judge(&assertion, now)
        .map_err(|refused| unauthorized(&refused.to_string()))?;
    let mut tokens = lock(&world.tokens);
    tokens
        .use_jti(&accepted.jti, accepted.exp, now.as_secs())
        .map_err(|refused| match refused {
            JtiRefused::Used => unauthorized("jti was used before"),
            JtiRefused::Full => refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "too many assertions that have not expired",
            ),
        })?;
    let issued = tokens.issue(Instant::now());
    drop(tokens);
    let body = TokenBody {
        access_token: issued.token,
        expires_in: issued.lifetime.as_secs(),
        token_type: "bearer",
        scope: world
            .settings
            .announce_scope
            .then(|| issued.scopes.join(" ")),
    };
    let no_store = HeaderValue::from_static("no-store");
    Ok(Answer::json(StatusCode::OK, &body).with(CACHE_CONTROL, no_store))
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
