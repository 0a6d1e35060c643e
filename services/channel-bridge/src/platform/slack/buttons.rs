//! Buttons below a message, as blocks, and who presses them.

use gatehouse_core::{
    Content,
    content::{Choice, choices::CHOICES_MAX},
};
use gatehouse_document::telegram::ReplyToMode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    asked::Asker,
    inbound::{Ear, Said, inbound},
    mrkdwn::shown,
};
use crate::{
    adapter::{ChatKind, InboundMessage, TextUnit},
    markup,
};

/// Buttons of one block: Slack's own figure, and ours.
pub(super) const BUTTONS_MAX: usize = CHOICES_MAX;
/// Slack takes 3000 characters of a block with the markup, which adds to what a reader sees.
const SECTION_CHARS: usize = 2000;
/// The longest label: Slack's own figure.
const LABEL_CHARS: usize = 75;
/// What our buttons are called; the number of the choice stands behind it.
const NAME: &str = "choice-";

/// A message in blocks: with blocks, its text is for notifications only.
pub(super) fn blocks(text: &str, choices: &[Choice]) -> Value {
    let sections = markup::split(TextUnit::Chars, text, SECTION_CHARS);
    let sections = sections
        .iter()
        .map(|part| json!({"type": "section", "text": {"type": "mrkdwn", "text": shown(part)}}));
    let buttons = choices.iter().enumerate().map(|(number, choice)| {
        json!({"type": "button", "action_id": format!("{NAME}{number}"), "value": choice.value,
            "text": {"type": "plain_text", "text": choice.short(LABEL_CHARS), "emoji": true}})
    });
    let buttons = json!({"type": "actions", "elements": buttons.collect::<Vec<_>>()});
    Value::Array(sections.chain([buttons]).collect())
}

/// Somebody used a part of a message, or of something else that an app shows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Press {
    #[serde(rename = "type")]
    kind: String,
    user: Presser,
    channel: Named,
    team: Named,
    message: Below,
    actions: Vec<Action>,
    /// Another one for each use.
    trigger_id: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Presser {
    id: String,
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    id: String,
    name: String,
}

/// The message that the button stands below.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Below {
    ts: String,
    thread_ts: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    action_id: String,
    value: String,
}

impl Ear<'_> {
    /// What whoever pressed a button of ours says.
    pub(super) async fn press(&self, press: &Press, now: i64) -> Option<InboundMessage> {
        let is_ours = |action: &&Action| action.action_id.starts_with(NAME);
        let action = press.actions.iter().find(is_ours)?;
        if press.kind != "block_actions" || action.value.trim().is_empty() {
            return None;
        }
        let channel = press.channel.id.as_str();
        let kind = self.kinds.of(self.api, channel, &press.channel.name).await?;
        let below = &press.message;
        // As a question there would be: the answer stands in the thread of what was asked.
        let begins = self.reply_to == ReplyToMode::All && kind != ChatKind::Direct && !below.ts.is_empty();
        let root = below.thread_ts.clone();
        let root = root.or_else(|| begins.then(|| below.ts.clone()));
        let message_id = format!("{channel}/press/{}", press.trigger_id);
        let asker = Asker {
            user: press.user.id.clone(),
            team: press.team.id.clone(),
        };
        self.asked.learn(&message_id, asker);
        let message = inbound(Said {
            message_id,
            channel,
            kind,
            thread: root,
            sender: &press.user.id,
            name: Some(press.user.username.clone()),
            content: Content::text(action.value.as_str()),
            mentioned: true,
            from_bot: false,
            team: Some(press.team.id.as_str()).filter(|team| !team.is_empty()),
            sent_at: now,
        });
        message
            .inspect_err(|problem| tracing::warn!(%problem, "a pressed button was left out"))
            .ok()
    }
}
