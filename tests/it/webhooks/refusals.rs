//! What is not taken, and in which order it is found out.

use wrapup::simulator::Interaction;

use super::*;

/// The head of a signed POST whose body is announced, and nothing of it.
fn head_of(body: &str) -> String {
    let request = String::from_utf8(load::framed("generic", SECRET.as_bytes(), body)).unwrap();
    request.strip_suffix(body).unwrap().to_owned()
}

#[tokio::test]
async fn a_signature_that_does_not_pass_is_401_without_a_reason() {
    let app = app("").await;
    let body = survey(Uuid::new_v4(), 10, 5);
    let right = load::signature(SECRET.as_bytes(), body.as_bytes());
    let wrong = load::signature(b"another secret", body.as_bytes());
    let cut = &right[..right.len() - 2];
    let json = ("content-type", "application/json");
    let cases: [(&str, &[(&str, &str)]); 6] = [
        ("missing", &[json]),
        ("mismatch", &[json, ("x-signature", &wrong)]),
        ("malformed", &[json, ("x-signature", cut)]),
        ("malformed", &[json, ("x-signature", "")]),
        ("malformed", &[json, ("x-signature", "sha1=00")]),
        (
            "header_repeated",
            &[
                json,
                ("x-signature", &right),
                ("x-delivery-id", "1"),
                ("x-delivery-id", "1"),
            ],
        ),
    ];
    let mut bodies = Vec::new();
    for (reason, headers) in cases {
        let before = app.metric("wrapup_signature_failures_total", reason).await;
        let answer = post(&app, "/webhooks/generic", headers, body.as_bytes()).await;
        assert_problem(&answer, 401, "unauthorized");
        let after = app.metric("wrapup_signature_failures_total", reason).await;
        assert!((after - before - 1.0).abs() < 0.1, "{reason}: {headers:?}");
        bodies.push(answer.body);
    }
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "the sender learns no reason"
    );
    // One wrong item beside the right one does no harm: senders that rotate send both.
    let both = [
        json,
        ("x-signature", wrong.as_str()),
        ("x-signature", right.as_str()),
    ];
    let accepted = post(&app, "/webhooks/generic", &both, body.as_bytes()).await;
    assert_status(&accepted, 202, "accepted");
    assert_eq!(rows(&app).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_timestamp_outside_of_the_tolerance_is_401_in_both_directions() {
    let app = app("").await;
    let body = survey(Uuid::new_v4(), 10, 5);
    for (skew, reason) in [(-310, "too_old"), (310, "too_new")] {
        let answer = post_standard(&app, "msg_1", skew, &body).await;
        assert_problem(&answer, 401, "unauthorized");
        let counted = app.metric("wrapup_signature_failures_total", reason).await;
        assert!((counted - 1.0).abs() < 0.1, "{reason}");
    }
    for (id, skew) in [("msg_2", -290), ("msg_3", 290)] {
        let answer = post_standard(&app, id, skew, &body).await;
        assert_status(&answer, 202, "accepted");
    }
    // Any header of which there can be one, missing or sent twice.
    let headers = standard_headers("msg_4", app.clock.now().as_secs(), body.as_bytes());
    let whole: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    for (index, reason) in [
        (0, ["id_missing", "header_repeated"]),
        (1, ["timestamp_missing", "header_repeated"]),
    ] {
        let mut without = whole.clone();
        let dropped = without.remove(index);
        let twice = [whole.clone(), vec![dropped]].concat();
        for (headers, reason) in [without, twice].into_iter().zip(reason) {
            let before = app.metric("wrapup_signature_failures_total", reason).await;
            let answer = post(&app, "/webhooks/standard", &headers, body.as_bytes()).await;
            assert_problem(&answer, 401, "unauthorized");
            let after = app.metric("wrapup_signature_failures_total", reason).await;
            assert!((after - before - 1.0).abs() < 0.1, "{reason}: {headers:?}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn each_source_takes_its_content_types() {
    let app = app("").await;
    for (source, content_type, taken) in [
        ("generic", Some("application/json"), true),
        ("generic", Some("Application/JSON; charset=utf-8"), true),
        ("generic", Some("application/cloudevents+json"), true),
        ("generic", None, true),
        ("generic", Some("text/plain"), false),
        ("generic", Some("application/x-www-form-urlencoded"), false),
        ("generic", Some("application/jsonp"), false),
        ("lenient", Some("text/plain;charset=utf-8"), true),
        ("lenient", Some("application/json"), false),
        ("lenient", None, false),
    ] {
        let body = survey(Uuid::new_v4(), 10, 5);
        let signature = load::signature(SECRET.as_bytes(), body.as_bytes());
        let mut headers = vec![("x-signature", signature.as_str())];
        headers.extend(content_type.map(|kind| ("content-type", kind)));
        let path = format!("/webhooks/{source}");
        let answer = post(&app, &path, &headers, body.as_bytes()).await;
        if taken {
            assert_eq!(
                answer.body["status"], "accepted",
                "{source}, {content_type:?}"
            );
        } else {
            assert_problem(&answer, 415, "unsupported-media-type");
        }
    }
    app.finish().await;
}

/// Method, path, content type, body, signature, and what answers. Each has every later fault as well.
const ORDER: [&str; 11] = [
    "PUT    /nowhere            text/plain       large none  404 not-found",
    "PUT    /webhooks/nobody    text/plain       large none  404 unknown-source",
    "POST   /webhooks/Generic   application/json small none  404 unknown-source",
    "POST   /webhooks/generic/  application/json small none  404 not-found",
    "POST   /webhooks           application/json small none  404 not-found",
    "PUT    /webhooks/generic   text/plain       large none  405 method-not-allowed",
    "DELETE /livez              text/plain       large none  405 method-not-allowed",
    "POST   /webhooks/generic   text/plain       large none  415 unsupported-media-type",
    "POST   /webhooks/generic   application/json large none  413 body-too-large",
    "POST   /webhooks/generic   application/json small none  401 unauthorized",
    "POST   /webhooks/generic   application/json small right 400 malformed-body",
];

#[tokio::test]
async fn of_several_reasons_the_first_of_the_order_answers() {
    let app = app("[server]\nmax_body = \"1KiB\"\n").await;
    for case in ORDER {
        let words: Vec<&str> = case.split_whitespace().collect();
        let [method, path, kind, size, signature, status, slug] = words[..] else {
            panic!("{case}");
        };
        let body = if size == "large" { 1025 } else { 1024 };
        let body = vec![b'x'; body];
        let right = load::signature(SECRET.as_bytes(), &body);
        let signature = if signature == "right" { &right } else { "" };
        let request = app.http.request(method.parse().unwrap(), app.url(path));
        let request = request
            .header("content-type", kind)
            .header("x-signature", signature);
        let refused = answer(request.body(body)).await;
        assert_problem(&refused, status.parse().unwrap(), slug);
        let allows = refused.headers.contains_key("allow");
        assert_eq!(allows, status == "405", "{case}");
    }
    let admin = app.admin("/api/v1/deliveries").await;
    assert_problem(&admin, 404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_chunked() {
    let app = app("[server]\nmax_body = \"1KiB\"\n").await;
    let mut announced = Wire::to(app.service.public).await;
    announced
        .send("POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n")
        .await;
    // Before a byte of the body came.
    assert_problem(&announced.answer().await, 413, "body-too-large");
    let mut chunked = Wire::to(app.service.public).await;
    chunked
        .send("POST /webhooks/generic HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    chunked.send(chunk.repeat(2)).await;
    // 1024 are within the limit; it is the next byte that is too much, and no end is waited for.
    chunked.send("1\r\nx\r\n").await;
    assert_problem(&chunked.answer().await, 413, "body-too-large");

    // Exactly at the limit, in many pieces.
    let body = survey(Uuid::new_v4(), 10, 5);
    let body = format!("{body}{}", " ".repeat(1024 - body.len()));
    let head = head_of(&body).replace("content-length: 1024", "transfer-encoding: chunked");
    let mut fits = Wire::to(app.service.public).await;
    fits.send(head).await;
    for piece in body.as_bytes().chunks(256) {
        fits.send([b"100\r\n", piece, b"\r\n"].concat()).await;
    }
    fits.send("0\r\n\r\n").await;
    assert_status(&fits.answer().await, 202, "accepted");
    app.finish().await;
}

#[tokio::test]
async fn a_body_that_is_not_complete_in_time_is_408() {
    let app = app("[server]\nrequest_timeout = \"300ms\"\n").await;
    let body = survey(Uuid::new_v4(), 10, 5);
    for sent in [0, 1, body.len() - 1] {
        let mut wire = Wire::to(app.service.public).await;
        wire.send(head_of(&body)).await;
        wire.send(&body[..sent]).await;
        assert_problem(&wire.answer().await, 408, "body-timeout");
    }
    assert!((app.metric("wrapup_webhooks_total", "timeout").await - 3.0).abs() < 0.1);
    assert_eq!(rows(&app).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn while_too_many_are_in_flight_everything_is_503_and_then_taken_again() {
    let app = app("[server]\nmax_in_flight = 1\n").await;
    let slow = survey(Uuid::new_v4(), 10, 5);
    let mut wire = Wire::to(app.service.public).await;
    wire.send(head_of(&slow)).await;
    // Unsigned, so that nothing is stored by those that come before the slow one is counted.
    let knock = async |path: &str| {
        let headers = [("content-type", "application/json")];
        post(&app, path, &headers, b"{}").await
    };
    assert!(eventually(async || knock("/webhooks/generic").await.status == 503).await);
    for path in ["/webhooks/generic", "/webhooks/nobody", "/nowhere"] {
        let refused = knock(path).await;
        assert_problem(&refused, 503, "overloaded");
        assert!(refused.headers.contains_key("retry-after"));
    }
    // Health does not queue behind webhooks.
    let live = answer(app.http.get(app.url("/livez"))).await;
    assert_eq!(live.status, 200);
    wire.send(&slow).await;
    assert_status(&wire.answer().await, 202, "accepted");
    let next = app.post(&survey(Uuid::new_v4(), 10, 5)).await;
    assert_status(&next, 202, "accepted");
    app.finish().await;
}

#[tokio::test]
async fn a_full_store_is_503_and_a_duplicate_is_told_all_the_same() {
    let app = app("[store]\nmax_pending = 2\nmax_quarantined = 1\n").await;
    let control = app.simulator.control();
    let mut first = None;
    for _ in 0..2 {
        let interaction = Uuid::new_v4();
        let waits = Interaction::in_state(interaction, "connected");
        control.set_interaction(waits).unwrap();
        let body = survey(interaction, 10, 5);
        let id = app.accepted(&body).await;
        first.get_or_insert((id, body));
    }
    let (id, body) = first.unwrap();
    let new = survey(Uuid::new_v4(), 10, 5);
    let refused = app.post(&new).await;
    assert_problem(&refused, 503, "store-full");
    assert!(refused.headers.contains_key("retry-after"));
    let again = app.post(&body).await;
    assert_status(&again, 200, "duplicate");
    assert_eq!(again.delivery(), id);
    // Unsigned, and nobody learns about the store.
    let unsigned = [("content-type", "application/json")];
    let unsigned = post(&app, "/webhooks/generic", &unsigned, new.as_bytes()).await;
    assert_problem(&unsigned, 401, "unauthorized");

    let kept = app.post("{}").await;
    assert_problem(&kept, 422, "invalid-survey");
    let refused = app.post("[]").await;
    assert_problem(&refused, 503, "store-full");
    assert!(refused.headers.contains_key("retry-after"));
    let again = app.post("{}").await;
    assert_problem(&again, 422, "invalid-survey");
    assert_eq!(again.delivery(), kept.delivery());

    // Room again, and the refused survey is taken when its sender tries again.
    let interaction = app.record(id).await.interaction.unwrap().0;
    control
        .set_interaction(Interaction::completed(interaction))
        .unwrap();
    app.skip(std::time::Duration::from_secs(40));
    app.reaches(id, State::Assigned).await;
    assert_status(&app.post(&new).await, 202, "accepted");
    app.finish().await;
}
