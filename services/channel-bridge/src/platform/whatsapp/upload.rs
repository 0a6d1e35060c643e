//! Files on their way to a person: brought to Meta, then named in a message.

use gatehouse_core::content::Media;
use serde_json::json;

use super::{
    api::{ApiError, Refused},
    refusal,
    say::{Mouth, addressed},
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    markup::{Document, pieces},
    platform::web::file,
};

/// What WhatsApp takes as a document, in bytes (*Media*, *Supported media types*).
pub(super) const DOCUMENT_BYTES_MAX: i64 = 100 * 1_000_000;
/// The same for pictures that are shown as such.
const PICTURE_BYTES_MAX: u64 = 5 * 1_000_000;
/// The same for recordings and videos that are played.
const PLAYED_BYTES_MAX: u64 = 16 * 1_000_000;
/// Meta's number for a file that it does not take.
const NOT_TAKEN: u32 = 131_053;
/// Its number for a field that it does not take, of which the media type is one.
const WRONG_FIELD: u32 = 100;

/// What WhatsApp shows a file of this type as. What it does not draw or play is a file to be saved.
fn kind(mime_type: &str, size_bytes: u64) -> &'static str {
    match mime_type {
        "image/jpeg" | "image/png" if size_bytes <= PICTURE_BYTES_MAX => "image",
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" if size_bytes <= PLAYED_BYTES_MAX => "audio",
        "video/mp4" | "video/3gpp" if size_bytes <= PLAYED_BYTES_MAX => "video",
        _ => "document",
    }
}

impl Mouth {
    /// Sends a part that is a medium. One that cannot be had, or that WhatsApp does not take, is named in words.
    pub(super) async fn say_medium(
        &self,
        part: &SendPart,
        person: &str,
        medium: &Media,
    ) -> Result<Receipt, SendError> {
        let mut kept = match file::open(&self.media, medium).await? {
            Ok(kept) => kept,
            Err(reason) => return self.name(part, person, medium, &reason).await,
        };
        // Of Ogg, WhatsApp plays what a voice note is made of, and nothing else.
        let is_voice = kept.size_bytes <= PLAYED_BYTES_MAX && file::is_voice(&mut kept).await;
        let kind = if is_voice {
            "audio"
        } else {
            kind(&kept.mime_type, kept.size_bytes)
        };
        let name = file::name(medium, &kept.mime_type);
        let mime_type = kept.mime_type.clone();
        let (field, broken) = file::field(medium, kept)?;
        let id = match (self.api.upload(mime_type, field).await, broken.reason()) {
            (Ok(id), _) => id,
            (Err(ApiError::Web(_)), Some(reason)) => return Err(SendError::retry(reason)),
            (Err(ApiError::Refused(refused)), _) if is_of_files(&refused) => {
                let reason = format!("WhatsApp refused: {refused}");
                return self.name(part, person, medium, &reason).await;
            }
            (Err(error), _) => {
                // Nothing was seen of it yet: it may be brought again.
                return Err(match self.failed(person, error) {
                    SendError::Unknown { reason } => SendError::retry(reason),
                    other => other,
                });
            }
        };
        let mut shown = json!({"id": id});
        if let Some(fields) = shown.as_object_mut() {
            if is_voice {
                fields.insert("voice".to_owned(), json!(true));
            }
            if kind == "document" {
                fields.insert("filename".to_owned(), json!(name));
            }
            if kind != "audio" && !part.text.trim().is_empty() {
                let caption = super::markup::marked(&pieces(&Document::parse(&part.text)));
                fields.insert("caption".to_owned(), json!(caption));
            }
        }
        self.put(person, &addressed(person, kind, &shown)).await
    }

    async fn name(
        &self,
        part: &SendPart,
        person: &str,
        medium: &Media,
        reason: &str,
    ) -> Result<Receipt, SendError> {
        let named = file::named(part, medium, reason);
        self.say_words(part, person, &named.text).await
    }
}

/// Whether this file is not taken, and words may be.
fn is_of_files(refused: &Refused) -> bool {
    let of_it = refused.status == 413 || matches!(refused.code, NOT_TAKEN | WRONG_FIELD);
    of_it && refusal::ends_all(refused).is_none()
}

#[cfg(test)]
mod tests {
    use super::{PICTURE_BYTES_MAX, PLAYED_BYTES_MAX, kind};

    #[test]
    fn a_file_is_sent_as_what_it_is_shown_as_and_anything_else_to_be_saved() {
        for (mime_type, size, wanted) in [
            ("image/png", 1, "image"),
            ("image/png", PICTURE_BYTES_MAX + 1, "document"),
            ("image/webp", 1, "document"),
            ("audio/ogg", 1, "document"),
            ("audio/mpeg", 1, "audio"),
            ("audio/flac", 1, "document"),
            ("video/mp4", PLAYED_BYTES_MAX, "video"),
            ("video/mp4", PLAYED_BYTES_MAX + 1, "document"),
            ("application/pdf", 1, "document"),
        ] {
            assert_eq!(kind(mime_type, size), wanted, "{mime_type} {size}");
        }
    }
}
