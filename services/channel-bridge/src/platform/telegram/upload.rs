//! Files on their way into a chat: as what Telegram shows them, a picture, a recording, a video, or a file to be saved.

use gatehouse_core::content::Media;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    api::ApiError,
    chats::Place,
    html::html,
    say::{Speaker, receipt},
    update::Message,
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    markup::{Document, pieces},
    media::Kept,
    platform::web::file::{self, UPLOAD_WITHIN},
};

/// What Telegram's own server takes from a bot, in bytes (`sendDocument`).
pub(super) const UPLOAD_BYTES_MAX: i64 = 50 * 1_000_000;
/// The largest picture that is shown as one (`sendPhoto`); larger ones are files.
const PHOTO_BYTES_MAX: u64 = 10 * 1_000_000;

/// As what a file is sent: the method, and the field that holds it.
type Form = (&'static str, &'static str);

const DOCUMENT: Form = ("sendDocument", "document");

/// What Telegram shows a file of this type as. What it does not play or draw is a file to be saved.
fn form(mime_type: &str, size_bytes: u64) -> Form {
    match mime_type {
        "image/jpeg" | "image/png" | "image/webp" if size_bytes <= PHOTO_BYTES_MAX => ("sendPhoto", "photo"),
        "image/gif" => ("sendAnimation", "animation"),
        "audio/ogg" => ("sendVoice", "voice"),
        "audio/mpeg" | "audio/mp4" => ("sendAudio", "audio"),
        "video/mp4" => ("sendVideo", "video"),
        _ => DOCUMENT,
    }
}

impl Speaker {
    /// Sends a part that is a medium. One that cannot be had, or that Telegram does not take, is named in words.
    pub(super) async fn say_medium(
        &self,
        part: &SendPart,
        place: &Place,
        medium: &Media,
    ) -> Result<Receipt, SendError> {
        if let Some(shown) = &part.replaces {
            // A message of words never becomes a file.
            self.take_back(place, shown)
                .await
                .map_err(|error| SendError::retry(error.to_string()))?;
            return Err(SendError::PreviewGone {
                reason: "the answer is a file".into(),
            });
        }
        let kept = match file::open(&self.media, medium).await? {
            Ok(kept) => kept,
            Err(reason) => return self.name(part, medium, &reason).await,
        };
        let form = form(&kept.mime_type, kept.size_bytes);
        let refused = match self.upload(part, place, medium, form, kept).await? {
            Ok(receipt) => return Ok(receipt),
            Err(ApiError::Refused(refused)) if self.moved(place, &refused).await.is_some() => {
                return Err(SendError::retry("the group has another number now"));
            }
            Err(ApiError::Refused(refused)) if matches!(refused.code, 400 | 413) => refused,
            Err(error) => return Err(self.failed(&place.chat, error)),
        };
        if refused.code == 400 && form != DOCUMENT && !is_of_the_chat(&refused.words) {
            tracing::info!(account.id = %self.account, reason = refused.words, "Telegram does not show a file as what it is; it is sent to be saved");
            let kept = self.media.open(medium).await;
            let kept = kept.map_err(|error| SendError::retry(error.to_string()))?;
            return match self.upload(part, place, medium, DOCUMENT, kept).await? {
                Ok(receipt) => Ok(receipt),
                Err(error) => Err(self.failed(&place.chat, error)),
            };
        }
        if refused.code == 413 {
            return self
                .name(part, medium, "Telegram takes no file that is this large")
                .await;
        }
        Err(self.failed(&place.chat, ApiError::Refused(refused)))
    }

    async fn upload(
        &self,
        part: &SendPart,
        place: &Place,
        medium: &Media,
        (method, field): Form,
        kept: Kept,
    ) -> Result<Result<Receipt, ApiError>, SendError> {
        let mut fields: Map<String, Value> = self.text_message(part.reply_to_id.as_ref(), part.index, place);
        fields.remove("link_preview_options");
        if !part.text.trim().is_empty() {
            fields.insert(
                "caption".to_owned(),
                json!(html(&pieces(&Document::parse(&part.text)))),
            );
            fields.insert("parse_mode".to_owned(), json!("HTML"));
        }
        let (file, broken) = file::field(medium, kept)?;
        self.pace().said(&place.chat, Instant::now());
        let sent = self
            .api
            .upload::<Message>(method, &fields, field, file, UPLOAD_WITHIN)
            .await;
        match (sent, broken.reason()) {
            (Ok(sent), _) => Ok(Ok(receipt(sent.message_id.to_string()))),
            (Err(ApiError::Broken(_)), Some(reason)) => Err(SendError::retry(reason)),
            (Err(error), _) => Ok(Err(error)),
        }
    }

    /// Says that there is a medium which cannot be shown.
    async fn name(&self, part: &SendPart, medium: &Media, reason: &str) -> Result<Receipt, SendError> {
        Box::pin(self.say(&file::named(part, medium, reason))).await
    }
}

/// Whether a refusal has nothing to do with what the file is.
fn is_of_the_chat(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["chat", "thread", "topic", "rights", "not enough"]
        .iter()
        .any(|word| words.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{PHOTO_BYTES_MAX, form};

    #[test]
    fn a_file_is_sent_as_what_it_is_shown_as_and_anything_else_to_be_saved() {
        for (mime_type, size, method) in [
            ("image/png", 1, "sendPhoto"),
            ("image/png", PHOTO_BYTES_MAX + 1, "sendDocument"),
            ("image/gif", 1, "sendAnimation"),
            ("image/svg+xml", 1, "sendDocument"),
            ("audio/ogg", 1, "sendVoice"),
            ("audio/mpeg", 1, "sendAudio"),
            ("audio/flac", 1, "sendDocument"),
            ("video/mp4", 1, "sendVideo"),
            ("application/pdf", 1, "sendDocument"),
        ] {
            assert_eq!(form(mime_type, size).0, method, "{mime_type}");
        }
    }
}
