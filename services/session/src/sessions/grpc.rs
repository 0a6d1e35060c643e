//! `sessions.*`: parse, ask, answer.

mod create;
mod groups;
mod request;
mod resolve;
mod view;

use gatehouse_proto::session::v1 as proto;
use prost::Message as _;

pub(crate) use self::create::{create, like, run_error};
pub(crate) use self::groups::{delete_group, groups, put_groups, rename_group};
use self::request::{List, Patch, wanted};
pub(crate) use self::resolve::resolve;
pub(crate) use self::view::{branches, preview, summarise};
use super::{Expected, SessionFilter, SessionPage, SessionRecord, SessionRef};
use crate::error::Error;
use crate::id::SessionId;
use crate::policy::Policy;
use crate::rows::{self, Wanted, provider_and_model};
use crate::turns::Engine;
use crate::viewer::Viewer;

pub(crate) async fn list(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::ListSessionsRequest,
) -> Result<proto::ListSessionsResponse, Error> {
    let List {
        filter,
        active_minutes,
        parent,
        configured,
        dashboards,
        wanted,
    } = List::try_from(request)?;
    let policy = engine.policy()?;
    let now = engine.now();
    let offset = i64::from(filter.offset);
    let filter = SessionFilter {
        since: active_minutes.map(|minutes| now.plus_ms(minutes.saturating_mul(-60_000))),
        parent: match parent {
            Some(parent) => Some(parent.resolve(engine, viewer).await?),
            None => None,
        },
        viewer: viewer.clone(),
        agents: configured.then(|| {
            let agents = policy.agents.all().iter();
            agents.map(|agent| agent.id.clone()).collect()
        }),
        ..filter
    };
    let page = if dashboards {
        SessionPage::default() // no session has one
    } else {
        engine.stores().sessions.list(filter).await?
    };
    let count = i64::try_from(page.sessions.len()).unwrap_or(0);
    let has_more = offset + count < page.total;
    Ok(proto::ListSessionsResponse {
        ts: now.as_ms(),
        path: String::new(),
        count,
        total_count: page.total,
        has_more,
        next_offset: has_more.then_some(offset + count),
        defaults: Some(defaults(&policy)),
        sessions: page
            .sessions
            .iter()
            .map(|session| rows::session(session, Some(&policy.agents), wanted))
            .collect(),
    })
}

/// Answers who listens to all sessions from now on, with those that it asks for.
pub(crate) async fn subscribe_all(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::SubscribeSessionsRequest,
) -> Result<proto::SubscribeSessionsResponse, Error> {
    let listed = if request == proto::SubscribeSessionsRequest::default() {
        None
    } else {
        // The same fields under the same numbers: what is said here is said there.
        let wanted = proto::ListSessionsRequest::decode(&*request.encode_to_vec());
        Some(list(engine, viewer, wanted.map_err(|_| Error::Unreadable("request"))?).await?)
    };
    Ok(proto::SubscribeSessionsResponse {
        subscribed: true,
        list: listed,
    })
}

/// What a session uses unless it is set otherwise.
pub(crate) fn defaults(policy: &Policy) -> proto::SessionDefaults {
    let agents = &policy.agents;
    let default = agents
        .get(&agents.first_id())
        .and_then(|agent| agent.models.first());
    let window = default
        .and_then(|model| policy.book.facts(model.as_str()))
        .and_then(|facts| facts.window);
    let (provider, model) = default
        .and_then(|model| provider_and_model(model.as_str()))
        .unzip();
    proto::SessionDefaults {
        model_provider: provider,
        model,
        context_tokens: window.and_then(|tokens| i64::try_from(tokens).ok()),
    }
}

pub(crate) async fn describe(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::DescribeSessionRequest,
) -> Result<proto::DescribeSessionResponse, Error> {
    let proto::DescribeSessionRequest {
        key,
        include_derived_titles,
        include_last_message,
        agent_id,
    } = request;
    let policy = engine.policy()?;
    let key = SessionRef::new(key, agent_id).resolve(engine, viewer).await?;
    let wanted = wanted(include_derived_titles, include_last_message);
    let session = engine.stores().sessions.find(&key).await?;
    Ok(proto::DescribeSessionResponse {
        session: session.map(|session| rows::session(&session, Some(&policy.agents), wanted)),
    })
}

