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
    styles::Styled,
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    markup::{Document, pieces},
    platform::web::{client::WebError, outbound::Speaker, silence::Silence},
};

/// Chats that are spoken to at the same time.
pub(super) const CONCURRENCY: usize = 4;

/// Who speaks for one account. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    rpc: Arc<Rpc>,
    silence: Arc<Mutex<Silence>>,
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
    pub(super) fn new(rpc: Arc<Rpc>) -> Self {
        Self {
            rpc,
            silence: Arc::default(),
        }
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
        let styled = Styled::of(&pieces(&Document::parse(&part.text)));
        let mut message = place.parameters();
        if styled.text.trim().is_empty() {
            message.insert("message".to_owned(), json!(part.text));
        } else {
            message.insert("message".to_owned(), json!(styled.text));
            if !styled.styles.is_empty() {
                message.insert("textStyle".to_owned(), json!(styled.styles));
            }
        }
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
            unconfirmed: false,
        })
    }

    async fn typing(&self, place: &Place) {
        if let Err(error) = self.rpc.ask::<Value>("sendTyping", place.parameters()).await {
            tracing::debug!(%error, "a typing hint was not shown");
        }
    }

    async fn is_there(&self) -> bool {
        self.rpc.ask::<Value>("version", Map::new()).await.is_ok()
    }
}
