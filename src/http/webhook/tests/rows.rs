//! One test for each row of the table.

use super::super::answer::{Told, several};
use super::*;
use crate::ids::{DeliveryId, InteractionId};
use crate::intake::Unreadable;
use crate::store::Error;

#[tokio::test]
async fn an_accepted_survey_is_answered_with_its_decision() {
    let desk = desk();
    let answer = desk.post("strict", &survey(10)).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.headers["content-type"], "application/json");
    let expected = json!({
        "status": "accepted",
        "deliveryId": answer.delivery(),
        "interactionId": INTERACTION,
        "rule": "promoter",
        "wrapUpCode": "WU_PROMPT_SUCCESS",
    });
    assert_eq!(answer.body, expected);
    assert_eq!(desk.rows(), 1);
    tokio::time::timeout(SOON, desk.wake.notified())
        .await
        .unwrap();
    desk.counted("strict", "accepted", 1);
    let metrics = desk.registry.render();
    assert!(metrics.contains("wrapup_rule_matches_total{rule=\"promoter\"} 1\n"));
    assert!(metrics.contains("wrapup_webhook_duration_seconds_count{source=\"strict\"} 1\n"));
}

#[tokio::test]
async fn an_ignored_survey_is_recorded_with_and_without_a_rule() {
    let desk = desk();
    for (score, rule) in [(0, json!("noise")), (5, Value::Null)] {
        let answer = desk.post("strict", &survey(score)).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.body["status"], "ignored");
        assert_eq!(answer.body["rule"], rule);
        assert_eq!(answer.body["wrapUpCode"], Value::Null);
    }
    assert_eq!(desk.rows(), 2);
    desk.counted("strict", "ignored", 2);
}

#[tokio::test]
async fn a_survey_seen_before_is_200_with_the_first_id() {
    let desk = desk();
    let first = desk.post("strict", &survey(10)).await;
    let again = desk.post("strict", &survey(10)).await;
    assert_eq!(again.status, 200);
    let expected = json!({ "status": "duplicate", "deliveryId": first.delivery() });
    assert_eq!(again.body, expected);
    assert_eq!(desk.rows(), 1);
    desk.counted("strict", "duplicate", 1);
}

#[tokio::test]
async fn fields_that_cannot_be_read_are_422_all_at_once_and_kept() {
    let desk = desk();
    let body = json!({ "interactionId": "canary", "nps_score": 987_654 }).to_string();
    let answer = desk.post("strict", &body).await;
    answer.is_problem(422, "invalid-survey");
    assert_eq!(answer.body["problems"].as_array().unwrap().len(), 2);
    let text = answer.body.to_string();
    assert!(
        !text.contains("canary") && !text.contains("987654"),
        "{text}"
    );
    assert_eq!(desk.rows(), 1);
    let again = desk.post("strict", &body).await;
    again.is_problem(422, "invalid-survey");
    assert_eq!(again.delivery(), answer.delivery());
    assert_eq!(desk.rows(), 1);
    desk.counted("strict", "quarantined", 2);
}

#[tokio::test]
async fn json_of_another_shape_is_422_and_what_is_no_json_is_400() {
    let desk = desk();
    desk.post("strict", "[1]")
        .await
        .is_problem(422, "invalid-survey");
    desk.post("strict", "no")
        .await
        .is_problem(400, "malformed-body");
    let deep = "[".repeat(200) + &"]".repeat(200);
    desk.post("strict", &deep)
        .await
        .is_problem(400, "malformed-body");
    assert_eq!(desk.rows(), 3);
}

#[tokio::test]
async fn where_the_source_says_so_unreadable_surveys_get_its_ack() {
    let desk = desk();
    for body in ["no", "{}"] {
        let answer = desk.post("lenient", body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["status"], "quarantined");
        assert!(!answer.body["problems"].as_array().unwrap().is_empty());
        assert!(!answer.delivery().is_empty());
    }
    assert_eq!(desk.rows(), 2);
}

#[tokio::test]
async fn a_body_of_several_is_answered_with_a_list_in_their_order() {
    let desk = desk();
    let id = DeliveryId::generate();
    let accepted = || Told::Decided {
        status: "accepted",
        delivery: id,
        interaction: InteractionId(INTERACTION.parse().unwrap()),
        rule: Some("promoter".into()),
        code: Some("WU_PROMPT_SUCCESS".into()),
    };
    let duplicate = || Told::Duplicate {
        status: "duplicate",
        delivery: id,
    };
    let unreadable = || Told::Unreadable {
        status: "quarantined",
        delivery: id,
        problems: serde_json::value::to_raw_value(&["missing"]).unwrap(),
        kind: Unreadable::Fields,
    };
    for (source, told, status) in [
        ("strict", vec![duplicate(), duplicate()], 200),
        ("strict", vec![duplicate(), accepted()], 202),
        ("strict", vec![accepted(), unreadable()], 422),
        ("lenient", vec![accepted(), unreadable()], 200),
    ] {
        let words: Vec<Value> = serde_json::to_value(&told)
            .unwrap()
            .as_array()
            .unwrap()
            .clone();
        let (_, response) = several(&desk.sources[source], told);
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["deliveries"], Value::from(words));
    }
}

