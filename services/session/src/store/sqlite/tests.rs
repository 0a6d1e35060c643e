mod costs;
mod upgrade;

use rusqlite::{Connection, params};

use super::*;
use crate::store::contract;
use crate::turns::queue::{DropPolicy, QueueMode, QueueRule};
use crate::viewer::Viewer;

/// The time of the contract's rows.
const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

pub(super) fn open() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("session.db")).unwrap();
    (folder, store)
}

fn lease(until: Timestamp) -> Lease {
    Lease {
        owner: Owner::new("me"),
        until,
    }
}

pub(super) fn stores(store: &SqliteStore) -> Stores {
    Stores::of(Arc::new(store.clone()), Sharing::Exclusive)
}

#[tokio::test]
async fn the_sqlite_store_keeps_the_contract() {
    contract::all(async || {
        let (folder, store) = open();
        (folder, stores(&store))
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.db");
    let key = SessionKey::parse("agent:main:main").unwrap();
    {
        let store = SqliteStore::open(&path).unwrap();
        contract::say(&stores(&store), &key, "r1", "hello").await;
    }

    let store = stores(&contract::reopen(async || SqliteStore::open(&path)).await);

    assert_eq!(
        store.turns.find(&RunId::new("r1")).await.unwrap().unwrap().state,
        TurnState::Queued
    );
    assert_eq!(
        store
            .sessions
            .find(&key)
            .await
            .unwrap()
            .unwrap()
            .preview
            .as_deref(),
        Some("hello")
    );
}

#[tokio::test]
async fn a_database_of_the_first_version_with_a_past_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.db");
    let first = schema::MIGRATIONS.first().unwrap();
    {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(first).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        costs::age(&connection, 500).unwrap();
        let waiting =
            "UPDATE turns SET state = 'queued', ended_at = NULL, not_before = 1 WHERE run = 'past-7'";
        connection.execute(waiting, []).unwrap();
    }

    let store = stores(&SqliteStore::open(&path).unwrap());

    let claimed = store
        .turns
        .claim(lease(NOW.plus_ms(1)), NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claimed.turn.run, RunId::new("past-7"));
    assert!(
        folder
            .path()
            .join(format!("session.db.before-{}", schema::MIGRATIONS.len()))
            .exists(),
        "a copy of what was"
    );
}

#[tokio::test]
async fn every_list_reads_an_index_in_its_own_order() {
    let (_folder, store) = open();
    let store = stores(&store);
    let agent = SessionKey::parse("agent:main:main").unwrap().agent();
    // Every combination of filters is a statement of its own, and the database looks at the plan of each.
    for mask in 0_u16..2048 {
        let on = |bit: u16| mask & (1 << bit) != 0;
        let filter = SessionFilter {
            viewer: if on(10) {
                Viewer::User("anna".to_owned())
            } else {
                Viewer::Owner
            },
            agent: on(0).then(|| agent.clone()),
            archived: on(1).then_some(false),
            since: on(2).then_some(Timestamp::from_ms(1)),
            label: on(3).then(|| "x".to_owned()),
            search: on(4).then(|| "x".to_owned()),
            parent: on(5).then(|| SessionKey::main(&agent)),
            channel: on(6).then(|| "irc".to_owned()),
            kind: on(7).then_some(ShownKind::Of(SessionKind::Group)),
            without: on(7).then_some(ShownKind::Global).into_iter().collect(),
            agents: on(8).then(|| vec![agent.clone()]),
            interaction: on(8),
            pinned: on(6).then_some(true),
            group: on(8).then(|| "home".to_owned()),
            active: on(9),
            without_jobs: on(7),
            sort: if on(9) {
                SortBy::Interaction
            } else {
                SortBy::Change
            },
            limit: 10,
            offset: 0,
        };

        let page = store
            .sessions
            .list(filter)
            .await
            .unwrap_or_else(|error| panic!("{mask:#b}: {error}"));

        assert_eq!(page.total, 0);
    }
}
