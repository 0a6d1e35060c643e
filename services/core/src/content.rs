//! What a message consists of, for every service that has one in its hands.
//!
//! A [`Content`] is read once where it comes in and written once where it goes out. It has two forms outside: the contracts'
//! (`wire`), and the JSON of transcripts, which v4 clients draw (`json`). What a reader does not understand it keeps: an
//! [`Block::Opaque`] is handed on byte for byte. What a platform cannot show, it is told in words (`fallback`).
//!
//! A row of a transcript is never written anew from what was read of it (invariant S3), so properties that a newer version put
//! beside those of a known block stay where they are.

pub mod attachment;
pub mod choices;
mod fallback;
mod json;
mod wire;

use serde_json::value::RawValue;

pub use self::choices::Choice;

/// Blocks of one message at most. The contract declares the same bound.
pub const BLOCKS_MAX: usize = 256;

/// Bytes of one message at most: those of the longest answer (4 MiB), and as much again for what stands beside the words.
pub const CONTENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What was said, as blocks in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    blocks: Vec<Block>,
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Words.
    Text(Text),
    /// A picture, a recording, a file, by reference.
    Media(Media),
    /// The model wants a tool to be run.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// What the model thought before it spoke.
    Thinking(Thinking),
    /// What whoever reads it may choose from.
    Choices(Vec<Choice>),
    /// Something that only its writer understands.
    Opaque(Json),
}

/// Words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The words.
    pub text: String,
    /// Whether the gateway says it to people, about the message. No model reads it.
    pub notice: bool,
}

/// A picture, a recording, a file. The bytes are elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where the bytes are.
    pub source: MediaSource,
    /// Its media type, for example `image/png`.
    pub mime_type: Option<String>,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its size.
    pub size_bytes: Option<i64>,
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// Kept by the gateway under this id.
    Id(String),
    /// At this address.
    Url(String),
    /// Both: kept here, and to be had there.
    Both {
        /// The gateway's id.
        id: String,
        /// The address.
        url: String,
    },
}

/// What kind of medium, as far as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `image/*`.
    Image,
    /// `audio/*`.
    Audio,
    /// `video/*`.
    Video,
    /// Anything else.
    File,
}

/// The model wants a tool to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Names the call; its result repeats it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What the tool is given.
    pub arguments: Json,
    /// Whether running it a second time changes nothing.
    pub repeatable: bool,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// What it answered. Never holds a result itself.
    pub content: Content,
    /// Whether the tool failed.
    pub failed: bool,
}

/// What the model thought before it spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    /// The words.
    pub text: String,
    /// What its provider signed it with.
    pub signature: Option<String>,
}

/// One JSON value, kept as it was written.
#[derive(Clone, Debug)]
pub struct Json(Box<RawValue>);

/// Why something is not a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.problem())]
pub enum ContentError {
    /// It is not JSON.
    NotJson,
    /// Too many blocks.
    TooManyBlocks,
    /// Too many bytes.
    TooLarge,
    /// A medium that is nowhere.
    MediaWithoutSource,
    /// A result within a result.
    NestedResult,
    /// Choices that no platform could carry.
    Choices(&'static str),
}

impl ContentError {
    /// What is wrong, to be said behind the name of the field.
    #[must_use]
    pub fn problem(self) -> &'static str {
        match self {
            Self::NotJson => "is not JSON",
            Self::TooManyBlocks => "has more than 256 blocks",
            Self::TooLarge => "is larger than 8 MiB",
            Self::MediaWithoutSource => "holds a medium without an id and without a URL",
            Self::NestedResult => "holds a tool result within a tool result",
            Self::Choices(problem) => problem,
        }
    }
}

impl Content {
    /// Words, and nothing else.
    pub fn text(text: impl Into<String>) -> Self {
        Self::from(Block::text(text))
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The blocks, in order, to be taken apart.
    pub fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }

    /// Puts a block at the end.
    pub fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// The same without the blocks that are not wanted.
    #[must_use]
    pub fn filtered(mut self, wanted: impl FnMut(&Block) -> bool) -> Self {
        self.blocks.retain(wanted);
        self
    }

