//! What can be a key, and that each kind of key proves what it should.

use super::*;

fn form(prefix: &str, encoding: SecretEncoding) -> KeyForm {
    KeyForm {
        prefix: prefix.to_owned(),
        encoding,
        ..KeyForm::default()
    }
}

fn token(place: Place) -> KeyForm {
    KeyForm {
        algorithm: Some(Algorithm::Token),
        place: Some(place),
        ..KeyForm::default()
    }
}

fn decoded(form: &KeyForm, secret: &[u8]) -> Option<Vec<u8>> {
    let bytes = form.decode(secret);
    bytes.map(|bytes| bytes.expose_secret().to_vec())
}

#[test]
fn a_prefix_is_cut_where_present_and_the_rest_must_decode() {
    let standard = form("whsec_", SecretEncoding::Base64);
    for secret in ["whsec_AAECAw==", "AAECAw==", "whsec_AAECAw"] {
        assert_eq!(
            decoded(&standard, secret.as_bytes()),
            Some(vec![0, 1, 2, 3]),
            "{secret}"
        );
    }
    for bad in ["whsec_?", "whsec_", "a secret of words"] {
        let problem = standard.check(bad.as_bytes()).unwrap_err();
        assert!(!problem.contains("words"), "{problem}");
    }
    let hex = form("", SecretEncoding::Hex);
    assert_eq!(decoded(&hex, b"00fF"), Some(vec![0, 255]));
    assert!(hex.check(b"0").is_err());
    assert!(form("", SecretEncoding::Text).check(b"\xff any").is_ok());
    assert!(form("x", SecretEncoding::Text).check(b"x").is_err());
}

#[test]
fn an_ed25519_key_is_a_point_of_32_bytes_that_is_not_weak() {
    #[track_caller]
    fn check(form: &KeyForm, key: [u8; 32], expected: &str) {
        let told = form.check(hex::encode(key).as_bytes());
        let told = told.err().unwrap_or_default();
        assert!(told.contains(expected), "{told}");
        assert_eq!(told.is_empty(), expected.is_empty(), "{told}");
    }
    let form = KeyForm {
        algorithm: Some(Algorithm::Ed25519),
        ..form("whpk_", SecretEncoding::Hex)
    };
    let good = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
    check(&form, good.to_bytes(), "");
    // The points of small order, for which signatures can be made up: zero, one, minus one, one of order eight.
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let eight: [u8; 32] = hex::decode(eight).unwrap().try_into().unwrap();
    for weak in [[0; 32], one, minus_one, eight] {
        check(&form, weak, "weak");
    }
    let mut off_the_curve = [0; 32];
    off_the_curve[0] = 2;
    check(&form, off_the_curve, "no ed25519 key");
    for len in [0, 31, 33, 64] {
        let told = form
            .check(hex::encode(vec![1; len]).as_bytes())
            .unwrap_err();
        assert!(
            len == 0 || told.contains(&format!("this has {len}")),
            "{told}"
        );
    }
}

#[test]
fn a_token_must_be_able_to_arrive() {
    let header = token(Place::parse("header:x-token").unwrap());
    assert!(header.check(b"a token with blanks, even").is_ok());
    for (form, secret, expected) in [
        (&header, " t".as_bytes(), "blank"),
        (&header, b"t\n", "blank"),
        (&header, "tök".as_bytes(), "visible ASCII"),
        (&header, b"\xff", "text"),
        (&token(Place::Bearer), b"a\tb", "visible ASCII"),
        (&token(Place::Basic), b"password", "user:password"),
    ] {
        let told = form.check(secret).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
    assert!(
        token(Place::Basic)
            .check("user:pässword".as_bytes())
            .is_ok()
    );
    assert!(
        token(Place::Query("t".into()))
            .check("tök".as_bytes())
            .is_ok()
    );
}

#[test]
fn each_kind_of_key_proves_its_own_tag_and_no_other() {
    let body = [Piece::Bytes(b"bo"), Piece::Secret, Piece::Bytes(b"dy")];
    let other = [Piece::Bytes(b"bo"), Piece::Secret, Piece::Bytes(b"dY")];
    for algorithm in [
        Algorithm::Hmac(Hash::Sha1),
        Algorithm::Hmac(Hash::Sha256),
        Algorithm::Hmac(Hash::Sha384),
        Algorithm::Hmac(Hash::Sha512),
        Algorithm::Digest(Hash::Sha256),
        Algorithm::Digest(Hash::Sha384),
        Algorithm::Digest(Hash::Sha512),
    ] {
        let form = KeyForm {
            algorithm: Some(algorithm),
            ..KeyForm::default()
        };
        let key = Key::new(&form, b"key").unwrap();
        let tag = key.tag(&body).unwrap();
        assert_eq!(tag.as_bytes().len(), algorithm.tag_len());
        assert!(bool::from(key.proves(&body, &[tag])), "{algorithm:?}");
        assert!(!bool::from(key.proves(&other, &[tag])), "{algorithm:?}");
        assert!(!bool::from(key.proves(&body, &[])), "{algorithm:?}");
        let another = Key::new(&form, b"another").unwrap();
        assert!(!bool::from(another.proves(&body, &[tag])), "{algorithm:?}");
    }
    let none = KeyForm {
        algorithm: Some(Algorithm::None),
        ..KeyForm::default()
    };
    assert!(Key::new(&none, b"key").is_none());
}

#[test]
fn a_digest_is_of_the_secret_and_the_content() {
    let form = KeyForm {
        algorithm: Some(Algorithm::Digest(Hash::Sha256)),
        ..KeyForm::default()
    };
    let key = Key::new(&form, b"s").unwrap();
    let tag = key.tag(&[Piece::Secret, Piece::Bytes(b"body")]).unwrap();
    assert_eq!(tag.as_bytes(), &*Sha256::digest(b"sbody"));
}
