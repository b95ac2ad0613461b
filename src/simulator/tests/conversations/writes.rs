//! Wrapping up, reading back, and each way to be refused.

use super::*;

/// Writes show at once.
async fn prompt(script: &str) -> Rig {
    let mut settings = told(script);
    settings.appears_after = Span(Duration::ZERO);
    rig_with(settings).await
}

fn code(rig: &Rig, name: &str) -> Uuid {
    rig.sim.control().code_id(name).unwrap()
}

#[tokio::test]
async fn a_write_is_accepted_with_an_empty_body_and_read_back() {
    let rig = prompt("").await;
    let seen = conversation(&rig, "x").await;
    let path = wrapup_path(&seen, 2, "calls");
    assert_eq!(body(rig.get(&path).await).await, json!({}));
    let success = code(&rig, "WU_PROMPT_SUCCESS");
    let sent = json!({"code": success, "notes": "NPS 10", "durationSeconds": 3});
    let answer = post(&rig, &path, &sent).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.text().await.unwrap(), "");
    let back = body(rig.get(&path).await).await;
    assert_eq!(
        (&back["code"], &back["notes"]),
        (&json!(success), &json!("NPS 10"))
    );
    let seen = conversation(&rig, "x").await;
    let agent = &seen["participants"][2];
    assert_eq!(agent["calls"][0]["wrapup"]["code"], json!(success));
    assert_eq!(agent["wrapup"]["code"], json!(success));

    let control = rig.sim.control();
    assert_eq!(
        control.assigned(id_of("x")).as_deref(),
        Some("WU_PROMPT_SUCCESS")
    );
    let received = control.received_for(id_of("x"));
    let [write] = &received[..] else {
        panic!("{received:?}")
    };
    assert!(write.applied());
    assert_eq!(write.code_name.as_deref(), Some("WU_PROMPT_SUCCESS"));
    assert_eq!(write.notes.as_deref(), Some("NPS 10"));
    let leg = write.leg.as_ref().unwrap();
    assert_eq!(
        (&*leg.media, json!(leg.participant)),
        ("calls", agent["id"].clone())
    );
    let calls = control.calls();
    let call = calls
        .iter()
        .find(|call| call.operation == Operation::Assign)
        .unwrap();
    assert_eq!((&*call.method, &*call.path), ("POST", path.as_str()));
}

#[tokio::test]
async fn a_write_shows_on_reads_only_after_a_while() {
    let mut settings = told("");
    let after = Duration::from_secs(1);
    settings.appears_after = Span(after);
    let rig = rig_with(settings).await;
    let path = wrapup_path(&conversation(&rig, "x").await, 2, "calls");
    let success = code(&rig, "WU_PROMPT_SUCCESS");
    let written = tokio::time::Instant::now();
    post(&rig, &path, &json!({"code": success})).await;
    let mut looks = 0;
    while body(rig.get(&path).await).await != json!({"code": success, "tags": []}) {
        looks += 1;
        assert!(written.elapsed() < PATIENCE, "it never showed");
    }
    assert!(written.elapsed() >= after && looks > 0);
}

#[tokio::test]
async fn a_write_can_be_lost_or_arrive_twice_or_late() {
    let rig = prompt("").await;
    let control = rig.sim.control();
    let success = code(&rig, "WU_PROMPT_SUCCESS");
    let hour = Span(Duration::from_hours(1));
    let late = Fault {
        appears_after: Some(hour),
        ..Fault::of(Kind::Late)
    };
    for (word, fault, writes, shows) in [
        ("lost", Fault::of(Kind::Lost), 0, false),
        ("twice", Fault::of(Kind::Twice), 2, true),
        ("late", late, 1, false),
    ] {
        let id = id_of(word);
        let fault = fault.on(Operation::Assign).about(id).times(1);
        control.add_fault(fault).unwrap();
        let path = wrapup_path(&conversation(&rig, word).await, 2, "calls");
        let answer = post(&rig, &path, &json!({"code": success})).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{word}");
        let back = body(rig.get(&path).await).await;
        assert_eq!(back.get("code").is_some(), shows, "{word}");
        let standing = control.conversation(id);
        assert_eq!(
            standing.map_or(0, |standing| standing.writes),
            writes,
            "{word}"
        );
        assert_eq!(control.received_for(id)[0].applied(), writes > 0, "{word}");
    }
}

