//! What people say: asked for, committed, and only then acknowledged by the next question.

use std::time::Duration;

use gatehouse_core::{Chain, Clock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time;

use super::{
    api::{Api, ApiError},
    chats::Moves,
    ended,
    inbound::Ear,
    update::{Message, User},
};
use crate::{
    account::AccountState,
    adapter::{Ended, InboundMessage, InboundSink, Progress, ReceiveError},
};

/// How long Telegram keeps a question open in which nobody says anything.
const POLL_SECONDS: u64 = 25;
/// The same with what the way takes.
const POLL_WITHIN: Duration = Duration::from_secs(POLL_SECONDS + 10);
/// The most updates of one answer: Telegram's own figure.
const UPDATES_MAX: u32 = 100;
/// Polls that fail in a row before the connection is made anew.
const FAILURES_MAX: u32 = 3;
/// Between them, and before what could not be committed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Telegram numbers updates anew at random when none came for a week. A place that is older than this says nothing any more.
const PLACE_GOOD_FOR: Duration = Duration::from_secs(6 * 24 * 3600);
/// While Telegram wants silence, it is there.
const SILENCE_STEP: Duration = Duration::from_secs(20);
/// The longest silence that is kept in one go.
const SILENCE_MAX: Duration = Duration::from_secs(3600);
/// The name under which the place is kept.
const PLACE: &str = "updates";

/// Where reading goes on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    /// Whose updates: those of another bot have other numbers.
    bot: i64,
    /// The first that was not read.
    next: i64,
    /// When that was known, milliseconds since 1970.
    at: i64,
}

/// The questions of one connection.
#[derive(Debug)]
pub(super) struct Poll<'a> {
    pub(super) api: &'a Api,
    pub(super) me: &'a User,
    pub(super) moves: &'a Moves,
    pub(super) state: &'a AccountState,
    pub(super) clock: &'a Clock,
    pub(super) inbound: &'a InboundSink,
    pub(super) progress: &'a Progress,
}

impl Poll<'_> {
    /// Asks until it cannot.
    pub(super) async fn run(&self) -> Ended {
        let (mut next, mut failures, mut freed) = (self.place().await, 0, false);
        loop {
            let error = match self.ask(next).await {
                Ok(updates) => {
                    failures = 0;
                    self.progress.heard();
                    let behind = self.take(&updates).await;
                    if let Some(behind) = behind {
                        self.keep(behind).await;
                        next = Some(behind);
                    }
                    continue;
                }
                Err(error) => error,
            };
            match &error {
                // Somebody used the bot with a webhook before. It was given to us to be asked.
                ApiError::Refused(refused) if refused.code == 409 && refused.says("webhook") && !freed => {
                    tracing::warn!(
                        "the bot had a webhook, which keeps messages from whoever asks for them: it is taken away"
                    );
                    freed = true;
                    if let Err(error) = self.api.ask::<Value>("deleteWebhook").await {
                        return ended(&error);
                    }
                }
                ApiError::Refused(refused) if refused.code == 429 => {
                    self.wait(refused.retry_after.unwrap_or(RETRY)).await;
                }
                ApiError::Refused(refused) if refused.code < 500 => return ended(&error),
                ApiError::Refused(_) | ApiError::Unreachable(_) | ApiError::Broken(_) => {
                    failures += 1;
                    tracing::debug!(%error, "Telegram could not be asked");
                    if failures >= FAILURES_MAX {
                        return ended(&error);
                    }
                    time::sleep(RETRY * failures).await;
                }
            }
        }
    }

    async fn ask(&self, next: Option<i64>) -> Result<Vec<Value>, ApiError> {
        let mut question = json!({
            "timeout": POLL_SECONDS, "limit": UPDATES_MAX, "allowed_updates": ["message", "edited_message"],
        });
        if let (Some(next), Some(fields)) = (next, question.as_object_mut()) {
            fields.insert("offset".to_owned(), next.into());
        }
        self.api.call("getUpdates", &question, POLL_WITHIN).await
    }

    /// Commits what was said. The number behind the last update.
    async fn take(&self, updates: &[Value]) -> Option<i64> {
        let mut behind = None;
        for update in updates {
            let Some(id) = update.get("update_id").and_then(Value::as_i64) else {
                continue;
            };
            behind = Some(id.saturating_add(1));
            let edited = update.get("message").is_none();
            let message = update.get("message").or_else(|| update.get("edited_message"));
            let Some(message) = message else { continue };
            match Message::deserialize(message) {
                Ok(message) => self.hear(&message, edited).await,
                Err(error) => tracing::warn!(%error, "an update is not understood and left out"),
            }
        }
        behind
    }

    async fn hear(&self, message: &Message, edited: bool) {
        let moved = [
            message.migrate_to_chat_id.map(|new| (message.chat.id, new)),
            message.migrate_from_chat_id.map(|old| (old, message.chat.id)),
        ];
        for (old, new) in moved.into_iter().flatten() {
            tracing::info!(chat.id = old, to = new, "a group has another number now");
            while let Err(error) = self.moves.learn(old, new).await {
                tracing::error!(error = %Chain(&error), "the new number of a group cannot be kept yet");
                time::sleep(RETRY).await;
            }
        }
        let ear = Ear {
            me: self.me,
            moves: self.moves,
        };
        if let Some(heard) = ear.hear(message, edited) {
            self.commit(heard).await;
        }
    }

    /// Until it is committed: what is not would be acknowledged by the next question.
    async fn commit(&self, message: InboundMessage) {
        loop {
            let problem = match self.inbound.receive(message.clone()).await {
                Ok(_) => return,
                Err(ReceiveError::Invalid(problem)) => {
                    tracing::warn!(problem, "a message was left out");
                    return;
                }
                Err(problem) => problem,
            };
            tracing::warn!(problem = %Chain(&problem), "a message cannot be taken yet; Telegram keeps it");
            time::sleep(RETRY).await;
        }
    }

    async fn place(&self) -> Option<i64> {
        let kept = loop {
            match self.state.get(PLACE).await {
                Ok(kept) => break kept?,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the place in the updates cannot be read yet");
                    time::sleep(RETRY).await;
                }
            }
        };
        let place: Place = serde_json::from_slice(&kept).ok()?;
        let good = place.bot == self.me.id && self.clock.age(place.at) < PLACE_GOOD_FOR;
        good.then_some(place.next)
    }

    /// The place is on the disk before Telegram may forget what is before it.
    async fn keep(&self, next: i64) {
        let place = Place {
            bot: self.me.id,
            next,
            at: self.clock.now_ms(),
        };
        let Ok(kept) = serde_json::to_vec(&place) else {
            return;
        };
        while let Err(error) = self.state.put(PLACE, kept.clone()).await {
            tracing::error!(error = %Chain(&error), "the place in the updates cannot be kept yet");
            time::sleep(RETRY).await;
        }
    }

    async fn wait(&self, silence: Duration) {
        let mut left = silence.min(SILENCE_MAX);
        while !left.is_zero() {
            let step = left.min(SILENCE_STEP);
            time::sleep(step).await;
            self.progress.heard(); // it said itself that it is there, and not to be asked
            left -= step;
        }
    }
}
