//! Access tokens: issued, expiring, revoked. And the `jti`s that were used, each good for one token.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Settings;
use super::world::later;

/// Tokens alive at a time; the one that would expire first makes place.
const MAX_TOKENS: usize = 10_000;
/// `jti`s remembered until their JWT expires.
const MAX_JTIS: usize = 100_000;

/// The scopes that a token carries.
pub(super) type Scopes = Arc<[String]>;

#[derive(Debug)]
pub(super) struct Tokens {
    alive: HashMap<String, Token>,
    /// With the `exp` of their JWT, in seconds.
    used: HashMap<String, i64>,
    pub(super) lifetime: Duration,
    pub(super) scopes: Scopes,
    issued: u64,
}

#[derive(Debug)]
struct Token {
    expires: Instant,
    rights: Rights,
}

/// How a token was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    JwtBearer,
    ClientCredentials,
}

/// What a token was issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) scopes: Scopes,
    pub(super) grant: Grant,
}

/// A token just made.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: String,
    pub(super) lifetime: Duration,
    pub(super) scopes: Scopes,
}

/// Why a `jti` is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JtiRefused {
    Used,
    Full,
}

/// What a bearer token is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Worth {
    Good(Rights),
    Expired,
    Unknown,
}

impl Tokens {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            alive: HashMap::new(),
            used: HashMap::new(),
            lifetime: settings.token_lifetime.0,
            scopes: Scopes::from(settings.scopes.clone()),
            issued: 0,
        }
    }

    pub(super) fn issued(&self) -> u64 {
        self.issued
    }

    pub(super) fn alive(&self, now: Instant) -> usize {
        self.alive
            .values()
            .filter(|token| token.expires > now)
            .count()
    }

    /// Takes note of a JWT's id; `exp` and `now` in seconds of wall time.
    pub(super) fn use_jti(&mut self, jti: &str, exp: i64, now: i64) -> Result<(), JtiRefused> {
        if self.used.contains_key(jti) {
            return Err(JtiRefused::Used);
        }
        if self.used.len() >= MAX_JTIS {
            self.used.retain(|_, exp| *exp > now);
        }
        if self.used.len() >= MAX_JTIS {
            return Err(JtiRefused::Full);
        }
        self.used.insert(jti.to_owned(), exp);
        Ok(())
    }

    pub(super) fn issue(&mut self, grant: Grant, now: Instant) -> Issued {
        if self.alive.len() >= MAX_TOKENS {
            self.make_place(now);
        }
        let token = format!("sim-{}", hex::encode(rand::random::<[u8; 32]>()));
        self.alive.insert(
            token.clone(),
            Token {
                expires: later(now, self.lifetime),
                rights: Rights {
                    scopes: Arc::clone(&self.scopes),
                    grant,
                },
            },
        );
        self.issued += 1;
        Issued {
            token,
            lifetime: self.lifetime,
            scopes: Arc::clone(&self.scopes),
        }
    }

    pub(super) fn worth(&self, token: &str, now: Instant) -> Worth {
        match self.alive.get(token) {
            Some(token) if token.expires > now => Worth::Good(token.rights.clone()),
            Some(_) => Worth::Expired,
            None => Worth::Unknown,
        }
    }

    /// No token issued until now is accepted any more; answers how many there were.
    pub(super) fn revoke_all(&mut self) -> usize {
        let revoked = self.alive.len();
        self.alive.clear();
        revoked
    }

    fn make_place(&mut self, now: Instant) {
        self.alive.retain(|_, token| token.expires > now);
        let first = self.alive.iter().min_by_key(|(_, token)| token.expires);
        if let Some(name) = first.map(|(name, _)| name.clone())
            && self.alive.len() >= MAX_TOKENS
        {
            self.alive.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_worth_something_until_it_expires() {
        let mut tokens = Tokens::new(&Settings::default());
        tokens.lifetime = Duration::from_secs(10);
        let now = Instant::now();
        let token = tokens.issue(Grant::JwtBearer, now).token;
        let after = |seconds| tokens.worth(&token, now + Duration::from_secs(seconds));
        let rights = Rights {
            scopes: Arc::clone(&tokens.scopes),
            grant: Grant::JwtBearer,
        };
        assert_eq!(after(9), Worth::Good(rights));
        assert_eq!(after(10), Worth::Expired);
        assert_eq!(tokens.worth("sim-0", now), Worth::Unknown);
    }

    #[test]
    fn a_revoked_token_is_unknown() {
        let mut tokens = Tokens::new(&Settings::default());
        let now = Instant::now();
        let token = tokens.issue(Grant::JwtBearer, now).token;
        assert_eq!(tokens.revoke_all(), 1);
        assert_eq!(tokens.worth(&token, now), Worth::Unknown);
    }

    #[test]
    fn there_is_an_end_to_tokens_and_jtis() {
        let mut tokens = Tokens::new(&Settings::default());
        let now = Instant::now();
        for _ in 0..=MAX_TOKENS {
            tokens.issue(Grant::ClientCredentials, now);
        }
        assert_eq!(tokens.alive(now), MAX_TOKENS);
        for n in 0..MAX_JTIS {
            tokens.use_jti(&n.to_string(), 100, 0).unwrap();
        }
        assert_eq!(tokens.use_jti("one more", 100, 0), Err(JtiRefused::Full));
        assert_eq!(tokens.use_jti("1", 100, 0), Err(JtiRefused::Used));
        assert_eq!(tokens.use_jti("one more", 300, 200), Ok(()));
    }
}
