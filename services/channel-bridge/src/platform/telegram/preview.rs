//! Answers that are still being written: drafts where two talk, which vanish by themselves; elsewhere, and where Telegram shows no
//! drafts of ours, a message that is changed.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    api::ApiError,
    chats::{Chat, Place},
    html::html,
    say::{EDIT, PAUSE, SEND, Speaker, addressed, changes, is_gone},
    update::Message,
};
use crate::{
    adapter::{Preview, PreviewError, Shown},
    id::Address,
    markup::{Document, pieces},
};

/// The whole of one call. The answer waits for it, so it is short.
const CALL_WITHIN: Duration = Duration::from_secs(10);

impl Speaker {
    pub(super) async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        let place = self.place(&preview.to, preview.thread_id.as_deref())?;
        if let Some(after) = self.pace().preview_wait(&place.chat, Instant::now()) {
            let reason = "Telegram takes no more in this chat for a while".to_owned();
            return Err(PreviewError::Busy { after, reason });
        }
        let text = html(&pieces(&Document::parse(&preview.text)));
        let drafts = !place.chat.is_shared() && self.drafts.load(Ordering::Relaxed);
        if preview.shown.is_none() && drafts {
            if self.draft(&preview.run, &place, &text).await? {
                return Ok(Shown::default());
            }
            tracing::info!(
                "Telegram shows no drafts of this bot: answers that are being written are messages that change"
            );
            self.drafts.store(false, Ordering::Relaxed);
        }
        if !preview.may_last {
            return Err(PreviewError::MustLast);
        }
        let mut message = self.text_message(preview.reply_to_id.as_ref(), 0, &place);
        message.insert("text".to_owned(), json!(text));
        message.insert("parse_mode".to_owned(), json!("HTML"));
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
            Err(error) => return Err(self.unshown(&place.chat, error)),
        };
        Ok(Shown { id: Some(shown) })
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
    async fn draft(&self, run: &str, place: &Place, text: &str) -> Result<bool, PreviewError> {
        let mut draft = addressed(place);
        draft.insert("draft_id".to_owned(), json!(number(run)));
        draft.insert("text".to_owned(), json!(text));
        draft.insert("parse_mode".to_owned(), json!("HTML"));
        match self
            .api
            .call::<Value>("sendMessageDraft", &draft, CALL_WITHIN)
            .await
        {
            Ok(_) => Ok(true),
            Err(ApiError::Refused(refused)) if matches!(refused.code, 400 | 404) => {
                tracing::debug!(reason = refused.words, "a draft was refused");
                Ok(false)
            }
            // One that was shown without our knowing it vanishes like any other.
            Err(ApiError::Broken(reason)) => Err(PreviewError::Busy { after: PAUSE, reason }),
            Err(error) => Err(self.unshown(&place.chat, error)),
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
