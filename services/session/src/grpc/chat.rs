//! `chat.*`.

use gatehouse_core::Content;
use gatehouse_proto::session::v1 as proto;
use sha2::{Digest, Sha256};

use super::sessions::key;
use crate::error::Error;
use crate::id::{EntryId, RunId, SessionId};
use crate::rows::{self, Wanted, blocks};
use crate::store::{Admission, EntryExtra, HistoryQuery, NewEntry, Reply, Role, Seed, TurnState};
use crate::turns::queue::{self, QueueMode};
use crate::turns::{Engine, Submitted};

/// Rows of a page when the caller does not say.
const PAGE_DEFAULT: i64 = 200;
/// Bytes of a page when the caller does not say: the contract's figure.
const PAGE_BYTES_DEFAULT: i64 = 8 * 1024 * 1024;
/// Bytes of a page at most: a frame of the edge holds 25 MiB, and JSON may take twice the room of the text.
const PAGE_BYTES_MAX: i64 = 12 * 1024 * 1024;

/// A digest of everything that makes two requests the same. Each part is preceded by its length, so that no two lists of
/// parts look alike.
pub(super) fn fingerprint(parts: &[&str]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().to_vec()
}

/// The same with how hard the model is to think, when the request says so: one that does not is known under the digest that
/// earlier versions made.
pub(super) fn fingerprint_of(parts: &[&str], thinking: Option<&str>) -> Vec<u8> {
    let thinking = thinking.map(|level| ["thinking", level]);
    let all: Vec<&str> = parts
        .iter()
        .copied()
        .chain(thinking.into_iter().flatten())
        .collect();
    fingerprint(&all)
}

/// The same of parts that may be absent: what is absent is not what is empty.
pub(super) fn fingerprint_of_options(parts: &[Option<&str>]) -> Vec<u8> {
    let marked: Vec<&str> = parts
        .iter()
        .flat_map(|part| {
            [
                if part.is_some() { "set" } else { "unset" },
                part.unwrap_or_default(),
            ]
        })
        .collect();
    fingerprint(&marked)
}

/// A person's row.
pub(super) fn user_row(content: &Content, run: &RunId, sender: Option<String>, now: i64) -> NewEntry {
    NewEntry {
        id: EntryId::generate(),
        role: Role::User,
        content: content.to_json(),
        preview: content.clone().into_words(),
        timestamp: now,
        run: Some(run.clone()),
        boundary: false,
        in_context: true,
        extra: EntryExtra {
            sender_label: sender,
            ..EntryExtra::default()
        },
    }
}

pub(super) async fn send(
    engine: &Engine,
    request: proto::SendChatRequest,
    traceparent: Option<String>,
) -> Result<proto::SendChatResponse, Error> {
    let proto::SendChatRequest {
        session_key,
        message,
        idempotency_key,
        agent_id,
        session_id,
        queue_mode,
        deliver,
        thinking,
        timeout_ms,
    } = request;
    if message.trim().is_empty() {
        return Err(Error::Field {
            path: "/message",
            problem: "is empty",
        });
    }
    if queue_mode
        .as_deref()
        .is_some_and(|word| QueueMode::parse(word).is_none())
    {
        return Err(Error::Field {
            path: "/queueMode",
            problem: "is not steer, followup, collect or interrupt",
        });
    }
    let policy = engine.policy()?;
    let key = policy.agents.resolve(&session_key, agent_id.as_deref())?;
    policy.agents.of(&key)?;
    let session = engine.stores().sessions.find(&key).await?;
    let channel = session.as_ref().and_then(|session| session.channel.as_deref());
    let chosen = session.as_ref().and_then(|session| session.queue_mode.as_deref());
    let deliver = deliver.unwrap_or(false);
    let now = engine.now_ms();
    let run = RunId::new(idempotency_key);
    let admission = Admission {
        entry: user_row(&Content::text(message.as_str()), &run, None, now),
        fingerprint: fingerprint_of(
            &[
                "chat",
                key.as_str(),
                &message,
                if deliver { "deliver" } else { "" },
            ],
            thinking.as_deref(),
        ),
        queue: queue::rule(&policy.queue, channel, chosen, queue_mode.as_deref()),
        reply: if deliver {
            Reply::SessionChat
        } else {
            Reply::Screens
        },
        seed: Seed::default(),
        expected_session: session_id.map(SessionId::new),
        inbound: None,
        model: None,
        thinking,
        timeout_ms,
        traceparent,
        now,
        key,
        run,
    };
    let Submitted { turn, duplicate } = engine.submit(admission).await?;
    let status = match turn.state {
        _ if !duplicate => "started",
        TurnState::Queued | TurnState::Leased | TurnState::Running => "in_flight",
        TurnState::Done => "ok",
        TurnState::Failed | TurnState::Interrupted => "error",
        TurnState::Aborted => "aborted",
    };
    Ok(proto::SendChatResponse {
        run_id: turn.run.to_string(),
        status: status.to_owned(),
    })
}

