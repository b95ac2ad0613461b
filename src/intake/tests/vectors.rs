//! Published test vectors: other people's implementations, and what they say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    #[serde(rename = "source")]
    _from: String,
    preset: Option<String>,
    #[serde(default)]
    verify: VerifyConfig,
    secrets: Vec<String>,
    /// Seconds.
    now: Option<i64>,
    method: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    form: Option<BTreeMap<String, String>>,
    expect: String,
}

impl Vector {
    fn judge(self) -> Result<Verified, Refusal> {
        assert_eq!(self.method.as_deref().unwrap_or("POST"), "POST");
        let url = self.url.as_deref();
        let url = url.unwrap_or("https://www.example.com/webhook_uri");
        let (base, target) = url.split_at(url.len() - "/webhook_uri".len());
        let mut config: SourceConfig =
            toml::from_str(&format!("name = 'vector'\n{FIELDS}")).unwrap();
        config.preset = self.preset;
        config.verify = self.verify;
        let secrets = self.secrets.iter();
        let given = Given {
            secrets: secrets
                .map(|secret| Secret::fixed(secret.as_bytes()))
                .collect(),
            path_token: None,
            public_url: Some(base.to_owned()),
        };
        let source = Source::build(&config, given).unwrap();
        let pairs: Vec<_> = self.headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        let body = match (self.body, self.form) {
            (Some(body), None) => body,
            (None, Some(form)) => form::write(form.iter().map(|(k, v)| (&**k, v.as_bytes()))),
            _ => panic!("a vector has a body or a form"),
        };
        source.verify(&Received {
            target,
            path_token: None,
            headers: &headers(&pairs),
            body: body.into(),
            now: UnixMs(self.now.unwrap_or_default() * 1000),
        })
    }
}

#[test]
fn published_vectors_are_judged_as_published() {
    let text = include_str!("../../../tests/it/fixtures/signature-vectors.json");
    let vectors = serde_json::from_str::<Vectors>(text).unwrap().vectors;
    assert_eq!(vectors.len(), 16);
    for vector in vectors {
        let (name, expected) = (vector.name.clone(), vector.expect == "accept");
        let judged = vector.judge();
        assert_eq!(judged.is_ok(), expected, "{name}: {judged:?}");
    }
}
