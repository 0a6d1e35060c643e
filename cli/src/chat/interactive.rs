//! The chat on a terminal.

use gatehouse_core::telemetry::escape;
use serde_json::json;
use tokio::{signal::ctrl_c, sync::mpsc};

use super::{
    Conversation,
    input::{self, Line},
    print,
    wire::{Session, Sessions},
};
use crate::{
    args::Chat,
    client::Incoming,
    exit::{Exit, Failed},
    term::{Ink, Table, ago},
};

/// Rows of `/sessions`.
const SESSIONS_SHOWN: u16 = 20;

/// Talks until the person leaves.
pub(super) async fn run(conversation: Conversation, chat: &Chat) -> Result<(), Failed> {
    let mut interactive = Interactive {
        conversation,
        shown: Vec::new(),
        leaving: false,
    };
    interactive.go(&chat.session, chat.history).await?;
    let mut lines = input::lines();
    interactive.prompt()?;
    while interactive.step(&mut lines).await? {}
    interactive.conversation.client.close().await;
    print("\n")
}

struct Interactive {
    conversation: Conversation,
    /// The sessions of the last `/sessions`, for `/switch <number>`.
    shown: Vec<Session>,
    /// Ctrl-C was pressed and nothing was being written: once more leaves.
    leaving: bool,
}

impl Interactive {
    /// One thing that happens. False: the person leaves.
    async fn step(&mut self, lines: &mut mpsc::Receiver<String>) -> Result<bool, Failed> {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { return Ok(false) };
                self.leaving = false;
                match self.on_line(&line).await {
                    Ok(stays) => Ok(stays),
                    Err(failed) if failed.exit == Exit::Unavailable => self.reconnect().await,
                    Err(failed) => {
                        self.note(Ink::Red, &failed.to_string())?;
                        self.prompt()?;
                        Ok(true)
                    }
                }
            }
            incoming = self.conversation.client.next() => match incoming {
                Ok(incoming) => self.on_event(&incoming).await,
                Err(_) => self.reconnect().await,
            },
            _ = ctrl_c() => self.interrupted().await,
        }
    }

    async fn on_event(&mut self, incoming: &Incoming) -> Result<bool, Failed> {
        let was_running = self.conversation.screen.running().is_some();
        let lost = self.conversation.show(incoming)?;
        if lost && self.conversation.catch_up().await.is_err() {
            return self.reconnect().await;
        }
        if was_running && self.conversation.screen.running().is_none() {
            self.prompt()?;
        }
        Ok(true)
    }

    async fn reconnect(&mut self) -> Result<bool, Failed> {
        self.note(
            Ink::Yellow,
            "\nthe gateway went away; coming back (Ctrl-C leaves)",
        )?;
        tokio::select! {
            back = self.conversation.reconnect() => back?,
            _ = ctrl_c() => return Ok(false),
        }
        // In the middle of an answer its next words say that we are back.
        if self.conversation.screen.running().is_none() {
            self.note(Ink::Green, "back")?;
            self.prompt()?;
        }
        Ok(true)
    }

    async fn interrupted(&mut self) -> Result<bool, Failed> {
        if self.leaving {
            return Ok(false);
        }
        // The events say that it was stopped.
        if let Ok(true) = self.conversation.stop().await {
            return Ok(true);
        }
        self.leaving = true;
        self.note(Ink::Dim, "\nCtrl-C again leaves")?;
        self.prompt()?;
        Ok(true)
    }

    async fn on_line(&mut self, line: &str) -> Result<bool, Failed> {
        match input::read(line) {
            Line::Empty => {}
            Line::Say(text) => {
                self.conversation.say(text).await?;
                return Ok(true); // the prompt comes after the answer
            }
            Line::Help => self.note(Ink::Dim, input::HELP)?,
            Line::Sessions => self.sessions().await?,
            Line::Switch("") => self.note(Ink::Yellow, "say which: /switch 2, or /switch agent:main:work")?,
            Line::Switch(which) => {
                let key = self.key_of(which);
                self.go(&key, 10).await?;
            }
            Line::New(name) => {
                let params = if name.is_empty() {
                    json!({})
                } else {
                    json!({"label": name})
                };
                let made = self.conversation.ask("sessions.create", &params).await?;
                let key = made
                    .get("key")
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or("main")
                    .to_owned();
                self.go(&key, 10).await?;
            }
            Line::History(count) => {
                let session = self.conversation.screen.session().to_owned();
                let history = self.conversation.history(&session, count).await?;
                print(&self.conversation.screen.rows(&history))?;
            }
            Line::Abort => match self.conversation.stop().await? {
                true => return Ok(true),
                false => self.note(Ink::Dim, "nothing is being written")?,
            },
            Line::Quit => return Ok(false),
            Line::Unknown(word) => self.note(
                Ink::Yellow,
                &format!("/{} means nothing here; /help lists what does", escape(word)),
            )?,
        }
        self.prompt()?;
        Ok(true)
    }

    async fn go(&mut self, session: &str, rows: u16) -> Result<(), Failed> {
        let before = self.conversation.screen.session().to_owned();
        let history = self.conversation.enter(session, rows).await?;
        if !before.is_empty() && before != history.session_key {
            self.conversation
                .ask("sessions.messages.unsubscribe", &json!({"key": before}))
                .await?;
        }
        self.note(
            Ink::Dim,
            &format!(
                "{} at {}   /help lists what you can type",
                history.session_key, self.conversation.gateway.url
            ),
        )?;
        print(&self.conversation.screen.rows(&history))?;
        let running = self.conversation.screen.catch_up(&history);
        print(&running)
    }

    async fn sessions(&mut self) -> Result<(), Failed> {
        let params = json!({"limit": SESSIONS_SHOWN, "includeDerivedTitles": true});
        let list: Sessions = self.conversation.get("sessions.list", &params).await?;
        let mut table = Table::new(&["", "SESSION", "TITLE", "CHANGED"]);
        for (index, session) in list.sessions.iter().enumerate() {
            let here = session.key == self.conversation.screen.session();
            let mut changed = ago(list.ts.saturating_sub(session.updated_at));
            changed.push_str(if session.has_active_run {
                " ago, busy"
            } else {
                " ago"
            });
            table.row(vec![
                (
                    Some(Ink::Dim),
                    format!("{}{}", index + 1, if here { "*" } else { "" }),
                ),
                (Some(Ink::Cyan), session.key.clone()),
                (None, session.title().chars().take(50).collect()),
                (Some(Ink::Dim), changed),
            ]);
        }
        print(&table.render(self.conversation.style))?;
        if list.total_count > i64::from(SESSIONS_SHOWN) {
            self.note(Ink::Dim, &format!("{} sessions in all", list.total_count))?;
        }
        self.shown = list.sessions;
        Ok(())
    }

    fn key_of(&self, which: &str) -> String {
        let number = which
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1));
        number
            .and_then(|index| self.shown.get(index))
            .map_or_else(|| which.to_owned(), |session| session.key.clone())
    }

    fn prompt(&self) -> Result<(), Failed> {
        print(&self.conversation.style.paint(Ink::Bold, "> "))
    }

    fn note(&self, ink: Ink, text: &str) -> Result<(), Failed> {
        print(&format!("{}\n", self.conversation.style.paint(ink, text)))
    }
}
