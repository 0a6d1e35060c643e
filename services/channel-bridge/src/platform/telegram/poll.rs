//! What people say: asked for, committed, and only then acknowledged by the next question.

use std::time::Duration;

use gatehouse_core::{Chain, Clock, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time;

use super::{
    api::{Api, ApiError},
    chats::Moves,
    ended,
    inbound::Ear,
    keyboard,
    own::Own,
    told::Update,
    update::{Message, User},
    whole::{Open, whole},
};
use crate::{
    account::AccountState,
    adapter::{Ended, InboundMessage, InboundSink, Progress, ReceiveError},
    platform::web::wording::Wordings,
};

/// How long Telegram keeps a question open in which nobody says anything.
const POLL_SECONDS: u64 = 25;
/// The same with what the way takes.
const POLL_WITHIN: Duration = Duration::from_secs(POLL_SECONDS + 10);
/// The most updates of one answer: Telegram's own figure.
const UPDATES_MAX: u32 = 100;
/// How long the next message of an album may take.
pub(super) const ALBUM_WAIT: Duration = Duration::from_millis(700);
/// What is asked for.
pub(super) const UPDATES: [&str; 4] = ["message", "edited_message", "message_reaction", "callback_query"];
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
    /// When that was known.
    at: Timestamp,
}

/// What became of the answer to a question.
#[derive(Debug, Default)]
struct Taken {
    /// Where reading goes on.
    behind: Option<i64>,
    /// Albums that are left: more of them may come.
    open: Open,
}

/// The questions of one connection.
#[derive(Debug)]
pub(super) struct Poll<'a> {
    pub(super) api: &'a Api,
    pub(super) me: &'a User,
    pub(super) moves: &'a Moves,
    pub(super) own: &'a Own,
    pub(super) wordings: &'a Wordings,
    pub(super) state: &'a AccountState,
    pub(super) clock: &'a Clock,
    pub(super) inbound: &'a InboundSink,
    pub(super) progress: &'a Progress,
}

impl Poll<'_> {
    /// Asks until it cannot.
    pub(super) async fn run(&self) -> Ended {
        let (mut next, mut failures, mut freed) = (self.place().await, 0, false);
        let mut open = Open::new();
        loop {
            let error = match self.ask(next, !open.is_empty()).await {
                Ok(updates) => {
                    failures = 0;
                    self.progress.heard();
                    let taken = self.take(&updates, &open).await;
                    let behind = taken.behind;
                    if behind.is_some() && behind != next {
                        self.keep(behind).await;
                        next = behind;
                    }
                    open = taken.open;
                    if !open.is_empty() {
                        time::sleep(ALBUM_WAIT).await;
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

    /// `at_once`: there is something, and it is to be looked whether there is more.
    async fn ask(&self, next: Option<i64>, at_once: bool) -> Result<Vec<Value>, ApiError> {
        let seconds = if at_once { 0 } else { POLL_SECONDS };
        let mut question = json!({
            "timeout": seconds, "limit": UPDATES_MAX, "allowed_updates": UPDATES,
        });
        if let (Some(next), Some(fields)) = (next, question.as_object_mut()) {
            fields.insert("offset".to_owned(), next.into());
        }
        let updates: Vec<Value> = self.api.call("getUpdates", &question, POLL_WITHIN).await?;
        // Without a number there is no way past them, and they would be asked for again at once.
        let is_numbered = |update: &Value| update.get("update_id").is_some_and(Value::is_i64);
        if !updates.is_empty() && !updates.iter().any(is_numbered) {
            return Err(ApiError::Broken("the updates of Telegram have no numbers".into()));
        }
        Ok(updates)
    }

    /// Commits what was said. `known`: the albums that were left when it was last looked. What may not be whole is asked for once more.
    async fn take(&self, updates: &[Value], known: &Open) -> Taken {
        let updates: Vec<Update> = updates.iter().filter_map(Update::read).collect();
        let (count, open) = whole(&updates, known);
        let (these, others) = updates.split_at(count);
        for (place, update) in these.iter().enumerate() {
            let Some(album) = update.album() else {
                self.hear(&[update]).await;
                continue;
            };
            let of_it = |other: &&Update| other.album() == Some(album);
            // All of it with its first message.
            if !these.iter().take(place).any(|before| of_it(&before)) {
                let album: Vec<&Update> = these.iter().filter(of_it).collect();
                self.hear(&album).await;
            }
        }
        let next = others.first().map(|next| next.id);
        let behind = || these.last().map(|last| last.id.saturating_add(1));
        Taken {
            behind: next.or_else(behind),
            open,
        }
    }

    async fn hear(&self, updates: &[&Update]) {
        for update in updates {
            update.remark(self.inbound, self.own);
            if let Some(message) = &update.message {
                self.learn(message).await;
            }
        }
        let ear = Ear {
            me: self.me,
            moves: self.moves,
            wordings: self.wordings,
        };
        if let [
            Update {
                press: Some(press), ..
            },
        ] = updates
        {
            if let Some(heard) = ear.press(press, self.clock.now()) {
                self.commit(heard).await;
            }
            keyboard::answer(self.api, press).await;
            return;
        }
        let heard = match updates {
            [one] => one
                .message
                .as_ref()
                .and_then(|message| ear.hear(message, one.edited)),
            album => {
                let messages: Vec<Message> = album.iter().filter_map(|one| one.message.clone()).collect();
                ear.hear_album(&messages)
            }
        };
        if let Some(heard) = heard {
            self.commit(heard).await;
        }
        let messages = updates.iter().filter_map(|update| update.message.as_ref());
        messages.for_each(|message| ear.learn(message));
    }

    /// What a message says about the numbers of groups, until it is kept.
    async fn learn(&self, message: &Message) {
        while let Err(error) = self.moves.heed(message).await {
            tracing::error!(error = %Chain(&error), "the new number of a group cannot be kept yet");
            time::sleep(RETRY).await;
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
    async fn keep(&self, next: Option<i64>) {
        let Some(next) = next else { return };
        let place = Place {
            bot: self.me.id,
            next,
            at: self.clock.now(),
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
