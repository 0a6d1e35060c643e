//! A conversation in the form of chat completions.
//!
//! This form takes words, calls of tools and their results. By rule, of everything else:
//!
//! - a medium is named in words, and said to be missing;
//! - what was thought, notices, and what only another provider understands are left out;
//! - a call without a result gets one that says so, and a result without its call is left out: servers refuse either, and a
//!   conversation that was cut off at its beginning or by a crash may hold it;
//! - a message of which nothing is left is left out;
//! - what somebody said twice before there was an answer is one message: the templates of many local models insist that the two
//!   sides take turns.

use std::collections::HashSet;

use gatehouse_core::content::{Block, Content, Text};
use serde_json::{Value, json};

use crate::request::{Message, Role};

/// What the model reads in the place of a result that never came.
const NO_RESULT: &str = "(interrupted: there is no result)";

/// The messages, oldest first.
pub(super) fn of<'m>(conversation: impl IntoIterator<Item = &'m Message>) -> Vec<Value> {
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
            Role::User => {
                let words = words(content);
                if !words.is_empty() {
                    ask(words, &mut out);
                }
            }
            Role::Assistant => out.extend(assistant(content, &mut open)),
            Role::Tool => {
                for result in content.results() {
                    if let Some(place) = open.iter().position(|id| *id == result.call_id) {
                        open.remove(place);
                        out.push(tool(&result.call_id, &words(&result.content)));
                    }
                }
            }
        }
    }
    close(&mut open, &mut out);
    out
}

/// A person's words, behind those that stand there unanswered.
fn ask(words: String, out: &mut Vec<Value>) {
    let unanswered = out.last_mut().filter(|message| message["role"] == "user");
    match unanswered.and_then(|message| message.get_mut("content")) {
        Some(Value::String(before)) => {
            before.push_str("\n\n");
            before.push_str(&words);
        }
        _ => out.push(json!({"role": "user", "content": words})),
    }
}

fn assistant<'a>(content: &'a Content, open: &mut Vec<&'a str>) -> Option<Value> {
    let words = words(content);
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

fn words(content: &Content) -> String {
    let words = content.blocks().iter().filter_map(|block| match block {
        Block::Text(Text { text, notice: false }) => Some(text.clone()),
        Block::Media(media) => Some(format!("{} (not included)", media.label())),
        Block::Text(_)
        | Block::ToolCall(_)
        | Block::ToolResult(_)
        | Block::Thinking(_)
        | Block::Opaque(_) => None,
    });
    words.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, json: &str) -> Message {
        Message {
            role,
            content: Content::from_json(json).unwrap(),
            provider: None,
        }
    }

    const CALL: &str = r#"[{"type":"thinking","thinking":"hm"},{"type":"toolCall","id":"c1","name":"ls","arguments":{"path": "."}}]"#;
    const RESULT: &str = r#"[{"type":"toolResult","toolCallId":"c1","toolName":"ls","content":"empty"}]"#;

    #[test]
    fn calls_and_results_are_said_as_the_api_wants_them() {
        let conversation = [
            said(Role::User, r#""look""#),
            said(Role::Assistant, CALL),
            said(Role::Tool, RESULT),
            said(Role::Assistant, r#"[{"type":"text","text":"nothing there"}]"#),
        ];

        assert_eq!(
            of(&conversation),
            [
                json!({"role": "user", "content": "look"}),
                json!({"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{\"path\": \".\"}"}}]}),
                json!({"role": "tool", "tool_call_id": "c1", "content": "empty"}),
                json!({"role": "assistant", "content": "nothing there"}),
            ]
        );
    }

    #[test]
    fn a_call_without_a_result_gets_one_and_a_result_without_a_call_is_left_out() {
        let interrupted = [
            said(Role::Tool, RESULT),
            said(Role::Assistant, CALL),
            said(Role::User, r#""well?""#),
        ];

        let roles: Vec<_> = of(&interrupted)
            .iter()
            .map(|message| (message["role"].clone(), message["content"].clone()))
            .collect();

        assert_eq!(
            roles,
            [
                (json!("assistant"), Value::Null),
                (json!("tool"), json!(NO_RESULT)),
                (json!("user"), json!("well?")),
            ]
        );
    }

    #[test]
    fn questions_that_nobody_answered_and_the_next_one_are_one_message() {
        let conversation = [
            said(Role::User, r#""one""#),
            said(Role::Assistant, r#"[{"type":"text","text":"cut","notice":true}]"#),
            said(Role::User, r#""two""#),
            said(Role::Assistant, r#""to both""#),
            said(Role::User, r#""three""#),
        ];

        assert_eq!(
            of(&conversation),
            [
                json!({"role": "user", "content": "one\n\ntwo"}),
                json!({"role": "assistant", "content": "to both"}),
                json!({"role": "user", "content": "three"}),
            ]
        );
    }

    #[test]
    fn what_this_api_cannot_take_is_left_out_or_named() {
        let conversation = [
            said(
                Role::User,
                r#"[{"type":"text","text":"see"},{"type":"image","url":"u","mimeType":"image/png","name":"a.png"},{"type":"hologram"}]"#,
            ),
            said(
                Role::Assistant,
                r#"[{"type":"thinking","thinking":"hm"},{"type":"hologram"}]"#,
            ),
            said(
                Role::Assistant,
                r#"[{"type":"text","text":"half"},{"type":"text","text":"cut","notice":true}]"#,
            ),
        ];

        assert_eq!(
            of(&conversation),
            [
                json!({"role": "user", "content": "see\n[image: a.png] (not included)"}),
                json!({"role": "assistant", "content": "half"}),
            ]
        );
    }
}
