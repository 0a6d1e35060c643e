//! Messages of a turn that are finished while it goes on. Each is in the transcript, under the lease, before anything that follows
//! it is taken; then it is shown, behind the deltas that it takes the place of.

use std::time::Duration;

use gatehouse_core::content::{Block, ToolCall, ToolResult};
use gatehouse_core::{Chain, Content, Timestamp, json};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::agent::v1::turn_message::Role as Speaker;
use gatehouse_proto::common::v1 as common;
use serde_json::json;
use tokio::time;

use super::{Outcome, Pacer, Rewrite, Run, stop_of};
use crate::answer;
use crate::error::Error;
use crate::store::{Record, Recorded, Role, SessionRecord};

/// How often a message is offered to a store that fails, a second apart. A repeat adds nothing twice.
const RECORD_ATTEMPTS: u32 = 3;

/// A message of the agent service that may stand in a transcript.
#[derive(Debug, PartialEq)]
struct Step {
    role: Role,
    content: Content,
}

impl TryFrom<agent::TurnEntry> for Step {
    type Error = &'static str;

    fn try_from(entry: agent::TurnEntry) -> Result<Self, &'static str> {
        let speaker = entry.role();
        let agent::TurnEntry { role: _, content } = entry;
        let content = content.ok_or("has no content")?;
        let content = Content::try_from(content).map_err(|error| error.problem())?;
        let role = match speaker {
            Speaker::Assistant if content.results().next().is_some() => {
                return Err("holds a result of the assistant's");
            }
            Speaker::Assistant if content.is_blank() => return Err("says nothing"),
            Speaker::Assistant => Role::Assistant,
            Speaker::Tool if !matches!(content.blocks(), [Block::ToolResult(_)]) => {
                return Err("is a tool's and not one result");
            }
            Speaker::Tool => Role::Tool,
            Speaker::User | Speaker::Unspecified => return Err("is neither the assistant's nor a tool's"),
        };
        Ok(Self { role, content })
    }
}

