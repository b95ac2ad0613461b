//! Around an assignment: what is kept for the next, what the queue allows, what is shown without a write.

use super::*;

#[tokio::test]
async fn a_conversation_is_not_read_twice_within_a_short_time() {
    let stub = willing(ended(None), 0).await;
    let api = api(&stub, settings());
    api.assign(&wanted()).await;
    let second = Assignment {
        code_id: CodeId::new("second"),
        ..wanted()
    };
    let report = api.assign(&second).await;
    assert!(
        matches!(report.outcome, Outcome::Unconfirmed { .. }),
        "the stub shows the first code: {report:?}"
    );
    assert_eq!(stub.count(READ), 1);
}

#[tokio::test]
async fn what_stands_there_now_is_never_taken_from_a_recent_look() {
    let stub = willing(ended(Some("other")), 0).await;
    let api = api(&stub, settings());
    let reads = async |wanted: Assignment| {
        let before = stub.count(READ);
        api.assign(&wanted).await;
        stub.count(READ) - before
    };
    assert_eq!(reads(wanted()).await, 1);
    // Our own write was seen there: that the code is there already is looked at again.
    assert_eq!(reads(wanted()).await, 1);
    let if_empty = Assignment {
        overwrite: Overwrite::IfEmpty,
        ..wanted()
    };
    assert_eq!(reads(if_empty).await, 1);
    let unclear = Assignment {
        look: Look::Now,
        written_ago: Some(Duration::from_secs(1)),
        ..wanted()
    };
    assert_eq!(reads(unclear).await, 1);
}

#[tokio::test]
async fn a_queue_is_asked_once_and_a_code_that_it_does_not_allow_is_not_written() {
    let stub = stub(
        |seen, nth| match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", READ) => json(200, &ended(None).to_string()),
            ("GET", QUEUE_CODES) => json(200, r#"[{"id":"wanted","name":"WU"},{"name":"odd"}]"#),
            ("POST", WRAPUP) => json(202, ""),
            ("GET", WRAPUP) if nth == 0 => json(200, r#"{"code":"WANTED"}"#),
            _ => json(200, "{}"),
        },
    )
    .await;
    let checking = Conversations {
        check_queue_codes: true,
        ..settings()
    };
    let api = api(&stub, checking);
    let first = api.assign(&wanted()).await;
    assert!(
        matches!(first.outcome, Outcome::Assigned { .. }),
        "{first:?}"
    );
    assert_eq!(
        calls(&stub).len(),
        4,
        "four requests for the first of a queue"
    );
    let again = Assignment {
        written_ago: Some(Duration::from_secs(9)),
        look: Look::Now,
        ..wanted()
    };
    assert!(api.place(&again).await.is_ok());
    assert_eq!(stub.count(QUEUE_CODES), 1, "kept for the queue");
    let strange = Assignment {
        code_id: CodeId::new("strange"),
        ..wanted()
    };
    let told = api.assign(&strange).await;
    assert!(!told.wrote);
    assert!(
        matches!(&told.outcome, Outcome::Unfit { reason } if reason.contains("queue q-1 does not allow code WU (strange)")),
        "{told:?}"
    );
    assert_eq!(
        stub.count(QUEUE_CODES),
        2,
        "a list without the code is read anew"
    );
}

#[tokio::test]
async fn a_preview_writes_nothing_and_says_what_would_be() {
    let stub = willing(ended(Some("before")), 0).await;
    let notes = Notes::parse("NPS {nps_score} {code}", |name| name == "nps_score").unwrap();
    let api = api(
        &stub,
        Conversations {
            notes: Some(notes),
            ..settings()
        },
    );
    let preview = api.preview(&wanted()).await.unwrap();
    let text = |name: &str| {
        let found = preview.lines.iter().find(|(line, _)| *line == name);
        found.map(|(_, text)| text.as_str()).unwrap()
    };
    assert_eq!(text("conversation"), "ended; legs of agents: 1");
    assert!(
        text("leg").starts_with("calls of agent u-1 (queue q-1)"),
        "{preview:?}"
    );
    assert_eq!(text("code there now"), "before");
    assert_eq!(text("would write"), "WU (WANTED)");
    assert_eq!(text("with the note"), "NPS {nps_score} WU");
    assert_eq!(text("to"), WRAPUP);
    assert_eq!(calls(&stub), [format!("GET {READ}")]);
}

#[tokio::test]
async fn a_permission_to_read_that_is_missing_is_found_without_a_write() {
    let reading_is_barred = stub(|_, _| json(403, r#"{"code":"missing.permissions"}"#)).await;
    let lacks = api(&reading_is_barred, settings()).lacks().await;
    assert!(
        matches!(&lacks[..], [Failure::Barred { detail, .. }] if detail.contains("conversation:communication:view")),
        "{lacks:?}"
    );
    let all_is_well = stub(|_, _| json(404, r#"{"code":"not.found"}"#)).await;
    assert_eq!(api(&all_is_well, settings()).lacks().await, []);
    let made: Vec<_> = calls(&all_is_well);
    assert!(made.len() == 1 && made[0].starts_with("GET "), "{made:?}");
}
