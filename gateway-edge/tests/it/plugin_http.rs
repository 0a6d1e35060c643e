//! What plugins answer over HTTP: let in by their entries, without anything that is the gateway's, within bounds.

use gatehouse_proto::plugin::v1::{HttpField, HttpHead, PluginState, ServeHttpRequest, ServeHttpResponse};
use prost::Message;
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Plugin, Reply, TOKEN},
    live_plugins::{becomes, configure, kitchen},
    plain_http::ask,
};

const SERVE: &str = "/gatehouse.plugin.v1.HttpService/ServeHttp";

fn piece(data: &'static [u8]) -> Vec<u8> {
    let data = data.into();
    ServeHttpResponse { head: None, data }.encode_to_vec()
}

fn head(status: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    let field = |(name, value): &(&str, &str)| HttpField {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    let head = HttpHead {
        status,
        headers: headers.iter().map(field).collect(),
    };
    ServeHttpResponse {
        head: Some(head),
        data: b"menu: "[..].into(),
    }
    .encode_to_vec()
}

/// A gateway and a plugin that anybody may ask, or those with a token.
async fn open(http: Value) -> (Gateway, Plugin) {
    let (gateway, plugin) = kitchen().await;
    let headers = [
        ("content-type", "text/plain"),
        ("set-cookie", "a=b"),
        ("x-kitchen", "hot"),
        ("content-security-policy", "default-src *"),
    ];
    plugin.answers(SERVE, Reply::Many(vec![head(201, &headers), piece(b"tea")]));
    configure(
        &gateway,
        json!({"kitchen": {"endpoint": plugin.endpoint, "http": http}}),
    );
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    (gateway, plugin)
}

async fn send(gateway: &Gateway, request: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    ask(
        &gateway.http,
        &format!("{head}Content-Length: {length}\r\n\r\n{body}"),
    )
    .await
}

/// The requests that reached the plugin.
fn asked(plugin: &Plugin) -> Vec<ServeHttpRequest> {
    let calls = plugin.calls().into_iter().filter(|call| call.path == SERVE);
    calls
        .map(|call| ServeHttpRequest::decode(call.body).unwrap())
        .collect()
}

#[tokio::test]
async fn a_plugin_answers_below_its_name_and_says_nothing_for_the_gateway() {
    let (gateway, plugin) = open(json!({"auth": "none"})).await;

    let cookie = "Cookie: a=b\r\nAuthorization: Bearer of-the-platform\r\n";
    let answer = send(&gateway, "POST /plugins/kitchen/menu?day=1", cookie, "hello").await;

    let answer = answer.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 201"), "{answer}");
    assert!(
        answer.contains("x-kitchen: hot") && answer.contains("content-type: text/plain"),
        "{answer}"
    );
    assert!(
        !answer.contains("set-cookie") && !answer.contains("default-src *"),
        "{answer}"
    );
    assert!(
        answer.contains("content-security-policy: sandbox allow-scripts"),
        "{answer}"
    );
    assert!(answer.contains("menu: ") && answer.contains("tea"), "{answer}");
    let [request] = &*asked(&plugin) else {
        panic!("one request")
    };
    assert_eq!(
        (&*request.method, &*request.path, request.query.as_deref()),
        ("POST", "/menu", Some("day=1"))
    );
    assert_eq!((&*request.body, &request.caller), (&b"hello"[..], &None));
    let names: Vec<&str> = request.headers.iter().map(|field| &*field.name).collect();
    assert!(
        names.contains(&"authorization") && !names.contains(&"cookie"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_plugin_sees_who_asks_and_never_what_they_showed() {
    let (gateway, plugin) = open(json!({})).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let reads = format!("{bearer}Gatehouse-Scopes: operator.read\r\n");

    let stranger = send(&gateway, "GET /plugins/kitchen/", "", "").await;
    let known = send(&gateway, "GET /plugins/kitchen/", &reads, "").await;
    let writes = send(&gateway, "DELETE /plugins/kitchen/menu", &reads, "").await;

    assert!(stranger.starts_with("HTTP/1.1 401"), "{stranger}");
    assert!(known.starts_with("HTTP/1.1 201"), "{known}");
    assert!(
        writes.starts_with("HTTP/1.1 403") && writes.contains("operator.write"),
        "{writes}"
    );
    let [request] = &*asked(&plugin) else {
        panic!("one request")
    };
    assert_eq!(request.path, "/");
    assert_eq!(request.caller.as_ref().unwrap().scopes, ["operator.read"]);
    assert!(!format!("{request:?}").contains(TOKEN), "{request:?}");
}

#[tokio::test]
async fn the_gateways_token_is_kept_from_a_plugin_that_asks_nobody_who_they_are() {
    let (gateway, plugin) = open(json!({"auth": "none"})).await;

    send(
        &gateway,
        "GET /plugins/kitchen",
        &format!("Authorization: Bearer {TOKEN}\r\n"),
        "",
    )
    .await;

    assert!(!format!("{:?}", asked(&plugin)).contains(TOKEN));
}

#[tokio::test]
async fn what_no_entry_lets_in_is_not_there() {
    let (gateway, plugin) = kitchen().await;
    configure(&gateway, json!({"kitchen": {"endpoint": plugin.endpoint}}));
    becomes(&gateway, "kitchen", PluginState::Serving).await;

    for path in [
        "/plugins/kitchen/menu",
        "/plugins/other/",
        "/plugins/kitchen/../menu",
        "/plugins/kitchen/%2e",
    ] {
        let answer = send(&gateway, &format!("GET {path}"), "", "").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    assert!(asked(&plugin).is_empty());
}

#[tokio::test]
async fn a_plugin_that_is_away_or_answers_nonsense_is_said_to_be() {
    let (gateway, plugin) = open(json!({"auth": "none"})).await;
    plugin.answers(SERVE, Reply::Many(vec![piece(b"no head")]));

    let nonsense = send(&gateway, "GET /plugins/kitchen/", "", "").await;
    let why = becomes(&gateway, "kitchen", PluginState::Degraded).await;
    let large = send(
        &gateway,
        "POST /plugins/kitchen/",
        "",
        &"x".repeat(1024 * 1024 + 1),
    )
    .await;
    plugin.kill();
    becomes(&gateway, "kitchen", PluginState::Away).await;
    let away = send(&gateway, "GET /plugins/kitchen/", "", "").await;

    assert!(nonsense.starts_with("HTTP/1.1 502"), "{nonsense}");
    assert!(why.contains("without a head"), "{why}");
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    assert!(
        away.starts_with("HTTP/1.1 503") && away.contains("PLUGIN_AWAY"),
        "{away}"
    );
}
