//! The door of the plain handshake: `GET /ws`, a token in the upgrade or in `connect`, and the hello as the first word.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::gateway::{Gateway, TOKEN, credential, until, with_credentials};

const PATIENCE: Duration = Duration::from_secs(10);

struct Script(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Script {
    async fn open(gateway: &Gateway, authorization: Option<&str>) -> Result<Self, Error> {
        let mut request = format!("{}ws", gateway.url).into_client_request()?;
        if let Some(value) = authorization {
            let headers = request.headers_mut();
            headers.insert("authorization", value.parse().unwrap());
        }
        Ok(Self(connect_async(request).await?.0))
    }

    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        match timeout(PATIENCE, self.0.next()).await.expect("a frame in time") {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("no frame, but {other:?}"),
        }
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn connect(params: Value) -> Value {
    json!({"method": "connect", "params": params})
}

async fn hello(gateway: &Gateway, authorization: Option<&str>, params: Value) -> Value {
    let mut script = Script::open(gateway, authorization).await.expect("an upgrade");
    script.say(connect(params)).await;
    script.next().await
}

#[tokio::test]
async fn the_hello_is_the_first_word_wherever_the_token_is() {
    let gateway = Gateway::start().await;
    let asks = |token: bool| {
        let mut params = json!({"role": "operator", "clientId": "script"});
        if token {
            params["token"] = TOKEN.into();
        }
        params
    };

    for (authorization, token) in [
        (Some(bearer(TOKEN)), true),
        (Some(bearer(TOKEN)), false),
        (Some(format!("bearer  {TOKEN}")), true),
        (Some("Basic bWU6d29yZA==".to_owned()), true),
        (None, true),
    ] {
        let first = hello(&gateway, authorization.as_deref(), asks(token)).await;

        assert_eq!(first["type"], "hello-ok", "{authorization:?}: {first}");
    }
}

#[tokio::test]
async fn who_waits_for_a_challenge_at_the_plain_door_gets_one_and_who_has_shown_its_token_never() {
    let gateway = Gateway::start().await;

    let mut silent = Script::open(&gateway, None).await.unwrap();
    assert_eq!(silent.next().await["event"], "connect.challenge");
    silent.say(connect(json!({"token": TOKEN}))).await;
    assert_eq!(silent.next().await["type"], "hello-ok");

    let mut known = Script::open(&gateway, Some(&bearer(TOKEN))).await.unwrap();
    let nothing = timeout(Duration::from_millis(1_500), known.0.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    known.say(connect(json!({}))).await;
    assert_eq!(known.next().await["type"], "hello-ok");
}

#[tokio::test]
async fn a_bearer_that_is_there_and_wrong_ends_the_upgrade() {
    let gateway = Gateway::start().await;
    for (wrong, code) in [
        ("Bearer guess", "AUTH_TOKEN_MISMATCH"),
        ("Bearer", "AUTH_TOKEN_MISSING"),
        ("bearer ", "AUTH_TOKEN_MISSING"),
    ] {
        let Err(Error::Http(response)) = Script::open(&gateway, Some(wrong)).await.map(|_| ()) else {
            panic!("{wrong:?} was let in");
        };
        assert_eq!(response.status(), 401, "{wrong:?}");
        assert!(response.headers().contains_key("www-authenticate"));
        let body = String::from_utf8(response.into_body().unwrap_or_default()).unwrap();
        assert!(body.contains(code), "{body}");
    }
    let upgrade = async |shown: &[&str]| {
        let mut request = gateway.url.as_str().into_client_request().unwrap();
        for token in shown {
            let headers = request.headers_mut();
            headers.append("authorization", bearer(token).parse().unwrap());
        }
        match connect_async(request).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Ok(_) => 101,
            Err(error) => panic!("no answer: {error}"),
        }
    };
    assert_eq!(upgrade(&["guess"]).await, 401, "at the other door as well");
    // Which of two counts is nobody's guess.
    assert_eq!(upgrade(&[TOKEN, "guess"]).await, 401);
    assert_eq!(upgrade(&["guess", TOKEN]).await, 401);
    assert_eq!(upgrade(&[TOKEN]).await, 101);
}

#[tokio::test]
async fn a_right_bearer_does_not_make_up_for_a_wrong_token() {
    let gateway = Gateway::start().await;

    let answer = hello(&gateway, Some(&bearer(TOKEN)), json!({"token": "guess"})).await;

    assert_eq!(
        answer["error"]["details"]["code"], "AUTH_TOKEN_MISMATCH",
        "{answer}"
    );
}

#[tokio::test]
async fn without_scopes_a_caller_gets_what_its_credential_is_good_for_and_a_list_only_narrows() {
    let rows = vec![
        credential("shared", TOKEN, &["operator.read", "operator.write"]),
        credential("reader", "the-readers-token", &["operator.read"]),
    ];
    let gateway = Gateway::with(
        gatehouse_edge::Limits::default(),
        Some(with_credentials("{}", rows)),
    )
    .await;
    let scopes = async |token: &str, scopes: Option<Value>| {
        let mut params = json!({"token": token, "role": "operator", "clientId": "script"});
        if let Some(scopes) = scopes {
            params["scopes"] = scopes;
        }
        let hello = hello(&gateway, None, params).await;
        let methods = hello["gatewayMethods"].as_array().unwrap().clone();
        assert_eq!(
            methods.contains(&json!("chat.send")),
            hello["scopes"].to_string().contains("operator.write")
        );
        hello["scopes"].clone()
    };

    assert_eq!(
        scopes(TOKEN, None).await,
        json!(["operator.read", "operator.write"])
    );
    assert_eq!(scopes("the-readers-token", None).await, json!(["operator.read"]));
    let asked = json!(["operator.read", "operator.admin"]);
    assert_eq!(scopes(TOKEN, Some(asked)).await, json!(["operator.read"]));
    assert_eq!(scopes(TOKEN, Some(json!([]))).await, json!([]));
}

#[tokio::test]
async fn a_scope_that_another_contains_can_be_asked_for_alone_and_is_kept_while_the_other_is() {
    let rows = |scopes: &[&str]| with_credentials("{}", vec![credential("shared", TOKEN, scopes)]);
    let gateway = Gateway::with(gatehouse_edge::Limits::default(), Some(rows(&["operator.admin"]))).await;
    let mut script = Script::open(&gateway, None).await.unwrap();

    script
        .say(connect(
            json!({"token": TOKEN, "scopes": ["operator.read", "operator.imaginary"]}),
        ))
        .await;

    assert_eq!(script.next().await["scopes"], json!(["operator.read"]));
    for still in [&["operator.write"][..], &["operator.read", "operator.pairing"]] {
        gateway.config.send_replace(Some(rows(still)));
        until("the new scopes", async || {
            hello(&gateway, None, json!({"token": TOKEN})).await["scopes"] == json!(still)
        })
        .await;
        script.say(json!({"id": "1", "method": "no.such"})).await;
        let answer = loop {
            let frame = script.next().await;
            if frame["id"] == "1" {
                break frame;
            }
        };
        assert_eq!(
            answer["error"]["message"], "unknown method: no.such",
            "{still:?} contains it"
        );
    }
    gateway
        .config
        .send_replace(Some(rows(&["operator.pairing", "operator.approvals"])));
    let closed = timeout(PATIENCE, async {
        loop {
            if let Some(Ok(Message::Close(Some(frame)))) = script.0.next().await {
                return u16::from(frame.code);
            }
        }
    });
    assert_eq!(closed.await.expect("an end in time"), 4001);
}

#[tokio::test]
async fn a_second_connect_is_refused_by_the_words_that_clients_know_and_the_connection_goes_on() {
    let gateway = Gateway::start().await;
    let mut script = Script::open(&gateway, Some(&bearer(TOKEN))).await.unwrap();
    script.say(connect(json!({"role": "operator"}))).await;
    assert_eq!(script.next().await["type"], "hello-ok");
    let mut answered = async |frame: Value| {
        script.say(frame).await;
        loop {
            let frame = script.next().await;
            if frame["type"] != "event" {
                return frame;
            }
        }
    };

    let bare = answered(connect(json!({"role": "operator"}))).await;
    let named = answered(json!({"id": "2", "method": "connect", "params": {}})).await;
    let later = answered(json!({"id": "3", "method": "no.such"})).await;

    assert_eq!((&bare["type"], bare.get("id")), (&json!("error"), None), "{bare}");
    assert_eq!(
        (&named["type"], &named["id"]),
        (&json!("res"), &json!("2")),
        "{named}"
    );
    for refused in [&bare, &named] {
        assert_eq!(
            refused["error"]["message"],
            "connect is only valid as the first request"
        );
        assert_eq!(refused["error"]["code"], "INVALID_REQUEST");
    }
    assert_eq!(later["error"]["message"], "unknown method: no.such");
}
