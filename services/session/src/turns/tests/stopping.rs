use gatehouse_proto::agent::v1 as agent;

use super::*;

#[tokio::test]
async fn an_abort_stops_the_call_at_once_and_keeps_the_text() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    running
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    running.engine.submit(message("r2", "two")).await.unwrap();

    let mut stopped = running.engine.abort(key("main"), None).await.unwrap();

    stopped.sort();
    assert_eq!(stopped, [RunId::new("r1"), RunId::new("r2")]);
    call.cancelled().await;
    running.rest();
    assert_eq!(
        (running.ends("r1"), running.ends("r2")),
        (1, 1),
        "before the answer"
    );
    let row = running.seen.iter().find_map(|seen| match seen {
        Seen::Row(row) => row.message.clone().filter(|message| message.role == "assistant"),
        Seen::Chat(..) | Seen::Agent(..) | Seen::Changed(_) | Seen::Aside(_) => None,
    });
    let row = row.unwrap();
    assert_eq!(row.openclaw_abort.unwrap().origin, "rpc");
    assert!(row.content.contains("half"));
    assert!(
        running.engine.abort(key("main"), None).await.unwrap().is_empty(),
        "nothing runs"
    );
    assert_eq!(state(&bench, "r2").await, TurnState::Aborted);
}

#[tokio::test]
async fn whose_words_a_stopped_answer_was_is_known_to_the_next_model() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    let started = agent::ModelStarted {
        provider: "echo".to_owned(),
        model: "echo".to_owned(),
    };
    call.event(agent::run_turn_response::Event::ModelStarted(started))
        .await;
    call.text("half").await;
    running
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    running.engine.abort(key("main"), None).await.unwrap();

    running.engine.submit(message("r2", "two")).await.unwrap();
    let call = bench.call().await;

    let told: Vec<_> = call
        .request
        .messages
        .iter()
        .map(|message| (message.text.as_str(), message.provider.as_deref()))
        .collect();
    assert_eq!(told, [("one", None), ("half", Some("echo")), ("two", None)]);
}

#[tokio::test]
async fn one_run_is_aborted_and_the_other_goes_on() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(message("r2", "two")).await.unwrap();

    assert_eq!(
        running
            .engine
            .abort(key("main"), Some(RunId::new("r2")))
            .await
            .unwrap(),
        [RunId::new("r2")]
    );
    assert!(
        running
            .engine
            .abort(key("main"), Some(RunId::new("r9")))
            .await
            .unwrap()
            .is_empty()
    );

    call.done().await;
    assert_eq!(running.end_of("r1").await.state(), State::Final);
    assert_eq!(running.ends("r2"), 1);
}

#[tokio::test]
async fn an_interrupting_message_is_next() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(message("r2", "two")).await.unwrap();

    running
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
    assert_eq!(running.end_of("r3").await.state(), State::Final);
    assert_eq!((running.ends("r1"), running.ends("r2")), (1, 1));
}

#[tokio::test]
async fn collected_messages_get_one_answer_and_each_its_end() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let collect = |run: &str| queued_as(QueueMode::Collect, message(run, run));
    running.engine.submit(collect("r1")).await.unwrap();
    let call = bench.call().await;
    for run in ["r2", "r3", "r4"] {
        running.engine.submit(collect(run)).await.unwrap();
    }
    call.text("one").await;
    call.done().await;

    let call = bench.call().await;
    assert_eq!(call.texts(), ["r1", "one", "r2", "r3", "r4"]);
    call.text("all").await;
    call.done().await;
    let end = running.end_of("r2").await;

    assert!(end.message.is_some());
    for run in ["r1", "r3", "r4"] {
        assert_eq!(running.ends(run), 1, "{run}");
    }
    let without_message = running.seen.iter().filter(|seen| {
        matches!(seen, Seen::Chat(event, _) if event.state() == State::Final && event.message.is_none())
    });
    assert_eq!(without_message.count(), 2);
    assert_eq!(rows(&bench).await.len(), 6);
}

#[tokio::test]
async fn a_chat_that_is_stopped_ends_what_was_asked_there_and_nothing_else_of_its_session() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let asked = |run: &str, to: &str| Admission {
        reply: Reply::To(room(to)),
        ..message(run, "hi")
    };
    running.engine.submit(asked("r1", "#a")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(asked("r2", "#b")).await.unwrap();
    running.engine.submit(asked("r3", "#a")).await.unwrap();
    running
        .engine
        .submit(message("r4", "from a screen"))
        .await
        .unwrap();

    let mut stopped = running
        .engine
        .abort_in_chat(key("main"), room("#a"))
        .await
        .unwrap();

    stopped.sort();
    assert_eq!(stopped, [RunId::new("r1"), RunId::new("r3")]);
    call.cancelled().await;
    assert_eq!(state(&bench, "r3").await, TurnState::Aborted);
    for run in ["r2", "r4"] {
        assert_ne!(state(&bench, run).await, TurnState::Aborted, "{run}");
    }
    let nothing = running
        .engine
        .abort_in_chat(key("main"), room("#c"))
        .await
        .unwrap();
    assert!(nothing.is_empty());
}
