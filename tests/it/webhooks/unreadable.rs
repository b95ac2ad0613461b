//! Authentic surveys that cannot be read: refused with every problem and kept.

use super::*;

/// Stands in every answer of these surveys, and may stand in no answer of ours.
const CANARY: &str = "canary-5ff1d0";

#[tokio::test]
async fn every_problem_of_every_field_is_told_and_never_a_value() {
    let app = app("").await;
    let body = format!(
        r#"{{"interactionId":"{CANARY}","csat_score":"{CANARY}","nps_score":{{"{CANARY}":1}},"issue_type":["{CANARY}"]}}"#
    );
    let answer = app.post(&body).await;
    assert_problem(&answer, 422, "invalid-survey");
    let told: Vec<_> = answer.body["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            assert!(problem["message"].is_string(), "{problem}");
            ["field", "path", "type"].map(|key| problem[key].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [
        ["csat_score", "$.csat_score", "number"],
        ["interaction_id", "$.interactionId", "uuid"],
        ["issue_type", "$.issue_type", "string"],
        ["nps_score", "$.nps_score", "number"],
    ];
    assert_eq!(told, expected);
    assert!(!answer.body.to_string().contains(CANARY), "{answer:?}");
    app.reaches(answer.delivery(), State::Quarantined).await;
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_survey_at_all_is_400_or_422_and_kept_once() {
    let app = app("").await;
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        let interaction = Uuid::new_v4();
        format!(r#"{{"interactionId":"{interaction}","deep":{open}{close}}}"#).into_bytes()
    };
    let accepted = post_signed(&app, "generic", &deep(128)).await;
    assert_status(&accepted, 202, "accepted");
    let cases: [(&str, Vec<u8>, u16, &str); 8] = [
        ("nested too deep", deep(129), 400, "malformed-body"),
        (
            "not UTF-8",
            b"{\"interactionId\":\"\xff\"}".into(),
            400,
            "malformed-body",
        ),
        ("not JSON", b"interactionId=1".into(), 400, "malformed-body"),
        (
            "cut off",
            b"{\"interactionId\":".into(),
            400,
            "malformed-body",
        ),
        ("nothing", b"".into(), 400, "malformed-body"),
        ("another shape", b"[1]".into(), 422, "invalid-survey"),
        (
            "a bare text",
            b"\"canary-5ff1d0\"".into(),
            422,
            "invalid-survey",
        ),
        ("no fields", b"{}".into(), 422, "invalid-survey"),
    ];
    for (index, (what, body, status, slug)) in (2..).zip(cases) {
        let first = post_signed(&app, "generic", &body).await;
        assert_problem(&first, status, slug);
        assert!(!first.body.to_string().contains(CANARY), "{what}");
        let again = post_signed(&app, "generic", &body).await;
        assert_problem(&again, status, slug);
        assert_eq!(again.delivery(), first.delivery(), "{what}");
        assert_eq!(rows(&app).await, index, "{what}");
        app.reaches(first.delivery(), State::Quarantined).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn corrected_under_the_same_id_it_becomes_the_delivery_that_was_kept() {
    let app = app("").await;
    let id = [("x-delivery-id", "7")];
    let interaction = Uuid::new_v4();
    let kept = app.post_with(r#"{"nps_score":10}"#, &id).await;
    assert_problem(&kept, 422, "invalid-survey");
    let corrected = survey(interaction, 10, 5);
    let accepted = app.post_with(&corrected, &id).await;
    assert_status(&accepted, 202, "accepted");
    assert_eq!(accepted.delivery(), kept.delivery());
    app.reaches(kept.delivery(), State::Assigned).await;
    assert_eq!(rows(&app).await, 1);
    let again = app.post_with(&corrected, &id).await;
    assert_status(&again, 200, "duplicate");
    // With a signed id as well.
    let kept = post_standard(&app, "msg_1", 0, "{}").await;
    assert_problem(&kept, 422, "invalid-survey");
    let accepted = post_standard(&app, "msg_1", 1, &survey(interaction, 3, 5)).await;
    assert_status(&accepted, 202, "accepted");
    assert_eq!(accepted.delivery(), kept.delivery());
    app.finish().await;
}

#[tokio::test]
async fn it_is_never_told_as_kept_where_another_of_its_id_was_accepted() {
    let app = app("").await;
    let id = [("x-delivery-id", "8")];
    let accepted = app.post_with(&survey(Uuid::new_v4(), 10, 5), &id).await;
    assert_status(&accepted, 202, "accepted");
    let unreadable = app.post_with(r#"{"nps_score":9}"#, &id).await;
    assert_status(&unreadable, 200, "duplicate");
    assert_eq!(unreadable.delivery(), accepted.delivery());
    assert_eq!(rows(&app).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn the_same_bytes_are_accepted_once_the_mapping_is_mended() {
    let app = app("").await;
    let interaction = Uuid::new_v4();
    let body = format!(r#"{{"conversation":"{interaction}","nps_score":10,"csat_score":5}}"#);
    let kept = app.post(&body).await;
    assert_problem(&kept, 422, "invalid-survey");
    let mended = SOURCES.replace(
        "FIELDS",
        &FIELDS.replace("$.interactionId", "$.conversation"),
    );
    app.workspace
        .configure(&app.simulator.base_url(), &[&mended]);
    let app = app.restart().await;
    let accepted = app.post(&body).await;
    assert_status(&accepted, 202, "accepted");
    assert_eq!(accepted.delivery(), kept.delivery());
    app.reaches(kept.delivery(), State::Assigned).await;
    assert_eq!(rows(&app).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_lenient_source_is_acknowledged_and_the_survey_kept_all_the_same() {
    let app = app("").await;
    for body in [&b"{}"[..], b"\xff", b"[1]"] {
        for _ in 0..2 {
            let answer = post_as(&app, "lenient", body, "text/plain").await;
            assert_status(&answer, 200, "quarantined");
            assert!(!answer.body["problems"].as_array().unwrap().is_empty());
            app.reaches(answer.delivery(), State::Quarantined).await;
        }
    }
    assert_eq!(rows(&app).await, 3);
    app.finish().await;
}
