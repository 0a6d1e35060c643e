//! `chat.history`, `chat.startup`, `chat.inject`: parse, ask, answer.

use gatehouse_proto::session::v1 as proto;

use super::{Entry, EntryExtra, HistoryQuery, NewEntry, Role};
use crate::error::Error;
use crate::id::{EntryId, SessionId};
use crate::rows::{self, Wanted, blocks};
use crate::sessions::SessionRef;
use crate::sessions::grpc as sessions;
use crate::stop::StopReason;
use crate::turns::{Engine, Listener};
use crate::viewer::Viewer;

/// Rows of a page when the caller does not say.
const PAGE_DEFAULT: i64 = 200;
/// Bytes of a page when the caller does not say: the contract's figure.
const PAGE_BYTES_DEFAULT: i64 = 8 * 1024 * 1024;
/// Bytes of a page at most: a frame of the edge holds 25 MiB, and JSON may take twice the room of the text.
const PAGE_BYTES_MAX: i64 = 12 * 1024 * 1024;

/// `chat.history`.
struct History {
    session: SessionRef,
    query: HistoryQuery,
    /// Whether a cursor was given that is none.
    is_lost: bool,
}

impl From<proto::GetChatHistoryRequest> for History {
    fn from(request: proto::GetChatHistoryRequest) -> Self {
        let proto::GetChatHistoryRequest {
            session_key,
            agent_id,
            limit,
            offset,
            cursor,
            max_bytes,
        } = request;
        let after = cursor.as_deref().map(parse_cursor);
        let bytes_max = max_bytes.unwrap_or(PAGE_BYTES_DEFAULT).clamp(1, PAGE_BYTES_MAX);
        Self {
            session: SessionRef::new(session_key, agent_id),
            query: HistoryQuery {
                limit: u32::try_from(limit.unwrap_or(PAGE_DEFAULT).clamp(1, 1000)).unwrap_or(1),
                offset: u32::try_from(offset.unwrap_or(0)).unwrap_or(u32::MAX),
                after: after.clone().flatten(),
                bytes_max: usize::try_from(bytes_max).unwrap_or(1),
            },
            is_lost: after == Some(None),
        }
    }
}

/// What a client asks for that opens a conversation: its first page.
impl From<proto::StartChatRequest> for History {
    fn from(request: proto::StartChatRequest) -> Self {
        let proto::StartChatRequest {
            session_key,
            agent_id,
            limit,
            cursor,
            max_bytes,
        } = request;
        Self::from(proto::GetChatHistoryRequest {
            session_key,
            agent_id,
            limit,
            offset: None,
            cursor,
            max_bytes,
        })
    }
}

pub(crate) async fn start(
    engine: &Engine,
    listener: Option<Listener>,
    viewer: &Viewer,
    request: proto::StartChatRequest,
) -> Result<proto::GetChatHistoryResponse, Error> {
    page(engine, listener, viewer, History::from(request)).await
}

pub(crate) async fn history(
    engine: &Engine,
    listener: Option<Listener>,
    viewer: &Viewer,
    request: proto::GetChatHistoryRequest,
) -> Result<proto::GetChatHistoryResponse, Error> {
    page(engine, listener, viewer, History::from(request)).await
}

