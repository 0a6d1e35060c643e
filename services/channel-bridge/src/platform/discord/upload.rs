//! Files on their way into a chat, each with a message, and recordings as voice messages.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use gatehouse_core::content::Media;
use serde_json::{Value, json};

use super::{
    api::{Answered, ApiError, Refused},
    chats::Place,
    parts::{Named, nonce},
    say::Mouth,
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    media::Kept,
    platform::web::{
        file::{self, Broken},
        voice::Voice,
    },
};

/// What Discord takes from a bot in a server that nobody boosts, in bytes (*Uploading Files*: 10 MiB).
pub(super) const UPLOAD_BYTES_MAX: i64 = 10 * 1024 * 1024;
/// The longest recording that is sent as a voice message, in bytes: to say how long it is, it has to be held as a whole. Speech takes
/// three to four kilobytes a second, so it is about nine minutes.
const VOICE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// `IS_VOICE_MESSAGE`, of messages.
const IS_VOICE: u64 = 1 << 13;
/// Discord's numbers for a voice message that it does not take (50159 to 50162), and for a chat where it takes none.
const NO_VOICE: [u32; 5] = [50_159, 50_160, 50_161, 50_162, 50_173];
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
        let mut kept = match file::open(&self.media, medium).await? {
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
        // A voice message has no words beside it.
        if part.text.trim().is_empty()
            && let Some(voice) = recording(&mut kept).await?
        {
            let spoken = spoken(message.clone(), &voice);
            let (sent, _) = self.post(&channel, &spoken, medium, kept).await?;
            match sent {
                Ok(sent) => return Ok(self.receipt(place, &channel, sent)),
                Err(ApiError::Refused(refused)) if NO_VOICE.contains(&refused.code) => {
                    tracing::info!(reason = %refused, "Discord takes no voice message here; it is sent to be saved");
                }
                Err(error) => return Err(self.failed(place, error)),
            }
            kept = match file::open(&self.media, medium).await? {
                Ok(kept) => kept,
                Err(reason) => return self.name(part, medium, &reason).await,
            };
        }
        let (sent, broken) = self.post(&channel, &message, medium, kept).await?;
        match (sent, broken.reason()) {
            (Ok(sent), _) => Ok(self.receipt(place, &channel, sent)),
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

    async fn post(
        &self,
        channel: &str,
        message: &Value,
        medium: &Media,
        kept: Kept,
    ) -> Result<(Result<Answered<Named>, ApiError>, Broken), SendError> {
        let (field, broken) = file::field(medium, kept)?;
        let path = ["channels", channel, "messages"];
        Ok((self.api.post_file(&path, message, field).await, broken))
    }

    fn receipt(&self, place: &Place, channel: &str, sent: Answered<Named>) -> Receipt {
        Receipt {
            platform_id: Some(format!("{channel}/{}", self.heed(place, sent).id)),
            ..Receipt::default()
        }
    }

    async fn name(&self, part: &SendPart, medium: &Media, reason: &str) -> Result<Receipt, SendError> {
        Box::pin(self.say_words(&file::named(part, medium, reason))).await
    }
}

/// What a file looks like, if it is a recording that can be sent as one. It is held as a whole from then on.
async fn recording(kept: &mut Kept) -> Result<Option<Voice>, SendError> {
    if kept.size_bytes > VOICE_BYTES_MAX || !file::is_voice(kept).await {
        return Ok(None);
    }
    let bytes = std::mem::replace(&mut kept.bytes, stream::empty().boxed());
    let file: Vec<Bytes> = bytes
        .try_collect()
        .await
        .map_err(|error| SendError::retry(error.to_string()))?;
    let file = Bytes::from(file.concat());
    let voice = Voice::of(&file);
    kept.bytes = stream::iter([Ok(file)]).boxed();
    Ok(voice)
}

/// A message as a voice message.
fn spoken(mut message: Value, voice: &Voice) -> Value {
    if let Some(fields) = message.as_object_mut() {
        fields.remove("content");
        fields.insert("flags".to_owned(), json!(IS_VOICE));
        let recorded = json!({"id": 0, "filename": "voice-message.ogg", "duration_secs": voice.seconds,
            "waveform": BASE64_STANDARD.encode(&voice.loudness)});
        fields.insert("attachments".to_owned(), json!([recorded]));
    }
    message
}

/// Whether this file, or any, is not taken, and words may be.
fn is_of_files(refused: &Refused) -> bool {
    refused.status == 413 || matches!(refused.code, TOO_LARGE | NO_RIGHT)
}
