//! Files on their way into a chat: Slack names a place for the bytes, and is told the chat once they are there.

use gatehouse_core::content::Media;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::{ApiError, Refused},
    chats::Place,
    mrkdwn::shown,
    say::{Mouth, receipt},
    streams::Posted,
};
use crate::{
    adapter::{PreviewError, Receipt, SendError, SendPart},
    platform::web::file,
};

/// What Slack takes, in bytes ("1 GB", Help Center, *Add files to Slack*).
pub(super) const UPLOAD_BYTES_MAX: i64 = 1_000_000_000;

/// A place for the bytes.
#[derive(Deserialize)]
struct Room {
    upload_url: String,
    file_id: String,
}

#[derive(Deserialize)]
struct Opened {
    channel: Named,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Mouth {
    /// Sends a part that is a medium. One that cannot be had, or that Slack does not take, is named in words.
    pub(super) async fn say_medium(
        &self,
        part: &SendPart,
        place: &Place,
        medium: &Media,
    ) -> Result<Receipt, SendError> {
        if let Some(replaced) = &part.replaces {
            // A message of words never becomes a file.
            return Err(match self.withdraw(replaced).await {
                Ok(()) | Err(PreviewError::Never(_) | PreviewError::MustLast) => SendError::PreviewGone {
                    reason: "the answer is a file".to_owned(),
                },
                Err(error @ (PreviewError::Busy { .. } | PreviewError::Unknown(_))) => {
                    SendError::retry(error.to_string())
                }
            });
        }
        let kept = match file::open(&self.media, medium).await? {
            Ok(kept) => kept,
            Err(reason) => return self.name(part, medium, &reason).await,
        };
        let (name, length) = (file::name(medium, &kept.mime_type), kept.size_bytes.to_string());
        let wanted = [("filename", name.as_str()), ("length", length.as_str())];
        let room = match self
            .api
            .query::<Room>("files.getUploadURLExternal", &wanted)
            .await
        {
            Ok(room) => room,
            Err(ApiError::Refused(refused)) if is_of_files(&refused) => {
                return self
                    .name(part, medium, &format!("Slack refused: {refused}"))
                    .await;
            }
            Err(error) => return Err(self.unsaid(place, error)),
        };
        let (body, broken) = file::body(kept.bytes);
        let sent = self.api.upload(&room.upload_url, body, kept.size_bytes).await;
        match (sent, broken.reason()) {
            (Ok(()), _) => {}
            (Err(_), Some(reason)) => return Err(SendError::retry(reason)),
            (Err(error), None) => return Err(self.unsaid(place, error)),
        }
        self.show(part, place, &room.file_id, &name).await
    }

    /// The bytes are there: says in which chat they are seen.
    async fn show(
        &self,
        part: &SendPart,
        place: &Place,
        file: &str,
        name: &str,
    ) -> Result<Receipt, SendError> {
        let channel = self.conversation(place).await;
        let channel = channel.map_err(|error| self.unsaid(place, error))?;
        let mut done = json!({"files": [{"id": file, "title": name}], "channel_id": channel});
        if let Some(fields) = done.as_object_mut() {
            if let Some(thread) = self.thread(part.reply_to_id.as_ref(), part.index, place) {
                fields.insert("thread_ts".to_owned(), json!(thread));
            }
            if !part.text.trim().is_empty() {
                fields.insert("initial_comment".to_owned(), json!(shown(&part.text)));
            }
        }
        let shown = self
            .api
            .call::<Value>("files.completeUploadExternal", &done)
            .await;
        shown.map_err(|error| self.failed(&place.channel, error))?;
        // Slack tells the id of the file, and posts its message later.
        Ok(Receipt {
            platform_id: Some(file.to_owned()),
            ..Receipt::default()
        })
    }

    /// The id of a chat, which for a person is asked for.
    async fn conversation(&self, place: &Place) -> Result<String, ApiError> {
        if !place.channel.starts_with(['U', 'W']) {
            return Ok(place.channel.clone());
        }
        let person = json!({"users": place.channel});
        let opened: Opened = self.api.call("conversations.open", &person).await?;
        Ok(opened.channel.id)
    }

    /// What went wrong before anything was seen in the chat: whatever became of it, it may be done again.
    fn unsaid(&self, place: &Place, error: ApiError) -> SendError {
        match self.failed(&place.channel, error) {
            SendError::Unknown { reason } => SendError::retry(reason),
            other => other,
        }
    }

    async fn name(&self, part: &SendPart, medium: &Media, reason: &str) -> Result<Receipt, SendError> {
        let named = file::named(part, medium, reason);
        let place = Place::read(named.to.as_str(), named.thread_id.as_deref());
        let place = place.map_err(SendError::permanent)?;
        let thread = self.thread(named.reply_to_id.as_ref(), named.index, &place);
        let Posted { ts, channel } = self
            .post(&place, thread, &named.text, &[])
            .await
            .map_err(|error| self.failed(&place.channel, error))?;
        Ok(receipt(&channel, &ts))
    }
}

/// Whether files, or this one, are not taken at all, and words may be.
fn is_of_files(refused: &Refused) -> bool {
    matches!(
        refused.word.as_str(),
        "missing_scope"
            | "no_permission"
            | "invalid_arguments"
            | "file_type_not_allowed"
            | "file_upload_size_restricted"
            | "file_uploads_disabled"
            | "file_uploads_except_images_disabled"
            | "storage_limit_reached"
            | "unknown_method"
            | "method_deprecated"
    )
}
