//! Conversations that are over, and sessions that are forgotten.

use std::sync::Arc;

use super::*;
use crate::sessions::Life;

const MINUTE: i64 = 60_000;

/// A message of somebody, so many minutes behind the beginning.
fn says(run: &str, minutes: i64, life: &Arc<Life>) -> Admission {
    let now = T0.plus_ms(minutes * MINUTE);
    Admission {
        life: Some(Arc::clone(life)),
        entry: row(Role::User, run, Some(run), now),
        now,
        ..admission(&key("main"), run, run)
    }
}

fn idle(minutes: u32) -> Arc<Life> {
    let section = format!(r#"{{"reset":{{"mode":"idle","idleMinutes":{minutes}}}}}"#);
    Arc::new(Life::read(&serde_json::from_str(&section).unwrap()))
}

async fn said(store: &Stores, admission: Admission) -> NewTurn {
    admit(store, admission).await
}

pub(super) async fn the_first_message_behind_a_silence_begins_a_new_transcript(store: &Stores) {
    let life = idle(10);
    let first = said(store, says("a", 0, &life)).await;
    assert!(first.boundary.is_none(), "there is nothing that could be over");
    let busy = said(store, says("b", 30, &life)).await;
    assert!(busy.boundary.is_none(), "somebody waits for an answer");
    for run in ["a", "b"] {
        store
            .turns
            .abort(&key("main"), Some(&RunId::new(run)), Origin::Interrupt, T0)
            .await
            .unwrap();
    }

    let soon = said(store, says("c", 39, &life)).await;
    assert!(soon.boundary.is_none());
    store
        .turns
        .abort(&key("main"), None, Origin::Interrupt, T0)
        .await
        .unwrap();
    // What nobody says is no sign that anybody is there.
    let job = Admission {
        life: None,
        ..says("job", 45, &life)
    };
    assert!(said(store, job).await.boundary.is_none());
    store
        .turns
        .abort(&key("main"), None, Origin::Interrupt, T0)
        .await
        .unwrap();

    let late = said(store, says("d", 49, &life)).await;

    let boundary = late.boundary.expect("ten minutes of silence");
    assert_ne!(late.session.session_id, soon.session.session_id);
    assert_eq!(late.session.first_seq, boundary.seq);
    assert_eq!(late.turn.session_id, late.session.session_id);
    assert!(late.entry.seq > boundary.seq);
    let again = store.turns.admit(says("d", 60, &life), None).await.unwrap();
    assert!(matches!(again, Admitted::Known(_)), "a repeat begins nothing");
}

pub(super) async fn old_sessions_are_forgotten_and_never_one_that_is_needed(store: &Stores) {
    for (n, name) in ["main", "old", "pinned", "waits", "young"].iter().enumerate() {
        let now = T0.plus_ms(1_000 * i64::try_from(n).unwrap());
        let message = Admission {
            entry: row(Role::User, name, Some(name), now),
            now,
            ..admission(&key(name), name, name)
        };
        admit(store, message).await;
        if *name != "waits" {
            store
                .turns
                .abort(&key(name), None, Origin::Interrupt, now)
                .await
                .unwrap();
        }
    }
    let pin = SessionPatch {
        pinned: Some(true),
        ..SessionPatch::default()
    };
    store
        .sessions
        .patch(&key("pinned"), pin, T0.plus_ms(2_000))
        .await
        .unwrap();
    let surplus = async |since: Option<i64>, sessions_max| {
        let kept = Kept {
            since: since.map(|seconds| T0.plus_ms(1_000 * seconds)),
            sessions_max,
            bytes_max: None,
        };
        let found = store.sessions.surplus(kept).await.unwrap();
        found
            .iter()
            .map(|session| session.key.rest().to_owned())
            .collect::<Vec<_>>()
    };

    assert_eq!(surplus(None, None).await, [""; 0]);
    assert_eq!(surplus(Some(4), None).await, ["old"]);
    assert_eq!(surplus(Some(60), None).await, ["old", "young"]);
    assert_eq!(surplus(None, Some(5)).await, [""; 0]);
    assert_eq!(surplus(None, Some(4)).await, ["old"]);
    assert_eq!(surplus(None, Some(1)).await, ["old", "young"]);
}

pub(super) async fn old_sessions_make_room_until_the_store_has_what_it_may(store: &Stores) {
    const SESSIONS: i64 = 30;
    let text = "a long story ".repeat(8 * 1024); // some hundred kilobytes
    for n in 0..SESSIONS {
        let (name, now) = (format!("s{n:02}"), T0.plus_ms(1_000 * n));
        let message = Admission {
            entry: row(Role::User, &text, Some(&name), now),
            now,
            ..admission(&key(&name), &name, &name)
        };
        admit(store, message).await;
        let key = key(&name);
        let stop = store.turns.abort(&key, None, Origin::Interrupt, now);
        stop.await.unwrap();
    }
    let kept = |bytes_max| Kept {
        bytes_max: Some(bytes_max),
        ..Kept::default()
    };
    assert!(store.sessions.surplus(kept(1 << 30)).await.unwrap().is_empty());

    let mut forgotten = Vec::new();
    loop {
        let surplus = store.sessions.surplus(kept(2 << 20)).await.unwrap();
        if surplus.is_empty() {
            break;
        }
        for session in surplus {
            let id = Some(session.session_id.clone());
            assert!(store.sessions.delete(&session.key, id).await.unwrap());
            forgotten.push(session.key.rest().to_owned());
        }
    }

    let oldest: Vec<String> = (0..forgotten.len()).map(|n| format!("s{n:02}")).collect();
    assert_eq!(forgotten, oldest, "from the oldest on");
    let left = usize::try_from(SESSIONS).unwrap() - forgotten.len();
    assert!((1..30).contains(&left), "{left} are left");
}
