//! One part of an answer on its way into a chat.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use gatehouse_core::Chain;
use gatehouse_document::telegram::ReplyToMode;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    api::{Api, ApiError, CALL_WITHIN, Refused},
    chats::{Chat, Moves, Place},
    config::TelegramConfig,
    html::html,
    keyboard::keyboard,
    own::Own,
    pace::Pace,
    update::Message,
};
use crate::{
    adapter::{AccountKey, Receipt, SendError, SendPart},
    id::{Address, MessageId},
    markup::{Document, Piece, pieces, plain},
    media::MediaReader,
    platform::Deps,
};

pub(super) const SEND: &str = "sendMessage";
pub(super) const EDIT: &str = "editMessageText";
/// A pause where Telegram names none.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// What Telegram takes without markup, in UTF-16 units.
const PLAIN_MAX: usize = 4096;

/// Who speaks for one account. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    pub(super) api: Arc<Api>,
    moves: Arc<Moves>,
    /// What was said in groups.
    pub(super) own: Own,
    /// Whether Telegram shows drafts of ours, as far as is known.
    pub(super) drafts: Arc<AtomicBool>,
    pace: Arc<Mutex<Pace>>,
    reply_to: ReplyToMode,
    link_preview: bool,
    pub(super) account: AccountKey,
    pub(super) media: MediaReader,
}

impl Speaker {
    pub(super) fn new(api: Arc<Api>, moves: Arc<Moves>, config: &TelegramConfig, deps: &Deps) -> Self {
        Self {
            api,
            moves,
            own: Own::default(),
            drafts: Arc::new(AtomicBool::new(true)),
            pace: Arc::default(),
            reply_to: config.reply_to,
            link_preview: config.link_preview,
            account: deps.account.clone(),
            media: deps.media.clone(),
        }
    }

    /// Groups that have other numbers by now.
    pub(super) fn moves(&self) -> &Moves {
        &self.moves
    }

    /// Asks whether Telegram is there.
    pub(super) async fn is_there(&self) -> bool {
        self.api.ask::<Value>("getMe").await.is_ok()
    }

    /// Shows that somebody is being answered. Whether it was seen changes nothing.
    pub(super) async fn typing(&self, place: &Place) {
        let place = self.now(place.clone());
        if self.pace().wait(&place.chat, Instant::now()).is_some() {
            return;
        }
        let mut action = addressed(&place);
        action.insert("action".to_owned(), json!("typing"));
        if let Err(error) = self
            .api
            .call::<Value>("sendChatAction", &action, CALL_WITHIN)
            .await
        {
            tracing::debug!(%error, "a typing hint was not shown");
            self.heed(&place.chat, &error);
        }
    }

    /// Reacts to a message. Telegram takes the emoji of its own list only.
    pub(super) async fn react(
        &self,
        to: &Address,
        thread_id: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        let place = self.now(Place::read(to.as_str(), thread_id)?);
        let number = message_id(message, &place).ok_or("the message is of another chat")?;
        let reaction = json!({
            "chat_id": place.chat.value(), "message_id": number, "reaction": [{"type": "emoji", "emoji": emoji}],
        });
        let reacted = self
            .api
            .call::<Value>("setMessageReaction", &reaction, CALL_WITHIN)
            .await;
        reacted.map(drop).map_err(|error| {
            self.heed(&place.chat, &error);
            error.to_string()
        })
    }

