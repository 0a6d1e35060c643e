//! The JSON of transcripts, as v4 clients draw it: a string, or a list of blocks
//! (`text`, `thinking`, `toolCall`, `toolResult`, `choices`, and `image`, `audio`, `video`, `file` with an `id` or a `url`).

use std::fmt;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    Block, Choice, Content, ContentError, Json, Media, MediaKind, MediaSource, Text, Thinking, ToolCall,
    ToolResult,
};

impl Content {
    /// Reads it. Whatever is not understood becomes an opaque block, so only what is no JSON is refused.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn from_json(json: &str) -> Result<Self, ContentError> {
        serde_json::from_str(json).map_err(|_| ContentError::NotJson)
    }

    /// Writes it: words alone as a string, everything else as a list of blocks.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and what was JSON before")
    }

    /// Writes it as a list of blocks, always: the form of the assistant's messages.
    pub fn to_json_blocks(&self) -> String {
        serde_json::to_string(&List(&self.blocks)).expect("strings, numbers and what was JSON before")
    }

    /// Two columns of a table: the words, and the JSON when there is more than words.
    pub fn into_columns(self) -> (String, Option<String>) {
        match self.as_plain_text() {
            Some(text) => (text.to_owned(), None),
            None => (self.clone().into_words(), Some(self.to_json())),
        }
    }

    /// Reads the two columns. Text that looks like JSON is text.
    ///
    /// # Errors
    /// When the second is not JSON.
    pub fn from_columns(text: String, json: Option<&str>) -> Result<Self, ContentError> {
        json.map_or_else(|| Ok(Self::text(text)), Self::from_json)
    }

    /// The words, when there is nothing else.
    pub(super) fn as_plain_text(&self) -> Option<&str> {
        match &*self.blocks {
            [Block::Text(Text { text, notice: false })] => Some(text),
            _ => None,
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_plain_text() {
            Some(text) => serializer.serialize_str(text),
            None => List(&self.blocks).serialize(serializer),
        }
    }
}

/// Blocks as a list, whatever they are.
struct List<'a>(&'a [Block]);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for block in self.0 {
            list.serialize_element(block)?;
        }
        list.end()
    }
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Opaque(json) = self {
            return json.0.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Text(Text { text, notice }) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
                flag(&mut map, "notice", *notice)?;
            }
            Self::Media(media) => {
                map.serialize_entry("type", media.kind().word())?;
                let (id, url) = media.source.clone().into_parts();
                some(&mut map, "id", id.as_ref())?;
                some(&mut map, "url", url.as_ref())?;
                some(&mut map, "mimeType", media.mime_type.as_ref())?;
                some(&mut map, "name", media.name.as_ref())?;
                some(&mut map, "sizeBytes", media.size_bytes.as_ref())?;
            }
            Self::ToolCall(call) => {
                map.serialize_entry("type", "toolCall")?;
                map.serialize_entry("id", &call.id)?;
                map.serialize_entry("name", &call.name)?;
                map.serialize_entry("arguments", &call.arguments.0)?;
                flag(&mut map, "repeatable", call.repeatable)?;
            }
            Self::ToolResult(result) => {
                map.serialize_entry("type", "toolResult")?;
                map.serialize_entry("toolCallId", &result.call_id)?;
                map.serialize_entry("toolName", &result.name)?;
                map.serialize_entry("content", &List(&result.content.blocks))?;
                map.serialize_entry("isError", &result.failed)?;
            }
            Self::Thinking(Thinking { text, signature }) => {
                map.serialize_entry("type", "thinking")?;
                map.serialize_entry("thinking", text)?;
                some(&mut map, "thinkingSignature", signature.as_ref())?;
            }
            Self::Choices(choices) => {
                let form = choices.iter().map(|choice| ChoiceForm {
                    label: choice.label.clone(),
                    value: choice.value.clone(),
                });
                map.serialize_entry("type", "choices")?;
                map.serialize_entry("choices", &form.collect::<Vec<_>>())?;
            }
            Self::Opaque(_) => {}
        }
        map.end()
    }
}

fn flag<M: SerializeMap>(map: &mut M, name: &'static str, set: bool) -> Result<(), M::Error> {
    if set {
        map.serialize_entry(name, &true)
    } else {
        Ok(())
    }
}

fn some<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(read(json, Depth::Message))
    }
}

/// Results do not stand in results, so the depth of a content is bounded by its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Message,
    Result,
}

