//! A conversation, as the parts of a program's turn: instructions, what was said before, and what is said now.
//!
//! Both endpoints bring the same conversation in two spellings. Each message keeps the place where it stood in the request, so that what
//! is wrong with it, here or in the service behind, is told by that place.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::super::fields::{Fields, param, wrong};
use super::{
    media::Attached,
    parts::{Words, words},
    places::{Place, Places},
};
use crate::error::Refusal;

/// Tools of one request at most, and calls of one message: OpenAI's own bound.
const TOOLS_MAX: usize = 128;

/// Messages of one request at most: the contract's bound, and some for what is said now.
const MESSAGES_MAX: usize = 1000;

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) said: Spoken,
    /// Where its content stands in the request.
    pub(super) place: String,
}

#[derive(Debug)]
pub(super) enum Spoken {
    /// An instruction.
    System(String),
    User(Words),
    Assistant {
        text: String,
        calls: Vec<ToolCall>,
    },
    Tool(Answered),
}

#[derive(Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// What a tool answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) call: String,
    /// Where the call is named.
    pub(super) call_place: String,
    pub(super) text: String,
}

/// The parts of a turn.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) instructions: Option<String>,
    pub(super) history: Vec<Value>,
    pub(super) message: Option<String>,
    pub(super) attachments: Vec<Value>,
    pub(super) tool_results: Vec<Value>,
    /// Where each of them stood.
    pub(super) places: Places,
}

/// How a conversation may be told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Custom {
    /// A result may stand anywhere behind its call, as in Responses; else right behind the message with the call.
    pub(super) is_loose: bool,
    /// A call may stand in the session, which the request goes on with.
    pub(super) has_session: bool,
}

/// Reads the messages of chat completions, which stand at this place.
pub(super) fn of_chat(messages: Vec<Value>, place: &str) -> Result<Vec<Message>, Refusal> {
    let read = messages.into_iter().enumerate().map(|(index, message)| {
        let mut message = Fields::of(message, &format!("{place}/{index}"))?;
        let role = message.needed_text("role")?;
        let content_place = message.place("content");
        let content = message.take("content");
        let said = match role.as_str() {
            "system" | "developer" | "user" if content.is_none() => return Err(message.lacks("content")),
            "user" => Spoken::User(words(content, &content_place)?),
            "system" | "developer" => Spoken::System(text_alone(content, &content_place)?),
            "assistant" => {
                if message.take("function_call").is_some() {
                    let message_place = message.place("function_call");
                    return Err(wrong(&message_place, "this form is over: use `tool_calls`"));
                }
                Spoken::Assistant {
                    text: text_alone(content, &content_place)?,
                    calls: calls_of(&mut message)?,
                }
            }
            "tool" => Spoken::Tool(Answered {
                call: message.needed_text("tool_call_id")?,
                call_place: message.place("tool_call_id"),
                text: text_alone(content, &content_place)?,
            }),
            _ => {
                let path = message.place("role");
                let told = format!(
                    "`{}` is none of system, developer, user, assistant and tool",
                    param(&path)
                );
                return Err(wrong(&path, told).detail("code", "invalid_value"));
            }
        };
        Ok(Message {
            said,
            place: content_place,
        })
    });
    read.collect()
}

/// Content in which only a user's message may have more than words.
pub(super) fn text_alone(content: Option<Value>, place: &str) -> Result<String, Refusal> {
    let Words { text, attachments } = words(content, place)?;
    match attachments.first() {
        None => Ok(text),
        Some(first) => {
            let message = "only a message of the user may have pictures, recordings or files";
            Err(wrong(&first.path, message).detail("code", "invalid_value"))
        }
    }
}

fn calls_of(message: &mut Fields) -> Result<Vec<ToolCall>, Refusal> {
    let place = message.place("tool_calls");
    let calls = message.list("tool_calls")?.unwrap_or_default();
    if calls.len() > TOOLS_MAX {
        return Err(wrong(&place, format!("a message has at most {TOOLS_MAX} calls")));
    }
    let read = calls.into_iter().enumerate().map(|(index, call)| {
        let mut call = Fields::of(call, &format!("{place}/{index}"))?;
        let mut function = call.object("function")?.ok_or_else(|| call.lacks("function"))?;
        Ok(ToolCall {
            id: call.needed_text("id")?,
            name: function.needed_text("name")?,
            arguments: function.text("arguments")?.unwrap_or_default(),
        })
    });
    read.collect()
}

/// What was said before, each with its places.
#[derive(Debug, Default)]
struct Before {
    messages: Vec<(Value, Place)>,
}

