//! What is typed: commands, sizes, slips and pipes.

use super::*;

#[tokio::test]
async fn a_full_queue_is_told_in_these_words_and_what_was_typed_is_kept() {
    let model = Model::start(2_000, Duration::from_millis(20)).await;
    let gateway = Gateway::start(&model.config(&json!({"messages": {"queue": {"cap": 1}}}))).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;

    terminal.say("first");
    terminal.until_seen("assistant: w0").await;
    terminal.say("second");
    terminal.until_seen("1 message waits").await;
    terminal.say("the third is kept");
    let full = terminal
        .until_seen("1 messages wait in this session already")
        .await;

    assert_eq!(rows(&full).last(), Some(&"> the third is kept"), "{full}");
    assert!(!full.contains("went away"), "{full}");
}

#[tokio::test]
async fn a_gateway_that_comes_back_with_another_token_is_found_again() {
    let gateway = Gateway::start(&nothing()).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;
    assert!(gateway.run(&["token", "rotate"]).await.status.success());
    terminal.say("still here");
    terminal
        .until("an answer", |screen| screen.matches("still here").count() > 1)
        .await;

    gateway.kill("edge").await;
    terminal.say("and after a crash");
    let back = terminal
        .until("an answer", |screen| {
            screen.matches("and after a crash").count() > 1 && screen.ends_with("\n>")
        })
        .await;

    assert!(
        !back.contains("went away"),
        "it is told while it is so, and leaves nothing behind:\n{back}"
    );
}

#[tokio::test]
async fn a_terminal_that_changes_its_size_keeps_one_line_to_type_in() {
    let model = Model::start(400, Duration::from_millis(20)).await;
    let gateway = Gateway::start(&model.config(&nothing())).await;
    let terminal = open(&gateway.path(""), (200, 30), &[]).await;

    terminal.say("long");
    terminal.until_seen("w60").await;
    for size in [(60, 30), (120, 20), (40, 24), (100, 24)] {
        terminal.resize(size);
        let columns = usize::from(size.0);
        let before = terminal.screen();
        terminal
            .until("more words", |screen| {
                screen.len() > before.len() + columns || screen.contains("w399")
            })
            .await;
    }
    terminal.write("typed");
    let after = terminal
        .until("the end", |screen| {
            screen.contains("w399 long") && screen.ends_with("> typed")
        })
        .await;

    let prompts = rows(&after).iter().filter(|row| row.starts_with("> ")).count();
    assert_eq!(prompts, 2, "the question and the line that is typed:\n{after}");
    for n in 0..400 {
        let word = format!("w{n}");
        let seen = after.split_whitespace().filter(|seen| **seen == *word).count();
        assert_eq!(seen, 1, "{word} in\n{after}");
    }
}

#[tokio::test]
async fn commands_are_completed_and_a_slip_is_not_sent_to_the_model() {
    let model = Model::start(1, Duration::ZERO).await;
    let gateway = Gateway::start(&model.config(&nothing())).await;
    let terminal = open(&gateway.path(""), (200, 50), &["--verbose"]).await;

    terminal.say("/sesions");
    terminal
        .until_seen("there is no command /sesions: did you mean /sessions?")
        .await;
    terminal.write("/mod");
    terminal.press(&["Tab"]);
    terminal.until_seen("> /model").await;
    terminal.write("ech");
    terminal.press(&["Tab", "Enter"]);
    terminal.until_seen("echo/echo answers in this session").await;
    terminal.say("hello echo");
    terminal
        .until("what it cost", |screen| {
            screen.contains("[0.") && screen.contains("first word after")
        })
        .await;
    assert_eq!(model.asked(), 0);
    terminal.say("/model slow/words");
    terminal.until_seen("slow/words answers in this session").await;
    terminal.say("hello model");
    terminal.until_seen("assistant: w0 hello model").await;
    terminal.say("/status");
    terminal.until_seen("model     slow/words").await;
    terminal.say("/new plans");
    terminal.until_seen("agent:main:dashboard:").await;
    terminal.say("/sessions");
    let list = terminal.until_seen("/switch N goes to one").await;
    assert!(list.contains("plans"), "{list}");
    terminal.say("/switch 2");
    terminal
        .until("the first session again", |screen| {
            screen.matches("agent:main:main at").count() > 1
        })
        .await;
    assert_eq!(questions(&gateway).await, ["hello echo", "hello model"]);
}

/// A disk that takes nothing is told as one whose database is gone: the store refuses.
#[tokio::test]
async fn a_message_that_cannot_be_kept_is_told_within_seconds_and_stays_in_the_line() {
    let gateway = Gateway::start(&nothing()).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;
    fs::remove_file(gateway.path("session/session.db")).unwrap();

    let began = Instant::now();
    let told = gateway.run(&["chat", "hello"]).await;
    terminal.say("not lost");
    let seen = terminal
        .until("the reason", |screen| {
            screen.contains("UNAVAILABLE") && screen.ends_with("> not lost")
        })
        .await;

    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!(told.status.code(), Some(69));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(
        told.contains("UNAVAILABLE") && !told.contains("went away"),
        "{told}"
    );
    assert!(!seen.contains("went away"), "{seen}");
}

#[tokio::test]
async fn a_pipe_gets_the_answer_and_no_word_of_the_terminal() {
    let gateway = Gateway::start(&nothing()).await;

    let answer = tokio::time::timeout(DEADLINE, gateway.run(&["chat", "hello"]))
        .await
        .unwrap();

    let answer = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.contains("hello") && !answer.contains('\x1b'), "{answer:?}");
}
