//! `agent`, `agent.wait`, `agents.list`, `agent.identity.get`.

use std::time::Duration;

use futures::{StreamExt, stream};
use gatehouse_core::Content;
use gatehouse_proto::session::v1 as proto;
use tonic::Status;

use super::RunAgentStream;
use super::chat::{fingerprint_of, user_row};
use crate::agents::{Agent, AgentError};
use crate::config::Identity;
use crate::error::Error;
use crate::id::RunId;
use crate::key::{AgentId, SessionKey};
use crate::rows::text_of;
use crate::store::{Admission, Reply, Seed, Turn, TurnState};
use crate::turns::queue;
use crate::turns::{Engine, Submitted};

/// How long `agent.wait` waits when the caller does not say: the contract's figure.
const WAIT_MS_DEFAULT: i64 = 30_000;
/// The longest wait: the contract's figure. A stream of `agent` ends then too; the run goes on.
const WAIT_MS_MAX: i64 = 3_600_000;

pub(super) async fn run(
    engine: &Engine,
    request: proto::RunAgentRequest,
    traceparent: Option<String>,
) -> Result<RunAgentStream, Error> {
    let proto::RunAgentRequest {
        message,
        idempotency_key,
        agent_id,
        session_key,
        deliver,
        timeout,
        model,
        thinking,
    } = request;
    if message.trim().is_empty() {
        return Err(Error::Field {
            path: "/message",
            problem: "is empty",
        });
    }
    let policy = engine.policy()?;
    let key = policy
        .agents
        .resolve(session_key.as_deref().unwrap_or("main"), agent_id.as_deref())?;
    policy.agents.of(&key)?;
    let session = engine.stores().sessions.find(&key).await?;
    let channel = session.as_ref().and_then(|session| session.channel.as_deref());
    let chosen = session.as_ref().and_then(|session| session.queue_mode.as_deref());
    let deliver = deliver.unwrap_or(false);
    let now = engine.now_ms();
    let run = RunId::new(idempotency_key);
    let parts = [
        "agent",
        key.as_str(),
        &message,
        if deliver { "deliver" } else { "" },
        model.as_deref().unwrap_or(""),
    ];
    let admission = Admission {
        entry: user_row(&Content::text(message.as_str()), &run, None, now),
        fingerprint: fingerprint_of(&parts, thinking.as_deref()),
        queue: queue::rule(&policy.queue, channel, chosen, None),
        reply: if deliver {
            Reply::SessionChat
        } else {
            Reply::Screens
        },
        seed: Seed::default(),
        expected_session: None,
        inbound: None,
        model,
        thinking,
        timeout_ms: timeout
            .filter(|seconds| *seconds > 0)
            .map(|seconds| seconds * 1000),
        traceparent,
        now,
        key,
        run,
    };
    let Submitted { turn, duplicate: _ } = engine.submit(admission).await?;
    let accepted = proto::RunAgentResponse {
        run_id: turn.run.to_string(),
        status: "accepted".to_owned(),
        session_key: turn.key.to_string(),
        agent_id: turn.key.agent().to_string(),
        accepted_at: Some(turn.queued_at),
        summary: None,
        result: None,
    };
    let engine = engine.clone();
    let end = stream::once(async move { end(&engine, &turn.run, &turn.key).await.map_err(Status::from) });
    Ok(Box::pin(stream::once(async { Ok(accepted) }).chain(end)))
}

