//! Forks, rows by their own ids, answers with what they cost, and sessions that are looked for by something else than their key.

use super::*;
use crate::key::AgentId;

/// Asks and answers once: two rows, and what they cost.
async fn talk(store: &Stores, key: &SessionKey, id: &str) {
    let owner = Owner::new("a");
    say(store, key, id, id).await;
    claim(store, &owner, T0).await;
    let answer = NewEntry {
        extra: EntryExtra {
            usage: Some(Tokens { input: 3, output: 4 }),
            ..EntryExtra::default()
        },
        ..row(Role::Assistant, "answer", Some(id), T0.plus_ms(5))
    };
    let end = Finish {
        entry: Some(answer),
        ..finish(id, &owner, TurnState::Done, "answer")
    };
    store.turns.finish(end).await.unwrap().unwrap();
}

async fn fork(store: &Stores, to: &str, from: ForkFrom) -> Result<Forked, Error> {
    let patch = SessionPatch::default();
    store
        .sessions
        .fork(&key("main"), &key(to), from, patch, None, T0.plus_ms(10))
        .await
}

async fn rows(store: &Stores, rest: &str) -> Vec<Entry> {
    let page = store.transcripts.history(&key(rest), query(50, 0)).await;
    page.unwrap().entries
}

fn texts(entries: &[Entry]) -> Vec<(i64, String)> {
    let texts = entries
        .iter()
        .map(|entry| (entry.seq, crate::rows::text_of(&entry.row.content)));
    texts.collect()
}

pub(super) async fn a_fork_begins_with_what_was_said_and_nothing_is_counted_twice(store: &Stores) {
    talk(store, &key("main"), "one").await;
    talk(store, &key("main"), "two").await;

    let whole = fork(store, "whole", ForkFrom::End).await.unwrap();

    let before = rows(store, "main").await;
    let after = rows(store, "whole").await;
    assert_eq!(texts(&after), texts(&before));
    assert_eq!(after.len(), 4);
    assert_eq!((whole.session.first_seq, whole.session.last_seq), (1, 4));
    assert_eq!(whole.session.parent, Some(key("main")));
    assert_eq!(whole.session.active_run, None);
    assert!(whole.left_out.is_none());
    let main = store.sessions.find(&key("main")).await.unwrap().unwrap();
    assert_ne!(whole.session.session_id, main.session_id);
    assert_eq!((main.last_seq, main.input_tokens), (4, 6));
    let cost = async |rest: &str| {
        let (_, answers) = store.usage.answers(&key(rest)).await.unwrap().unwrap();
        answers.len()
    };
    assert_eq!((cost("main").await, cost("whole").await), (2, 0));
}

pub(super) async fn a_fork_ends_at_the_row_that_is_named_and_what_a_person_said_is_left_to_be_said_anew(
    store: &Stores,
) {
    talk(store, &key("main"), "one").await;
    talk(store, &key("main"), "two").await;
    let named = rows(store, "main").await;
    let from = |at: usize| ForkFrom::Row(named[at].row.id.clone());

    let behind_an_answer = fork(store, "answer", from(1)).await.unwrap();
    let before_a_question = fork(store, "question", from(2)).await.unwrap();
    let before_the_first = fork(store, "first", from(0)).await.unwrap();

    assert!(behind_an_answer.left_out.is_none());
    assert_eq!(texts(&rows(store, "answer").await), texts(&named[..2]));
    let left_out = before_a_question.left_out.unwrap();
    assert_eq!(crate::rows::text_of(&left_out.row.content), "two");
    assert_eq!(texts(&rows(store, "question").await), texts(&named[..2]));
    assert_eq!(before_the_first.session.last_seq, 0);
    assert!(rows(store, "first").await.is_empty());
    let unknown = ForkFrom::Row(EntryId::new("nobody"));
    let refused = fork(store, "refused", unknown).await;
    assert!(matches!(refused, Err(Error::NoRow(_))), "{refused:?}");
    assert!(store.sessions.find(&key("refused")).await.unwrap().is_none());
    let absent = store
        .sessions
        .fork(
            &key("nobody"),
            &key("refused"),
            ForkFrom::End,
            SessionPatch::default(),
            None,
            T0,
        )
        .await;
    assert!(matches!(absent, Err(Error::NoSession(_))), "{absent:?}");
}

pub(super) async fn what_runs_or_waits_is_in_no_fork(store: &Stores) {
    talk(store, &key("main"), "one").await;
    say(store, &key("main"), "two", "two").await;
    let waits = fork(store, "refused", ForkFrom::End).await;
    claim(store, &Owner::new("a"), T0).await;

    let runs = fork(store, "refused", ForkFrom::End).await;
    let completed = fork(store, "completed", ForkFrom::LastCompleted).await.unwrap();

    assert!(matches!(waits, Err(Error::RunActive(_))), "{waits:?}");
    assert!(matches!(runs, Err(Error::RunActive(_))), "{runs:?}");
    assert!(store.sessions.find(&key("refused")).await.unwrap().is_none());
    assert_eq!(
        (completed.session.last_seq, completed.session.active_run),
        (2, None)
    );
    assert_eq!(
        claim(store, &Owner::new("b"), T0).await,
        None,
        "no turn was copied"
    );
}

