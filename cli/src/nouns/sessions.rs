//! `gatehouse sessions`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, facts, unknown};
use crate::{
    args::{
        Common,
        nouns::{Sessions, SessionsList, SessionsSet, SessionsVerb},
    },
    exit::Failed,
    output,
    term::{Ink, Style, Table, ago, printable},
};

/// Rows that are asked for where a name was not found.
const NAMES_MAX: u16 = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    ts: i64,
    total_count: i64,
    has_more: bool,
    #[serde(default)]
    sessions: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    key: String,
    label: Option<String>,
    display_name: Option<String>,
    derived_title: Option<String>,
    status: Option<String>,
    updated_at: i64,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    pinned: bool,
}

#[derive(Deserialize)]
struct Described {
    session: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    messages: Vec<Map<String, Value>>,
}

pub(crate) async fn run(common: &Common, sessions: &Sessions, style: Style) -> Result<(), Failed> {
    let list = SessionsList {
        limit: 50,
        ..SessionsList::default()
    };
    let listed = SessionsVerb::List(list);
    let verb = sessions.verb.as_ref().unwrap_or(&listed);
    let methods: &[&str] = match verb {
        SessionsVerb::List(_) => &["sessions.list"],
        SessionsVerb::Show { .. } => &["sessions.describe", "sessions.list"],
        SessionsVerb::History { .. } => &["chat.history"],
        SessionsVerb::New { .. } => &["sessions.create"],
        SessionsVerb::Set(_) => &["sessions.patch"],
        SessionsVerb::Reset { .. } => &["sessions.reset"],
        SessionsVerb::Stop { .. } => &["chat.abort"],
        SessionsVerb::Delete { .. } => &["sessions.delete", "sessions.list"],
    };
    let mut caller = Caller::connect(common, style, methods).await?;
    let done = caller.sessions(verb).await;
    caller.close().await;
    done
}

impl Caller {
    async fn sessions(&mut self, verb: &SessionsVerb) -> Result<(), Failed> {
        match verb {
            SessionsVerb::List(list) => self.list_sessions(list).await,
            SessionsVerb::Show { key } => self.show_session(key).await,
            SessionsVerb::History { key, lines } => self.show_history(key, *lines).await,
            SessionsVerb::New {
                key,
                label,
                agent,
                model,
            } => {
                let params = given([
                    ("key", json!(key)),
                    ("label", json!(label)),
                    ("agentId", json!(agent)),
                    ("model", json!(model)),
                ]);
                let answer = self.ask("sessions.create", &params).await?;
                let key = key_of(&answer.read()?);
                self.done(
                    &answer,
                    &format!("made: {key}; talk there with `gatehouse chat --session {key}`"),
                )
            }
            SessionsVerb::Set(set) => {
                let answer = self.ask("sessions.patch", &change(set)).await?;
                let key = key_of(&answer.read()?);
                self.done(&answer, &format!("changed: {key}"))
            }
            SessionsVerb::Reset { key } => {
                let params = json!({"key": key, "reason": "reset"});
                let answer = self.ask("sessions.reset", &params).await?;
                let key = key_of(&answer.read()?);
                self.done(&answer, &format!("a new transcript begins: {key}"))
            }
            SessionsVerb::Stop { key } => {
                let answer = self.ask("chat.abort", &json!({"sessionKey": key})).await?;
                let stopped: Map<String, Value> = answer.read()?;
                let is_stopped = stopped.get("aborted").and_then(Value::as_bool) == Some(true);
                self.done(
                    &answer,
                    if is_stopped {
                        "stopped"
                    } else {
                        "nothing ran and nothing waited there"
                    },
                )
            }
            SessionsVerb::Delete { key } => {
                let answer = self.ask("sessions.delete", &json!({"key": key})).await?;
                let deleted: Map<String, Value> = answer.read()?;
                if deleted.get("deleted").and_then(Value::as_bool) != Some(true) {
                    return Err(self.no_session(key).await);
                }
                self.done(&answer, &format!("forgotten: {key}"))
            }
        }
    }

