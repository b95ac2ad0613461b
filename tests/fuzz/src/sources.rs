//! Sources as an integrator would configure them, and what all of their readings must be like.

use bytes::Bytes;
use http::HeaderMap;
use wrapup::clock::UnixMs;
use wrapup::intake::{Given, Reading, Received, Source, SourceConfig};
use wrapup::secret::Secret;
use wrapup::survey::{FieldType, Value};

pub const NOW: UnixMs = UnixMs(1_614_265_330_000);

/// The listener's default.
pub const MAX_BODY: usize = 256 * 1024;

/// Said of a body by our own words; any other word of a problem that is also one of the body came from there.
const WORDS: &str = "
    compressed decoding encoding content identity interaction missing multipart form-data complete boundary nested
    surveys timestamp followed hexadecimal hyphens configured position expected several narrower fraction one-of mapped
    between another finite boolean integer instead nothing minimum maximum allowed smaller greater
    trailing characters control character escape invalid unicode point recursion exceeded parsing unexpected leading
    surrogate object u0000- 8-4-4-4-12 greatest values found";

/// A source from TOML as in `[[source]]`, without its name.
pub fn source(toml: &str, secret: Option<&str>) -> Source {
    let config: SourceConfig =
        toml::from_str(&format!("name = 'fuzz'\n{toml}")).expect("our own TOML");
    let given = Given {
        secrets: secret
            .iter()
            .map(|secret| Secret::fixed(secret.as_bytes()))
            .collect(),
        path_token: None,
        public_url: Some("https://surveys.example.com/in".to_owned()),
    };
    Source::build(&config, given).expect("our own sources are sound")
}

/// A source that takes anybody's word: what it reads is all that counts.
pub fn unsigned(toml: &str) -> Source {
    source(
        &format!("verify.algorithm = 'none'\nverify.i_know_this_is_unsigned = true\n{toml}"),
        None,
    )
}

/// Reads a body as one that was verified, and checks what holds for all readings.
pub fn read(source: &Source, body: &[u8]) -> Vec<Reading> {
    let headers = HeaderMap::new();
    let received = Received {
        target: "/webhooks/fuzz",
        path_token: None,
        headers: &headers,
        body: Bytes::copy_from_slice(body),
        now: NOW,
    };
    let verified = source.verify(&received).expect("nothing is asked for");
    let readings = source.read(&verified);
    assert_eq!(
        readings,
        source.read(&verified),
        "reading is a function of the body"
    );
    for reading in &readings {
        check(source, body, reading);
    }
    readings
}

fn check(source: &Source, body: &[u8], reading: &Reading) {
    match reading {
        Reading::Survey { survey, keys, .. } => {
            assert!(
                !keys.is_empty(),
                "a survey without a key would be taken twice"
            );
            assert_eq!(survey.received_at, NOW);
            let names = survey.fields.keys();
            assert!(
                names.eq(source.fields().iter().map(|field| &field.name)),
                "every field, and no other"
            );
            for spec in source.fields() {
                let value = &survey.fields[&spec.name];
                assert!(is_of_type(value, spec.kind), "{} is {value:?}", spec.name);
                assert!(
                    *value != Value::Null || !spec.required,
                    "{} is required",
                    spec.name
                );
            }
            let id = Value::String(survey.interaction.to_string().into());
            assert_eq!(
                survey.fields["interaction_id"], id,
                "in lower case, with hyphens"
            );
        }
        Reading::Unreadable { problems, .. } => {
            assert!(!problems.is_empty(), "unreadable for no reason");
            let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let told = told.join(
                "
",
            );
            assert!(told.len() < 10_000, "problems as long as a body: {told}");
            let paths = source
                .fields()
                .iter()
                .filter_map(|field| source.path_of(&field.name));
            let paths: String = paths.chain(source.words.items.as_deref()).collect();
            if let Some(word) = repeats(&told, body, &paths) {
                panic!("{word} of the body is told in {told}");
            }
        }
    }
}

fn is_of_type(value: &Value, kind: FieldType) -> bool {
    match (value, kind) {
        (Value::Null, _)
        | (Value::Boolean(_), FieldType::Boolean)
        | (Value::Integer(_), FieldType::Integer)
        | (Value::String(_), FieldType::String | FieldType::Uuid | FieldType::Timestamp) => true,
        (Value::Number(number), FieldType::Number) => number.is_finite(),
        _ => false,
    }
}

/// A longer word that two texts have in common, and that is neither one of ours nor one of `known`.
pub fn repeats<'t>(told: &'t str, body: &[u8], known: &str) -> Option<&'t str> {
    let words = told.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
    let mut long = words.filter(|word| word.len() >= 7);
    long.find(|word| {
        let is_there = body
            .windows(word.len())
            .any(|bytes| bytes == word.as_bytes());
        is_there && !WORDS.contains(*word) && !known.contains(*word)
    })
}
