//! What callers are asked for: the gateway token, a password, the word of a proxy, or nothing.

use serde_json::{Value, json};

use crate::{
    client::{Client, v4},
    gateway::{Gateway, Reply, TOKEN, revision},
    plain_http::ask,
};

/// The tests' own address is the proxy's.
fn proxied(identity_scopes: Value) -> String {
    json!({"gateway": {"trustedProxies": ["127.0.0.1"], "auth": {"mode": "trusted-proxy", "identityScopes": identity_scopes,
        "trustedProxy": {"userHeader": "x-user", "allowLoopback": true, "allowUsers": ["me", "guest"]}}}})
    .to_string()
}

/// The answer to a plain `connect` with these headers and parameters.
async fn connect(gateway: &Gateway, headers: &[(&'static str, &str)], params: Value) -> (Client, Value) {
    let mut client = Client::open_with(gateway, headers).await.expect("an upgrade");
    client
        .send(&json!({"method": "connect", "params": params}).to_string())
        .await;
    let answer = client.frame().await;
    (client, answer)
}

async fn call(gateway: &Gateway, headers: &str) -> String {
    gateway.answers(
        "agent.identity.get",
        Reply::Json(r#"{"agentId":"main","name":"Rusty"}"#),
    );
    let head = "POST /rpc/agent.identity.get HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n";
    ask(&gateway.http, &format!("{head}{headers}\r\n{{}}")).await
}

#[tokio::test]
async fn whom_a_listed_proxy_names_comes_in_with_what_is_listed_for_them() {
    let gateway = Gateway::configured(&proxied(json!({"me": ["operator.read", "operator.write"]}))).await;

    let (mut me, hello) = connect(&gateway, &[("x-user", "Me")], json!({})).await;
    assert_eq!(
        hello["scopes"],
        json!(["operator.read", "operator.write"]),
        "{hello}"
    );
    let (_guest, hello) = connect(&gateway, &[("x-user", "guest")], json!({})).await;
    assert_eq!(
        (&hello["type"], &hello["scopes"]),
        (&json!("hello-ok"), &json!([]))
    );
    let by_header = format!("Authorization: Bearer {TOKEN}\r\nX-User: me\r\n");
    assert!(call(&gateway, &by_header).await.starts_with("HTTP/1.1 200"));
    let caller = gateway.calls("agent.identity.get").pop().unwrap().caller.unwrap();
    assert_eq!(
        (caller.credential_id.as_deref(), caller.user_id.as_deref()),
        (Some("proxy/me"), Some("me")),
        "whatever somebody is called, it is not a credential's name"
    );

    for headers in [
        &[][..],
        &[("x-user", "stranger")],
        &[("x-user", " ")],
        &[("x-user", "me, guest")],
    ] {
        let (_client, refused) = connect(&gateway, headers, json!({})).await;
        assert_eq!(
            refused["error"]["details"]["code"], "AUTH_IDENTITY_HEADER_REQUIRED",
            "{headers:?}: {refused}"
        );
    }
    assert!(
        call(&gateway, "X-User: stranger\r\n")
            .await
            .starts_with("HTTP/1.1 401")
    );
    let (_own, hello) = connect(&gateway, &[], json!({"token": TOKEN})).await;
    assert_eq!(hello["type"], "hello-ok", "the token is good beside it");

    let narrower = proxied(json!({"me": ["operator.read"]}));
    gateway.config.send_replace(Some(revision(&narrower, TOKEN)));
    assert_eq!(me.closed().await.0, 4001);
}

#[tokio::test]
async fn a_wrong_credential_beside_the_name_of_a_proxy_is_refused_and_a_right_one_changes_nothing() {
    let gateway = Gateway::configured(&proxied(json!({"me": ["operator.read", "operator.write"]}))).await;
    let me = [("x-user", "me")];

    for (wrong, code) in [
        (json!({"token": "guess"}), "AUTH_TOKEN_MISMATCH"),
        (json!({"password": "guess"}), "AUTH_TOKEN_MISMATCH"),
        (json!({"deviceToken": "guess"}), "AUTH_DEVICE_TOKEN_MISMATCH"),
    ] {
        let mut params = v4(&["operator.read"]);
        params["auth"] = wrong.clone();
        let mut client = Client::open_with(&gateway, &me).await.unwrap();
        let refused = client.call("connect", params).await;
        assert_eq!(refused["error"]["details"]["code"], code, "{wrong}: {refused}");
    }
    for wrong in [
        "Authorization: Bearer guess\r\nX-User: me\r\n".to_owned(),
        format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\nX-User: me\r\n"),
    ] {
        assert!(
            call(&gateway, &wrong).await.starts_with("HTTP/1.1 401"),
            "{wrong}"
        );
    }
    assert!(
        Client::open_with(&gateway, &[("x-user", "me"), ("authorization", "Bearer guess")])
            .await
            .is_err(),
        "nor is there a socket for it"
    );

    let (_me, hello) = connect(&gateway, &me, json!({"token": TOKEN})).await;
    assert_eq!(
        hello["scopes"],
        json!(["operator.read", "operator.write"]),
        "as the proxy's word has it: {hello}"
    );
    let basic = "Authorization: Basic bWU6eA==\r\nX-User: me\r\n";
    assert!(
        call(&gateway, basic).await.starts_with("HTTP/1.1 200"),
        "what the proxy itself was shown is no token of ours"
    );
}

#[tokio::test]
async fn the_headers_of_anybody_else_are_nobodys_word() {
    let others = proxied(Value::Null).replace("127.0.0.1", "192.0.2.0/24");
    let gateway = Gateway::configured(&others).await;

    let (_client, refused) = connect(&gateway, &[("x-user", "me")], json!({})).await;

    assert_eq!(
        refused["error"]["details"]["code"], "AUTH_IDENTITY_HEADER_REQUIRED",
        "{refused}"
    );
    assert!(call(&gateway, "X-User: me\r\n").await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn where_nothing_is_asked_this_machine_comes_in_and_a_proxy_on_it_does_not() {
    let none = r#"{"gateway":{"auth":{"mode":"none"}}}"#;
    let gateway = Gateway::configured(none).await;

    let (mut here, hello) = connect(&gateway, &[], json!({})).await;
    assert_eq!(hello["type"], "hello-ok", "{hello}");
    assert!(hello["gatewayMethods"].to_string().contains("chat.send"));
    let (_stale, refused) = connect(&gateway, &[], json!({"token": "of another time"})).await;
    assert_eq!(
        refused["error"]["details"]["code"], "AUTH_TOKEN_MISMATCH",
        "what is shown is looked at: {refused}"
    );
    let (_right, hello) = connect(&gateway, &[], json!({"token": TOKEN})).await;
    assert_eq!(hello["type"], "hello-ok", "{hello}");
    assert!(
        call(&gateway, "Authorization: Bearer of-another-time\r\n")
            .await
            .starts_with("HTTP/1.1 401")
    );
    let mut page = v4(&["operator.read"]);
    page["auth"] = json!({});
    let origin = format!("http://{}", gateway.http);
    let mut client = Client::open_with(&gateway, &[("origin", &origin)]).await.unwrap();
    assert_eq!(client.call("connect", page).await["ok"], true);
    assert!(call(&gateway, "").await.starts_with("HTTP/1.1 200"));

    let (_other, refused) = connect(&gateway, &[("via", "1.1 proxy")], json!({})).await;
    assert_eq!(
        refused["error"]["details"]["code"], "AUTH_TOKEN_MISSING",
        "{refused}"
    );
    let foreign = Client::open_with(&gateway, &[("origin", "https://evil.example")])
        .await
        .unwrap();
    let (mut foreign, params) = (foreign, json!({"minProtocol": 4, "maxProtocol": 4}));
    assert_eq!(foreign.call("connect", params).await["ok"], false);

    gateway.config.send_replace(Some(revision("{}", TOKEN)));
    assert_eq!(here.closed().await.0, 4001, "what let it in is gone");
}

#[tokio::test]
async fn a_wrong_password_is_told_as_one() {
    let gateway = Gateway::configured(r#"{"gateway":{"auth":{"mode":"password"}}}"#).await;
    let mut client = Client::open(&gateway).await;
    let mut params = v4(&[]);
    params["auth"] = json!({"password": "guess"});

    let refused = client.call("connect", params).await;

    assert_eq!(
        refused["error"]["details"]["code"], "AUTH_PASSWORD_MISMATCH",
        "{refused}"
    );
    let (_script, refused) = connect(&gateway, &[], json!({})).await;
    let told = &refused["error"];
    assert_eq!(told["details"]["code"], "AUTH_PASSWORD_MISSING", "{refused}");
    assert!(
        told["message"].as_str().unwrap().contains("auth.password"),
        "{told}"
    );
    let mut silent = v4(&[]);
    silent["auth"] = json!({});
    let mut client = Client::open(&gateway).await;
    let refused = client.call("connect", silent).await;
    assert_eq!(refused["error"]["details"]["code"], "DEVICE_IDENTITY_REQUIRED");
    assert!(!refused.to_string().contains("gatehouse token"), "{refused}");
    let mut right = v4(&[]);
    right["auth"] = json!({"password": TOKEN});
    let mut client = Client::open(&gateway).await;
    assert_eq!(client.call("connect", right).await["ok"], true);
}
