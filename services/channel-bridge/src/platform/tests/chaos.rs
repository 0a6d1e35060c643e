//! Many conversations over several platforms at once, while connections end, receipts are lost and the bridge dies: every answer reaches
//! the chat that asked, and it once, unless it says that it may be a repeat.

mod server;
mod session;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gatehouse_core::{Clock, Drain, config::ConfigHandle};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::watch, time};

use self::{
    server::{Chaos, Server},
    session::Echo,
};
use crate::{
    account::{
        lease::LeasePolicy,
        manager::{self, Manager},
        store::LeaseOwner,
    },
    adapter::AccountKey,
    config::Config,
    inbox::Inbox,
    media::MediaReader,
    metrics::{Direction, Fate, Metrics},
    outbox::Outbox,
    platform::{Entry, Platforms},
    preview::Previews,
    store::Stores,
    testing::{stores, until},
};

const CHANNELS: [&str; 3] = ["chaos-a", "chaos-b", "chaos-c"];
const ACCOUNTS: [&str; 2] = ["home", "work"];
/// Chats of one account: with the above more than two hundred conversations.
const PEOPLE: usize = 35;
/// Messages of one conversation, the last of them to the last life of the bridge: so it has something to do on each channel, however
/// fast the others were.
const ASKED: usize = 5;
/// How often the bridge dies.
const DEATHS: usize = 3;
const LEASES: LeasePolicy = LeasePolicy::Timed {
    length: Duration::from_secs(2),
    renew_every: Duration::from_millis(300),
};

/// One life of the bridge, on a runtime of its own, so that it can die in the middle of anything, with what it counts.
fn life(stores: &Stores, session: &Arc<Echo>) -> (Runtime, Metrics) {
    let runtime = Runtime::new().unwrap();
    let counted = Metrics::default();
    let _inside = runtime.enter();
    let stores = Stores {
        owner: LeaseOwner::new(),
        leases: LEASES,
        ..stores.clone()
    };
    let (clock, metrics, drain) = (Clock::system(), counted.clone(), Drain::new());
    let (handle, sender) = ConfigHandle::fixed(config());
    let (view, seen) = watch::channel(None);
    let outbox = Outbox::new(stores.outbox.clone(), clock.clone(), metrics.clone());
    let previews = Previews::new(
        &stores,
        session.clone(),
        outbox.clone(),
        clock.clone(),
        metrics.clone(),
        drain.clone(),
    );
    let inbox = Inbox::new(
        &stores,
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
        platforms: Platforms::of([
            Entry::of::<Chaos<0>>(),
            Entry::of::<Chaos<1>>(),
            Entry::of::<Chaos<2>>(),
        ]),
        stores,
        outbox: outbox.clone(),
        inbox: Arc::new(inbox),
        clock,
        metrics,
        media: MediaReader::new(session.clone()),
        previews,
    };
    let manager = Manager::spawn(handle, deps, view, &drain);
    let session = Arc::clone(session);
    runtime.spawn(async move {
        let _kept = (manager, sender, drain);
        session.hand_over(&outbox).await
    });
    drop(_inside);
    (runtime, counted)
}

/// What waits on each channel, in and out.
async fn waits(stores: &Stores) -> BTreeMap<(&'static str, bool), u64> {
    let mut waiting = BTreeMap::new();
    for channel in CHANNELS {
        for account in ACCOUNTS {
            let key = AccountKey::new(channel, account);
            let inbox = stores.inbox.waiting(key.clone()).await.unwrap();
            let outbox = stores.outbox.counts(key).await.unwrap().waiting;
            *waiting.entry((channel, true)).or_default() += u64::try_from(inbox).unwrap();
            *waiting.entry((channel, false)).or_default() += u64::try_from(outbox).unwrap();
        }
    }
    waiting
}

