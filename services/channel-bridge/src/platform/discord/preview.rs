//! Answers that are still being written: a message that is posted, changed, and becomes the answer.

use gatehouse_core::content::Choice;
use reqwest::Method;
use serde_json::Value;

use super::{
    api::ApiError,
    buttons::below,
    chats::Place,
    parts::{Named, messages, nonce},
    say::Mouth,
};
use crate::adapter::{Preview, PreviewError, SendError, Shown};

/// Discord's number for a message that is not there.
const UNKNOWN_MESSAGE: u32 = 10_008;
/// Its numbers for one that cannot be changed: too often for its age, and not ours.
const NOT_CHANGED: [u32; 2] = [30_046, 50_005];

impl Mouth {
    pub(super) async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        let place = Place::read(preview.to.as_str(), preview.thread_id.as_deref());
        let place = place.map_err(PreviewError::Never)?;
        self.quiet(&place)?;
        if !preview.may_last {
            return Err(PreviewError::MustLast);
        }
        // Of what its markup makes longer than a message, the newest part.
        let text = messages(&preview.text).pop().unwrap_or_default();
        let id = match &preview.shown {
            Some(shown) => self.replace(&place, shown, &text, &[]).await?,
            None => self.show_first(preview, &place, &text).await?,
        };
        Ok(Shown { id: Some(id) })
    }

    async fn show_first(&self, preview: &Preview, place: &Place, text: &str) -> Result<String, PreviewError> {
        let channel = self.channel(place).await;
        let channel = channel.map_err(|error| self.failed(place, error))?;
        let nonce = nonce(&format!("preview/{}", preview.run), 0);
        let message = self.message(text, &nonce, &channel, preview.reply_to_id.as_ref(), true);
        let posted = self
            .api
            .post::<Named>(&["channels", &channel, "messages"], &message)
            .await;
        match posted {
            Ok(posted) => Ok(format!("{channel}/{}", self.heed(place, posted).id)),
            // Asked again, Discord says which message it was: it is known by its nonce.
            Err(error) => Err(again(self.failed(place, error)).into()),
        }
    }

    /// Changes a message.
    pub(super) async fn replace(
        &self,
        place: &Place,
        shown: &str,
        text: &str,
        choices: &[Choice],
    ) -> Result<String, SendError> {
        let (channel, message) = standing(shown)?;
        let change = below(Value::Object(self.content(text)), choices);
        let changed = self
            .api
            .patch::<Named>(&["channels", channel, "messages", message], &change)
            .await;
        match changed {
            Ok(changed) => {
                self.heed(place, changed);
                Ok(shown.to_owned())
            }
            Err(ApiError::Refused(refused)) if refused.code == UNKNOWN_MESSAGE => {
                Err(SendError::PreviewGone {
                    reason: format!("Discord refused: {refused}"),
                })
            }
            Err(ApiError::Refused(refused)) if NOT_CHANGED.contains(&refused.code) => {
                // It would stand beside the answer.
                self.withdraw(place, shown).await?;
                Err(SendError::PreviewGone {
                    reason: format!("Discord refused: {refused}"),
                })
            }
            Err(error) => Err(self.failed(place, error)),
        }
    }

    pub(super) async fn withdraw(&self, place: &Place, shown: &str) -> Result<(), SendError> {
        let (channel, message) = standing(shown)?;
        let path = ["channels", channel, "messages", message];
        match self.api.ask(Method::DELETE, &path).await {
            Ok(()) => Ok(()),
            Err(ApiError::Refused(refused)) if refused.code == UNKNOWN_MESSAGE => Ok(()),
            Err(error) => Err(self.failed(place, error)),
        }
    }
}

/// What may have been taken is asked for again.
fn again(error: SendError) -> SendError {
    match error {
        SendError::Unknown { reason } => SendError::retry(reason),
        other => other,
    }
}

/// `<channel>/<message>`
fn standing(shown: &str) -> Result<(&str, &str), SendError> {
    shown.split_once('/').ok_or_else(|| SendError::PreviewGone {
        reason: format!("{shown:?} is not a message of Discord"),
    })
}
