//! What a command does.

use std::time::Duration;

use gatehouse_core::telemetry::escape;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Interactive, Next, ROWS_SHOWN};
use crate::{
    chat::{
        command::{self, Line},
        editor::Candidate,
        hang,
        trouble::Trouble,
        wire::{GatewayCommand, GatewayCommands, Model, Models, Session, Sessions, Status},
    },
    exit::Failed,
    term::{Ink, Table, ago, one_line},
};

/// Rows of `/sessions`.
const SESSIONS_SHOWN: u16 = 20;

/// Sessions that Tab goes through.
const SESSIONS_COMPLETED: u16 = 200;

/// A list that takes longer is not worth a line that does not take keys.
const COMPLETION_TIME: Duration = Duration::from_secs(1);

/// Characters of a title.
const TITLE_MAX: usize = 50;

/// Levels that providers know; a model may have its own.
const LEVELS: [&str; 6] = ["off", "minimal", "low", "medium", "high", "default"];

/// What goes back to the configuration's choice.
const DEFAULT: &str = "default";

impl Interactive {
    /// Does what a command says.
    pub(super) async fn obey(&mut self, line: Line<'_>) -> Result<Next, Trouble> {
        match line {
            Line::Empty | Line::Say(_) => {}
            Line::Help => {
                let theirs: Vec<(String, String)> = match self.gateway_commands().await {
                    Ok(commands) => commands
                        .iter()
                        .map(|it| (it.name.clone(), it.description.clone()))
                        .collect(),
                    Err(lost @ Trouble::Lost(_)) => return Err(lost),
                    Err(_) => Vec::new(), // the help of this program is there all the same
                };
                let help = hang::hung(&command::help(&theirs), self.ui.columns());
                self.ui.block(Ink::Dim, &help);
            }
            Line::Model("") => self.models().await?,
            Line::Model(name) => self.choose_model(name).await?,
            Line::Think(level) => self.think(level).await?,
            Line::Sessions => self.sessions().await?,
            Line::Switch("") => self.ui.block(
                Ink::Yellow,
                "say which: /switch 2, or /switch agent:main:work; /sessions lists them",
            ),
            Line::Switch(which) => self.switch(which).await?,
            Line::New(name) => {
                let params = if name.is_empty() {
                    json!({})
                } else {
                    json!({"label": name})
                };
                let made = self.ask("sessions.create", &params).await?;
                if let Some(key) = made.get("key").and_then(Value::as_str) {
                    self.go(key, ROWS_SHOWN).await?;
                }
            }
            Line::Status => self.status().await?,
            Line::History(count) => {
                let session = self.conversation.screen.session().to_owned();
                let history = self.ui.wait(self.conversation.history(&session, count)).await?;
                if let Some(history) = history {
                    let rows = self.conversation.screen.rows(&history?);
                    self.ui.painted(&rows);
                }
            }
            Line::Verbose(word) => self.verbose(word),
            Line::Stop if self.conversation.screen.running().is_some() => return Ok(self.stop().await?),
            Line::Stop => self.ui.block(Ink::Dim, "nothing is being written"),
            Line::Quit => return Ok(Next::Leave),
            Line::Unknown(word) => {
                let meant = command::nearest(word);
                let meant = meant.map_or_else(String::new, |name| format!(": did you mean /{name}?"));
                let text = format!("there is no command /{}{meant}", escape(word));
                self.ui.block(Ink::Yellow, &text);
                self.ui.block(
                    Ink::Dim,
                    "/help lists them; //text says text that begins with a slash",
                );
            }
        }
        Ok(Next::Stay)
    }

    /// What the gateway answers itself; asked for once.
    async fn gateway_commands(&mut self) -> Result<&[GatewayCommand], Trouble> {
        if self.commands.is_none() {
            let listed: GatewayCommands = self
                .get("commands.list", &json!({"scope": "text", "includeArgs": false}))
                .await?;
            self.commands = Some(listed.commands);
        }
        Ok(self.commands.as_deref().unwrap_or_default())
    }

