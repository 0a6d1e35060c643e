//! The agents of the configuration: who there is, who answers when nobody chose, and what answers for them.

pub(crate) mod grpc;

use gatehouse_document::agents::{ModelChoice, TIMEOUT_SECONDS_MAX};

use crate::config::{AgentDefaults, AgentEntry, AgentsSection, Identity};
use crate::error::Error;
use crate::key::{AgentId, KeyError, KeyText, SessionKey};
use crate::thinking::Level;

/// More agents than anybody has; what follows them is ignored.
const AGENTS_MAX: usize = 1000;

/// One agent, its defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) name: Option<String>,
    /// How it introduces itself.
    pub(crate) identity: Option<Identity>,
    /// Models in order of preference. Empty: the agent service's default.
    pub(crate) models: Vec<ModelName>,
    /// What it is told before every conversation.
    pub(crate) system_prompt: Option<String>,
    /// How hard its model thinks, in the model's own words.
    pub(crate) thinking: Option<Level>,
    /// The longest a turn may take, in milliseconds.
    pub(crate) timeout_ms: i64,
}

impl Agent {
    /// The name for people.
    pub(crate) fn display_name(&self) -> String {
        let identity = self.identity.as_ref().and_then(|identity| identity.name.clone());
        self.name
            .clone()
            .or(identity)
            .unwrap_or_else(|| self.id.to_string())
    }
}

/// A model as callers name it: `<provider>/<model>`. The model may hold further slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelName(String);

impl ModelName {
    /// One that the configuration or a row holds, or that is left to the agent service to judge.
    pub(crate) fn known(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ModelName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        match name.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => Ok(Self(name)),
            Some(_) | None => Err(Error::Field {
                path: "/model",
                problem: "is not <provider>/<model>",
            }),
        }
    }
}

/// All agents, in the order of the configuration. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Agents {
    agents: Vec<Agent>,
    default: Option<AgentId>,
}

impl Agents {
    /// Reads them. Without any there is one called `main`.
    pub(crate) fn read(section: &AgentsSection) -> Self {
        let entries = section.entries.iter().map(|(id, entry)| (id.as_str(), entry));
        let list = section
            .list
            .iter()
            .map(|listed| (listed.id.as_str(), &listed.agent));
        let mut agents: Vec<Agent> = Vec::new();
        let mut default = None;
        for (id, entry) in entries.chain(list).take(AGENTS_MAX) {
            let Ok(id) = AgentId::normalise(id) else {
                tracing::warn!(
                    agent.id = id,
                    "an agent with this id cannot exist: it is left out"
                );
                continue;
            };
            if agents.iter().any(|agent| agent.id == id) {
                continue;
            }
            if entry.default == Some(true) && default.is_none() {
                default = Some(id.clone());
            }
            agents.push(agent(id, entry, &section.defaults));
        }
        if agents.is_empty() {
            agents.push(agent(AgentId::main(), &AgentEntry::default(), &section.defaults));
        }
        if let ([only], None) = (agents.as_slice(), &default) {
            default = Some(only.id.clone());
        }
        Self { agents, default }
    }

    pub(crate) fn all(&self) -> &[Agent] {
        &self.agents
    }

    pub(crate) fn get(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// The agent that a caller names, if the configuration has it.
    ///
    /// # Errors
    /// When it is no id, or of no agent.
    pub(crate) fn named(&self, id: &str) -> Result<AgentId, AgentError> {
        let id = AgentId::normalise(id)?;
        match self.get(&id) {
            Some(_) => Ok(id),
            None => Err(AgentError::Unknown(id)),
        }
    }

    /// Who answers when nobody chose.
    ///
    /// # Errors
    /// When there are several and none is the default: guessing would let the wrong one hear it.
    pub(crate) fn default_id(&self) -> Result<&AgentId, AgentError> {
        self.default.as_ref().ok_or(AgentError::SelectionRequired)
    }

    /// Who is shown first.
    pub(crate) fn first_id(&self) -> AgentId {
        self.default
            .clone()
            .or_else(|| self.agents.first().map(|agent| agent.id.clone()))
            .unwrap_or_else(AgentId::main)
    }

    /// The full key that a caller means by a key or an alias and, beside it, perhaps an agent. Whether the agent exists is
    /// not asked: old transcripts stay readable.
    ///
    /// # Errors
    /// When it is no key, names another agent than the one beside it, or leaves the agent open.
    pub(crate) fn resolve(&self, text: &str, agent: Option<&str>) -> Result<SessionKey, AgentError> {
        let agent = agent.map(AgentId::normalise).transpose()?;
        match KeyText::parse(text)? {
            KeyText::Full(key) => match agent {
                Some(agent) if agent != key.agent() => Err(AgentError::Contradiction { agent, key }),
                Some(_) | None => Ok(key),
            },
            KeyText::OfAgent(rest) => {
                let agent = match agent {
                    Some(agent) => agent,
                    None => self.default_id()?.clone(),
                };
                Ok(SessionKey::of(&agent, &rest)?)
            }
        }
    }

    /// The agent of a session in which something is about to happen.
    ///
    /// # Errors
    /// When the configuration has no such agent.
    pub(crate) fn of(&self, key: &SessionKey) -> Result<&Agent, AgentError> {
        let id = key.agent();
        self.get(&id).ok_or(AgentError::Unknown(id))
    }
}

fn agent(id: AgentId, entry: &AgentEntry, defaults: &AgentDefaults) -> Agent {
    let seconds = entry.timeout_seconds.unwrap_or(defaults.timeout_seconds);
    Agent {
        id,
        name: entry.name.clone(),
        identity: entry.identity.clone().or_else(|| defaults.identity.clone()),
        models: entry
            .model
            .as_ref()
            .or(defaults.model.as_ref())
            .map(ModelChoice::chain)
            .unwrap_or_default()
            .iter()
            .map(|model| ModelName::known(defaults.full_name(model)))
            .collect(),
        system_prompt: entry
            .system_prompt
            .clone()
            .or_else(|| defaults.system_prompt.clone()),
        thinking: entry
            .thinking_default
            .clone()
            .or_else(|| defaults.thinking_default.clone())
            .map(Level::known),
        timeout_ms: i64::from(seconds.clamp(1, TIMEOUT_SECONDS_MAX)) * 1000,
    }
}

/// Why no agent answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgentError {
    /// Not a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Several agents, none the default.
    #[error("several agents are configured and none is the default: name one, or set default: true on one")]
    SelectionRequired,
    /// No such agent.
    #[error("the configuration has no agent '{0}'")]
    Unknown(AgentId),
    /// The key says one agent, the call another.
    #[error("the session {key} does not belong to agent '{agent}'")]
    Contradiction {
        /// What the call says.
        agent: AgentId,
        /// What the key says.
        key: SessionKey,
    },
}

#[cfg(test)]
mod tests;
