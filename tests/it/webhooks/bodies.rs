//! Forms, arrays and compressed bodies, from the sender to the code on the interaction.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::*;

const BATCH: &str = r#"
[[source]]
name = "batch"
preset = "hmac-sha256"
secrets = [{ value = "demo-only-survey-secret" }]
items = "$.events[*]"
verify.id = "path:$.eventId"
[source.fields]
interaction_id = { path = "$.interactionId", type = "uuid", required = true }
csat_score = { path = "$.scores[?@.name=='csat'].value", type = "number", default = 0 }
nps_score = { path = "$.nps", type = "number", map = { Great = 10, Okay = 8, "Not Good" = 2 }, default = 0 }
issue_type = { path = "$.account.topic", from = "body", type = "string", default = "", case = "upper" }
"#;

const FORMS: &str = r#"
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

fn item(event: u32, interaction: Uuid, nps: &str) -> Value {
    json!({
        "eventId": event,
        "interactionId": interaction,
        "nps": nps,
        "scores": [{"name": "csat", "value": "5"}, {"name": "ces", "value": "1"}],
    })
}

fn batch(items: &[Value]) -> String {
    json!({"account": {"topic": "technical"}, "events": items}).to_string()
}

fn told<'a>(answer: &'a Answer, key: &str) -> Vec<&'a Value> {
    let list = answer.body["deliveries"].as_array().expect("a list");
    list.iter().map(|told| &told[key]).collect()
}

fn id_of(value: &Value) -> wrapup::ids::DeliveryId {
    wrapup::ids::DeliveryId(value.as_str().expect("an id").parse().expect("a UUID"))
}

#[tokio::test]
async fn every_survey_of_a_body_gets_its_own_code() {
    let app = app(BATCH).await;
    let interactions = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let [a, b, c] = interactions;
    let body = batch(&[
        item(1, a, "Great"),
        item(2, b, "Okay"),
        item(1, a, "Great"),
        item(3, c, "Not Good"),
    ]);
    let answer = post_signed(&app, "batch", body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(
        told(&answer, "status"),
        ["accepted", "accepted", "duplicate", "accepted"]
    );
    let codes = [
        "WU_PROMPT_SUCCESS",
        "WU_PROMPT_TECH_ISSUE",
        "WU_PROMPT_ESCALATION",
    ];
    let ids = told(&answer, "deliveryId");
    assert_eq!(ids[0], ids[2]);
    for (id, code) in [ids[0], ids[1], ids[3]].into_iter().zip(codes) {
        let record = app.reaches(id_of(id), State::Assigned).await;
        assert_eq!(
            record.code.map(|code| code.to_string()).as_deref(),
            Some(code)
        );
    }
    assert_eq!(rows(&app).await, 3);

    // Sent again after a restart, in another order and with one more: only that one is new.
    let app = app.restart().await;
    let body = batch(&[
        item(3, c, "Not Good"),
        item(4, b, "Great"),
        item(1, a, "Great"),
    ]);
    let again = post_signed(&app, "batch", body.as_bytes()).await;
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(
        told(&again, "status"),
        ["duplicate", "accepted", "duplicate"]
    );
    let all = post_signed(&app, "batch", body.as_bytes()).await;
    assert_eq!(all.status, 200, "{all:?}");
    assert_eq!(rows(&app).await, 4);
    app.finish().await;
}

#[tokio::test]
async fn an_unreadable_survey_of_a_body_is_kept_and_mended_by_its_sender() {
    let app = app(BATCH).await;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let body = batch(&[item(1, a, "Great"), item(2, b, "Fantastic")]);
    let answer = post_signed(&app, "batch", body.as_bytes()).await;
    assert_problem(&answer, 422, "invalid-survey");
    assert_eq!(told(&answer, "status"), ["accepted", "quarantined"]);
    let problem = &answer.body["deliveries"][1]["problems"][0];
    assert_eq!(problem["message"], "not one of the values in `map`");
    assert!(!answer.body.to_string().contains("Fantastic"));
    let kept = id_of(told(&answer, "deliveryId")[1]);
    app.reaches(kept, State::Quarantined).await;

    let body = batch(&[item(2, b, "Great")]);
    let mended = post_signed(&app, "batch", body.as_bytes()).await;
    assert_eq!(
        (mended.status, told(&mended, "status")),
        (202, vec![&json!("accepted")])
    );
    assert_eq!(id_of(told(&mended, "deliveryId")[0]), kept);
    app.reaches(kept, State::Assigned).await;
    app.finish().await;
}

#[tokio::test]
async fn a_body_of_a_thousand_surveys_is_one_transaction_and_of_one_more_is_refused_whole() {
    let app = app(BATCH).await;
    let items: Vec<Value> = (0..1001)
        .map(|event| json!({"eventId": event, "interactionId": Uuid::new_v4()}))
        .collect();
    let body = batch(&items);
    let refused = post_signed(&app, "batch", body.as_bytes()).await;
    assert_problem(&refused, 422, "invalid-survey");
    assert_eq!(
        refused.body["problems"][0]["message"],
        "more than 1000 surveys in one body"
    );
    assert_eq!(rows(&app).await, 1);
    let answer = post_signed(&app, "batch", batch(&items[1..]).as_bytes()).await;
    assert_eq!(answer.status, 202);
    assert_eq!(told(&answer, "status").len(), 1000);
    assert_eq!(rows(&app).await, 1001);
    app.finish().await;
}

#[tokio::test]
async fn forms_bring_surveys_too() {
    let app = app(&FORMS.replace("FIELDS", FIELDS)).await;
    let interaction = Uuid::new_v4();
    let form =
        format!("interactionId={interaction}&nps_score=8&csat_score=5.0&issue_type=techn%69cal");
    let urlencoded = "application/x-www-form-urlencoded";
    let answer = post_as(&app, "form", form.as_bytes(), urlencoded).await;
    assert_status(&answer, 202, "accepted");
    assert_eq!(answer.body["wrapUpCode"], "WU_PROMPT_TECH_ISSUE");
    app.reaches(answer.delivery(), State::Assigned).await;

    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let raw = part("formID", "7") + &part("rawRequest", &survey(interaction, 3, 5)) + "--x--\r\n";
    let answer = post_as(
        &app,
        "multipart",
        raw.as_bytes(),
        "multipart/form-data; boundary=x",
    )
    .await;
    assert_status(&answer, 202, "accepted");
    app.reaches(answer.delivery(), State::Assigned).await;

    for (source, content_type) in [("form", "application/json"), ("multipart", urlencoded)] {
        let refused = post_as(&app, source, form.as_bytes(), content_type).await;
        assert_problem(&refused, 415, "unsupported-media-type");
    }
    let without = post_as(
        &app,
        "multipart",
        (part("a", "1") + "--x--").as_bytes(),
        "multipart/form-data",
    )
    .await;
    assert_problem(&without, 422, "invalid-survey");
    let broken = post_as(&app, "multipart", b"--x", "multipart/form-data").await;
    assert_problem(&broken, 400, "malformed-body");
    app.finish().await;
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(body).unwrap();
    to.finish().unwrap()
}

async fn post_encoded(app: &TestApp, coding: &str, signed: &[u8], sent: &[u8]) -> Answer {
    let signature = load::signature(SECRET.as_bytes(), signed);
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", coding),
        ("x-signature", signature.as_str()),
    ];
    post(app, "/webhooks/generic", &headers, sent).await
}

