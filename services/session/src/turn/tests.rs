use std::time::Duration;

use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::session::v1::chat_event::State;
use tokio::time;

use crate::error::Error;
use crate::id::{Owner, RunId};
use crate::queue::QueueMode;
use crate::store::{Admission, HistoryQuery, Reclaim, Reply, Role, Store, TurnState};
use crate::testing::{Bench, PATIENCE, Running, Seen, key, message, queued_as, room, until, within};

async fn state(bench: &Bench, run: &str) -> TurnState {
    bench.store.turn(&RunId::new(run)).await.unwrap().unwrap().state
}

async fn rows(bench: &Bench) -> Vec<(Role, String)> {
    let query = HistoryQuery {
        limit: 100,
        offset: 0,
        after: None,
        bytes_max: 1 << 20,
    };
    let page = bench.store.history(&key("main"), query).await.unwrap();
    page.entries
        .iter()
        .map(|entry| (entry.row.role, crate::rows::text_of(&entry.row.content)))
        .collect()
}

#[tokio::test]
async fn a_message_is_answered_in_the_order_that_screens_expect() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();

    let call = bench.call().await;
    call.text("Hel").await;
    house
        .see("the first paced delta", |seen| {
            seen.label() == "chat delta 'Hel' ="
        })
        .await;
    call.text("lo").await;
    call.done().await;
    let end = house.end_of("r1").await;
    house
        .see("the session after it", |seen| {
            seen.label() == "changed agent.input.settled"
        })
        .await;

    let order = [
        "changed send",
        "row user",
        "chat status",
        "agent lifecycle start",
        "changed agent.run.started",
        "agent assistant +",
        "chat delta 'Hel' +",
        "agent assistant =",
        "chat delta 'Hel' =",
        "agent assistant +",
        "chat delta 'lo' +",
        "agent assistant =",
        "chat delta 'lo' =",
        "row assistant",
        "agent lifecycle end",
        "chat final",
        "changed agent.input.settled",
    ];
    assert_eq!(house.labels(), order);
    assert!(end.message.as_deref().unwrap().contains("Hello"));
    assert_eq!(end.usage.unwrap().total_tokens, 3);
    let mut seqs: Vec<i64> = house
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Chat(event, _) => Some(event.seq),
            Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) => None,
        })
        .collect();
    let in_order = seqs.clone();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(in_order, seqs, "numbers grow");
    assert_eq!(
        rows(&bench).await,
        [
            (Role::User, "hi".to_owned()),
            (Role::Assistant, "Hello".to_owned())
        ]
    );
}

#[tokio::test]
async fn the_next_turn_reads_what_was_said_before() {
    let mut bench = Bench::new().await;
    let mut house = bench.run(r#"{"agents":{"defaults":{"model":{"primary":"p/a","fallbacks":["p/b"]},"systemPrompt":"be brief"}}}"#);
    house.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    house.engine.submit(message("r2", "two")).await.unwrap();
    call.text("to one").await;
    call.done().await;

    let call = bench.call().await;

    assert_eq!(call.texts(), ["one", "to one", "two"]);
    assert_eq!(call.request.models, ["p/a", "p/b"]);
    assert_eq!(call.request.system_prompt.as_deref(), Some("be brief"));
    call.done().await;
    house.end_of("r2").await;
}

#[tokio::test]
async fn a_turn_of_which_nothing_was_seen_runs_again_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    first.engine.submit(message("r1", "hi")).await.unwrap();
    let _unanswered = bench.call().await;
    first.die().await;
    assert_eq!(state(&bench, "r1").await, TurnState::Running);

    let mut second = bench.run("{}");
    let call = bench.call().await;
    call.text("again").await;
    call.done().await;
    second.end_of("r1").await;

    assert_eq!((first.ends("r1"), second.ends("r1")), (0, 1));
    assert_eq!(rows(&bench).await.len(), 2);
}

