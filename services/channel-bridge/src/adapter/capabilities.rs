//! What a platform can do and what it bears, as data: the bridge decides by it, and no adapter has code for it.

use std::time::Duration;

use gatehouse_core::content::Block;

use super::Previews;
pub(crate) use super::text::{TextLimit, TextShape, TextUnit};

/// What a platform can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// How much text one message may have.
    pub(crate) text: TextLimit,
    /// Pictures, sounds and files.
    pub(crate) media: bool,
    /// The largest of them, in bytes. What is larger is named, with a link where there can be one.
    pub(crate) media_bytes_max: i64,
    /// A message can be changed after it was sent.
    pub(crate) edit: bool,
    /// A message can belong to a thread. Where not, threads are left out of what is sent.
    pub(crate) threads: bool,
    /// A message can be reacted to.
    pub(crate) reactions: bool,
    /// It can be shown that somebody is being answered. Where not, an adapter never sees a [`Typing`](super::Typing).
    pub(crate) typing: bool,
    /// An answer can be shown while it is being written. Where not, an adapter never sees a [`Preview`](super::Preview).
    pub(crate) previews: Option<Previews>,
    /// How many choices one message can offer as buttons. Where there are more, they are words.
    pub(crate) choices: usize,
    /// The platform recognises a repeated [`SendPart::key`](super::SendPart::key). If not, a repeat after an unknown
    /// outcome may be seen twice, and is flagged.
    pub(crate) idempotent_sends: bool,
    /// Each message goes as a request of its own. Where not, what may have arrived is not tried again on the connection that it went
    /// over: there it may still be on its way.
    pub(crate) separate_sends: bool,
}

impl Capabilities {
    /// Text within this limit, and nothing else.
    pub(crate) const fn text_only(text: TextLimit) -> Self {
        Self {
            text,
            media: false,
            media_bytes_max: i64::MAX,
            edit: false,
            threads: false,
            reactions: false,
            typing: false,
            previews: None,
            choices: 0,
            idempotent_sends: false,
            separate_sends: false,
        }
    }

    /// Whether the platform shows such a block. What it does not show is said in words.
    pub(crate) fn shows(&self, block: &Block) -> bool {
        match block {
            Block::Text(_) => true,
            // What is elsewhere is named by its address.
            Block::Media(media) => {
                let fits = media.size_bytes.is_none_or(|size| size <= self.media_bytes_max);
                self.media && media.source.id().is_some() && fits
            }
            Block::Choices(choices) => !choices.is_empty() && choices.len() <= self.choices,
            Block::ToolCall(_) | Block::ToolResult(_) | Block::Thinking(_) | Block::Opaque(_) => false,
        }
    }

    /// The words for `channels.status`.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        let Self {
            text: _,
            media,
            media_bytes_max: _,
            edit,
            threads,
            reactions,
            typing,
            previews,
            choices,
            idempotent_sends,
            separate_sends: _,
        } = *self;
        [
            (media, "media"),
            (edit, "edit"),
            (threads, "threads"),
            (reactions, "reactions"),
            (typing, "typing"),
            (previews.is_some(), "previews"),
            (choices > 0, "choices"),
            (idempotent_sends, "idempotentSends"),
        ]
        .into_iter()
        .filter_map(|(can, word)| can.then_some(word))
        .collect()
    }
}

/// How fast something may go: a bucket of `burst` that refills by `per_second`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) per_second: f64,
}

/// By what silence is told from death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Liveness {
    /// Nothing heard for this long: degraded.
    pub(crate) degraded_after: Duration,
    /// Nothing heard for this long: the connection is dropped and made anew.
    pub(crate) dead_after: Duration,
}

/// What a platform bears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// The most parts of one message; what is beyond is cut, and the last part says so.
    pub(crate) parts_max: usize,
    /// Messages of the account as a whole.
    pub(crate) account_rate: Rate,
    /// Messages into one chat.
    pub(crate) chat_rate: Rate,
    /// Chats that are sent to at the same time.
    pub(crate) concurrency: usize,
    /// How long the platform may take for one part.
    pub(crate) send_timeout: Duration,
    /// Unset: the platform calls us, so its silence means nothing.
    pub(crate) liveness: Option<Liveness>,
}