#[tokio::test]
async fn a_compressed_survey_is_the_survey() {
    let app = app("").await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let plain = body.as_bytes();
    let answer = post_encoded(&app, "gzip", plain, &gzip(plain)).await;
    assert_status(&answer, 202, "accepted");
    app.reaches(answer.delivery(), State::Assigned).await;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(plain).unwrap();
    let again = post_encoded(&app, "deflate", plain, &zlib.finish().unwrap()).await;
    assert_status(&again, 200, "duplicate");
    assert_eq!(app.post(&body).await.delivery(), answer.delivery());
    let untaken = post_encoded(&app, "br", plain, plain).await;
    assert_problem(&untaken, 415, "unsupported-encoding");
    app.finish().await;
}

#[tokio::test]
async fn bombs_are_413_and_do_no_harm() {
    let app = app("").await;
    // Unsigned, as an attacker would send them: 8 MiB each, and one that unfolds twice.
    let bomb = gzip(&vec![b' '; 8 << 20]);
    let twice = gzip(&bomb);
    let bombs = (0..20).map(|at| {
        let (coding, sent) = if at % 2 == 0 {
            ("gzip", &bomb)
        } else {
            ("gzip, gzip", &twice)
        };
        post_encoded(&app, coding, b"", sent)
    });
    for answer in futures_util::future::join_all(bombs).await {
        assert_problem(&answer, 413, "body-too-large");
    }
    assert_eq!(app.post(&survey(Uuid::new_v4(), 10, 5)).await.status, 202);
    app.finish().await;
}

#[tokio::test]
async fn a_number_of_any_size_is_the_trouble_of_its_field() {
    let app = app("").await;
    let interaction = Uuid::new_v4();
    for (number, problems) in [("1e999", 1), ("-1e999", 1), ("\"NaN\"", 1), ("1e-999", 0)] {
        let body =
            format!(r#"{{"interactionId":"{interaction}","nps_score":{number},"other":1e999}}"#);
        let answer = app.post(&body).await;
        if problems == 0 {
            assert_status(&answer, 202, "accepted");
            continue;
        }
        assert_problem(&answer, 422, "invalid-survey");
        let expected = json!([{
            "field": "nps_score", "path": "$.nps_score", "type": "number", "message": "expected a finite number",
        }]);
        assert_eq!(answer.body["problems"], expected, "{number}");
    }
    app.finish().await;
}
