//! Summing a conversation up. The model is asked for a summary of all that it reads; the row of it stands for all rows before it, and
//! what came while it was written is read behind it. Nothing is forgotten: the rows stay in the transcript.

use gatehouse_core::Content;
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::{TurnMessage, turn_message};
use serde_json::json;

use super::super::context::arrange;
use super::super::{Task, Turn};
use super::Run;
use crate::agents::Agent;
use crate::answer::{self, ANSWER_BYTES_MAX};
use crate::error::Error;
use crate::id::EntryId;
use crate::rows::{plain, text_of};
use crate::stop::StopReason;
use crate::store::{ContextRow, EntryExtra, Finish, HistoryQuery, NewEntry, Role, Tokens, TurnState};

/// What the model is told that sums up.
const SYSTEM: &str = "You sum up conversations so that an assistant can go on with them. You write the summary and nothing else.";

/// What it is asked.
const QUESTION: &str = "Sum up the conversation so far, in the language in which it is held. Keep what is needed to go on: who \
     takes part, what was asked and answered, decisions, names, numbers, open questions, and what was promised. Leave out \
     pleasantries. Answer with the summary alone.";

/// Rows that are looked through for the words of the command: it is among the newest.
const LOOKED_THROUGH: u32 = 100;

/// A summary that is being made.
#[derive(Debug, Default)]
pub(super) struct Summary {
    text: String,
    /// The number of the first row that it does not hold.
    from: i64,
    /// Messages that it stands for.
    messages: usize,
}

impl Summary {
    pub(super) fn of(turn: &Turn) -> Option<Self> {
        (turn.task == Some(Task::Compact)).then(Self::default)
    }

    pub(super) fn push(&mut self, text: &str) {
        if self.text.len() + text.len() <= ANSWER_BYTES_MAX {
            self.text.push_str(text);
        }
    }

    /// What was pushed is no part of it.
    pub(super) fn clear(&mut self) {
        self.text.clear();
    }
}

impl Run {
    /// The question for a summary of these rows.
    pub(super) async fn request_summary(
        &mut self,
        models: Vec<String>,
        configured: &Agent,
        rows: Vec<ContextRow>,
    ) -> Result<agent::RunTurnRequest, Error> {
        self.events.compaction(
            self.live.next_seq(),
            &json!({ "phase": "start", "kind": "summary" }),
        );
        if self.summary.as_ref().is_some_and(|summary| summary.messages == 0) {
            // Once: the question may be asked several times.
            self.room.shared.events.operation_begun(&self.turn, &self.session);
        }
        let waiting = rows.iter().filter(|row| row.waiting).map(|row| row.seq).min();
        let newest = rows.iter().map(|row| row.seq).max().unwrap_or(0);
        let mut messages = arrange(rows, &self.turn.run);
        self.summary = Some(Summary {
            text: String::new(), // of an attempt before this one
            from: waiting.unwrap_or(newest + 1),
            messages: messages.len(),
        });
        let mut text = QUESTION.to_owned();
        if let Some(wish) = self.wish().await? {
            text.push_str(&format!("\n\nWhat it must keep above all: {wish}"));
        }
        messages.push(TurnMessage {
            role: turn_message::Role::User.into(),
            text,
            content: None,
            provider: None,
        });
        // What stood in pictures and files is gone for the model afterwards, unless the summary says it.
        let media = self.media_of(&messages, &models).await;
        Ok(agent::RunTurnRequest {
            run_id: self.turn.run.to_string(),
            models,
            system_prompt: Some(SYSTEM.to_owned()),
            messages,
            media,
            timeout_ms: configured.timeout_ms,
            agent_name: configured.display_name(),
            agent_id: Some(configured.id.to_string()),
            in_chat: self.turn.target.is_some(),
            program: None,
            thinking_level: None,
        })
    }

    /// What stands behind the command.
    async fn wish(&self) -> Result<Option<String>, Error> {
        let query = HistoryQuery {
            limit: LOOKED_THROUGH,
            offset: 0,
            after: None,
            bytes_max: ANSWER_BYTES_MAX,
        };
        let transcripts = &self.room.shared.stores.transcripts;
        let page = transcripts.history(&self.turn.key, query).await?;
        let mut rows = page.entries.iter().rev().map(|entry| &entry.row);
        let asked = rows.find(|row| row.role == Role::User && row.run.as_ref() == Some(&self.turn.run));
        let words = asked.map(|row| text_of(&row.content)).unwrap_or_default();
        let wish = words
            .split_once(char::is_whitespace)
            .map(|(_, wish)| wish.trim().to_owned());
        Ok(wish.filter(|wish| !wish.is_empty()))
    }

    /// Ends it with the summary. False: the model wrote none.
    pub(super) fn summed_up(
        &self,
        finish: &mut Finish,
        summary: &Summary,
        usage: Option<Tokens>,
        answered_by: (String, String),
    ) -> bool {
        let text = summary.text.trim();
        if text.is_empty() {
            return false;
        }
        finish.state = TurnState::Done;
        finish.summary = Some(NewEntry {
            id: EntryId::generate(),
            role: Role::System,
            content: plain(text),
            preview: String::new(),
            timestamp: finish.now,
            run: Some(self.turn.run.clone()),
            boundary: false,
            in_context: true,
            extra: EntryExtra {
                provider: Some(answered_by.0).filter(|provider| !provider.is_empty()),
                model: Some(answered_by.1).filter(|model| !model.is_empty()),
                usage,
                compacts: Some(summary.from),
                ..EntryExtra::default()
            },
        });
        let said = Content::text(format!(
            "Summed up: the model reads a summary of {} characters now in the place of {} messages.",
            text.chars().count(),
            summary.messages
        ));
        finish.entry = Some(answer::by_gateway(&self.turn.run, &said, finish.now));
        finish.reply = Some(said);
        finish.stop_reason = Some(StopReason::Stop);
        finish.usage = usage;
        let data = json!({
            "phase": "end", "completed": true, "kind": "summary", "messagesLeftOut": summary.messages,
        });
        self.events.compaction(self.live.next_seq(), &data);
        true
    }
}
