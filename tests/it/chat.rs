//! `gatehouse chat` as a person at a terminal meets it.

mod lines;

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
