//! Who is kept out, and who has to go.

use super::*;

#[tokio::test]
async fn the_token_may_come_with_the_upgrade_and_scopes_never_grow() {
    let gateway =
        Gateway::configured(r#"{"gateway":{"auth":{"tokenScopes":["operator.read","operator.pairing"]}}}"#)
            .await;
    let mut client = Client::open_with(&gateway, &[("authorization", &format!("Bearer {TOKEN}"))])
        .await
        .unwrap();

    let mut params = v4(&ALL);
    params["auth"] = json!({});
    let answer = client.call("connect", params).await;

    assert_eq!(
        answer["payload"]["auth"]["scopes"],
        json!(["operator.read", "operator.pairing"])
    );
    let nobody = Client::v4(&gateway, &[]).await;
    assert_eq!(
        nobody.hello["auth"]["scopes"],
        json!([]),
        "an empty request grants nothing"
    );
}

#[tokio::test]
async fn before_the_configuration_is_known_clients_are_asked_to_come_back() {
    let gateway = Gateway::with(Limits::default(), None).await;

    let (error, closed) = refused(&gateway, v4(&[])).await;

    assert_eq!(
        (&error["code"], &error["retryable"], &error["retryAfterMs"]),
        (&json!("UNAVAILABLE"), &json!(true), &json!(500))
    );
    assert_eq!(error["details"]["reason"], "startup-sidecars");
    assert_eq!(closed, (1013, "gateway starting".to_owned()));
}

#[tokio::test]
async fn a_new_token_ends_the_connections_of_the_old_one() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    gateway.config.send_replace(Some(revision("{}", "another")));

    assert_eq!(client.closed().await.0, 4001);
    let (error, _) = refused(&gateway, v4(&[])).await;
    assert_eq!(error["details"]["code"], "AUTH_TOKEN_MISMATCH");
}

#[tokio::test]
async fn narrower_scopes_end_the_connections_that_have_more() {
    let gateway = Gateway::start().await;
    let mut wide = Client::v4(&gateway, &["operator.read", "operator.admin"]).await;
    let mut narrow = Client::v4(&gateway, &["operator.read"]).await;

    gateway.config.send_replace(Some(revision(
        r#"{"gateway":{"auth":{"tokenScopes":["operator.read"]}}}"#,
        TOKEN,
    )));

    assert_eq!(wide.closed().await.0, 4001);
    let answer = narrow.call("chat.send", json!({})).await;
    assert_eq!(answer["error"]["code"], "FORBIDDEN", "the narrow one goes on");
}

#[tokio::test]
async fn a_page_that_guesses_tokens_is_locked_out_even_on_loopback() {
    let gateway = Gateway::configured(r#"{"gateway":{"auth":{"rateLimit":{"maxAttempts":3}}}}"#).await;
    let origin = format!("http://{}", gateway.http);
    let guess = async || {
        let mut client = Client::open_with(&gateway, &[("origin", &origin)]).await.unwrap();
        client.call("connect", with("/auth/token", json!("guess"))).await["error"].clone()
    };
    for _ in 0..3 {
        assert_eq!(guess().await["details"]["code"], "AUTH_TOKEN_MISMATCH");
    }

    let locked = guess().await;

    assert_eq!(locked["details"]["code"], "AUTH_RATE_LIMITED");
    assert!(locked["retryAfterMs"].as_u64().unwrap() > 200_000 && locked["retryable"] == true);
    Client::v4(&gateway, &[]).await; // a person's own scripts are not locked out with the page
}

#[tokio::test]
async fn foreign_pages_and_hosts_hear_in_either_dialect_which_key_would_let_them_in_and_nothing_else() {
    let gateway = Gateway::start().await;
    let connect = json!({"token": TOKEN, "scopes": ALL}).to_string();
    let plain = format!(r#"{{"method":"connect","params":{connect}}}"#);
    for (header, code, key) in [
        (
            ("origin", "https://evil.example"),
            "CONTROL_UI_ORIGIN_NOT_ALLOWED",
            "gateway.controlUi.allowedOrigins",
        ),
        (
            ("origin", "null"),
            "CONTROL_UI_ORIGIN_NOT_ALLOWED",
            "gateway.controlUi.allowedOrigins",
        ),
        (
            ("host", "rebound.example"),
            "HOST_NOT_ALLOWED",
            "gateway.publicOrigin",
        ),
    ] {
        let mut client = Client::open_with(&gateway, &[header]).await.unwrap();
        let answer = client.call("connect", v4(&ALL)).await;
        let mut script = Client::open_with(&gateway, &[header]).await.unwrap();
        script.send(&plain).await;
        let flat = script.frame().await;

        assert_eq!(
            (&answer["ok"], &answer["error"]["code"]),
            (&json!(false), &json!("INVALID_REQUEST")),
            "{answer}"
        );
        assert_eq!((&flat["type"], flat.get("id")), (&json!("error"), None), "{flat}");
        for error in [&answer["error"], &flat["error"]] {
            assert_eq!(error["details"]["code"], code);
            assert!(error["message"].as_str().unwrap().contains(key), "{error}");
        }
        for client in [&mut client, &mut script] {
            let (close, reason) = client.closed().await;
            assert!(close == 1008 && !reason.is_empty(), "{close} {reason}");
        }
    }
}

#[tokio::test]
async fn a_forwarded_request_from_a_proxy_that_is_not_listed_gets_no_socket() {
    let gateway = Gateway::start().await;

    let refused = Client::open_with(&gateway, &[("x-forwarded-for", "127.0.0.1")]).await;

    let Err(Error::Http(response)) = refused.map(|_| ()) else {
        panic!("it was let in");
    };
    assert_eq!(response.status(), 403);
    let body = String::from_utf8(response.into_body().unwrap_or_default()).unwrap();
    assert!(body.contains("gateway.trustedProxies"), "{body}");
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_told_as_what_they_are() {
    let gateway = Gateway::start().await;
    let told = async |params: &str| {
        let mut client = Client::open(&gateway).await;
        let frame = format!(r#"{{"type":"req","id":"1","method":"connect","params":{params}}}"#);
        client.send(&frame).await;
        let answer = client.answer("1").await;
        assert_eq!(
            answer["error"]["details"]["code"], "CONNECT_PARAMS_INVALID",
            "{answer}"
        );
        assert_eq!(client.closed().await.0, 1008);
        answer["error"]["message"].as_str().unwrap().to_owned()
    };

    for (params, problem) in [
        (
            r#"{"token":"\ud800"}"#,
            "at /token: a string has half of a surrogate pair",
        ),
        (
            r#"{"minProtocol":4,"maxProtocol":1e400}"#,
            "at /maxProtocol: a number is out of range",
        ),
        (
            r#"{"token":"the-token","token":"x"}"#,
            "at root: property 'token' is given twice",
        ),
        (
            r#"{"minProtocol":4,"maxProtocol":4,"auth":{"token":"the-token","token":"the-token"}}"#,
            "at /auth: property 'token' is given twice",
        ),
        (
            r#"{"minProtocol":4,"maxProtocol":4,"unknown":[{"deep":{"a":1,"a":1}}]}"#,
            "at /unknown/0/deep: property 'a' is given twice",
        ),
    ] {
        assert_eq!(told(params).await, format!("invalid connect params: {problem}"));
    }
    assert!(
        told(&format!("{}{}", "[".repeat(500), "]".repeat(500)))
            .await
            .ends_with("nests too deeply")
    );
}
