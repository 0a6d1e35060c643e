//! A conversation in the form of chat completions.
//!
//! This form takes words, calls of tools and their results. By rule, of everything else:
//!
//! - a picture is shown to a model that sees, and a text is read to every one, when their bytes are at hand; of a recording its
//!   transcript is read;
//! - any other medium is named in words, and said to be missing;
//! - what was thought, notices, and what only another provider understands are left out;
//! - a call without a result gets one that says so, and a result without its call is left out: servers refuse either, and a
//!   conversation that was cut off at its beginning or by a crash may hold it;
//! - a message of which nothing is left is left out;
//! - what somebody said twice before there was an answer is one message: the templates of many local models insist that the two
//!   sides take turns.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use gatehouse_core::content::{Block, Choice, Content, Media, MediaKind, Text};
use serde_json::{Value, json};

use crate::request::{Medium, Message, Role, Shelf, TRANSCRIPT};

/// What the model reads in the place of a result that never came.
const NO_RESULT: &str = "(interrupted: there is no result)";

/// What of media a model takes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eyes<'a> {
    /// The bytes that are at hand.
    pub(super) shelf: &'a Shelf,
    /// Whether the model sees pictures.
    pub(super) sees: bool,
}

impl<'a> Eyes<'a> {
    /// A picture that the model sees.
    fn picture(self, media: &Media) -> Option<&'a Medium> {
        let medium = media.source.id().and_then(|id| self.shelf.get(id))?;
        (self.sees && media.kind() == MediaKind::Image).then_some(medium)
    }

    /// A text that is read to it.
    fn text(self, media: &Media) -> Option<&'a str> {
        let medium = media.source.id().and_then(|id| self.shelf.get(id))?;
        let is_read = match media.kind() {
            MediaKind::File => true,
            MediaKind::Audio => medium.mime_type == TRANSCRIPT,
            MediaKind::Image | MediaKind::Video => false,
        };
        std::str::from_utf8(&medium.data).ok().filter(|_| is_read)
    }

    /// Whether it takes a medium in at all.
    fn takes(self, media: &Media) -> bool {
        self.picture(media).is_some() || self.text(media).is_some()
    }
}

/// What a model does not take in of the message that it answers, as it is called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unseen {
    pub(crate) names: Vec<String>,
    /// Recordings without a transcript.
    pub(crate) unheard: Vec<String>,
}

pub(crate) fn unseen(conversation: &[&Message], shelf: &Shelf, sees: bool) -> Unseen {
    let eyes = Eyes { shelf, sees };
    let asked = conversation
        .iter()
        .rev()
        .take_while(|message| message.role == Role::User);
    let mut unseen = Unseen::default();
    for block in asked.flat_map(|message| message.content.blocks()) {
        match block {
            Block::Media(media) if eyes.takes(media) => {}
            Block::Media(media) if media.kind() == MediaKind::Audio => unseen.unheard.push(media.label()),
            Block::Media(media) => unseen.names.push(media.label()),
            _ => {}
        }
    }
    unseen
}

/// The messages, oldest first.
pub(super) fn of<'m>(conversation: impl IntoIterator<Item = &'m Message>, eyes: Eyes<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    let mut open = Vec::new();
    for Message {
        role,
        content,
        provider: _,
    } in conversation
    {
        if *role != Role::Tool {
            close(&mut open, &mut out);
        }
        match role {
            Role::User => ask(words(content, eyes), pictures(content, eyes), &mut out),
            Role::Assistant => out.extend(assistant(content, eyes, &mut open)),
            Role::Tool => {
                for result in content.results() {
                    if let Some(place) = open.iter().position(|id| *id == result.call_id) {
                        open.remove(place);
                        out.push(tool(&result.call_id, &words(&result.content, eyes)));
                    }
                }
            }
        }
    }
    close(&mut open, &mut out);
    out
}

