//! One part of an answer on its way into a chat.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_document::telegram::ReplyToMode;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    api::{Answered, Api, ApiError, Refused},
    buttons::below,
    chats::Place,
    config::DiscordConfig,
    parts::{Named, message_id, messages, nonce},
    refusal,
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    id::MessageId,
    media::MediaReader,
    platform::web::{
        client::WebError,
        outbound::{Speaker, Verdict},
        silence::Silence,
    },
};

/// Chats that are spoken to at the same time.
pub(super) const CONCURRENCY: usize = 16;
/// A pause where Discord names none.
const PAUSE: Duration = Duration::from_secs(5);
/// Direct chats that are remembered. Beyond it all are asked for anew.
const DIRECT_MAX: usize = 1024;
/// No preview of links.
const SUPPRESS_EMBEDS: u64 = 1 << 2;

/// Who speaks for one account. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    pub(super) api: Arc<Api>,
    silence: Arc<Mutex<Silence>>,
    direct: Arc<Mutex<HashMap<String, String>>>,
    verdict: Verdict,
    reply_to: ReplyToMode,
    link_preview: bool,
    /// Reads the files that are to be sent.
    pub(super) media: MediaReader,
}

impl Mouth {
    pub(super) fn new(api: Arc<Api>, config: &DiscordConfig, media: MediaReader) -> Self {
        Self {
            api,
            silence: Arc::default(),
            direct: Arc::default(),
            verdict: Verdict::default(),
            reply_to: config.reply_to,
            link_preview: config.link_preview,
            media,
        }
    }

    /// What ends the connection; a new one begins with none.
    pub(super) fn begin(&self) -> Verdict {
        self.verdict.forget();
        self.verdict.clone()
    }

    /// The number of the channel, which for a person is asked for.
    pub(super) async fn channel(&self, place: &Place) -> Result<String, ApiError> {
        let person = match place {
            Place::Channel(id) => return Ok(id.clone()),
            Place::Person(id) => id,
        };
        if let Some(known) = self.direct().get(person) {
            return Ok(known.clone());
        }
        let asked = json!({"recipient_id": person});
        let opened = self
            .api
            .post::<Named>(&["users", "@me", "channels"], &asked)
            .await?;
        let mut direct = self.direct();
        if direct.len() >= DIRECT_MAX {
            direct.clear();
        }
        direct.insert(person.clone(), opened.value.id.clone());
        Ok(opened.value.id)
    }

    /// A message. `nonce`: what it is known by. `answers`: the message that it may be a reply to, and whether it is the first to be one.
    pub(super) fn message(
        &self,
        text: &str,
        nonce: &str,
        channel: &str,
        answers: Option<&MessageId>,
        is_first: bool,
    ) -> Value {
        let mut message = self.content(text);
        // Discord gives the first message again to whoever repeats the nonce within a few minutes.
        message.insert("nonce".to_owned(), json!(nonce));
        message.insert("enforce_nonce".to_owned(), json!(true));
        let replies = match self.reply_to {
            ReplyToMode::Off => false,
            ReplyToMode::First => is_first,
            ReplyToMode::All => true,
        };
        let answered = answers.filter(|_| replies);
        if let Some(answered) = answered.and_then(|id| message_id(id.as_str(), channel)) {
            let reference = json!({"message_id": answered, "fail_if_not_exists": false});
            message.insert("message_reference".to_owned(), reference);
        }
        Value::Object(message)
    }

    /// What a message says, whether it is sent or changed.
    pub(super) fn content(&self, text: &str) -> Map<String, Value> {
        let mut message = Map::new();
        message.insert("content".to_owned(), json!(text));
        // Nobody is called by what a model writes.
        let nobody = json!({"parse": [], "replied_user": false});
        message.insert("allowed_mentions".to_owned(), nobody);
        if !self.link_preview {
            message.insert("flags".to_owned(), json!(SUPPRESS_EMBEDS));
        }
        message
    }

    /// Refused for so long that nothing is asked in this chat.
    pub(super) fn quiet(&self, place: &Place) -> Result<(), SendError> {
        match self.silence().wait(place.key(), Instant::now()) {
            Some(after) => {
                let reason = "Discord takes no more in this chat for a while".to_owned();
                Err(SendError::ChatBusy { after, reason })
            }
            None => Ok(()),
        }
    }

