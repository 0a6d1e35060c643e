use std::sync::Arc;

use gatehouse_core::Clock;
use gatehouse_fakes::discord::{Discord as Fake, Fault, Seen, channel, direct};
use serde_json::{Value, json};

use super::Discord;
use crate::{
    account::State,
    adapter::{Adapter, Typing, contract},
    outbox::store::Counts,
    platform::isolated,
    store::Stores,
    testing::{Bench, Memory, deps, key, stores, until},
};

mod choices;
mod commands;
mod gateway;
mod heard;
mod previews;
mod said;
mod sent;
mod trouble;

contract::contract!(Bot);

mod apart {
    type Bot = crate::platform::isolated::tests::Apart<super::Bot>;

    crate::adapter::contract::contract!(Bot);
}

const ANNA: &str = "7";
const OFFICE: &str = "500";

/// A bot, and what the account remembers.
struct Bot {
    discord: Fake,
    folder: tempfile::TempDir,
    stores: Stores,
    opened: u64,
}

impl Bot {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, stores) = stores();
        Self {
            discord: Fake::start().await,
            folder,
            stores,
            opened: 0,
        }
    }

    fn config(&self) -> Value {
        json!({"token": self.discord.token(), "apiRoot": self.discord.root()})
    }
}

fn adapter(config: &Value, stores: &Stores, files: &Arc<Memory>) -> Arc<dyn Adapter> {
    isolated::tests::opened::<Discord>(config, deps(stores, Clock::system(), files))
}

impl isolated::tests::Apartable for Bot {
    type Software = Discord;

    fn account(&self) -> Value {
        self.config()
    }
}

impl contract::Platform for Bot {
    /// It says again what came behind the last place, not what was said twice.
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self::new().await
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        adapter(&self.config(), &self.stores, &Arc::default())
    }

    fn person(&self) -> String {
        format!("1{ANNA}")
    }

    async fn say(&self, _: &Bench, id: &str, text: &str) {
        let number = id
            .bytes()
            .fold(0_u64, |number, byte| number * 31 + u64::from(byte));
        self.discord
            .event("MESSAGE_CREATE", direct(ANNA, &number.to_string(), text));
    }

    async fn heard(&self) -> Vec<String> {
        self.discord.seen().into_iter().map(|seen| seen.text).collect()
    }

    async fn cut(&mut self) {
        self.opened = self.discord.opened();
        self.discord.cut();
    }

    async fn mended(&mut self) {
        until("a new connection", async || {
            (self.discord.opened() > self.opened).then_some(())
        })
        .await;
    }
}

/// An account that runs.
struct Scene {
    discord: Fake,
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
        Self::over(Bot::new().await, &keys)
    }

    fn over(bot: Bot, keys: &Value) -> Self {
        let mut config = bot.config();
        let Bot {
            discord,
            folder,
            stores,
            opened: _,
        } = bot;
        config
            .as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        let files = Arc::new(Memory::default());
        let adapter = adapter(&config, &stores, &files);
        let bench = Bench::run(&stores, Clock::system(), Arc::clone(&adapter));
        Self {
            discord,
            adapter,
            files,
            bench,
            stores,
            folder,
        }
    }

    /// The same account in a new process; `meanwhile` happens when the old one is gone.
    async fn again(self, meanwhile: impl FnOnce(&Fake)) -> Self {
        let Self {
            discord,
            bench,
            stores,
            folder,
            ..
        } = self;
        bench.task.abort();
        let _ = bench.task.await;
        meanwhile(&discord);
        let bot = Bot {
            discord,
            folder,
            stores,
            opened: 0,
        };
        Self::over(bot, &json!({}))
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

    async fn seen(&self, count: usize) -> Vec<Seen> {
        until("the messages", async || {
            Some(self.discord.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }

    async fn failed(&self) -> String {
        self.is(State::Failed).await;
        self.bench.progress.snapshot().last_error.unwrap()
    }
}