#[tokio::test]
async fn a_turn_that_was_seen_ends_with_a_notice_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    first.engine.submit(to_room).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    first
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    first.die().await;

    let mut second = bench.run("{}");
    let end = second.end_of("r1").await;

    assert_eq!(
        (end.state(), end.stop_reason.as_deref()),
        (State::Error, Some("restart"))
    );
    assert_eq!(first.ends("r1"), 0);
    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    let last = first.seen.iter().filter_map(|seen| match seen {
        Seen::Chat(event, _) => Some(event.seq),
        Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) => None,
    });
    assert!(last.max().unwrap() < end.seq, "numbers grow over the restart");
    let notices = bench.store.deliveries(i64::MAX, 10).await.unwrap();
    assert_eq!(
        notices.iter().map(|notice| &notice.target).collect::<Vec<_>>(),
        [&room("#a")]
    );
    assert!(bench.calls.try_recv().is_err(), "it is not run again");
}

#[tokio::test]
async fn queued_turns_run_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    first.engine.submit(message("r1", "one")).await.unwrap();
    let _unanswered = bench.call().await;
    first.engine.submit(message("r2", "two")).await.unwrap();
    first.die().await;

    let mut second = bench.run("{}");
    for run in ["r1", "r2"] {
        bench.call().await.done().await;
        second.end_of(run).await;
    }
}

#[tokio::test]
async fn an_abort_stops_the_call_at_once_and_keeps_the_text() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    house
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    house.engine.submit(message("r2", "two")).await.unwrap();

    let mut stopped = house.engine.abort(key("main"), None).await.unwrap();

    stopped.sort();
    assert_eq!(stopped, [RunId::new("r1"), RunId::new("r2")]);
    call.cancelled().await;
    house.rest();
    assert_eq!((house.ends("r1"), house.ends("r2")), (1, 1), "before the answer");
    let row = house.seen.iter().find_map(|seen| match seen {
        Seen::Row(row) => row.message.clone().filter(|message| message.role == "assistant"),
        Seen::Chat(..) | Seen::Agent(..) | Seen::Changed(_) => None,
    });
    let row = row.unwrap();
    assert_eq!(row.openclaw_abort.unwrap().origin, "rpc");
    assert!(row.content.contains("half"));
    assert!(
        house.engine.abort(key("main"), None).await.unwrap().is_empty(),
        "nothing runs"
    );
    assert_eq!(state(&bench, "r2").await, TurnState::Aborted);
}

#[tokio::test]
async fn one_run_is_aborted_and_the_other_goes_on() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    house.engine.submit(message("r2", "two")).await.unwrap();

    assert_eq!(
        house
            .engine
            .abort(key("main"), Some(RunId::new("r2")))
            .await
            .unwrap(),
        [RunId::new("r2")]
    );
    assert!(
        house
            .engine
            .abort(key("main"), Some(RunId::new("r9")))
            .await
            .unwrap()
            .is_empty()
    );

    call.done().await;
    assert_eq!(house.end_of("r1").await.state(), State::Final);
    assert_eq!(house.ends("r2"), 1);
}

#[tokio::test]
async fn an_interrupting_message_is_next() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    house.engine.submit(message("r2", "two")).await.unwrap();

    house
        .engine
        .submit(queued_as(QueueMode::Interrupt, message("r3", "three")))
        .await
        .unwrap();

    call.cancelled().await;
    let call = bench.call().await;
    assert_eq!(
        call.texts(),
        ["one", "two", "three"],
        "what was stopped is still read"
    );
    call.done().await;
    assert_eq!(house.end_of("r3").await.state(), State::Final);
    assert_eq!((house.ends("r1"), house.ends("r2")), (1, 1));
}