pub(super) async fn a_repeated_fork_is_the_same_and_its_key_makes_no_other(store: &Stores) {
    talk(store, &key("main"), "one").await;
    let once = |fingerprint: &[u8]| {
        Some(Once {
            key: "k".to_owned(),
            fingerprint: fingerprint.to_vec(),
        })
    };
    let fork = async |to: &str, once: Option<Once>| {
        let (main, to) = (key("main"), key(to));
        let (from, patch) = (ForkFrom::End, SessionPatch::default());
        store.sessions.fork(&main, &to, from, patch, once, T0).await
    };
    let first = fork("copy", once(b"this")).await.unwrap().session;
    talk(store, &key("main"), "two").await;

    let again = fork("copy", once(b"this")).await.unwrap();

    assert_eq!(again.session.session_id, first.session_id);
    assert_eq!(rows(store, "copy").await.len(), 2, "what came later is not in it");
    let other = fork("other", once(b"that")).await;
    assert!(matches!(other, Err(Error::RequestConflict)), "{other:?}");
    assert!(store.sessions.find(&key("other")).await.unwrap().is_none());
}

pub(super) async fn a_row_is_found_by_its_id_in_the_transcript_that_is_there_now(store: &Stores) {
    talk(store, &key("main"), "one").await;
    talk(store, &key("other"), "two").await;
    let (mine, others) = (rows(store, "main").await, rows(store, "other").await);
    let find = async |id: &EntryId| {
        let found = store.transcripts.message(&key("main"), id).await.unwrap();
        found.map(|entry| entry.seq)
    };

    assert_eq!(find(&mine[1].row.id).await, Some(2));
    assert_eq!(find(&others[1].row.id).await, None, "it is another session's");
    assert_eq!(find(&EntryId::new("nobody")).await, None);
    let nobody = store.transcripts.message(&key("nobody"), &mine[1].row.id).await;
    assert!(nobody.unwrap().is_none());

    let boundary = NewEntry {
        boundary: true,
        ..row(Role::System, "reset", None, T0.plus_ms(9))
    };
    store
        .sessions
        .reset(&key("main"), boundary, None, T0.plus_ms(9))
        .await
        .unwrap();
    assert_eq!(find(&mine[1].row.id).await, None, "it is another transcript's");
}

pub(super) async fn the_answers_of_the_current_transcript_are_listed_with_their_cost_the_oldest_first(
    store: &Stores,
) {
    let answer = |text: &str, at: Timestamp, usage: Option<Tokens>| NewEntry {
        extra: EntryExtra {
            provider: Some("p".to_owned()),
            model: Some(text.to_owned()),
            usage,
            ..EntryExtra::default()
        },
        ..row(Role::Assistant, text, None, at)
    };
    let tokens = |input| Some(Tokens { input, output: 1 });
    let append = async |entry: NewEntry| {
        store.transcripts.append(&key("main"), entry).await.unwrap();
    };
    let listed = async || {
        let (session, answers) = store.usage.answers(&key("main")).await.unwrap().unwrap();
        let of = answers.into_iter().map(|answer| {
            (
                answer.timestamp.ms_since(T0),
                answer.model.model.unwrap(),
                answer.tokens,
            )
        });
        (session, of.collect::<Vec<_>>())
    };
    append(row(Role::User, "hi", None, T0)).await;
    append(answer("m", T0.plus_ms(1), tokens(5))).await;
    append(answer("no word of its cost", T0.plus_ms(2), None)).await;
    append(answer("n", T0.plus_ms(3), tokens(7))).await;

    let (session, answers) = listed().await;

    let of = |input| Tokens { input, output: 1 };
    assert_eq!(answers, [(1, "m".to_owned(), of(5)), (3, "n".to_owned(), of(7))]);
    let main = store.sessions.find(&key("main")).await.unwrap().unwrap();
    assert_eq!(session, main.session_id);
    assert_eq!(store.usage.answers(&key("nobody")).await.unwrap(), None);
    let boundary = NewEntry {
        boundary: true,
        ..row(Role::System, "reset", None, T0.plus_ms(9))
    };
    store
        .sessions
        .reset(&key("main"), boundary, None, T0.plus_ms(9))
        .await
        .unwrap();
    let (after, answers) = listed().await;
    assert_ne!(after, session);
    assert_eq!(answers, []);
}

pub(super) async fn sessions_are_found_by_id_or_by_the_end_of_their_key_and_counted_by_agent(store: &Stores) {
    let (one, two) = (
        "agent:main:dashboard:0190a3f2-aaaa-7000-8000-000000000001",
        "agent:work:dashboard:0190a3f2-bbbb-7000-8000-000000000002",
    );
    for (name, after) in [(one, 0), (two, 1), ("agent:main:main", 2)] {
        let key = SessionKey::parse(name).unwrap();
        let patch = SessionPatch::default();
        store
            .sessions
            .create(&key, patch, None, T0.plus_ms(after))
            .await
            .unwrap();
    }
    let main = store.sessions.find(&key("main")).await.unwrap().unwrap();
    let look_up = async |lookup: Lookup| {
        let found = store.sessions.look_up(lookup).await.unwrap();
        let keys = found.into_iter().map(|session| session.key.to_string());
        keys.collect::<Vec<_>>()
    };

    assert_eq!(look_up(Lookup::Id(main.session_id)).await, ["agent:main:main"]);
    assert_eq!(
        look_up(Lookup::Id(SessionId::new("nobody"))).await,
        Vec::<String>::new()
    );
    assert_eq!(look_up(Lookup::ShortId("0190a3f2a".to_owned())).await, [one]);
    assert_eq!(look_up(Lookup::ShortId("0190a3f2".to_owned())).await, [two, one]);
    assert_eq!(look_up(Lookup::EndsWithUuid).await, [two, one]);
    let mut counts = store.sessions.counts().await.unwrap();
    counts.sort();
    let agent = |name: &str| AgentId::normalise(name).unwrap();
    assert_eq!(counts, [(agent("main"), 2), (agent("work"), 1)]);
}
