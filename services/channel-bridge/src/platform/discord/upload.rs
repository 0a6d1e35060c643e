//! Files on their way into a chat, each with a message.

use gatehouse_core::content::Media;

use super::{
    api::{ApiError, Refused},
    chats::Place,
    parts::{Named, nonce},
    say::Mouth,
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    platform::web::file,
};

/// What Discord takes from a bot in a server that nobody boosts, in bytes (*Uploading Files*: 10 MiB).
pub(super) const UPLOAD_BYTES_MAX: i64 = 10 * 1024 * 1024;
/// Discord's number for a file that is too large.
const TOO_LARGE: u32 = 40_005;
/// Its number for a right that is missing.
const NO_RIGHT: u32 = 50_013;

impl Mouth {
    /// Sends a part that is a medium. One that cannot be had, or that Discord does not take, is named in words.
    pub(super) async fn say_medium(
        &self,
        part: &SendPart,
        place: &Place,
        medium: &Media,
    ) -> Result<Receipt, SendError> {
        if let Some(replaced) = &part.replaces {
            // A message of words never becomes a file.
            return Err(match self.withdraw(place, replaced).await {
                Ok(()) | Err(SendError::Permanent { .. } | SendError::PreviewGone { .. }) => {
                    SendError::PreviewGone {
                        reason: "the answer is a file".to_owned(),
                    }
                }
                Err(error) => error,
            });
        }
        let kept = match file::open(&self.media, medium).await? {
            Ok(kept) => kept,
            Err(reason) => return self.name(part, medium, &reason).await,
        };
        let channel = self.channel(place).await;
        let channel = channel.map_err(|error| self.failed(place, error))?;
        let message = self.message(
            &part.text,
            &nonce(&part.key, 0),
            &channel,
            part.reply_to_id.as_ref(),
            part.index == 0,
        );
        let (field, broken) = file::field(medium, kept)?;
        let path = ["channels", &channel, "messages"];
        let sent = self.api.post_file::<Named>(&path, &message, field).await;
        match (sent, broken.reason()) {
            (Ok(sent), _) => Ok(Receipt {
                platform_id: Some(format!("{channel}/{}", self.heed(place, sent).id)),
                unconfirmed: false,
            }),
            (Err(ApiError::Web(_)), Some(reason)) => Err(SendError::retry(reason)),
            (Err(ApiError::Refused(refused)), _) if is_of_files(&refused) => {
                let step = if refused.code == NO_RIGHT {
                    "; does the bot's role have Attach Files?"
                } else {
                    ""
                };
                let reason = format!("Discord refused: {refused}{step}");
                self.name(part, medium, &reason).await
            }
            (Err(error), _) => Err(self.failed(place, error)),
        }
    }

    async fn name(&self, part: &SendPart, medium: &Media, reason: &str) -> Result<Receipt, SendError> {
        Box::pin(self.say_words(&file::named(part, medium, reason))).await
    }
}

/// Whether this file, or any, is not taken, and words may be.
fn is_of_files(refused: &Refused) -> bool {
    refused.status == 413 || matches!(refused.code, TOO_LARGE | NO_RIGHT)
}
