//! The conversations API over real HTTP, as a caller meets it.

use super::*;
use crate::simulator::conversations::id_of;
use crate::units::Span;

mod limits;
mod writes;

/// A simulator that speaks the conversations API, and a caller with a token by client credentials.
async fn rig_with(settings: Settings) -> Rig {
    let settings = Settings {
        api: Api::Conversations,
        ..settings
    };
    let mut rig = Rig::with(settings).await;
    let answer = client_token(&rig).await;
    assert_eq!(answer.status(), StatusCode::OK);
    rig.token = body(answer).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    rig
}

async fn client_token(rig: &Rig) -> Response {
    let request = rig.http.post(rig.url("/oauth/token"));
    let request = request.basic_auth(DEMO_CLIENT_ID, Some(DEMO_CLIENT_SECRET));
    let form = [("grant_type", "client_credentials")];
    request.form(&form).send().await.unwrap()
}

fn told(text: &str) -> Settings {
    let mut settings: Settings = toml::from_str(text).unwrap();
    settings.limit = Some(Limit::Off);
    settings
}

async fn conversation(rig: &Rig, word: &str) -> Value {
    let path = format!("/api/v2/conversations/{}", id_of(word));
    let answer = rig.get(&path).await;
    assert_eq!(answer.status(), StatusCode::OK);
    body(answer).await
}

/// The path of the wrap-up of the participant's first communication on the medium.
fn wrapup_path(conversation: &Value, participant: usize, media: &str) -> String {
    let of = &conversation["participants"][participant];
    format!(
        "/api/v2/conversations/{media}/{}/participants/{}/communications/{}/wrapup",
        conversation["id"].as_str().unwrap(),
        of["id"].as_str().unwrap(),
        of[media][0]["id"].as_str().unwrap(),
    )
}

async fn post(rig: &Rig, path: &str, body: &Value) -> Response {
    let request = rig.http.post(rig.url(path)).bearer_auth(&rig.token);
    request.json(body).send().await.unwrap()
}

