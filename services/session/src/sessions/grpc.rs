//! `sessions.*`: parse, ask, answer.

mod request;

use gatehouse_proto::session::v1 as proto;

use self::request::{Create, List, Patch, wanted};
use super::{SessionFilter, SessionRecord, SessionRef};
use crate::error::Error;
use crate::id::SessionId;
use crate::rows::{self, Wanted, provider_and_model};
use crate::turns::Engine;

pub(crate) async fn list(
    engine: &Engine,
    request: proto::ListSessionsRequest,
) -> Result<proto::ListSessionsResponse, Error> {
    let List {
        filter,
        active_minutes,
        wanted,
    } = List::try_from(request)?;
    let policy = engine.policy()?;
    let now = engine.now_ms();
    let offset = i64::from(filter.offset);
    let filter = SessionFilter {
        since: active_minutes.map(|minutes| now.saturating_sub(minutes.saturating_mul(60_000))),
        ..filter
    };
    let page = engine.stores().sessions.list(filter).await?;
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

pub(crate) async fn describe(
    engine: &Engine,
    request: proto::DescribeSessionRequest,
) -> Result<proto::DescribeSessionResponse, Error> {
    let proto::DescribeSessionRequest {
        key,
        include_derived_titles,
        include_last_message,
    } = request;
    let policy = engine.policy()?;
    let key = SessionRef::new(key, None).resolve(&policy.agents)?;
    let wanted = wanted(include_derived_titles, include_last_message);
    let session = engine.stores().sessions.find(&key).await?;
    Ok(proto::DescribeSessionResponse {
        session: session.map(|session| rows::session(&session, Some(&policy.agents), wanted)),
    })
}

pub(crate) fn resolve(
    engine: &Engine,
    request: proto::ResolveSessionRequest,
) -> Result<proto::ResolveSessionResponse, Error> {
    let proto::ResolveSessionRequest { key, agent_id } = request;
    let key = SessionRef::new(key, agent_id).resolve(&engine.policy()?.agents)?;
    Ok(proto::ResolveSessionResponse {
        ok: true,
        agent_id: key.agent().to_string(),
        key: key.to_string(),
    })
}

pub(crate) fn subscribe(
    engine: &Engine,
    request: proto::SubscribeMessagesRequest,
) -> Result<proto::SubscribeMessagesResponse, Error> {
    let proto::SubscribeMessagesRequest { key, agent_id } = request;
    let key = SessionRef::new(key, agent_id).resolve(&engine.policy()?.agents)?;
    Ok(proto::SubscribeMessagesResponse {
        subscribed: true,
        key: key.to_string(),
    })
}

pub(crate) fn unsubscribe(
    engine: &Engine,
    request: proto::UnsubscribeMessagesRequest,
) -> Result<proto::UnsubscribeMessagesResponse, Error> {
    let proto::UnsubscribeMessagesRequest { key, agent_id } = request;
    let key = SessionRef::new(key, agent_id).resolve(&engine.policy()?.agents)?;
    Ok(proto::UnsubscribeMessagesResponse {
        subscribed: false,
        key: key.to_string(),
    })
}

pub(crate) async fn create(
    engine: &Engine,
    request: proto::CreateSessionRequest,
) -> Result<proto::CreateSessionResponse, Error> {
    let Create { session, patch, once } = Create::try_from(request)?;
    let key = session.resolve_to_act(&engine.policy()?.agents)?;
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

pub(crate) async fn patch(
    engine: &Engine,
    request: proto::PatchSessionRequest,
) -> Result<proto::PatchSessionResponse, Error> {
    let Patch { session, patch } = Patch::try_from(request)?;
    let key = session.resolve(&engine.policy()?.agents)?;
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

pub(crate) async fn reset(
    engine: &Engine,
    request: proto::ResetSessionRequest,
) -> Result<proto::ResetSessionResponse, Error> {
    let proto::ResetSessionRequest {
        key,
        reason,
        agent_id,
    } = request;
    let key = SessionRef::new(key, agent_id).resolve_to_act(&engine.policy()?.agents)?;
    let session = super::reset(engine, &key, reason.as_deref()).await?;
    Ok(proto::ResetSessionResponse {
        ok: true,
        key: session.key.to_string(),
        entry: Some(entry(&session, engine)),
    })
}

pub(crate) async fn delete(
    engine: &Engine,
    request: proto::DeleteSessionRequest,
) -> Result<proto::DeleteSessionResponse, Error> {
    let proto::DeleteSessionRequest {
        key,
        agent_id,
        expected_session_id,
    } = request;
    let key = SessionRef::new(key, agent_id).resolve(&engine.policy()?.agents)?;
    let expected = expected_session_id.map(SessionId::new);
    let sessions = &engine.stores().sessions;
    let Some(session) = sessions.find(&key).await? else {
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
