//! Each kind of fault, as a caller meets it.

use super::*;
use crate::units::{Size, Span};

const ID: Uuid = Uuid::from_u128(2);
const STATE: &str = "/api/v2/interactions/00000000-0000-0000-0000-000000000002";

async fn rig(fault: Fault) -> Rig {
    let rig = Rig::new().await;
    rig.sim.control().add_fault(fault.times(1)).unwrap();
    rig
}

async fn text(answer: Response) -> String {
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_status_comes_with_body_and_headers_and_without_the_effect() {
    let fault = Fault {
        headers: [("X-Why".to_owned(), "told so".to_owned())].into(),
        ..Fault::status(503)
    };
    let fault = fault
        .on(Operation::Assign)
        .body("busy")
        .retry_after(RetryAfter::Seconds(7));
    let rig = rig(fault).await;
    assert!(rig.get(STATE).await.status().is_success());
    let answer = rig.assign(ID, "WU_PROMPT_SUCCESS").await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.headers()["x-why"], "told so");
    assert_eq!(text(answer).await, "busy");
    assert_eq!(rig.sim.control().assigned(ID), None);
    assert!(
        rig.assign(ID, "WU_PROMPT_SUCCESS")
            .await
            .unwrap()
            .status()
            .is_success()
    );
}

#[tokio::test]
async fn after_the_effect_the_write_happened_though_the_answer_was_lost() {
    for fault in [
        Fault::status(500).after(),
        Fault::of(Kind::Drop).after(),
        Fault::of(Kind::DropMidBody),
    ] {
        let kind = fault.kind();
        let rig = rig(fault.on(Operation::Assign)).await;
        let answered = rig.assign(ID, "WU_PROMPT_GENERAL").await;
        let lost = match answered {
            Err(_) => true,
            Ok(answer) => answer.status().is_server_error() || answer.bytes().await.is_err(),
        };
        assert!(lost, "{kind:?}");
        assert_eq!(
            rig.sim.control().assigned(ID).as_deref(),
            Some("WU_PROMPT_GENERAL")
        );
        let received = rig.sim.control().received();
        assert!(received[0].applied() && received[0].fault == Some(kind));
        assert_eq!(received[0].status.is_none(), kind == Kind::Drop);
    }
}

#[tokio::test]
async fn a_dropped_connection_gives_no_answer_and_has_no_effect() {
    let rig = rig(Fault::of(Kind::Drop).on(Operation::Assign)).await;
    assert!(rig.assign(ID, "WU_PROMPT_GENERAL").await.is_err());
    assert_eq!(rig.sim.control().assigned(ID), None);
    let stats = rig.sim.control().stats();
    assert_eq!(stats.calls[&Operation::Assign]["none"], 1);
    assert_eq!((stats.faults, stats.faults_struck), (0, 1));
}

#[tokio::test]
async fn a_drop_in_mid_body_shows_status_and_half_the_body() {
    let rig = rig(Fault::of(Kind::DropMidBody)).await;
    let mut answer = rig.get(STATE).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let promised = answer.content_length().unwrap();
    let half = answer.chunk().await.unwrap().unwrap();
    assert_eq!(u64::try_from(half.len()).unwrap(), promised / 2);
    assert!(answer.chunk().await.is_err());
}

#[tokio::test]
async fn spoilt_bodies_are_spoilt_as_named() {
    for kind in [Kind::Malformed, Kind::Truncated] {
        let answer = text(rig(Fault::of(kind)).await.get(STATE).await).await;
        assert!(
            serde_json::from_str::<Value>(&answer).is_err(),
            "{kind:?}: {answer}"
        );
        assert!(answer.starts_with('{'));
    }
    let answer = rig(Fault::of(Kind::WrongContentType))
        .await
        .get(STATE)
        .await;
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert!(text(answer).await.starts_with("<!doctype html>"));

    let rig = rig(Fault::of(Kind::NoEventId).on(Operation::Assign)).await;
    let answer = rig.assign(ID, "WU_PROMPT_GENERAL").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(body(answer).await.get("eventId"), None);
    assert!(rig.sim.control().assigned(ID).is_some());
}

