//! One part of an answer on its way into a chat.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    chats::Place,
    refusal,
    rpc::{Rpc, RpcError},
    styles::{Styled, messages},
};
use crate::{
    adapter::{InboundMessage, Receipt, SendError, SendPart},
    id::MessageId,
    media::MediaReader,
    platform::web::{client::WebError, fitting::Partly, last::Last, outbound::Speaker, silence::Silence},
};

/// Chats that are spoken to at the same time.
pub(super) const CONCURRENCY: usize = 4;

/// Who speaks for one account. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    rpc: Arc<Rpc>,
    silence: Arc<Mutex<Silence>>,
    /// Messages that were not said to be read yet. Unset: that is never said.
    unread: Option<Last>,
    partly: Partly,
    /// Reads the files that are to be sent.
    pub(super) media: MediaReader,
}

#[derive(Deserialize)]
struct Sent {
    timestamp: i64,
    #[serde(default)]
    results: Vec<Reached>,
}

/// What became of it for one of those who were to get it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reached {
    #[serde(rename = "type")]
    kind: String,
}

impl Mouth {
    pub(super) fn new(rpc: Arc<Rpc>, read_receipts: bool, media: MediaReader) -> Self {
        Self {
            rpc,
            silence: Arc::default(),
            unread: read_receipts.then(Last::default),
            partly: Partly::default(),
            media,
        }
    }

    /// Somebody said something.
    pub(super) fn heard(&self, message: &InboundMessage) {
        if let (Some(unread), Ok(place)) = (&self.unread, Place::read(message.reply_to.as_str())) {
            unread.learn(place.key(), message.message_id.as_str());
        }
    }

    /// Reacts to a message.
    pub(super) async fn react(&self, to: &str, message: &MessageId, emoji: &str) -> Result<(), String> {
        let (author, timestamp) = said(message.as_str()).ok_or("it is no message of Signal")?;
        let mut reaction = Place::read(to)?.parameters();
        reaction.insert("emoji".to_owned(), json!(emoji));
        reaction.insert("targetAuthor".to_owned(), json!(author));
        reaction.insert("targetTimestamp".to_owned(), json!(timestamp));
        let reacted = self.rpc.ask::<Value>("sendReaction", reaction).await;
        reacted
            .map(drop)
            .map_err(|error| format!("signal-cli refused: {error}"))
    }

    /// Says that the last message of a chat was read, once.
    async fn read(&self, place: &Place) {
        let unread = self.unread.as_ref().and_then(|unread| unread.take(place.key()));
        let Some((author, timestamp)) = unread.as_deref().and_then(said) else {
            return;
        };
        let receipt = [
            ("recipient", json!(author)),
            ("targetTimestamp", json!([timestamp])),
            ("type", json!("read")),
        ];
        let receipt = Map::from_iter(receipt.map(|(key, value)| (key.to_owned(), value)));
        if let Err(error) = self.rpc.ask::<Value>("sendReceipt", receipt).await {
            tracing::debug!(%error, "it was not said that a message was read");
        }
    }

    /// Says a part in these words, as several messages where they have no room in one. A file goes with the last.
    pub(super) async fn say_words(
        &self,
        part: &SendPart,
        place: &Place,
        words: &str,
        file: Option<String>,
    ) -> Result<Receipt, SendError> {
        let texts = messages(words);
        // In other words it is cut elsewhere.
        let key = format!("{}/{}", part.key, words.len());
        let mut last = Receipt::default();
        for (at, text) in texts.iter().enumerate().skip(self.partly.taken(&key)) {
            let is_last = at + 1 == texts.len();
            let mut message = worded(place, text);
            if let Some(file) = file.as_ref().filter(|_| is_last) {
                message.insert("attachments".to_owned(), json!([file]));
            }
            last = self.put(place, message).await?;
            if !is_last {
                self.partly.keep(&key, at + 1);
            }
        }
        self.partly.forget(&key);
        Ok(last)
    }

    /// Sends a message as it stands.
    async fn put(&self, place: &Place, message: Map<String, Value>) -> Result<Receipt, SendError> {
        let sent = self
            .rpc
            .send::<Sent>(message)
            .await
            .map_err(|error| match error {
                RpcError::Refused(refused) => refusal::of_a_send(&refused),
                RpcError::Web(WebError::Unreachable(reason)) => SendError::retry(reason),
                RpcError::Web(WebError::Broken(reason)) => SendError::unknown(reason),
            })?;
        // Who of a group was reached has it; where nobody was, it is as their first one says.
        let reached = sent.results.iter().any(|one| one.kind == "SUCCESS");
        let failed = sent.results.first().filter(|_| !reached);
        if let Some(error) = failed.and_then(|one| refusal::of_a_person(&one.kind)) {
            if let SendError::ChatBusy { after, .. } = &error {
                let now = Instant::now();
                self.silence().keep(place.key(), now + *after, now);
            }
            return Err(error);
        }
        Ok(Receipt {
            platform_id: Some(sent.timestamp.to_string()),
            ..Receipt::default()
        })
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Speaker for Mouth {
    type Place = Place;
    const CONCURRENCY: usize = CONCURRENCY;
    /// Signal shows it for fifteen seconds.
    const TYPING_AGAIN: Duration = Duration::from_secs(10);

    fn place(&self, to: &str, _thread: Option<&str>) -> Option<Place> {
        Place::read(to).ok()
    }

    async fn say(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let place = Place::read(part.to.as_str()).map_err(SendError::permanent)?;
        if let Some(after) = self.silence().wait(place.key(), Instant::now()) {
            let reason = "Signal takes no more in this chat for a while".to_owned();
            return Err(SendError::ChatBusy { after, reason });
        }
        match part.media.first() {
            Some(medium) => self.say_medium(part, &place, medium).await,
            None => self.say_words(part, &place, &part.text, None).await,
        }
    }

    async fn typing(&self, place: &Place) {
        self.read(place).await;
        if let Err(error) = self.rpc.ask::<Value>("sendTyping", place.parameters()).await {
            tracing::debug!(%error, "a typing hint was not shown");
        }
    }

    async fn is_there(&self) -> bool {
        self.rpc.ask::<Value>("version", Map::new()).await.is_ok()
    }
}

/// Who said a message and when: `<author>/<timestamp>` as we name them. What was changed is known by when it was said first.
fn said(message: &str) -> Option<(&str, i64)> {
    let mut parts = message.split('/');
    let (author, timestamp) = (parts.next()?, parts.next()?);
    Some((author, timestamp.parse().ok()?))
}

/// A message of words, which may be none.
fn worded(place: &Place, styled: &Styled) -> Map<String, Value> {
    let mut message = place.parameters();
    message.insert("message".to_owned(), json!(styled.text));
    if !styled.styles.is_empty() {
        message.insert("textStyle".to_owned(), json!(styled.styles));
    }
    message
}