    /// Whether a word is a command of the gateway.
    pub(super) async fn gateway_has(&mut self, word: &str) -> Result<bool, Trouble> {
        let word = format!("/{}", word.trim_end_matches(':').to_lowercase());
        let commands = self.gateway_commands().await?;
        Ok(commands
            .iter()
            .any(|command| command.text_aliases.contains(&word)))
    }

    async fn sessions(&mut self) -> Result<(), Trouble> {
        let params = json!({"limit": SESSIONS_SHOWN, "includeDerivedTitles": true});
        let list: Sessions = self.get("sessions.list", &params).await?;
        // Last what can be cut: a session is chosen by its number or its title, and long keys are made of digits.
        let columns = self.ui.columns();
        let title_max = TITLE_MAX.min(columns / 3);
        let mut table = Table::new(&["", "TITLE", "CHANGED", "SESSION"]);
        for (index, session) in list.sessions.iter().enumerate() {
            let is_here = session.key == self.conversation.screen.session();
            let busy = if session.has_active_run { ", busy" } else { "" };
            let changed = ago(list.ts.saturating_sub(session.updated_at));
            table.row(vec![
                (Some(Ink::Dim), format!("{}{}", index + 1, mark(is_here))),
                (None, session.title().chars().take(title_max).collect()),
                (Some(Ink::Dim), format!("{changed} ago{busy}")),
                (Some(Ink::Cyan), session.key.clone()),
            ]);
        }
        self.ui
            .painted(&table.render_within(self.conversation.style, columns));
        let more = if list.total_count > i64::from(SESSIONS_SHOWN) {
            format!("{} sessions in all; ", list.total_count)
        } else {
            String::new()
        };
        self.ui.block(Ink::Dim, &format!("{more}/switch N goes to one"));
        self.shown = list.sessions;
        Ok(())
    }

    async fn switch(&mut self, which: &str) -> Result<(), Trouble> {
        let key = match which.parse::<usize>() {
            Ok(number) => match number.checked_sub(1).and_then(|index| self.shown.get(index)) {
                Some(session) => session.key.clone(),
                None => {
                    let text = format!("there is no session {number} in the list: /sessions shows it");
                    self.ui.block(Ink::Yellow, &text);
                    return Ok(());
                }
            },
            Err(_) => which.to_owned(),
        };
        self.go(&key, ROWS_SHOWN).await
    }

    /// The session as the gateway has it, once it exists.
    async fn session(&mut self) -> Result<Option<Session>, Trouble> {
        let session = self.conversation.screen.session().to_owned();
        let history = self.ui.wait(self.conversation.history(&session, 1)).await?;
        Ok(history.transpose()?.and_then(|history| history.session_info))
    }

    /// Changes a setting of the session, which is made if it was not used before.
    async fn patch(&mut self, change: (&str, Value)) -> Result<(), Trouble> {
        let key = self.conversation.screen.session().to_owned();
        self.ask("sessions.create", &json!({"key": key})).await?;
        self.ask("sessions.patch", &json!({"key": key, change.0: change.1}))
            .await?;
        Ok(())
    }

    /// The model that answers here, as far as it is known.
    async fn model_here(&mut self) -> Result<Option<String>, Trouble> {
        if let Some(model) = self.session().await?.and_then(|session| session.model_name()) {
            return Ok(Some(model));
        }
        let list: Sessions = self.get("sessions.list", &json!({"limit": 1})).await?;
        Ok(list.defaults.name())
    }

    async fn models(&mut self) -> Result<(), Trouble> {
        let list: Models = self.get("models.list", &json!({})).await?;
        let here = self.model_here().await?;
        let mut table = Table::new(&["", "MODEL", "NAME", ""]);
        for (index, model) in list.models.iter().enumerate() {
            let is_here = here.as_ref() == Some(&model.key());
            let name = if model.name == model.id { "" } else { &model.name };
            table.row(vec![
                (Some(Ink::Dim), format!("{}{}", index + 1, mark(is_here))),
                (Some(Ink::Cyan), model.key()),
                (None, name.chars().take(TITLE_MAX).collect()),
                (Some(Ink::Dim), model.traits()),
            ]);
        }
        self.ui.painted(&table.render(self.conversation.style));
        let here = here.map_or_else(String::new, |model| {
            format!("here answers {}; ", one_line(&model))
        });
        let text = format!(
            "{here}/model N or NAME chooses one for this session, /model {DEFAULT} the configuration's; what a provider has besides \
             is chosen as PROVIDER/MODEL, and `gatehouse models list --all` lists it"
        );
        self.ui.block(Ink::Dim, &text);
        Ok(())
    }