/// How the counts of a life stand: what there was to do at its beginning or came since, and what ended or still waits.
fn sums(
    counted: &Metrics,
    before: &BTreeMap<(&'static str, bool), u64>,
    now: &BTreeMap<(&'static str, bool), u64>,
) -> Vec<(u64, u64)> {
    before
        .keys()
        .map(|key| {
            let (channel, inward) = *key;
            let direction = if inward { Direction::In } else { Direction::Out };
            let came = before[key] + counted.get(channel, direction, Fate::Accepted);
            (came, counted.ended(channel, direction) + now[key])
        })
        .collect()
}

fn config() -> Config {
    let account = |channel: &str, account: &str| {
        let server = format!("{channel}/{account}");
        json!({"server": server, "dmPolicy": "open", "allowFrom": ["*"], "loopGuard": {"maxTurns": 0}})
    };
    let channel = |channel: &str| -> Value {
        let accounts = ACCOUNTS.map(|name| (name.to_owned(), account(channel, name)));
        json!({"accounts": serde_json::Map::from_iter(accounts)})
    };
    let channels = CHANNELS.map(|name| (name.to_owned(), channel(name)));
    serde_json::from_value(json!({"channels": serde_json::Map::from_iter(channels)})).unwrap()
}

fn asked(channel: &str, account: &str, person: usize, n: usize) -> String {
    format!("{channel}/{account}/{person}#{n}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_reaches_the_chat_that_asked_once_whatever_dies_on_the_way() {
    let (_folder, stores) = stores();
    let session = Arc::new(Echo::default());
    let mut servers = Vec::new();
    for channel in CHANNELS {
        for account in ACCOUNTS {
            let server = Server::start(&format!("{channel}/{account}"), servers.len() as u64 + 1);
            for n in 0..ASKED - 1 {
                for person in 0..PEOPLE {
                    server.say(&format!("person-{person}"), &asked(channel, account, person, n));
                }
            }
            servers.push((channel, account, server));
        }
    }

    for _ in 0..DEATHS {
        let (dying, _) = life(&stores, &session);
        time::sleep(Duration::from_millis(2_500)).await;
        let dead = move || dying.shutdown_timeout(Duration::from_secs(5));
        tokio::task::spawn_blocking(dead).await.unwrap();
    }
    // Behind what the dead one gave the writer last.
    let anybody = AccountKey::new(CHANNELS[0], ACCOUNTS[0]);
    let written = stores.accounts.keep_state(anybody, "seen".into(), Vec::new());
    written.await.unwrap();
    let left = waits(&stores).await;
    let (last, counted) = life(&stores, &session);
    for (channel, account, server) in &servers {
        for person in 0..PEOPLE {
            server.say(
                &format!("person-{person}"),
                &asked(channel, account, person, ASKED - 1),
            );
        }
    }
    let answered = |server: &Server| {
        server
            .messages()
            .iter()
            .filter(|(_, text)| !text.ends_with('…'))
            .count()
    };
    let total = PEOPLE * ASKED;
    let deadline = time::Instant::now() + Duration::from_secs(90);
    while servers.iter().any(|(_, _, server)| answered(server) < total) || session.owes() {
        assert!(
            time::Instant::now() < deadline,
            "answers are missing: {:?}",
            servers
                .iter()
                .map(|(_, _, server)| answered(server))
                .collect::<Vec<_>>()
        );
        time::sleep(Duration::from_millis(50)).await;
    }
    until("what is in doubt", async || {
        let mut waiting = 0;
        for (channel, account, _) in &servers {
            let key = AccountKey::new(*channel, *account);
            waiting += stores.outbox.counts(key).await.unwrap().waiting;
        }
        (waiting == 0).then_some(())
    })
    .await;
    // The last life, which began with what the others left, accounts for every message.
    let mut told = Vec::new();
    let closed = async {
        loop {
            told = sums(&counted, &left, &waits(&stores).await);
            if told.iter().all(|(came, went)| came == went) {
                break;
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    let closes = time::timeout(Duration::from_secs(10), closed).await.is_ok();
    assert!(closes, "what came and what became of it: {told:?}");
    assert!(told.iter().all(|(came, _)| *came > 0), "{told:?}");
    last.shutdown_background();

    for (channel, account, server) in &servers {
        let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let mut orphans = 0;
        for (chat, text) in server.messages() {
            if text.ends_with('…') {
                orphans += 1;
                continue;
            }
            let (text, repeats) = match text.strip_prefix("(resent) ") {
                Some(text) => (text, 1),
                None => (text.as_str(), 0),
            };
            let tag = text
                .strip_prefix("answer to ")
                .unwrap_or_else(|| panic!("{text:?}"));
            let (place, _) = tag.split_once('#').unwrap();
            let person = chat.strip_prefix("person-").unwrap();
            assert_eq!(place, format!("{channel}/{account}/{person}"), "in another chat");
            let counts = seen.entry(tag.to_owned()).or_default();
            counts.0 += 1;
            counts.1 += repeats;
        }
        for person in 0..PEOPLE {
            for n in 0..ASKED {
                let tag = asked(channel, account, person, n);
                let (count, repeats) = seen.get(&tag).copied().unwrap_or_default();
                assert!(count >= 1, "{tag} was lost");
                assert!(
                    count - repeats <= 1,
                    "{tag} was said {count} times, and {repeats} times it says so"
                );
            }
        }
        // A message that was posted in the very moment of a death is known to nobody; it says that it is not whole.
        assert!(orphans <= DEATHS * 8, "{orphans} half answers are left");
    }
    assert_eq!(session.asked_twice(), 0, "a message is one turn");
}