/// Takes a conversation apart. `place` is that of all of it.
pub(super) fn read(messages: Vec<Message>, place: &str, custom: Custom) -> Result<Said, Refusal> {
    if messages.len() > MESSAGES_MAX {
        let message = format!("there are more than {MESSAGES_MAX} messages; leave out what is old");
        return Err(wrong(place, message));
    }
    // What stands alone goes on from the session, if there is one.
    let is_told = messages
        .iter()
        .any(|message| matches!(message.said, Spoken::User(_) | Spoken::Assistant { .. }));
    let elsewhere = custom.has_session && (custom.is_loose || !is_told);
    let mut said = Said::default();
    let mut instructions = Vec::new();
    let mut before = Before::default();
    let mut tools = Calls::default();
    for Message { said, place } in messages {
        match said {
            Spoken::System(text) => instructions.push(text),
            Spoken::User(Words { text, attachments }) => {
                tools.close();
                let (values, attachments) = attachments
                    .into_iter()
                    .map(|Attached { value, path }| (value, path))
                    .unzip::<_, _, Vec<_>, Vec<_>>();
                let value = json!({"role": "user", "text": text, "attachments": values});
                before.push(
                    value,
                    Place {
                        attachments,
                        ..at(place)
                    },
                );
            }
            Spoken::Assistant { text, calls } => {
                tools.open(&calls);
                let calls: Vec<Value> = calls
                    .into_iter()
                    .map(|ToolCall { id, name, arguments }| json!({"id": id, "name": name, "arguments": arguments}))
                    .collect();
                let value = json!({"role": "assistant", "text": text, "toolCalls": calls});
                before.push(value, at(place));
            }
            Spoken::Tool(Answered {
                call,
                call_place,
                text,
            }) => {
                let state = tools.answer(&call);
                let is_late = match state {
                    State::Open => false,
                    State::Closed if custom.is_loose => true,
                    State::Unknown if elsewhere => false,
                    State::Closed | State::Unknown | State::Answered => {
                        return Err(no_call(&call_place, state));
                    }
                };
                let mut result = json!({"callId": call, "text": text});
                if let (Some(name), Some(result)) = (tools.names.get(&call), result.as_object_mut()) {
                    result.insert("name".to_owned(), name.as_str().into());
                }
                let value = json!({"role": "tool", "toolResult": result});
                let place = Place {
                    call: Some(call_place),
                    ..at(place)
                };
                if is_late {
                    before.insert_behind(&call, value, place);
                } else {
                    before.push(value, place);
                }
            }
        }
    }
    said.instructions = (!instructions.is_empty()).then(|| instructions.join("\n\n"));
    say_last(&mut said, before.messages, place)?;
    said.places.conversation = place.to_owned();
    Ok(said)
}

fn at(content: String) -> Place {
    Place {
        content,
        ..Place::default()
    }
}

fn no_call(place: &str, state: State) -> Refusal {
    let why = match state {
        State::Answered => "names a call that was answered already",
        State::Closed => {
            "names a call behind which something else was said: a result stands right behind the message with its call"
        }
        State::Open | State::Unknown => {
            "names no call of the message before: a result answers one of the `tool_calls` of the assistant"
        }
    };
    wrong(place, format!("`{}` {why}", param(place))).detail("code", "tool_call_not_found")
}

/// The calls of a conversation so far.
#[derive(Debug, Default)]
struct Calls {
    names: HashMap<String, String>,
    open: HashSet<String>,
    answered: HashSet<String>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// It waits for its result.
    Open,
    /// Something else was said before there was one.
    Closed,
    Answered,
    Unknown,
}

impl Calls {
    fn open(&mut self, calls: &[ToolCall]) {
        self.close();
        for ToolCall { id, name, .. } in calls {
            self.names.insert(id.clone(), name.clone());
            self.answered.remove(id); // some models count anew in each message
            self.open.insert(id.clone());
        }
    }

    fn close(&mut self) {
        self.open.clear();
    }

    fn answer(&mut self, call: &str) -> State {
        if self.open.remove(call) {
            self.answered.insert(call.to_owned());
            return State::Open;
        }
        if !self.answered.insert(call.to_owned()) {
            return State::Answered;
        }
        if self.names.contains_key(call) {
            State::Closed
        } else {
            State::Unknown
        }
    }
}

impl Before {
    fn push(&mut self, value: Value, place: Place) {
        self.messages.push((value, place));
    }

    /// Puts a result where models look for it: behind the message with its call, and the results that stand there.
    fn insert_behind(&mut self, call: &str, value: Value, place: Place) {
        let has_call = |(message, _): &(Value, Place)| {
            let calls = message["toolCalls"].as_array();
            calls.is_some_and(|calls| calls.iter().any(|known| known["id"] == call))
        };
        let at = self
            .messages
            .iter()
            .rposition(has_call)
            .map_or(self.messages.len(), |at| at + 1);
        let results = self.messages.iter().skip(at);
        let at = at
            + results
                .take_while(|(message, _)| message["role"] == "tool")
                .count();
        self.messages.insert(at, (value, place));
    }
}

/// What is said now is what stands last: a message of the user, or what tools answered.
fn say_last(said: &mut Said, mut before: Vec<(Value, Place)>, place: &str) -> Result<(), Refusal> {
    while let Some((last, place)) = before.pop_if(|(last, _)| last["role"] == "tool") {
        said.tool_results.insert(0, last["toolResult"].clone());
        said.places.tool_results.insert(0, place);
    }
    if said.tool_results.is_empty() {
        let Some((mut last, place)) = before.pop_if(|(last, _)| last["role"] == "user") else {
            let message = "the last message has to be the user's, or what a tool answered";
            return Err(wrong(place, message));
        };
        said.message = last["text"].as_str().map(str::to_owned);
        if let Some(Value::Array(attachments)) = last.get_mut("attachments").map(Value::take) {
            said.attachments = attachments;
        }
        said.places.message = Some(place);
    }
    (said.history, said.places.history) = before.into_iter().unzip();
    Ok(())
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
