use std::sync::{Condvar, Mutex};

use async_trait::async_trait;
use gatehouse_core::config::Revision;
use serde_json::{Value, json};

use super::*;
use crate::{
    adapter::{Capabilities, Ended, Limits, Link},
    platform::{Entry as PlatformEntry, Platform},
    testing::{Heard, Memory, Puppet, previews, stores, until},
};

/// A platform whose accounts end when they are asked to, but for those that are configured not to: they hold their thread.
struct Stubborn {
    held: Option<&'static Gate>,
    puppet: Puppet,
}

/// Holds a thread until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

static GATE: Gate = Gate {
    open: Mutex::new(false),
    opened: Condvar::new(),
};

impl Gate {
    fn hold(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl Platform for Stubborn {
    const NAME: &'static str = "stubborn";
    const LABEL: &'static str = "Stubborn";
    type Config = bool;

    fn read(account: &Value) -> Result<bool, String> {
        account["holds"]
            .as_bool()
            .ok_or_else(|| "holds: must be said".into())
    }

    fn open(holds: &bool, _: platform::Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            held: holds.then_some(&GATE),
            puppet: Puppet::new(),
        })
    }
}

#[async_trait]
impl Adapter for Stubborn {
    fn capabilities(&self) -> Capabilities {
        self.puppet.capabilities()
    }

    fn limits(&self) -> Limits {
        self.puppet.limits()
    }

    async fn run(&self, mut link: Link) -> Ended {
        let Some(gate) = self.held else {
            return self.puppet.run(link).await;
        };
        link.progress.connected();
        while link.outgoing.recv().await.is_some() {}
        gate.hold();
        Ended::Retry("let go".into())
    }
}

struct Scene {
    _folder: tempfile::TempDir,
    manager: Manager,
    config: watch::Sender<Option<Arc<Revision<Config>>>>,
    drain: Drain,
}

fn revision(accounts: &Value) -> Arc<Revision<Config>> {
    let value = json!({"channels": {"stubborn": {"accounts": accounts}}});
    Arc::new(Revision {
        hash: accounts.to_string(),
        credentials: Vec::new(),
        devices: Vec::new(),
        left_out: Vec::new(),
        value: serde_json::from_value(value).unwrap(),
    })
}

fn scene(accounts: &Value) -> Scene {
    let (folder, stores) = stores();
    let (handle, config) = ConfigHandle::fixed(revision(accounts).value.clone());
    let (clock, metrics, drain) = (Clock::system(), Metrics::default(), Drain::new());
    let outbox = Outbox::new(Arc::clone(&stores.outbox), clock.clone(), metrics.clone());
    let deps = Deps {
        brought: crate::testing::nothing_brought(),
        platforms: Platforms::of([PlatformEntry::of::<Stubborn>()]),
        previews: previews(&stores, &Arc::default(), &outbox),
        stores,
        outbox,
        inbox: Arc::new(Heard::default()),
        clock,
        metrics,
        media: MediaReader::new(Arc::new(Memory::default())),
    };
    let (view, _) = watch::channel(None);
    Scene {
        _folder: folder,
        manager: Manager::spawn(handle, deps, view, &drain),
        config,
        drain,
    }
}

impl Scene {
    fn state(&self, account: &str) -> Option<State> {
        let view = self.manager.view().ok()?;
        let entry = view.accounts.get(&key(account))?;
        Some(entry.progress.snapshot().state)
    }

    async fn reaches(&self, account: &str, state: State) {
        until(&format!("{account} {}", state.as_str()), async || {
            (self.state(account) == Some(state)).then_some(())
        })
        .await;
    }
}

fn key(account: &str) -> AccountKey {
    AccountKey::new("stubborn", account)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_account_that_does_not_end_holds_up_no_other_and_never_has_two_connections() {
    let scene = scene(&json!({"good": {"holds": false}, "held": {"holds": true}}));
    scene.reaches("good", State::Connected).await;
    scene.reaches("held", State::Connected).await;

    // Configured anew, both, and one more: the held one cannot end.
    let again = json!({"good": {"holds": false, "n": 2}, "held": {"holds": false}, "new": {"holds": false}});
    scene.config.send_replace(Some(revision(&again)));
    scene.reaches("new", State::Connected).await;
    scene.reaches("good", State::Connected).await;
    assert_ne!(
        scene.state("held"),
        Some(State::Connected),
        "the connection before is still there"
    );

    // It is said after a while, and whoever wants to stop it is not kept waiting.
    scene.reaches("held", State::Backoff).await;
    let stopped = scene.manager.stop(vec![key("good"), key("held")]).await;
    assert!(
        matches!(&stopped, Err(Error::StillEnding(account)) if *account == key("held")),
        "{stopped:?}"
    );
    assert_eq!(scene.state("good"), Some(State::Stopped));

    GATE.open();
    scene.manager.stop(vec![key("held")]).await.unwrap();
    scene.manager.start(vec![key("held")]).await.unwrap();
    scene.reaches("held", State::Connected).await;
    assert!(scene.drain.finish(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn an_account_that_is_configured_anew_is_never_seen_as_one_that_nobody_wants() {
    let scene = scene(&json!({"good": {"holds": false}}));
    scene.reaches("good", State::Connected).await;
    let mut views = scene.manager.views();
    views.borrow_and_update();
    // Whoever waits for a code looks as this task does: on one thread it comes before the account's own.
    let sees = tokio::spawn(async move {
        views.changed().await.expect("a view");
        let view = views.borrow().clone().expect("a view");
        view.accounts[&key("good")].progress.snapshot().state
    });
    tokio::task::yield_now().await;

    let again = json!({"good": {"holds": false, "n": 2}});
    scene.config.send_replace(Some(revision(&again)));
    let seen = tokio::time::timeout(Duration::from_secs(20), sees).await;
    assert_eq!(seen.expect("in time").expect("seen"), State::Starting);
    scene.reaches("good", State::Connected).await;
    assert!(scene.drain.finish(Duration::from_secs(5)).await);
}