#[tokio::test]
async fn media_participant_and_communication_must_be_of_the_conversation() {
    let script = "
        [[conversation]]
        id = 'x'
        legs = [{ user = 'anna' }, { user = 'ben', media = 'callbacks' }]
        [[conversation]]
        id = 'foreign'
        forbidden = true
    ";
    let rig = prompt(script).await;
    let seen = conversation(&rig, "x").await;
    let good = wrapup_path(&seen, 0, "calls");
    let anna = seen["participants"][0]["id"].as_str().unwrap();
    let ben = seen["participants"][1]["id"].as_str().unwrap();
    let elsewhere = good.replace(&id_of("x").to_string(), &id_of("foreign").to_string());
    let nobody = Uuid::nil().to_string();
    for (path, status, code) in [
        (good.replace("/calls/", "/letters/"), 404, "not.found"),
        (good.replace("/calls/", "/callbacks/"), 404, "not.found"),
        (good.replace(anna, ben), 404, "not.found"),
        (
            good.replace(anna, &nobody),
            404,
            "conversation.error.not.conversation.participant",
        ),
        (elsewhere, 403, "not.authorized"),
    ] {
        let answer = post(&rig, &path, &json!({"code": Uuid::nil()})).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(body(answer).await["code"], code, "{path}");
    }
    assert_eq!(rig.sim.control().assigned_count(), 0);
}

#[tokio::test]
async fn only_the_documented_fields_are_taken_and_a_code_is_needed() {
    let rig = prompt("").await;
    let path = wrapup_path(&conversation(&rig, "x").await, 2, "calls");
    let success = code(&rig, "WU_PROMPT_SUCCESS");
    for (sent, code, said) in [
        (json!({}), "conversation.error.wrapup.code.required", "code"),
        (json!({"code": success, "note": "x"}), "bad.request", "note"),
        (json!({"code": success, "tags": [1]}), "bad.request", "tags"),
        (
            json!({"code": success, "endTime": "now"}),
            "bad.request",
            "endTime",
        ),
        (json!({"code": "WU_PROMPT_SUCCESS"}), "bad.request", "code"),
        (json!({"code": Uuid::max()}), "bad.request", "wrap-up code"),
    ] {
        let answer = post(&rig, &path, &sent).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{sent}");
        let body = body(answer).await;
        assert_eq!(body["code"], code, "{sent}");
        assert!(body["message"].as_str().unwrap().contains(said), "{body}");
    }
    let whole = json!({
        "code": success, "name": "x", "notes": "x", "tags": ["x"], "durationSeconds": 1,
        "endTime": "2026-01-31T09:30:00.000Z", "provisional": false,
    });
    assert_eq!(
        post(&rig, &path, &whole).await.status(),
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn only_an_agent_of_an_ended_conversation_is_wrapped_up() {
    let script = "
        [[conversation]]
        id = 'open'
        open = true
        [[conversation]]
        id = 'nobody'
        legs = [{ purpose = 'customer' }, { queue = 'sales' }]
    ";
    let rig = prompt(script).await;
    let success = code(&rig, "WU_PROMPT_SUCCESS");
    for (word, participant) in [("open", 2), ("nobody", 0), ("nobody", 1)] {
        let path = wrapup_path(&conversation(&rig, word).await, participant, "calls");
        let answer = post(&rig, &path, &json!({"code": success})).await;
        assert_eq!(
            answer.status(),
            StatusCode::BAD_REQUEST,
            "{word} {participant}"
        );
    }
}

#[tokio::test]
async fn a_queue_has_its_own_codes() {
    let script = "
        [[queue]]
        id = 'sales'
        codes = ['WU_PROMPT_GENERAL']
        [[conversation]]
        id = 'x'
        legs = [{ user = 'anna', queue = 'sales' }, { user = 'ben', queue = 'support' }]
    ";
    let rig = prompt(script).await;
    let seen = conversation(&rig, "x").await;
    for (participant, all) in [(0, 1), (1, 32)] {
        let id = seen["participants"][participant]["id"].as_str().unwrap();
        let path = format!(
            "/api/v2/conversations/{}/participants/{id}/wrapupcodes",
            id_of("x")
        );
        let allowed = body(rig.get(&path).await).await;
        assert_eq!(allowed.as_array().unwrap().len(), all);
    }
    for (name, status) in [("WU_PROMPT_SUCCESS", 400), ("WU_PROMPT_GENERAL", 202)] {
        let path = wrapup_path(&seen, 0, "calls");
        let answer = post(&rig, &path, &json!({"code": code(&rig, name)})).await;
        assert_eq!(answer.status().as_u16(), status, "{name}");
    }
}

#[tokio::test]
async fn an_organisation_can_refuse_clients_that_are_no_user() {
    let mut rig = prompt("apps_wrap_up = false").await;
    let path = wrapup_path(&conversation(&rig, "x").await, 2, "calls");
    let sent = json!({"code": code(&rig, "WU_PROMPT_SUCCESS")});
    let refused = post(&rig, &path, &sent).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body(refused).await["code"], "not.a.user");
    rig.token = rig.fresh_token().await;
    assert_eq!(
        post(&rig, &path, &sent).await.status(),
        StatusCode::ACCEPTED
    );
}
