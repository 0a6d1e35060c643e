//! `gatehouse chat`: one session on a terminal, or one question through a pipe.
//!
//! A cut connection is not the person's business: the chat comes back by itself, sends again what was not acknowledged
//! (under the same key, so nothing is said twice), and continues the answer where it stopped.

mod input;
mod interactive;
mod once;
mod screen;
mod wire;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use self::{
    screen::Screen,
    wire::{ChatEvent, History, SessionMessage},
};
use crate::{
    args::{Chat, Common},
    client::{self, Client, Incoming},
    exit::{Exit, Failed},
    gateway::Gateway,
    output::text as print,
    term::Style,
};

/// Everything that a chat may call: what it asks to be allowed follows from it.
const METHODS: &[&str] = &[
    "chat.abort",
    "chat.history",
    "chat.send",
    "sessions.create",
    "sessions.list",
    "sessions.messages.subscribe",
    "sessions.messages.unsubscribe",
];

/// How long the gateway may take for what a chat asks.
const ANSWER: Duration = Duration::from_secs(30);

/// Between two attempts to come back.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Rows that are looked through for answers that ended during a cut.
const CATCH_UP_ROWS: u16 = 50;

/// Talks.
pub(crate) async fn run(common: &Common, chat: &Chat, style: Style) -> Result<(), Failed> {
    let (gateway, client) = Client::follow(common, METHODS).await?;
    let piped = !io::stdin().is_terminal();
    let conversation = Conversation {
        client,
        common: common.clone(),
        gateway,
        screen: Screen::new("", style, !piped && chat.message.is_empty() && !common.json),
        json: common.json,
        style,
        unacknowledged: Vec::new(),
    };
    let asked = chat.message.join(" ");
    match (asked.is_empty(), piped) {
        (true, false) => interactive::run(conversation, chat).await,
        (true, true) => conversation.once(&chat.session, read_input()?).await,
        (false, false) => conversation.once(&chat.session, asked).await,
        (false, true) => {
            let input = read_input()?;
            let message = if input.trim().is_empty() {
                asked
            } else {
                format!("{asked}\n\n{input}")
            };
            conversation.once(&chat.session, message).await
        }
    }
}

fn read_input() -> Result<String, Failed> {
    let text = input::whole()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot read the input: {error}")))?;
    match u64::try_from(text.len()) {
        Ok(length) if length <= input::MESSAGE_BYTES_MAX => Ok(text),
        _ => Err(Failed::new(
            Exit::Usage,
            "the input is longer than a message may be (1 MiB)",
        )),
    }
}

/// A person, a session, and the connection between them.
#[derive(Debug)]
struct Conversation {
    client: Client,
    /// How the gateway is found again: its token may have been replaced.
    common: Common,
    gateway: Gateway,
    screen: Screen,
    json: bool,
    style: Style,
    /// Messages that were sent and not acknowledged: run and text.
    unacknowledged: Vec<(String, String)>,
}

impl Conversation {
    /// Goes to a session. Its history is the answer.
    async fn enter(&mut self, session: &str, rows: u16) -> Result<History, Failed> {
        let history = self.history(session, rows).await?;
        if self.screen.session() != history.session_key {
            self.screen = self.screen.of_session(&history.session_key);
        }
        self.ask(
            "sessions.messages.subscribe",
            &json!({"key": history.session_key}),
        )
        .await?;
        Ok(history)
    }

    async fn history(&mut self, session: &str, rows: u16) -> Result<History, Failed> {
        let mut history: History = self
            .get(
                "chat.history",
                &json!({"sessionKey": session, "limit": rows.max(1)}),
            )
            .await?;
        if rows == 0 {
            history.messages.clear();
        }
        Ok(history)
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Failed> {
        self.get(method, params).await
    }

    async fn get<T: DeserializeOwned>(&mut self, method: &str, params: &Value) -> Result<T, Failed> {
        debug_assert!(
            METHODS.contains(&method),
            "{method} is not among what a chat may call"
        );
        let payload = self.client.call(method, &client::params(params), ANSWER).await?;
        serde_json::from_str(payload.get()).map_err(|error| {
            Failed::new(
                Exit::Failed,
                format!("{method}: the answer cannot be read: {error}"),
            )
        })
    }

    /// Says something. The run it becomes is the answer. A lost connection is noticed by whoever reads next.
    async fn say(&mut self, text: &str) -> Result<String, Failed> {
        let run = Uuid::new_v4().to_string();
        self.screen.started(&run);
        self.unacknowledged.push((run.clone(), text.to_owned()));
        self.resend_unacknowledged().await?;
        Ok(run)
    }

    /// Says what was not acknowledged, again if need be: the key makes it one message.
    async fn resend_unacknowledged(&mut self) -> Result<(), Failed> {
        while let Some((run, text)) = self.unacknowledged.first().cloned() {
            let params = json!({"sessionKey": self.screen.session(), "message": text, "idempotencyKey": run});
            match self.ask("chat.send", &params).await {
                Ok(_) => {}
                Err(failed) if failed.exit == Exit::Unavailable => return Err(failed),
                Err(failed) => {
                    self.unacknowledged.remove(0);
                    self.screen.gave_up(&run, &failed.message);
                    return Err(failed);
                }
            }
            self.unacknowledged.remove(0);
        }
        Ok(())
    }

    /// Stops what is being written. False: nothing is.
    async fn stop(&mut self) -> Result<bool, Failed> {
        let Some(run) = self.screen.running().map(str::to_owned) else {
            return Ok(false);
        };
        let params = json!({"sessionKey": self.screen.session(), "runId": run});
        let answer = self.ask("chat.abort", &params).await?;
        Ok(answer.get("aborted") == Some(&Value::Bool(true)))
    }

    /// What an event puts on the screen. True: events were lost, the state must be read anew.
    fn show(&mut self, incoming: &Incoming) -> Result<bool, Failed> {
        let Incoming::Event { name, payload } = incoming else {
            return Ok(false);
        };
        let text = match name.as_str() {
            "chat" => {
                let event: ChatEvent = serde_json::from_str(payload.get()).unwrap_or_default();
                let text = self.screen.chat(&event);
                if self.json && event.session_key == self.screen.session() {
                    return print(&format!("{}\n", payload.get())).map(|()| false);
                }
                text
            }
            "session.message" => {
                let event: SessionMessage = serde_json::from_str(payload.get()).unwrap_or_default();
                self.screen.message(&event)
            }
            "gap" => return Ok(true),
            _ => return Ok(false),
        };
        if !self.json {
            print(&text)?;
        }
        Ok(false)
    }

    /// Reads the state anew and prints what is missing on the screen.
    async fn catch_up(&mut self) -> Result<(), Failed> {
        let session = self.screen.session().to_owned();
        let history = self.enter(&session, CATCH_UP_ROWS).await?;
        let text = self.screen.catch_up(&history);
        if self.json { Ok(()) } else { print(&text) }
    }

    /// Comes back after a cut: connects until it succeeds or is refused, then catches up.
    async fn reconnect(&mut self) -> Result<(), Failed> {
        loop {
            match self.try_reconnect().await {
                Err(failed) if failed.exit == Exit::Unavailable => sleep(RECONNECT_PAUSE).await,
                ended => return ended,
            }
        }
    }

    async fn try_reconnect(&mut self) -> Result<(), Failed> {
        (self.gateway, self.client) = Client::follow(&self.common, METHODS).await?;
        self.resend_unacknowledged().await?;
        self.catch_up().await
    }
}