pub(crate) async fn subscribe(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::SubscribeMessagesRequest,
) -> Result<proto::SubscribeMessagesResponse, Error> {
    let proto::SubscribeMessagesRequest {
        key,
        agent_id,
        include_approvals,
    } = request;
    let key = SessionRef::new(key, agent_id).resolve(engine, viewer).await?;
    let approval_replay = (include_approvals == Some(true)).then(|| proto::ApprovalReplay {
        session_key: key.to_string(),
        updated_at_ms: engine.now().as_ms(),
        approvals: Vec::new(), // nothing in a session waits for one
        truncated: false,
    });
    Ok(proto::SubscribeMessagesResponse {
        subscribed: true,
        key: key.to_string(),
        approval_replay,
    })
}

pub(crate) fn unsubscribe(
    engine: &Engine,
    request: proto::UnsubscribeMessagesRequest,
) -> Result<proto::UnsubscribeMessagesResponse, Error> {
    let proto::UnsubscribeMessagesRequest { key, agent_id } = request;
    let key = SessionRef::new(key, agent_id).key(&engine.policy()?.agents)?;
    Ok(proto::UnsubscribeMessagesResponse {
        subscribed: false,
        key: key.to_string(),
    })
}

pub(crate) async fn patch(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::PatchSessionRequest,
) -> Result<proto::PatchSessionResponse, Error> {
    let Patch { session, mut patch } = Patch::try_from(request)?;
    let policy = engine.policy()?;
    let key = session.resolve(engine, viewer).await?;
    if let Some(Some(model)) = &mut patch.model {
        *model = policy.book.named("/model", model, policy.agents.of(&key).ok())?;
    }
    if key.is_main() {
        policy.agents.of(&key)?; // the main session of an agent that there is
    }
    let now = engine.now();
    let sessions = &engine.stores().sessions;
    if let Some(Some(level)) = &mut patch.thinking_level {
        let chosen = match &patch.model {
            Some(model) => model.clone(),
            None => sessions
                .find(&key)
                .await?
                .and_then(|session| session.model_override),
        };
        *level = policy.level("/thinkingLevel", level.as_str(), &key, chosen.as_ref())?;
    }
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
    viewer: &Viewer,
    request: proto::ResetSessionRequest,
) -> Result<proto::ResetSessionResponse, Error> {
    let proto::ResetSessionRequest {
        key,
        reason,
        agent_id,
        expected_session_id,
    } = request;
    let key = SessionRef::new(key, agent_id)
        .resolve_to_act(engine, viewer)
        .await?;
    if !matches!(reason.as_deref(), None | Some("new" | "reset")) {
        return Err(Error::Field {
            path: "/reason",
            problem: "is not new or reset",
        });
    }
    let expected = expected_session_id.map(SessionId::new);
    let session = super::reset(engine, &key, expected, reason.as_deref()).await?;
    Ok(proto::ResetSessionResponse {
        ok: true,
        key: session.key.to_string(),
        entry: Some(entry(&session, engine)),
    })
}

pub(crate) async fn delete(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::DeleteSessionRequest,
) -> Result<proto::DeleteSessionResponse, Error> {
    let proto::DeleteSessionRequest {
        key,
        agent_id,
        expected_session_id,
        expected_lifecycle_revision,
        expected_session_updated_at,
        archived_only,
    } = request;
    let policy = engine.policy()?;
    let key = SessionRef::new(key, agent_id).resolve(engine, viewer).await?;
    if key.is_main() && policy.agents.of(&key).is_ok() {
        return Err(Error::MainSession(key));
    }
    let expected = Expected {
        session_id: expected_session_id.map(SessionId::new),
        lifecycle_revision: expected_lifecycle_revision,
        marked_unread_at: None,
    };
    let answer = |deleted| proto::DeleteSessionResponse {
        ok: true,
        key: key.to_string(),
        deleted,
        archived: Vec::new(),
    };
    let Some(session) = engine.stores().sessions.find(&key).await? else {
        return Ok(answer(false));
    };
    // Before anything is aborted.
    if !expected.is_of(&session)
        || expected_session_updated_at.is_some_and(|expected| expected != session.updated_at.as_ms())
    {
        return Err(Error::SessionMoved(key));
    }
    if archived_only == Some(true) && session.archived_at.is_none() {
        return Err(Error::NotArchived(key));
    }
    // What was looked at is what is deleted.
    let looked_at = (expected != Expected::default()).then(|| session.session_id.clone());
    engine.abort(key.clone(), None).await?;
    Ok(answer(engine.delete(&session, looked_at).await?))
}

fn entry(session: &SessionRecord, engine: &Engine) -> proto::SessionRow {
    let policy = engine.policy().ok();
    rows::session(
        session,
        policy.as_ref().map(|policy| &*policy.agents),
        Wanted::ALL,
    )
}
