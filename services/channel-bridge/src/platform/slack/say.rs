//! One part of an answer on its way into a chat.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_core::content::Choice;
use gatehouse_document::telegram::ReplyToMode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    api::{Api, ApiError, Refused},
    asked::Asked,
    buttons::blocks,
    chats::{Place, is_ts},
    config::SlackConfig,
    mrkdwn::shown,
    refusal,
    streams::{Posted, Streams},
};
use crate::{
    adapter::{AccountKey, Receipt, SendError, SendPart},
    id::MessageId,
    media::MediaReader,
    platform::{
        Deps,
        web::{
            client::WebError,
            outbound::{Speaker, Verdict},
            silence::Silence,
        },
    },
};

/// Chats that are spoken to at the same time.
pub(super) const CONCURRENCY: usize = 16;
/// A pause where Slack names none.
const PAUSE: Duration = Duration::from_secs(5);
/// What stands below a thread while it is answered.
const STATUS: &str = "is typing…";

/// Who speaks for one account. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    pub(super) api: Arc<Api>,
    silence: Arc<Mutex<Silence>>,
    verdict: Verdict,
    /// Who asked, for whom an answer is streamed.
    pub(super) asked: Asked,
    /// What was streamed so far.
    pub(super) streams: Streams,
    reply_to: ReplyToMode,
    link_preview: bool,
    /// Reads the files that are to be sent.
    pub(super) media: MediaReader,
    /// Slack does not let this app show that it is typing.
    no_status: Arc<AtomicBool>,
    account: AccountKey,
}

impl Mouth {
    pub(super) fn new(api: Arc<Api>, config: &SlackConfig, deps: &Deps, asked: Asked) -> Self {
        Self {
            api,
            silence: Arc::default(),
            verdict: Verdict::default(),
            asked,
            streams: Streams::default(),
            reply_to: config.reply_to,
            link_preview: config.link_preview,
            media: deps.media.clone(),
            no_status: Arc::default(),
            account: deps.account.clone(),
        }
    }

    /// What ends the connection; a new one begins with none.
    pub(super) fn begin(&self) -> Verdict {
        self.verdict.forget();
        self.verdict.clone()
    }

    /// The thread that a part goes into: the one that was asked in, else one below the question where the operator wants that.
    /// `index`: which part of an answer.
    pub(super) fn thread(&self, answers: Option<&MessageId>, index: u32, place: &Place) -> Option<String> {
        let begins = self.reply_to == ReplyToMode::First && index == 0;
        let asked = || message_ts(answers?, place).filter(|_| begins);
        place.thread.clone().or_else(asked)
    }

    /// Posts a message, with buttons where there are choices.
    pub(super) async fn post(
        &self,
        place: &Place,
        thread: Option<String>,
        text: &str,
        choices: &[Choice],
    ) -> Result<Posted, ApiError> {
        let mut message = json!({
            "channel": place.channel, "text": shown(text), "mrkdwn": true,
            "unfurl_links": self.link_preview, "unfurl_media": self.link_preview,
        });
        if let (Some(thread), Some(fields)) = (thread, message.as_object_mut()) {
            fields.insert("thread_ts".to_owned(), json!(thread));
        }
        if let Some(fields) = message.as_object_mut().filter(|_| !choices.is_empty()) {
            fields.insert("blocks".to_owned(), blocks(text, choices));
        }
        self.api.call("chat.postMessage", &message).await
    }

    /// A part in words alone, if Slack refused it for its buttons.
    pub(super) fn without_buttons(&self, part: &SendPart, refused: &Refused) -> Option<String> {
        if part.choices.is_empty() || !refused.word.contains("blocks") {
            return None;
        }
        tracing::warn!(account.id = %self.account, reason = %refused, "Slack refused buttons; the choices are sent in words");
        Some(format!("{}\n\n{}", part.text, Choice::in_words(&part.choices)))
    }

    /// Refused for so long that nothing is asked in this chat.
    pub(super) fn quiet(&self, channel: &str) -> Result<(), SendError> {
        match self.silence().wait(channel, Instant::now()) {
            Some(after) => {
                let reason = "Slack takes no more in this chat for a while".to_owned();
                Err(SendError::ChatBusy { after, reason })
            }
            None => Ok(()),
        }
    }