    /// Whether nothing is said: no block, or words alone that are blank.
    pub fn is_blank(&self) -> bool {
        self.blocks.iter().all(|block| match block {
            Block::Text(Text { text, .. }) => text.trim().is_empty(),
            Block::Thinking(Thinking { text, signature }) => text.trim().is_empty() && signature.is_none(),
            Block::Choices(choices) => choices.is_empty(),
            Block::Media(_) | Block::ToolCall(_) | Block::ToolResult(_) | Block::Opaque(_) => false,
        })
    }

    /// The words that somebody said, a line for each block. Notices are not part of it, nor is what was thought.
    pub fn words(&self) -> String {
        let texts: Vec<&str> = self.blocks.iter().filter_map(Block::words).collect();
        texts.join("\n")
    }

    /// What it weighs in a bound: the bytes of what was said, without the names around it.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum()
    }

    /// The calls in it.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The results in it.
    pub fn results(&self) -> impl Iterator<Item = &ToolResult> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolResult(result) => Some(result),
            _ => None,
        })
    }

    fn bounded(self) -> Result<Self, ContentError> {
        if self.blocks.len() > BLOCKS_MAX {
            return Err(ContentError::TooManyBlocks);
        }
        if self.bytes() > CONTENT_BYTES_MAX {
            return Err(ContentError::TooLarge);
        }
        Ok(self)
    }
}

impl From<Block> for Content {
    fn from(block: Block) -> Self {
        Self { blocks: vec![block] }
    }
}

impl FromIterator<Block> for Content {
    fn from_iter<I: IntoIterator<Item = Block>>(blocks: I) -> Self {
        Self {
            blocks: blocks.into_iter().collect(),
        }
    }
}

impl Block {
    /// Words that somebody said.
    pub fn text(text: impl Into<String>) -> Self {
        let (text, notice) = (text.into(), false);
        Self::Text(Text { text, notice })
    }

    /// Words that the gateway says about the message.
    pub fn notice(text: impl Into<String>) -> Self {
        let (text, notice) = (text.into(), true);
        Self::Text(Text { text, notice })
    }

    fn words(&self) -> Option<&str> {
        match self {
            Self::Text(Text { text, notice: false }) => Some(text),
            Self::Text(_)
            | Self::Media(_)
            | Self::ToolCall(_)
            | Self::ToolResult(_)
            | Self::Thinking(_)
            | Self::Choices(_)
            | Self::Opaque(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(Text { text, .. }) => text.len(),
            Self::Media(media) => media.bytes(),
            Self::ToolCall(call) => call.name.len() + call.arguments.get().len(),
            Self::ToolResult(result) => result.name.len() + result.content.bytes(),
            Self::Thinking(Thinking { text, signature }) => {
                text.len() + signature.as_ref().map_or(0, String::len)
            }
            Self::Choices(choices) => choices.iter().map(Choice::bytes).sum(),
            Self::Opaque(json) => json.get().len(),
        }
    }
}

impl Media {
    /// What kind, as far as its type says.
    pub fn kind(&self) -> MediaKind {
        let of = |mime: &str| mime.split('/').next().unwrap_or_default().to_ascii_lowercase();
        match self.mime_type.as_deref().map(of).as_deref() {
            Some("image") => MediaKind::Image,
            Some("audio") => MediaKind::Audio,
            Some("video") => MediaKind::Video,
            Some(_) | None => MediaKind::File,
        }
    }

    fn bytes(&self) -> usize {
        let source = match &self.source {
            MediaSource::Id(one) | MediaSource::Url(one) => one.len(),
            MediaSource::Both { id, url } => id.len() + url.len(),
        };
        source + self.name.as_ref().map_or(0, String::len)
    }
}

impl MediaSource {
    /// From what may be absent. `None`: it is nowhere.
    pub fn of(id: Option<String>, url: Option<String>) -> Option<Self> {
        match (id, url) {
            (Some(id), Some(url)) => Some(Self::Both { id, url }),
            (Some(id), None) => Some(Self::Id(id)),
            (None, Some(url)) => Some(Self::Url(url)),
            (None, None) => None,
        }
    }

    /// The gateway's id, when it is kept here.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) | Self::Both { id, .. } => Some(id),
            Self::Url(_) => None,
        }
    }

    /// The gateway's id and the address.
    pub fn into_parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Id(id) => (Some(id), None),
            Self::Url(url) => (None, Some(url)),
            Self::Both { id, url } => (Some(id), Some(url)),
        }
    }
}

impl MediaKind {
    /// The word, for people and for the JSON of transcripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
        }
    }
}

#[cfg(test)]
mod tests;
