//! A fake platform by itself, for judges that are not written in Rust: `gatehouse-fake slack`, `discord` or `telegram`.
//!
//! Its first line says where it is and what opens it. Then each line of the standard input is something that happens there, and is
//! answered by one line. It ends with its input.

mod discord;
mod slack;
mod telegram;

use std::io::Write;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// A platform that does as it is told.
pub(crate) trait Stage {
    /// Where it is, and what opens it.
    fn manifest(&self) -> Value;
    /// Something happens. `null`: nothing of that name does here.
    fn happens(&self, what: &str, with: &Value) -> Value;
}

#[tokio::main]
async fn main() {
    let platform = std::env::args().nth(1).unwrap_or_default();
    let lines = BufReader::new(tokio::io::stdin()).lines();
    match platform.as_str() {
        "slack" => play(slack::start().await, lines).await,
        "discord" => play(discord::start().await, lines).await,
        "telegram" => play(telegram::start().await, lines).await,
        other => eprintln!("there is no fake of {other:?}: name slack, discord or telegram"),
    }
}

async fn play(stage: impl Stage, mut lines: Lines<BufReader<Stdin>>) {
    say(&stage.manifest());
    while let Ok(Some(line)) = lines.next_line().await {
        let asked: Value = serde_json::from_str(&line).unwrap_or_default();
        let what = asked["what"].as_str().unwrap_or_default();
        say(&json!({"answer": stage.happens(what, &asked["with"])}));
    }
}

fn say(line: &Value) {
    let mut out = std::io::stdout();
    // Whoever asked may have gone: the end of the input says so as well.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A text of what happens.
pub(crate) fn text<'a>(with: &'a Value, name: &str) -> &'a str {
    with[name].as_str().unwrap_or_default()
}