#[tokio::test]
async fn an_oversized_body_is_as_large_as_told() {
    let fault = Fault {
        size: Some(Size(100_000)),
        ..Fault::of(Kind::Oversized)
    };
    let answer = text(rig(fault).await.get(STATE).await).await;
    assert!(answer.len() > 100_000 && serde_json::from_str::<Value>(&answer).is_ok());
}

#[tokio::test]
async fn a_slow_body_trickles_and_arrives_whole() {
    let fault = Fault {
        every: Some(Span(Duration::from_millis(1))),
        ..Fault::of(Kind::SlowBody)
    };
    let rig = rig(fault).await;
    let started = tokio::time::Instant::now();
    let answer = text(rig.get(STATE).await).await;
    assert_eq!(answer, format!(r#"{{"id":"{ID}","state":"completed"}}"#));
    assert!(started.elapsed() >= Duration::from_millis(u64::try_from(answer.len()).unwrap()));
}

#[tokio::test]
async fn a_redirect_points_elsewhere() {
    let answer = rig(Fault::of(Kind::Redirect)).await.get(STATE).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "/elsewhere");
}

#[tokio::test]
async fn retry_after_can_be_a_date_ahead_of_the_answers_own() {
    let date_in = Span(Duration::from_secs(90));
    let fault = Fault::status(429).retry_after(RetryAfter::Date { date_in });
    let answer = rig(fault).await.get(STATE).await;
    let date =
        |name: &str| httpdate::parse_http_date(answer.headers()[name].to_str().unwrap()).unwrap();
    let ahead = date("retry-after").duration_since(date("date")).unwrap();
    assert!((89..=91).contains(&ahead.as_secs()), "{ahead:?}");
}

#[tokio::test]
async fn latency_delays_the_answer_and_the_effect_is_before_or_after_it() {
    let latency = Duration::from_millis(200);
    let hour = Duration::from_hours(1);
    let rig = rig(Fault::latency(latency)).await;
    let started = tokio::time::Instant::now();
    assert!(rig.get(STATE).await.status().is_success());
    assert!(started.elapsed() >= latency);

    // The effect is there while the answer is still held back; the caller goes away, and the call is recorded.
    let control = rig.sim.control();
    control
        .add_fault(Fault::latency(hour).after().on(Operation::Assign))
        .unwrap();
    let call = rig.assign(ID, "WU_PROMPT_SUCCESS");
    let happened = control.wait_for(|control| control.assigned_count() == 1, PATIENCE);
    tokio::select! {
        _ = call => panic!("answered"),
        happened = happened => happened.unwrap(),
    }
    assert!(control.received().is_empty());
    control
        .wait_for(|control| control.received().len() == 1, PATIENCE)
        .await
        .unwrap();
    let received = &control.received()[0];
    assert!(received.applied() && received.status.is_none());
}

#[tokio::test]
async fn a_call_is_held_until_the_fault_is_removed() {
    let rig = Rig::new().await;
    let control = rig.sim.control();
    let endless = Fault::latency(Duration::from_hours(1));
    for clears in [false, true] {
        let id = control.add_fault(endless.clone()).unwrap();
        let struck = control.stats().faults_struck + 1;
        let (answer, ()) = tokio::join!(rig.get(STATE), async {
            while control.stats().faults_struck < struck {
                tokio::task::yield_now().await;
            }
            if clears {
                control.clear_faults();
            } else {
                assert!(control.remove_fault(id));
            }
        });
        assert!(answer.status().is_success());
    }
}

#[tokio::test]
async fn a_fault_can_concern_one_interaction_or_one_operation() {
    let rig = Rig::new().await;
    let control = rig.sim.control();
    control.add_fault(Fault::status(500).about(ID)).unwrap();
    control
        .add_fault(Fault::status(502).on(Operation::Token))
        .unwrap();
    assert_eq!(rig.get(STATE).await.status().as_u16(), 500);
    assert_eq!(
        rig.assign(ID, "WU_PROMPT_GENERAL")
            .await
            .unwrap()
            .status()
            .as_u16(),
        500
    );
    assert!(
        rig.assign(Uuid::max(), "WU_PROMPT_GENERAL")
            .await
            .unwrap()
            .status()
            .is_success()
    );
    assert_eq!(rig.ask_token(&rig.claims()).await.status().as_u16(), 502);
    control.clear_faults();
    assert!(rig.get(STATE).await.status().is_success());
}