    /// Sends a part.
    pub(super) async fn say(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let place = Place::read(part.to.as_str(), part.thread_id.as_deref()).map_err(SendError::permanent)?;
        let place = self.now(place);
        if let Some(after) = self.pace().wait(&place.chat, Instant::now()) {
            let reason = "Telegram takes no more in this chat for a while".to_owned();
            return Err(SendError::ChatBusy { after, reason });
        }
        if let Some(medium) = part.media.first() {
            return self.say_medium(part, &place, medium).await;
        }
        let shown = pieces(&Document::parse(&part.text));
        let mut message = self.message(part, &place);
        let method = match &part.replaces {
            Some(replaced) => {
                changes(&mut message, replaced);
                EDIT
            }
            None => SEND,
        };
        message.insert("text".to_owned(), json!(html(&shown)));
        message.insert("parse_mode".to_owned(), json!("HTML"));
        if let Some(keyboard) = keyboard(&part.choices) {
            message.insert("reply_markup".to_owned(), keyboard);
        }
        let refused = match self.send(method, &place, &message).await {
            Ok(receipt) => return Ok(receipt),
            Err(ApiError::Refused(refused)) => refused,
            Err(error) => return Err(self.failed(&place.chat, error)),
        };
        if let Some(replaced) = &part.replaces
            && refused.code == 400
        {
            if refused.says("is not modified") {
                return Ok(receipt(replaced.clone()));
            }
            if is_gone(&refused) {
                let reason = format!("Telegram refused: {refused}");
                return Err(SendError::PreviewGone { reason });
            }
        }
        if is_of_the_markup(&refused) {
            tracing::warn!(account.id = %self.account, reason = refused.words, "Telegram refused the markup of a message; it is sent without");
            message.insert("text".to_owned(), json!(unstyled(&shown, &part.text)));
            message.remove("parse_mode");
            let sent = self.send(method, &place, &message).await;
            return match sent {
                Ok(receipt) => Ok(Receipt {
                    plain: true,
                    ..receipt
                }),
                Err(error) => Err(self.failed(&place.chat, error)),
            };
        }
        if let Some(place) = self.moved(&place, &refused).await {
            message.extend(addressed(&place));
            // Messages of the old group are not there.
            if part.replaces.is_some() {
                let reason = "the group has another number now".to_owned();
                return Err(SendError::PreviewGone { reason });
            }
            message.remove("reply_parameters");
            return self
                .send(method, &place, &message)
                .await
                .map_err(|error| self.failed(&place.chat, error));
        }
        Err(self.failed(&place.chat, ApiError::Refused(refused)))
    }

    /// Where a chat is now, if it was refused because it has another number: that is kept.
    pub(super) async fn moved(&self, place: &Place, refused: &Refused) -> Option<Place> {
        let (Some(new), Chat::Id(old)) = (refused.moved_to, &place.chat) else {
            return None;
        };
        tracing::info!(chat.id = old, to = new, "a group has another number now");
        if let Err(error) = self.moves.learn(*old, new).await {
            tracing::error!(error = %Chain(&error), "the new number of a group cannot be kept");
        }
        Some(Place {
            chat: Chat::Id(new),
            topic: place.topic,
        })
    }

    async fn send(
        &self,
        method: &'static str,
        place: &Place,
        message: &Map<String, Value>,
    ) -> Result<Receipt, ApiError> {
        self.pace().said(&place.chat, Instant::now());
        let sent: Message = self.api.call(method, message, CALL_WITHIN).await?;
        self.own.learn(place, sent.message_id);
        Ok(receipt(sent.message_id.to_string()))
    }

    fn message(&self, part: &SendPart, place: &Place) -> Map<String, Value> {
        self.text_message(part.reply_to_id.as_ref(), part.index, place)
    }

    /// A message without its text. `index`: which part of an answer.
    pub(super) fn text_message(
        &self,
        answers: Option<&MessageId>,
        index: u32,
        place: &Place,
    ) -> Map<String, Value> {
        let mut message = addressed(place);
        if !self.link_preview {
            message.insert("link_preview_options".to_owned(), json!({"is_disabled": true}));
        }
        let quotes = match self.reply_to {
            ReplyToMode::Off => false,
            ReplyToMode::First => index == 0,
            ReplyToMode::All => true,
        };
        let answered = answers.filter(|_| quotes);
        if let Some(answered) = answered.and_then(|id| message_id(id, place)) {
            let reply = json!({"message_id": answered, "allow_sending_without_reply": true});
            message.insert("reply_parameters".to_owned(), reply);
        }
        message
    }

