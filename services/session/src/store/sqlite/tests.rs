mod upgrade;

use rusqlite::{Connection, params};

use super::*;
use crate::store::contract;
use crate::turns::queue::{DropPolicy, QueueMode, QueueRule};
use crate::viewer::Viewer;

/// The time of the contract's rows.
const NOW: i64 = 1_800_000_000_000;

pub(super) fn open() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("session.db")).unwrap();
    (folder, store)
}

fn lease(until: i64) -> Lease {
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
        age(&connection, 500).unwrap();
        let waiting =
            "UPDATE turns SET state = 'queued', ended_at = NULL, not_before = 1 WHERE run = 'past-7'";
        connection.execute(waiting, []).unwrap();
    }

    let store = stores(&SqliteStore::open(&path).unwrap());

    let claimed = store.turns.claim(lease(NOW + 1), NOW).await.unwrap().unwrap();
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
            since: on(2).then_some(1),
            label: on(3).then(|| "x".to_owned()),
            search: on(4).then(|| "x".to_owned()),
            parent: on(5).then(|| SessionKey::main(&agent)),
            channel: on(6).then(|| "irc".to_owned()),
            kind: on(7).then_some(ShownKind::Of(SessionKind::Group)),
            without: on(7).then_some(ShownKind::Global).into_iter().collect(),
            agents: on(8).then(|| vec![agent.clone()]),
            interaction: on(8),
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

/// What a life of a turn costs must not depend on how many there were: compared in SQLite's own steps, not in time.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_turn_costs_the_same_after_many_turns_as_after_few() {
    let (_folder, store) = open();
    life(&store, 0).await; // statements are compiled and looked at
    aged(&store, 800).await; // as many rows in a conversation as the context reads
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

/// Adds turns of a past, up to so many.
async fn aged(store: &SqliteStore, turns: i64) {
    store
        .database
        .write(move |tx| Ok::<_, Error>(age(tx, turns)?))
        .await
        .unwrap();
}

fn age(connection: &Connection, turns: i64) -> rusqlite::Result<()> {
    let numbers = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let session = "INSERT OR IGNORE INTO sessions (key, agent, session_id, kind, lifecycle_revision, created_at, updated_at,
            last_seq)
        SELECT 'agent:main:past-' || (i % 20), 'main', 'past', 'direct', '1', 1, 1, 0 FROM n -- scans: a test fills a past";
    connection.execute(&format!("{numbers} {session}"), [turns])?;
    let past = [
        "INSERT OR IGNORE INTO turns (run, session, key, session_id, state, owner, mode, fingerprint, bytes, queued_at,
            not_before, lease_until, ended_at)
        SELECT 'past-' || i, s.id, s.key, 'past', 'done', 'gone', 'followup', x'00', 1, 1, 1, NULL, ?2
        FROM n JOIN sessions s ON s.key = 'agent:main:past-' || (i % 20) -- scans: a test fills a past",
        "INSERT OR IGNORE INTO entries (rowid, session, seq, entry_id, role, content, timestamp, run, boundary, in_context,
            extra)
        SELECT (s.id << 32) | i, s.id, i, 'e', 'user', '[]', 1, 'past-' || i, 0, 1, '{}'
        FROM n JOIN sessions s ON s.key = 'agent:main:past-' || (?2 * 0 + i % 20) -- scans: a test fills a past",
        "INSERT OR IGNORE INTO inbound (channel, account, message, run, created_at)
        SELECT 'irc', 'home', 'past-' || i, 'past-' || i, ?2 FROM n -- scans: a test fills a past",
        "INSERT OR IGNORE INTO deliveries (key, run, session_key, target, text, created_at, state, settled_at)
        SELECT 'past-' || i, 'past-' || i, 'agent:main:past-' || (i % 20), '{}', '', 1, 'taken', ?2 FROM n
        -- scans: a test fills a past",
    ];
    for statement in past {
        connection.execute(&format!("{numbers} {statement}"), params![turns, NOW])?;
    }
    Ok(())
}

