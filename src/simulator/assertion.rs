//! Judging the JWT that asks for a token, to the letter. Nothing of it is ever logged.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::clock::UnixMs;

/// The longest life of a JWT. The platform's page says `exp` = now + 10 min.
const MAX_LIFE_SECONDS: i64 = 600;

/// What a JWT must be like.
#[derive(Debug)]
pub(super) struct Judge {
    key: DecodingKey,
    validation: Validation,
    client_id: String,
    token_url: String,
    leeway_seconds: i64,
}

/// What remains to be looked at: whether the id was used before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) jti: String,
    pub(super) exp: i64,
}

/// Why a JWT is refused; the words go to the caller.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "assertion is not a JWT signed with RS256 by the key of this client, with iss, sub, aud, exp, iat and jti"
    )]
    Signature,
    #[error("iss must be the client id")]
    Issuer,
    #[error("sub must be the client id")]
    Subject,
    #[error("aud must be exactly {0}")]
    Audience(String),
    #[error("assertion has expired: exp is {0} s in the past")]
    Expired(i64),
    #[error("iat is {0} s in the future")]
    FromTheFuture(i64),
    #[error("exp must lie after iat, by 600 s at most")]
    Lifetime,
    #[error("jti must not be empty")]
    Jti,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
}

impl Judge {
    pub(super) fn new(
        public_key_pem: &str,
        client_id: String,
        token_url: String,
        leeway: Duration,
    ) -> Result<Self, jsonwebtoken::errors::Error> {
        let key = DecodingKey::from_rsa_pem(public_key_pem.as_bytes())?;
        let mut validation = Validation::new(Algorithm::RS256);
        // Only the signature is left to the library: the claims are judged below, by the simulator's own clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self {
            key,
            validation,
            client_id,
            token_url,
            leeway_seconds: i64::try_from(leeway.as_secs()).unwrap_or(i64::MAX),
        })
    }

    pub(super) fn token_url(&self) -> &str {
        &self.token_url
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(super) fn judge(&self, assertion: &str, now: UnixMs) -> Result<Accepted, Refused> {
        let claims = jsonwebtoken::decode::<Claims>(assertion, &self.key, &self.validation)
            .ok()
            .ok_or(Refused::Signature)?
            .claims;
        let now = now.as_secs();
        if claims.iss != self.client_id {
            return Err(Refused::Issuer);
        }
        if claims.sub != self.client_id {
            return Err(Refused::Subject);
        }
        if claims.aud != self.token_url {
            return Err(Refused::Audience(self.token_url.clone()));
        }
        if claims.exp <= now {
            return Err(Refused::Expired(now.saturating_sub(claims.exp)));
        }
        let ahead = claims.iat.saturating_sub(now);
        if ahead > self.leeway_seconds {
            return Err(Refused::FromTheFuture(ahead));
        }
        let life = claims.exp.saturating_sub(claims.iat);
        if !(1..=MAX_LIFE_SECONDS).contains(&life) {
            return Err(Refused::Lifetime);
        }
        if claims.jti.trim().is_empty() {
            return Err(Refused::Jti);
        }
        Ok(Accepted {
            jti: claims.jti,
            exp: claims.exp,
        })
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;
    use crate::simulator::settings::{DEMO_PRIVATE_KEY, DEMO_PUBLIC_KEY};

    const NOW: i64 = 1_769_851_800;
    const URL: &str = "http://127.0.0.1:9090/oauth/token";

    fn judge(claims: &Value, algorithm: Algorithm) -> Result<Accepted, Refused> {
        let judge = Judge::new(
            DEMO_PUBLIC_KEY,
            "demo-client".to_owned(),
            URL.to_owned(),
            Duration::from_secs(5),
        );
        let key = EncodingKey::from_rsa_pem(DEMO_PRIVATE_KEY.as_bytes()).unwrap();
        let jwt = encode(&Header::new(algorithm), claims, &key).unwrap();
        judge.unwrap().judge(&jwt, UnixMs(NOW * 1000))
    }

    fn check(change: &str, to: Value, expected: &Refused) {
        let mut claims = good();
        claims[change] = to;
        assert_eq!(
            judge(&claims, Algorithm::RS256).as_ref(),
            Err(expected),
            "{change}"
        );
    }

    fn good() -> Value {
        json!({"iss": "demo-client", "sub": "demo-client", "aud": URL, "iat": NOW, "exp": NOW + 600, "jti": "1"})
    }

    #[test]
    fn the_documented_jwt_is_taken_and_a_slightly_early_one_too() {
        assert!(judge(&good(), Algorithm::RS256).is_ok());
        let mut early = good();
        early["iat"] = json!(NOW + 5);
        assert!(judge(&early, Algorithm::RS256).is_ok());
    }

    #[test]
    fn every_claim_is_judged_to_the_letter() {
        check("iss", json!("someone"), &Refused::Issuer);
        check("sub", json!("someone"), &Refused::Subject);
        check(
            "aud",
            json!(format!("{URL}/")),
            &Refused::Audience(URL.to_owned()),
        );
        check("aud", json!([URL]), &Refused::Signature);
        check("exp", json!(NOW), &Refused::Expired(0));
        check("exp", json!(NOW + 601), &Refused::Lifetime);
        check("iat", json!(NOW + 6), &Refused::FromTheFuture(6));
        check("iat", json!(NOW * 1000), &Refused::FromTheFuture(NOW * 999));
        check("jti", json!(" "), &Refused::Jti);
        check("jti", Value::Null, &Refused::Signature);
    }

    #[test]
    fn another_algorithm_or_key_is_refused() {
        assert_eq!(judge(&good(), Algorithm::RS384), Err(Refused::Signature));
        let secret = EncodingKey::from_secret(DEMO_PUBLIC_KEY.as_bytes());
        let forged = encode(&Header::new(Algorithm::HS256), &good(), &secret).unwrap();
        let judge = Judge::new(
            DEMO_PUBLIC_KEY,
            "demo-client".to_owned(),
            URL.to_owned(),
            Duration::ZERO,
        );
        assert_eq!(
            judge.unwrap().judge(&forged, UnixMs(NOW * 1000)),
            Err(Refused::Signature)
        );
    }
}