pub(super) async fn history(
    engine: &Engine,
    request: proto::GetChatHistoryRequest,
) -> Result<proto::GetChatHistoryResponse, Error> {
    let proto::GetChatHistoryRequest {
        session_key,
        agent_id,
        limit,
        offset,
        cursor,
        max_bytes,
    } = request;
    let policy = engine.policy()?;
    let key = policy.agents.resolve(&session_key, agent_id.as_deref())?;
    let offset = u32::try_from(offset.unwrap_or(0)).unwrap_or(u32::MAX);
    let query = HistoryQuery {
        limit: u32::try_from(limit.unwrap_or(PAGE_DEFAULT).clamp(1, 1000)).unwrap_or(1),
        offset,
        after: cursor.as_deref().and_then(parse_cursor),
        bytes_max: usize::try_from(max_bytes.unwrap_or(PAGE_BYTES_DEFAULT).clamp(1, PAGE_BYTES_MAX))
            .unwrap_or(1),
    };

    // The run is looked at before the rows: if it ends in between, the rows hold its answer and the session says so.
    let live = engine.in_flight(&key);
    let page = engine.stores().transcripts.history(&key, query).await?;
    let session = page.session.as_ref();
    let live =
        live.filter(|live| session.is_some_and(|session| session.active_run.as_ref() == Some(&live.run)));
    let rows = i64::try_from(page.entries.len()).unwrap_or(i64::MAX);
    let newest = page.entries.last().map(|entry| entry.seq);
    Ok(proto::GetChatHistoryResponse {
        session_key: key.to_string(),
        session_id: session.map(|session| session.session_id.to_string()),
        messages: page.entries.iter().map(rows::message).collect(),
        has_more: page.has_more,
        next_offset: page.has_more.then_some(i64::from(offset) + rows),
        total_messages: session.map_or(0, |session| session.last_seq - session.first_seq + 1),
        delta_cursor: session.map_or_else(String::new, |session| {
            // An older page leaves the cursor at the newest row; an answer to a cursor moves it to what it holds.
            let seq = if offset == 0 {
                newest.unwrap_or(session.last_seq)
            } else {
                session.last_seq
            };
            format!("{}:{seq}", session.session_id)
        }),
        in_flight_run: live.map(|live| proto::InFlightRun {
            run_id: live.run.to_string(),
            text: live.text,
            started_at: live.started_at,
            seq: live.seq,
        }),
        session_info: session.map(|session| rows::session(session, Some(&policy.agents), Wanted::ALL)),
    })
}

fn parse_cursor(cursor: &str) -> Option<(SessionId, i64)> {
    let (session, seq) = cursor.rsplit_once(':')?;
    Some((SessionId::new(session), seq.parse().ok()?))
}

pub(super) async fn abort(
    engine: &Engine,
    request: proto::AbortChatRequest,
) -> Result<proto::AbortChatResponse, Error> {
    let proto::AbortChatRequest {
        session_key,
        agent_id,
        run_id,
    } = request;
    let key = key(engine, &session_key, agent_id.as_deref())?;
    let stopped = engine.abort(key, run_id.map(RunId::new)).await?;
    Ok(proto::AbortChatResponse {
        ok: true,
        aborted: !stopped.is_empty(),
        run_ids: stopped.iter().map(ToString::to_string).collect(),
    })
}

pub(super) async fn inject(
    engine: &Engine,
    request: proto::InjectChatRequest,
) -> Result<proto::InjectChatResponse, Error> {
    let proto::InjectChatRequest {
        session_key,
        message,
        agent_id,
        label,
    } = request;
    let policy = engine.policy()?;
    let key = policy.agents.resolve(&session_key, agent_id.as_deref())?;
    policy.agents.of(&key)?;
    let text = match label.filter(|label| !label.trim().is_empty()) {
        Some(label) => format!("[{}]\n\n{message}", label.trim()),
        None => message,
    };
    let entry = NewEntry {
        id: EntryId::generate(),
        role: Role::Assistant,
        content: blocks(&text),
        preview: text,
        timestamp: engine.now_ms(),
        run: None,
        boundary: false,
        in_context: true,
        extra: EntryExtra {
            provider: Some("gatehouse".to_owned()),
            model: Some("gateway-injected".to_owned()),
            stop_reason: Some("stop".to_owned()),
            ..EntryExtra::default()
        },
    };
    let message_id = engine.append(key, entry).await?;
    Ok(proto::InjectChatResponse { ok: true, message_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_of_parts_look_alike() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_ne!(fingerprint(&["a", ""]), fingerprint(&["a"]));
        assert_eq!(fingerprint(&["a"]), fingerprint(&["a"]));
    }

    #[test]
    fn a_cursor_names_a_transcript_and_a_row() {
        assert_eq!(parse_cursor("abc-1:7"), Some((SessionId::new("abc-1"), 7)));
        assert_eq!(parse_cursor("abc"), None);
    }
}