#[tokio::test]
async fn collected_messages_get_one_answer_and_each_its_end() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    let collect = |run: &str| queued_as(QueueMode::Collect, message(run, run));
    house.engine.submit(collect("r1")).await.unwrap();
    let call = bench.call().await;
    for run in ["r2", "r3", "r4"] {
        house.engine.submit(collect(run)).await.unwrap();
    }
    call.text("one").await;
    call.done().await;

    let call = bench.call().await;
    assert_eq!(call.texts(), ["r1", "one", "r2", "r3", "r4"]);
    call.text("all").await;
    call.done().await;
    let end = house.end_of("r2").await;

    assert!(end.message.is_some());
    for run in ["r1", "r3", "r4"] {
        assert_eq!(house.ends(run), 1, "{run}");
    }
    let without_message = house.seen.iter().filter(|seen| {
        matches!(seen, Seen::Chat(event, _) if event.state() == State::Final && event.message.is_none())
    });
    assert_eq!(without_message.count(), 2);
    assert_eq!(rows(&bench).await.len(), 6);
}

#[tokio::test]
async fn the_same_message_sent_twenty_times_at_once_is_one_turn() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    let sends = (0..20).map(|_| house.engine.submit(message("r1", "hi")));

    let taken = futures::future::join_all(sends).await;

    assert_eq!(
        taken
            .iter()
            .filter(|taken| !taken.as_ref().unwrap().duplicate)
            .count(),
        1
    );
    bench.call().await.done().await;
    house.end_of("r1").await;
    assert!(matches!(
        house.engine.submit(message("r1", "other")).await,
        Err(Error::RequestConflict)
    ));
    let again = house.engine.submit(message("r1", "hi")).await.unwrap();
    assert_eq!((again.duplicate, again.turn.state), (true, TurnState::Done));
    time::sleep(Duration::from_millis(50)).await;
    assert!(bench.calls.try_recv().is_err());
}

#[tokio::test]
async fn two_engines_on_one_store_run_one_turn_of_a_session_at_a_time() {
    let mut bench = Bench::new().await;
    let mut houses: Vec<Running> = (0..2)
        .map(|_| bench.run_with("{}", bench.agent.clone(), false))
        .collect();
    for n in 0..30 {
        let house = houses.get(n % 2).unwrap();
        let message = Admission {
            key: key(&format!("s{}", n % 3)),
            ..message(&format!("r{n}"), "hi")
        };
        house.engine.submit(message).await.unwrap();
    }

    let mut open: Vec<crate::testing::Call> = Vec::new();
    for _ in 0..30 {
        let call = bench.call().await;
        open.push(call);
        // While calls are open, each belongs to another session.
        let mut sessions = Vec::new();
        for call in &open {
            sessions.push(
                bench
                    .store
                    .turn(&RunId::new(&*call.request.run_id))
                    .await
                    .unwrap()
                    .unwrap()
                    .key,
            );
        }
        let all = sessions.len();
        sessions.sort();
        sessions.dedup();
        assert_eq!(sessions.len(), all);
        if open.len() == 3 || bench.calls.is_empty() {
            open.remove(0).done().await;
        }
    }
    for call in open {
        call.done().await;
    }
    until("all turns to end", async || {
        for n in 0..30 {
            if !state(&bench, &format!("r{n}")).await.is_terminal() {
                return false;
            }
        }
        true
    })
    .await;

    for house in &mut houses {
        house.die().await;
    }
    for n in 0..30 {
        let run = format!("r{n}");
        assert_eq!(
            houses.iter().map(|house| house.ends(&run)).sum::<usize>(),
            1,
            "{run}"
        );
    }
}

#[tokio::test]
async fn a_run_whose_lease_was_taken_says_nothing_more() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    house
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;

    let thief = Reclaim {
        owner: Owner::new("thief"),
        others_are_dead: true,
        notice: "cut short".into(),
        attempts_max: 3,
        now: house.engine.now_ms(),
    };
    assert_eq!(bench.store.reclaim(thief).await.unwrap().ended.len(), 1);
    call.cancelled().await;

    time::sleep(Duration::from_millis(50)).await;
    house.rest();
    assert_eq!(house.ends("r1"), 0, "the thief says the end");
}

