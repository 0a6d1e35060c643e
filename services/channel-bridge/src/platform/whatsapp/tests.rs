use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use gatehouse_core::{
    Clock,
    content::{Block, MediaSource},
};
use gatehouse_fakes::whatsapp::{Cloud, Fault, NUMBER, Seen, post, refusal, text};
use serde_json::{Value, json};

use super::Whatsapp;
use crate::{
    account::State,
    adapter::{Adapter, FetchError, HttpAnswer, HttpHead, HttpRequest, Report, Typing, contract},
    outbox::store::Counts,
    platform::isolated,
    store::Stores,
    testing::{Bench, Memory, deps, key, stores, until},
};

mod choices;
mod hook;
mod said;
mod sent;
mod trouble;

contract::contract!(Number);

mod apart {
    type Number = crate::platform::isolated::tests::Apart<super::Number>;

    crate::adapter::contract::contract!(Number);
}

const ANNA: &str = "491701234567";
const VERIFY: &str = "a word of ours";

/// A number, and what the account remembers.
struct Number {
    cloud: Cloud,
    folder: tempfile::TempDir,
    stores: Stores,
    adapter: std::sync::OnceLock<Arc<dyn Adapter>>,
    checks: usize,
}

impl Number {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, stores) = stores();
        Self {
            cloud: Cloud::start().await,
            folder,
            stores,
            adapter: std::sync::OnceLock::new(),
            checks: 0,
        }
    }

    fn config(&self) -> Value {
        json!({"phoneNumberId": NUMBER, "accessToken": self.cloud.token(), "appSecret": self.cloud.app_secret(),
            "verifyToken": VERIFY, "apiRoot": self.cloud.root()})
    }
}

fn adapter(config: &Value, stores: &Stores, files: &Arc<Memory>) -> Arc<dyn Adapter> {
    isolated::tests::opened::<Whatsapp>(config, deps(stores, Clock::system(), files))
}

async fn call(
    adapter: &dyn Adapter,
    bench: &Bench,
    method: &str,
    target: &str,
    headers: Vec<(String, String)>,
    body: &str,
) -> HttpAnswer {
    let head = HttpHead {
        method: method.into(),
        target: target.into(),
        headers,
        peer: "192.0.2.1".into(),
    };
    if let Err(answer) = adapter.http_head(&head, &bench.inbound).unwrap() {
        return answer;
    }
    let body = body.to_owned().into();
    adapter
        .http(HttpRequest { head, body }, &bench.inbound)
        .await
        .unwrap()
}

impl isolated::tests::Apartable for Number {
    type Software = Whatsapp;

    fn account(&self) -> Value {
        self.config()
    }

    fn calls(&self, adapter: Arc<dyn Adapter>) {
        let _ = self.adapter.set(adapter); // before anybody was called
    }
}

impl contract::Platform for Number {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self::new().await
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        let open = || adapter(&self.config(), &self.stores, &Arc::default());
        Arc::clone(self.adapter.get_or_init(open))
    }

    fn person(&self) -> String {
        ANNA.to_owned()
    }

    async fn say(&self, bench: &Bench, id: &str, words: &str) {
        let body = post(ANNA, &[text(ANNA, id, words)], json!({})).to_string();
        // Meta posts again what was not taken.
        until("the post to be taken", async || {
            let headers = self.cloud.signed(&body);
            let answer = call(
                &*self.adapter(),
                bench,
                "POST",
                "/webhooks/whatsapp/a",
                headers,
                &body,
            )
            .await;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    async fn heard(&self) -> Vec<String> {
        self.cloud.seen().into_iter().map(|seen| seen.text).collect()
    }

    async fn cut(&mut self) {
        self.checks = self.cloud.calls("message").len();
        self.cloud.fault("message", Fault::Gateway(502));
    }

    async fn mended(&mut self) {}
}

/// An account that runs.
struct Scene {
    cloud: Cloud,
    bench: Bench,
    adapter: Arc<dyn Adapter>,
    /// Keeps media.
    files: Arc<Memory>,
    stores: Stores,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// With these keys over the usual ones.
    async fn with(keys: Value) -> Self {
        let number = Number::new().await;
        let mut config = number.config();
        config
            .as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        let Number {
            cloud,
            folder,
            stores,
            ..
        } = number;
        let files = Arc::new(Memory::default());
        let adapter = adapter(&config, &stores, &files);
        let bench = Bench::run(&stores, Clock::system(), Arc::clone(&adapter));
        Self {
            cloud,
            bench,
            adapter,
            files,
            stores,
            _folder: folder,
        }
    }

    async fn posts(&self, body: &Value) -> HttpAnswer {
        let body = body.to_string();
        self.post(&body, self.cloud.signed(&body)).await
    }

    async fn post(&self, body: &str, headers: Vec<(String, String)>) -> HttpAnswer {
        call(
            &*self.adapter,
            &self.bench,
            "POST",
            "/webhooks/whatsapp/a",
            headers,
            body,
        )
        .await
    }

    async fn is(&self, state: State) {
        until(&format!("{state:?}"), async || {
            (self.bench.progress.snapshot().state == state).then_some(())
        })
        .await;
    }

    async fn seen(&self, count: usize) -> Vec<Seen> {
        until("the messages", async || {
            Some(self.cloud.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }

    async fn failed(&self) -> String {
        self.is(State::Failed).await;
        self.bench.progress.snapshot().last_error.unwrap()
    }
}
