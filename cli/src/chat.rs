//! `gatehouse chat`: one session on a terminal, or one question through a pipe.
//!
//! A cut connection is not the person's business: the chat comes back by itself, sends again what was not acknowledged
//! (under the same key, so nothing is said twice), and continues the answer where it stopped.

mod command;
mod cost;
mod editor;
mod hang;
mod interactive;
mod once;
mod pane;
mod screen;
mod terminal;
mod trouble;
mod ui;
mod wire;
mod wrap;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use gatehouse_core::json;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use self::{
    screen::{Look, Screen},
    trouble::Trouble,
    wire::{AgentEvent, ChatEvent, History, SessionMessage},
};
use crate::{
    args::{Chat, Common},
    client::{self, Client, Incoming},
    exit::{Exit, Failed},
    gateway::Gateway,
    output::text as print,
    setup,
    term::Style,
};

/// Something that was said, until the gateway has it.
#[derive(Clone, Debug)]
struct Said {
    run: String,
    text: String,
    /// Whether it is no command, whatever it looks like.
    literal: bool,
}

/// Everything that a chat may call: what it asks to be allowed follows from it.
const METHODS: &[&str] = &[
    "chat.abort",
    "chat.history",
    "chat.send",
    "commands.list",
    "models.list",
    "sessions.create",
    "sessions.list",
    "sessions.messages.subscribe",
    "sessions.messages.unsubscribe",
    "sessions.patch",
    "sessions.reset", // what `/reset` needs; a token that does not hold it is good for the rest
    "status",
];

/// How long the gateway may take for what a chat asks.
const ANSWER: Duration = Duration::from_secs(30);

/// Between two attempts to come back.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Rows that are looked through for answers that ended during a cut.
const CATCH_UP_ROWS: u16 = 50;

/// How long a message is offered again to a gateway that says it is busy starting or stopping. Whoever waits longer wants to know.
const REFUSED_PATIENCE: Duration = Duration::from_secs(10);

