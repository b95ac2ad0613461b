//! Ways of proving a message that only a whole request can show: forms, addresses, tokens.

use sha2::Sha512;

use super::*;

const KEY: &[u8] = b"demo-only-survey-secret";

const VOCABULARY: &str = r#"
[server]
public_url = "https://surveys.example.com/in/"
[[source]]
name = "qualtrics"
preset = "qualtrics"
secrets = [{ value = "demo-only-survey-secret" }]
FIELDS
[[source]]
name = "address"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
verify.content = "{method}{url}{body}"
FIELDS
[[source]]
name = "query"
preset = "token"
secrets = [{ value = "demo-only-survey-secret" }]
verify.signature = "query:key"
FIELDS
[[source]]
name = "unsigned"
verify.algorithm = "none"
verify.i_know_this_is_unsigned = true
FIELDS
[[source]]
name = "behind-a-token"
path_token = { value = "0123456789abcdef" }
handshake = true
verify.algorithm = "none"
FIELDS
[[source]]
name = "both"
path_token = { value = "0123456789abcdef" }
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
FIELDS
"#;

async fn vocabulary() -> TestApp {
    TestApp::fresh(&VOCABULARY.replace("FIELDS", FIELDS)).await
}

fn hex_of<M: Mac + KeyInit>(parts: &[&str]) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(KEY).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_survey_in_a_signed_field_of_a_form_is_taken() {
    let app = vocabulary().await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let tag = hex_of::<Hmac<Sha512>>(&[&body]);
    let form = |survey: &str| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("HMAC", &tag).append_pair("MSG", survey);
        form.finish()
    };
    let path = "/webhooks/qualtrics";
    let taken = post(&app, path, &[FORM], form(&body).as_bytes()).await;
    assert_status(&taken, 202, "accepted");
    assert_eq!(taken.body["wrapUpCode"], "WU_PROMPT_SUCCESS");
    // Written otherwise it is the same survey: what is signed is what the field says.
    let again = form(&body).replace("%22", "%2") + "2";
    let refused = post(&app, path, &[FORM], again.as_bytes()).await;
    assert_problem(&refused, 401, "unauthorized");
    let reordered = {
        let whole = form(&body);
        let (hmac, msg) = whole.split_once('&').unwrap();
        format!("{msg}&{hmac}")
    };
    let again = post(&app, path, &[FORM], reordered.as_bytes()).await;
    assert_status(&again, 200, "duplicate");
    let forged = form(&body.replace("10", "9"));
    let refused = post(&app, path, &[FORM], forged.as_bytes()).await;
    assert_problem(&refused, 401, "unauthorized");
    let untaken = post(&app, path, &[JSON], form(&body).as_bytes()).await;
    assert_problem(&untaken, 415, "unsupported-media-type");
    // The address is tried out before anything is sent.
    for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
        let tried = answer(app.http.request(method, app.url(path))).await;
        assert_eq!(tried.status, 200);
    }
    app.finish().await;
}

#[tokio::test]
async fn the_signed_address_is_the_configured_one_whatever_a_client_says() {
    let app = vocabulary().await;
    let send = async |path: &str, address: &str, host: &str| {
        let body = survey(Uuid::new_v4(), 10, 5);
        let tag = hex_of::<Hmac<Sha256>>(&["POST", address, &body]);
        let headers = [
            JSON,
            ("x-signature", tag.as_str()),
            ("host", host),
            ("x-forwarded-host", host),
            ("x-forwarded-proto", "http"),
        ];
        post(&app, path, &headers, body.as_bytes()).await.status
    };
    let real = "https://surveys.example.com/in/webhooks/address";
    assert_eq!(
        send("/webhooks/address", real, "surveys.example.com").await,
        202
    );
    assert_eq!(send("/webhooks/address", real, "evil.example").await, 202);
    let evil = "https://evil.example/webhooks/address";
    assert_eq!(send("/webhooks/address", evil, "evil.example").await, 401);
    let queried = format!("{real}?a=%20b");
    assert_eq!(send("/webhooks/address?a=%20b", &queried, "x").await, 202);
    assert_eq!(send("/webhooks/address?a=%20b", real, "x").await, 401);
    app.finish().await;
}

