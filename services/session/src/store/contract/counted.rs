//! Lists of turns, and what is counted from transcripts.

use super::*;
use crate::key::AgentId;

pub(super) async fn turns_are_listed_first_those_that_live_then_those_that_ended_last(store: &Stores) {
    let owner = Owner::new("a");
    for (rest, id) in [("main", "r1"), ("other", "r2"), ("main", "r3"), ("main", "r4")] {
        say(store, &key(rest), id, id).await;
    }
    claim(store, &owner, T0).await;
    claim(store, &owner, T0).await;
    for (id, after) in [("r2", 9), ("r1", 7)] {
        let finish = Finish {
            now: T0.plus_ms(after),
            ..finish(id, &owner, TurnState::Done, "answer")
        };
        store.turns.finish(finish).await.unwrap().unwrap();
    }
    claim(store, &owner, T0.plus_ms(10)).await;
    let list = async |filter: TaskFilter| {
        let page = store.tasks.tasks(filter).await.unwrap();
        let runs: Vec<String> = page.tasks.iter().map(|task| task.turn.run.to_string()).collect();
        (runs.join(" "), page.next)
    };
    let of = |limit: u32| TaskFilter {
        limit,
        ..TaskFilter::default()
    };

    assert_eq!(list(of(10)).await, ("r4 r3 r2 r1".to_owned(), None));
    let (first, next) = list(of(3)).await;
    assert_eq!(first, "r4 r3 r2");
    let rest = TaskFilter { after: next, ..of(3) };
    assert_eq!(list(rest).await, ("r1".to_owned(), None));
    let full = list(of(2)).await;
    assert_eq!(full.0, "r4 r3");
    let behind = TaskFilter {
        after: full.1,
        ..of(2)
    };
    assert_eq!(list(behind).await, ("r2 r1".to_owned(), None));

    for (filter, wanted) in [
        (
            TaskFilter {
                states: Some(vec![TurnState::Queued]),
                ..of(10)
            },
            "r4",
        ),
        (
            TaskFilter {
                states: Some(vec![TurnState::Done, TurnState::Running]),
                key: Some(key("main")),
                ..of(10)
            },
            "r3 r1",
        ),
        (
            TaskFilter {
                states: Some(Vec::new()),
                ..of(10)
            },
            "",
        ),
        (
            TaskFilter {
                agent: Some(AgentId::normalise("nobody").unwrap()),
                ..of(10)
            },
            "",
        ),
    ] {
        assert_eq!(list(filter).await.0, wanted);
    }
}

pub(super) async fn usage_is_counted_by_session_day_and_model(store: &Stores) {
    const DAY: i64 = 86_400_000;
    let answer = |text: &str, at: Timestamp, model: &str, failed: bool| NewEntry {
        extra: EntryExtra {
            provider: Some("p".to_owned()),
            model: Some(model.to_owned()),
            usage: Some(Tokens { input: 10, output: 5 }),
            error_message: failed.then(|| "no".to_owned()),
            ..EntryExtra::default()
        },
        ..row(Role::Assistant, text, None, at)
    };
    for entry in [
        row(Role::User, "long ago", None, T0.plus_ms(-5 * DAY)),
        row(Role::User, "yesterday", None, T0.plus_ms(-DAY)),
        answer("one", T0.plus_ms(1_000 - DAY), "m", false),
        row(Role::Tool, "result", None, T0),
        answer("two", T0.plus_ms(1_000), "m", true),
        answer("three", T0.plus_ms(2_000), "n", false),
    ] {
        store.transcripts.append(&key("main"), entry).await.unwrap();
    }
    let before = row(Role::User, "long ago", None, T0.plus_ms(-5 * DAY));
    store.transcripts.append(&key("old"), before).await.unwrap();
    let query = UsageQuery {
        viewer: crate::viewer::Viewer::Owner,
        starts: vec![T0.plus_ms(-DAY), T0, T0.plus_ms(DAY)],
        agent: None,
        key: None,
    };

    let counted = store.usage.usage(query.clone()).await.unwrap();

    assert_eq!(counted.len(), 1, "{counted:?}");
    let main = &counted[0];
    assert_eq!(main.session.key, key("main"));
    assert_eq!(main.between, Some((T0.plus_ms(-DAY), T0.plus_ms(2_000))));
    let told: Vec<_> = main
        .cells
        .iter()
        .map(|Cell { day, model, counts }| {
            let tokens = counts.input + counts.output;
            (
                *day,
                model.model.as_deref(),
                counts.user,
                counts.assistant,
                counts.tool,
                counts.errors,
                tokens,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, None, 1, 0, 0, 0, 0),
            (0, Some("m"), 0, 1, 0, 0, 15),
            (1, None, 0, 0, 1, 0, 0),
            (1, Some("m"), 0, 1, 0, 1, 15),
            (1, Some("n"), 0, 1, 0, 0, 15),
        ]
    );
    let other = UsageQuery {
        key: Some(key("old")),
        ..query
    };
    assert!(store.usage.usage(other).await.unwrap().is_empty());
}
