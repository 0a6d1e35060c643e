//! `sessions.*`.

use gatehouse_proto::session::v1 as proto;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::chat::fingerprint_of_options;
use crate::error::Error;
use crate::id::{EntryId, SessionId};
use crate::key::{AgentId, SessionKey};
use crate::rows::{self, Wanted, plain, provider_and_model};
use crate::store::{Change, EntryExtra, NewEntry, Once, Role, SessionFilter, SessionPatch, SessionRecord};
use crate::turns::Engine;
use crate::turns::queue::QueueMode;

/// Rows of a page when the caller does not say: the contract's figure.
const PAGE_DEFAULT: i64 = 100;
/// Rows of a page at most: the contract's figure.
const PAGE_MAX: i64 = 10_000;

/// The full key of what a caller wrote.
pub(super) fn key(engine: &Engine, text: &str, agent: Option<&str>) -> Result<SessionKey, Error> {
    Ok(engine.policy()?.agents.resolve(text, agent)?)
}

pub(super) async fn list(
    engine: &Engine,
    request: proto::ListSessionsRequest,
) -> Result<proto::ListSessionsResponse, Error> {
    let proto::ListSessionsRequest {
        limit,
        offset,
        agent_id,
        active_minutes,
        search,
        label,
        include_derived_titles,
        include_last_message,
        archived,
    } = request;
    let policy = engine.policy()?;
    let now = engine.now_ms();
    let limit = limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let offset = offset.unwrap_or(0).max(0);
    let archived = match archived.as_deref().map(str::trim) {
        None | Some("false" | "null") => Some(false),
        Some("true") => Some(true),
        Some(r#""all""#) => None,
        Some(_) => {
            return Err(Error::Field {
                path: "/archived",
                problem: "is not true, false or \"all\"",
            });
        }
    };
    let page = engine
        .stores()
        .sessions
        .list(SessionFilter {
            agent: agent_id.as_deref().map(AgentId::normalise).transpose()?,
            since: active_minutes.map(|minutes| now.saturating_sub(minutes.saturating_mul(60_000))),
            search: search.filter(|search| !search.trim().is_empty()),
            label,
            archived,
            limit: u32::try_from(limit).unwrap_or(1),
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        })
        .await?;
    let wanted = Wanted {
        title: include_derived_titles.unwrap_or(false),
        preview: include_last_message.unwrap_or(false),
    };
    let count = i64::try_from(page.sessions.len()).unwrap_or(0);
    let has_more = offset + count < page.total;
    let default = policy
        .agents
        .get(&policy.agents.first_id())
        .and_then(|agent| agent.models.first());
    let (provider, model) = default.and_then(|model| provider_and_model(model)).unzip();
    Ok(proto::ListSessionsResponse {
        ts: now,
        path: String::new(),
        count,
        total_count: page.total,
        has_more,
        next_offset: has_more.then_some(offset + count),
        defaults: Some(proto::SessionDefaults {
            model_provider: provider,
            model,
            context_tokens: None,
        }),
        sessions: page
            .sessions
            .iter()
            .map(|session| rows::session(session, Some(&policy.agents), wanted))
            .collect(),
    })
}

pub(super) async fn describe(
    engine: &Engine,
    request: proto::DescribeSessionRequest,
) -> Result<proto::DescribeSessionResponse, Error> {
    let proto::DescribeSessionRequest {
        key: text,
        include_derived_titles,
        include_last_message,
    } = request;
    let policy = engine.policy()?;
    let key = key(engine, &text, None)?;
    let wanted = Wanted {
        title: include_derived_titles.unwrap_or(false),
        preview: include_last_message.unwrap_or(false),
    };
    let session = engine.stores().sessions.find(&key).await?;
    Ok(proto::DescribeSessionResponse {
        session: session.map(|session| rows::session(&session, Some(&policy.agents), wanted)),
    })
}

pub(super) fn resolve(
    engine: &Engine,
    request: proto::ResolveSessionRequest,
) -> Result<proto::ResolveSessionResponse, Error> {
    let proto::ResolveSessionRequest { key: text, agent_id } = request;
    let key = key(engine, &text, agent_id.as_deref())?;
    Ok(proto::ResolveSessionResponse {
        ok: true,
        agent_id: key.agent().to_string(),
        key: key.to_string(),
    })
}

pub(super) async fn create(
    engine: &Engine,
    request: proto::CreateSessionRequest,
) -> Result<proto::CreateSessionResponse, Error> {
    let proto::CreateSessionRequest {
        key: text,
        agent_id,
        label,
        display_name,
        model,
        thinking_level,
        idempotency_key,
    } = request;
    let policy = engine.policy()?;
    let once = idempotency_key.as_ref().map(|idempotency_key| Once {
        key: idempotency_key.clone(),
        fingerprint: fingerprint_of_options(&[
            text.as_deref(),
            agent_id.as_deref(),
            label.as_deref(),
            display_name.as_deref(),
            model.as_deref(),
            thinking_level.as_deref(),
        ]),
    });
    let text = text.unwrap_or_else(|| format!("dashboard:{}", new_id(idempotency_key.as_deref())));
    let key = policy.agents.resolve(&text, agent_id.as_deref())?;
    policy.agents.of(&key)?;
    let patch = SessionPatch {
        label: label.map(Some),
        display_name: display_name.map(Some),
        model: model.map(model_name).transpose()?.map(Some),
        thinking_level: thinking_level.map(Some),
        ..SessionPatch::default()
    };
    let now = engine.now_ms();
    let sessions = &engine.stores().sessions;
    let session = engine
        .change(key.clone(), "create", async {
            let (session, _is_new) = sessions.create(&key, patch, once, now).await?;
            Ok((session.clone(), Some(session)))
        })
        .await?;
    Ok(proto::CreateSessionResponse {
        ok: true,
        key: session.key.to_string(),
        session_id: session.session_id.to_string(),
        entry: Some(entry(&session, engine)),
    })
}

/// The same for the same idempotency key.
fn new_id(idempotency_key: Option<&str>) -> Uuid {
    let Some(key) = idempotency_key else {
        return Uuid::new_v4();
    };
    let digest = Sha256::digest(key.as_bytes());
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest.iter()) {
        *byte = *from;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

pub(super) async fn patch(
    engine: &Engine,
    request: proto::PatchSessionRequest,
) -> Result<proto::PatchSessionResponse, Error> {
    let proto::PatchSessionRequest {
        key: text,
        label,
        display_name,
        model,
        thinking_level,
        queue_mode,
        archived,
        pinned,
        unread,
        agent_id,
        null_fields,
    } = request;
    let key = key(engine, &text, agent_id.as_deref())?;
    if queue_mode
        .as_deref()
        .is_some_and(|word| QueueMode::parse(word).is_none())
    {
        return Err(Error::Field {
            path: "/queueMode",
            problem: "is not steer, followup, collect or interrupt",
        });
    }
    let null = |name: &str| null_fields.iter().any(|field| field == name);
    let change = |name: &str, value: Option<String>| -> Change<String> {
        if null(name) { Some(None) } else { value.map(Some) }
    };
    let flag = |name: &str, value: Option<bool>| if null(name) { Some(false) } else { value };
    let patch = SessionPatch {
        label: change("label", label),
        display_name: change("displayName", display_name),
        model: change("model", model.map(model_name).transpose()?),
        thinking_level: change("thinkingLevel", thinking_level),
        queue_mode: change("queueMode", queue_mode),
        archived: flag("archived", archived),
        pinned: flag("pinned", pinned),
        unread: flag("unread", unread),
    };
    let now = engine.now_ms();
    let sessions = &engine.stores().sessions;
    let session = engine
        .change(key.clone(), "patch", async {
            let session = sessions.patch(&key, patch, now).await?;
            Ok((session.clone(), Some(session)))
        })
        .await?;
    Ok(proto::PatchSessionResponse {
        ok: true,
        key: session.key.to_string(),
        entry: Some(entry(&session, engine)),
    })
}

fn model_name(model: String) -> Result<String, Error> {
    match provider_and_model(&model) {
        Some((provider, name)) if !provider.is_empty() && !name.is_empty() => Ok(model),
        Some(_) | None => Err(Error::Field {
            path: "/model",
            problem: "is not <provider>/<model>",
        }),
    }
}

pub(super) async fn reset(
    engine: &Engine,
    request: proto::ResetSessionRequest,
) -> Result<proto::ResetSessionResponse, Error> {
    let proto::ResetSessionRequest {
        key: text,
        reason,
        agent_id,
    } = request;
    let policy = engine.policy()?;
    let key = policy.agents.resolve(&text, agent_id.as_deref())?;
    policy.agents.of(&key)?;
    engine.abort(key.clone(), None).await?;
    let now = engine.now_ms();
    let boundary = NewEntry {
        id: EntryId::generate(),
        role: Role::System,
        content: plain(match reason.as_deref() {
            Some("new") => "New session",
            Some(_) | None => "Session reset",
        }),
        preview: String::new(),
        timestamp: now,
        run: None,
        boundary: true,
        in_context: false,
        extra: EntryExtra::default(),
    };
    let sessions = &engine.stores().sessions;
    let session = engine
        .change(key.clone(), "reset", async {
            let (session, row) = sessions.reset(&key, boundary, now).await?;
            engine.announce_row(&row, &session);
            Ok((session.clone(), Some(session)))
        })
        .await?;
    Ok(proto::ResetSessionResponse {
        ok: true,
        key: session.key.to_string(),
        entry: Some(entry(&session, engine)),
    })
}

pub(super) async fn delete(
    engine: &Engine,
    request: proto::DeleteSessionRequest,
) -> Result<proto::DeleteSessionResponse, Error> {
    let proto::DeleteSessionRequest {
        key: text,
        agent_id,
        expected_session_id,
    } = request;
    let key = key(engine, &text, agent_id.as_deref())?;
    let expected = expected_session_id.map(SessionId::new);
    let Some(session) = engine.stores().sessions.find(&key).await? else {
        return Ok(proto::DeleteSessionResponse {
            ok: true,
            key: key.to_string(),
            deleted: false,
        });
    };
    if expected
        .as_ref()
        .is_some_and(|expected| *expected != session.session_id)
    {
        return Err(Error::SessionMoved(key)); // before anything is aborted
    }
    engine.abort(key.clone(), None).await?;
    let sessions = &engine.stores().sessions;
    let deleted = engine
        .change(key.clone(), "delete", async {
            Ok((sessions.delete(&key, expected).await?, None))
        })
        .await?;
    Ok(proto::DeleteSessionResponse {
        ok: true,
        key: key.to_string(),
        deleted,
    })
}

fn entry(session: &SessionRecord, engine: &Engine) -> proto::SessionRow {
    let policy = engine.policy().ok();
    rows::session(
        session,
        policy.as_ref().map(|policy| &*policy.agents),
        Wanted::ALL,
    )
}