#[tokio::test]
async fn a_signature_that_is_missing_or_wrong_is_401_without_a_reason() {
    let desk = desk();
    let unsigned = Request::post("/webhooks/strict").header("content-type", "application/json");
    let unsigned = unsigned.body(Body::from(survey(10))).unwrap();
    let forged = desk
        .signed("strict", &survey(10))
        .body(Body::from(survey(9)));
    for request in [unsigned, forged.unwrap()] {
        let answer = desk.send(request).await;
        answer.is_problem(401, "unauthorized");
        assert_eq!(answer.body.as_object().unwrap().len(), 3, "{}", answer.body);
    }
    assert_eq!(desk.rows(), 0);
    desk.counted("strict", "unauthorized", 2);
    let metrics = desk.registry.render();
    for reason in ["missing", "mismatch"] {
        let line = format!("{{reason=\"{reason}\",source=\"strict\"}} 1\n");
        assert!(metrics.contains(&line), "no {line}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let desk = desk();
    for (path, slug) in [
        ("/webhooks/nobody", "unknown-source"),
        ("/webhooks/strict/", "not-found"),
        ("/webhooks/", "not-found"),
        ("/", "not-found"),
        ("/metrics", "not-found"),
    ] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        desk.send(request).await.is_problem(404, slug);
    }
    desk.counted("unknown", "unknown_source", 1);
}

#[tokio::test]
async fn other_methods_are_405_and_a_handshake_is_200() {
    let desk = desk();
    for (method, path, allow) in [
        ("GET", "/webhooks/strict", "POST"),
        ("PUT", "/webhooks/lenient", "GET, HEAD, POST"),
        ("POST", "/livez", "GET, HEAD"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let answer = desk.send(request.body(Body::empty()).unwrap()).await;
        answer.is_problem(405, "method-not-allowed");
        assert_eq!(answer.headers["allow"], allow);
    }
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).uri("/webhooks/lenient");
        let answer = desk.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let desk = desk();
    let large = " ".repeat(MAX_BODY + 1);
    desk.post("strict", &large)
        .await
        .is_problem(413, "body-too-large");
    let pieces = [Ok::<_, std::io::Error>(large.clone()), Ok("{}".to_owned())];
    let chunked = Body::from_stream(futures_util::stream::iter(pieces));
    let request = desk.signed("strict", &large).body(chunked).unwrap();
    desk.send(request).await.is_problem(413, "body-too-large");
    desk.counted("strict", "too_large", 2);
}

#[tokio::test]
async fn a_content_type_that_the_source_does_not_take_is_415() {
    let desk = desk();
    for (given, status) in [
        (Some("text/plain"), 415),
        (Some("application/json; charset=utf-8"), 202),
        (Some("application/vnd.a+json"), 200),
        (None, 200),
    ] {
        let mut request = desk.signed("strict", &survey(10));
        request.headers_mut().unwrap().remove("content-type");
        if let Some(given) = given {
            request = request.header("content-type", given);
        }
        let answer = desk
            .send(request.body(Body::from(survey(10))).unwrap())
            .await;
        assert_eq!(answer.status, status, "{given:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408() {
    let desk = desk_with(Limits {
        max_body: MAX_BODY,
        request_timeout: Duration::from_millis(50),
        max_in_flight: 10,
    });
    let request = desk.signed("strict", "{").body(stuck()).unwrap();
    desk.send(request).await.is_problem(408, "body-timeout");
    desk.counted("strict", "timeout", 1);
}

#[tokio::test]
async fn trouble_with_the_store_is_503() {
    let desk = desk();
    for (error, slug) in [
        (Error::TooManyPending(1), "store-full"),
        (Error::TooManyQuarantined(1), "store-full"),
        (Error::Overloaded, "overloaded"),
        (
            Error::Unavailable("disk full".to_owned()),
            "store-unavailable",
        ),
        (Error::Row("no".to_owned()), "store-unavailable"),
    ] {
        *desk.store.fails.lock().unwrap() = Some(error);
        desk.post("strict", &survey(10)).await.is_problem(503, slug);
        desk.post("lenient", "no").await.is_problem(503, slug);
    }
    assert_eq!(desk.rows(), 0);
    desk.counted("strict", "overloaded", 3);
    desk.counted("strict", "unavailable", 2);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_takes_too_long_is_503() {
    let desk = desk();
    desk.store.commits.forget_permits(1000);
    let answer = desk.post("strict", &survey(10)).await;
    answer.is_problem(503, "store-unavailable");
    desk.counted("strict", "unavailable", 1);
}

#[tokio::test]
async fn health_is_told_without_reasons() {
    let desk = desk();
    for (path, status) in [("/livez", "alive"), ("/readyz", "ready")] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = desk.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, json!({ "status": status }));
    }
}
