//! Codes, states, assignments, and the limit.

use super::*;

const CONNECTED: Uuid = Uuid::from_u128(1);

#[tokio::test]
async fn codes_come_page_by_page() {
    let rig = Rig::new().await;
    let first = body(rig.get("/api/v2/routing/wrapupcodes").await).await;
    assert_eq!(first["entities"].as_array().unwrap().len(), 25);
    assert_eq!(
        (
            &first["pageSize"],
            &first["pageNumber"],
            &first["pageCount"],
            &first["total"]
        ),
        (&json!(25), &json!(1), &json!(2), &json!(32))
    );
    let mut names = Vec::new();
    for page in 1..=5 {
        let path =
            format!("/api/v2/routing/wrapupcodes?divisionId=x&pageSize=10&pageNumber={page}");
        let answer = body(rig.get(&path).await).await;
        assert_eq!(answer["pageCount"], 4);
        let entities = answer["entities"].as_array().unwrap();
        names.extend(entities.iter().map(|code| code["code"].to_string()));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 32);
    for bad in [
        "pageSize=0",
        "pageSize=501",
        "pageNumber=0",
        "pageNumber=x",
        "page=1",
    ] {
        let answer = rig.get(&format!("/api/v2/routing/wrapupcodes?{bad}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn another_division_has_no_codes() {
    let settings = Settings {
        division_id: Some("ours".to_owned()),
        ..Settings::default()
    };
    let rig = Rig::with(settings).await;
    for (division, total) in [("ours", 32), ("theirs", 0)] {
        let path = format!("/api/v2/routing/wrapupcodes?divisionId={division}");
        assert_eq!(body(rig.get(&path).await).await["total"], total);
    }
}

#[tokio::test]
async fn an_interaction_takes_a_code_once_it_is_completed() {
    let rig = Rig::new().await;
    let told = Interaction::in_state(CONNECTED, "connected").for_looks(2);
    rig.sim.control().set_interaction(told).unwrap();
    let path = format!("/api/v2/interactions/{CONNECTED}");

    assert_eq!(body(rig.get(&path).await).await["state"], "connected");
    let early = rig.assign(CONNECTED, "WU_PROMPT_SUCCESS").await.unwrap();
    assert_eq!(early.status(), StatusCode::BAD_REQUEST);
    assert!(
        body(early).await["message"]
            .as_str()
            .unwrap()
            .contains("not completed")
    );
    assert_eq!(body(rig.get(&path).await).await["state"], "connected");

    let completed = body(rig.get(&path).await).await;
    assert_eq!(completed, json!({"id": CONNECTED, "state": "completed"}));
    let answer = rig.assign(CONNECTED, "WU_PROMPT_SUCCESS").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let event = body(answer).await["eventId"].as_str().unwrap().to_owned();
    let id = rig.sim.control().code_id("WU_PROMPT_SUCCESS").unwrap();
    assert_eq!(
        body(rig.get(&path).await).await["wrapUpCode"]["id"],
        id.to_string()
    );

    let received = rig.sim.control().received_for(CONNECTED);
    let [refused, taken] = &received[..] else {
        panic!("{received:?}")
    };
    assert_eq!((refused.status, refused.applied()), (Some(400), false));
    assert_eq!((taken.status, taken.applied()), (Some(200), true));
    assert_eq!(taken.event_id.unwrap().to_string(), event);
    assert_eq!(taken.code_name.as_deref(), Some("WU_PROMPT_SUCCESS"));
    assert_eq!(
        taken.wrap_up_time.as_deref(),
        Some("2026-01-31T09:30:00.000Z")
    );
}

#[tokio::test]
async fn what_is_not_there_or_not_ours_is_told_apart() {
    let settings = Settings {
        unknown: Unknown::NotFound,
        interactions: vec![Interaction::completed(CONNECTED).forbidden()],
        ..Settings::default()
    };
    let rig = Rig::with(settings).await;
    for (id, status) in [(Uuid::max(), 404), (CONNECTED, 403)] {
        let look = rig.get(&format!("/api/v2/interactions/{id}")).await;
        let write = rig.assign(id, "WU_PROMPT_SUCCESS").await.unwrap();
        assert_eq!(
            (look.status().as_u16(), write.status().as_u16()),
            (status, status)
        );
    }
    assert_eq!(
        rig.get("/api/v2/interactions/x").await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(rig.sim.control().assigned_count(), 0);
}

#[tokio::test]
async fn an_unknown_code_and_a_malformed_event_are_a_400_that_says_which() {
    let rig = Rig::new().await;
    let mut event = rig.event(CONNECTED, "WU_PROMPT_SUCCESS");
    event["wrapUpCode"]["id"] = json!(Uuid::max());
    let mut no_zone = rig.event(CONNECTED, "WU_PROMPT_SUCCESS");
    no_zone["wrapUpTime"] = json!("2026-01-31T09:30:00");
    for (event, said) in [
        (event, "not a known wrap-up code"),
        (no_zone, "wrapUpTime"),
        (json!([]), "object"),
    ] {
        let answer = rig.post_event(&event).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let answer = body(answer).await;
        assert!(
            answer["message"].as_str().unwrap().contains(said),
            "{answer}"
        );
        assert_eq!(answer["code"], "bad.request");
    }
}

#[tokio::test]
async fn over_the_limit_is_a_429_with_retry_after_and_is_remembered() {
    let rig = Rig::new().await;
    rig.sim
        .control()
        .set_limit(Limit::per(2, Duration::from_hours(1)));
    let path = format!("/api/v2/interactions/{CONNECTED}");
    assert!(rig.get(&path).await.status().is_success());
    assert_eq!(rig.ask_token(&rig.claims()).await.status(), StatusCode::OK);
    let over = rig.get(&path).await;
    assert_eq!(over.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = over.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
    let stats = rig.sim.control().stats();
    assert_eq!((stats.limited, stats.busiest_window), (1, 3));
    assert_eq!(stats.answered(Operation::State, 429), 1);
    assert!(rig.sim.control().calls().last().unwrap().limited);
}

#[tokio::test]
async fn a_path_or_method_that_the_api_lacks_is_counted() {
    let rig = Rig::new().await;
    assert_eq!(
        rig.get("/api/v2/nothing").await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        rig.get("/oauth/token").await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(rig.sim.control().stats().calls_of(Operation::Other), 2);
}

#[tokio::test]
async fn every_answer_is_dated_by_the_simulators_clock() {
    let settings = Settings::default();
    let clock = settings.clock.clone();
    let rig = Rig::with(settings).await;
    clock.step_ms(-365 * 24 * 60 * 60 * 1000);
    let answer = rig.get(&format!("/api/v2/interactions/{CONNECTED}")).await;
    let date = httpdate::parse_http_date(answer.headers()["date"].to_str().unwrap()).unwrap();
    let age = Settings::default().clock.now().0
        - i64::try_from(
            date.duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_millis(),
        )
        .unwrap();
    assert!(age > 364 * 24 * 60 * 60 * 1000);
}