    /// Sends a part that is words.
    pub(super) async fn say_words(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let place = Place::read(part.to.as_str(), part.thread_id.as_deref()).map_err(SendError::permanent)?;
        self.quiet(&place)?;
        let channel = self.channel(&place).await;
        let channel = channel.map_err(|error| self.failed(&place, error))?;
        let mut last = None;
        let texts = messages(&part.text);
        for (at, text) in texts.iter().enumerate() {
            let is_last = at + 1 == texts.len();
            let choices = if is_last { part.choices.as_slice() } else { &[] };
            if let Some(replaced) = part.replaces.as_deref().filter(|_| at == 0) {
                last = Some(self.replace(&place, replaced, text, choices).await?);
                continue;
            }
            let (nonce, is_first) = (nonce(&part.key, at), part.index == 0 && at == 0);
            let message = self.message(text, &nonce, &channel, part.reply_to_id.as_ref(), is_first);
            let message = below(message, choices);
            let sent = self
                .api
                .post::<Named>(&["channels", &channel, "messages"], &message)
                .await;
            let sent = sent.map_err(|error| self.failed(&place, error))?;
            last = Some(format!("{channel}/{}", self.heed(&place, sent).id));
        }
        Ok(Receipt {
            platform_id: last,
            ..Receipt::default()
        })
    }

    /// Reacts to a message. An emoji of a server's own is `name:number`.
    pub(super) async fn react(&self, place: &Place, message: &MessageId, emoji: &str) -> Result<(), String> {
        let channel = self.channel(place).await.map_err(|error| error.to_string())?;
        let message = message_id(message.as_str(), &channel).ok_or("it is no message of this chat")?;
        let path = [
            "channels",
            &channel,
            "messages",
            &message,
            "reactions",
            emoji,
            "@me",
        ];
        let reacted = self.api.ask(Method::PUT, &path).await;
        reacted.map_err(|error| format!("Discord refused: {error}"))
    }

    /// What the answer to a call says: the thing itself, and the silence that Discord wants after it.
    pub(super) fn heed<T>(&self, place: &Place, answered: Answered<T>) -> T {
        if let Some(silence) = answered.silence {
            let now = Instant::now();
            self.silence().keep(place.key(), now + silence, now);
        }
        answered.value
    }

    pub(super) fn failed(&self, place: &Place, error: ApiError) -> SendError {
        let refused = match error {
            ApiError::Refused(refused) => refused,
            ApiError::Web(WebError::Unreachable(reason)) => return SendError::retry(reason),
            // Sent again it is known by its nonce.
            ApiError::Web(WebError::Broken(reason)) => return SendError::unknown(reason),
        };
        let reason = refusal::of_a_chat(&refused);
        match refused.status {
            429 => self.busy(place, &refused),
            401 => {
                self.verdict.give(refusal::ended(&ApiError::Refused(refused)));
                SendError::retry(reason)
            }
            504 => SendError::unknown(reason),
            500.. => SendError::Retry {
                after: refused.retry_after,
                reason,
            },
            _ if refused.is_foreign => SendError::retry(reason),
            _ => SendError::permanent(reason),
        }
    }

    /// Keeps the silence that Discord asks for.
    fn busy(&self, place: &Place, refused: &Refused) -> SendError {
        let after = refused.retry_after.unwrap_or(PAUSE);
        let now = Instant::now();
        let reason = format!("Discord wants silence for {} ms", after.as_millis());
        let all = self.silence().keep(place.key(), now + after, now);
        if all || refused.global {
            let after = Some(after);
            SendError::Retry { after, reason }
        } else {
            SendError::ChatBusy { after, reason }
        }
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn direct(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.direct.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Speaker for Mouth {
    type Place = Place;
    const CONCURRENCY: usize = CONCURRENCY;
    /// Discord shows it for ten seconds.
    const TYPING_AGAIN: Duration = Duration::from_secs(8);

    fn place(&self, to: &str, thread: Option<&str>) -> Option<Place> {
        Place::read(to, thread).ok()
    }

    async fn say(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let place = Place::read(part.to.as_str(), part.thread_id.as_deref()).map_err(SendError::permanent)?;
        match part.media.first() {
            Some(medium) => {
                self.quiet(&place)?;
                self.say_medium(part, &place, medium).await
            }
            None => self.say_words(part).await,
        }
    }

    async fn typing(&self, place: &Place) {
        if self.silence().wait(place.key(), Instant::now()).is_some() {
            return;
        }
        let Ok(channel) = self.channel(place).await else {
            return;
        };
        let shown = self
            .api
            .post::<Value>(&["channels", &channel, "typing"], &json!({}))
            .await;
        if let Err(error) = shown {
            tracing::debug!(%error, "a typing hint was not shown");
            if let ApiError::Refused(refused) = &error
                && refused.status == 429
            {
                self.busy(place, refused);
            }
        }
    }

    async fn is_there(&self) -> bool {
        self.api.get::<Value>(&["users", "@me"]).await.is_ok()
    }
}
