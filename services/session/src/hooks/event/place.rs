//! Which agent and which session an event is for.

use gatehouse_proto::session::v1::HookAnswer;

use super::super::answer::wrong;
use super::super::rules::Rules;
use crate::agents::AgentError;
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;

/// Names of sessions that the gateway makes for its own work.
const RESERVED: [&str; 3] = ["subagent:", "cron:", "acp:"];

/// Who names the session.
pub(super) enum Named<'a> {
    Request(&'a str),
    Configured(Option<&'a str>),
}

impl<'a> Named<'a> {
    pub(super) fn by_request(key: Option<&'a str>) -> Self {
        key.map_or(Self::Configured(None), Self::Request)
    }
}

/// The agent and the session that are meant, if they may be.
pub(super) fn place(
    rules: &Rules,
    policy: &Policy,
    agent: Option<&str>,
    named: Named<'_>,
) -> Result<(AgentId, Option<SessionKey>), HookAnswer> {
    let unknown = |error: AgentError| wrong(400, error.to_string());
    if agent.is_some_and(|agent| agent.trim().is_empty()) {
        return Err(wrong(400, "agentId is empty"));
    }
    let agents = &policy.agents;
    let key = match named {
        Named::Configured(None) => None,
        Named::Configured(Some(key)) => Some(agents.resolve(key, agent).map_err(unknown)?),
        Named::Request(_) if !rules.lets_requests_choose() => {
            let told = "sessionKey is disabled for this gateway: hooks.allowRequestSessionKey switches it on";
            return Err(wrong(400, told));
        }
        Named::Request(key) => {
            let key = agents.resolve(key, agent).map_err(unknown)?;
            if !rules.lets_requests_choose_this(&key) {
                let told = "sessionKey does not begin with one of hooks.allowedSessionKeyPrefixes";
                return Err(wrong(400, told));
            }
            Some(key)
        }
    };
    let is_reserved = |key: &SessionKey| RESERVED.iter().any(|name| key.rest().starts_with(name));
    if key.as_ref().is_some_and(is_reserved) {
        return Err(wrong(
            400,
            "sessionKey is a name that the gateway gives to its own work",
        ));
    }
    let agent = match (&key, agent) {
        (Some(key), _) => agents.of(key).map_err(unknown)?.id.clone(),
        (None, Some(agent)) => agents.named(agent).map_err(unknown)?,
        (None, None) => agents.default_id().map_err(unknown)?.clone(),
    };
    if !rules.allows(&agent) {
        return Err(wrong(400, "agentId is not allowed by hooks.allowedAgentIds"));
    }
    Ok((agent, key))
}