    async fn choose_model(&mut self, name: &str) -> Result<(), Trouble> {
        if name == DEFAULT {
            self.patch(("model", Value::Null)).await?;
            self.ui
                .block(Ink::Dim, "the model of the configuration answers in this session");
            return Ok(());
        }
        let list: Models = self.get("models.list", &json!({})).await?;
        let Some(key) = chosen(&list.models, name) else {
            let keys: Vec<_> = list.models.iter().map(Model::key).collect();
            let near = command::nearest_of(name, keys.iter().map(String::as_str));
            let meant = near.map_or_else(String::new, |key| format!("did you mean {}? ", one_line(key)));
            let text = format!("there is no model {}: {meant}/model lists them", escape(name));
            self.ui.block(Ink::Yellow, &text);
            return Ok(());
        };
        self.patch(("model", json!(key))).await?;
        self.ui
            .block(Ink::Dim, &format!("{} answers in this session", one_line(&key)));
        Ok(())
    }

    async fn think(&mut self, level: &str) -> Result<(), Trouble> {
        let look = self.conversation.screen.look();
        match level {
            "" => {
                let is_shown = if look.shows_thoughts { "shown" } else { "folded" };
                let level = self.session().await?.and_then(|session| session.thinking_level);
                let level = level.unwrap_or_else(|| "as the configuration says".to_owned());
                let text = format!(
                    "thinking: {}, its words are {is_shown}; /think takes one of {}, or show, hide",
                    one_line(&level),
                    LEVELS.join(" ")
                );
                self.ui.block(Ink::Dim, &text);
            }
            "show" | "hide" => {
                look.shows_thoughts = level == "show";
                let how = if look.shows_thoughts { "shown" } else { "folded" };
                self.ui
                    .block(Ink::Dim, &format!("what the model thinks is {how}"));
            }
            DEFAULT => {
                self.patch(("thinkingLevel", Value::Null)).await?;
                self.ui
                    .block(Ink::Dim, "the model thinks as the configuration says");
            }
            level => {
                self.patch(("thinkingLevel", json!(level))).await?;
                self.ui
                    .block(Ink::Dim, &format!("the model thinks: {}", one_line(level)));
            }
        }
        Ok(())
    }

    fn verbose(&mut self, word: &str) {
        let look = self.conversation.screen.look();
        look.is_verbose = match word {
            "on" => true,
            "off" => false,
            _ => !look.is_verbose,
        };
        let text = if look.is_verbose {
            "tokens and time stand below each answer"
        } else {
            "answers stand alone"
        };
        self.ui.block(Ink::Dim, text);
    }

    async fn status(&mut self) -> Result<(), Trouble> {
        let status: Status = self.get("status", &json!({})).await?;
        let session = self.session().await?.unwrap_or_default();
        let model = self.model_here().await?;
        let style = self.conversation.style;
        let verdict = if status.ok {
            style.paint(Ink::Green, "serving")
        } else {
            style.paint(Ink::Red, "NOT SERVING")
        };
        let mut text = format!(
            "gateway   {} at {}, up {}, {} connected\n",
            verdict,
            self.conversation.gateway.url,
            ago(status.uptime_ms),
            status.connections
        );
        for service in status
            .services
            .iter()
            .filter(|service| service.state != "serving")
        {
            let detail = service.detail.as_deref().unwrap_or_default();
            let line = format!("{}: {} {detail}", service.service, service.state);
            text.push_str(&format!(
                "          {}\n",
                style.paint(Ink::Yellow, &one_line(&line))
            ));
        }
        let key = one_line(self.conversation.screen.session());
        text.push_str(&format!("session   {key} {}\n", one_line(session.title())));
        let model = model.unwrap_or_else(|| "as the configuration says".to_owned());
        let level = session
            .thinking_level
            .map_or_else(String::new, |level| format!(", thinking {level}"));
        text.push_str(&format!("model     {}\n", one_line(&format!("{model}{level}"))));
        if let (Some(input), Some(output)) = (session.input_tokens, session.output_tokens) {
            text.push_str(&format!(
                "tokens    {input} read, {output} written in this session\n"
            ));
        }
        self.ui.painted(&text);
        Ok(())
    }

