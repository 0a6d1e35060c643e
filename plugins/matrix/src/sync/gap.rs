//! What was said in one room between two answers, whole: the part that did not fit into the second one is fetched by pages.

use matrix_sdk::{
    Room,
    deserialized_responses::TimelineEvent,
    room::MessagesOptions,
    ruma::{
        OwnedRoomId,
        events::{AnySyncTimelineEvent, room::encrypted::OriginalSyncRoomEncryptedEvent},
        serde::Raw,
    },
};
use serde_json::Value;

use super::{PAGE, Reading, value};
use crate::{event, outcome::Trouble};

/// Pages that are fetched for one room. Beyond a thousand messages the oldest of them are left out, and the log says so.
const PAGES_MAX: usize = 20;
/// What was said in one room.
pub(super) struct Batch {
    pub(super) room: OwnedRoomId,
    /// Where the part begins that did not fit, in front of the events.
    pub(super) gap: Option<String>,
    pub(super) events: Vec<TimelineEvent>,
}

impl Reading<'_> {
    /// Hands over what was said in one room, the part first that did not fit.
    pub(super) async fn hand_over(&mut self, batch: Batch, since: &str) -> Result<(), Trouble> {
        let Some(room) = self.account.room(&batch.room) else {
            return Ok(());
        };
        let mut events = batch.events;
        if let Some(gap) = batch.gap
            && event::arrival(&values(&events), self.account.me.as_str()).is_none()
        {
            let mut all = self.between(&room, since, gap).await?;
            all.append(&mut events);
            events = all;
        }
        let values = values(&events);
        let begin = event::arrival(&values, self.account.me.as_str()).map_or(0, |at| at + 1);
        for (timeline, value) in events.iter().zip(&values).skip(begin) {
            self.event(&room, timeline, value).await;
        }
        Ok(())
    }

    /// The events of a room between two answers, the oldest first; those since the account came, where it came in between.
    async fn between(&self, room: &Room, since: &str, gap: String) -> Result<Vec<TimelineEvent>, Trouble> {
        let mut found = Vec::new();
        let mut from = gap;
        for page in 1..=PAGES_MAX {
            let mut options = MessagesOptions::backward().from(&*from);
            options.to = Some(since.to_owned());
            options.limit = PAGE.into();
            let messages = room.messages(options).await?;
            let came = event::arrival(&values(messages.chunk.iter().rev()), self.account.me.as_str());
            let is_last = messages.chunk.is_empty() || came.is_some();
            found.extend(messages.chunk);
            match messages.end {
                Some(end) if !is_last && end != from => from = end,
                _ => break,
            }
            if page == PAGES_MAX {
                tracing::warn!(chat = %room.room_id(), "more was said meanwhile than is read: the oldest of it is left out");
            }
        }
        found.reverse();
        Ok(found)
    }
}

/// An event of a raw answer, decrypted where it is encrypted.
pub(super) async fn decrypted(
    room: &Room,
    event: Raw<AnySyncTimelineEvent>,
) -> Result<TimelineEvent, Trouble> {
    let kind: Option<String> = event.get_field("type").ok().flatten();
    if kind.as_deref() != Some("m.room.encrypted") {
        return Ok(TimelineEvent::from_plaintext(event));
    }
    let encrypted = event.cast_ref_unchecked::<OriginalSyncRoomEncryptedEvent>();
    Ok(room.decrypt_event(encrypted, None).await?)
}

fn values<'a>(events: impl IntoIterator<Item = &'a TimelineEvent>) -> Vec<Value> {
    let events = events.into_iter();
    events.map(|event| value(event.raw().json().get())).collect()
}