    pub(super) fn failed(&self, channel: &str, error: ApiError) -> SendError {
        let refused = match error {
            ApiError::Refused(refused) => refused,
            ApiError::Web(WebError::Unreachable(reason)) => return SendError::retry(reason),
            ApiError::Web(WebError::Broken(reason)) => return SendError::unknown(reason),
        };
        if refused.status == 429 || refused.word == "ratelimited" || refused.word == "rate_limited" {
            return self.busy(channel, &refused);
        }
        if let Some(ended) = refusal::ends_all(&refused) {
            tracing::error!(account.id = %self.account, reason = %refused, "Slack takes nothing from this account any more");
            self.verdict.give(ended);
            return SendError::retry(format!("Slack refused: {refused}"));
        }
        match refused.word.as_str() {
            // "It's possible some aspect of the operation succeeded" (chat.postMessage).
            "fatal_error" | "internal_error" | "request_timeout" => {
                SendError::unknown(format!("Slack stumbled: {refused}"))
            }
            "service_unavailable" | "team_added_to_org" | "accesslimited" | "message_limit_exceeded" => {
                SendError::retry(format!("Slack refused: {refused}"))
            }
            _ if refused.status == 504 => SendError::unknown(format!("Slack refused: {refused}")),
            _ if refused.status >= 500 || refused.is_foreign => SendError::Retry {
                after: refused.retry_after,
                reason: format!("Slack refused: {refused}"),
            },
            _ => SendError::permanent(refusal::of_a_chat(&refused)),
        }
    }

    /// Keeps the silence that Slack asks for.
    fn busy(&self, channel: &str, refused: &Refused) -> SendError {
        let after = refused.retry_after.unwrap_or(PAUSE);
        let now = Instant::now();
        let reason = format!("Slack wants silence for {} seconds", after.as_secs());
        if self.silence().keep(channel, now + after, now) {
            SendError::Retry {
                after: Some(after),
                reason,
            }
        } else {
            SendError::ChatBusy { after, reason }
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
    /// Slack takes a status away after two minutes.
    const TYPING_AGAIN: Duration = Duration::from_secs(90);

    fn place(&self, to: &str, thread: Option<&str>) -> Option<Place> {
        Place::read(to, thread).ok()
    }

    async fn say(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let place = Place::read(part.to.as_str(), part.thread_id.as_deref()).map_err(SendError::permanent)?;
        self.quiet(&place.channel)?;
        if let Some(medium) = part.media.first() {
            return self.say_medium(part, &place, medium).await;
        }
        if let Some(replaced) = &part.replaces {
            return self.replace(replaced, part).await;
        }
        let thread = self.thread(part.reply_to_id.as_ref(), part.index, &place);
        let posted = self.post(&place, thread.clone(), &part.text, &part.choices).await;
        let posted = match posted {
            Err(ApiError::Refused(refused)) => match self.without_buttons(part, &refused) {
                Some(words) => self.post(&place, thread, &words, &[]).await,
                None => Err(ApiError::Refused(refused)),
            },
            posted => posted,
        };
        let posted = posted.map_err(|error| self.failed(&place.channel, error))?;
        Ok(receipt(&posted.channel, &posted.ts))
    }

    async fn typing(&self, place: &Place) {
        // Slack shows it below a thread only.
        let Some(thread) = place
            .thread
            .as_ref()
            .filter(|_| !self.no_status.load(Ordering::Relaxed))
        else {
            return;
        };
        let status = json!({"channel_id": place.channel, "thread_ts": thread, "status": STATUS});
        let shown = self
            .api
            .call::<Value>("assistant.threads.setStatus", &status)
            .await;
        match shown {
            Ok(_) => {}
            Err(ApiError::Refused(refused))
                if refused.status != 429 && refused.status < 500 && !refused.is_foreign =>
            {
                tracing::debug!(reason = %refused, "Slack does not show that this app is typing");
                self.no_status.store(true, Ordering::Relaxed);
            }
            Err(error) => tracing::debug!(%error, "a typing hint was not shown"),
        }
    }

    async fn is_there(&self) -> bool {
        self.api.who_am_i().await.is_ok()
    }
}

pub(super) fn receipt(channel: &str, ts: &str) -> Receipt {
    Receipt {
        platform_id: Some(format!("{channel}/{ts}")),
        ..Receipt::default()
    }
}

/// The `ts` of a message in this chat: `<channel>/<ts>` as we name them, or the `ts` alone.
pub(super) fn message_ts(id: &MessageId, place: &Place) -> Option<String> {
    let mut parts = id.as_str().split('/');
    let (first, second) = (parts.next()?, parts.next());
    let ts = match second {
        None => first,
        Some(ts) => Some(ts).filter(|_| first == place.channel)?,
    };
    is_ts(ts).then(|| ts.to_owned())
}