/// Talks.
pub(crate) async fn run(common: &Common, chat: &Chat, style: Style) -> Result<(), Failed> {
    if chat.message.is_empty() && io::stdout().is_terminal() {
        setup::offer(common, style).await?;
    }
    let (gateway, client) = Client::follow(common, METHODS).await?;
    let is_typed = io::stdin().is_terminal();
    let asked = chat.message.join(" ");
    let is_dressed = is_typed && asked.is_empty() && !common.json && io::stdout().is_terminal();
    let look = Look {
        style,
        is_dressed,
        shows_thoughts: false,
        is_verbose: chat.verbose,
    };
    let conversation = Conversation {
        client,
        common: common.clone(),
        gateway,
        screen: Screen::new("", look),
        json: common.json,
        style,
        unacknowledged: Vec::new(),
    };
    match (asked.is_empty(), is_typed) {
        (true, true) if is_dressed && terminal::is_able() => interactive::run(conversation, chat).await,
        (true, true) => conversation.line_by_line(&chat.session).await,
        (true, false) => conversation.once(&chat.session, read_input()?).await,
        (false, true) => conversation.once(&chat.session, asked).await,
        (false, false) => {
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
    let text = command::whole_input()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot read the input: {error}")))?;
    if text.len() > command::MESSAGE_BYTES_MAX {
        return Err(Failed::new(
            Exit::Usage,
            "the input is longer than a message may be (1 MiB)",
        ));
    }
    Ok(text)
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
    unacknowledged: Vec<Said>,
}

impl Conversation {
    /// Goes to a session. Its history is the answer.
    async fn enter(&mut self, session: &str, rows: u16) -> Result<History, Trouble> {
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

    async fn history(&mut self, session: &str, rows: u16) -> Result<History, Trouble> {
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

    async fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Trouble> {
        self.get(method, params).await
    }

    async fn get<T: DeserializeOwned>(&mut self, method: &str, params: &Value) -> Result<T, Trouble> {
        debug_assert!(
            METHODS.contains(&method),
            "{method} is not among what a chat may call"
        );
        let request = self.client.send(method, &client::params(params)).await;
        let request = request.map_err(Trouble::Lost)?;
        // Its own bound is above ours: what it ends with is a lost connection.
        let answer = timeout(ANSWER, self.client.answer(&request, 2 * ANSWER)).await;
        let payload = answer
            .map_err(|_| trouble::slow(method, ANSWER))?
            .map_err(Trouble::Lost)?
            .map_err(|refusal| Trouble::refused(method, &refusal))?;
        json::read(payload.get()).map_err(|error| {
            Trouble::Failed(Failed::new(
                Exit::Failed,
                format!("{method}: the answer cannot be read: {error}"),
            ))
        })
    }

    /// Says something: the run it becomes is the answer. It is sent by [`Self::send_unacknowledged`].
    /// With `literal` it is no command to the gateway, whatever it looks like.
    fn say(&mut self, text: &str, literal: bool) -> String {
        let run = Uuid::new_v4().to_string();
        self.screen.started(&run);
        self.unacknowledged.push(Said {
            run: run.clone(),
            text: text.to_owned(),
            literal,
        });
        run
    }

    /// Sends what was not acknowledged, again if need be: the key makes it one message. `told` hears why it has to wait.
    ///
    /// What is refused is given up and stays first in the list: [`Self::give_up`] takes it out.
    async fn send_unacknowledged(&mut self, told: impl Fn(&str)) -> Result<(), Trouble> {
        let patience = Instant::now() + REFUSED_PATIENCE;
        while let Some(Said { run, text, literal }) = self.unacknowledged.first().cloned() {
            let mut params =
                json!({"sessionKey": self.screen.session(), "message": text, "idempotencyKey": run});
            if literal && text.starts_with('/') {
                params["suppressCommandInterpretation"] = true.into(); // a gateway of an earlier version has no commands
            }
            match self.ask("chat.send", &params).await {
                Ok(_) => {
                    self.unacknowledged.remove(0);
                }
                Err(Trouble::Away(failed, pause)) if Instant::now() + pause < patience => {
                    told(&failed.message);
                    sleep(pause).await;
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// Gives up the message that was refused. Its text.
    fn give_up(&mut self, why: &str) -> Option<String> {
        if self.unacknowledged.is_empty() {
            return None;
        }
        let Said { run, text, .. } = self.unacknowledged.remove(0);
        self.screen.gave_up(&run, why);
        Some(text)
    }

    /// Stops what is being written. False: nothing is.
    async fn stop(&mut self) -> Result<bool, Trouble> {
        let Some(run) = self.screen.running().map(str::to_owned) else {
            return Ok(false);
        };
        let params = json!({"sessionKey": self.screen.session(), "runId": run});
        let answer = self.ask("chat.abort", &params).await?;
        Ok(answer.get("aborted") == Some(&Value::Bool(true)))
    }

    /// What an event adds to the screen.
    fn draw(&mut self, incoming: &Incoming) -> Drawn {
        let Incoming::Event { name, payload } = incoming else {
            return Drawn::Nothing;
        };
        match name.as_str() {
            "chat" => {
                let event: ChatEvent = json::read(payload.get()).unwrap_or_default();
                Drawn::Text(
                    self.screen.chat(&event),
                    event.session_key == self.screen.session(),
                )
            }
            "agent" => {
                let event: AgentEvent = json::read(payload.get()).unwrap_or_default();
                Drawn::Text(self.screen.agent(&event), false)
            }
            "session.message" => {
                let event: SessionMessage = json::read(payload.get()).unwrap_or_default();
                Drawn::Text(self.screen.message(&event), false)
            }
            "gap" => Drawn::Gap,
            _ => Drawn::Nothing,
        }
    }

    /// Reads the state anew. What is missing on the screen.
    async fn catch_up(&mut self) -> Result<String, Trouble> {
        let session = self.screen.session().to_owned();
        let history = self.enter(&session, CATCH_UP_ROWS).await?;
        Ok(self.screen.catch_up(&history))
    }

    /// Comes back after a cut: connects until it succeeds or is refused, then catches up. What is missing on the screen.
    async fn reconnect(&mut self) -> Result<String, Trouble> {
        loop {
            match self.try_reconnect().await {
                Err(Trouble::Lost(_) | Trouble::Away(..)) => sleep(RECONNECT_PAUSE).await,
                ended => return ended,
            }
        }
    }

    async fn try_reconnect(&mut self) -> Result<String, Trouble> {
        (self.gateway, self.client) = match Client::follow(&self.common, METHODS).await {
            Err(failed) if failed.exit == Exit::Unavailable => return Err(Trouble::Lost(failed)),
            Err(failed) => return Err(Trouble::Failed(failed)),
            Ok(found) => found,
        };
        self.send_unacknowledged(|_| ()).await?;
        self.catch_up().await
    }
}

/// What an event adds to the screen.
enum Drawn {
    /// Nothing.
    Nothing,
    /// This text. True: it is an event of this session's answers.
    Text(String, bool),
    /// Events were lost: the state must be read anew.
    Gap,
}
