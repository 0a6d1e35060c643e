use gatehouse_core::{Timestamp, sqlite::Error};
use rusqlite::{Connection, params};

use super::*;
use crate::{
    account::lease::LeasePolicy,
    inbox::store::Settlement,
    outbox::store::{OutboxStore, Outcome},
    store::{Stores, contract},
    testing::{NOW, claim, delivery, key, message},
};

async fn open() -> (tempfile::TempDir, Stores) {
    let (folder, store) = sqlite().await;
    let stores = Stores::of(store, LeasePolicy::WithProcess);
    claim(&stores, &["a", "b"]).await;
    (folder, stores)
}

contract::suite!(open);

async fn sqlite() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("bridge.db")).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_database_of_the_first_version_with_a_past_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bridge.db");
    {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(MIGRATIONS.first().unwrap()).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        age(&connection, 50).unwrap();
    }

    let store = Sqlite::open(&path).await.unwrap();

    let (id, known) = store
        .enqueue(
            "new".into(),
            delivery("past-7", "anna", "whatever it said", NOW),
            NOW,
        )
        .await
        .unwrap();
    assert_eq!(
        (id.as_str(), known),
        ("past-7", true),
        "what it said is not known any more"
    );
    let conflict = delivery("mine", "anna", "one", NOW);
    store.enqueue("mine".into(), conflict, NOW).await.unwrap();
    let other = store
        .enqueue("other".into(), delivery("mine", "anna", "two", NOW), NOW)
        .await;
    assert!(matches!(other, Err(StoreError::Conflict { id }) if id == "mine"));
}

/// What stood in a database of the version before leases and what chats belong to: a message that waits, in its form of then, a
/// reply that was leaving, a sender who waits and one who was let in.
const BEFORE_LEASES: &str = r#"
INSERT INTO inbox (channel, account, message_id, chat_id, message, next_at, received_at) VALUES ('webhook', 'a', 'm1', 'anna',
    '{"message_id":"m1","chat_kind":"direct","chat_id":"anna","reply_to":"anna","thread_id":null,"sender_id":"anna",
      "sender_aliases":["anna!a@host"],"sender_name":"name of anna","text":"hi","mentioned":true,"sent_at":7}', 7, 7);
INSERT INTO outbox (id, delivery_key, run_id, channel, account, chat, reply_to_id, text, state, next_at, created_at, queued_at)
    VALUES ('d1', 'run/0', 'run', 'webhook', 'a', 'anna', 'm0', 'one two', 'sending', 7, 7, 7);
INSERT INTO outbox_part (delivery, position, text, state) VALUES (1, 0, 'one', 'sent'), (1, 1, 'two', 'sending');
INSERT INTO pairing_request (id, channel, account, sender_id, reply_to, code, created_at, last_seen_at, expires_at)
    VALUES ('r1', 'webhook', 'a', 'bert', 'bert', 'ABCD2345', 7, 7, 9);
INSERT INTO approved_sender (channel, account, sender_id, request_id, approved_at) VALUES ('webhook', 'a', 'anna', 'r0', 7);
"#;

#[tokio::test]
async fn a_populated_database_of_the_version_before_leases_goes_on_where_it_was() {
    const SCHEMA_THEN: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bridge.db");
    {
        let connection = Connection::open(&path).unwrap();
        for migration in MIGRATIONS.iter().take(SCHEMA_THEN) {
            connection.execute_batch(migration).unwrap();
        }
        connection
            .pragma_update(None, "user_version", SCHEMA_THEN)
            .unwrap();
        connection.execute_batch(BEFORE_LEASES).unwrap();
    }

    let stores = Stores::of(Sqlite::open(&path).await.unwrap(), LeasePolicy::WithProcess);
    assert_eq!(stores.accounts.waiting().await.unwrap(), [key("a")]);
    claim(&stores, &["a"]).await;

    let waiting = stores
        .inbox
        .heads(stores.owner.clone(), 10)
        .await
        .unwrap()
        .remove(0);
    let mut then = message("m1", "anna", "hi");
    (then.sender_aliases, then.sent_at) = (vec!["anna!a@host".into()], Timestamp::from_ms(7));
    assert_eq!(waiting.message, then, "a chat of then belongs to nothing");
    let lease = stores.lease(&key("a"));
    assert_eq!(stores.outbox.recover(lease.clone()).await.unwrap(), 1);
    let head = stores.outbox.heads(lease.clone(), 10).await.unwrap().remove(0);
    assert_eq!(head.content.reply_to_id, Some("m0".into()));
    let parts = stores
        .outbox
        .parts(lease, head.seq, Vec::new(), None, NOW)
        .await
        .unwrap();
    let left: Vec<(&str, bool)> = parts
        .iter()
        .filter(|part| !part.sent)
        .map(|part| (part.text.as_str(), part.possible_duplicate))
        .collect();
    assert_eq!(left, [("two", true)]);
    assert_eq!(stores.pairing.requests().await.unwrap()[0].sender_id, "bert");
    assert!(
        stores
            .pairing
            .approved(key("a"), vec!["anna".into()])
            .await
            .unwrap()
    );
}

