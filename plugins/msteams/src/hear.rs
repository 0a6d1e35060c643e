//! What an activity becomes: a message for the bridge, and the answer that Teams waits for.

mod remark;

use std::time::Duration;

use axum::http::StatusCode;
use gatehouse_plugin_sdk::{Heard, Link};
use gatehouse_proto::{
    channel::v1::{ChatKind, Inbound, InboundChat, InboundSender},
    common::v1::{Block, Content, MediaBlock, TextBlock, block::Kind},
};
use serde_json::{Value, json};
use tokio::time;

use crate::{
    account::{Account, now_ms},
    activity::{Activity, Incoming, Invoke, Message, Place, PlaceKind, Sender, understand},
    card,
    store::Known,
};

/// A message that was changed later than this is not answered anew.
const EDITED_WITHIN_MS: i64 = 10 * 60 * 1_000;
/// Teams gives up on us after 15 seconds; before that it is told to come again.
const WITHIN: Duration = Duration::from_secs(10);
/// The longest name and address of a file that the gateway takes, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
const ADDRESS_BYTES_MAX: usize = 8_192;

/// What Teams is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    pub(crate) fn word(status: StatusCode, word: &str) -> Self {
        Self::new(status, json!({ "error": { "message": word } }))
    }

    fn done() -> Self {
        Self::new(StatusCode::OK, json!({}))
    }
}

/// Takes an activity whose sender was believed. `claimed` is the service that the token was made out for.
pub(crate) async fn hear(account: &Account, activity: &Activity, claimed: Option<&str>) -> Answer {
    let service = match account.settings.services.hosts.connector(&activity.service_url) {
        Ok(service) => service,
        Err(error) => return Answer::word(StatusCode::FORBIDDEN, &format!("serviceUrl: {error}")),
    };
    if claimed.is_some_and(|claim| !service.is_named_by(claim)) {
        tracing::info!(
            reason = "its token is for another serviceUrl",
            "a request was refused"
        );
        return Answer::word(StatusCode::FORBIDDEN, "the token is for another serviceUrl");
    }
    let incoming = match understand(activity) {
        Ok(incoming) => incoming,
        Err(reason) => return Answer::word(StatusCode::BAD_REQUEST, reason),
    };
    let Some(place) = place(&incoming) else {
        return Answer::done();
    };
    if !account.settings.takes(place.tenant.as_deref()) {
        return Answer::word(
            StatusCode::FORBIDDEN,
            "the conversation is in a tenant that `tenantId` and `tenants` do not name",
        );
    }
    let remembered = match &incoming {
        Incoming::Left(place) => account.store.left(&account.id, &place.conversation).await,
        _ => {
            account
                .store
                .heard(&account.id, known(activity, place, &service.to_string()))
                .await
        }
    };
    if let Err(error) = remembered {
        tracing::warn!(error = %error, "an activity was not taken");
        return Answer::word(StatusCode::SERVICE_UNAVAILABLE, "not now");
    }
    match incoming {
        // What a bot is told of its own words is not news.
        Incoming::Said(message) if activity.from.id == activity.recipient.id => {
            tracing::debug!(message.id = message.id, "an echo was passed over");
            Answer::done()
        }
        Incoming::Said(message) => answered(heard(&account.link, *message, None).await),
        Incoming::Edited(message) => match edited(&message) {
            Some(mark) => answered(heard(&account.link, *message, Some(mark)).await),
            None => Answer::done(),
        },
        Incoming::Invoked(invoke) => pressed(account, *invoke).await,
        // The bot's own previews among them.
        Incoming::Deleted { .. } | Incoming::Reacted(_) if activity.from.id == activity.recipient.id => {
            Answer::done()
        }
        Incoming::Deleted { place, .. } => {
            remark::tell(&account.link, &place, None, vec![remark::taken_back()]).await;
            Answer::done()
        }
        Incoming::Reacted(reaction) => {
            let (by, remarks) = (Some(&reaction.sender), remark::reactions(&reaction));
            remark::tell(&account.link, &reaction.place, by, remarks).await;
            Answer::done()
        }
        Incoming::Joined(_) | Incoming::Left(_) | Incoming::Nothing(_) => Answer::done(),
    }
}

fn place(incoming: &Incoming) -> Option<&Place> {
    match incoming {
        Incoming::Said(message) | Incoming::Edited(message) => Some(&message.place),
        Incoming::Deleted { place, .. } | Incoming::Joined(place) | Incoming::Left(place) => Some(place),
        Incoming::Reacted(reaction) => Some(&reaction.place),
        Incoming::Invoked(invoke) => Some(&invoke.place),
        Incoming::Nothing(reason) => {
            tracing::debug!(reason, "an activity was passed over");
            None
        }
    }
}

fn known(activity: &Activity, place: &Place, service_url: &str) -> Known {
    let from = &activity.from;
    let is_person = place.kind == PlaceKind::Personal && from.id != activity.recipient.id;
    let person = from.aad_object_id.clone().unwrap_or_else(|| from.id.clone());
    Known {
        place: place.clone(),
        service_url: service_url.to_owned(),
        person: is_person.then_some(person).filter(|person| !person.is_empty()),
        bot: Some(activity.recipient.id.clone()).filter(|bot| !bot.is_empty()),
        heard_at: now_ms(),
    }
}

