//! The file that is shipped, and what follows from the API that it names.

use super::*;

#[test]
fn the_shipped_file_is_good_and_holds_every_default() {
    let shipped = include_str!("../../../config/wrapup.toml")
        .replace(r#"{ env = "SURVEY_SECRET" }"#, r#"{ value = "s" }"#)
        .replace(r#"{ env = "GENESYS_CLIENT_ID" }"#, r#"{ value = "c" }"#)
        .replace("/run/secrets/genesys.pem", "key.pem");
    let loaded = Folder::with(&shipped).load(&[]).unwrap();
    assert_eq!(loaded.warnings, []);
    let least = Folder::with(LEAST).load(&[]).unwrap();
    let keys = |loaded: &Loaded| {
        let mut json = loaded.effective.to_json().unwrap()["config"].clone();
        json["platform"].as_object_mut().unwrap().remove("auth");
        json.as_object_mut().unwrap().remove("source");
        json
    };
    assert_eq!(keys(&loaded), keys(&least));
    let from = loaded.effective.to_json().unwrap()["from"].clone();
    for line in loaded.effective.to_toml().unwrap().lines() {
        let (key, _) = line.split_once(" = ").unwrap_or((line, ""));
        assert!(
            BY_API.contains(&key) || !line.ends_with("# default"),
            "not shipped: {line} {from}"
        );
    }
}

/// Keys whose defaults follow from others, most of them from `platform.api`.
const BY_API: [&str; 6] = [
    "base_url",
    "login_url",
    "grant",
    "requests",
    "per",
    "page_size",
];

#[test]
fn the_shipped_file_serves_the_other_api_with_one_word_and_its_secret() {
    let shipped = include_str!("../../../config/wrapup.toml")
        .replace(r#"{ env = "SURVEY_SECRET" }"#, r#"{ value = "s" }"#)
        .replace(r#"{ env = "GENESYS_CLIENT_ID" }"#, r#"{ value = "c" }"#)
        .replace(r#"api = "interactions""#, r#"api = "conversations""#)
        .replace(
            r#"private_key = { file = "/run/secrets/genesys.pem" }"#,
            r#"client_secret = { value = "s" }"#,
        );
    let loaded = Folder::with(&shipped).load(&[]).unwrap();
    assert_eq!(loaded.warnings, []);
    let platform = &loaded.config.platform;
    let rate = platform.rate_limit;
    assert_eq!((rate.requests, rate.per), (300, Duration::from_mins(1)));
    assert_eq!(platform.page_size, 100);
    assert!(matches!(
        platform.auth.grant,
        crate::platform::Grant::ClientCredentials { .. }
    ));
}

#[test]
fn a_pace_that_the_other_api_hardly_grants_is_warned_of() {
    let warnings = |limit: &str| {
        let of_conversations =
            LEAST.replace("[platform.auth]", "[platform.auth]\ngrant = \"jwt-bearer\"");
        let loaded = Folder::with(&format!(
            "[platform]\napi = \"conversations\"\n[platform.rate_limit]\n{limit}\n{of_conversations}"
        ));
        let warnings = loaded.load(&[]).unwrap().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warnings("requests = 300"), Vec::<String>::new());
    assert_eq!(warnings("requests = 5\nper = \"1s\""), Vec::<String>::new());
    let told = warnings("requests = 100\nper = \"1s\"");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("platform.rate_limit"), "{told:#?}");
    assert!(
        told[0].contains("100 in 1s is faster than the 300 in 1m"),
        "{told:#?}"
    );
}
