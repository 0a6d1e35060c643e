use std::sync::Arc;

use gatehouse_core::Clock;
use gatehouse_fakes::slack::{Fault, Seen, Workspace, channel, direct};
use serde_json::{Value, json};

use super::Slack;
use crate::{
    account::State,
    adapter::{Adapter, Typing, contract},
    outbox::store::Counts,
    platform::isolated,
    store::Stores,
    testing::{Bench, Memory, deps, key, stores, until},
};

mod choices;
mod files;
mod heard;
mod hook;
mod previews;
mod said;
mod sent;
mod trouble;

contract::contract!(App);

mod apart {
    type App = crate::platform::isolated::tests::Apart<super::App>;

    crate::adapter::contract::contract!(App);
}

const ANNA: &str = "UANNA";
const OFFICE: &str = "COFFICE";

/// An app in a workspace, and what the account remembers.
struct App {
    workspace: Workspace,
    folder: tempfile::TempDir,
    stores: Stores,
    opened: u64,
}

impl App {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, stores) = stores();
        Self {
            workspace: Workspace::start().await,
            folder,
            stores,
            opened: 0,
        }
    }

    fn config(&self) -> Value {
        json!({
            "botToken": self.workspace.bot_token(), "appToken": self.workspace.app_token(),
            "apiRoot": self.workspace.root(),
        })
    }
}

fn adapter(config: &Value, stores: &Stores, clock: Clock, files: &Arc<Memory>) -> Arc<dyn Adapter> {
    isolated::tests::opened::<Slack>(config, deps(stores, clock, files))
}

impl isolated::tests::Apartable for App {
    type Software = Slack;

    fn account(&self) -> Value {
        self.config()
    }
}

impl contract::Platform for App {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self::new().await
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        adapter(&self.config(), &self.stores, Clock::system(), &Arc::default())
    }

    fn person(&self) -> String {
        format!("D{ANNA}")
    }

    async fn say(&self, _: &Bench, id: &str, text: &str) {
        let number = id
            .bytes()
            .fold(0_u64, |number, byte| number * 31 + u64::from(byte));
        let ts = format!("1780000000.{number:06}");
        self.workspace.event(direct(ANNA, &ts, text));
    }

    async fn heard(&self) -> Vec<String> {
        self.workspace.seen().into_iter().map(|seen| seen.text).collect()
    }

    async fn cut(&mut self) {
        self.opened = self.workspace.opened();
        self.workspace.cut();
    }

    async fn mended(&mut self) {
        until("a new socket", async || {
            (self.workspace.opened() > self.opened).then_some(())
        })
        .await;
    }
}

/// An account that runs in the workspace.
struct Scene {
    workspace: Workspace,
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
        Self::over(App::new().await, &keys)
    }

    fn over(app: App, keys: &Value) -> Self {
        let mut config = app.config();
        let App {
            workspace,
            folder,
            stores,
            opened: _,
        } = app;
        config
            .as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        let clock = Clock::system();
        let files = Arc::new(Memory::default());
        let adapter = adapter(&config, &stores, clock.clone(), &files);
        let bench = Bench::run(&stores, clock, Arc::clone(&adapter));
        Self {
            workspace,
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
            workspace,
            bench,
            stores,
            folder,
            ..
        } = self;
        bench.task.abort();
        let _ = bench.task.await;
        let app = App {
            workspace,
            folder,
            stores,
            opened: 0,
        };
        Self::over(app, &json!({}))
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
            Some(self.workspace.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }

    async fn failed(&self) -> String {
        self.is(State::Failed).await;
        self.bench.progress.snapshot().last_error.unwrap()
    }
}
