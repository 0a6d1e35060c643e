//! Answers that are still being written: drafts where two talk, which vanish by themselves; elsewhere, and where Telegram shows no
//! drafts of ours, a message that is changed.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    api::ApiError,
    chats::{Chat, Place},
    html::html,
    say::{EDIT, PAUSE, SEND, Speaker, addressed, changes, is_gone, is_of_the_markup, unstyled},
    update::Message,
};
use crate::{
    adapter::{Preview, PreviewError, Shown},
    id::Address,
    markup::{Document, pieces},
};

/// The whole of one call. The answer waits for it, so it is short.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// What is shown, and whether it has markup.
struct Look {
    text: String,
    has_markup: bool,
}

impl Look {
    fn styled(text: String) -> Self {
        Self {
            text,
            has_markup: true,
        }
    }

    fn plain(text: String) -> Self {
        Self {
            text,
            has_markup: false,
        }
    }

    fn put(&self, message: &mut Map<String, Value>) {
        message.insert("text".to_owned(), json!(self.text));
        if self.has_markup {
            message.insert("parse_mode".to_owned(), json!("HTML"));
        }
    }
}

impl Speaker {
    pub(super) async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        let place = self.place(&preview.to, preview.thread_id.as_deref())?;
        if let Some(after) = self.pace().preview_wait(&place.chat, Instant::now()) {
            let reason = "Telegram takes no more in this chat for a while".to_owned();
            return Err(PreviewError::Busy { after, reason });
        }
        let shown = pieces(&Document::parse(&preview.text));
        let error = match self.show(preview, &place, &Look::styled(html(&shown))).await {
            Err(ApiError::Refused(refused)) if is_of_the_markup(&refused) => {
                tracing::debug!(
                    reason = refused.words,
                    "Telegram refused the markup of a preview; it is shown without"
                );
                let plain = Look::plain(unstyled(&shown, &preview.text));
                match self.show(preview, &place, &plain).await {
                    Ok(shown) => return shown,
                    Err(error) => error,
                }
            }
            Err(error) => error,
            Ok(shown) => return shown,
        };
        Err(self.unshown(&place.chat, error))
    }

    /// Shows a text. The outer error: what Telegram said to it.
    async fn show(
        &self,
        preview: &Preview,
        place: &Place,
        look: &Look,
    ) -> Result<Result<Shown, PreviewError>, ApiError> {
        let drafts = !place.chat.is_shared() && self.drafts.load(Ordering::Relaxed);
        if preview.shown.is_none() && drafts {
            match self.draft(&preview.run, place, look).await {
                Ok(true) => return Ok(Ok(Shown::default())),
                Ok(false) => {}
                // One that was shown without our knowing it vanishes like any other.
                Err(ApiError::Broken(reason)) => return Ok(Err(PreviewError::Busy { after: PAUSE, reason })),
                Err(error) => return Err(error),
            }
            tracing::info!(
                "Telegram shows no drafts of this bot: answers that are being written are messages that change"
            );
            self.drafts.store(false, Ordering::Relaxed);
        }
        if !preview.may_last {
            return Ok(Err(PreviewError::MustLast));
        }
        let mut message = self.text_message(preview.reply_to_id.as_ref(), 0, place);
        look.put(&mut message);
        let method = match &preview.shown {
            Some(shown) => {
                changes(&mut message, shown);
                EDIT
            }
            None => SEND,
        };
        self.pace().said(&place.chat, Instant::now());
        let shown = match self.api.call::<Message>(method, &message, CALL_WITHIN).await {
            Ok(sent) => sent.message_id.to_string(),
            Err(ApiError::Refused(refused)) if refused.says("is not modified") => {
                preview.shown.clone().unwrap_or_default()
            }
            Err(error) => return Err(error),
        };
        Ok(Ok(Shown { id: Some(shown) }))
    }

    pub(super) async fn withdraw(
        &self,
        to: &Address,
        thread_id: Option<&str>,
        shown: &str,
    ) -> Result<(), PreviewError> {
        let place = self.place(to, thread_id)?;
        self.take_back(&place, shown).await
    }

    pub(super) async fn take_back(&self, place: &Place, shown: &str) -> Result<(), PreviewError> {
        let message = json!({"chat_id": place.chat.value(), "message_id": shown.parse::<i64>().unwrap_or(0)});
        let deleted = self
            .api
            .call::<Value>("deleteMessage", &message, CALL_WITHIN)
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(ApiError::Refused(refused)) if refused.code == 400 && !refused.says("can't be deleted") => {
                Ok(())
            }
            Err(error) => Err(self.unshown(&place.chat, error)),
        }
    }

    /// Shows a draft. False: Telegram does not.
    async fn draft(&self, run: &str, place: &Place, look: &Look) -> Result<bool, ApiError> {
        let mut draft = addressed(place);
        draft.insert("draft_id".to_owned(), json!(number(run)));
        look.put(&mut draft);
        match self
            .api
            .call::<Value>("sendMessageDraft", &draft, CALL_WITHIN)
            .await
        {
            Ok(_) => Ok(true),
            // That says something of these words, and nothing of drafts.
            Err(ApiError::Refused(refused)) if is_of_the_markup(&refused) => Err(ApiError::Refused(refused)),
            Err(ApiError::Refused(refused)) if matches!(refused.code, 400 | 404) => {
                tracing::debug!(reason = refused.words, "a draft was refused");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn place(&self, to: &Address, thread_id: Option<&str>) -> Result<Place, PreviewError> {
        let place = Place::read(to.as_str(), thread_id).map_err(PreviewError::Never)?;
        Ok(self.now(place))
    }

    fn unshown(&self, chat: &Chat, error: ApiError) -> PreviewError {
        self.heed(chat, &error);
        let refused = match error {
            ApiError::Refused(refused) => refused,
            ApiError::Unreachable(reason) => return PreviewError::Busy { after: PAUSE, reason },
            ApiError::Broken(reason) => return PreviewError::Unknown(reason),
        };
        let reason = format!("Telegram refused: {refused}");
        match refused.code {
            429 => PreviewError::Busy {
                after: refused.retry_after.unwrap_or(PAUSE),
                reason,
            },
            500.. => PreviewError::Unknown(reason),
            _ if is_gone(&refused) => PreviewError::Never(format!("{reason}: somebody deleted it")),
            _ => PreviewError::Never(reason),
        }
    }
}

/// The number of the draft of a run, which is not zero.
fn number(run: &str) -> i32 {
    let digest = Sha256::digest(run);
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    (i32::from_le_bytes(bytes) & i32::MAX) | 1
}
