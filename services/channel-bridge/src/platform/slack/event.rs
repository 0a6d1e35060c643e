//! What Slack says, as far as it is read. Fields that are not listed are not looked at.

use serde::Deserialize;

/// Who we are (`auth.test`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Me {
    pub(super) user_id: String,
    pub(super) bot_id: Option<String>,
    pub(super) team_id: String,
}

/// Something that happened, as both ways in hand it over.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Callback {
    #[serde(default)]
    pub(super) team_id: Option<String>,
    pub(super) event: Event,
}

/// A message, or something else.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) subtype: Option<String>,
    pub(super) channel: String,
    /// `im`, `mpim`, `channel` or `group`. A mention has none.
    pub(super) channel_type: Option<String>,
    pub(super) user: Option<String>,
    pub(super) bot_id: Option<String>,
    /// The name of a bot that posts under one.
    pub(super) username: Option<String>,
    pub(super) text: String,
    pub(super) ts: String,
    /// The root of the thread that it stands in.
    pub(super) thread_ts: Option<String>,
    /// Who said the root.
    pub(super) parent_user_id: Option<String>,
    pub(super) files: Vec<File>,
    /// What stands in it in a form of its own. Programs may write nothing else.
    pub(super) blocks: Vec<serde_json::Value>,
    /// Messages of elsewhere that it hands on, previews of links, and what programs attach.
    pub(super) attachments: Vec<Share>,
    pub(super) edited: Option<Edited>,
    /// Of a change: how it reads now, and how it read before.
    pub(super) message: Option<Box<Event>>,
    pub(super) previous_message: Option<Box<Event>>,
    /// Of a reaction: its name, what it is about, and who said that.
    pub(super) reaction: String,
    pub(super) item: Item,
    pub(super) item_user: Option<String>,
    /// Workspaces share channels: where it was said from.
    pub(super) team: Option<String>,
}

/// A message of elsewhere, or something else that is attached.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Share {
    /// Whether somebody hands it on.
    pub(super) is_share: bool,
    text: String,
    /// The same where there is no text.
    fallback: String,
    pub(super) author_id: Option<String>,
    pub(super) author_name: Option<String>,
    pub(super) files: Vec<File>,
}

impl Share {
    pub(super) fn text(&self) -> &str {
        let text = self.text.trim();
        if text.is_empty() {
            self.fallback.trim()
        } else {
            text
        }
    }
}

/// What a reaction is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    pub(super) channel: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Edited {
    pub(super) ts: String,
}

/// Bytes that Slack keeps.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) mimetype: Option<String>,
    pub(super) size: Option<i64>,
    pub(super) url_private: Option<String>,
    pub(super) url_private_download: Option<String>,
}

/// What somebody typed behind a slash that the app has declared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Command {
    pub(super) command: String,
    pub(super) text: String,
    pub(super) user_id: String,
    pub(super) user_name: String,
    pub(super) channel_id: String,
    /// `mpdm-…` where it is a group of people without a name.
    pub(super) channel_name: String,
    pub(super) team_id: String,
    /// Another one for each use.
    pub(super) trigger_id: String,
}
