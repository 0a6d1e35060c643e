//! The chat on a terminal.

mod commands;

use std::path::PathBuf;

use gatehouse_core::Env;
use serde_json::json;

use super::{
    Conversation, Drawn,
    command::{self, Line},
    editor::{Editor, Recall, Typed},
    trouble::Trouble,
    ui::{Ui, Wish},
    wire::{GatewayCommand, Session},
};
use crate::{
    args::{Chat, Common},
    client::{self, Incoming},
    exit::{Exit, Failed},
    term::{Ink, one_line, printable},
};

/// In the home: what was typed into chats.
const TYPED_FILE: &str = "chat-history";

/// The same where there is no home: below the folder for the state of a person's programs.
const TYPED_FILE_ELSEWHERE: &str = "gatehouse/chat-history";

/// Messages that are shown of a session one comes into.
const ROWS_SHOWN: u16 = 10;

/// Talks until the person leaves.
pub(super) async fn run(conversation: Conversation, chat: &Chat) -> Result<(), Failed> {
    let file = if chat.no_history {
        None
    } else {
        typed_file(&conversation.common)
    };
    let ui = Ui::open(Editor::new(Recall::open(file)), conversation.style)?;
    let mut interactive = Interactive {
        conversation,
        ui,
        shown: Vec::new(),
        commands: None,
        stopping: None,
    };
    let ended = interactive.talk(chat).await;
    let Interactive { conversation, ui, .. } = interactive;
    ui.close()?;
    conversation.client.close().await;
    ended
}

/// Where what is typed is kept. Nothing is made for it in a place that is no home of a gateway.
fn typed_file(common: &Common) -> Option<PathBuf> {
    if common.home.is_dir() {
        return Some(common.home.join(TYPED_FILE));
    }
    let env = Env::process();
    let state = env.get("XDG_STATE_HOME").filter(|path| path.starts_with('/'));
    let state = state
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env.get("HOME")?).join(".local/state")));
    Some(state?.join(TYPED_FILE_ELSEWHERE))
}

struct Interactive {
    conversation: Conversation,
    ui: Ui,
    /// The sessions of the last `/sessions`, for `/switch <number>`.
    shown: Vec<Session>,
    /// What the gateway answers itself, once it was asked.
    commands: Option<Vec<GatewayCommand>>,
    /// The run that Ctrl-C stops.
    stopping: Option<String>,
}

/// Whether the person stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

impl Interactive {
    async fn talk(&mut self, chat: &Chat) -> Result<(), Failed> {
        let entered = self.go(&chat.session, chat.history).await;
        entered.map_err(Trouble::into_failed)?;
        if self.conversation.screen.session().is_empty() {
            return Ok(()); // they did not wait for the first answer
        }
        while self.step().await? == Next::Stay {}
        Ok(())
    }

    /// One thing that happens.
    async fn step(&mut self) -> Result<Next, Failed> {
        if self.ui.is_leaving() {
            return Ok(Next::Leave);
        }
        self.ui.watch(self.conversation.screen.activity());
        self.ui.draw()?;
        if let Some(typed) = self.ui.submitted() {
            return self.on_typed(typed).await;
        }
        tokio::select! {
            wish = self.ui.next() => match wish? {
                Wish::Line(typed) => self.on_typed(typed).await,
                Wish::Interrupt => self.interrupted().await,
                Wish::Leave => Ok(Next::Leave),
                Wish::Complete => self.complete().await,
            },
            incoming = self.conversation.client.next() => match incoming {
                Ok(incoming) => self.on_event(&incoming).await,
                Err(_) => self.reconnect().await,
            },
        }
    }

    async fn on_event(&mut self, incoming: &Incoming) -> Result<Next, Failed> {
        match self.conversation.draw(incoming) {
            Drawn::Nothing => {}
            Drawn::Text(text, _) => self.ui.append(&text),
            Drawn::Gap => match self.ui.wait(self.conversation.catch_up()).await? {
                Some(Ok(text)) => self.ui.append(&text),
                Some(Err(Trouble::Lost(_))) => return self.reconnect().await,
                Some(Err(trouble)) => self.complain(&trouble.into_failed()),
                None => {}
            },
        }
        Ok(Next::Stay)
    }

    /// Comes back by itself. The person can leave meanwhile.
    async fn reconnect(&mut self) -> Result<Next, Failed> {
        loop {
            self.ui
                .away(Some("the gateway went away; coming back (Ctrl-C leaves)"));
            self.ui.draw()?;
            match self.ui.wait(self.conversation.reconnect()).await? {
                None => return Ok(Next::Leave),
                Some(Ok(missing)) => {
                    self.ui.append(&missing);
                    return Ok(Next::Stay);
                }
                Some(Err(trouble)) => {
                    let failed = trouble.into_failed();
                    // A message that nobody takes does not keep the person out.
                    if !self.hand_back(&failed) {
                        return Err(failed);
                    }
                }
            }
        }
    }

    /// Ctrl-C stops what is being written; the next one leaves.
    async fn interrupted(&mut self) -> Result<Next, Failed> {
        match self.conversation.screen.running().map(str::to_owned) {
            // It does not stop, or not soon enough.
            Some(run) if self.stopping.as_ref() == Some(&run) => return Ok(Next::Leave),
            Some(run) => {
                self.stopping = Some(run);
                self.ui.notice("stopping; Ctrl-C again leaves");
                return self.stop().await;
            }
            None if self.ui.is_noticed() => return Ok(Next::Leave),
            None => {}
        }
        if !self.ui.editor.clear() {
            self.ui.notice("Ctrl-C again leaves");
        }
        Ok(Next::Stay)
    }

