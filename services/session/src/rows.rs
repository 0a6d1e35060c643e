//! From what is stored to what clients see.

use gatehouse_proto::session::v1 as proto;

use crate::agents::Agents;
use crate::store::{Entry, EntryExtra, Role, SessionRecord};

/// The answer's text as content blocks.
pub(crate) fn blocks(text: &str) -> String {
    serde_json::json!([{ "type": "text", "text": text }]).to_string()
}

/// A plain text as content.
pub(crate) fn plain(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text in a row's content: a string, or the text blocks of a list. Notices to people are not part of it.
pub(crate) fn text_of(content: &str) -> String {
    match serde_json::from_str(content) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Array(blocks)) => {
            let texts: Vec<&str> = blocks
                .iter()
                .filter(|block| block.get("notice").is_none())
                .filter_map(|block| block.get("text")?.as_str())
                .collect();
            texts.join("\n")
        }
        Ok(_) | Err(_) => String::new(),
    }
}

/// A message as chat events carry it. The content is JSON already.
pub(crate) fn chat_message(content: &str, timestamp: i64) -> String {
    format!(r#"{{"role":"assistant","content":{content},"timestamp":{timestamp}}}"#)
}

/// A row of a transcript.
pub(crate) fn message(entry: &Entry) -> proto::TranscriptMessage {
    let row = &entry.row;
    let EntryExtra {
        provider,
        model,
        stop_reason,
        error_message,
        usage,
        abort_origin,
        sender_label,
    } = row.extra.clone();
    let run = row.run.as_ref().map(ToString::to_string);
    proto::TranscriptMessage {
        role: row.role.word().to_owned(),
        content: row.content.clone(),
        timestamp: row.timestamp,
        idempotency_key: run.as_ref().map(|run| match row.role {
            Role::User => format!("{run}:user"),
            Role::Assistant | Role::System => format!("{run}:assistant"),
        }),
        provider,
        model,
        stop_reason,
        error_message,
        usage: usage.map(|tokens| proto::Usage {
            input: tokens.input,
            output: tokens.output,
            total_tokens: tokens.input + tokens.output,
        }),
        openclaw_abort: abort_origin.map(|origin| proto::Abort {
            aborted: true,
            origin,
            run_id: run.clone().unwrap_or_default(),
        }),
        sender_label,
        meta: Some(proto::TranscriptMeta {
            id: row.id.to_string(),
            seq: entry.seq,
            run_id: run,
            kind: row.boundary.then(|| "reset".to_owned()),
        }),
        tool_call_id: None,
        tool_name: None,
        tool_failed: None,
    }
}

/// Which of the parts that lists leave out are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) title: bool,
    pub(crate) preview: bool,
}

impl Wanted {
    /// Everything.
    pub(crate) const ALL: Self = Self {
        title: true,
        preview: true,
    };
}

/// A session's row.
pub(crate) fn session(record: &SessionRecord, agents: Option<&Agents>, wanted: Wanted) -> proto::SessionRow {
    let record = record.clone();
    let (provider, model) = answering(&record, agents).unzip();
    let total = record.input_tokens + record.output_tokens;
    let count = |tokens: i64| (total > 0).then_some(tokens);
    proto::SessionRow {
        key: record.key.to_string(),
        session_id: record.session_id.to_string(),
        agent_id: record.agent.to_string(),
        kind: record.kind,
        updated_at: record.updated_at,
        created_at: record.created_at,
        last_interaction_at: record.last_interaction_at,
        label: record.label,
        display_name: record.display_name,
        derived_title: record.derived_title.filter(|_| wanted.title),
        last_message_preview: record.preview.filter(|_| wanted.preview),
        channel: record.channel,
        chat_type: record.chat_type,
        delivery_target: record.target.map(Into::into),
        status: record.status,
        has_active_run: record.active_run.is_some(),
        last_run_id: record.last_run.map(|run| run.to_string()),
        started_at: record.started_at,
        ended_at: record.ended_at,
        aborted_last_run: record.aborted_last_run,
        model_override: record.model_override,
        model_provider: provider,
        model,
        thinking_level: record.thinking_level,
        queue_mode: record.queue_mode,
        input_tokens: count(record.input_tokens),
        output_tokens: count(record.output_tokens),
        total_tokens: count(total),
        archived: record.archived,
        pinned: record.pinned,
        lifecycle_revision: record.lifecycle_revision,
        unread: record.unread,
    }
}

/// Who answers in a session: what was chosen for it, else what answered last, else what its agent prefers.
fn answering(record: &SessionRecord, agents: Option<&Agents>) -> Option<(String, String)> {
    if let Some(chosen) = record.model_override.as_deref().and_then(provider_and_model) {
        return Some(chosen);
    }
    let preferred = agents
        .and_then(|agents| agents.get(&record.agent))
        .and_then(|agent| agent.models.first());
    record
        .answered_by
        .clone()
        .or_else(|| preferred.and_then(|model| provider_and_model(model)))
}

/// `<provider>/<model>` in two. The model may hold further slashes.
pub(crate) fn provider_and_model(text: &str) -> Option<(String, String)> {
    text.split_once('/')
        .map(|(provider, model)| (provider.to_owned(), model.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_text_or_blocks() {
        assert_eq!(text_of(&plain("a \"b\"")), "a \"b\"");
        assert_eq!(text_of(&blocks("a")), "a");
        assert_eq!(text_of(r#"[{"type":"image"},{"type":"text","text":"x"}]"#), "x");
        assert_eq!(text_of("{}"), "");
    }

    #[test]
    fn a_chat_message_is_json() {
        let message: serde_json::Value = serde_json::from_str(&chat_message(&blocks("hé"), 7)).unwrap();

        assert_eq!(
            message,
            serde_json::json!({"role":"assistant","content":[{"type":"text","text":"hé"}],"timestamp":7})
        );
    }
}
