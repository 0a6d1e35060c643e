//! Commands behind Discord's own slash: offered when the bot connects, and heard as if they had been typed.
//!
//! Discord wants a first answer within three seconds. It gets one that only the person sees and that says nothing but what they chose: the
//! answer itself comes as a message, as it does to typed commands. A deferred one would promise more than is known then: who may not talk
//! here gets no answer, and would look at a bot that thinks for a quarter of an hour.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use super::{
    api::Api,
    event::{Chosen, Interaction, Message, User},
};

/// Discord gives up after three seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// `APPLICATION_COMMAND`, of interactions.
const COMMAND: u8 = 2;
/// `CHANNEL_MESSAGE_WITH_SOURCE`, of answers.
const MESSAGE: u8 = 4;
/// Only the person sees it.
const EPHEMERAL: u64 = 1 << 6;
/// `STRING`, of options.
const STRING: u8 = 3;
/// The longest option that is read, in characters: what Discord takes.
const OPTION_CHARS_MAX: usize = 6000;

/// One command: its name, what it does, and what may follow it.
type Offered = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// What is offered, in the words of the gateway's own help.
const OFFERED: [Offered; 10] = [
    ("help", "Show what can be typed.", None),
    ("status", "Show the model, the session and how it is.", None),
    (
        "new",
        "Begin a new conversation.",
        Some(("model", "The model for it")),
    ),
    ("reset", "Begin a new conversation.", None),
    ("stop", "Stop the answer that is being written.", None),
    ("compact", "Put what was said so far into a summary.", None),
    (
        "model",
        "Show or choose the model.",
        Some(("model", "<provider>/<model>, or default")),
    ),
    ("models", "List the models that can be chosen.", None),
    (
        "think",
        "Show or choose how hard the model thinks.",
        Some(("level", "off, low, medium, high, or default")),
    ),
    ("whoami", "Show who you are to the gateway.", None),
];

#[derive(Deserialize)]
struct Known {
    name: String,
    #[serde(default)]
    description: String,
}

/// Offers what Discord does not list yet. Commands that are not ours stay.
pub(super) async fn offer(api: &Api, application: &str) {
    let path = ["applications", application, "commands"];
    let known: Vec<Known> = match api.get(&path).await {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(%error, "commands cannot be offered behind Discord's slash; typed ones work");
            return;
        }
    };
    for (name, about, option) in OFFERED {
        let is_known = |known: &Known| known.name == name && known.description == about;
        if known.iter().any(is_known) {
            continue;
        }
        let options: Vec<Value> = option
            .into_iter()
            .map(|(name, about)| json!({"type": STRING, "name": name, "description": about}))
            .collect();
        let command = json!({"name": name, "description": about, "type": 1, "options": options});
        if let Err(error) = api.post::<Value>(&path, &command).await {
            tracing::warn!(command = name, %error, "a command cannot be offered behind Discord's slash; typed ones work");
            return;
        }
    }
}

/// A chosen command as the message that somebody would have typed.
pub(super) fn typed(interaction: &Interaction, me: &str) -> Option<Message> {
    let Chosen { name, options, .. } = interaction
        .data
        .as_ref()
        .filter(|_| interaction.kind == COMMAND)?;
    let mut content = format!("/{name}");
    let option = options.first().and_then(|option| option.value.as_str());
    if let Some(option) = option.map(str::trim).filter(|option| !option.is_empty()) {
        content.push(' ');
        content.extend(option.chars().filter(|c| !c.is_control()).take(OPTION_CHARS_MAX));
    }
    said(interaction, me, content)
}

/// What whoever does something with what the bot offers says by that.
pub(super) fn said(interaction: &Interaction, me: &str, content: String) -> Option<Message> {
    let member = interaction.member.clone();
    let author = member.as_ref().and_then(|member| member.user.clone());
    Some(Message {
        id: interaction.id.clone(),
        channel_id: interaction.channel_id.clone(),
        guild_id: interaction.guild_id.clone(),
        author: Some(author.or_else(|| interaction.user.clone())?),
        member,
        content,
        // Whoever uses what is ours means us.
        mentions: vec![User {
            id: me.to_owned(),
            ..User::default()
        }],
        ..Message::default()
    })
}

/// The first answer: what was typed, for whoever chose it alone.
pub(super) fn taken(typed: &str) -> Value {
    json!({"type": MESSAGE, "data": {"content": format!("`{}`", typed.replace('`', "'")), "flags": EPHEMERAL,
        "allowed_mentions": {"parse": []}}})
}

/// Says that it was taken.
pub(super) async fn answer(api: &Api, interaction: &Interaction, shown: &Value) {
    let path = ["interactions", &interaction.id, &interaction.token, "callback"];
    match time::timeout(ANSWER_WITHIN, api.post::<Value>(&path, shown)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::debug!(%error, "Discord did not take the first answer to a command or a button")
        }
        Err(_) => tracing::debug!("Discord did not take the first answer to a command or a button in time"),
    }
}
