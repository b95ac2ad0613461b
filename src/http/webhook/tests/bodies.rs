//! Bodies that are more than one piece of JSON: several surveys, forms, and what is compressed.

use super::*;
use crate::intake::packed::{gzip, raw, zlib};
use crate::store::Error;

fn item(id: u32, nps_score: i64) -> Value {
    json!({ "id": id, "interactionId": INTERACTION, "nps_score": nps_score })
}

fn statuses(answer: &Answer) -> Vec<&str> {
    let list = answer.body["deliveries"].as_array().unwrap().iter();
    list.map(|told| told["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_item_is_told_in_its_place() {
    let desk = desk();
    let body = json!([item(1, 10), item(2, 0), item(3, 9)]).to_string();
    let answer = desk.post("batch", &body).await;
    assert_eq!(answer.status, 202);
    assert_eq!(statuses(&answer), ["accepted", "ignored", "accepted"]);
    let first = &answer.body["deliveries"][0];
    let expected = json!({
        "status": "accepted",
        "deliveryId": first["deliveryId"],
        "interactionId": INTERACTION,
        "rule": "promoter",
        "wrapUpCode": "WU_PROMPT_SUCCESS",
    });
    assert_eq!(*first, expected);
    assert_eq!(desk.rows(), 3);
    desk.counted("batch", "accepted", 1);
    // All of them again: each is told the delivery that it became.
    let again = desk.post("batch", &body).await;
    assert_eq!(again.status, 200);
    assert_eq!(statuses(&again), ["duplicate"; 3]);
    assert_eq!(
        again.body["deliveries"][0]["deliveryId"],
        first["deliveryId"]
    );
    assert_eq!(desk.rows(), 3);
    desk.counted("batch", "duplicate", 1);
}

#[tokio::test]
async fn one_item_and_none_are_answered_with_lists_too() {
    let desk = desk();
    let answer = desk.post("batch", &json!([item(1, 10)]).to_string()).await;
    assert_eq!((answer.status, statuses(&answer)), (202, vec!["accepted"]));
    let answer = desk.post("batch", "[]").await;
    assert_eq!(
        (answer.status, answer.body),
        (202, json!({ "deliveries": [] }))
    );
    assert_eq!(desk.rows(), 1);
    desk.counted("batch", "ignored", 1);
}

#[tokio::test]
async fn a_duplicate_inside_one_body_is_told_with_the_id_of_the_first() {
    let desk = desk();
    let body = json!([item(1, 10), item(1, 10), item(2, 9)]).to_string();
    let answer = desk.post("batch", &body).await;
    assert_eq!(answer.status, 202);
    assert_eq!(statuses(&answer), ["accepted", "duplicate", "accepted"]);
    let list = &answer.body["deliveries"];
    assert_eq!(list[0]["deliveryId"], list[1]["deliveryId"]);
    assert_eq!(desk.rows(), 2);
}

#[tokio::test]
async fn an_unreadable_item_is_quarantined_beside_the_others() {
    let desk = desk();
    let body = json!([item(1, 10), { "id": 2, "interactionId": "canary" }, 7]).to_string();
    let answer = desk.post("batch", &body).await;
    answer.is_problem(422, "invalid-survey");
    assert_eq!(
        statuses(&answer),
        ["accepted", "quarantined", "quarantined"]
    );
    let problems = &answer.body["deliveries"][1]["problems"];
    assert_eq!(problems[0]["field"], "interaction_id");
    assert!(!answer.body.to_string().contains("canary"));
    assert_eq!(desk.rows(), 3);
    desk.counted("batch", "quarantined", 1);
    // The accepted one again, with the unreadable ones: the same answer, and no row more.
    let again = desk.post("batch", &body).await;
    again.is_problem(422, "invalid-survey");
    assert_eq!(
        statuses(&again),
        ["duplicate", "quarantined", "quarantined"]
    );
    let id = |answer: &Answer, at: usize| answer.body["deliveries"][at]["deliveryId"].clone();
    assert_eq!(
        [id(&again, 1), id(&again, 2)],
        [id(&answer, 1), id(&answer, 2)]
    );
    assert_eq!(desk.rows(), 3);

    let lenient = desk.post("lenient-batch", &body).await;
    assert_eq!(lenient.status, 200);
    assert_eq!(
        statuses(&lenient),
        ["ignored", "quarantined", "quarantined"]
    );
}

#[tokio::test]
async fn a_body_that_holds_no_surveys_or_too_many_is_one_quarantined_survey() {
    let desk = desk();
    let many = json!([1, 2, 3, 4]).to_string();
    for (body, status, slug) in [
        (&*many, 422, "invalid-survey"),
        ("7", 422, "invalid-survey"),
        ("no", 400, "malformed-body"),
    ] {
        let answer = desk.post("batch", body).await;
        answer.is_problem(status, slug);
        assert!(!answer.delivery().is_empty());
        let lenient = desk.post("lenient-batch", body).await;
        assert_eq!(lenient.status, 200);
    }
    let answer = desk.post("batch", &many).await;
    let message = &answer.body["problems"][0];
    assert_eq!(
        *message,
        json!({ "path": "$[*]", "message": "more than 3 surveys in one body" })
    );
}

#[tokio::test]
async fn all_of_a_body_is_stored_or_none_of_it_is_answered_for() {
    let desk = desk();
    *desk.store.fails.lock().unwrap() = Some(Error::TooManyPending(1));
    let body = json!([item(1, 10), item(2, 9)]).to_string();
    desk.post("batch", &body)
        .await
        .is_problem(503, "store-full");
    assert_eq!(desk.rows(), 0);
    let calls = desk.store.calls.lock().unwrap().clone();
    assert_eq!(calls, [2], "one transaction");
}

#[tokio::test]
async fn forms_are_read_and_only_of_their_content_type() {
    let desk = desk();
    for (source, content_type, word) in [
        ("form", "application/x-www-form-urlencoded", "accepted"),
        ("multipart", "multipart/form-data", "ignored"),
    ] {
        let untaken = desk.post(source, &survey(10)).await;
        untaken.is_problem(415, "unsupported-media-type");
        let survey = survey(10);
        let survey = Payload::Survey(survey.as_bytes());
        let message = desk.sources[source].sign(&stamp(&desk, "7"), survey);
        let message = message.unwrap();
        assert!(
            message.content_type.starts_with(content_type),
            "{message:?}"
        );
        let mut request =
            Request::post(message.target).header("content-type", message.content_type);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        let answer = desk
            .send(request.body(Body::from(message.body)).unwrap())
            .await;
        assert_eq!(answer.status, 202, "{source}: {}", answer.body);
        assert_eq!(answer.body["status"], word, "{source}");
    }
}

fn stamp<'a>(desk: &Desk, id: &'a str) -> Stamp<'a> {
    Stamp {
        secret: 0,
        private_key: None,
        now: desk.clock.now(),
        id,
    }
}

