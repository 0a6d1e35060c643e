//! What the chat reads of the gateway's answers and events. Everything else in them is left alone.

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

/// The answer to `sessions.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sessions {
    /// The rows, the newest first.
    pub(super) sessions: Vec<Session>,
    /// Rows on all pages.
    pub(super) total_count: i64,
    /// The gateway's clock.
    pub(super) ts: i64,
    /// What a session uses unless it is set otherwise.
    pub(super) defaults: Defaults,
}

/// What a session uses unless it is set otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Defaults {
    model_provider: Option<String>,
    model: Option<String>,
}

impl Defaults {
    /// `<provider>/<model>`.
    pub(super) fn name(&self) -> Option<String> {
        name(self.model_provider.as_ref(), self.model.as_ref())
    }
}

/// One session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Session {
    /// Its full key.
    pub(super) key: String,
    /// A name somebody gave it.
    pub(super) label: Option<String>,
    /// A title.
    pub(super) display_name: Option<String>,
    /// A title made from the first message.
    pub(super) derived_title: Option<String>,
    /// Last change.
    pub(super) updated_at: i64,
    /// Whether something is being written.
    pub(super) has_active_run: bool,
    /// `<provider>/<model>` chosen for this session.
    pub(super) model_override: Option<String>,
    /// The provider that answers.
    pub(super) model_provider: Option<String>,
    /// The model that answers.
    pub(super) model: Option<String>,
    /// How hard the model thinks, chosen for this session.
    pub(super) thinking_level: Option<String>,
    /// Tokens read so far.
    pub(super) input_tokens: Option<i64>,
    /// Tokens written so far.
    pub(super) output_tokens: Option<i64>,
}

impl Session {
    /// What a person calls it.
    pub(super) fn title(&self) -> &str {
        [&self.label, &self.display_name, &self.derived_title]
            .into_iter()
            .flatten()
            .next()
            .map_or("", String::as_str)
    }

    /// `<provider>/<model>`, chosen or seen at work.
    pub(super) fn model_name(&self) -> Option<String> {
        if self.model_override.is_some() {
            return self.model_override.clone();
        }
        name(self.model_provider.as_ref(), self.model.as_ref())
    }
}

fn name(provider: Option<&String>, model: Option<&String>) -> Option<String> {
    let model = model?;
    Some(match provider {
        Some(provider) => format!("{provider}/{model}"),
        None => model.clone(),
    })
}

/// The answer to `commands.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GatewayCommands {
    /// In the order of the help.
    pub(super) commands: Vec<GatewayCommand>,
}

/// Something that is typed behind a slash and answered by the gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GatewayCommand {
    /// Its name.
    pub(super) name: String,
    /// All that may be typed for it, with the slash.
    pub(super) text_aliases: Vec<String>,
    /// What it does.
    pub(super) description: String,
}

/// The answer to `models.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Models {
    /// In the order of the configuration.
    pub(super) models: Vec<Model>,
}

/// One model.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Model {
    /// The provider's id of the model.
    pub(super) id: String,
    /// For a person.
    pub(super) name: String,
    /// The provider's key in the configuration.
    pub(super) provider: String,
    /// Tokens that fit in one request.
    pub(super) context_window: Option<i64>,
    /// Whether it thinks before it answers.
    pub(super) reasoning: Option<bool>,
}

impl Model {
    /// `<provider>/<model>`, as it is chosen.
    pub(super) fn key(&self) -> String {
        name(
            Some(&self.provider).filter(|provider| !provider.is_empty()),
            Some(&self.id),
        )
        .unwrap_or_default()
    }

    /// How much it reads at once, and whether it thinks, as people say it.
    pub(super) fn traits(&self) -> String {
        let context = self.context_window.map(|tokens| match tokens {
            1_000.. => format!("{}k tokens", tokens / 1_000),
            _ => format!("{tokens} tokens"),
        });
        let thinks = self
            .reasoning
            .filter(|thinks| *thinks)
            .map(|_| "thinks".to_owned());
        let traits: Vec<_> = context.into_iter().chain(thinks).collect();
        traits.join(", ")
    }
}

/// The answer to `status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    /// Whether every service serves.
    pub(super) ok: bool,
    /// Milliseconds since it started.
    pub(super) uptime_ms: i64,
    /// Each process.
    pub(super) services: Vec<Service>,
    /// Connected clients.
    pub(super) connections: i64,
}

/// One process.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    /// Its name.
    pub(super) service: String,
    /// `serving`, ...
    pub(super) state: String,
    /// What it says of itself.
    pub(super) detail: Option<String>,
}
