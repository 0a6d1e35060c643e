//! `agents.list`, `agent.identity.get`.

use gatehouse_proto::session::v1 as proto;

use super::{Agent, AgentError};
use crate::config::{Identity, Scope};
use crate::error::Error;
use crate::key::AgentId;
use crate::sessions::SessionRef;
use crate::turns::Engine;

pub(crate) fn list(engine: &Engine) -> Result<proto::ListAgentsResponse, Error> {
    let policy = engine.policy()?;
    let scope = match policy.scope {
        Scope::PerSender => "per-sender",
        Scope::Global => "global",
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
            primary: agent
                .models
                .first()
                .cloned()
                .map_or_else(|| ECHO.to_owned(), String::from),
            fallbacks: agent.models.iter().skip(1).cloned().map(String::from).collect(),
        }),
    }
}

/// Which agent is asked for.
enum Asked {
    Agent(AgentId),
    OfSession(SessionRef),
    Default,
}

impl TryFrom<proto::GetAgentIdentityRequest> for Asked {
    type Error = Error;

    fn try_from(request: proto::GetAgentIdentityRequest) -> Result<Self, Error> {
        let proto::GetAgentIdentityRequest {
            agent_id,
            session_key,
        } = request;
        Ok(match (agent_id, session_key) {
            (Some(id), _) => Self::Agent(AgentId::normalise(&id)?),
            (None, Some(key)) => Self::OfSession(SessionRef::new(key, None)),
            (None, None) => Self::Default,
        })
    }
}

pub(crate) fn identity(
    engine: &Engine,
    request: proto::GetAgentIdentityRequest,
) -> Result<proto::GetAgentIdentityResponse, Error> {
    let policy = engine.policy()?;
    let id = match Asked::try_from(request)? {
        Asked::Agent(id) => id,
        Asked::OfSession(session) => session.key(&policy.agents)?.agent(),
        Asked::Default => policy.agents.default_id()?.clone(),
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
