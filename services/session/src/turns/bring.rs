//! What comes with a program's message, and how it is kept.

use gatehouse_core::content::{Block, Json, ToolCall, ToolResult};
use gatehouse_core::{Content, Timestamp};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::{TurnMessage, turn_message};
use gatehouse_proto::session::v1 as proto;
use prost::Message as _;

use super::Brought;
use super::readable::Readable;
use crate::error::Error;
use crate::id::EntryId;
use crate::media::{Attachments, Media};
use crate::store::{EntryExtra, NewEntry, Role};

/// What a program may bring beside its message: it is kept in one row, and goes to the agent service in one message of 4 MiB.
const BROUGHT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What comes with a message.
#[derive(Debug)]
pub(super) struct Bringing {
    pub(super) program: agent::Program,
    pub(super) history: Vec<Prior>,
    /// What its tools answered, in the place of a message.
    pub(super) results: Vec<ToolResult>,
    pub(super) keep_ms: Option<i64>,
    /// Whether the conversation goes on from the session's transcript, and does not take its place.
    pub(super) goes_on: bool,
    /// Whether its session was made for it just before.
    pub(super) is_forked: bool,
}

/// One message of the conversation that it brings.
#[derive(Debug)]
pub(super) struct Prior {
    pub(super) role: Role,
    pub(super) content: Content,
    attachments: Attachments,
}

/// What is kept of it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) brought: Brought,
    /// What its tools answered.
    pub(super) results: Option<Content>,
}

impl Kept {
    /// What makes a repeat the same request, beside its message.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.brought.program.clone().unwrap_or_default();
        let results = self.results.as_ref().map(Content::to_json_blocks);
        bytes.extend(results.unwrap_or_default().into_bytes());
        for row in &self.brought.before {
            bytes.extend([row.role.word().as_bytes(), row.content.as_bytes()].concat());
        }
        bytes
    }
}

impl Bringing {
    /// Whether tools answer, and nobody says anything.
    pub(super) fn has_results(&self) -> bool {
        !self.results.is_empty()
    }

    /// Keeps the media in it, and makes of the rest what is stored.
    ///
    /// # Errors
    /// When a medium cannot be kept or read to no model, or it is too much.
    pub(super) async fn keep(
        self,
        media: &Media,
        bytes_max: u64,
        readable: &mut Readable,
        now: Timestamp,
    ) -> Result<Kept, Error> {
        let Self {
            mut program,
            history,
            results,
            keep_ms,
            goes_on,
            is_forked,
        } = self;
        let mut before = Vec::with_capacity(history.len());
        for (index, prior) in history.into_iter().enumerate() {
            let Prior {
                role,
                content,
                attachments,
            } = prior;
            let content = if attachments.is_empty() {
                content
            } else {
                let path = format!("/history/{index}/attachments");
                let keeping = attachments.keep(content.words(), media, bytes_max);
                let content = keeping.await.map_err(|error| error.of_attachments(&path))?;
                readable.check(&content, &path)?;
                content
            };
            before.push(row(role, &content, now));
            if !goes_on {
                program.history.push(message(role, content));
            }
        }
        let results = (!results.is_empty()).then(|| results.into_iter().map(Block::ToolResult).collect());
        let kept = Kept {
            brought: Brought {
                program: Some(program.encode_to_vec()),
                before,
                goes_on,
                keep_ms,
                is_forked,
            },
            results,
        };
        let brought = kept.brought.program.as_ref().map_or(0, Vec::len);
        let said: usize = kept.brought.before.iter().map(|row| row.content.len()).sum();
        if brought.max(said) > BROUGHT_BYTES_MAX {
            return Err(Error::Field {
                path: "/history",
                problem: "is larger than 2 MiB with the tools and the instructions: leave out what is old",
            });
        }
        Ok(kept)
    }
}

/// The row of what tools answered.
pub(super) fn results_row(content: &Content, entry: NewEntry) -> NewEntry {
    NewEntry {
        role: Role::Tool,
        content: content.to_json_blocks(),
        preview: String::new(),
        ..entry
    }
}

fn row(role: Role, content: &Content, now: Timestamp) -> NewEntry {
    NewEntry {
        id: EntryId::generate(),
        role,
        content: if role == Role::User {
            content.to_json()
        } else {
            content.to_json_blocks()
        },
        preview: content.words(),
        timestamp: now,
        run: None,
        boundary: false,
        in_context: true,
        extra: EntryExtra::default(),
    }
}

fn message(role: Role, content: Content) -> TurnMessage {
    let role = match role {
        Role::User | Role::System => turn_message::Role::User,
        Role::Assistant => turn_message::Role::Assistant,
        Role::Tool => turn_message::Role::Tool,
    };
    let (text, content) = content.into_parts();
    TurnMessage {
        role: role.into(),
        text,
        content,
        provider: None,
    }
}

impl TryFrom<proto::PriorMessage> for Prior {
    type Error = Error;

    fn try_from(message: proto::PriorMessage) -> Result<Self, Error> {
        let proto::PriorMessage {
            role,
            text,
            attachments,
            tool_calls,
            tool_result,
        } = message;
        let words = text.filter(|text| !text.is_empty()).map(Block::text);
        let calls = tool_calls.into_iter().map(call);
        let (role, content) = match (role.as_str(), tool_result) {
            ("user", None) => (Role::User, words.into_iter().collect()),
            ("assistant", None) => (Role::Assistant, words.into_iter().chain(calls).collect()),
            ("tool", Some(answered)) => (Role::Tool, Content::from(Block::ToolResult(result(answered)))),
            _ => {
                return Err(Error::Field {
                    path: "/history",
                    problem: "holds a message that is neither the user's, the assistant's nor one result of a tool",
                });
            }
        };
        Ok(Self {
            role,
            content,
            attachments: Attachments::read(attachments)?,
        })
    }
}

fn call(call: proto::ToolCall) -> Block {
    let proto::ToolCall { id, name, arguments } = call;
    Block::ToolCall(ToolCall {
        id,
        name,
        arguments: Json::written(&arguments),
        repeatable: true, // the program runs it, and knows
    })
}

/// What a tool answered.
pub(super) fn result(result: proto::ToolResult) -> ToolResult {
    let proto::ToolResult { call_id, name, text } = result;
    ToolResult {
        name: name.unwrap_or_else(|| "tool".to_owned()),
        call_id,
        content: Content::text(text),
        failed: false,
    }
}
