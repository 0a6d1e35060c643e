//! From what is stored to what clients see.
//!
//! A row's content is JSON, and goes out as it is stored: what this version does not understand of it reaches the clients byte
//! for byte. Two shapes are v4's own: a tool's row is its one result, laid out beside the content, and the end of a run says what was
//! said, without what was thought.

use std::borrow::Cow;

use gatehouse_core::content::Block;
use gatehouse_core::{Content, Timestamp};
use gatehouse_proto::session::v1 as proto;

use crate::agents::{Agents, ModelName};
use crate::media::{self, Links};
use crate::sessions::settings::Word;
use crate::store::{Entry, EntryExtra, NewEntry, Role, SessionRecord, ShownKind};

/// The answer's text as content blocks.
pub(crate) fn blocks(text: &str) -> String {
    Content::text(text).to_json_blocks()
}

/// A plain text as content.
pub(crate) fn plain(text: &str) -> String {
    Content::text(text).to_json()
}

/// What stands in a row. The store holds JSON and nothing else, so what cannot be read is nothing.
pub(crate) fn content_of(json: &str) -> Content {
    Content::from_json(json).unwrap_or_default()
}

/// The words that somebody said in a row. Notices to people are not part of it.
pub(crate) fn text_of(content: &str) -> String {
    content_of(content).words()
}

/// A message as chat events carry it. The content is JSON already.
pub(crate) fn chat_message(content: &str, timestamp: Timestamp) -> String {
    format!(r#"{{"role":"assistant","content":{content},"timestamp":{timestamp}}}"#)
}

/// The row with which a run ends, as its last chat event carries it, behind what the run said before somebody steered it. What the
/// gateway said itself says so.
pub(crate) fn last_message(said: &str, row: &NewEntry, links: &Links) -> String {
    let content = without_thinking(&row.content);
    let content = media::shown(&content, links);
    let timestamp = row.timestamp;
    if row.extra.model.as_deref() == Some(GATEWAY_MODEL) && said.is_empty() {
        return format!(
            r#"{{"role":"assistant","content":{content},"provider":"{GATEWAY_PROVIDER}","model":"{GATEWAY_MODEL}","timestamp":{timestamp}}}"#
        );
    }
    if said.is_empty() {
        return chat_message(&content, timestamp);
    }
    let before = Block::text(said.trim_end());
    let whole: Content = [before]
        .into_iter()
        .chain(content_of(&content).into_blocks())
        .collect();
    chat_message(&whole.to_json_blocks(), timestamp)
}

/// What a run said before somebody steered it, when it said nothing afterwards.
pub(crate) fn said_message(said: &str, timestamp: Timestamp) -> String {
    chat_message(&blocks(said.trim_end()), timestamp)
}

/// Whose words those are that no model wrote, in the words of v4's transcripts.
pub(crate) const GATEWAY_PROVIDER: &str = "gatehouse";
/// The same, as a model.
pub(crate) const GATEWAY_MODEL: &str = "gateway-injected";

/// What a row's answer cost.
pub(crate) fn usage(row: &NewEntry) -> Option<proto::Usage> {
    row.extra.usage.map(|tokens| proto::Usage {
        input: tokens.input,
        output: tokens.output,
        total_tokens: tokens.input + tokens.output,
    })
}

fn without_thinking(json: &str) -> Cow<'_, str> {
    let content = content_of(json);
    let thinks = |block: &Block| matches!(block, Block::Thinking(_));
    if content.blocks().iter().any(thinks) {
        Cow::Owned(content.filtered(|block| !thinks(block)).to_json_blocks())
    } else {
        Cow::Borrowed(json)
    }
}

/// What a tool's row says beside its content.
#[derive(Debug, Default)]
struct Answer {
    call_id: Option<String>,
    tool: Option<String>,
    failed: Option<bool>,
}

/// A row's content as clients see it.
fn shown(row: &NewEntry, links: &Links) -> (String, Answer) {
    let stored = || (media::shown(&row.content, links).into_owned(), Answer::default());
    match row.role {
        Role::User | Role::Assistant | Role::System => stored(),
        Role::Tool => content_of(&row.content)
            .results()
            .next()
            .map_or_else(stored, |result| {
                let answer = Answer {
                    call_id: Some(result.call_id.clone()),
                    tool: Some(result.name.clone()),
                    failed: Some(result.failed),
                };
                let content = result.content.to_json_blocks();
                (media::shown(&content, links).into_owned(), answer)
            }),
    }
}