/// What tells a change of a message from the message, if it is one to answer.
fn edited(message: &Message) -> Option<String> {
    let said_at: i64 = message.id.parse().ok()?;
    (now_ms() - said_at <= EDITED_WITHIN_MS).then(|| message.sent_at.clone())?
}

fn answered(heard: Heard) -> Answer {
    match heard {
        Heard::Kept => Answer::done(),
        Heard::PassedOver(reason) => {
            tracing::info!(reason, "a message was passed over");
            Answer::done()
        }
        Heard::Again(reason) => Answer::word(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

/// A button was pressed: what it says goes the way of every message, past the same rules.
async fn pressed(account: &Account, invoke: Invoke) -> Answer {
    if invoke.name != "adaptiveCard/action" {
        return Answer::word(
            StatusCode::NOT_IMPLEMENTED,
            "the bot has nothing for an invoke of this name",
        );
    }
    let text = card::said(&invoke.value);
    if text.is_empty() {
        let refusal = card::refusal(400, "BadRequest", "The button says too much.");
        return Answer::new(StatusCode::OK, refusal);
    }
    let message = Message {
        id: invoke.id,
        place: invoke.place.clone(),
        sender: invoke.sender,
        text,
        mentioned: true,
        files: Vec::new(),
        quotes: None,
        sent_at: invoke.sent_at,
    };
    let body = match heard(&account.link, message, None).await {
        Heard::Kept | Heard::PassedOver(_) => {
            let answer = answer_card(account, &invoke.place, invoke.message.as_deref()).await;
            card::answer(answer.as_ref(), "Sent to the assistant.")
        }
        Heard::Again(_) => card::refusal(
            503,
            "ServiceUnavailable",
            "The assistant is away. Try again in a minute.",
        ),
    };
    Answer::new(StatusCode::OK, body)
}

async fn answer_card(account: &Account, place: &Place, message: Option<&str>) -> Option<Value> {
    let found = account
        .store
        .answer(&account.id, &place.conversation, message?)
        .await;
    match found {
        Ok(answer) => serde_json::from_str(&answer?).ok(),
        Err(error) => {
            tracing::warn!(error = %error, "a card has no answer");
            None
        }
    }
}

/// Hands a message over. `mark` tells a change of it from the message.
async fn heard(link: &Link, message: Message, mark: Option<String>) -> Heard {
    let Some(inbound) = inbound(message, mark.as_deref()) else {
        return Heard::PassedOver("it says nothing".into());
    };
    time::timeout(WITHIN, link.hear(inbound))
        .await
        .unwrap_or_else(|_| Heard::Again("the gateway did not take it in time".into()))
}

/// The id of a message as the gateway knows it. Teams counts milliseconds within a conversation, so two conversations may have the same.
fn message_id(message: &Message, mark: Option<&str>) -> String {
    let Message { id, place, .. } = message;
    match mark {
        None => format!("{id}|{}", place.conversation),
        Some(mark) => format!("{id}|{}|{mark}", place.conversation),
    }
}

/// The part of it that Teams knows.
pub(crate) fn teams_id(message_id: &str) -> &str {
    message_id.split('|').next().unwrap_or(message_id)
}

/// What the bridge is told. `None`: the message says nothing.
fn inbound(message: Message, mark: Option<&str>) -> Option<Inbound> {
    let message_id = message_id(&message, mark);
    let Message {
        id,
        place,
        sender,
        text,
        mentioned,
        files,
        quotes: _,
        sent_at: _,
    } = message;
    let mut blocks = Vec::new();
    if !text.is_empty() {
        blocks.push(Kind::Text(TextBlock { text, notice: false }));
    }
    let files = files
        .into_iter()
        .filter(|file| file.url.len() <= ADDRESS_BYTES_MAX);
    blocks.extend(files.map(|file| {
        Kind::Media(MediaBlock {
            id: None,
            url: Some(file.url),
            mime_type: file
                .mime_type
                .filter(|mime| !mime.is_empty() && mime.len() <= 255),
            name: file
                .name
                .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX),
            size_bytes: None,
        })
    }));
    if blocks.is_empty() {
        return None;
    }
    let blocks = blocks.into_iter().map(|kind| Block { kind: Some(kind) });
    let is_direct = place.kind == PlaceKind::Personal;
    let Sender {
        id: sender_id,
        alias,
        name,
        is_bot,
    } = sender;
    Some(Inbound {
        seq: 0,
        message_id,
        chat: Some(InboundChat {
            kind: i32::from(match place.kind {
                PlaceKind::Personal => ChatKind::Direct,
                PlaceKind::Group => ChatKind::Group,
                PlaceKind::Channel => ChatKind::Channel,
            }),
            id: if is_direct {
                sender_id.clone()
            } else {
                place.conversation.clone()
            },
            aliases: Vec::new(),
            parent: None,
            guild_id: None,
            team_id: place.team,
        }),
        sender: Some(InboundSender {
            id: sender_id,
            aliases: alias.into_iter().collect(),
            name: name.unwrap_or_default(),
            bot: is_bot,
            roles: Vec::new(),
        }),
        text: String::new(),
        content: Some(Content {
            blocks: blocks.collect(),
        }),
        mentioned,
        // Teams' ids are the time, in milliseconds; those of its stand-ins are not.
        sent_at: id.parse().ok().filter(|_| id.len() == 13).unwrap_or_default(),
        reply_to: place.conversation,
        thread_id: place.thread,
        name_case: 0,
    })
}