/// Signed over `signed`, sent as `sent`.
async fn post_encoded(
    desk: &Desk,
    source: &str,
    coding: &str,
    signed: &[u8],
    sent: Vec<u8>,
) -> Answer {
    let id = uuid::Uuid::new_v4().to_string();
    let message = desk.sources[source]
        .sign(&stamp(desk, &id), Payload::Body(signed))
        .unwrap();
    let mut request = Request::post(message.target)
        .header("content-type", "application/json")
        .header("content-encoding", coding);
    for (name, value) in message.headers {
        request = request.header(name, value);
    }
    desk.send(request.body(Body::from(sent)).unwrap()).await
}

#[tokio::test]
async fn a_compressed_body_is_the_survey_that_was_signed() {
    let desk = desk();
    let body = survey(10);
    let plain = body.as_bytes();
    let first = desk.post("strict", &body).await;
    for (coding, sent) in [
        ("identity", plain.to_vec()),
        ("gzip", gzip(plain)),
        ("deflate", zlib(plain)),
        ("deflate", raw(plain)),
        ("deflate, gzip", gzip(&zlib(plain))),
    ] {
        let answer = post_encoded(&desk, "strict", coding, plain, sent).await;
        // Compressed or not, it is the same survey.
        assert_eq!(
            (answer.status, answer.delivery()),
            (200, first.delivery()),
            "{coding}"
        );
    }
    assert_eq!(desk.store.rows.lock().unwrap()[0].body, body);
    // Signed as it was sent it is another's signature.
    let sent = gzip(plain);
    let answer = post_encoded(&desk, "strict", "gzip", &sent, sent.clone()).await;
    answer.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn where_what_came_is_signed_nothing_is_inflated_before() {
    let desk = desk();
    let body = survey(10);
    let sent = gzip(body.as_bytes());
    let answer = post_encoded(&desk, "received", "gzip", &sent, sent.clone()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(
        desk.store.rows.lock().unwrap()[0].body,
        body,
        "kept as it can be read"
    );
    let again = post_encoded(&desk, "received", "gzip", &sent, sent.clone()).await;
    assert_eq!((again.status, again.delivery()), (200, answer.delivery()));
    let unsigned = post_encoded(&desk, "received", "gzip", body.as_bytes(), sent).await;
    unsigned.is_problem(401, "unauthorized");

    let bomb = gzip(&vec![b' '; MAX_BODY + 1]);
    let forged = post_encoded(&desk, "received", "gzip", b"other", bomb.clone()).await;
    forged.is_problem(401, "unauthorized");
    let signed = post_encoded(&desk, "received", "gzip", &bomb, bomb.clone()).await;
    signed.is_problem(413, "body-too-large");

    // Authentic, and not readable: kept as it came.
    let broken = b"no gzip".to_vec();
    let kept = post_encoded(&desk, "received", "gzip", &broken, broken.clone()).await;
    kept.is_problem(400, "malformed-body");
    assert_eq!(desk.rows(), 2);
    assert_eq!(desk.store.rows.lock().unwrap()[1].body, broken);
}

#[tokio::test]
async fn the_inflated_length_is_limited_before_anything_is_verified() {
    let desk = desk();
    let bomb = gzip(&vec![b' '; 1 << 20]);
    assert!(bomb.len() > MAX_BODY, "the limit of what comes holds, too");
    let answer = post_encoded(&desk, "strict", "gzip", b"", bomb).await;
    answer.is_problem(413, "body-too-large");
    for sent in [gzip(&vec![b' '; 500_000]), gzip(&vec![b' '; MAX_BODY + 1])] {
        assert!(sent.len() < MAX_BODY);
        let answer = post_encoded(&desk, "strict", "gzip", b"", sent).await;
        answer.is_problem(413, "body-too-large");
    }
    desk.counted("strict", "too_large", 3);
    let most = gzip(&vec![b' '; MAX_BODY]);
    let answer = post_encoded(&desk, "strict", "gzip", b"", most).await;
    answer.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn what_cannot_be_inflated_cannot_be_verified() {
    let desk = desk();
    let body = survey(10);
    let mut cut = gzip(body.as_bytes());
    cut.truncate(cut.len() - 1);
    for (coding, sent) in [
        ("gzip", cut),
        ("gzip", body.clone().into()),
        ("deflate", body.clone().into()),
    ] {
        let answer = post_encoded(&desk, "strict", coding, body.as_bytes(), sent).await;
        answer.is_problem(401, "unauthorized");
        assert_eq!(answer.body.as_object().unwrap().len(), 3, "{}", answer.body);
    }
    assert_eq!(desk.rows(), 0);
    let line = "wrapup_signature_failures_total{reason=\"encoding\",source=\"strict\"} 3\n";
    assert!(desk.registry.render().contains(line));
}

#[tokio::test]
async fn an_encoding_that_is_not_taken_is_415_with_those_that_are() {
    let desk = desk();
    for coding in ["br", "gzip, zstd", "gzip, gzip, gzip", "\u{e9}"] {
        let answer = post_encoded(&desk, "strict", coding, b"", vec![b' '; MAX_BODY + 1]).await;
        answer.is_problem(415, "unsupported-encoding");
        assert_eq!(answer.headers["accept-encoding"], "gzip, deflate");
    }
    desk.counted("strict", "malformed", 4);
}
