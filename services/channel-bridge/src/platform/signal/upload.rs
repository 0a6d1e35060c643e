//! Files on their way into a chat: within the question itself, as an address that holds the bytes.

use super::{chats::Place, say::Mouth};
use crate::{
    adapter::{FetchError, Receipt, SendError, SendPart},
    media::Kept,
    platform::web::file,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::TryStreamExt;
use gatehouse_core::content::Media;

/// Signal takes more, but a question to the daemon is whole in memory, in Base64, here and there.
pub(super) const UPLOAD_BYTES_MAX: i64 = 16 * 1_000_000;

impl Mouth {
    /// Sends a part that is a medium. One that cannot be had is named in words.
    pub(super) async fn say_medium(
        &self,
        part: &SendPart,
        place: &Place,
        medium: &Media,
    ) -> Result<Receipt, SendError> {
        let kept = match file::open(&self.media, medium).await? {
            Ok(kept) => kept,
            Err(reason) => return self.name(part, place, medium, &reason).await,
        };
        if i64::try_from(kept.size_bytes).is_ok_and(|size| size > UPLOAD_BYTES_MAX) {
            let reason = format!("it is larger than {} MB", UPLOAD_BYTES_MAX / 1_000_000);
            return self.name(part, place, medium, &reason).await;
        }
        let address = address(medium, kept).await?;
        match self.say_words(part, place, &part.text, Some(address)).await {
            // The daemon takes whatever it is given, unless it is in want of room or rights.
            Err(SendError::Permanent { reason }) if reason.to_ascii_lowercase().contains("attachment") => {
                self.name(part, place, medium, &reason).await
            }
            other => other,
        }
    }

    async fn name(
        &self,
        part: &SendPart,
        place: &Place,
        medium: &Media,
        reason: &str,
    ) -> Result<Receipt, SendError> {
        let named = file::named(part, medium, reason);
        self.say_words(part, place, &named.text, None).await
    }
}

/// `data:image/png;filename=cat.png;base64,...`, as signal-cli reads it.
async fn address(medium: &Media, kept: Kept) -> Result<String, SendError> {
    let Kept { mime_type, bytes, .. } = kept;
    let broken = |error: FetchError| SendError::retry(error.to_string());
    let mut whole = Vec::new();
    let mut bytes = bytes;
    while let Some(part) = bytes.try_next().await.map_err(broken)? {
        whole.extend_from_slice(&part);
    }
    // What would end the name.
    let name = file::name(medium, &mime_type).replace([';', ',', '%'], "_");
    Ok(format!(
        "data:{mime_type};filename={name};base64,{}",
        BASE64_STANDARD.encode(whole)
    ))
}
