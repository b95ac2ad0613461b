//! By what a sender proves itself: the words of `verify.algorithm`.

/// How a message is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hmac(Hash),
    /// A hash of content with the secret in it.
    Digest(Hash),
    Ed25519,
    /// The secret itself is sent.
    Token,
    /// Nothing proves anything.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

const WORDS: [(&str, Algorithm); 10] = [
    ("hmac-sha1", Algorithm::Hmac(Hash::Sha1)),
    ("hmac-sha256", Algorithm::Hmac(Hash::Sha256)),
    ("hmac-sha384", Algorithm::Hmac(Hash::Sha384)),
    ("hmac-sha512", Algorithm::Hmac(Hash::Sha512)),
    ("digest-sha256", Algorithm::Digest(Hash::Sha256)),
    ("digest-sha384", Algorithm::Digest(Hash::Sha384)),
    ("digest-sha512", Algorithm::Digest(Hash::Sha512)),
    ("ed25519", Algorithm::Ed25519),
    ("token", Algorithm::Token),
    ("none", Algorithm::None),
];

impl Algorithm {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let found = WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
            let known: Vec<_> = WORDS.iter().map(|(word, _)| *word).collect();
            format!("`{text}` is unknown; known are {}", known.join(", "))
        })
    }

    /// Whether it covers content, and not only says who sends.
    pub(super) fn signs(self) -> bool {
        matches!(self, Self::Hmac(_) | Self::Digest(_) | Self::Ed25519)
    }

    /// Bytes of a tag. A shorter one is never taken: a cut tag is easier to guess.
    pub(super) fn tag_len(self) -> usize {
        match self {
            Self::Hmac(hash) | Self::Digest(hash) => match hash {
                Hash::Sha1 => 20,
                Hash::Sha256 => 32,
                Hash::Sha384 => 48,
                Hash::Sha512 => 64,
            },
            Self::Ed25519 => 64,
            // Tokens are compared by their SHA-256.
            Self::Token => 32,
            Self::None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_or_told_with_all_that_are() {
        for (word, algorithm) in WORDS {
            assert_eq!(Algorithm::parse(word), Ok(algorithm));
        }
        let problem = Algorithm::parse("md5").unwrap_err();
        assert!(
            problem.starts_with("`md5` is unknown; known are hmac-sha1, "),
            "{problem}"
        );
        assert!(problem.ends_with("ed25519, token, none"), "{problem}");
    }
}
