//! Two bridges on one store: an account is connected by one of them, and the other takes it over when that one is gone.

use std::{collections::HashMap, time::Duration};

use gatehouse_core::{Timestamp, config::Revision};
use tokio::runtime::Runtime;

use super::*;
use crate::{
    account::{State, lease::LeasePolicy, store::LeaseOwner},
    testing::{delivery, previews},
};

/// Long enough for a loaded machine to renew in time, short enough to wait for.
const SHARED: LeasePolicy = LeasePolicy::Timed {
    length: Duration::from_secs(3),
    renew_every: Duration::from_millis(500),
};

struct Bridge {
    manager: Manager,
    outbox: Outbox,
    session: Arc<Memory>,
    _config: watch::Sender<Option<Arc<Revision<Config>>>>,
}

impl Bridge {
    /// One more bridge on this store, with account `home` of this server.
    fn on(stores: &Stores, server: &Server, drain: &Drain) -> Self {
        let stores = Stores {
            owner: LeaseOwner::new(),
            leases: SHARED,
            ..stores.clone()
        };
        let channels =
            json!({"relay": {"groupPolicy": "open", "accounts": {"home": {"server": server.name()}}}});
        let config: Config = serde_json::from_value(json!({ "channels": channels })).unwrap();
        let (handle, sender) = ConfigHandle::fixed(config);
        let (clock, metrics) = (Clock::system(), Metrics::default());
        let (session, (view, seen)) = (Arc::new(Memory::default()), watch::channel(None));
        let outbox = Outbox::new(stores.outbox.clone(), clock.clone(), metrics.clone());
        let previews = previews(&stores, &session, &outbox);
        let inbox = Inbox::new(
            &stores,
            session.clone(),
            outbox.clone(),
            previews.clone(),
            seen,
            clock.clone(),
            metrics.clone(),
        );
        inbox.spawn(drain);
        let deps = manager::Deps {
            brought: crate::testing::nothing_brought(),
            platforms: platforms(),
            stores,
            outbox: outbox.clone(),
            inbox: Arc::new(inbox),
            clock,
            metrics,
            media: MediaReader::new(session.clone()),
            previews,
        };
        Self {
            manager: Manager::spawn(handle, deps, view, drain),
            outbox,
            session,
            _config: sender,
        }
    }

    fn state(&self) -> Option<State> {
        let view = self.manager.view().ok()?;
        let home = view.accounts.get(&AccountKey::new("relay", "home"))?;
        Some(home.progress.snapshot().state)
    }

    async fn reaches(&self, state: State) {
        until(state.as_str(), async || {
            (self.state() == Some(state)).then_some(())
        })
        .await;
    }

    async fn say(&self, n: usize) {
        let mut delivery = delivery(
            &format!("k{n}"),
            &format!("person {}", n % 3),
            &format!("text {n}"),
            Timestamp::EPOCH,
        );
        delivery.account = AccountKey::new("relay", "home");
        delivery.created_at = Clock::system().now();
        self.outbox.enqueue(delivery).await.unwrap();
    }
}

#[tokio::test]
async fn two_bridges_on_one_store_say_everything_once_and_the_second_takes_over_from_a_dead_one() {
    let people = People::new();
    let (drain, first_drain) = (Drain::new(), Drain::new());
    // A runtime of its own, so that it can die without a word.
    let runtime = Runtime::new().unwrap();
    let first = {
        let _inside = runtime.enter();
        Bridge::on(&people.stores, &people.server, &first_drain)
    };
    first.reaches(State::Connected).await;
    let second = Bridge::on(&people.stores, &people.server, &drain);
    second.reaches(State::Standby).await;

    for n in 0..20 {
        let bridge = if n % 2 == 0 { &first } else { &second };
        bridge.say(n).await;
    }
    people.server.say("m1", "to the first");
    until("twenty texts", async || {
        (people.server.heard().len() >= 20).then_some(())
    })
    .await;
    until("a message", async || {
        (!first.session.taken.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    assert_eq!(
        second.state(),
        Some(State::Standby),
        "the first is alive, and renews"
    );
    until("an empty outbox", async || {
        let counts = people.stores.outbox.counts(AccountKey::new("relay", "home"));
        (counts.await.unwrap().waiting == 0).then_some(())
    })
    .await;

    runtime.shutdown_background();
    people.server.say("m2", "to the second");
    for n in 20..40 {
        second.say(n).await;
    }
    second.reaches(State::Connected).await;

    until("forty texts", async || {
        (people.server.heard().len() >= 40).then_some(())
    })
    .await;
    until("the message", async || {
        (!second.session.taken.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in people.server.heard() {
        *counts.entry(text).or_default() += 1;
    }
    assert!(
        counts.len() == 40 && (0..40).all(|n| counts.get(&format!("text {n}")) == Some(&1)),
        "{counts:?}"
    );
    let ids = |bridge: &Bridge| -> Vec<String> {
        let taken = bridge.session.taken.lock().unwrap();
        taken.iter().map(|message| message.message_id.clone()).collect()
    };
    assert_eq!(
        (ids(&first), ids(&second)),
        (vec!["m1".to_owned()], vec!["m2".to_owned()])
    );
    assert!(drain.finish(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_bridge_that_ends_in_order_leaves_its_accounts_to_the_next_at_once() {
    let people = People::new();
    let (first_drain, drain) = (Drain::new(), Drain::new());
    let first = Bridge::on(&people.stores, &people.server, &first_drain);
    first.reaches(State::Connected).await;
    let second = Bridge::on(&people.stores, &people.server, &drain);
    second.reaches(State::Standby).await;
    assert!(first_drain.finish(Duration::from_secs(5)).await);
    let ended = tokio::time::Instant::now();

    second.reaches(State::Connected).await;

    assert!(
        ended.elapsed() < Duration::from_secs(2),
        "not only when the lease is over"
    );
    assert!(drain.finish(Duration::from_secs(5)).await);
}
