//! A third platform, to show what one needs: the folder `relay` and the line in [`platforms`]. It passes the suite of adapters,
//! and runs under the manager as those that are compiled in do.

mod chaos;
mod relay;
mod two;

use std::sync::Arc;

use gatehouse_core::{Clock, Drain, config::ConfigHandle};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;

use self::relay::{Relay, Server};
use super::{Deps, Entry, Platforms};
use crate::{
    account::{AccountState, Manager, manager},
    adapter::{AccountKey, Adapter, ChatKind, contract},
    config::Config,
    id::DeliveryKey,
    inbox::Inbox,
    media::MediaReader,
    metrics::Metrics,
    outbox::{Outbox, store::NewDelivery},
    store::Stores,
    testing::{Bench, Memory, NOW, key, previews, stores, until},
};

fn platforms() -> Platforms {
    Platforms::of([Entry::of::<Relay>()])
}

contract::contract!(People);

/// The relay with a person on it, and what account `a` remembers.
struct People {
    server: Server,
    _folder: TempDir,
    stores: Stores,
}

impl People {
    fn new() -> Self {
        let (folder, stores) = stores();
        Self {
            server: Server::start(),
            _folder: folder,
            stores,
        }
    }
}

impl contract::Platform for People {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self::new()
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        let platforms = platforms();
        let connector = platforms
            .get("relay")
            .unwrap()
            .read(&json!({"server": self.server.name()}))
            .unwrap();
        connector.open(Deps {
            account: key("a"),
            clock: Clock::system(),
            state: AccountState::new(key("a"), self.stores.accounts.clone()),
            media: MediaReader::new(Arc::new(Memory::default())),
        })
    }

    fn person(&self) -> String {
        "anna".into()
    }

    async fn say(&self, _: &Bench, id: &str, text: &str) {
        self.server.say(id, text);
    }

    async fn heard(&self) -> Vec<String> {
        self.server.heard()
    }

    async fn cut(&mut self) {
        self.server.cut();
    }

    async fn mended(&mut self) {}
}

#[tokio::test]
async fn an_account_goes_on_where_it_stopped_reading() {
    let people = People::new();
    people.server.say("1", "before");
    let bench = Bench::run(
        &people.stores,
        Clock::system(),
        contract::Platform::adapter(&people),
    );
    until("what was said", async || {
        (bench.heard.texts() == ["before"]).then_some(())
    })
    .await;
    until("a memory of it", async || {
        (people.server.read_from() == 1).then_some(())
    })
    .await;
    bench.stop().await;

    people.server.say("2", "after");
    let bench = Bench::run(
        &people.stores,
        Clock::system(),
        contract::Platform::adapter(&people),
    );
    until("the rest", async || {
        (!bench.heard.texts().is_empty()).then_some(())
    })
    .await;

    assert_eq!(bench.heard.texts(), ["after"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_platform_in_the_registry_runs_from_its_configuration_to_the_session_service_and_back() {
    let people = People::new();
    let channels = json!({"relay": {"dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open",
        "accounts": {"home": {"server": people.server.name()}, "broken": {}}}});
    let config: Config = serde_json::from_value(json!({ "channels": channels })).unwrap();
    let (handle, _config) = ConfigHandle::fixed(config);
    let (clock, metrics, drain) = (Clock::fixed(NOW.as_ms()), Metrics::default(), Drain::new());
    let (session, (view, seen)) = (Arc::new(Memory::default()), watch::channel(None));
    let outbox = Outbox::new(people.stores.outbox.clone(), clock.clone(), metrics.clone());
    let previews = previews(&people.stores, &session, &outbox);
    let inbox = Inbox::new(
        &people.stores,
        session.clone(),
        outbox.clone(),
        previews.clone(),
        seen,
        clock.clone(),
        metrics.clone(),
    );
    inbox.spawn(&drain);
    let deps = manager::Deps {
        brought: crate::testing::nothing_brought(),
        platforms: platforms(),
        stores: people.stores.clone(),
        outbox: outbox.clone(),
        inbox: Arc::new(inbox),
        clock,
        metrics,
        media: MediaReader::new(session.clone()),
        previews,
    };
    let manager = Manager::spawn(handle, deps, view, &drain);

    people.server.say("m1", "hello");
    let taken = until("the message", async || {
        session.taken.lock().unwrap().first().cloned()
    })
    .await;
    let home = AccountKey::new("relay", "home");
    outbox
        .enqueue(NewDelivery {
            session_key: None,
            parts: 1,
            key: DeliveryKey::from("run/0"),
            run_id: "run".into(),
            account: home.clone(),
            to: taken.reply_target.unwrap().to.as_str().into(),
            thread_id: None,
            reply_to_id: None,
            message: gatehouse_core::Content::from_json(
                r#"[{"type":"text","text":"hello yourself"},{"type":"image","id":"1","mimeType":"image/png","name":"cat.png"}]"#,
            )
            .unwrap(),
            created_at: NOW,
        })
        .await
        .unwrap();
    until("the answer", async || {
        (people.server.heard() == ["hello yourself", ""]).then_some(())
    })
    .await;
    assert_eq!(people.server.shown(), ["cat.png"], "the platform shows media");

    assert_eq!(
        (taken.channel.as_str(), taken.account_id.as_str()),
        ("relay", "home")
    );
    // What the platform says of the chat is what bindings are matched with.
    let parent = taken.parent_peer.unwrap();
    assert_eq!(parent.id, relay::PARENT);
    assert_eq!(taken.guild_id.as_deref(), Some(relay::GUILD));
    assert_eq!(taken.team_id.as_deref(), Some(relay::TEAM));
    assert_eq!(taken.roles, relay::ROLES);
    assert_eq!(relay::KIND, ChatKind::Channel);
    let view = manager.view().unwrap();
    assert_eq!(view.platforms.label("relay"), "Relay");
    let broken = &view.accounts[&AccountKey::new("relay", "broken")];
    assert!(broken.config.connector.as_ref().unwrap_err().contains("server"));
    assert!(drain.finish(std::time::Duration::from_secs(5)).await);
}