/// One turn from its message to its delivery, and what looks for work on the way: the steps that each operation took.
#[cfg(debug_assertions)]
async fn life(store: &SqliteStore, number: usize) -> Vec<(&'static str, u64)> {
    use crate::id::EntryId;

    let key = SessionKey::parse("agent:main:past-1").unwrap();
    let (owner, run) = (Owner::new("me".to_owned()), RunId::new(format!("r{number}")));
    let now = NOW + i64::try_from(number).unwrap();
    let row = |role: Role| NewEntry {
        id: EntryId::generate(),
        role,
        content: "[]".to_owned(),
        preview: "hi".to_owned(),
        timestamp: now,
        run: Some(run.clone()),
        boundary: false,
        in_context: true,
        extra: EntryExtra::default(),
    };
    let admission = Admission {
        key: key.clone(),
        run: run.clone(),
        entry: row(Role::User),
        fingerprint: vec![1],
        queue: QueueRule {
            mode: QueueMode::Collect,
            quiet_ms: 0,
            cap: 20,
            drop: DropPolicy::New,
        },
        reply: Reply::To(Target {
            channel: "irc".into(),
            account_id: "home".into(),
            to: "#room".into(),
            thread_id: None,
            reply_to_id: None,
        }),
        viewer: Viewer::Owner,
        seed: Seed::default(),
        expected_session: None,
        sender: None,
        inbound: Some(InboundKey {
            channel: "irc".into(),
            account: "home".into(),
            message: format!("m{number}"),
        }),
        model: None,
        thinking: None,
        task: None,
        timeout_ms: None,
        trace: gatehouse_core::trace::Context::new(),
        now,
    };
    let finish = Finish {
        summary: None,
        run: run.clone(),
        owner: owner.clone(),
        state: TurnState::Done,
        entry: Some(row(Role::Assistant)),
        reply: Some(gatehouse_core::Content::text("hello")),
        stop_reason: None,
        error: None,
        usage: None,
        answered_by: None,
        now,
    };
    let reclaim = |others_are_dead| Reclaim {
        owner: owner.clone(),
        others_are_dead,
        held: vec![run.clone()],
        notice: gatehouse_core::ForPeople::new("cut short"),
        limits: RunLimits {
            attempts_max: 3,
            shown_max: 2,
        },
        now,
        lease_until: now + 1_000,
    };
    let history = HistoryQuery {
        limit: 20,
        offset: 0,
        after: None,
        bytes_max: 1 << 20,
    };
    let stores = stores(store);
    let (turns, sessions) = (&stores.turns, &stores.sessions);
    let mut costs = Vec::new();
    macro_rules! cost {
        ($name:literal, $operation:expr) => {{
            let before = store.database.steps();
            let value = $operation.await.unwrap();
            costs.push(($name, store.database.steps() - before));
            value
        }};
    }
    cost!("admit", turns.admit(admission.clone(), None));
    cost!("admit again", turns.admit(admission, Some(lease(now + 1_000))));
    cost!("outlook", turns.outlook(Vec::new(), now - 1));
    let claimed = cost!("claim", turns.claim(lease(now + 1_000), now)).unwrap();
    assert_eq!(claimed.turn.run, run);
    cost!("claim nothing", turns.claim(lease(now + 1_000), now));
    cost!("context", stores.transcripts.context(&claimed.turn.key, 20));
    cost!("renew", turns.renew(&run, &owner, now + 2_000));
    cost!("show", turns.show(&run, &owner, "hel"));
    cost!("keep_text", turns.keep_text(&run, &owner, "lo"));
    cost!("kept_text", turns.kept_text(&run));
    cost!("steps", turns.steps(&run));
    cost!("reclaim", turns.reclaim(reclaim(false)));
    cost!("reclaim at a start", turns.reclaim(reclaim(true)));
    cost!("delete", async {
        Ok::<_, Error>(sessions.delete(&key, None).await.is_err())
    });
    let (ended, _) = cost!("finish", turns.finish_and_claim(finish, lease(now + 1_000)));
    assert!(ended.is_some());
    let waiting = cost!("deliveries", stores.deliveries.waiting(now, 64));
    assert_eq!(waiting.len(), 1);
    let taken = DeliveryOutcome::Taken { now };
    cost!(
        "settle",
        stores.deliveries.settle(waiting.first().unwrap().id, taken)
    );
    cost!("no deliveries", stores.deliveries.waiting(now, 64));
    cost!("next delivery", stores.deliveries.next_due(now));
    cost!("abort", turns.abort(&key, None, Origin::Rpc, now));
    cost!("prune", stores.upkeep.prune(1));
    cost!("session", sessions.find(&key));
    cost!("history", stores.transcripts.history(&key, history));
    cost!(
        "sessions",
        sessions.list(SessionFilter {
            limit: 10,
            ..SessionFilter::default()
        })
    );
    costs
}