    async fn list_sessions(&mut self, list: &SessionsList) -> Result<(), Failed> {
        let mut params = given([
            ("limit", json!(list.limit)),
            ("search", json!(list.search)),
            ("agentId", json!(list.agent)),
            ("includeDerivedTitles", json!(true)),
        ]);
        if list.archived {
            params["archived"] = json!("all");
        }
        let answer = self.ask("sessions.list", &params).await?;
        if self.json {
            return answer.print();
        }
        let page: Page = answer.read()?;
        let mut table = Table::new(&["SESSION", "UPDATED", "TITLE"]);
        for row in &page.sessions {
            let (ink, state) = match row.status.as_deref() {
                Some(state @ ("running" | "queued")) => (Some(Ink::Yellow), state),
                Some(state @ ("failed" | "interrupted")) => (Some(Ink::Red), state),
                _ => (None, ""),
            };
            let marks = [
                (row.pinned, "pinned"),
                (row.archived, "archived"),
                (!state.is_empty(), state),
            ];
            let marks = marks.iter().filter(|(set, _)| *set);
            let marks: String = marks.map(|(_, mark)| format!("[{mark}] ")).collect();
            let title = row
                .label
                .as_ref()
                .or(row.display_name.as_ref())
                .or(row.derived_title.as_ref());
            table.row(vec![
                (Some(Ink::Cyan), row.key.clone()),
                (None, ago(page.ts - row.updated_at)),
                (ink, format!("{marks}{}", title.map_or("", String::as_str))),
            ]);
        }
        self.table(&table, "there are no sessions: the first message makes one")?;
        if page.has_more {
            output::remark(&format!(
                "{} of {}: --limit shows more",
                page.sessions.len(),
                page.total_count
            ));
        }
        Ok(())
    }

    async fn show_session(&mut self, key: &str) -> Result<(), Failed> {
        let params = json!({"key": key, "includeDerivedTitles": true, "includeLastMessage": true});
        let answer = self.ask("sessions.describe", &params).await?;
        let described: Described = answer.read()?;
        let Some(session) = described.session else {
            return Err(self.no_session(key).await);
        };
        if self.json {
            return answer.print();
        }
        output::text(&facts::lines(&session, self.style, Some(crate::term::now_ms())))
    }

    async fn show_history(&mut self, key: &str, lines: u16) -> Result<(), Failed> {
        let params = json!({"sessionKey": key, "limit": lines});
        let answer = self.ask("chat.history", &params).await?;
        if self.json {
            return answer.print();
        }
        let history: History = answer.read()?;
        if history.messages.is_empty() {
            output::remark("nothing was said there");
        }
        for message in &history.messages {
            let role = message.get("role").and_then(Value::as_str).unwrap_or("?");
            let ink = if role == "user" { Ink::Cyan } else { Ink::Bold };
            let text = said(message.get("content").unwrap_or(&Value::Null));
            let role = printable(role).replace('\n', " ");
            output::line(&format!(
                "{} {}",
                self.style.paint(ink, &format!("{role}:")),
                printable(&text)
            ))?;
        }
        Ok(())
    }

    async fn no_session(&mut self, key: &str) -> Failed {
        let params = json!({"limit": NAMES_MAX, "archived": "all"});
        let names = match self.ask("sessions.list", &params).await {
            Ok(answer) => answer
                .read::<Page>()
                .map_or_else(|_| Vec::new(), |page| page.sessions),
            Err(_) => Vec::new(),
        };
        unknown(
            "session",
            key,
            names.iter().map(|row| row.key.as_str()),
            "gatehouse sessions",
        )
    }
}

/// The parameters that are set.
pub(super) fn given<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A change of a session: an empty text goes back to the default.
fn change(set: &SessionsSet) -> Value {
    let mut params = json!({"key": set.key});
    for (name, text) in [
        ("label", &set.label),
        ("model", &set.model),
        ("thinkingLevel", &set.thinking),
    ] {
        if let Some(text) = text {
            params[name] = if text.is_empty() { Value::Null } else { json!(text) };
        }
    }
    for (name, flag) in [("archived", set.archived), ("pinned", set.pinned)] {
        if let Some(flag) = flag {
            params[name] = json!(flag);
        }
    }
    params
}

fn key_of(answer: &Map<String, Value>) -> String {
    answer
        .get("key")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The texts of a message; what is none is named.
fn said(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks
                .iter()
                .map(|block| match block.get("text").and_then(Value::as_str) {
                    Some(text) => text.to_owned(),
                    None => format!("[{}]", block.get("type").and_then(Value::as_str).unwrap_or("?")),
                });
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
