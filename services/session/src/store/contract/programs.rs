//! What a program brings with its turn, and the sessions that are made for it.

use super::*;

fn brings(run: &str, to: &str, keep_ms: Option<i64>) -> Admission {
    let before = [(Role::User, "hello"), (Role::Assistant, "hi")];
    Admission {
        brought: Brought {
            program: Some(b"tools".to_vec()),
            before: before.map(|(role, text)| row(role, text, None, T0)).into(),
            keep_ms,
            ..Brought::default()
        },
        ..admission(&key(to), run, "and?")
    }
}

async fn rows(store: &Stores, to: &str) -> usize {
    store.transcripts.context(&key(to), 99).await.unwrap().len()
}

pub(super) async fn what_a_program_brings_is_kept_until_its_turn_has_ended(store: &Stores) {
    let owner = Owner::generate();
    let lease = Lease {
        owner: owner.clone(),
        until: T0.plus_ms(60_000),
    };
    admit(store, brings("r1", "own", None)).await;
    assert_eq!(rows(store, "own").await, 3, "an empty transcript begins with it");

    let claimed = store.turns.claim(lease, T0).await.unwrap().unwrap();
    assert_eq!(claimed.turn.program.as_deref(), Some(&b"tools"[..]));
    let end = finish("r1", &owner, TurnState::Done, "yes");
    let ended = store.turns.finish(end).await.unwrap().unwrap();
    assert_eq!(ended.turn.run, run("r1"));
    let known = store.turns.find(&run("r1")).await.unwrap().unwrap();
    assert_eq!(known.program, None);

    admit(store, brings("r2", "own", None)).await;
    assert_eq!(
        rows(store, "own").await,
        5,
        "one that is there is not begun again"
    );
    let mut more = brings("r3", "own", None);
    more.brought.goes_on = true;
    admit(store, more).await;
    assert_eq!(rows(store, "own").await, 8, "unless it goes on with it");
}

pub(super) async fn a_session_that_is_not_kept_is_over_some_time_after_its_last_turn(store: &Stores) {
    const KEEP: i64 = 60_000;
    let over = async |at: Timestamp| -> Vec<String> {
        let over = store.sessions.expired(at).await.unwrap();
        over.iter().map(|session| session.key.to_string()).collect()
    };
    admit(store, brings("r1", "short", Some(KEEP))).await;
    admit(store, brings("r2", "long", None)).await;
    assert!(over(T0.plus_ms(KEEP - 1)).await.is_empty());
    assert_eq!(over(T0.plus_ms(KEEP)).await, ["agent:main:short"]);

    // Whoever says something there, keeps it for as long again; whoever puts it at the top, for good.
    let later = Admission {
        now: T0.plus_ms(KEEP),
        ..admission(&key("short"), "r3", "more")
    };
    admit(store, later).await;
    assert!(over(T0.plus_ms(KEEP)).await.is_empty());
    assert_eq!(over(T0.plus_ms(2 * KEEP)).await, ["agent:main:short"]);
    let patch = SessionPatch {
        pinned: Some(true),
        ..SessionPatch::default()
    };
    store.sessions.patch(&key("short"), patch, T0).await.unwrap();
    assert!(over(T0.plus_ms(9 * KEEP)).await.is_empty());
}
