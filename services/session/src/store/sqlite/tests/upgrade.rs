//! A database that an earlier version filled is brought up to date, and means what it meant.

use gatehouse_core::Content;

use super::*;
use crate::store::contract::query;

/// A copy of a database of the third schema, as `.dump` writes it: sessions in every state, a reset, an answer that broke off, a
/// block that no version of ours wrote, a run under way with its text, replies that wait and that were taken.
const THIRD: &str = include_str!("schema-3.sql");

fn populated() -> (tempfile::TempDir, Stores) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.db");
    Connection::open(&path).unwrap().execute_batch(THIRD).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    (folder, Stores::of(Arc::new(store), Sharing::Exclusive))
}

fn key(rest: &str) -> SessionKey {
    SessionKey::parse(&format!("agent:main:{rest}")).unwrap()
}

#[tokio::test]
async fn every_row_of_the_third_schema_is_there_byte_for_byte() {
    let (_folder, stores) = populated();

    let page = stores
        .transcripts
        .history(&key("main"), query(50, 0))
        .await
        .unwrap();

    let contents: Vec<&str> = page
        .entries
        .iter()
        .map(|entry| entry.row.content.as_str())
        .collect();
    assert_eq!(
        contents,
        [
            r#""look \"here\"""#,
            r#"[{"type":"text","text":"nothing there"}]"#,
            r#""and now?""#,
            r#"[{"type":"text","text":"half an ans"},{"notice":true,"text":"The answer broke off.","type":"text"}]"#,
            r#"[{"type":"text","text":"A reply could not be sent to irc: gone"}]"#,
            r#"[{"type":"hologram", "of": [1.0, "\u00e9"]}, {"type":"text","text":"see"}]"#,
        ]
    );
    assert!(page.entries.iter().all(|entry| entry.row.extra.step.is_none()));
    let reset = stores
        .transcripts
        .history(&key("dash"), query(50, 0))
        .await
        .unwrap();
    assert_eq!(reset.entries.len(), 2, "from the boundary on");
}

#[tokio::test]
async fn what_waited_and_what_ran_under_the_third_schema_goes_on() {
    let (_folder, stores) = populated();
    let (me, now) = (Owner::new("me".to_owned()), NOW);

    let waiting = stores.deliveries.waiting(now, 9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    // Text that looks like a list of blocks is text.
    assert_eq!(waiting.first().unwrap().content, Content::text("[half] an ans"));

    let run = RunId::new("r3");
    assert_eq!(stores.turns.kept_text(&run).await.unwrap(), "going on");
    let taken = stores
        .turns
        .reclaim(Reclaim {
            owner: me.clone(),
            others_are_dead: true,
            held: Vec::new(),
            notice: gatehouse_core::ForPeople::new("cut short"),
            limits: RunLimits {
                attempts_max: 3,
                shown_max: 2,
            },
            now,
            lease_until: now.plus_ms(1),
        })
        .await
        .unwrap();
    assert_eq!(taken.queued, std::slice::from_ref(&run));
    let lease = Lease {
        owner: me.clone(),
        until: now.plus_ms(1_000),
    };
    let mut claimed = Vec::new();
    while let Some(next) = stores.turns.claim(lease.clone(), now).await.unwrap() {
        claimed.push(next.turn.run);
    }
    assert_eq!(claimed, [run.clone(), RunId::new("r4")]);
    let row = crate::answer::step(&run, Role::Assistant, &Content::text("going on"), 0, now);
    let recorded = stores
        .turns
        .record(Record {
            run: run.clone(),
            owner: me,
            first: 0,
            entries: vec![row],
            effects: false,
        })
        .await
        .unwrap();
    assert_eq!((recorded.hold, recorded.entries.len()), (Hold::Held, 1));
    assert_eq!(stores.turns.kept_text(&run).await.unwrap(), "");
}

#[tokio::test]
async fn what_stood_there_before_marks_of_reading_were_kept_was_read() {
    let (_folder, stores) = populated();

    let all = SessionFilter {
        limit: 100,
        ..SessionFilter::default()
    };
    let sessions = stores.sessions.list(all).await.unwrap().sessions;

    assert!(!sessions.is_empty());
    for session in &sessions {
        assert_eq!(
            session.is_unread(),
            session.marked_unread_at.is_some(),
            "{}",
            session.key
        );
        assert!(session.last_read_at.is_some() && session.parent.is_none());
    }
}
