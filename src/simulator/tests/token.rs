//! `POST /oauth/token` and what a token is worth.

use super::*;
use crate::units::Span;

async fn refused(rig: &Rig, claims: &Value) -> String {
    let answer = rig.ask_token(claims).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let body = body(answer).await;
    assert_eq!(body["error"], "invalid_client");
    body["error_description"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_request_gets_a_token_that_works() {
    let rig = Rig::new().await;
    let answer = body(rig.ask_token(&rig.claims()).await).await;
    assert_eq!(answer["expires_in"], 86_400);
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["scope"], "interaction:view interaction:write");
    assert_eq!(
        rig.get("/api/v2/routing/wrapupcodes").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_wrong_audience_and_a_past_or_future_time_are_refused_with_the_reason() {
    let rig = Rig::new().await;
    let now = rig.claims()["iat"].as_i64().unwrap();
    for (claim, value, said) in [
        ("aud", json!(rig.sim.base_url()), "aud must be exactly"),
        ("exp", json!(now - 1), "expired"),
        ("iat", json!(now + 3600), "in the future"),
    ] {
        let mut claims = rig.claims();
        claims[claim] = value;
        let text = refused(&rig, &claims).await;
        assert!(text.contains(said), "{claim}: {text}");
    }
}

#[tokio::test]
async fn a_jti_buys_one_token_only() {
    let rig = Rig::new().await;
    let claims = rig.claims();
    assert_eq!(rig.ask_token(&claims).await.status(), StatusCode::OK);
    assert!(refused(&rig, &claims).await.contains("jti"));
}

#[tokio::test]
async fn another_clients_key_is_refused() {
    // The public half of a key whose private half is not the demo's.
    const ANOTHER_KEY: &str = include_str!("another.pub.pem");
    let rig = Rig::new().await;
    let other = Settings {
        public_key: ANOTHER_KEY.to_owned(),
        token_url: Some(rig.sim.token_url().to_owned()),
        ..Settings::default()
    };
    let sim = Simulator::start(other).await.unwrap();
    let rig = Rig { sim, ..rig };
    assert!(refused(&rig, &rig.claims()).await.contains("signed"));
}

#[tokio::test]
async fn a_form_that_is_not_the_grants_is_a_400() {
    let rig = Rig::new().await;
    for (form, error) in [
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", GRANT)], "invalid_request"),
        (vec![("assertion", "x")], "invalid_request"),
        (
            vec![("grant_type", GRANT), ("grant_type", GRANT)],
            "invalid_request",
        ),
    ] {
        let answer = rig.post_form(&form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(body(answer).await["error"], error, "{form:?}");
    }
    let json = rig.http.post(rig.url("/oauth/token")).json(&json!({}));
    assert_eq!(json.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn client_credentials_come_by_basic_and_each_mistake_has_its_answer() {
    let rig = Rig::new().await;
    let ask = async |client: Option<(&str, &str)>| {
        let request = rig.http.post(rig.url("/oauth/token"));
        let request = match client {
            Some((id, secret)) => request.basic_auth(id, Some(secret)),
            None => request,
        };
        let form = [("grant_type", "client_credentials")];
        request.form(&form).send().await.unwrap()
    };
    for (client, status) in [
        (None, 401),
        (Some(("somebody", DEMO_CLIENT_SECRET)), 400),
        (Some((DEMO_CLIENT_ID, "wrong")), 401),
    ] {
        let answer = ask(client).await;
        assert_eq!(answer.status().as_u16(), status, "{client:?}");
        assert_eq!(body(answer).await["error"], "invalid_client");
    }
    let answer = body(ask(Some((DEMO_CLIENT_ID, DEMO_CLIENT_SECRET))).await).await;
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let rig = Rig { token, ..rig };
    assert_eq!(
        rig.get("/api/v2/routing/wrapupcodes").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn an_expired_a_revoked_and_an_unknown_token_are_a_401() {
    let settings = Settings {
        token_lifetime: Span(Duration::ZERO),
        ..Settings::default()
    };
    let mut rig = Rig::with(settings).await;
    let said = async |rig: &Rig| {
        let answer = rig.get("/api/v2/routing/wrapupcodes").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        body(answer).await["message"].as_str().unwrap().to_owned()
    };
    assert!(said(&rig).await.contains("expired"));
    rig.sim.control().set_token_lifetime(Duration::from_mins(1));
    rig.token = rig.fresh_token().await;
    assert!(
        rig.get("/api/v2/routing/wrapupcodes")
            .await
            .status()
            .is_success()
    );
    assert_eq!(rig.sim.control().revoke_tokens(), 2);
    assert!(said(&rig).await.contains("not known"));
}

#[tokio::test]
async fn a_token_opens_what_its_scopes_say() {
    let mut rig = Rig::new().await;
    rig.sim.control().set_scopes(["interaction:view"]);
    rig.token = rig.fresh_token().await;
    assert!(
        rig.get("/api/v2/routing/wrapupcodes")
            .await
            .status()
            .is_success()
    );
    let refused = rig
        .assign(Uuid::new_v4(), "WU_PROMPT_SUCCESS")
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(
        body(refused).await["message"]
            .as_str()
            .unwrap()
            .contains("interaction:write")
    );
    assert_eq!(rig.sim.control().assigned_count(), 0);
}
