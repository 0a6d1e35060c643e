use std::{sync::Arc, time::Duration};

use gatehouse_core::{Clock, Secret};
use serde_json::{Value, json};
use tokio::time;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{
    Webhook, WebhookConfig,
    signature::{self, Direction, Scope, Shown, SignatureError},
    split,
};
use crate::{
    adapter::{AccountKey, Adapter, ChatKind, HttpAnswer, HttpHead, HttpRequest, contract},
    testing::{Bench, key, store, until},
};

mod recipe;
mod typing;

const SECRET: &str = "a secret of some length";

contract::contract!(Operators);

/// The operator's own platform: it posts what people say, and takes replies.
struct Operators {
    replies: MockServer,
}

impl contract::Platform for Operators {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let replies = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200))
            .with_priority(9)
            .mount(&replies)
            .await;
        Self { replies }
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        account(&json!({"secret": SECRET, "callbackUrl": self.replies.uri(), "typing": true}))
    }

    fn person(&self) -> String {
        "anna".into()
    }

    async fn say(&self, bench: &Bench, id: &str, text: &str) {
        let adapter = self.adapter();
        until("an acknowledgement", async || {
            let answer = adapter
                .http(signed(&body(id, text)), &bench.inbound)
                .await
                .unwrap();
            (answer.status == 202).then_some(())
        })
        .await;
    }

    async fn heard(&self) -> Vec<String> {
        let requests = self.replies.received_requests().await.unwrap();
        let bodies = requests
            .iter()
            .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
        bodies
            .filter_map(|body| body["text"].as_str().map(str::to_owned))
            .collect()
    }

    async fn cut(&mut self) {
        let down = Mock::given(any())
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(1)
            .with_priority(1);
        down.mount(&self.replies).await;
    }

    async fn mended(&mut self) {}
}

fn webhook(url: Option<&str>) -> Arc<dyn Adapter> {
    account(&json!({"secret": SECRET, "callbackUrl": url}))
}

fn account(config: &Value) -> Arc<dyn Adapter> {
    Arc::new(Webhook::new(
        key("a"),
        WebhookConfig::read(config).unwrap(),
        Clock::system(),
    ))
}

fn body(id: &str, text: &str) -> String {
    json!({"id": id, "from": {"id": "anna", "name": "Anna"}, "chat": {"id": "anna", "kind": "direct"}, "text": text}).to_string()
}

/// Where the platform posts to account `a`.
const TARGET: &str = "/webhooks/webhook/a";

fn scope(account: &AccountKey) -> Scope<'_> {
    Scope {
        direction: Direction::Inbound,
        method: "POST",
        target: TARGET,
        account,
    }
}

fn signed(body: &str) -> HttpRequest {
    signed_for(scope(&key("a")), body)
}

fn signed_for(scope: Scope<'_>, body: &str) -> HttpRequest {
    let now = Clock::system().now_ms() / 1000;
    let signature = signature::sign(&Secret::new(SECRET), scope, now, body.as_bytes());
    request(
        vec![
            (signature::TIMESTAMP.into(), now.to_string()),
            (signature::SIGNATURE.into(), signature),
        ],
        body,
    )
}

/// Signed in the way of the first version.
fn signed_v1(body: &str) -> HttpRequest {
    let now = Clock::system().now_ms() / 1000;
    let signature = signature::sign_v1(&Secret::new(SECRET), now, body.as_bytes());
    request(
        vec![
            (signature::TIMESTAMP.into(), now.to_string()),
            (signature::SIGNATURE_V1.into(), signature),
        ],
        body,
    )
}

fn request(headers: Vec<(String, String)>, body: &str) -> HttpRequest {
    HttpRequest {
        head: HttpHead {
            method: "POST".into(),
            target: TARGET.into(),
            headers,
            peer: "192.0.2.1".into(),
        },
        body: body.to_owned().into(),
    }
}

/// An account that runs, to post to.
struct Door {
    _folder: tempfile::TempDir,
    bench: Bench,
    adapter: Arc<dyn Adapter>,
}

fn door() -> Door {
    door_of(&json!({"secret": SECRET}))
}

fn door_of(config: &Value) -> Door {
    let (folder, store) = store();
    let adapter = account(config);
    let bench = Bench::run(&store, Clock::system(), Arc::clone(&adapter));
    Door {
        _folder: folder,
        bench,
        adapter,
    }
}

impl Door {
    /// What the head alone is answered: how much is read, or a status.
    fn inspect(&self, request: &HttpRequest) -> Result<usize, u16> {
        let inspected = self
            .adapter
            .http_head(&request.head, &self.bench.inbound)
            .unwrap();
        inspected.map_err(|answer| answer.status)
    }

    async fn post(&self, request: HttpRequest) -> HttpAnswer {
        self.adapter.http(request, &self.bench.inbound).await.unwrap()
    }
}