#[tokio::test]
async fn an_agent_that_comes_back_in_time_answers() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    bench.call().await.break_off().await;

    let call = bench.call().await;
    call.text("here").await;
    call.done().await;

    assert_eq!(house.end_of("r1").await.state(), State::Final);
}

#[tokio::test]
async fn an_agent_that_stays_away_fails_the_turn_with_a_notice_to_the_chat() {
    let bench = Bench::new().await;
    let (nobody, _) = bench.peer("nobody.sock");
    let mut house = bench.run_with("{}", nobody, true);
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    house.engine.submit(to_room).await.unwrap();

    let end = house.end_of("r1").await;

    assert_eq!(end.state(), State::Error);
    assert!(end.error_message.unwrap().contains("cannot be reached"));
    assert_eq!(bench.store.deliveries(i64::MAX, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_kept_and_not_begun_again() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    house
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    call.break_off().await;

    assert_eq!(house.end_of("r1").await.state(), State::Error);

    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned()))
    );
    assert!(bench.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_failure_says_its_kind() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    bench
        .call()
        .await
        .fail(FailureKind::RateLimit, "too many requests: wait a minute")
        .await;

    let end = house.end_of("r1").await;

    assert_eq!(end.error_kind.as_deref(), Some("rate_limit"));
    assert_eq!(
        end.error_message.as_deref(),
        Some("too many requests: wait a minute")
    );
    house.engine.submit(message("r2", "next")).await.unwrap();
    assert_eq!(
        bench.call().await.texts(),
        ["hi", "next"],
        "a notice is not read by a model"
    );
}

#[tokio::test]
async fn no_more_turns_run_than_are_allowed() {
    let mut bench = Bench::new().await;
    let mut house = bench.run(r#"{"agents":{"defaults":{"maxConcurrent":2}}}"#);
    for n in 0..4 {
        let message = Admission {
            key: key(&format!("s{n}")),
            ..message(&format!("r{n}"), "hi")
        };
        house.engine.submit(message).await.unwrap();
    }
    let (first, second) = (bench.call().await, bench.call().await);
    time::sleep(Duration::from_millis(50)).await;
    assert!(bench.calls.try_recv().is_err());

    first.done().await;
    bench.call().await.done().await;
    second.done().await;
    bench.call().await.done().await;
    until("all turns to end", async || {
        state(&bench, "r3").await.is_terminal()
    })
    .await;
    house.rest();
}

#[tokio::test]
async fn somebody_who_waits_hears_of_the_end() {
    let mut bench = Bench::new().await;
    let house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    let early = house
        .engine
        .wait(&RunId::new("r1"), Duration::from_millis(10))
        .await
        .unwrap();
    assert!(!early.state.is_terminal());

    let (engine, run) = (house.engine.clone(), RunId::new("r1"));
    let waiting = tokio::spawn(async move { engine.wait(&run, PATIENCE).await });
    bench.call().await.done().await;

    assert_eq!(
        within("the end", waiting).await.unwrap().unwrap().state,
        TurnState::Done
    );
    assert!(matches!(
        house.engine.wait(&RunId::new("r9"), PATIENCE).await,
        Err(Error::NoRun(_))
    ));
}

#[tokio::test]
async fn thinking_is_shown_and_not_kept() {
    use gatehouse_proto::agent::v1::{ThinkingDelta, run_turn_response::Event};
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.event(Event::ThinkingDelta(ThinkingDelta { text: "hm".into() }))
        .await;
    call.text("yes").await;
    call.done().await;

    house.end_of("r1").await;

    assert!(house.labels().contains(&"agent thinking +".to_owned()));
    assert!(house.labels().contains(&"agent thinking =".to_owned()));
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "yes".to_owned()))
    );
}
