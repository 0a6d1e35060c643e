//! What the chat reads of the gateway's answers and events. Everything else in them is left alone.

mod lists;

pub(super) use self::lists::*;
use serde::Deserialize;
use serde_json::Value;

/// Event `chat`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ChatEvent {
    /// The run.
    pub(super) run_id: String,
    /// The session's full key.
    pub(super) session_key: String,
    /// Grows within the run.
    pub(super) seq: i64,
    /// `status`, `delta`, `final`, `aborted` or `error`.
    pub(super) state: String,
    /// New text.
    pub(super) delta_text: Option<String>,
    /// True: `delta_text` is the whole text.
    pub(super) replace: Option<bool>,
    /// The message so far, or whole.
    pub(super) message: Option<Message>,
    /// What went wrong.
    pub(super) error_message: Option<String>,
    /// Why the model stopped.
    pub(super) stop_reason: Option<String>,
    /// What it cost, when it is done.
    pub(super) usage: Option<Usage>,
}

/// Event `agent`: a run in detail. Only its thoughts are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AgentEvent {
    /// The run.
    pub(super) run_id: String,
    /// The session's full key.
    pub(super) session_key: String,
    /// Grows within the run.
    pub(super) seq: i64,
    /// `thinking`, and others.
    pub(super) stream: String,
    /// What is new.
    pub(super) data: Detail,
}

/// What is new in a run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    /// New text.
    pub(super) delta: Option<String>,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    /// Tokens read.
    pub(super) input: i64,
    /// Tokens written.
    pub(super) output: i64,
}

/// A row of a transcript.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Message {
    /// `user`, `assistant` or `system`.
    pub(super) role: String,
    /// Text or content blocks.
    pub(super) content: Value,
    /// Who wrote it, on a chat platform.
    pub(super) sender_label: Option<String>,
    /// What went wrong.
    pub(super) error_message: Option<String>,
    /// `stop`, `aborted`, `error`, ...
    pub(super) stop_reason: Option<String>,
    /// Where it stands.
    #[serde(rename = "__openclaw")]
    pub(super) meta: Meta,
}

/// Where a row stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    /// The run.
    pub(super) run_id: Option<String>,
}

impl Message {
    /// Its text, whatever its form. What was thought is left out, and what is not text is named.
    pub(super) fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(blocks) => blocks.iter().filter_map(line).collect::<Vec<_>>().join("\n"),
            _ => String::new(),
        }
    }

    /// Whether it is in the middle of its run: the assistant calls tools and goes on.
    pub(super) fn goes_on(&self) -> bool {
        self.stop_reason.as_deref() == Some("toolUse")
    }
}

fn line(block: &Value) -> Option<String> {
    let word = |key: &str| block.get(key).and_then(Value::as_str);
    match (word("type").unwrap_or_default(), word("text")) {
        ("thinking", _) => None,
        (_, Some(text)) => Some(text.to_owned()),
        ("", None) => Some(String::new()),
        ("toolCall", None) => Some(format!("[tool: {}]", word("name").unwrap_or_default())),
        (kind, None) => Some(match word("name") {
            Some(name) => format!("[{kind}: {name}]"),
            None => format!("[{kind}]"),
        }),
    }
}

/// Event `session.message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SessionMessage {
    /// The session's full key.
    pub(super) session_key: String,
    /// The row.
    pub(super) message: Message,
}

/// The answer to `chat.history`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct History {
    /// The session's full key.
    pub(super) session_key: String,
    /// The rows, oldest first.
    pub(super) messages: Vec<Message>,
    /// Whether there are older ones.
    pub(super) has_more: bool,
    /// What is being written now.
    pub(super) in_flight_run: Option<InFlight>,
    /// The session, once it exists.
    pub(super) session_info: Option<Session>,
}

/// What is being written now.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct InFlight {
    /// The run.
    pub(super) run_id: String,
    /// Its text so far.
    pub(super) text: String,
    /// The newest event that `text` contains.
    pub(super) seq: i64,
}