#[tokio::test]
async fn a_signed_message_is_committed_and_a_replay_is_said_to_be_one() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let door = door();
    let request = signed(&body("m1", "hi"));

    let first = door.post(request.clone()).await;
    let replay = door.post(request).await;

    let json = |answer: &HttpAnswer| serde_json::from_str::<Value>(&answer.body).unwrap();
    assert_eq!(
        (first.status, json(&first)),
        (202, json!({"accepted": true, "duplicate": false}))
    );
    assert_eq!(
        (replay.status, json(&replay)),
        (202, json!({"accepted": true, "duplicate": true}))
    );
    let heard = door.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (heard[0].chat_kind, heard[0].sender_id.as_str()),
        (ChatKind::Direct, "anna")
    );
}

#[tokio::test]
async fn the_signature_is_checked_before_the_body_is_read() {
    let door = door();
    let mut request = signed("not json at all");
    assert_eq!(
        door.post(request.clone()).await.status,
        400,
        "signed, so it is read"
    );

    request.head.headers.clear();
    assert_eq!(
        door.post(request).await.status,
        401,
        "not signed, so nobody learns that it is no JSON"
    );
    let mut doubled = signed(&body("1", "x"));
    doubled
        .head
        .headers
        .push((signature::SIGNATURE.into(), "sha256=00".into()));
    assert_eq!(door.post(doubled).await.status, 401);
    let mut changed = signed(&body("1", "x"));
    changed.body = body("2", "x").into();
    assert_eq!(door.post(changed).await.status, 401);
    assert!(door.bench.heard.texts().is_empty());
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_name() {
    let door = door();
    let large = "x".repeat(64 * 1024 + 1);
    let long_id = body(&"i".repeat(513), "x");
    let no_kind = json!({"id": "1", "from": {"id": "a"}, "chat": {"id": "c"}, "text": "x"}).to_string();
    for (request, status) in [
        (signed(&large), 413),
        (signed(&long_id), 400),
        (signed(&body("", "x")), 400),
        (signed(&no_kind), 400),
        (signed("[]"), 400),
        (with(signed("{}"), |head| head.method = "GET".into()), 405),
        (
            with(signed("{}"), |head| {
                head.headers.push(("content-type".into(), "text/plain".into()))
            }),
            415,
        ),
    ] {
        let answer = door.post(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains("\"accepted\":false"));
    }
    assert!(door.bench.heard.texts().is_empty());
}

#[tokio::test]
async fn a_guesser_waits_and_the_platform_does_not() {
    let door = door();
    let guess = with(signed("{}"), |head| {
        head.headers.clear();
        head.peer = "203.0.113.9".into();
    });
    for _ in 0..10 {
        assert_eq!(door.post(guess.clone()).await.status, 401);
    }

    let answer = door.post(guess).await;

    assert_eq!(answer.status, 429);
    assert!(answer.retry_after.is_some());
    assert_eq!(door.post(signed(&body("1", "x"))).await.status, 202);
    let behind_the_same_tunnel = with(signed(&body("2", "x")), |head| head.peer = "203.0.113.9".into());
    assert_eq!(door.post(behind_the_same_tunnel).await.status, 202);
}

fn with(mut request: HttpRequest, change: impl FnOnce(&mut HttpHead)) -> HttpRequest {
    change(&mut request.head);
    request
}

#[tokio::test]
async fn a_head_that_cannot_be_right_is_refused_without_its_body() {
    let door = door();
    let good = signed(&body("1", "x"));
    let typed = |kind: &str| {
        let kind = kind.to_owned();
        with(good.clone(), |head| {
            head.headers.push(("content-type".into(), kind))
        })
    };

    assert_eq!(door.inspect(&good), Ok(64 * 1024));
    assert_eq!(
        door.inspect(&typed("application/json; charset=utf-8")),
        Ok(64 * 1024)
    );
    assert_eq!(door.inspect(&typed("text/plain")), Err(415));
    assert_eq!(
        door.inspect(&with(good.clone(), |head| head.method = "PUT".into())),
        Err(405)
    );
    assert_eq!(
        door.inspect(&with(good.clone(), |head| head.headers.clear())),
        Err(401)
    );
    let stale = with(good.clone(), |head| head.headers[0].1 = "1".into());
    assert_eq!(door.inspect(&stale), Err(401));
    for _ in 0..10 {
        door.inspect(&stale).unwrap_err();
    }
    assert_eq!(door.inspect(&stale), Err(429));
    assert_eq!(
        door.inspect(&good),
        Ok(64 * 1024),
        "a good head passes whoever else guessed there"
    );
    let large = door_of(&json!({"secret": SECRET, "maxBodyBytes": 500_000}));
    assert_eq!(large.inspect(&good), Ok(500_000));
}

#[tokio::test]
async fn a_signed_request_is_good_for_its_account_and_direction_only() {
    let door = door();
    let (own, other) = (key("a"), key("b"));
    let good = scope(&own);
    let message = body("1", "x");

    for bad in [
        Scope {
            account: &other,
            target: "/webhooks/webhook/b",
            ..good
        },
        Scope {
            account: &other,
            ..good
        },
        Scope {
            target: "/webhooks/webhook/b",
            ..good
        },
        Scope {
            direction: Direction::Outbound,
            ..good
        },
        Scope {
            method: "PUT",
            ..good
        },
    ] {
        assert_eq!(door.post(signed_for(bad, &message)).await.status, 401, "{bad:?}");
    }
    let asked_otherwise = with(signed(&message), |head| head.target.push_str("?debug=1"));
    assert_eq!(door.post(asked_otherwise).await.status, 401);
    assert!(door.bench.heard.texts().is_empty());
    assert_eq!(door.post(signed(&message)).await.status, 202);
}

#[tokio::test]
async fn the_old_signature_is_taken_with_a_warning_until_it_is_turned_off() {
    let door = door();
    assert_eq!(door.post(signed(&body("1", "x"))).await.status, 202);
    assert_eq!(door.bench.progress.snapshot().warning, None);

    assert_eq!(door.post(signed_v1(&body("2", "x"))).await.status, 202);

    let warning = door.bench.progress.snapshot().warning.unwrap();
    assert!(
        warning.contains(signature::SIGNATURE) && warning.contains("legacySignature"),
        "{warning}"
    );
    let strict = door_of(&json!({"secret": SECRET, "legacySignature": false}));
    let refused = strict.post(signed_v1(&body("3", "x"))).await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains(signature::SIGNATURE), "{}", refused.body);
}

