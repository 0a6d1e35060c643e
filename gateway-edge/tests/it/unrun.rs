//! The samples of `deploy/proxies` whose programs no test can run: Traefik is in no registry that tests install from, and Tailscale Serve
//! needs a tailnet. What the files say is held against what these programs read, and an edge is asked as they ask.

use std::collections::BTreeMap;

use futures::StreamExt;
use gatehouse_proto::channel::v1::ReceiveWebhookRequest;
use prost::Message as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};

use crate::{
    behind::sample,
    gateway::{Gateway, RECEIVE, Reply},
    plain_http::ask,
};

/// Where a gateway listens that nobody told otherwise.
const GATEWAY: &str = "http://127.0.0.1:18789";
/// Whom a proxy asks for.
const CLIENT: &str = "203.0.113.9";
/// What that client wrote into its own request, and the proxies hand on.
const FORGED: [(&str, &str); 1] = [("Forwarded", "for=198.51.100.7")];

/// A file of Traefik's file provider, as far as the sample uses it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Traefik {
    http: TraefikHttp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraefikHttp {
    routers: BTreeMap<String, Router>,
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Router {
    rule: String,
    entry_points: Vec<String>,
    service: String,
    tls: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Service {
    load_balancer: LoadBalancer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LoadBalancer {
    servers: Vec<Server>,
    response_forwarding: ResponseForwarding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ResponseForwarding {
    flush_interval: String,
}

/// What Tailscale calls a serve configuration, as far as the sample uses it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Serve {
    #[serde(rename = "TCP")]
    tcp: BTreeMap<u16, BTreeMap<String, bool>>,
    web: BTreeMap<String, Web>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Web {
    handlers: BTreeMap<String, Handler>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Handler {
    proxy: String,
}

/// The document that goes with a sample: the key `gateway` in its comment, or in a block of a page.
fn document(text: &str) -> Value {
    let lines = text.lines().map(|line| line.trim_start_matches('#').trim());
    let body: Vec<&str> = lines
        .skip_while(|line| !line.starts_with("gateway: {"))
        .take_while(|line| !line.is_empty() && !line.starts_with("```"))
        .collect();
    let text = format!("{{{}}}", body.join("\n"));
    json5::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Asks an edge with this document as a proxy does that writes these headers, for a page of the gateway and for a webhook.
async fn lets_in(document: &Value, headers: &[(&'static str, &str)]) {
    let origin = document["gateway"]["publicOrigin"].as_str().expect("an origin");
    let name = origin.strip_prefix("https://").expect("an address with TLS");
    let gateway = Gateway::configured(&document.to_string()).await;
    let headers: Vec<_> = headers.iter().chain(&FORGED).collect();

    let mut request = format!("ws://{name}/").into_client_request().unwrap();
    request.headers_mut().insert("origin", origin.parse().unwrap());
    for (header, value) in &headers {
        request.headers_mut().insert(*header, value.parse().unwrap());
    }
    let stream = TcpStream::connect(&gateway.http).await.unwrap();
    let (mut socket, _) = client_async(request, stream).await.expect("an upgrade");
    let first = socket
        .next()
        .await
        .expect("a frame")
        .unwrap()
        .into_text()
        .unwrap();
    assert!(first.contains("connect.challenge"), "{first}");

    // status 202
    gateway.answers_path(RECEIVE, Reply::Many(vec![vec![8, 202, 1]]));
    let written: String = headers
        .iter()
        .map(|(header, value)| format!("{header}: {value}\r\n"))
        .collect();
    let post = format!(
        "POST /webhooks/webhook/home HTTP/1.1\r\nHost: {name}\r\n{written}Connection: close\r\nContent-Length: 5\r\n\r\nhello"
    );
    let answer = ask(&gateway.http, &post).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let seen = ReceiveWebhookRequest::decode(gateway.calls(RECEIVE).pop().expect("a call").body).unwrap();
    assert_eq!(seen.peer_address, CLIENT);
}

#[tokio::test]
async fn the_sample_for_traefik_is_one_that_it_reads_and_who_comes_by_traefik_is_let_in() {
    let text = sample("traefik.yml");
    let Traefik { http } = serde_yaml_ng::from_str(&text).unwrap();

    let router = http.routers.values().next().expect("a router");
    assert_eq!(router.rule, "Host(`home.example.org`)");
    assert_eq!(router.entry_points, ["websecure"]);
    assert!(router.tls.is_object(), "it ends TLS");
    let balancer = &http.services[&router.service].load_balancer;
    let urls: Vec<_> = balancer
        .servers
        .iter()
        .map(|server| server.url.as_str())
        .collect();
    assert_eq!(urls, [GATEWAY]);
    assert_eq!(balancer.response_forwarding.flush_interval, "1ms");

    // It calls the scheme of a WebSocket `wss`.
    let headers = [
        ("X-Forwarded-For", CLIENT),
        ("X-Real-Ip", CLIENT),
        ("X-Forwarded-Proto", "wss"),
        ("X-Forwarded-Host", "home.example.org"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Server", "traefik-7d9c"),
    ];
    lets_in(&document(&text), &headers).await;
}

#[tokio::test]
async fn the_sample_for_tailscale_serve_is_one_that_it_reads_and_who_comes_by_the_tailnet_is_let_in() {
    let Serve { tcp, web } = serde_json::from_str(&sample("tailscale-serve.json")).unwrap();

    assert!(tcp[&443]["HTTPS"]);
    let (at, Web { handlers }) = web.iter().next().expect("a name");
    assert!(at.ends_with(":443"), "{at}");
    assert_eq!(handlers["/"].proxy, GATEWAY);

    // What the caller says of its own address is handed on by it, under this name too.
    let headers = [
        ("X-Forwarded-For", CLIENT),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "machine.your-tailnet.ts.net"),
        ("X-Real-Ip", "198.51.100.7"),
        ("Tailscale-User-Login", "ann@example.org"),
        ("Tailscale-User-Name", "Ann"),
        ("Tailscale-Headers-Info", "https://tailscale.com/s/serve-headers"),
    ];
    lets_in(&document(&sample("README.md")), &headers).await;
}
