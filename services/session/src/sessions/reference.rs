//! How callers name sessions.

use std::fmt;

use crate::agents::{AgentError, Agents};
use crate::error::Error;
use crate::key::SessionKey;
use crate::turns::Engine;
use crate::viewer::Viewer;

/// A session as a caller names it: a key or an alias and, beside it, perhaps its agent.
#[derive(Clone, Debug)]
pub(crate) struct SessionRef {
    text: String,
    agent: Option<String>,
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl SessionRef {
    /// What the caller wrote.
    pub(crate) fn new(text: String, agent: Option<String>) -> Self {
        Self { text, agent }
    }

    /// The full key, for looking. Whether the agent exists is not asked: old transcripts stay readable.
    ///
    /// # Errors
    /// When it is no key, names another agent than the one beside it, leaves the agent open, or names a session that the caller may not
    /// see.
    pub(crate) async fn resolve(&self, engine: &Engine, viewer: &Viewer) -> Result<SessionKey, Error> {
        let key = self.key(&engine.policy()?.agents)?;
        viewer.check_key(engine, &key).await?;
        Ok(key)
    }

    /// The key alone: what is done with it must not say anything about the session, or ask who looks.
    ///
    /// # Errors
    /// When it is no key, names another agent than the one beside it, or leaves the agent open.
    pub(crate) fn key(&self, agents: &Agents) -> Result<SessionKey, AgentError> {
        agents.resolve(&self.text, self.agent.as_deref())
    }

    /// The full key, for something that is about to happen in the session.
    ///
    /// # Errors
    /// The same, and when the configuration has no such agent.
    pub(crate) async fn resolve_to_act(&self, engine: &Engine, viewer: &Viewer) -> Result<SessionKey, Error> {
        let key = self.resolve(engine, viewer).await?;
        engine.policy()?.agents.of(&key)?;
        Ok(key)
    }
}