#[tokio::test]
async fn a_token_in_the_query_and_nothing_at_all_are_as_they_are_configured() {
    let app = vocabulary().await;
    for (path, status) in [
        ("/webhooks/query?key=demo-only-survey-secret", 202),
        ("/webhooks/query?x=1&key=wrong", 401),
        ("/webhooks/query?key=", 401),
        ("/webhooks/query", 401),
        ("/webhooks/unsigned", 202),
    ] {
        let body = survey(Uuid::new_v4(), 10, 5);
        let told = post(&app, path, &[JSON], body.as_bytes()).await;
        assert_eq!(told.status, status, "{path}");
    }
    // Nothing is signed, so a survey is known by its bytes.
    let body = survey(Uuid::new_v4(), 10, 5);
    let first = post(&app, "/webhooks/unsigned", &[JSON], body.as_bytes()).await;
    assert_status(&first, 202, "accepted");
    let again = post(&app, "/webhooks/unsigned", &[JSON], body.as_bytes()).await;
    assert_status(&again, 200, "duplicate");
    app.finish().await;
}

#[tokio::test]
async fn a_path_ends_with_the_sources_token_or_is_401_and_with_no_token_configured_404() {
    let app = vocabulary().await;
    let before = app
        .metric("wrapup_signature_failures_total", "path_token")
        .await;
    for (path, status) in [
        ("/webhooks/behind-a-token/0123456789abcdef", 202),
        ("/webhooks/behind-a-token/0123456789abcdef?x=1", 202),
        ("/webhooks/behind-a-token/0123456789abcdeF", 401),
        ("/webhooks/behind-a-token/%30123456789abcdef", 401),
        ("/webhooks/behind-a-token", 401),
        ("/webhooks/both", 401),
        ("/webhooks/both/0123456789abcdef", 401),
        ("/webhooks/behind-a-token/", 404),
        ("/webhooks/behind-a-token/0123456789abcdef/x", 404),
        ("/webhooks/unsigned/0123456789abcdef", 404),
        ("/webhooks/nobody/0123456789abcdef", 404),
    ] {
        let body = survey(Uuid::new_v4(), 10, 5);
        let told = post(&app, path, &[JSON], body.as_bytes()).await;
        assert_eq!(told.status, status, "{path}");
        if status == 401 {
            assert_problem(&told, 401, "unauthorized");
        }
    }
    let after = app
        .metric("wrapup_signature_failures_total", "path_token")
        .await;
    assert!((after - before - 4.0).abs() < 0.1, "{before} to {after}");
    // Besides the token what `verify` says holds as everywhere.
    let body = survey(Uuid::new_v4(), 10, 5);
    let tag = hex_of::<Hmac<Sha256>>(&[&body]);
    let headers = [JSON, ("x-signature", tag.as_str())];
    let bare = post(&app, "/webhooks/both", &headers, body.as_bytes()).await;
    assert_problem(&bare, 401, "unauthorized");
    let whole = "/webhooks/both/0123456789abcdef";
    let taken = post(&app, whole, &headers, body.as_bytes()).await;
    assert_status(&taken, 202, "accepted");
    for path in [
        "/webhooks/behind-a-token",
        "/webhooks/behind-a-token/0123456789abcdef",
    ] {
        for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
            let tried = answer(app.http.request(method, app.url(path))).await;
            assert_eq!(tried.status, 200, "{path}");
        }
    }
    let unasked = answer(app.http.get(app.url(whole))).await;
    assert_problem(&unasked, 405, "method-not-allowed");
    app.finish().await;
}