fn read(json: Box<RawValue>, depth: Depth) -> Content {
    if let Ok(text) = serde_json::from_str::<String>(json.get()) {
        return Content::text(text);
    }
    match serde_json::from_str::<Vec<Box<RawValue>>>(json.get()) {
        Ok(blocks) => blocks.into_iter().map(|json| block(json, depth)).collect(),
        Err(_) => Block::Opaque(Json(json)).into(),
    }
}

fn block(json: Box<RawValue>, depth: Depth) -> Block {
    known(json.get(), depth).unwrap_or(Block::Opaque(Json(json)))
}

/// The type of a block, before anything else is looked at.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

/// What is understood of a block of a known type: all that it needs is there, and is of the right form.
fn known(json: &str, depth: Depth) -> Option<Block> {
    let Typed { kind } = serde_json::from_str(json).ok()?;
    match &*kind {
        "text" => {
            let TextForm { text, notice } = serde_json::from_str(json).ok()?;
            Some(Block::Text(Text { text, notice }))
        }
        "thinking" => {
            let ThinkingForm { text, signature } = serde_json::from_str(json).ok()?;
            Some(Block::Thinking(Thinking { text, signature }))
        }
        "toolCall" => {
            let form: ToolCallForm = serde_json::from_str(json).ok()?;
            Some(Block::ToolCall(ToolCall {
                id: form.id,
                name: form.name,
                arguments: Json(form.arguments),
                repeatable: form.repeatable,
            }))
        }
        "toolResult" if depth == Depth::Message => {
            let form: ToolResultForm = serde_json::from_str(json).ok()?;
            Some(Block::ToolResult(ToolResult {
                call_id: form.call_id,
                name: form.name,
                content: read(form.content, Depth::Result),
                failed: form.failed,
            }))
        }
        "choices" => {
            let ChoicesForm { choices } = serde_json::from_str(json).ok()?;
            let choices = choices.into_iter().map(|choice| (choice.label, choice.value));
            Choice::read(choices).ok().map(Block::Choices)
        }
        kind => {
            let form: MediaForm = serde_json::from_str(json).ok()?;
            let media = Media {
                source: MediaSource::of(form.id, form.url)?,
                mime_type: form.mime_type,
                name: form.name,
                size_bytes: form.size_bytes,
            };
            // A picture whose bytes are in the block is not ours, and one whose type says that it is something else neither.
            let kinds = [
                MediaKind::Image,
                MediaKind::Audio,
                MediaKind::Video,
                MediaKind::File,
            ];
            (kinds.iter().any(|known| known.word() == kind) && media.kind().word() == kind)
                .then_some(Block::Media(media))
        }
    }
}

#[derive(Deserialize)]
struct TextForm {
    text: String,
    #[serde(default)]
    notice: bool,
}

#[derive(Deserialize)]
struct ThinkingForm {
    #[serde(rename = "thinking")]
    text: String,
    #[serde(default, rename = "thinkingSignature")]
    signature: Option<String>,
}

#[derive(Deserialize)]
struct ToolCallForm {
    id: String,
    name: String,
    arguments: Box<RawValue>,
    #[serde(default)]
    repeatable: bool,
}

#[derive(Deserialize)]
struct ToolResultForm {
    #[serde(rename = "toolCallId")]
    call_id: String,
    #[serde(rename = "toolName")]
    name: String,
    content: Box<RawValue>,
    #[serde(default, rename = "isError")]
    failed: bool,
}

#[derive(Deserialize)]
struct ChoicesForm {
    choices: Vec<ChoiceForm>,
}

#[derive(Serialize, Deserialize)]
struct ChoiceForm {
    label: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaForm {
    id: Option<String>,
    url: Option<String>,
    mime_type: Option<String>,
    name: Option<String>,
    size_bytes: Option<i64>,
}

impl Json {
    /// What a model wrote where it was asked for JSON: nothing is an empty object, and what is no JSON is kept as a text.
    #[must_use]
    pub fn written(text: &str) -> Self {
        let given = match text.trim() {
            "" => "{}",
            given => given,
        };
        let read = serde_json::from_str::<Box<RawValue>>(given);
        Self(read.unwrap_or_else(|_| {
            let text = serde_json::Value::from(given).to_string();
            RawValue::from_string(text).unwrap_or_default()
        }))
    }

    /// The text of it.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    pub(super) fn into_string(self) -> String {
        String::from(Box::<str>::from(self.0))
    }
}

impl TryFrom<String> for Json {
    type Error = ContentError;

    fn try_from(text: String) -> Result<Self, ContentError> {
        RawValue::from_string(text)
            .map(Self)
            .map_err(|_| ContentError::NotJson)
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Json {}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}