    /// The place with the number that its chat has now.
    pub(super) fn now(&self, place: Place) -> Place {
        match place.chat {
            Chat::Id(id) => Place {
                chat: Chat::Id(self.moves.now(id)),
                ..place
            },
            Chat::Name(_) => place,
        }
    }

    pub(super) fn failed(&self, chat: &Chat, error: ApiError) -> SendError {
        let all = self.heed(chat, &error);
        let refused = match error {
            ApiError::Refused(refused) => refused,
            ApiError::Unreachable(reason) => return SendError::retry(reason),
            ApiError::Broken(reason) => return SendError::unknown(reason),
        };
        let reason = format!("Telegram refused: {refused}");
        match refused.code {
            429 => {
                let after = refused.retry_after.unwrap_or(PAUSE);
                if all {
                    let after = Some(after);
                    SendError::Retry { after, reason }
                } else {
                    SendError::ChatBusy { after, reason }
                }
            }
            // The poll meets it as well, and ends the connection with words for the operator.
            401 | 404 => SendError::retry(reason),
            403 => SendError::permanent(format!("{reason}: the bot was blocked or put out of the chat")),
            504 => SendError::unknown(reason),
            500.. => SendError::Retry {
                after: refused.retry_after,
                reason,
            },
            _ => SendError::permanent(reason),
        }
    }

    /// Keeps the silence that Telegram asks for. True: in every chat.
    pub(super) fn heed(&self, chat: &Chat, error: &ApiError) -> bool {
        let ApiError::Refused(Refused {
            code: 429,
            retry_after,
            ..
        }) = error
        else {
            return false;
        };
        let now = Instant::now();
        self.pace().silence(chat, now + retry_after.unwrap_or(PAUSE), now)
    }

    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn receipt(message: String) -> Receipt {
    Receipt {
        platform_id: Some(message),
        ..Receipt::default()
    }
}

/// Makes a change of a message of it: that is where it is, and answers what it answers.
pub(super) fn changes(message: &mut Map<String, Value>, changed: &str) {
    message.remove("message_thread_id");
    message.remove("reply_parameters");
    message.insert(
        "message_id".to_owned(),
        json!(changed.parse::<i64>().unwrap_or(0)),
    );
}

/// Whether the same words may be taken without their markup.
pub(super) fn is_of_the_markup(refused: &Refused) -> bool {
    refused.code == 400 && (refused.says("can't parse") || refused.says("must be non-empty"))
}

/// Whether a message is not there any more, or can be changed no more.
pub(super) fn is_gone(refused: &Refused) -> bool {
    [
        "message to edit not found",
        "can't be edited",
        "message_id_invalid",
    ]
    .iter()
    .any(|words| refused.says(words))
}

pub(super) fn addressed(place: &Place) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("chat_id".to_owned(), place.chat.value());
    if let Some(topic) = place.topic {
        fields.insert("message_thread_id".to_owned(), json!(topic));
    }
    fields
}

/// Without markup: with the addresses of links if there is room for them, as the words alone otherwise.
pub(super) fn unstyled(shown: &[Piece], text: &str) -> String {
    let units = |text: &str| text.encode_utf16().count();
    let whole = plain(shown);
    if units(&whole) <= PLAIN_MAX && !whole.trim().is_empty() {
        return whole;
    }
    let words: String = shown.iter().map(Piece::text).collect();
    if words.trim().is_empty() {
        text.to_owned()
    } else {
        words
    }
}

/// The number of a message in this chat: `<chat>/<message>` as we name them, or the number alone.
fn message_id(id: &MessageId, place: &Place) -> Option<i64> {
    let mut parts = id.as_str().split('/');
    let (first, second) = (parts.next()?, parts.next());
    match second {
        None => first.parse().ok(),
        Some(message) => {
            let chat = Chat::Id(first.parse().ok()?);
            message.parse().ok().filter(|_| chat == place.chat)
        }
    }
}
