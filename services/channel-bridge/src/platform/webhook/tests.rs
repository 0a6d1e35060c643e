use std::sync::{Arc, OnceLock};

use gatehouse_core::{Clock, Secret};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{
    Webhook, WebhookConfig,
    signature::{self, Direction, Scope, Shown, SignatureError},
};
use crate::{
    adapter::{AccountKey, Adapter, ChatKind, HttpAnswer, HttpHead, HttpRequest, contract},
    platform::isolated,
    testing::{Bench, key, stores, until},
};

mod callback;
mod inbound;
mod recipe;
mod typing;

const SECRET: &str = "a secret of some length";

contract::contract!(Operators);

mod apart {
    type Operators = crate::platform::isolated::tests::Apart<super::Operators>;

    crate::adapter::contract::contract!(Operators);
}

/// The operator's own platform: it posts what people say, and takes replies.
struct Operators {
    replies: MockServer,
    adapter: OnceLock<Arc<dyn Adapter>>,
}

impl isolated::tests::Apartable for Operators {
    type Software = Webhook;

    fn account(&self) -> Value {
        json!({"secret": SECRET, "callbackUrl": self.replies.uri(), "typing": true})
    }

    fn calls(&self, adapter: Arc<dyn Adapter>) {
        let _ = self.adapter.set(adapter); // before anybody was called
    }
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
        Self {
            replies,
            adapter: OnceLock::new(),
        }
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        use isolated::tests::Apartable;
        Arc::clone(self.adapter.get_or_init(|| account(&self.account())))
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
    let now = Clock::system().now().as_seconds();
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
    let now = Clock::system().now().as_seconds();
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
struct Posted {
    _folder: tempfile::TempDir,
    bench: Bench,
    adapter: Arc<dyn Adapter>,
}

fn posted() -> Posted {
    posted_to(&json!({"secret": SECRET}))
}

fn posted_to(config: &Value) -> Posted {
    let (folder, stores) = stores();
    let adapter = account(config);
    let bench = Bench::run(&stores, Clock::system(), Arc::clone(&adapter));
    Posted {
        _folder: folder,
        bench,
        adapter,
    }
}

impl Posted {
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
    let shown = Shown::read(&head, Clock::system().now().as_seconds(), false)?;
    shown.verify(&Secret::new(SECRET), scope, &request.body)
}
