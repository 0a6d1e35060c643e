//! The pictures and texts that a model is shown with a conversation, the recordings that are transcribed for it, and what people are told
//! of those that it does not see.

use std::collections::HashSet;

use gatehouse_core::content::{Block, Media, MediaKind};
use gatehouse_core::{Chain, Content, ForPeople};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::{TurnMedia, TurnMessage};

use super::super::taps::Piece;
use super::Run;
use crate::answer;
use crate::media::MediaId;

/// Bytes of all media of one question: with the conversation they fit into one message to the agent service.
pub(in crate::turns) const BYTES_MAX: u64 = 20 * 1024 * 1024;

/// Media of one question: what providers take at once, as a rule.
pub(in crate::turns) const COUNT_MAX: usize = 16;

/// Bytes of a text that is read to the model: a long letter. Of a longer one it is told the name.
pub(in crate::turns) const TEXT_BYTES_MAX: u64 = 256 * 1024;

/// What a chat is told when the model did not see what was sent.
const NOT_SEEN: ForPeople =
    ForPeople::new("The model that answered cannot see pictures or files; it was only told their names.");

/// The same of a recording.
const NOT_HEARD: ForPeople = ForPeople::new(
    "What was said in the recording could not be put into words; the assistant only knows that there is one.",
);

impl Run {
    /// The bytes of what the messages name, the newest first, as far as one of these models may make something of them.
    pub(super) async fn media_of(&self, messages: &[TurnMessage], models: &[String]) -> Vec<TurnMedia> {
        let shared = &self.room.shared;
        let policy = shared.policy();
        let sees = |model: &String| {
            let facts = policy.as_ref().and_then(|policy| policy.book.facts(model));
            facts.is_some_and(|facts| facts.sees)
        };
        let is_seen = models.iter().any(sees);
        let hears = policy.as_ref().and_then(|policy| policy.hears);
        let (mut found, mut known, mut left) = (Vec::new(), HashSet::new(), BYTES_MAX);
        for media in messages.iter().rev().flat_map(named) {
            let most = match (media.kind(), hears) {
                (MediaKind::Image, _) if is_seen => left,
                (MediaKind::Audio, Some(most)) => left.min(most),
                (MediaKind::File, _) if is_text(&media) => left.min(TEXT_BYTES_MAX),
                (MediaKind::Image | MediaKind::File | MediaKind::Audio | MediaKind::Video, _) => continue,
            };
            let Some(id) = media.source.id().and_then(MediaId::parse) else {
                continue;
            };
            if found.len() == COUNT_MAX || !known.insert(id.clone()) {
                continue;
            }
            match shared.media.read(&id, most).await {
                Ok(Some((row, data))) => {
                    left -= data.len() as u64;
                    found.push(TurnMedia {
                        id: id.to_string(),
                        mime_type: row.mime_type,
                        data,
                    });
                }
                Ok(None) => {}
                // The model is told the name, and people that it was not seen.
                Err(error) => {
                    tracing::error!(run.id = %self.turn.run, media.id = %id, error = %Chain(&error), "a medium could not be read");
                }
            }
        }
        found
    }

    /// Puts behind an answer that the model did not see what was sent, and how one that does is chosen.
    pub(super) fn say_unseen(&self, content: Content, reply: Option<Content>) -> (Content, Option<Content>) {
        let Some(left) = &self.unseen else {
            return (content, reply);
        };
        let (mut content, mut reply) = (content, reply);
        if let Some(words) = not_seen(left) {
            content.push(Block::notice(words));
            reply = reply.map(|reply| answer::cut_off(reply, NOT_SEEN));
        }
        if let Some(words) = not_heard(left) {
            content.push(Block::notice(words));
            reply = reply.map(|reply| answer::cut_off(reply, NOT_HEARD));
        }
        (content, reply)
    }

    /// Tells a program what the model that is asked now does not see, or that it sees everything where the one before it did not.
    pub(super) fn tell_unseen(&mut self) {
        let words = self.unseen.as_ref().map(|left| {
            let words = not_seen(left).into_iter().chain(not_heard(left));
            words.collect::<Vec<_>>().join(" ")
        });
        if self.told_unseen != words {
            self.events.tap(&Piece::Notice(words.clone().unwrap_or_default()));
            self.told_unseen = words;
        }
    }
}

fn not_seen(left: &agent::MediaLeftOut) -> Option<String> {
    let agent::MediaLeftOut {
        provider,
        model,
        names,
        ..
    } = left;
    (!names.is_empty()).then(|| {
        format!(
            "{provider}/{model} was not shown {}: it is not listed as a model that takes it. Choose one with `input: [\"text\", \
             \"image\"]` under models.providers, or add that to this one.",
            names.join(", ")
        )
    })
}

fn not_heard(left: &agent::MediaLeftOut) -> Option<String> {
    let agent::MediaLeftOut {
        unheard,
        unheard_reason,
        ..
    } = left;
    let named = || {
        format!(
            "{} could not be transcribed: {unheard_reason}",
            unheard.join(", ")
        )
    };
    (!unheard.is_empty()).then(named)
}

/// The media of a message, the newest first.
fn named(message: &TurnMessage) -> Vec<Media> {
    let content = message
        .content
        .clone()
        .and_then(|content| Content::try_from(content).ok());
    let blocks = content.map(Content::into_blocks).unwrap_or_default();
    let media = blocks.into_iter().rev().filter_map(|block| match block {
        Block::Media(media) => Some(media),
        _ => None,
    });
    media.collect()
}

pub(in crate::turns) fn is_text(media: &Media) -> bool {
    media.mime_type.as_deref().is_some_and(|mime| {
        mime.starts_with("text/")
            || ["application/json", "application/xml", "application/yaml"].contains(&mime)
    })
}