async fn end(engine: &Engine, run: &RunId, key: &SessionKey) -> Result<proto::RunAgentResponse, Error> {
    let longest = Duration::from_millis(u64::try_from(WAIT_MS_MAX).unwrap_or(0));
    let mut turn = engine.wait(run, longest).await?;
    if let Some(other) = turn.merged_into.clone() {
        turn = engine.wait(&other, longest).await?; // the answer is that of the turn it was merged into
    }
    let answer = match turn.answer_seq {
        Some(seq) => engine.stores().transcripts.entry(key, seq).await?,
        None => None,
    };
    let text = answer
        .map(|entry| text_of(&entry.row.content))
        .unwrap_or_default();
    let summary = turn.error.clone().unwrap_or_else(|| match turn.state {
        TurnState::Done => "completed".to_owned(),
        TurnState::Queued | TurnState::Leased | TurnState::Running => "still running".to_owned(),
        TurnState::Failed | TurnState::Aborted | TurnState::Interrupted => turn.state.word().to_owned(),
    });
    let duration_ms = turn
        .ended_at
        .zip(turn.started_at)
        .map_or(0, |(end, start)| (end - start).max(0)); // the clock may have been set back between
    Ok(proto::RunAgentResponse {
        run_id: run.to_string(),
        status: status(&turn).to_owned(),
        session_key: key.to_string(),
        agent_id: key.agent().to_string(),
        accepted_at: None,
        summary: Some(summary),
        result: Some(proto::RunResult {
            payloads: vec![proto::ReplyPayload {
                text,
                media_url: None,
            }],
            meta: Some(proto::RunMeta {
                duration_ms,
                stop_reason: turn.stop_reason,
            }),
        }),
    })
}

fn status(turn: &Turn) -> &'static str {
    match turn.state {
        TurnState::Queued | TurnState::Leased | TurnState::Running => "timeout",
        TurnState::Done => "ok",
        TurnState::Failed => "error",
        TurnState::Aborted => "aborted",
        TurnState::Interrupted => "interrupted",
    }
}

pub(super) async fn wait(
    engine: &Engine,
    request: proto::WaitAgentRequest,
) -> Result<proto::WaitAgentResponse, Error> {
    let proto::WaitAgentRequest { run_id, timeout_ms } = request;
    let patience = timeout_ms.unwrap_or(WAIT_MS_DEFAULT).clamp(0, WAIT_MS_MAX);
    let patience = Duration::from_millis(u64::try_from(patience).unwrap_or(0));
    let turn = engine.wait(&RunId::new(run_id), patience).await?;
    Ok(proto::WaitAgentResponse {
        run_id: turn.run.to_string(),
        status: status(&turn).to_owned(),
        started_at: turn.started_at,
        ended_at: turn.ended_at,
        stop_reason: turn.stop_reason,
        error: turn.error,
    })
}

pub(super) fn list(engine: &Engine) -> Result<proto::ListAgentsResponse, Error> {
    let policy = engine.policy()?;
    let scope = match policy.scope {
        crate::config::Scope::PerSender => "per-sender",
        crate::config::Scope::Global => "global",
    };
    Ok(proto::ListAgentsResponse {
        default_id: policy.agents.first_id().to_string(),
        main_key: "main".to_owned(),
        scope: scope.to_owned(),
        agents: policy.agents.all().iter().map(agent).collect(),
    })
}

/// The model that answers when none is configured: the agent service's own. Real clients do not send without a model.
const ECHO: &str = "echo/echo";

fn agent(agent: &Agent) -> proto::Agent {
    let identity = agent.identity.clone().map(
        |Identity {
             name,
             theme,
             emoji,
             avatar,
         }| proto::AgentIdentity {
            name,
            theme,
            emoji,
            avatar,
        },
    );
    proto::Agent {
        id: agent.id.to_string(),
        name: agent.name.clone(),
        identity,
        model: Some(proto::AgentModel {
            primary: agent.models.first().cloned().unwrap_or_else(|| ECHO.to_owned()),
            fallbacks: agent.models.iter().skip(1).cloned().collect(),
        }),
    }
}

pub(super) fn identity(
    engine: &Engine,
    request: proto::GetAgentIdentityRequest,
) -> Result<proto::GetAgentIdentityResponse, Error> {
    let proto::GetAgentIdentityRequest {
        agent_id,
        session_key,
    } = request;
    let policy = engine.policy()?;
    let id = match (agent_id, session_key) {
        (Some(id), _) => AgentId::normalise(&id)?,
        (None, Some(key)) => policy.agents.resolve(&key, None)?.agent(),
        (None, None) => policy.agents.default_id()?.clone(),
    };
    let agent = policy.agents.get(&id).ok_or(AgentError::Unknown(id))?;
    let identity = agent.identity.clone().unwrap_or_default();
    Ok(proto::GetAgentIdentityResponse {
        agent_id: agent.id.to_string(),
        name: identity.name.unwrap_or_else(|| agent.display_name()),
        emoji: identity.emoji,
        avatar: identity.avatar,
    })
}
