//! `gatehouse chat` as a person at a terminal meets it.

use std::{fs, path::Path, time::Duration};

use gatehouse_tests::{Client, DEADLINE, Gateway, model::Model, tmux::Terminal, until};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::SCREEN;

const USUAL: (u16, u16) = (80, 24);

/// Beside the model: nothing.
fn nothing() -> Value {
    json!({})
}

async fn open(home: &Path, size: (u16, u16), arguments: &[&str]) -> Terminal {
    let terminal = Terminal::chat(home, size, arguments);
    terminal.until("a prompt", |screen| screen.ends_with('>')).await;
    terminal
}

/// The rows of the screen that are not empty.
fn rows(screen: &str) -> Vec<&str> {
    screen
        .lines()
        .map(str::trim_end)
        .filter(|row| !row.is_empty())
        .collect()
}

async fn questions(gateway: &Gateway) -> Vec<String> {
    let screen = Client::plain(gateway, SCREEN).await;
    let history = screen
        .call("chat.history", json!({"sessionKey": "main", "limit": 1000}))
        .await
        .expect("the history");
    let rows = history["messages"].as_array().expect("rows").clone();
    let asked = rows.iter().filter(|row| row["role"] == "user");
    asked.map(|row| text(&row["content"])).collect()
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn an_answer_is_broken_between_words_and_what_is_typed_meanwhile_stays_apart() {
    let model = Model::start(60, Duration::from_millis(40)).await;
    let gateway = Gateway::start(&model.config(&nothing())).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;
    let wide = "日本語の文章 👩‍💻👩‍💻 e\u{301}tude".repeat(6);

    terminal.say(&wide);
    terminal.until_seen("assistant: w0 w1").await;
    terminal.write("typed while it streams");
    let during = terminal
        .until("a sign of life", |screen| {
            screen.contains("Ctrl-C stops\n> typed while it streams")
        })
        .await;
    let after = terminal
        .until("the end", |screen| {
            screen.contains("w59") && !screen.contains("Ctrl-C stops")
        })
        .await;

    assert_eq!(rows(&during).last(), Some(&"> typed while it streams"));
    assert!(
        rows(&during)
            .iter()
            .any(|row| row.contains("writing") && row.contains("Ctrl-C stops")),
        "{during}"
    );
    let answer: Vec<_> = rows(&after)
        .into_iter()
        .skip_while(|row| !row.starts_with("assistant:"))
        .collect();
    let (first, rest) = answer.split_first().unwrap();
    assert!(
        first.starts_with("assistant: w0 w1 w2") && first.len() > 60,
        "{first}"
    );
    // Every word is whole, in its order, and nothing else is between them.
    let told = first.trim_start_matches("assistant: ").to_owned() + " " + &rest.join(" ");
    let words: Vec<_> = told.split_whitespace().take(60).collect();
    let expected: Vec<_> = (0..60).map(|n| format!("w{n}")).collect();
    assert_eq!(words, expected, "{after}");
    let seen: String = after.split_whitespace().collect();
    let wanted: String = wide.split_whitespace().collect();
    assert_eq!(
        seen.matches(&wanted).count(),
        2,
        "the question and the answer, whole:\n{after}"
    );
    assert_eq!(rows(&after).last(), Some(&"> typed while it streams"));
}

#[tokio::test]
async fn a_paste_is_one_message_whatever_its_length() {
    let gateway = Gateway::start(&nothing()).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;
    let lines: String = (0..200).map(|n| format!("line {n} of a log 日本\n")).collect();
    let long = "x".repeat(20_000);

    terminal.paste(&lines);
    terminal.until_seen("> [200 lines pasted]").await;
    terminal.press(&["Enter"]);
    terminal
        .until("an answer", |screen| {
            screen.contains("assistant:") && screen.ends_with("\n>")
        })
        .await;
    terminal.paste(&long);
    terminal.until_seen("[20000 characters pasted]").await;
    terminal.press(&["Enter"]);
    let asked = until("both messages", async || {
        let asked = questions(&gateway).await;
        (asked.len() == 2).then_some(asked)
    })
    .await;

    assert_eq!(asked, [lines.trim_end().to_owned(), long]);
    terminal.paste(&"y".repeat(1024 * 1024 + 1));
    terminal.until_seen("a message has at most 1 MiB").await;
}

#[tokio::test]
async fn what_was_said_is_found_again_in_the_next_chat() {
    let gateway = Gateway::start(&nothing()).await;
    let first = open(&gateway.path(""), USUAL, &[]).await;
    for said in ["the first thing", "another one"] {
        first.say(said);
        first
            .until("an answer", |screen| {
                screen.matches(said).count() > 1 && screen.ends_with("\n>")
            })
            .await;
    }
    first.press(&["C-d"]);
    assert_eq!(first.ended().await, 0);

    let next = open(&gateway.path(""), USUAL, &["--history", "0"]).await;
    next.press(&["Up"]);
    next.until_seen("> another one").await;
    next.press(&["C-c", "C-r"]);
    next.write("first");
    next.until_seen("(search first) the first thing").await;
    next.press(&["Enter"]);
    next.until("an answer", |screen| {
        screen.matches("the first thing").count() > 1
    })
    .await;

    let forgetful = open(&gateway.path(""), USUAL, &["--history", "0", "--no-history"]).await;
    forgetful.press(&["Up"]);
    forgetful.say("nothing came back");
    forgetful.until_seen("> nothing came back").await;
}

#[tokio::test]
async fn ctrl_c_stops_the_answer_and_leaves_the_second_time() {
    let model = Model::start(2_000, Duration::from_millis(20)).await;
    let gateway = Gateway::start(&model.config(&nothing())).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;

    terminal.say("for ever");
    terminal.until_seen("assistant: w0").await;
    terminal.press(&["C-c"]);
    terminal
        .until("the end", |screen| {
            screen.contains("[stopped]") && screen.ends_with("\n>")
        })
        .await;
    terminal.say("again");
    terminal
        .until("another answer", |screen| {
            screen.matches("assistant: w0").count() > 1
        })
        .await;
    terminal.press(&["C-c", "C-c"]);
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn what_another_screen_says_stands_between_the_answers() {
    let model = Model::start(80, Duration::from_millis(30)).await;
    let gateway = Gateway::start(&model.config(&json!({"messages": {"queue": {"mode": "followup"}}}))).await;
    let terminal = open(&gateway.path(""), USUAL, &[]).await;
    let other = Client::plain(&gateway, SCREEN).await;

    terminal.say("mine");
    terminal.until_seen("assistant: w0 w1").await;
    other
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": "theirs", "idempotencyKey": "other"}),
        )
        .await
        .unwrap();
    let after = terminal
        .until("both answers", |screen| {
            screen.contains("w79 mine") && screen.contains("w79 theirs")
        })
        .await;

    let order: Vec<_> = rows(&after)
        .into_iter()
        .filter(|row| {
            ["> mine", "assistant:", "you: theirs"]
                .iter()
                .any(|begin| row.starts_with(begin))
        })
        .map(|row| row.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        order,
        ["> mine", "assistant: w0", "you: theirs", "assistant: w0"],
        "{after}"
    );
}

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