#[tokio::test]
async fn a_token_tells_no_scope_and_either_grant_opens_the_api() {
    let rig = rig_with(Settings::default()).await;
    for answer in [client_token(&rig).await, rig.ask_token(&rig.claims()).await] {
        let answer = body(answer).await;
        assert_eq!(answer.get("scope"), None);
        let token = answer["access_token"].as_str().unwrap();
        let request = rig.http.get(rig.url("/api/v2/routing/wrapupcodes"));
        let listed = request.bearer_auth(token).send().await.unwrap();
        assert_eq!(listed.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_other_apis_paths_are_not_there() {
    let rig = rig_with(Settings::default()).await;
    let look = format!("/api/v2/interactions/{}", Uuid::nil());
    assert_eq!(rig.get(&look).await.status(), StatusCode::NOT_FOUND);
    let other = Rig::new().await;
    let read = format!("/api/v2/conversations/{}", Uuid::nil());
    assert_eq!(other.get(&read).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn codes_have_a_name_and_a_division_and_divisions_can_be_asked_for() {
    let script = "
        [[code]]
        id = '00000000-0000-0000-0000-000000000001'
        name = 'WU_A'
        [[code]]
        id = '00000000-0000-0000-0000-000000000002'
        name = 'WU_A'
        division = 'North'
        [[code]]
        id = '00000000-0000-0000-0000-000000000003'
        name = 'WU_B'
        division = 'South'
    ";
    let rig = rig_with(told(script)).await;
    let page = body(rig.get("/api/v2/routing/wrapupcodes?pageSize=2").await).await;
    assert_eq!(
        (&page["total"], &page["pageCount"], &page["pageSize"]),
        (&json!(3), &json!(2), &json!(2))
    );
    assert!(page["nextUri"].as_str().unwrap().contains("pageNumber=2"));
    let first = &page["entities"][0];
    assert_eq!(
        (
            &first["name"],
            first.get("code"),
            &first["division"]["name"]
        ),
        (&json!("WU_A"), None, &json!("Home"))
    );
    let (north, south) = (id_of("North"), id_of("South"));
    let path = format!("/api/v2/routing/wrapupcodes?divisionId={north}&divisionId={south}");
    let both = body(rig.get(&path).await).await;
    let ids: Vec<_> = both["entities"].as_array().unwrap().iter().collect();
    assert_eq!((ids.len(), &both["total"]), (2, &json!(2)));
    assert_eq!(ids[0]["division"]["id"], north.to_string());
    for bad in ["pageSize=0", "pageSize=501", "divisionId=North", "page=1"] {
        let answer = rig.get(&format!("/api/v2/routing/wrapupcodes?{bad}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_conversation_shows_who_took_part_in_what() {
    let script = "
        [[conversation]]
        id = 'moved'
        legs = [
            { purpose = 'customer' },
            { purpose = 'acd', queue = 'sales' },
            { user = 'anna', queue = 'sales', code = 'WU_PROMPT_GENERAL' },
            { user = 'ben', queue = 'support', media = 'socials' },
            { user = 'cleo', answered = false },
        ]
    ";
    let rig = rig_with(told(script)).await;
    let moved = conversation(&rig, "moved").await;
    let [customer, acd, anna, ben, cleo] = &moved["participants"].as_array().unwrap()[..] else {
        panic!("{moved}")
    };
    assert!(moved["endTime"].is_string());
    assert_eq!(
        (&customer["purpose"], customer.get("userId")),
        (&json!("customer"), None)
    );
    assert_eq!(acd["queueId"], id_of("sales").to_string());
    assert_eq!(anna["userId"], id_of("anna").to_string());
    assert!(anna["wrapup"]["code"].is_string());
    let call = &anna["calls"][0];
    assert_eq!(
        (&call["state"], &call["afterCallWork"]["state"]),
        (&json!("disconnected"), &json!("complete"))
    );
    assert!(call["connectedTime"].as_str() < ben["socialExpressions"][0]["connectedTime"].as_str());
    assert_eq!(ben["calls"], json!([]));
    assert_eq!(cleo["calls"][0].get("connectedTime"), None);
}

#[tokio::test]
async fn one_that_nobody_told_of_is_an_ordinary_call_and_the_same_at_each_look() {
    let rig = rig_with(told("")).await;
    let first = conversation(&rig, "never told").await;
    let agent = &first["participants"][2];
    assert_eq!(agent["purpose"], "agent");
    assert!(agent["userId"].is_string() && agent["calls"][0]["connectedTime"].is_string());
    let again = conversation(&rig, "never told").await;
    assert_eq!(again["participants"][2]["id"], agent["id"]);
    assert_eq!(rig.sim.control().stats().interactions, 0);
    let settings = Settings {
        unknown: Unknown::NotFound,
        ..told("")
    };
    let rig = rig_with(settings).await;
    let path = format!("/api/v2/conversations/{}", Uuid::max());
    let answer = rig.get(&path).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(body(answer).await["code"], "not.found");
}

#[tokio::test]
async fn an_open_conversation_has_no_end_until_it_ends() {
    let script = "
        [[conversation]]
        id = 'open'
        open = true
        [[conversation]]
        id = 'ending'
        looks = 1
    ";
    let rig = rig_with(told(script)).await;
    for (word, ended) in [("open", [false, false]), ("ending", [false, true])] {
        for ended in ended {
            let seen = conversation(&rig, word).await;
            assert_eq!(seen["endTime"].is_string(), ended, "{word}");
            let call = &seen["participants"][2]["calls"][0];
            assert_eq!(call["disconnectedTime"].is_string(), ended, "{word}");
        }
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_and_works_at_once() {
    let rig = rig_with(told("")).await;
    let control = rig.sim.control();
    let seen = conversation(&rig, "x").await;
    let path = wrapup_path(&seen, 2, "calls");
    for permission in [
        "routing:wrapupCode:view",
        "conversation:communication:view",
        "conversation:participant:wrapup",
    ] {
        assert!(control.revoke_permission(permission));
        let answer = match permission {
            "routing:wrapupCode:view" => rig.get("/api/v2/routing/wrapupcodes").await,
            "conversation:communication:view" => rig.get(&path).await,
            _ => post(&rig, &path, &json!({"code": Uuid::nil()})).await,
        };
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{permission}");
        let body = body(answer).await;
        assert_eq!(body["code"], "missing.permissions");
        assert_eq!(body["messageParams"]["permissions"], permission);
        assert!(body["message"].as_str().unwrap().contains(permission));
    }
    control.reset();
    assert_eq!(control.access().0.len(), 3);
}

#[tokio::test]
async fn control_tells_of_conversations_by_word_and_takes_permissions_away() {
    let rig = rig_with(told("")).await;
    let none = rig.control(Method::GET, "/conversations/c1", Value::Null);
    assert_eq!(none.await.0, StatusCode::NOT_FOUND);
    let told = json!({"id": "c1", "legs": [{"user": "anna", "code": "WU_PROMPT_SUCCESS"}]});
    let set = rig.control(Method::POST, "/conversations", told).await;
    assert_eq!(set.0, StatusCode::NO_CONTENT);
    let (_, standing) = rig
        .control(Method::GET, "/conversations/c1", Value::Null)
        .await;
    assert_eq!(standing["codeName"], "WU_PROMPT_SUCCESS");
    assert_eq!(
        standing["standing"]["legs"][0]["user"],
        id_of("anna").to_string()
    );
    let bad = json!([{"id": "c2", "legs": [{"code": "WU_NONE"}]}]);
    let refused = rig.control(Method::POST, "/conversations", bad).await;
    assert_eq!(refused.0, StatusCode::BAD_REQUEST);
    let access = json!({"permissions": [], "apps_wrap_up": false});
    rig.control(Method::PUT, "/access", access).await;
    assert_eq!(
        rig.get("/api/v2/routing/wrapupcodes").await.status(),
        StatusCode::FORBIDDEN
    );
    let forgotten = rig.control(Method::DELETE, "/conversations/c1", Value::Null);
    assert_eq!(forgotten.await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_fate_of_writes_is_for_this_api_only() {
    let rig = Rig::new().await;
    let fault = Fault::of(Kind::Lost).on(Operation::Assign);
    assert!(rig.sim.control().add_fault(fault.clone()).is_err());
    let list = json!([{"status": 500}, {"on": "assign", "kind": "lost"}]);
    let refused = rig.control(Method::POST, "/faults", list).await;
    assert_eq!(refused.0, StatusCode::BAD_REQUEST);
    assert!(
        rig.sim.control().faults().is_empty(),
        "one bad one arms none"
    );
    let rig = rig_with(told("")).await;
    assert!(rig.sim.control().add_fault(fault).is_ok());
    let late = Fault {
        appears_after: Some(Span(Duration::from_secs(1))),
        ..Fault::of(Kind::Late).on(Operation::Assign)
    };
    assert!(rig.sim.control().add_fault(late).is_ok());
}