/// A person's words and pictures, behind those that stand there unanswered.
fn ask(words: String, pictures: Vec<Value>, out: &mut Vec<Value>) {
    if words.is_empty() && pictures.is_empty() {
        return;
    }
    let unanswered = out.last_mut().filter(|message| message["role"] == "user");
    let Some(content) = unanswered.and_then(|message| message.get_mut("content")) else {
        out.push(json!({"role": "user", "content": content_of(words, pictures)}));
        return;
    };
    match (content, pictures.is_empty()) {
        (Value::String(before), true) => {
            before.push_str("\n\n");
            before.push_str(&words);
        }
        (content @ Value::String(_), false) => {
            let before = content.as_str().unwrap_or_default().to_owned();
            let mut parts = vec![text(before)];
            parts.extend(parts_of(words, pictures));
            *content = Value::Array(parts);
        }
        (Value::Array(parts), _) => parts.extend(parts_of(words, pictures)),
        _ => {} // there is no other form
    }
}

/// Words alone are a string: many servers take nothing else.
fn content_of(words: String, pictures: Vec<Value>) -> Value {
    if pictures.is_empty() {
        Value::String(words)
    } else {
        Value::Array(parts_of(words, pictures))
    }
}

fn parts_of(words: String, pictures: Vec<Value>) -> Vec<Value> {
    let words = Some(words).filter(|words| !words.is_empty());
    words.map(text).into_iter().chain(pictures).collect()
}

fn text(words: String) -> Value {
    json!({"type": "text", "text": words})
}

fn pictures(content: &Content, eyes: Eyes<'_>) -> Vec<Value> {
    let pictures = content.blocks().iter().filter_map(|block| match block {
        Block::Media(media) => eyes.picture(media),
        _ => None,
    });
    let shown = pictures.map(|Medium { mime_type, data }| {
        let url = format!("data:{mime_type};base64,{}", STANDARD.encode(data));
        json!({"type": "image_url", "image_url": {"url": url}})
    });
    shown.collect()
}

fn assistant<'a>(content: &'a Content, eyes: Eyes<'_>, open: &mut Vec<&'a str>) -> Option<Value> {
    // No server takes pictures from the assistant.
    let words = words(content, Eyes { sees: false, ..eyes });
    // A provider that uses an id twice in one message would get two results for it.
    let mut seen = HashSet::new();
    let calls: Vec<Value> = content
        .calls()
        .filter(|call| seen.insert(call.id.as_str()))
        .map(|call| {
            open.push(&call.id);
            json!({
                "id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.get()},
            })
        })
        .collect();
    if calls.is_empty() {
        return (!words.is_empty()).then(|| json!({"role": "assistant", "content": words}));
    }
    let words = (!words.is_empty()).then_some(words);
    Some(json!({"role": "assistant", "content": words, "tool_calls": calls}))
}

fn tool(call: &str, words: &str) -> Value {
    json!({"role": "tool", "tool_call_id": call, "content": words})
}

/// Answers the calls that nobody answered.
fn close(open: &mut Vec<&str>, out: &mut Vec<Value>) {
    out.extend(open.drain(..).map(|call| tool(call, NO_RESULT)));
}

fn words(content: &Content, eyes: Eyes<'_>) -> String {
    let words = content.blocks().iter().filter_map(|block| match block {
        Block::Text(Text { text, notice: false }) => Some(text.clone()),
        Block::Media(media) if eyes.picture(media).is_some() => None,
        Block::Media(media) => Some(match eyes.text(media) {
            Some(text) if media.kind() == MediaKind::Audio => {
                format!("{} (transcript)\n{text}", media.label())
            }
            Some(text) => format!("{}\n{text}", media.label()),
            None => format!("{} (not included)", media.label()),
        }),
        Block::Choices(choices) => Some(Choice::in_words(choices)),
        Block::Text(_)
        | Block::ToolCall(_)
        | Block::ToolResult(_)
        | Block::Thinking(_)
        | Block::Opaque(_) => None,
    });
    words.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