    /// Stops what is being written. The events say that it was stopped.
    async fn stop(&mut self) -> Result<Next, Failed> {
        match self.ui.wait(self.conversation.stop()).await? {
            None => Ok(Next::Leave),
            Some(Ok(_)) => Ok(Next::Stay),
            Some(Err(Trouble::Lost(_))) => self.reconnect().await,
            Some(Err(trouble)) => {
                self.complain(&trouble.into_failed());
                Ok(Next::Stay)
            }
        }
    }

    async fn on_typed(&mut self, typed: Typed) -> Result<Next, Failed> {
        let line = command::read(&typed.text);
        if line != Line::Empty {
            self.ui.editor.remember(&typed.text);
        }
        let echo = self.echo(&typed.shown);
        if let Line::Say(text) = line {
            return self.say(text, true, &echo).await;
        }
        if let Line::Unknown(word) = line {
            let word = word.to_owned();
            match self.gateway_has(&word).await {
                Ok(true) => return self.say(typed.text.trim(), false, &echo).await,
                Ok(false) => {}
                Err(Trouble::Lost(_)) => return self.reconnect().await,
                Err(_) => {} // it has none: the word is told to be unknown
            }
        }
        self.ui.painted(&echo);
        match self.obey(line).await {
            Ok(next) => Ok(next),
            Err(Trouble::Lost(_)) => self.reconnect().await,
            Err(trouble) => {
                self.complain(&trouble.into_failed());
                Ok(Next::Stay)
            }
        }
    }

    /// What was typed, as it stays to be read.
    fn echo(&self, shown: &str) -> String {
        let shown = printable(shown.trim_end()).replace('\n', "\n  ");
        if shown.is_empty() {
            return shown;
        }
        format!("{} {shown}\n", self.conversation.style.paint(Ink::Bold, ">"))
    }

    async fn say(&mut self, text: &str, literal: bool, echo: &str) -> Result<Next, Failed> {
        // Below the answer that is being written, if one is.
        let at_once = self.conversation.screen.aside(echo.to_owned());
        self.ui.append(&at_once);
        let run = self.conversation.say(text, literal);
        self.ui.watch(self.conversation.screen.activity());
        let whisper = self.ui.whisper();
        let sending = self.conversation.send_unacknowledged(|why| whisper.tell(why));
        let failed = match self.ui.wait(sending).await? {
            Some(Ok(())) => return Ok(Next::Stay),
            Some(Err(Trouble::Lost(_))) => return self.reconnect().await,
            Some(Err(trouble)) => trouble.into_failed(),
            None => {
                // It may have been taken all the same.
                let abort = json!({"sessionKey": self.conversation.screen.session(), "runId": run});
                let abort = client::params(&abort);
                let _ = self.conversation.client.send("chat.abort", &abort).await;
                Failed::new(Exit::Interrupted, "stopped before the gateway took it")
            }
        };
        self.conversation.screen.take_back(echo);
        self.hand_back(&failed);
        Ok(Next::Stay)
    }

    /// A message that was not taken goes back into the line, and why stands above it. A command that may not be used does not: it
    /// would be refused again. False: there is none.
    fn hand_back(&mut self, failed: &Failed) -> bool {
        let Some(text) = self.conversation.give_up(&failed.message) else {
            return false;
        };
        self.complain(failed);
        let is_forbidden = failed.exit == Exit::Refused && text.starts_with('/');
        if !is_forbidden {
            self.ui.editor.restore(&text);
        }
        true
    }

    fn complain(&mut self, failed: &Failed) {
        self.ui.block(Ink::Red, &failed.to_string());
    }

    /// Turns to a session.
    async fn go(&mut self, session: &str, rows: u16) -> Result<(), Trouble> {
        let before = self.conversation.screen.session().to_owned();
        let Some(history) = self.ui.wait(self.conversation.enter(session, rows)).await? else {
            return Ok(());
        };
        let history = history?;
        if !before.is_empty() && before != history.session_key {
            let left = json!({"key": before});
            self.ask("sessions.messages.unsubscribe", &left).await?;
        }
        let head = format!(
            "{} at {}   /help lists what you can type",
            one_line(&history.session_key),
            self.conversation.gateway.url
        );
        self.ui.block(Ink::Dim, &head);
        let rows = self.conversation.screen.rows(&history);
        self.ui.append(&rows);
        let running = self.conversation.screen.catch_up(&history);
        self.ui.append(&running);
        Ok(())
    }

    /// Asks while the person goes on typing. Who does not wait gets nothing.
    async fn ask(&mut self, method: &str, params: &serde_json::Value) -> Result<serde_json::Value, Trouble> {
        let answer = self.ui.wait(self.conversation.ask(method, params)).await?;
        answer.unwrap_or(Ok(serde_json::Value::Null))
    }

    async fn get<T: serde::de::DeserializeOwned + Default>(
        &mut self,
        method: &str,
        params: &serde_json::Value,
    ) -> Result<T, Trouble> {
        let answer = self.ui.wait(self.conversation.get(method, params)).await?;
        answer.unwrap_or_else(|| Ok(T::default()))
    }
}