async fn page(
    engine: &Engine,
    listener: Option<Listener>,
    viewer: &Viewer,
    history: History,
) -> Result<proto::GetChatHistoryResponse, Error> {
    let History {
        session,
        query,
        is_lost,
    } = history;
    let policy = engine.policy()?;
    let key = session.resolve(engine, viewer).await?;
    let (offset, is_since) = (query.offset, query.after.is_some());
    if let Some(listener) = listener {
        engine.tell_missed(&key, &listener);
    }

    // The run is looked at before the rows: if it ends in between, the rows hold its answer and the session says so.
    let live = engine.in_flight(&key);
    let page = engine.stores().transcripts.history(&key, query).await?;
    let session = page.session.as_ref();
    let live =
        live.filter(|live| session.is_some_and(|session| session.active_run.as_ref() == Some(&live.run)));
    let live = live.map(|live| proto::InFlightRun {
        run_id: live.run.to_string(),
        text: live.text,
        started_at: live.started_at.as_ms(),
        seq: live.seq,
    });
    let links = engine.media().links();
    let answer = proto::GetChatHistoryResponse {
        session_key: key.to_string(),
        session_id: session.map(|session| session.session_id.to_string()),
        defaults: Some(sessions::defaults(&policy)),
        ..proto::GetChatHistoryResponse::default()
    };
    if is_lost || !page.joins {
        return Ok(proto::GetChatHistoryResponse {
            reset: Some(proto::ChatReset {
                kind: "reset".to_owned(),
            }),
            ..answer
        });
    }
    let newest = page.entries.last().map(|entry| entry.seq);
    let info = session.map(|session| rows::session(session, Some(&policy.agents), Wanted::ALL));
    let cursor = session.map_or_else(String::new, |session| {
        // An older page leaves the cursor at the newest row; every other one moves it to what it holds.
        let seq = if offset == 0 || is_since {
            newest.unwrap_or(session.last_seq)
        } else {
            session.last_seq
        };
        format!("{}:{seq}", session.session_id)
    });
    if is_since {
        let row = |entry: &Entry| proto::ChatDeltaRow {
            session_key: key.to_string(),
            agent_id: key.agent().to_string(),
            message: Some(rows::message(entry, links)),
            message_id: entry.row.id.to_string(),
            message_seq: entry.seq,
        };
        return Ok(proto::GetChatHistoryResponse {
            delta: Some(proto::ChatDelta {
                kind: "delta".to_owned(),
                messages: page.entries.iter().map(row).collect(),
                delta_cursor: cursor,
                session_info: info,
                in_flight_run: live,
                pending_inputs: Some(proto::PendingInputs::default()),
            }),
            ..answer
        });
    }
    let count = i64::try_from(page.entries.len()).unwrap_or(i64::MAX);
    Ok(proto::GetChatHistoryResponse {
        messages: page
            .entries
            .iter()
            .map(|entry| rows::message(entry, links))
            .collect(),
        has_more: page.has_more,
        next_offset: page.has_more.then_some(i64::from(offset) + count),
        total_messages: session.map_or(0, |session| session.last_seq - session.first_seq + 1),
        delta_cursor: cursor,
        in_flight_run: live,
        session_info: info,
        pending_inputs: Some(proto::PendingInputs::default()),
        ..answer
    })
}

fn parse_cursor(cursor: &str) -> Option<(SessionId, i64)> {
    let (session, seq) = cursor.rsplit_once(':')?;
    Some((SessionId::new(session), seq.parse().ok()?))
}

pub(crate) async fn inject(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::InjectChatRequest,
) -> Result<proto::InjectChatResponse, Error> {
    let proto::InjectChatRequest {
        session_key,
        message,
        agent_id,
        label,
    } = request;
    let key = SessionRef::new(session_key, agent_id)
        .resolve_to_act(engine, viewer)
        .await?;
    engine.check_there(&key).await?;
    let text = match label.filter(|label| !label.trim().is_empty()) {
        Some(label) => format!("[{}]\n\n{message}", label.trim()),
        None => message,
    };
    let entry = NewEntry {
        id: EntryId::generate(),
        role: Role::Assistant,
        content: blocks(&text),
        preview: text,
        timestamp: engine.now(),
        run: None,
        boundary: false,
        in_context: true,
        extra: EntryExtra {
            provider: Some(rows::GATEWAY_PROVIDER.to_owned()),
            model: Some(rows::GATEWAY_MODEL.to_owned()),
            stop_reason: Some(StopReason::Stop),
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
    fn a_cursor_names_a_transcript_and_a_row() {
        assert_eq!(parse_cursor("abc-1:7"), Some((SessionId::new("abc-1"), 7)));
        assert_eq!(parse_cursor("abc"), None);
    }
}
