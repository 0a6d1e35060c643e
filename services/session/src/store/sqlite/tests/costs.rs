//! What a turn costs, however many there were before it.

use super::*;

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

pub(super) fn age(connection: &Connection, turns: i64) -> rusqlite::Result<()> {
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
    let now = NOW.plus_ms(i64::try_from(number).unwrap());
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
        brought: Brought::default(),
        life: None,
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
        lease_until: now.plus_ms(1_000),
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
    cost!(
        "admit again",
        turns.admit(admission, Some(lease(now.plus_ms(1_000))))
    );
    cost!("outlook", turns.outlook(Vec::new(), now.plus_ms(-1)));
    let claimed = cost!("claim", turns.claim(lease(now.plus_ms(1_000)), now)).unwrap();
    assert_eq!(claimed.turn.run, run);
    cost!("claim nothing", turns.claim(lease(now.plus_ms(1_000)), now));
    cost!("context", stores.transcripts.context(&claimed.turn.key, 20));
    cost!("renew", turns.renew(&run, &owner, now.plus_ms(2_000)));
    cost!("show", turns.show(&run, &owner, "hel", None));
    cost!("keep_text", turns.keep_text(&run, &owner, "lo"));
    cost!("kept_text", turns.kept_text(&run));
    cost!("steps", turns.steps(&run));
    cost!("reclaim", turns.reclaim(reclaim(false)));
    cost!("reclaim at a start", turns.reclaim(reclaim(true)));
    cost!("delete", async {
        Ok::<_, Error>(sessions.delete(&key, None).await.is_err())
    });
    let (ended, _) = cost!(
        "finish",
        turns.finish_and_claim(finish, lease(now.plus_ms(1_000)))
    );
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
    cost!("prune", stores.upkeep.prune(Timestamp::from_ms(1)));
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