/// Checks what the callback was sent, as a receiver does.
fn verify_callback(request: &wiremock::Request, direction: Direction) -> Result<(), SignatureError> {
    let target = request.url.path();
    let named = |name: &str| {
        let value = request.headers.get(name)?;
        Some((name.to_owned(), value.to_str().unwrap().to_owned()))
    };
    let head = HttpHead {
        method: request.method.to_string(),
        target: target.into(),
        headers: [signature::TIMESTAMP, signature::SIGNATURE]
            .into_iter()
            .filter_map(named)
            .collect(),
        peer: String::new(),
    };
    let own = key("a");
    let scope = Scope {
        direction,
        target,
        ..scope(&own)
    };
    let shown = Shown::read(&head, Clock::system().now_ms() / 1000, false)?;
    shown.verify(&Secret::new(SECRET), scope, &request.body)
}

async fn sends(response: ResponseTemplate) -> (MockServer, Bench, tempfile::TempDir) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(response)
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .with_priority(9)
        .mount(&server)
        .await;
    let (folder, store) = store();
    let bench = Bench::run(&store, Clock::system(), webhook(Some(&server.uri())));
    bench.say("run/0", "anna", "hi").await;
    bench.settled().await;
    (server, bench, folder)
}

#[tokio::test]
async fn a_callback_is_signed_and_carries_the_deliverys_key() {
    let (server, _bench, _folder) = sends(ResponseTemplate::new(200)).await;

    let request = server.received_requests().await.unwrap().remove(0);
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
    verify_callback(&request, Direction::Outbound).unwrap();
    verify_callback(&request, Direction::Inbound).unwrap_err();
    assert!(
        header(signature::SIGNATURE_V1).is_some(),
        "older receivers are served as well"
    );
    assert_eq!(header("idempotency-key"), Some("run/0/0"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["to"], &body["text"], &body["id"]),
        (&json!("anna"), &json!("hi"), &json!("run/0/0"))
    );
}

#[tokio::test]
async fn a_callback_that_is_limited_is_repeated_no_earlier_than_it_said() {
    let began = time::Instant::now();
    let (server, _bench, _folder) = sends(ResponseTemplate::new(429).insert_header("retry-after", "2")).await;

    assert!(began.elapsed() >= Duration::from_secs(2));
    let keys: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|r| r.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys, ["run/0/0", "run/0/0"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, bench, _folder) =
        sends(ResponseTemplate::new(307).insert_header("location", "/elsewhere")).await;

    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    assert_eq!(
        bench.store.counts(crate::testing::key("a")).await.unwrap().dead,
        1
    );
}

#[tokio::test]
async fn without_the_old_signature_a_callback_bears_the_new_one_alone() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let config = json!({"secret": SECRET, "callbackUrl": server.uri(), "legacySignature": false});
    let (_folder, store) = store();
    let bench = Bench::run(&store, Clock::system(), account(&config));

    bench.say("run/0", "anna", "hi").await;
    bench.settled().await;

    let request = server.received_requests().await.unwrap().remove(0);
    assert!(request.headers.contains_key(signature::SIGNATURE));
    assert!(!request.headers.contains_key(signature::SIGNATURE_V1));
}

#[test]
fn a_text_is_cut_at_lines_then_spaces_then_characters_and_nothing_is_lost() {
    assert_eq!(split("one two", 100), ["one two"]);
    assert_eq!(split("aaaa\nbbbb cc", 6), ["aaaa\n", "bbbb ", "cc"]);
    assert_eq!(split("ääää", 3), ["ä", "ä", "ä", "ä"]);
    assert!(split(" \n", 10).is_empty());
}