impl Run {
    pub(super) async fn take_entry(&mut self, entry: agent::TurnEntry) -> Result<Option<Outcome>, Error> {
        let Step { role, content } = match entry.try_into() {
            Ok(step) => step,
            Err(problem) => {
                return Ok(Some(Outcome::Failed {
                    message: format!("the agent service sent a message that {problem}"),
                    kind: FailureKind::Unspecified,
                    answered_by: None,
                }));
            }
        };
        if !self.seen
            && let Some(stop) = self.show_first("").await?
        {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        self.show_rest();
        let hold = self.record(role, &content).await?;
        if let Some(stop) = hold {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        if role == Role::Assistant {
            return Ok(None);
        }
        if !self.calls_open.is_empty() {
            return Ok(None); // a model wants all of its answers
        }
        self.take_in(None).await
    }

    /// Writes the message down and shows it, in the order of the session's rows.
    async fn record(&mut self, role: Role, content: &Content) -> Result<Option<super::Stop>, Error> {
        let room = std::sync::Arc::clone(&self.room);
        let shared = &room.shared;
        let row = answer::step(&self.turn.run, role, content, self.steps, shared.clock.now());
        let record = Record {
            run: self.turn.run.clone(),
            owner: shared.owner.clone(),
            first: self.steps,
            entries: vec![row],
            effects: content.calls().any(|call| !call.repeatable),
        };
        let live = std::sync::Arc::clone(&self.live);
        for attempt in 1.. {
            let order = room.order.of(&self.turn.key).await;
            let keeping = live.keeping().await;
            match shared.stores.turns.record(record.clone()).await {
                Ok(Recorded {
                    hold,
                    entries,
                    session,
                }) => {
                    self.steps += 1;
                    if let Some(session) = session {
                        // v4 is told of a tool's answer by the event of the tool, and reads the row in the history.
                        for entry in entries.iter().filter(|entry| entry.row.role == Role::Assistant) {
                            shared.events.row(entry, &session, shared.agents().as_deref());
                        }
                        self.show_step(role, content, &session);
                    }
                    drop((keeping, order));
                    return Ok(stop_of(hold));
                }
                Err(error) if attempt < RECORD_ATTEMPTS => {
                    tracing::error!(run.id = %self.turn.run, error = %Chain(&error), "a message of a turn could not be stored");
                }
                Err(error) => return Err(error),
            }
            drop((keeping, order));
            time::sleep(Duration::from_secs(1)).await;
        }
        Ok(None)
    }

    fn show_step(&mut self, role: Role, content: &Content, session: &SessionRecord) {
        let agents = self.room.shared.agents();
        let now = self.room.shared.clock.now();
        if role == Role::Assistant {
            let words = content.words();
            if !words.trim().is_empty() {
                self.said_before = words;
            }
            self.begin_message();
            self.calls_open.clear();
        }
        for call in content.calls() {
            self.calls_open.insert(call.id.clone(), now.as_ms());
            self.events.item(
                self.live.next_seq(),
                &item(&call.id, &call.name, "running", now, None),
            );
            self.events
                .tool(self.live.next_seq(), &started(call), session, agents.as_deref());
        }
        for result in content.results() {
            let begun = self.calls_open.remove(&result.call_id).unwrap_or(now.as_ms());
            self.events.tool(
                self.live.next_seq(),
                &answered(result),
                session,
                agents.as_deref(),
            );
            let status = if result.failed { "failed" } else { "completed" };
            let item = item(
                &result.call_id,
                &result.name,
                status,
                Timestamp::from_ms(begun),
                Some(now),
            );
            self.events.item(self.live.next_seq(), &item);
        }
    }

    /// What was in flight is a row: what follows is another text, and takes its place on the screens.
    fn begin_message(&mut self) {
        let shown = self.live.shown_bytes() > 0 || !self.earlier.is_empty();
        self.live.begin_message();
        if shown {
            self.events
                .begin_message(self.live.append(""), self.live.append(""));
            self.new_answer = Rewrite::NONE;
        }
        self.earlier.clear();
        if !self.thought.is_empty() {
            self.thought.clear();
            self.new_thinking = Rewrite::ALL;
        }
        self.answer = Pacer::new(self.room.pacing.clone());
        self.thinking = Pacer::new(self.room.pacing.clone());
    }

    /// The last message as the agent service gives it. One that cannot be read is what was streamed.
    pub(super) fn whole(&self, content: Option<common::Content>) -> Option<Content> {
        let content = Content::try_from(content?);
        if let Err(error) = &content {
            tracing::error!(run.id = %self.turn.run, error = %error, "the last message of a turn cannot be read");
        }
        content.ok().filter(|content| !content.is_blank())
    }
}

/// A tool as one line among the things that a run does.
fn item(
    call: &str,
    name: &str,
    status: &str,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
) -> serde_json::Value {
    let mut item = json!({
        "itemId": format!("tool:{call}"), "toolCallId": call, "name": name, "title": name, "kind": "tool", "status": status,
        "phase": if ended_at.is_some() { "end" } else { "start" }, "startedAt": started_at,
    });
    if let (Some(ended_at), Some(item)) = (ended_at, item.as_object_mut()) {
        item.insert("endedAt".to_owned(), ended_at.as_ms().into());
    }
    item
}

fn started(call: &ToolCall) -> serde_json::Value {
    let arguments = json::read::<serde_json::Value>(call.arguments.get());
    json!({ "phase": "start", "name": call.name, "toolCallId": call.id, "args": arguments.unwrap_or_default() })
}

fn answered(result: &ToolResult) -> serde_json::Value {
    let content = json::read::<serde_json::Value>(&result.content.to_json_blocks());
    json!({
        "phase": "result", "name": result.name, "toolCallId": result.call_id, "isError": result.failed,
        "result": { "content": content.unwrap_or_default() },
    })
}
