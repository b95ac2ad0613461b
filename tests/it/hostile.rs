//! Messages that nobody sends by mistake, against the real service: a clear answer to each, and it serves on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use uuid::Uuid;
use wrapup::store::State;

use crate::support::app::{Answer, TestApp, answer, survey};
use crate::support::load;
use crate::support::process::SECRET;
use crate::support::wire::Wire;

/// `generic` takes JSON; these take forms.
const FORMS: &str = r#"
[[source]]
name = "generic"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
FIELDS
[[source]]
name = "form"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
body = "form"
FIELDS
[[source]]
name = "multipart"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
body = "multipart:rawRequest"
FIELDS
"#;
const FIELDS: &str = r#"
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
csat_score = { path = "$.csat_score", type = "number", default = 0 }
nps_score = { path = "$.nps_score", type = "number", default = 0 }
issue_type = { path = "$.issue_type", type = "string", default = "", case = "upper" }
"#;

async fn app() -> TestApp {
    TestApp::fresh(&FORMS.replace("FIELDS", FIELDS)).await
}

async fn post(app: &TestApp, source: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let kind = match source {
        "form" => "application/x-www-form-urlencoded",
        "multipart" => "multipart/form-data; boundary=b0und",
        _ => "application/json",
    };
    let mut request = app.http.post(app.url(&format!("/webhooks/{source}")));
    request = request.header("content-type", kind);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.body(body.to_vec())).await
}

async fn post_signed(app: &TestApp, source: &str, body: &[u8]) -> Answer {
    let signature = load::signature(SECRET.as_bytes(), body);
    post(app, source, &[("x-signature", &signature)], body).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, slug: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body["type"], format!("urn:wrapup:problem:{slug}"));
    assert!(
        answer.body.to_string().len() < 2000,
        "told at length: {answer:?}"
    );
}

