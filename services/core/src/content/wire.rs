//! The contracts' form.

use gatehouse_proto::common::v1 as proto;
use gatehouse_proto::common::v1::block::Kind;

use super::{
    Block, Choice, Content, ContentError, Json, Media, MediaSource, Text, Thinking, ToolCall, ToolResult,
};

/// Keeps the place of a block that a newer version wrote and that its contract does not carry to this one.
const NEWER: &str = r#"{"type":"newer"}"#;

impl Content {
    /// Reads the pair of fields in which messages carry what was said: the content, where there is one, else the text.
    ///
    /// # Errors
    /// When the content is outside its bounds.
    pub fn from_parts(text: String, content: Option<proto::Content>) -> Result<Self, ContentError> {
        match content {
            Some(content) => content.try_into(),
            None => Ok(Self::text(text)),
        }
    }

    /// Writes the pair. Words alone are the text alone; whatever else is said is the content, and the text repeats it for readers
    /// of an earlier version, as far as words can.
    pub fn into_parts(self) -> (String, Option<proto::Content>) {
        match self.as_plain_text() {
            Some(text) => (text.to_owned(), None),
            None => (self.clone().into_words(), Some(self.into())),
        }
    }
}

impl TryFrom<proto::Content> for Content {
    type Error = ContentError;

    fn try_from(content: proto::Content) -> Result<Self, ContentError> {
        let proto::Content { blocks } = content;
        let blocks: Vec<Block> = blocks
            .into_iter()
            .map(Block::try_from)
            .collect::<Result<_, _>>()?;
        Self { blocks }.bounded()
    }
}

impl TryFrom<proto::Block> for Block {
    type Error = ContentError;

    fn try_from(block: proto::Block) -> Result<Self, ContentError> {
        let proto::Block { kind } = block;
        Ok(match kind {
            Some(Kind::Text(proto::TextBlock { text, notice })) => Self::Text(Text { text, notice }),
            Some(Kind::Media(proto::MediaBlock {
                id,
                url,
                mime_type,
                name,
                size_bytes,
            })) => Self::Media(Media {
                source: MediaSource::of(id, url).ok_or(ContentError::MediaWithoutSource)?,
                mime_type,
                name,
                size_bytes,
            }),
            Some(Kind::ToolCall(proto::ToolCallBlock {
                id,
                name,
                arguments,
                repeatable,
            })) => Self::ToolCall(ToolCall {
                id,
                name,
                arguments: Json::try_from(arguments)?,
                repeatable,
            }),
            Some(Kind::ToolResult(proto::ToolResultBlock {
                call_id,
                name,
                content,
                failed,
            })) => {
                let blocks = content.map(|content| content.blocks).unwrap_or_default();
                if blocks
                    .iter()
                    .any(|block| matches!(block.kind, Some(Kind::ToolResult(_))))
                {
                    return Err(ContentError::NestedResult);
                }
                Self::ToolResult(ToolResult {
                    call_id,
                    name,
                    content: proto::Content { blocks }.try_into()?,
                    failed,
                })
            }
            Some(Kind::Thinking(proto::ThinkingBlock { text, signature })) => {
                Self::Thinking(Thinking { text, signature })
            }
            Some(Kind::Choices(proto::ChoicesBlock { choices })) => {
                let choices = choices.into_iter().map(|choice| (choice.label, choice.value));
                Self::Choices(Choice::read(choices).map_err(ContentError::Choices)?)
            }
            Some(Kind::Opaque(proto::OpaqueBlock { json })) => Self::Opaque(Json::try_from(json)?),
            None => Self::Opaque(Json::try_from(NEWER.to_owned())?),
        })
    }
}

impl From<Content> for proto::Content {
    fn from(content: Content) -> Self {
        Self {
            blocks: content.blocks.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Block> for proto::Block {
    fn from(block: Block) -> Self {
        let kind = match block {
            Block::Text(Text { text, notice }) => Kind::Text(proto::TextBlock { text, notice }),
            Block::Media(Media {
                source,
                mime_type,
                name,
                size_bytes,
            }) => {
                let (id, url) = source.into_parts();
                Kind::Media(proto::MediaBlock {
                    id,
                    url,
                    mime_type,
                    name,
                    size_bytes,
                })
            }
            Block::ToolCall(ToolCall {
                id,
                name,
                arguments,
                repeatable,
            }) => Kind::ToolCall(proto::ToolCallBlock {
                id,
                name,
                arguments: arguments.into_string(),
                repeatable,
            }),
            Block::ToolResult(ToolResult {
                call_id,
                name,
                content,
                failed,
            }) => Kind::ToolResult(proto::ToolResultBlock {
                call_id,
                name,
                content: Some(content.into()),
                failed,
            }),
            Block::Thinking(Thinking { text, signature }) => {
                Kind::Thinking(proto::ThinkingBlock { text, signature })
            }
            Block::Choices(choices) => Kind::Choices(proto::ChoicesBlock {
                choices: choices.into_iter().map(Into::into).collect(),
            }),
            Block::Opaque(json) => Kind::Opaque(proto::OpaqueBlock {
                json: json.into_string(),
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl From<Choice> for proto::Choice {
    fn from(choice: Choice) -> Self {
        let Choice { label, value } = choice;
        Self { label, value }
    }
}