    /// Tab: what could stand at the cursor.
    pub(super) async fn complete(&mut self) -> Result<Next, Failed> {
        let before = self.ui.editor.before_cursor().to_owned();
        let Some((command, argument)) = before.split_once(' ') else {
            if let Some(word) = before.strip_prefix('/') {
                self.ui
                    .editor
                    .offer(crate::chat::editor::commands(word).collect());
            }
            return Ok(Next::Stay);
        };
        if argument.contains(' ') {
            return Ok(Next::Stay); // no command takes two
        }
        let candidates = match command::read(command) {
            Line::Switch(_) => self.session_names().await,
            Line::Model(_) => self.model_names().await,
            Line::Think(_) => Ok(words(LEVELS.iter().chain(&["show", "hide"]))),
            Line::Verbose(_) => Ok(words(["on", "off"].iter())),
            _ => Ok(Vec::new()),
        };
        match candidates {
            Ok(candidates) => self.ui.editor.offer(candidates),
            Err(Trouble::Lost(_)) => return self.reconnect().await,
            Err(_) => {} // nothing to offer is all there is to say
        }
        Ok(Next::Stay)
    }

    /// Asks while keys wait: what is pressed after Tab is meant for what Tab makes of the line.
    async fn get_now<T: DeserializeOwned + Default>(
        &mut self,
        method: &str,
        params: &Value,
    ) -> Result<T, Trouble> {
        let answer = self.conversation.get(method, params);
        timeout(COMPLETION_TIME, answer)
            .await
            .unwrap_or_else(|_| Ok(T::default()))
    }

    async fn session_names(&mut self) -> Result<Vec<Candidate>, Trouble> {
        let params = json!({"limit": SESSIONS_COMPLETED, "includeDerivedTitles": true});
        let list: Sessions = self.get_now("sessions.list", &params).await?;
        let names = list.sessions.iter();
        Ok(names
            .map(|session| Candidate::new(&session.key, one_line(session.title())))
            .collect())
    }

    async fn model_names(&mut self) -> Result<Vec<Candidate>, Trouble> {
        let list: Models = self.get_now("models.list", &json!({})).await?;
        let models = list.models.iter();
        Ok(models
            .map(|model| Candidate::new(model.key(), one_line(&model.name)))
            .collect())
    }
}

fn mark(is_here: bool) -> &'static str {
    if is_here { "*" } else { "" }
}

fn words<'a>(words: impl Iterator<Item = &'a &'a str>) -> Vec<Candidate> {
    words.map(|word| Candidate::new(*word, "")).collect()
}

/// The model that is meant: by its number in the list, its whole name, or the provider's name of it when only one has it.
fn chosen(models: &[Model], name: &str) -> Option<String> {
    if let Ok(number) = name.parse::<usize>() {
        return number
            .checked_sub(1)
            .and_then(|index| models.get(index))
            .map(Model::key);
    }
    if let Some(model) = models.iter().find(|model| model.key() == name) {
        return Some(model.key());
    }
    let mut named = models.iter().filter(|model| model.id == name);
    let one = named.next().map(Model::key);
    // A provider that lists no models is asked for whatever is named.
    let of_provider = || {
        let (provider, id) = name.split_once('/')?;
        let is_known = !id.is_empty() && models.iter().any(|model| model.provider == provider);
        is_known.then(|| name.to_owned())
    };
    one.filter(|_| named.next().is_none()).or_else(of_provider)
}

#[cfg(test)]
mod tests;
