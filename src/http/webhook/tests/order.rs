//! Which of several answers is given, and what happens when a client or the service leaves.

use std::future::Future;
use std::task::Poll;

use super::*;
use crate::store::Error;

/// Polls it once, which is enough to begin.
async fn begin<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn the_first_check_that_fails_answers() {
    let desk = desk();
    *desk.store.fails.lock().unwrap() = Some(Error::Unavailable(String::new()));
    let large = " ".repeat(MAX_BODY + 1);
    let request = |method: &str, path: &str, content_type: &str, body: Body| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(body)
            .unwrap()
    };
    // Each has the fault that its answer names, and every later one.
    let everything_wrong = || Body::from(large.clone());
    let cases = [
        (
            "PUT",
            "/webhooks/nobody",
            "text/plain",
            everything_wrong(),
            404,
        ),
        (
            "PUT",
            "/webhooks/strict",
            "text/plain",
            everything_wrong(),
            405,
        ),
        (
            "POST",
            "/webhooks/strict",
            "text/plain",
            everything_wrong(),
            415,
        ),
        (
            "POST",
            "/webhooks/strict",
            "application/json",
            everything_wrong(),
            413,
        ),
        (
            "POST",
            "/webhooks/strict",
            "application/json",
            Body::from("no"),
            401,
        ),
    ];
    for (method, path, content_type, body, status) in cases {
        let answer = desk.send(request(method, path, content_type, body)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    // What cannot be kept is not refused for its content: the sender shall bring it again.
    assert_eq!(desk.post("strict", "no").await.status, 503);
}

#[tokio::test]
async fn a_duplicate_is_told_even_when_the_store_is_full() {
    let desk = desk();
    let first = desk.post("strict", &survey(10)).await;
    *desk.store.full.lock().unwrap() = Some(Error::TooManyPending(1));
    desk.post("strict", &survey(9))
        .await
        .is_problem(503, "store-full");
    let again = desk.post("strict", &survey(10)).await;
    assert_eq!((again.status, again.delivery()), (200, first.delivery()));
}

#[tokio::test]
async fn beyond_the_limit_in_flight_everything_but_health_is_503() {
    let desk = desk_with(Limits {
        max_body: MAX_BODY,
        request_timeout: SOON,
        max_in_flight: 1,
    });
    let request = desk.signed("strict", "{").body(stuck()).unwrap();
    let mut holding = std::pin::pin!(desk.send(request));
    begin(holding.as_mut()).await;
    desk.post("strict", &survey(10))
        .await
        .is_problem(503, "overloaded");
    desk.counted("strict", "overloaded", 1);
    for path in ["/webhooks/nobody", "/nothing"] {
        let request = Request::put(path).body(Body::empty()).unwrap();
        desk.send(request).await.is_problem(503, "overloaded");
    }
    let request = Request::get("/livez").body(Body::empty()).unwrap();
    assert_eq!(desk.send(request).await.status, 200);
}

#[tokio::test]
async fn after_the_listener_closed_late_requests_are_sent_elsewhere() {
    let desk = desk();
    desk.lifecycle.draining.cancel();
    let answer = desk.post("strict", &survey(10)).await;
    assert_eq!(answer.status, 202, "draining still takes webhooks");
    desk.closing.cancel();
    let answer = desk.post("strict", &survey(9)).await;
    answer.is_problem(503, "shutting-down");
    assert_eq!(answer.headers["connection"], "close");
    desk.counted("strict", "unavailable", 1);
}

#[tokio::test]
async fn a_client_that_leaves_after_the_body_changes_nothing() {
    let desk = desk();
    desk.store.commits.forget_permits(1000);
    let body = survey(10);
    let request = desk.signed("strict", &body).body(Body::from(body));
    {
        let mut leaving = std::pin::pin!(desk.send(request.unwrap()));
        tokio::select! {
            biased;
            _ = &mut leaving => panic!("answered before the commit"),
            () = desk.store.handed_over.notified() => {}
        }
    }
    desk.store.commits.add_permits(1);
    tokio::time::timeout(SOON, desk.wake.notified())
        .await
        .unwrap();
    tokio::time::timeout(SOON, desk.lifecycle.finished())
        .await
        .unwrap();
    assert_eq!(desk.rows(), 1);
    desk.counted("strict", "accepted", 1);
}

#[tokio::test]
async fn a_panic_is_a_problem_too() {
    let desk = desk();
    // A lock that a panic has poisoned makes the fake store's `unwrap` panic.
    let store = Arc::clone(&desk.store);
    let poison = std::thread::spawn(move || {
        let _held = store.rows.lock().unwrap();
        panic!("on purpose");
    });
    assert!(poison.join().is_err());
    desk.post("strict", &survey(10))
        .await
        .is_problem(500, "internal");
}
