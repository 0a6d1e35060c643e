//! From nothing to a bot.

use serde::Deserialize;

use super::{
    api::{Api, ApiError},
    config::TelegramConfig,
    ended,
};
use crate::{
    adapter::Ended,
    guide::{Guide, Key, Works},
};

pub(super) const GUIDE: Guide = Guide {
    steps: &[
        "In Telegram, open a chat with @BotFather (https://t.me/BotFather) and send /newbot.",
        "Give the bot a name, and a user name that ends in \"bot\".",
        "Copy the token that it answers with: 123456:ABC-DEF...",
    ],
    keys: &[Key {
        name: "botToken",
        label: "Token of the bot",
        is_secret: true,
        variable: "TELEGRAM_BOT_TOKEN",
    }],
    then: "Write to the bot in Telegram. It answers with a code, and `gatehouse pairing approve CODE` lets you in.",
};

#[derive(Deserialize)]
struct Me {
    first_name: String,
    username: Option<String>,
    #[serde(default)]
    can_read_all_group_messages: bool,
}

#[derive(Deserialize)]
struct Webhook {
    #[serde(default)]
    url: String,
}

/// Asks Telegram who the token is.
pub(super) async fn trial(config: TelegramConfig) -> Result<Works, String> {
    let api = Api::new(&config)?;
    let me: Me = api.ask("getMe").await.map_err(|error| told(&error))?;
    let mut works = Works {
        name: me.username.map_or(me.first_name, |name| format!("@{name}")),
        notes: Vec::new(),
    };
    if !me.can_read_all_group_messages {
        works.notes.push(
            "in groups it hears only what is meant for it: commands, its name, answers to it. For more, send /setprivacy to @BotFather, \
             choose Disable, and add it to the group anew"
                .to_owned(),
        );
    }
    let webhook: Webhook = api.ask("getWebhookInfo").await.map_err(|error| told(&error))?;
    if !webhook.url.is_empty() {
        works.notes.push(
            "another program set a webhook for it; the gateway takes that away, and the other program hears nothing any more".to_owned(),
        );
    }
    Ok(works)
}

fn told(error: &ApiError) -> String {
    match ended(error) {
        Ended::Retry(reason) | Ended::Failed(reason) => reason,
    }
}
