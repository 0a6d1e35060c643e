//! First pages cost with many sessions what they cost with few.

use std::time::Duration;

use tokio::time::Instant;

use super::tests::{open, stores};
use crate::id::EntryId;
use crate::key::SessionKey;
use crate::store::{EntryExtra, HistoryQuery, NewEntry, Role, SessionFilter, SessionPatch, Stores};
use gatehouse_core::Timestamp;

fn row(n: i64) -> NewEntry {
    NewEntry {
        id: EntryId::generate(),
        role: Role::User,
        content: serde_json::Value::from("x".repeat(200)).to_string(),
        preview: "x".repeat(200),
        timestamp: Timestamp::from_ms(n),
        run: None,
        boundary: false,
        in_context: true,
        extra: EntryExtra::default(),
    }
}

/// Reads both first pages some times, and answers the shortest: what the work itself costs.
async fn pages(store: &Stores, key: &SessionKey) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begin = Instant::now();
        let filter = SessionFilter {
            archived: Some(false),
            limit: 100,
            ..SessionFilter::default()
        };
        store.sessions.list(filter).await.unwrap();
        let query = HistoryQuery {
            limit: 200,
            offset: 0,
            after: None,
            bytes_max: 1 << 20,
        };
        store.transcripts.history(key, query).await.unwrap();
        best = best.min(begin.elapsed());
    }
    best
}

#[tokio::test]
async fn first_pages_do_not_grow_with_the_number_of_sessions() {
    let (_folder, store) = open();
    let store = stores(&store);
    let long = SessionKey::parse("agent:main:long").unwrap();
    for n in 0..200 {
        store.transcripts.append(&long, row(n)).await.unwrap();
    }
    let make = async |from: i64, to: i64| {
        for group in (from..to).collect::<Vec<_>>().chunks(500) {
            let made = group.iter().map(|n| {
                let key = SessionKey::parse(&format!("agent:main:s{n}")).unwrap();
                let store = store.clone();
                async move {
                    store
                        .sessions
                        .create(&key, SessionPatch::default(), None, Timestamp::from_ms(*n))
                        .await
                        .unwrap()
                }
            });
            futures::future::join_all(made).await;
        }
    };
    make(0, 200).await;
    let few = pages(&store, &long).await;

    make(200, 5_000).await;
    let rows: Vec<_> = (0..2_000).collect();
    for group in rows.chunks(500) {
        futures::future::join_all(group.iter().map(|n| store.transcripts.append(&long, row(*n)))).await;
    }
    let many = pages(&store, &long).await;

    // A scan would cost about 25 times as much; a machine that is busy with other things costs a few times as much.
    assert!(
        many < few * 8 + Duration::from_millis(2),
        "{few:?} with few, {many:?} with many"
    );
}
