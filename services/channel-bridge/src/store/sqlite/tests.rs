use gatehouse_core::sqlite::Error;
use rusqlite::{Connection, params};

use super::*;
use crate::{
    inbox::store::Settlement,
    outbox::store::{OutboxStore, Outcome},
    store::{Stores, contract},
    testing::{NOW, delivery, key, message},
};

async fn open() -> (tempfile::TempDir, Stores) {
    let (folder, store) = sqlite();
    (folder, Stores::of(store))
}

contract::suite!(super::open);

fn sqlite() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("bridge.db")).unwrap();
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

    let store = Sqlite::open(&path).unwrap();

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

/// What a message and a reply cost must not depend on how many there were: compared in SQLite's own steps, not in time.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_message_and_a_reply_cost_the_same_after_many_as_after_few() {
    let (_folder, store) = sqlite();
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
    let Stores {
        inbox,
        outbox,
        pairing,
        ..
    } = Stores::of(store.clone());
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
        inbox.receive(key("a"), message(&name, "anna", "hi"), NOW)
    );
    cost!(
        "receive again",
        inbox.receive(key("a"), message(&name, "anna", "hi"), NOW)
    );
    let heads = cost!("inbox heads", inbox.heads(64));
    let seq = heads.first().unwrap().seq;
    cost!("postpone inbound", inbox.postpone(seq, NOW));
    cost!(
        "settle inbound",
        inbox.settle(seq, Settlement::Adopted("r".into()))
    );
    cost!("no inbox heads", inbox.heads(64));
    cost!(
        "enqueue",
        outbox.enqueue(name.clone(), delivery(&name, "anna", "hello", NOW), NOW)
    );
    cost!("recover", outbox.recover(key("a")));
    let heads = cost!("outbox heads", outbox.heads(key("a"), 64));
    let seq = heads.first().unwrap().seq;
    cost!("parts", outbox.parts(seq, vec!["hello".into()]));
    cost!("part leaves", outbox.part_leaves(seq, 0, None));
    cost!("expire", outbox.expire(1, NOW));
    cost!("counts", outbox.counts(key("a")));
    cost!("settle", outbox.settle(seq, Outcome::Sent, NOW));
    cost!("no outbox heads", outbox.heads(key("a"), 64));
    cost!("prune inbox", inbox.prune(NOW, NOW));
    cost!("prune outbox", outbox.prune(NOW));
    cost!("approved", pairing.approved(key("a"), vec!["anna".into()]));
    costs
}
