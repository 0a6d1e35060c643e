//! The items of a request, as messages of chat completions: the conversation is the same, its spelling is not.

use serde_json::{Value, json};

use super::super::{
    messages::{Answered, Message, Spoken, ToolCall, text_alone},
    parts::{Words, words},
};
use crate::{
    error::Refusal,
    http::fields::{Fields, mistyped, param, wrong},
};

/// The conversation as messages. `place` is that of all of it.
pub(super) fn messages(input: Value, place: &str) -> Result<Vec<Message>, Refusal> {
    let items = match input {
        Value::String(text) => {
            let said = Spoken::User(Words {
                text,
                ..Words::default()
            });
            return Ok(vec![Message {
                said,
                place: place.to_owned(),
            }]);
        }
        Value::Array(items) => items,
        other => return Err(mistyped(place, "a string or a list of items", &other)),
    };
    let mut messages: Vec<Message> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut item = Fields::of(item, &format!("{place}/{index}"))?;
        match item.text("type")?.as_deref() {
            None | Some("message") => messages.push(message(&mut item)?),
            Some("function_call") => {
                let call = ToolCall {
                    id: item.needed_text("call_id")?,
                    name: item.needed_text("name")?,
                    arguments: item.text("arguments")?.unwrap_or_default(),
                };
                // Calls that stand together are one message of the assistant, and so is what it said just before.
                match messages.last_mut().map(|last| &mut last.said) {
                    Some(Spoken::Assistant { calls, .. }) => calls.push(call),
                    _ => messages.push(Message {
                        said: Spoken::Assistant {
                            text: String::new(),
                            calls: vec![call],
                        },
                        place: item.place("arguments"),
                    }),
                }
            }
            Some("function_call_output") => {
                let place = item.place("output");
                let output = item.take("output");
                messages.push(Message {
                    said: Spoken::Tool(Answered {
                        call: item.needed_text("call_id")?,
                        call_place: item.place("call_id"),
                        text: text_alone(output, &place)?,
                    }),
                    place,
                });
            }
            Some("reasoning") => {} // what was thought goes to no model again
            Some(other) => {
                let shown: String = other.chars().take(64).collect();
                let message = format!("items of type `{shown}` cannot be read here");
                return Err(wrong(&item.place("type"), message).detail("code", "invalid_value"));
            }
        }
    }
    Ok(messages)
}

fn message(item: &mut Fields) -> Result<Message, Refusal> {
    let role = item.needed_text("role")?;
    let place = item.place("content");
    let content = item.take("content").ok_or_else(|| item.lacks("content"))?;
    let said = match role.as_str() {
        "user" => Spoken::User(words(Some(content), &place)?),
        "system" | "developer" => Spoken::System(text_alone(Some(content), &place)?),
        "assistant" => Spoken::Assistant {
            text: text_alone(Some(content), &place)?,
            calls: Vec::new(),
        },
        _ => {
            let path = item.place("role");
            let told = format!(
                "`{}` is none of system, developer, user and assistant",
                param(&path)
            );
            return Err(wrong(&path, told).detail("code", "invalid_value"));
        }
    };
    Ok(Message { said, place })
}

/// Tools in the form of chat completions.
pub(super) fn tools(tools: Vec<Value>) -> Result<Vec<Value>, Refusal> {
    let read = tools.into_iter().enumerate().map(|(index, tool)| match tool {
        Value::Object(mut tool) if tool.get("type") == Some(&"function".into()) => {
            tool.remove("type");
            Ok(json!({"type": "function", "function": tool}))
        }
        _ => {
            let message = "only tools of type `function` can be passed to a model";
            Err(wrong(&format!("/tools/{index}"), message))
        }
    });
    read.collect()
}

/// The choice of a tool in that form.
pub(super) fn tool_choice(choice: Value) -> Value {
    match choice {
        Value::Object(mut choice) if choice.contains_key("name") => {
            choice.remove("type");
            json!({"type": "function", "function": choice})
        }
        other => other,
    }
}

/// The form of the answer in that form; words need none.
pub(super) fn response_format(format: Value) -> Option<Value> {
    match format {
        Value::Object(mut format) if format.get("type") == Some(&"json_schema".into()) => {
            format.remove("type");
            Some(json!({"type": "json_schema", "json_schema": format}))
        }
        format if format["type"] == "text" => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::messages::{self, Custom},
        *,
    };

    const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    #[test]
    fn items_are_the_messages_that_they_mean() {
        let items = json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "what"}, {"type": "input_image", "image_url": PIXEL}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"role": "assistant", "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "ls", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "a"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "b"}]},
        ]);

        let custom = Custom {
            is_loose: true,
            has_session: false,
        };
        let said = messages::read(super::messages(items, "/input").unwrap(), "/input", custom).unwrap();

        assert_eq!(said.history.len(), 2);
        assert_eq!(said.history[0]["attachments"][0]["type"], "image");
        assert_eq!(said.history[1]["text"], "I look.");
        assert_eq!(said.history[1]["toolCalls"].as_array().unwrap().len(), 2);
        assert_eq!(
            said.tool_results,
            [
                json!({"callId": "c1", "text": "a", "name": "ls"}),
                json!({"callId": "c2", "text": "b", "name": "ls"})
            ]
        );
    }

    #[test]
    fn a_result_that_stands_behind_other_words_answers_its_call_all_the_same() {
        let items = json!([
            {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "ls", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": "b"},
            {"role": "user", "content": "wait"},
            {"type": "function_call_output", "call_id": "c1", "output": "a"},
        ]);
        let custom = Custom {
            is_loose: true,
            has_session: false,
        };

        let said = messages::read(super::messages(items, "/input").unwrap(), "/input", custom).unwrap();

        assert_eq!(said.message.as_deref(), Some("wait"));
        let results: Vec<_> = said.history[1..]
            .iter()
            .map(|message| message["toolResult"]["callId"].clone())
            .collect();
        assert_eq!(results, ["c2", "c1"]);
        assert_eq!(said.places.history[2].call.as_deref(), Some("/input/4/call_id"));
    }
}