/// A row of a transcript.
pub(crate) fn message(entry: &Entry, links: &Links) -> proto::TranscriptMessage {
    let row = &entry.row;
    let EntryExtra {
        provider,
        model,
        stop_reason,
        error_message,
        usage: _, // below
        abort_origin,
        sender_label,
        user,
        wrote: _, // for models alone
        step,
        compacts,
    } = row.extra.clone();
    let usage = usage(row);
    let run = row.run.as_ref().map(ToString::to_string);
    let (content, answer) = shown(row, links);
    proto::TranscriptMessage {
        role: row.role.word().to_owned(),
        content,
        timestamp: row.timestamp.as_ms(),
        // One row of a run is its question and one its end; those between have no key, as there are many.
        idempotency_key: run
            .as_ref()
            .filter(|_| step.is_none() && compacts.is_none())
            .and_then(|run| match row.role {
                Role::User => Some(format!("{run}:user")),
                Role::Assistant | Role::System => Some(format!("{run}:assistant")),
                Role::Tool => None,
            }),
        provider,
        model,
        stop_reason: stop_reason.map(String::from),
        error_message,
        usage,
        openclaw_abort: abort_origin.map(|origin| proto::Abort {
            aborted: true,
            origin,
            run_id: run.clone().unwrap_or_default(),
        }),
        sender_label,
        meta: Some(proto::TranscriptMeta {
            id: row.id.to_string(),
            seq: entry.seq,
            user_id: user,
            run_id: run,
            kind: if row.boundary {
                Some("reset".to_owned())
            } else {
                compacts.map(|_| "compaction".to_owned())
            },
        }),
        tool_call_id: answer.call_id,
        tool_name: answer.tool,
        tool_failed: answer.failed,
        exclude_from_context: (!row.in_context && !row.boundary).then_some(true),
    }
}

/// Which of the parts that lists leave out are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) title: bool,
    pub(crate) preview: bool,
}

impl Wanted {
    pub(crate) const ALL: Self = Self {
        title: true,
        preview: true,
    };
}

pub(crate) fn session(record: &SessionRecord, agents: Option<&Agents>, wanted: Wanted) -> proto::SessionRow {
    let (unread, key) = (record.is_unread(), record.key.clone());
    let record = record.clone();
    let (provider, model) = answering(&record, agents).unzip();
    let settings = record.settings;
    let total = record.input_tokens + record.output_tokens;
    let count = |tokens: i64| (total > 0).then_some(tokens);
    proto::SessionRow {
        key: record.key.to_string(),
        session_id: record.session_id.to_string(),
        agent_id: record.agent.to_string(),
        kind: ShownKind::of(&key, record.kind).word().to_owned(),
        updated_at: record.updated_at.as_ms(),
        created_at: record.created_at.as_ms(),
        last_interaction_at: record.last_interaction_at.map(Timestamp::as_ms),
        label: record.label,
        display_name: record.display_name,
        derived_title: record.derived_title.filter(|_| wanted.title),
        last_message_preview: record.preview.filter(|_| wanted.preview),
        channel: record.channel,
        chat_type: record.chat_type.map(|chat| chat.word().to_owned()),
        delivery_target: record.target.map(Into::into),
        status: record.status.map(|status| status.shown().to_owned()),
        has_active_run: record.active_run.is_some(),
        active_run_ids: record.active_run.iter().map(ToString::to_string).collect(),
        last_run_id: record.last_run.map(|run| run.to_string()),
        started_at: record.started_at.map(Timestamp::as_ms),
        ended_at: record.ended_at.map(Timestamp::as_ms),
        aborted_last_run: record.aborted_last_run,
        model_override_source: record.model_override.is_some().then(|| "user".to_owned()),
        model_override: record.model_override.map(String::from),
        model_provider: provider,
        model,
        thinking_level: record.thinking_level.map(String::from),
        queue_mode: record.queue_mode.map(|mode| mode.word().to_owned()),
        input_tokens: count(record.input_tokens),
        output_tokens: count(record.output_tokens),
        total_tokens: count(total),
        archived: record.archived_at.is_some(),
        pinned: record.pinned_at.is_some(),
        lifecycle_revision: record.lifecycle_revision,
        unread,
        category: record.category,
        icon: settings.icon,
        color: settings.color,
        parent_session_key: record.parent.map(|parent| parent.to_string()),
        pinned_at: record.pinned_at.map(Timestamp::as_ms),
        archived_at: record.archived_at.map(Timestamp::as_ms),
        marked_unread_at: record.marked_unread_at.map(Timestamp::as_ms),
        last_read_at: record.last_read_at.map(Timestamp::as_ms),
        last_activity_at: record.last_activity_at.map(Timestamp::as_ms),
        send_policy: settings.send.map(|policy| policy.word().to_owned()),
        verbose_level: settings.verbose.map(|level| level.word().to_owned()),
        reasoning_level: settings.reasoning.map(|level| level.word().to_owned()),
        response_usage: settings.usage.map(|usage| usage.word().to_owned()),
        main_session: key.is_main(),
        runtime_ms: record
            .ended_at
            .zip(record.started_at)
            .map(|(end, start)| end.ms_since(start))
            .filter(|took| *took >= 0), // another run began since, or the clock was set back
    }
}

/// Who answers in a session: what was chosen for it, else what answered last, else what its agent prefers.
fn answering(record: &SessionRecord, agents: Option<&Agents>) -> Option<(String, String)> {
    if let Some(chosen) = record
        .model_override
        .as_ref()
        .map(ModelName::as_str)
        .and_then(provider_and_model)
    {
        return Some(chosen);
    }
    let preferred = agents
        .and_then(|agents| agents.get(&record.agent))
        .and_then(|agent| agent.models.first());
    record
        .answered_by
        .clone()
        .or_else(|| preferred.and_then(|model| provider_and_model(model.as_str())))
}

/// `<provider>/<model>` in two. The model may hold further slashes.
pub(crate) fn provider_and_model(text: &str) -> Option<(String, String)> {
    text.split_once('/')
        .map(|(provider, model)| (provider.to_owned(), model.to_owned()))
}

#[cfg(test)]
mod tests;
