//! How a token is asked for: by a signed assertion (JWT bearer grant, RFC 7523, RS256), or with the client's secret
//! (client credentials, RFC 6749, by HTTP Basic).
//!
//! Secrets are read anew for each request, so that a rotated file is taken up without a restart.
//! Invariant: neither key, secret nor assertion is ever logged or in a `Debug`.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::RequestBuilder;
use serde::Serialize;
use uuid::Uuid;

use crate::clock::Clock;
use crate::platform::{Auth, Grant, TokenFailure};
use crate::secret::Secret;

/// How long an assertion is good for.
const ASSERTION_LIVES_SECS: i64 = 600;

const NOT_A_KEY: &str = "platform.auth.private_key cannot sign: it has to be an RSA private key in PEM \
    (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY), not encrypted, of at least 2048 bits";

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// A request for a token, complete, and the text in it that no answer of the endpoint may bring to light.
pub(super) struct Ask {
    pub(super) request: RequestBuilder,
    pub(super) secret: String,
}

pub(super) fn ask(
    http: &reqwest::Client,
    url: &str,
    auth: &Auth,
    clock: &Clock,
) -> Result<Ask, TokenFailure> {
    let client_id = text(&auth.client_id, "client_id")?;
    let request = http.post(url);
    match &auth.grant {
        Grant::JwtBearer { private_key } => {
            let assertion = assertion(&client_id, private_key, url, clock)?;
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", assertion.as_str()),
            ];
            Ok(Ask {
                request: request.form(&form),
                secret: assertion,
            })
        }
        Grant::ClientCredentials { client_secret } => {
            let secret = text(client_secret, "client_secret")?;
            Ok(Ask {
                request: request
                    .basic_auth(client_id, Some(&secret))
                    .form(&[("grant_type", "client_credentials")]),
                secret,
            })
        }
    }
}

fn text(secret: &Secret, key: &str) -> Result<String, TokenFailure> {
    secret
        .expose(|bytes| String::from_utf8(bytes.to_vec()))
        .map_err(|_cause| refused(format!("platform.auth.{key} is not UTF-8 text")))
}

fn assertion(
    client_id: &str,
    private_key: &Secret,
    url: &str,
    clock: &Clock,
) -> Result<String, TokenFailure> {
    let key = private_key
        .expose(EncodingKey::from_rsa_pem)
        .map_err(|_cause| refused(NOT_A_KEY.to_owned()))?;
    let now = clock.now().as_secs();
    let claims = Claims {
        iss: client_id,
        sub: client_id,
        aud: url,
        iat: now,
        exp: now + ASSERTION_LIVES_SECS,
        jti: Uuid::new_v4().to_string(),
    };
    tracing::debug!(
        iss = claims.iss,
        sub = claims.sub,
        aud = claims.aud,
        iat = claims.iat,
        exp = claims.exp,
        jti = claims.jti,
        "asking for a token with these claims"
    );
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key)
        .map_err(|_cause| refused(NOT_A_KEY.to_owned()))
}

fn refused(detail: String) -> TokenFailure {
    TokenFailure::Refused {
        status: None,
        detail,
    }
}

/// Says why a text cannot be the private key; for the check of the secret, at start and at each reload.
pub fn check_key(pem: &[u8]) -> Result<(), String> {
    EncodingKey::from_rsa_pem(pem)
        .and_then(|key| jsonwebtoken::encode(&Header::new(Algorithm::RS256), &(), &key))
        .map(drop)
        .map_err(|_cause| NOT_A_KEY.to_owned())
}
