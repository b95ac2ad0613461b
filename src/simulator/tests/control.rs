//! The control API, the handle, and stopping.

use super::*;

const ID: Uuid = Uuid::from_u128(3);

#[tokio::test]
async fn faults_are_added_listed_and_removed_over_http() {
    let rig = Rig::new().await;
    let faults =
        json!([{"on": "state", "status": 503, "times": 2}, {"kind": "drop", "interaction": ID}]);
    let (status, added) = rig.control(Method::POST, "/faults", faults).await;
    assert_eq!(
        (status, added),
        (StatusCode::CREATED, json!({"ids": [1, 2]}))
    );
    assert_eq!(
        rig.get(&format!("/api/v2/interactions/{}", Uuid::max()))
            .await
            .status()
            .as_u16(),
        503
    );
    let (_, listed) = rig.control(Method::GET, "/faults", Value::Null).await;
    assert_eq!(
        (&listed[0]["left"], &listed[0]["struck"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        rig.control(Method::DELETE, "/faults/2", Value::Null)
            .await
            .0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        rig.control(Method::DELETE, "/faults/2", Value::Null)
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    for bad in [
        json!({"stattus": 500}),
        json!([{"status": 500}, {"status": 5}]),
    ] {
        let (status, said) = rig.control(Method::POST, "/faults", bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(said["message"].as_str().unwrap().contains("stat"));
    }
    assert_eq!(rig.sim.control().faults().len(), 1);
}

#[tokio::test]
async fn interactions_codes_limit_and_tokens_change_over_http() {
    let rig = Rig::new().await;
    let told = json!([{"id": ID, "code": "WU_PROMPT_GENERAL", "state": "connected"}]);
    assert_eq!(
        rig.control(Method::POST, "/interactions", told).await.0,
        StatusCode::NO_CONTENT
    );
    let path = format!("/interactions/{ID}");
    let (_, shown) = rig.control(Method::GET, &path, Value::Null).await;
    assert_eq!(
        (&shown["codeName"], &shown["standing"]["state"]),
        (&json!("WU_PROMPT_GENERAL"), &json!("connected"))
    );
    assert_eq!(
        rig.control(Method::DELETE, &path, Value::Null).await.0,
        StatusCode::NO_CONTENT
    );
    let (status, _) = rig
        .control(
            Method::POST,
            "/interactions",
            json!({"id": ID, "code": "WU_NO"}),
        )
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let code = json!({"id": ID, "code": "WU_NEW", "name": "New"});
    assert_eq!(
        rig.control(Method::POST, "/codes", code).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(rig.sim.control().code_id("WU_NEW"), Some(ID));
    assert_eq!(
        rig.control(Method::DELETE, "/codes/WU_NEW", Value::Null)
            .await
            .0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(rig.sim.control().code_id("WU_NEW"), None);

    let set = rig
        .control(Method::PUT, "/limit", json!({"limit": "7/1m"}))
        .await;
    assert_eq!(set.0, StatusCode::NO_CONTENT);
    assert_eq!(
        rig.control(Method::GET, "/limit", Value::Null).await.1,
        json!({"limit": "7/1m", "quota": "off", "token_limit": "off"})
    );

    let tokens = json!({"lifetime": "2s", "scopes": ["interaction:view"]});
    assert_eq!(
        rig.control(Method::POST, "/tokens", tokens).await.0,
        StatusCode::NO_CONTENT
    );
    let token = body(rig.ask_token(&rig.claims()).await).await;
    assert_eq!(
        (&token["expires_in"], &token["scope"]),
        (&json!(2), &json!("interaction:view"))
    );
    assert_eq!(
        rig.control(Method::DELETE, "/tokens", Value::Null).await.1,
        json!({"revoked": 2})
    );
}

#[tokio::test]
async fn what_was_received_is_told_in_pages_and_filtered() {
    let rig = Rig::new().await;
    for n in 0..5 {
        rig.assign(Uuid::from_u128(n), "WU_PROMPT_SUCCESS")
            .await
            .unwrap();
    }
    rig.assign(ID, "WU_PROMPT_GENERAL").await.unwrap();
    let ask = async |query: &str| {
        rig.control(Method::GET, &format!("/received?{query}"), Value::Null)
            .await
            .1
    };
    let page = ask("limit=2").await;
    assert_eq!(
        (&page["next"], &page["more"], &page["forgotten"]),
        (&json!(2), &json!(true), &json!(0))
    );
    let rest = ask("since=2").await;
    assert_eq!(
        (rest["entries"].as_array().unwrap().len(), &rest["more"]),
        (4, &json!(false))
    );
    assert_eq!(rest["entries"][3]["codeName"], "WU_PROMPT_GENERAL");
    for (query, count) in [
        (format!("interaction={ID}"), 2),
        ("code=WU_PROMPT_SUCCESS".to_owned(), 5),
        ("applied=false".to_owned(), 0),
        ("status=200".to_owned(), 6),
    ] {
        assert_eq!(
            ask(&query).await["entries"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
    let (_, calls) = rig
        .control(Method::GET, "/calls?operation=assign", Value::Null)
        .await;
    assert_eq!(calls["entries"].as_array().unwrap().len(), 6);
    let (_, stats) = rig.control(Method::GET, "/stats", Value::Null).await;
    assert_eq!(
        (&stats["calls"]["assign"]["200"], &stats["assigned"]),
        (&json!(6), &json!(6))
    );
}

#[tokio::test]
async fn the_control_api_is_neither_limited_nor_recorded_nor_faulted() {
    let rig = Rig::new().await;
    let control = rig.sim.control();
    control.set_limit(Limit::per(1, Duration::from_hours(1)));
    control.add_fault(Fault::of(Kind::Drop)).unwrap();
    for _ in 0..3 {
        assert_eq!(
            rig.control(Method::GET, "", Value::Null).await.0,
            StatusCode::OK
        );
    }
    assert_eq!(
        rig.control(Method::GET, "/nothing", Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(control.stats().calls_of(Operation::Other), 0);
}

#[tokio::test]
async fn a_reset_brings_the_script_back() {
    let settings = Settings {
        interactions: vec![Interaction::in_state(ID, "connected")],
        faults: vec![Fault::status(500).on(Operation::Codes).times(1)],
        ..Settings::default()
    };
    let rig = Rig::with(settings).await;
    let control = rig.sim.control();
    control.set_interaction(Interaction::completed(ID)).unwrap();
    control.remove_code("WU_PROMPT_GENERAL");
    assert_eq!(
        rig.get("/api/v2/routing/wrapupcodes")
            .await
            .status()
            .as_u16(),
        500
    );
    assert_eq!(
        rig.control(Method::POST, "/reset", Value::Null).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(control.interaction(ID).unwrap().state, "connected");
    assert!(control.code_id("WU_PROMPT_GENERAL").is_some());
    assert_eq!((control.faults().len(), control.calls().len()), (1, 0));
    assert_eq!(
        (control.faults()[0].id, control.stats().faults_struck),
        (1, 0)
    );
    let stale = rig.get(&format!("/api/v2/interactions/{ID}")).await;
    assert_eq!(stale.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn memory_has_an_end_and_the_log_says_what_it_forgot() {
    let settings = Settings {
        max_received: 3,
        max_interactions: 4,
        ..Settings::default()
    };
    let rig = Rig::with(settings).await;
    for n in 0..5 {
        let answer = rig
            .assign(Uuid::from_u128(n), "WU_PROMPT_SUCCESS")
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), if n < 4 { 200 } else { 507 });
    }
    let page = rig
        .sim
        .control()
        .received_since(0, 10, ReceivedFilter::default());
    assert_eq!((page.entries.len(), page.forgotten), (3, 2));
}

#[tokio::test]
async fn waiting_ends_when_it_happens_or_says_how_things_stand() {
    let rig = Rig::new().await;
    let control = rig.sim.control();
    let wait = control.wait_for(|control| control.assigned(ID).is_some(), PATIENCE);
    let (waited, answer) = tokio::join!(wait, rig.assign(ID, "WU_PROMPT_SUCCESS"));
    waited.unwrap();
    answer.unwrap();
    let never = control.wait_for(|_| false, Duration::from_millis(1)).await;
    assert_eq!(never.unwrap_err().stats.assigned, 1);
}

#[tokio::test]
async fn a_stopped_simulator_refuses_connections_until_it_listens_again() {
    let rig = Rig::new().await;
    let path = format!("/api/v2/interactions/{ID}");
    rig.assign(ID, "WU_PROMPT_SUCCESS").await.unwrap();
    rig.sim.stop().await;
    assert!(rig.try_get(&path).await.unwrap_err().is_connect());
    assert_eq!(rig.sim.control().received().len(), 1);
    rig.sim.listen_again().await.unwrap();
    assert!(body(rig.get(&path).await).await["wrapUpCode"].is_object());
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_caller_that_reads_slowly() {
    let rig = Rig::new().await;
    let slow = Fault {
        every: Some(crate::units::Span(Duration::from_mins(1))),
        ..Fault::of(Kind::SlowBody)
    };
    rig.sim.control().add_fault(slow).unwrap();
    let answer = rig.get(&format!("/api/v2/interactions/{ID}")).await;
    tokio::time::timeout(PATIENCE, rig.sim.stop())
        .await
        .unwrap();
    assert!(answer.bytes().await.is_err());
}
