//! What a chat asks for beside the conversation: lists, and how the gateway is.

use super::*;

/// The answer to `sessions.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::chat) struct Sessions {
    /// The rows, the newest first.
    pub(in crate::chat) sessions: Vec<Session>,
    /// Rows on all pages.
    pub(in crate::chat) total_count: i64,
    /// The gateway's clock.
    pub(in crate::chat) ts: i64,
    /// What a session uses unless it is set otherwise.
    pub(in crate::chat) defaults: Defaults,
}

/// What a session uses unless it is set otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::chat) struct Defaults {
    model_provider: Option<String>,
    model: Option<String>,
}

impl Defaults {
    /// `<provider>/<model>`.
    pub(in crate::chat) fn name(&self) -> Option<String> {
        name(self.model_provider.as_ref(), self.model.as_ref())
    }
}

/// One session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::chat) struct Session {
    /// Its full key.
    pub(in crate::chat) key: String,
    /// A name somebody gave it.
    pub(in crate::chat) label: Option<String>,
    /// A title.
    pub(in crate::chat) display_name: Option<String>,
    /// A title made from the first message.
    pub(in crate::chat) derived_title: Option<String>,
    /// Last change.
    pub(in crate::chat) updated_at: i64,
    /// Whether something is being written.
    pub(in crate::chat) has_active_run: bool,
    /// `<provider>/<model>` chosen for this session.
    pub(in crate::chat) model_override: Option<String>,
    /// The provider that answers.
    pub(in crate::chat) model_provider: Option<String>,
    /// The model that answers.
    pub(in crate::chat) model: Option<String>,
    /// How hard the model thinks, chosen for this session.
    pub(in crate::chat) thinking_level: Option<String>,
    /// Tokens read so far.
    pub(in crate::chat) input_tokens: Option<i64>,
    /// Tokens written so far.
    pub(in crate::chat) output_tokens: Option<i64>,
}

impl Session {
    /// What a person calls it.
    pub(in crate::chat) fn title(&self) -> &str {
        [&self.label, &self.display_name, &self.derived_title]
            .into_iter()
            .flatten()
            .next()
            .map_or("", String::as_str)
    }

    /// `<provider>/<model>`, chosen or seen at work.
    pub(in crate::chat) fn model_name(&self) -> Option<String> {
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
pub(in crate::chat) struct GatewayCommands {
    /// In the order of the help.
    pub(in crate::chat) commands: Vec<GatewayCommand>,
}

/// Something that is typed behind a slash and answered by the gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::chat) struct GatewayCommand {
    /// Its name.
    pub(in crate::chat) name: String,
    /// All that may be typed for it, with the slash.
    pub(in crate::chat) text_aliases: Vec<String>,
    /// What it does.
    pub(in crate::chat) description: String,
}

/// The answer to `models.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::chat) struct Models {
    /// In the order of the configuration.
    pub(in crate::chat) models: Vec<Model>,
}

/// One model.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::chat) struct Model {
    /// The provider's id of the model.
    pub(in crate::chat) id: String,
    /// For a person.
    pub(in crate::chat) name: String,
    /// The provider's key in the configuration.
    pub(in crate::chat) provider: String,
    /// Tokens that fit in one request.
    pub(in crate::chat) context_window: Option<i64>,
    /// Whether it thinks before it answers.
    pub(in crate::chat) reasoning: Option<bool>,
}

impl Model {
    /// `<provider>/<model>`, as it is chosen.
    pub(in crate::chat) fn key(&self) -> String {
        name(
            Some(&self.provider).filter(|provider| !provider.is_empty()),
            Some(&self.id),
        )
        .unwrap_or_default()
    }

    /// How much it reads at once, and whether it thinks, as people say it.
    pub(in crate::chat) fn traits(&self) -> String {
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
pub(in crate::chat) struct Status {
    /// Whether every service serves.
    pub(in crate::chat) ok: bool,
    /// Milliseconds since it started.
    pub(in crate::chat) uptime_ms: i64,
    /// Each process.
    pub(in crate::chat) services: Vec<Service>,
    /// Connected clients.
    pub(in crate::chat) connections: i64,
}

/// One process.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::chat) struct Service {
    /// Its name.
    pub(in crate::chat) service: String,
    /// `serving`, ...
    pub(in crate::chat) state: String,
    /// What it says of itself.
    pub(in crate::chat) detail: Option<String>,
}
