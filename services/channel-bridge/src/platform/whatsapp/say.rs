//! One part of an answer on its way to a person.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    api::{Api, ApiError},
    inbound::PERSON,
    markup::marked,
    refusal,
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    id::MessageId,
    media::MediaReader,
    platform::web::{
        client::WebError,
        fitting::{Partly, messages},
        last::Last,
        outbound::{Speaker, Verdict},
        silence::Silence,
    },
};

/// People who are written to at the same time.
pub(super) const CONCURRENCY: usize = 16;
/// The longest text of one message, in characters, its markup and the addresses of its links counted.
const TEXT_CHARS_MAX: usize = 4096;
/// The longest id of a person, in bytes.
const ID_BYTES_MAX: usize = 160;

/// Who speaks for one account. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    pub(super) api: Arc<Api>,
    silence: Arc<Mutex<Silence>>,
    verdict: Verdict,
    last: Last,
    partly: Partly,
    link_preview: bool,
    /// Reads the files that are to be sent.
    pub(super) media: MediaReader,
}

#[derive(Deserialize)]
struct Sent {
    messages: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Mouth {
    pub(super) fn new(api: Arc<Api>, link_preview: bool, last: Last, media: MediaReader) -> Self {
        Self {
            api,
            silence: Arc::default(),
            verdict: Verdict::default(),
            last,
            partly: Partly::default(),
            link_preview,
            media,
        }
    }

    /// What ends the connection; a new one begins with none.
    pub(super) fn begin(&self) -> Verdict {
        self.verdict.forget();
        self.verdict.clone()
    }

    /// Says a part in these words.
    pub(super) async fn say_words(
        &self,
        part: &SendPart,
        person: &str,
        words: &str,
    ) -> Result<Receipt, SendError> {
        let texts = messages(words, TEXT_CHARS_MAX, marked);
        // With a label in front it is cut elsewhere.
        let key = format!("{}/{}", part.key, words.len());
        let mut last = Receipt::default();
        for (at, text) in texts.iter().enumerate().skip(self.partly.taken(&key)) {
            let text = json!({"body": text, "preview_url": self.link_preview});
            last = self.put(person, &addressed(person, "text", &text)).await?;
            if at + 1 < texts.len() {
                self.partly.keep(&key, at + 1);
            }
        }
        self.partly.forget(&key);
        Ok(last)
    }

    /// Sends a message as it stands.
    pub(super) async fn put(&self, person: &str, message: &Value) -> Result<Receipt, SendError> {
        let sent = self.api.message::<Sent>(message).await;
        let Sent { messages } = sent.map_err(|error| self.failed(person, error))?;
        Ok(Receipt {
            platform_id: messages.into_iter().next().map(|named| named.id),
            ..Receipt::default()
        })
    }

    /// Reacts to a message of this person.
    pub(super) async fn react(&self, to: &str, message: &MessageId, emoji: &str) -> Result<(), String> {
        let person = person(to)?;
        let reaction = json!({"message_id": message.as_str(), "emoji": emoji});
        let message = addressed(&person, "reaction", &reaction);
        let reacted = self.api.message::<Value>(&message).await;
        reacted
            .map(drop)
            .map_err(|error| format!("WhatsApp refused: {error}"))
    }

    pub(super) fn failed(&self, person: &str, error: ApiError) -> SendError {
        let refused = match error {
            ApiError::Refused(refused) => refused,
            ApiError::Web(WebError::Unreachable(reason)) => return SendError::retry(reason),
            ApiError::Web(WebError::Broken(reason)) => return SendError::unknown(reason),
        };
        if let Some(ended) = refusal::ends_all(&refused) {
            self.verdict.give(ended);
            return SendError::retry(format!("WhatsApp refused: {refused}"));
        }
        let failed = refusal::of_a_send(&refused);
        if let SendError::ChatBusy { after, .. } = &failed {
            let now = Instant::now();
            self.silence().keep(person, now + *after, now);
        }
        failed
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Speaker for Mouth {
    type Place = String;
    const CONCURRENCY: usize = CONCURRENCY;
    /// WhatsApp shows it for 25 seconds at most.
    const TYPING_AGAIN: Duration = Duration::from_secs(20);

    fn place(&self, to: &str, _thread: Option<&str>) -> Option<String> {
        person(to).ok()
    }

    async fn say(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let person = person(part.to.as_str()).map_err(SendError::permanent)?;
        if let Some(after) = self.silence().wait(&person, Instant::now()) {
            let reason = "WhatsApp takes no more for this person for a while".to_owned();
            return Err(SendError::ChatBusy { after, reason });
        }
        match part.media.first() {
            Some(medium) => self.say_medium(part, &person, medium).await,
            None if !part.choices.is_empty() => self.say_choices(part, &person).await,
            None => self.say_words(part, &person, &part.text).await,
        }
    }

    async fn typing(&self, person: &String) {
        let Some(message) = self.last.of(person) else {
            return;
        };
        let shown = json!({
            "messaging_product": "whatsapp", "status": "read", "message_id": message,
            "typing_indicator": {"type": "text"},
        });
        if let Err(error) = self.api.message::<Value>(&shown).await {
            tracing::debug!(%error, "a typing hint was not shown");
        }
    }

    async fn is_there(&self) -> bool {
        self.api.number().await.is_ok()
    }
}

/// A message of this kind to a person.
pub(super) fn addressed(person: &str, kind: &str, what: &Value) -> Value {
    // Who hides their number is reached by the id that they have for this business.
    let (key, to) = match person.strip_prefix(PERSON) {
        Some(id) => ("recipient", id),
        None => ("to", person),
    };
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "type": kind, kind: what, key: to})
}

/// A person by a phone number in digits, or `user:` with the id that they have for this business.
fn person(address: &str) -> Result<String, String> {
    let address = address.trim();
    let id = address.strip_prefix("whatsapp:").unwrap_or(address);
    if let Some(person) = id.strip_prefix(PERSON) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
        if !person.is_empty() && person.len() <= ID_BYTES_MAX && person.chars().all(plain) {
            return Ok(id.to_owned());
        }
    }
    // Numbers are written with blanks and signs between.
    let digits: String = id
        .chars()
        .filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')'))
        .collect();
    if (5..=20).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit()) {
        return Ok(digits);
    }
    // The id of a person for this business: a country, a dot, and the rest.
    let is_person = id.split_once('.').is_some_and(|(country, rest)| {
        country.len() == 2
            && country.chars().all(|c| c.is_ascii_uppercase())
            && !rest.is_empty()
            && rest.len() <= ID_BYTES_MAX
            && rest.chars().all(|c| c.is_ascii_alphanumeric())
    });
    if is_person {
        return Ok(format!("{PERSON}{id}"));
    }
    Err(format!(
        "{address:?} is nobody on WhatsApp: write a phone number with the country in front, for example +491701234567"
    ))
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn a_person_is_a_phone_number_or_an_id_for_this_business() {
        for (address, wanted) in [
            ("491701234567", "491701234567"),
            ("whatsapp:+49 (170) 123-4567", "491701234567"),
            ("user:DE.a1b2", "user:DE.a1b2"),
            ("DE.a1b2", "user:DE.a1b2"),
        ] {
            assert_eq!(person(address).as_deref(), Ok(wanted), "{address}");
        }
        for wrong in ["", "anna", "12", "user:", "user:a/b", "de.a1", "+49 170 x"] {
            assert!(person(wrong).is_err(), "{wrong}");
        }
    }
}
