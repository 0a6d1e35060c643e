//! Summaries, the help, and what is only said.

use gatehouse_proto::agent::v1::{TextWasThinking, run_turn_response::Event};

use super::*;

#[tokio::test]
async fn after_a_summary_models_read_it_in_the_place_of_what_was_said_before() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    assert_eq!(
        answer(&mut running, "r0", "/compact").await,
        "There is nothing to sum up yet."
    );
    say(&running, "r1", "my name is Anna").await;
    let call = bench.call().await;
    call.text("hello Anna").await;
    call.done().await;
    running.end_of("r1").await;

    say(&running, "r2", "/compact keep the name").await;
    let call = bench.call().await;
    let asked = call.texts();
    assert_eq!(asked[..2], ["my name is Anna", "hello Anna"]);
    assert!(
        asked[2].contains("Sum up") && asked[2].contains("keep the name"),
        "{}",
        asked[2]
    );
    say(&running, "r3", "meanwhile").await;
    // A model that thinks without saying so: none of it belongs into the summary.
    call.text("She greets me.").await;
    call.event(Event::TextWasThinking(TextWasThinking {})).await;
    call.text("Anna said hello.").await;
    call.done().await;
    let told = ended_with(&mut running, "r2").await;

    assert!(told.starts_with("Summed up"), "{told}");
    let call = bench.call().await;
    assert_eq!(call.request.run_id, "r3");
    let read = call.texts();
    assert!(
        read[0].contains("summary") && read[0].contains("Anna said hello.") && !read[0].contains("greets"),
        "{}",
        read[0]
    );
    assert_eq!(read[1..], ["meanwhile"]);
    call.done().await;
    running.end_of("r3").await;
    assert!(
        running
            .screen("r2", gatehouse_proto::broadcast::v1::Rendition::Increment)
            .is_empty()
    );
    let kept = rows(&running).await;
    assert!(
        kept.iter().any(|(_, text, _)| text == "my name is Anna"),
        "nothing is forgotten"
    );
    assert!(
        answer(&mut running, "r4", "/context")
            .await
            .contains("as a summary")
    );
}

#[tokio::test]
async fn a_summary_that_failed_changes_nothing() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    say(&running, "r1", "one").await;
    let call = bench.call().await;
    call.text("two").await;
    call.done().await;
    running.end_of("r1").await;

    say(&running, "r2", "/compact").await;
    bench.call().await.fail(FailureKind::RateLimit, "slow down").await;
    assert_eq!(running.end_of("r2").await.state(), State::Error);
    say(&running, "r3", "/compact").await;
    bench.call().await.done().await;
    assert_eq!(
        running.end_of("r3").await.state(),
        State::Error,
        "it wrote nothing"
    );

    say(&running, "r4", "three").await;
    let call = bench.call().await;
    assert_eq!(call.texts(), ["one", "two", "three"]);
    call.done().await;
}

#[tokio::test]
async fn the_tokens_of_a_conversation_are_those_that_the_provider_counted() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    assert!(
        answer(&mut running, "r0", "/usage")
            .await
            .contains("0 tokens read, 0 written")
    );
    say(&running, "r1", "hello").await;
    bench.call().await.done().await;
    running.end_of("r1").await;

    let usage = answer(&mut running, "r2", "/usage").await;

    assert!(
        usage.contains("This conversation: 1 tokens read, 2 written."),
        "{usage}"
    );
    let status = answer(&mut running, "r3", "/status").await;
    assert!(status.contains("Context: 3 of 1,000 tokens (0%)"), "{status}");
}

#[tokio::test]
async fn the_help_lists_what_may_be_used_and_nothing_else() {
    let bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    let stranger = Speaker::of_test_chat(Standing::Anybody, true, true);

    let all = answer(&mut running, "r1", "/commands").await;
    said(&running, &stranger, message("r2", "/help")).await.unwrap();
    let few = ended_with(&mut running, "r2").await;

    assert!(
        all.contains("/model [model]") && all.contains("/compact [instructions]"),
        "{all}"
    );
    assert!(
        few.contains("/status") && !few.contains("/model") && !few.contains("/new"),
        "{few}"
    );
}

#[tokio::test]
async fn what_is_meant_literally_is_said_to_the_agent() {
    let mut bench = Bench::new().await;
    let running = bench.run(CONFIG);
    for (run, speaker, text) in [
        ("r1", Speaker::client(None, true), "/status"),
        ("r2", Speaker::process(), "/etc/passwd"),
        (
            "r3",
            Speaker::of_test_chat(Standing::Owner, false, false),
            "/status",
        ),
    ] {
        let admission = Admission {
            run: RunId::new(run),
            key: key(run),
            ..message(run, text)
        };
        said(&running, &speaker, admission).await.unwrap();
        let call = bench.call().await;
        assert_eq!(call.texts(), [text]);
        call.done().await;
    }
}

#[tokio::test]
async fn what_is_shown_and_sent_is_chosen_by_a_word() {
    let bench = Bench::new().await;
    let mut running = bench.run(CONFIG);

    assert_eq!(
        answer(&mut running, "r1", "/usage full").await,
        "Usage behind answers: full."
    );
    assert_eq!(
        answer(&mut running, "r2", "/reasoning on").await,
        "Reasoning: on."
    );
    assert!(
        answer(&mut running, "r3", "/verbose loud")
            .await
            .contains("nothing was changed")
    );
    assert!(
        answer(&mut running, "r4", "/verbose")
            .await
            .starts_with("Verbose: off.")
    );
    assert_eq!(answer(&mut running, "r5", "/send off").await, "Sending: deny.");
    let session = running
        .engine
        .stores()
        .sessions
        .find(&key("main"))
        .await
        .unwrap()
        .unwrap();
    assert!(session.settings.forbids_sending() && session.settings.reasoning.is_some());

    assert_eq!(
        answer(&mut running, "r6", "/send on").await,
        "Sending: allow.",
        "a command to the gateway is not a message"
    );
}
