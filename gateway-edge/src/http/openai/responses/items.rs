//! The items of a request, as messages of chat completions: the conversation is the same, its spelling is not.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::{messages::Message, target::wrong};
use crate::error::Refusal;

/// What a request says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Input {
    Text(String),
    Items(Vec<Map<String, Value>>),
}

/// The conversation as messages.
pub(super) fn messages(input: Input) -> Result<Vec<Message>, Refusal> {
    let items = match input {
        Input::Text(text) => vec![json!({"role": "user", "content": text})],
        Input::Items(items) => spelled(items)?,
    };
    serde_json::from_value(Value::Array(items))
        .map_err(|error| wrong("/input", format!("an item cannot be read: {error}")))
}

fn spelled(items: Vec<Map<String, Value>>) -> Result<Vec<Value>, Refusal> {
    let mut messages: Vec<Value> = Vec::new();
    for (index, mut item) in items.into_iter().enumerate() {
        let mut take = |key: &str| item.remove(key).unwrap_or_default();
        match take("type").as_str() {
            None | Some("message") => {
                let content = content(take("content"));
                messages.push(json!({"role": take("role"), "content": content}));
            }
            Some("function_call") => {
                let call = json!({
                    "id": take("call_id"), "function": {"name": take("name"), "arguments": take("arguments")},
                });
                // Calls that stand together are one message of the assistant, and so is what it said just before.
                let last = messages.last_mut().filter(|last| last["role"] == "assistant");
                match last.and_then(Value::as_object_mut) {
                    Some(last) => match last.get_mut("tool_calls").and_then(Value::as_array_mut) {
                        Some(calls) => calls.push(call),
                        None => {
                            last.insert("tool_calls".to_owned(), json!([call]));
                        }
                    },
                    None => messages.push(json!({"role": "assistant", "tool_calls": [call]})),
                }
            }
            Some("function_call_output") => {
                let content = content(take("output"));
                messages.push(json!({"role": "tool", "tool_call_id": take("call_id"), "content": content}));
            }
            Some("reasoning") => {} // what was thought goes to no model again
            Some(other) => {
                let message = format!("items of type `{other}` cannot be read here");
                return Err(wrong(&format!("/input/{index}"), message));
            }
        }
    }
    Ok(messages)
}

/// The parts of an item under the names that they have in a message.
fn content(content: Value) -> Value {
    let Value::Array(parts) = content else {
        return content;
    };
    let parts = parts.into_iter().map(|mut part| match part["type"].as_str() {
        Some("input_image") => json!({"type": "image_url", "image_url": part["image_url"].take()}),
        Some("input_file") => {
            json!({"type": "file", "file": {"file_data": part["file_data"].take(), "filename": part["filename"].take()}})
        }
        _ => part,
    });
    parts.collect()
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
    use super::{super::super::messages, *};

    #[test]
    fn items_are_the_messages_that_they_mean() {
        let items = json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "what"}, {"type": "input_image", "image_url": "data:image/png;base64,aGk="}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"role": "assistant", "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "ls", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "a"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "b"}]},
        ]);

        let said = messages::read(super::messages(serde_json::from_value(items).unwrap()).unwrap()).unwrap();

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
}