/// It goes on as if nothing had been: a survey is taken and gets its code.
async fn serves_on(app: TestApp) {
    let id = app.promoter(Uuid::new_v4()).await;
    app.reaches(id, State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn a_flood_of_headers_is_refused_and_of_signatures_the_first_are_tried() {
    let app = app().await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let good = load::signature(SECRET.as_bytes(), body.as_bytes());
    let post = |more: String| {
        let length = body.len();
        format!(
            "POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{more}\r\n{body}"
        )
    };
    for flood in [
        "x-many: y\r\n".repeat(5000),
        format!("x-long: {}\r\n", "y".repeat(500_000)),
    ] {
        let mut wire = Wire::to(app.service.public).await;
        wire.try_send(post(flood)).await;
        assert_eq!(wire.rest().await.get(9..12), Some("431"));
    }
    let wrong = "x-signature: 00\r\n".repeat(80);
    for (signatures, status) in [
        (wrong.clone(), 401),
        (format!("{wrong}x-signature: {good}\r\n"), 401),
        (format!("x-signature: {good}\r\n{wrong}"), 202),
    ] {
        let mut wire = Wire::to(app.service.public).await;
        wire.send(post(signatures)).await;
        assert_eq!(wire.answer().await.status, status);
    }
    serves_on(app).await;
}

#[tokio::test]
async fn depth_is_told_whatever_it_is_made_of() {
    let app = app().await;
    let deep = "[".repeat(200_000);
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        &deep,
        &closed,
        &"{\"a\":".repeat(40_000),
        &"[{\"a\":".repeat(30_000),
    ] {
        let answer = post_signed(&app, "generic", body.as_bytes()).await;
        refused(&answer, 400, "malformed-body");
        let told = answer.body.to_string();
        assert!(told.contains("nested deeper than 128"), "{told}");
    }
    let part = "--b0und\r\ncontent-disposition: form-data; name=\"rawRequest\"\r\n\r\n";
    let answer = post_signed(
        &app,
        "multipart",
        format!("{part}{deep}\r\n--b0und--").as_bytes(),
    )
    .await;
    refused(&answer, 400, "malformed-body");
    // Unsigned, nothing of it is looked at.
    let answer = post(
        &app,
        "generic",
        &[("x-signature", "sha256=00")],
        deep.as_bytes(),
    )
    .await;
    refused(&answer, 401, "unauthorized");
    serves_on(app).await;
}

#[tokio::test]
async fn thousands_of_fields_members_and_parts_are_read_or_counted() {
    let app = app().await;
    let id = Uuid::new_v4();
    let members: Vec<_> = (0..15_000).map(|at| format!("\"f{at}\":{at}")).collect();
    let body = format!(
        "{{{},\"interactionId\":\"{id}\",\"nps_score\":10,\"csat_score\":5}}",
        members.join(",")
    );
    let answer = post_signed(&app, "generic", body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.body["wrapUpCode"], "WU_PROMPT_SUCCESS");
    // The same member thousands of times: the last counts.
    let body = format!(
        "{{\"interactionId\":\"{id}\"{},\"nps_score\":1}}",
        ",\"nps_score\":10".repeat(12_000)
    );
    let answer = post_signed(&app, "generic", body.as_bytes()).await;
    assert_eq!(
        answer.body["wrapUpCode"], "WU_PROMPT_ESCALATION",
        "{answer:?}"
    );

    let form = |fields: usize| format!("interactionId={id}{}", "&a=1".repeat(fields));
    let answer = post_signed(&app, "form", form(999).as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = post_signed(&app, "form", form(60_000).as_bytes()).await;
    refused(&answer, 400, "malformed-body");

    let part = |name: &str, value: &str| {
        format!("--b0und\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let last = part("rawRequest", &survey(id, 10, 5)) + "--b0und--\r\n";
    let answer = post_signed(
        &app,
        "multipart",
        (part("a", "").repeat(900) + &last).as_bytes(),
    )
    .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = post_signed(
        &app,
        "multipart",
        (part("a", "").repeat(3500) + &last).as_bytes(),
    )
    .await;
    refused(&answer, 400, "malformed-body");
    serves_on(app).await;
}

#[tokio::test]
async fn a_bomb_is_refused_by_what_it_becomes_signed_or_not() {
    let app = app().await;
    let gzip = |body: &[u8]| {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        to.write_all(body).unwrap();
        to.finish().unwrap()
    };
    let plain = vec![b' '; 32 << 20];
    let bomb = gzip(&plain);
    let signature = load::signature(SECRET.as_bytes(), &plain);
    for (coding, sent) in [("gzip", &bomb), ("gzip, gzip", &gzip(&bomb))] {
        for signature in ["sha256=00", &signature] {
            let headers = [("content-encoding", coding), ("x-signature", signature)];
            let answer = post(&app, "generic", &headers, sent).await;
            refused(&answer, 413, "body-too-large");
        }
    }
    serves_on(app).await;
}

#[tokio::test]
async fn no_text_and_no_number_is_taken_for_another() {
    let app = app().await;
    let id = Uuid::new_v4();
    let with = |more: &str| {
        format!("{{\"interactionId\":\"{id}\",\"nps_score\":10,\"csat_score\":5{more}}}")
    };
    for body in [
        &with(",\"csat_score\":NaN"),
        &with(",\"csat_score\":Infinity"),
        &with(",\"csat_score\":0x5"),
    ] {
        let answer = post_signed(&app, "generic", body.as_bytes()).await;
        refused(&answer, 400, "malformed-body");
    }
    for number in ["1e999", "\"NaN\"", "\"inf\"", &"9".repeat(100_000)] {
        let body = with(&format!(",\"csat_score\":{number}"));
        let answer = post_signed(&app, "generic", body.as_bytes()).await;
        refused(&answer, 422, "invalid-survey");
        assert_eq!(answer.body["problems"][0]["field"], "csat_score");
    }
    for body in [
        &b"{\"interactionId\":\"\xff\"}"[..],
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"\xff\xfe{\0}\0",
    ] {
        let answer = post_signed(&app, "generic", body).await;
        refused(&answer, 400, "malformed-body");
        assert!(answer.body.to_string().contains("not UTF-8"), "{answer:?}");
    }
    let half = with(",\"issue_type\":\"\\ud83d\",\"\\udead\":\"\\ud800\"");
    let answer = post_signed(&app, "generic", half.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.body["rule"], Value::from("promoter"));
    serves_on(app).await;
}
