use std::sync::Arc;

use gatehouse_core::Clock;
use gatehouse_fakes::telegram::{BotApi, Fault, direct, group};
use serde_json::{Value, json};

use super::{Platform as _, Telegram};
use crate::{
    account::State,
    adapter::{Adapter, Typing, contract},
    metrics::{Direction, Fate},
    outbox::store::Counts,
    platform::isolated,
    store::Stores,
    testing::{Bench, Memory, deps, key, stores, until},
};

mod choices;
mod files;
mod going;
mod heard;
mod hooked;
mod previews;
mod said;
mod sent;
mod trouble;

contract::contract!(Bot);

mod apart {
    type Bot = crate::platform::isolated::tests::Apart<super::Bot>;

    crate::adapter::contract::contract!(Bot);
}

const ANNA: i64 = 7;
const FAMILY: i64 = -100_123;

/// A bot whose server remembers, and what the account remembers.
struct Bot {
    api: BotApi,
    folder: tempfile::TempDir,
    stores: Stores,
    connections: usize,
}

impl Bot {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, stores) = stores();
        Self {
            api: BotApi::start().await,
            folder,
            stores,
            connections: 0,
        }
    }

    fn config(&self) -> Value {
        json!({"botToken": self.api.token(), "apiRoot": self.api.root()})
    }
}

fn adapter(config: &Value, stores: &Stores, files: &Arc<Memory>) -> Arc<dyn Adapter> {
    isolated::tests::opened::<Telegram>(config, deps(stores, Clock::system(), files))
}

impl isolated::tests::Apartable for Bot {
    type Software = Telegram;

    fn account(&self) -> Value {
        self.config()
    }
}

impl contract::Platform for Bot {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self::new().await
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        adapter(&self.config(), &self.stores, &Arc::default())
    }

    fn person(&self) -> String {
        ANNA.to_string()
    }

    async fn say(&self, _: &Bench, id: &str, text: &str) {
        let number = id.bytes().fold(0, |number, byte| number * 31 + i64::from(byte));
        self.api.update("message", direct(ANNA, number, text));
    }

    async fn heard(&self) -> Vec<String> {
        self.api.seen().into_iter().map(|seen| seen.text).collect()
    }

    async fn cut(&mut self) {
        self.connections = self.api.calls("getMe").len();
        self.api.conflict();
    }

    async fn mended(&mut self) {
        until("a new connection", async || {
            (self.api.calls("getMe").len() > self.connections).then_some(())
        })
        .await;
    }
}

/// An account that runs against the server.
struct Scene {
    api: BotApi,
    adapter: Arc<dyn Adapter>,
    /// Keeps media.
    files: Arc<Memory>,
    bench: Bench,
    stores: Stores,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// With these keys over the usual ones.
    async fn with(keys: Value) -> Self {
        let bot = Bot::new().await;
        Self::over(bot, keys)
    }

    fn over(bot: Bot, keys: Value) -> Self {
        let mut config = bot.config();
        let Bot {
            api,
            folder,
            stores,
            connections: _,
        } = bot;
        config
            .as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        let files = Arc::new(Memory::default());
        let adapter = adapter(&config, &stores, &files);
        let bench = Bench::run(&stores, Clock::system(), adapter.clone());
        Self {
            api,
            adapter,
            files,
            bench,
            stores,
            folder,
        }
    }

    /// The same account in a new process.
    async fn again(self) -> Self {
        let Self {
            api,
            bench,
            stores,
            folder,
            ..
        } = self;
        bench.task.abort();
        let _ = bench.task.await;
        let bot = Bot {
            api,
            folder,
            stores,
            connections: 0,
        };
        Self::over(bot, json!({}))
    }

    async fn is(&self, state: State) {
        until(&format!("{state:?}"), async || {
            (self.bench.progress.snapshot().state == state).then_some(())
        })
        .await;
    }

    async fn hears(&self, count: usize) -> Vec<String> {
        until("what is said", async || {
            Some(self.bench.heard.texts()).filter(|texts| texts.len() >= count)
        })
        .await
    }

    async fn seen(&self, count: usize) -> Vec<gatehouse_fakes::telegram::Seen> {
        until("the messages", async || {
            Some(self.api.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }
}
