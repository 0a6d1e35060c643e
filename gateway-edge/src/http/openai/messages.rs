//! A conversation in the form of chat completions, as the parts of a program's turn: instructions, what was said before, and what is said
//! now.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::target::wrong;
use crate::error::Refusal;

/// Tools of one request at most, and calls of one message: OpenAI's own bound.
const TOOLS_MAX: usize = 128;

/// Messages of one request at most: the contract's bound, and some for what is said now.
const MESSAGES_MAX: usize = 1000;

/// One message.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    role: String,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
    #[serde(default)]
    tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    r#type: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
    input_audio: Option<Audio>,
    file: Option<File>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Plain(String),
    Whole { url: String },
}

#[derive(Debug, Deserialize)]
struct Audio {
    data: String,
    #[serde(default)]
    format: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    file_data: Option<String>,
    filename: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ToolCall {
    id: String,
    function: Function,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: String,
}

/// The parts of a turn.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) instructions: Option<String>,
    pub(super) history: Vec<Value>,
    pub(super) message: Option<String>,
    pub(super) attachments: Vec<Value>,
    pub(super) tool_results: Vec<Value>,
}

/// What one message says.
#[derive(Debug, Default)]
struct Words {
    text: String,
    attachments: Vec<Value>,
}

/// Takes a conversation apart.
pub(super) fn read(messages: Vec<Message>) -> Result<Said, Refusal> {
    if messages.len() > MESSAGES_MAX {
        let message = format!("there are more than {MESSAGES_MAX} messages; leave out what is old");
        return Err(wrong("/messages", message));
    }
    let mut said = Said::default();
    let mut instructions = Vec::new();
    let mut tools: HashMap<String, String> = HashMap::new();
    for (index, message) in messages.into_iter().enumerate() {
        let path = format!("/messages/{index}");
        let Message {
            role,
            content,
            tool_calls,
            tool_call_id,
        } = message;
        let Words { text, attachments } = words(content, &path)?;
        if role != "user" && !attachments.is_empty() {
            return Err(wrong(
                &path,
                "only a message of the user may have pictures or files",
            ));
        }
        let prior = match role.as_str() {
            "system" | "developer" => {
                instructions.push(text);
                continue;
            }
            "user" => json!({"role": "user", "text": text, "attachments": attachments}),
            "assistant" => {
                let calls = calls(tool_calls.unwrap_or_default(), &mut tools);
                json!({"role": "assistant", "text": text, "toolCalls": calls})
            }
            "tool" => {
                let id = tool_call_id.ok_or_else(|| wrong(&path, "a tool's message needs `tool_call_id`"))?;
                let mut result = json!({"callId": id, "text": text});
                if let (Some(name), Some(result)) = (tools.get(&id), result.as_object_mut()) {
                    result.insert("name".to_owned(), name.as_str().into());
                }
                json!({"role": "tool", "toolResult": result})
            }
            _ => {
                let message = "`role` is none of system, developer, user, assistant and tool";
                return Err(wrong(&format!("{path}/role"), message));
            }
        };
        said.history.push(prior);
    }
    said.instructions = (!instructions.is_empty()).then(|| instructions.join("\n\n"));
    say_last(&mut said)?;
    Ok(said)
}

/// What is said now is what stands last: a message of the user, or what tools answered.
fn say_last(said: &mut Said) -> Result<(), Refusal> {
    while let Some(last) = said.history.pop_if(|last| last["role"] == "tool") {
        said.tool_results.insert(0, last["toolResult"].clone());
    }
    if !said.tool_results.is_empty() {
        return Ok(());
    }
    let Some(mut last) = said.history.pop_if(|last| last["role"] == "user") else {
        let message = "the last message has to be the user's, or what a tool answered";
        return Err(wrong("/messages", message));
    };
    said.message = last["text"].as_str().map(str::to_owned);
    if let Some(Value::Array(attachments)) = last.get_mut("attachments").map(Value::take) {
        said.attachments = attachments;
    }
    Ok(())
}

fn calls(calls: Vec<ToolCall>, tools: &mut HashMap<String, String>) -> Vec<Value> {
    let calls = calls.into_iter().take(TOOLS_MAX);
    let read = calls.map(|call| {
        let ToolCall {
            id,
            function: Function { name, arguments },
        } = call;
        tools.insert(id.clone(), name.clone());
        json!({"id": id, "name": name, "arguments": arguments})
    });
    read.collect()
}

fn words(content: Option<Content>, path: &str) -> Result<Words, Refusal> {
    let parts = match content {
        None => return Ok(Words::default()),
        Some(Content::Text(text)) => {
            return Ok(Words {
                text,
                attachments: Vec::new(),
            });
        }
        Some(Content::Parts(parts)) => parts,
    };
    let (mut texts, mut attachments) = (Vec::new(), Vec::new());
    for (index, part) in parts.into_iter().enumerate() {
        let path = format!("{path}/content/{index}");
        let Part {
            r#type,
            text,
            refusal,
            image_url,
            input_audio,
            file,
        } = part;
        match (r#type.as_str(), text.or(refusal), image_url, input_audio, file) {
            ("text" | "refusal" | "input_text" | "output_text", Some(text), ..) => texts.push(text),
            ("image_url", _, Some(ImageUrl::Plain(url) | ImageUrl::Whole { url }), ..) => {
                attachments.push(picture(&url, &path)?);
            }
            ("input_audio", _, _, Some(Audio { data, format }), _) => {
                let kind = if format.is_empty() { "wav" } else { &format };
                attachments
                    .push(json!({"type": "audio", "mimeType": format!("audio/{kind}"), "content": data}));
            }
            (
                "file",
                _,
                _,
                _,
                Some(File {
                    file_data: Some(data),
                    filename,
                }),
            ) => {
                attachments.push(file_of(data, filename));
            }
            _ => {
                let message =
                    "this part is none of text, image_url, input_audio and file, or lacks its content";
                return Err(wrong(&path, message));
            }
        }
    }
    Ok(Words {
        text: texts.join("\n"),
        attachments,
    })
}

/// A picture, whose bytes have to be there: the gateway fetches nothing for a caller.
pub(super) fn picture(url: &str, path: &str) -> Result<Value, Refusal> {
    if url.trim_start().starts_with("data:") {
        return Ok(json!({"type": "image", "content": url}));
    }
    let message = "a picture has to come as a `data:` URL with its bytes as base64; the gateway fetches no addresses for callers";
    Err(wrong(path, message).detail("code", "image_url_not_fetched"))
}

/// A file with its bytes.
pub(super) fn file_of(data: String, filename: Option<String>) -> Value {
    match filename {
        Some(name) => json!({"type": "file", "fileName": name, "content": data}),
        None => json!({"type": "file", "content": data}),
    }
}

/// Tools that the client runs, if there are any.
pub(super) fn tools(tools: Vec<Value>) -> Result<Option<Value>, Refusal> {
    if tools.len() > TOOLS_MAX {
        return Err(wrong("/tools", format!("there are more than {TOOLS_MAX} tools")));
    }
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        if tool["type"] != "function" || name.is_empty() {
            let message =
                "only tools of type `function`, each with a `function.name`, can be passed to a model";
            return Err(wrong(&format!("/tools/{index}"), message));
        }
    }
    Ok((!tools.is_empty()).then_some(Value::Array(tools)))
}

#[cfg(test)]
mod tests;
