//! Limits, what the headers tell of them, and the ids that support asks for.

use super::*;

const CODES: &str = "/api/v2/routing/wrapupcodes";

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn each_answer_tells_how_far_the_limit_is_used_up() {
    let rig = rig_with(Settings::default()).await;
    let control = rig.sim.control();
    control.set_limit(Limit::per(10, Duration::from_mins(1)));
    control.others_call(3);
    let answer = rig.get(CODES).await;
    assert_eq!(
        (
            header(&answer, "inin-ratelimit-count"),
            header(&answer, "inin-ratelimit-allowed"),
            header(&answer, "inin-ratelimit-reset")
        ),
        ("4", "10", "60")
    );
    control.others_call(100);
    let over = rig.get(CODES).await;
    assert_eq!(over.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&over, "inin-ratelimit-count"), "10");
    assert!(header(&over, "retry-after").parse::<u64>().unwrap() > 50);
    let stats = control.stats();
    assert_eq!((stats.limited, stats.busiest_window), (1, 2));
}

#[tokio::test]
async fn an_error_has_every_documented_field_and_the_id_of_its_header() {
    let rig = rig_with(Settings::default()).await;
    rig.sim
        .control()
        .set_limit(Limit::per(1, Duration::from_mins(1)));
    let fine = rig.get(CODES).await;
    assert!(Uuid::try_parse(header(&fine, "inin-correlation-id")).is_ok());
    let over = rig.get(CODES).await;
    let correlation = header(&over, "inin-correlation-id").to_owned();
    let body = body(over).await;
    for field in [
        "message",
        "code",
        "status",
        "messageWithParams",
        "messageParams",
        "contextId",
        "details",
        "errors",
    ] {
        assert!(body.get(field).is_some(), "{field}: {body}");
    }
    assert_eq!(
        (&body["code"], &body["status"]),
        (&json!("too.many.requests"), &json!(429))
    );
    assert_eq!(body["contextId"], correlation);
    let calls = rig.sim.control().calls();
    let recorded = calls.last().unwrap().correlation_id;
    assert_eq!(recorded.unwrap().to_string(), correlation);
}

#[tokio::test]
async fn a_fault_carries_the_headers_too() {
    let rig = rig_with(Settings::default()).await;
    rig.sim.control().add_fault(Fault::status(503)).unwrap();
    let answer = rig.get(CODES).await;
    assert_eq!(header(&answer, "inin-ratelimit-allowed"), "300");
    let correlation = header(&answer, "inin-correlation-id").to_owned();
    assert_eq!(body(answer).await["contextId"], correlation);
}

#[tokio::test]
async fn over_the_quota_of_a_day_retry_after_is_hours() {
    let rig = rig_with(Settings::default()).await;
    let quota = Limit::per(1, Duration::from_hours(24));
    rig.sim.control().set_quota(quota);
    assert_eq!(rig.get(CODES).await.status(), StatusCode::OK);
    let over = rig.get(CODES).await;
    assert_eq!(over.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&over, "retry-after").parse::<u64>().unwrap() > 86_000);
    assert_eq!(body(over).await["code"], "too.many.requests.retry.after");
}

#[tokio::test]
async fn the_token_endpoint_disguises_its_limit_as_a_bad_request() {
    let rig = rig_with(Settings::default()).await;
    let token_limit = json!({"token_limit": "1/1m"});
    rig.control(Method::PUT, "/limit", token_limit).await;
    assert_eq!(client_token(&rig).await.status(), StatusCode::OK);
    let over = client_token(&rig).await;
    assert_eq!(over.status(), StatusCode::BAD_REQUEST);
    let body = body(over).await;
    assert_eq!(body["error"], "invalid_request");
    let said = body["error_description"].as_str().unwrap();
    assert!(said.contains("rate limit exceeded"), "{said}");
    assert_eq!(rig.get(CODES).await.status(), StatusCode::OK);
}