async fn forget_leases(store: &Sqlite) {
    let forget = |tx: &rusqlite::Transaction<'_>| {
        tx.execute("DELETE FROM account_lease -- scans: a row for each account", [])?;
        Ok::<_, StoreError>(())
    };
    store.0.write(forget).await.unwrap();
}

#[tokio::test]
async fn leases_of_a_process_that_was_killed_end_with_it() {
    let (folder, store) = sqlite().await;
    let killed = Stores::of(store, LeasePolicy::WithProcess);
    claim(&killed, &["a"]).await;
    drop(killed);

    let store = Sqlite::open(&folder.path().join("bridge.db")).await.unwrap();

    claim(&Stores::of(store, LeasePolicy::WithProcess), &["a"]).await;
}

/// What a message and a reply cost must not depend on how many there were: compared in SQLite's own steps, not in time.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_message_and_a_reply_cost_the_same_after_many_as_after_few() {
    let (_folder, store) = sqlite().await;
    life(&store, 0).await; // statements are compiled and looked at
    aged(&store, 200).await;
    let young = life(&store, 1).await;
    aged(&store, 10_000).await;

    let old = life(&store, 2).await;

    for ((step, old), (_, young)) in old.iter().zip(&young) {
        assert!(
            *old <= young * 5 / 4 + 100,
            "{step}: {old} steps, {young} on a young database"
        );
    }
}

/// Adds messages and replies of a past, up to so many.
async fn aged(store: &Sqlite, count: i64) {
    store
        .0
        .write(move |tx| age(tx, count).map_err(Error::from))
        .await
        .unwrap();
}

fn age(connection: &Connection, count: i64) -> rusqlite::Result<()> {
    let numbers = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let past = [
        "INSERT OR IGNORE INTO inbox (channel, account, message_id, chat_id, state, message, run_id, next_at, received_at)
        SELECT 'webhook', 'a', 'past-' || i, 'anna', 'adopted', '', 'r', ?2, ?2 FROM n -- scans: a test fills a past",
        "INSERT OR IGNORE INTO outbox (id, delivery_key, run_id, channel, account, chat, text, state, next_at, created_at,
            queued_at, settled_at)
        SELECT 'past-' || i, 'past-' || i, 'r', 'webhook', 'a', 'anna', '', 'sent', ?2, ?2, ?2, ?2 FROM n
        -- scans: a test fills a past",
    ];
    for statement in past {
        connection.execute(&format!("{numbers} {statement}"), params![count, NOW])?;
    }
    Ok(())
}

/// One message and one reply, and what looks for work on the way: the steps that each operation took.
#[cfg(debug_assertions)]
async fn life(store: &Sqlite, number: usize) -> Vec<(&'static str, u64)> {
    let name = format!("m{number}");
    let stores = Stores::of(store.clone(), LeasePolicy::WithProcess);
    forget_leases(store).await;
    claim(&stores, &["a"]).await;
    let lease = || stores.lease(&key("a"));
    let Stores {
        inbox,
        outbox,
        pairing,
        ..
    } = &stores;
    let mut costs = Vec::new();
    macro_rules! cost {
        ($name:literal, $operation:expr) => {{
            let before = store.0.steps();
            let value = $operation.await.unwrap();
            costs.push(($name, store.0.steps() - before));
            value
        }};
    }
    cost!(
        "receive",
        inbox.receive(key("a"), message(&name, "anna", "hi"), false, NOW)
    );
    cost!(
        "receive again",
        inbox.receive(key("a"), message(&name, "anna", "hi"), false, NOW)
    );
    let heads = cost!("inbox heads", inbox.heads(stores.owner.clone(), 64));
    let seq = heads.first().unwrap().seq;
    cost!("postpone inbound", inbox.postpone(seq, NOW));
    cost!(
        "settle inbound",
        inbox.settle(seq, Settlement::Adopted("r".into()))
    );
    cost!("no inbox heads", inbox.heads(stores.owner.clone(), 64));
    cost!(
        "enqueue",
        outbox.enqueue(name.clone(), delivery(&name, "anna", "hello", NOW), NOW)
    );
    cost!("recover", outbox.recover(lease()));
    let heads = cost!("outbox heads", outbox.heads(lease(), 64));
    let seq = heads.first().unwrap().seq;
    cost!(
        "parts",
        outbox.parts(lease(), seq, vec!["hello".into()], None, NOW)
    );
    cost!("part leaves", outbox.part_leaves(lease(), seq, 0, None));
    cost!("expire", outbox.expire(Timestamp::from_ms(1), NOW));
    cost!("counts", outbox.counts(key("a")));
    cost!("settle", outbox.settle(lease(), seq, Outcome::Sent, NOW));
    cost!("no outbox heads", outbox.heads(lease(), 64));
    cost!("prune inbox", inbox.prune(NOW, NOW));
    cost!("prune outbox", outbox.prune(NOW, NOW));
    cost!("approved", pairing.approved(key("a"), vec!["anna".into()]));
    costs
}
