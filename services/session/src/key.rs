//! Session keys: `agent:<agent>:<rest>`, lower-cased. Owns how a key is read, what the aliases mean, and how a part that
//! comes from a platform is written into a key so that no sender can forge the key of somebody else.

use std::fmt;

use gatehouse_document::agents::normal_id;
use uuid::Uuid;

/// The longest key, in bytes; the contract declares the same bound.
pub(crate) const KEY_BYTES_MAX: usize = 512;

/// Characters of a UUID with its hyphens.
const UUID_LENGTH: usize = 36;

/// The id of an agent: `[a-z0-9][a-z0-9_-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AgentId(String);

impl AgentId {
    /// Reads an id, lower-casing it and writing `-` for every other character.
    ///
    /// # Errors
    /// When nothing is left of it or it is too long. A blank id must not become somebody's default.
    pub(crate) fn normalise(text: &str) -> Result<Self, KeyError> {
        normal_id(text).map(Self).ok_or(KeyError::Agent)
    }

    /// An id that the store kept: it was checked when it was made.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The agent of an installation that configures none.
    pub(crate) fn main() -> Self {
        Self("main".to_owned())
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The full key of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey(String);

impl SessionKey {
    /// The key of an agent's session with this rest. The rest is lower-cased.
    ///
    /// # Errors
    /// When the rest is empty, too long or holds characters that no key may hold.
    pub(crate) fn of(agent: &AgentId, rest: &str) -> Result<Self, KeyError> {
        let rest = rest.trim().to_lowercase();
        if rest.is_empty() {
            return Err(KeyError::Empty);
        }
        if rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(KeyError::Character);
        }
        let key = format!("agent:{agent}:{rest}");
        if key.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        Ok(Self(key))
    }

    /// The agent's main session.
    pub(crate) fn main(agent: &AgentId) -> Self {
        Self(format!("agent:{agent}:main"))
    }

    /// Reads a full key, `agent:<agent>:<rest>`.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        let (agent, rest) = split(text).ok_or(KeyError::Form)?;
        Self::of(&AgentId::normalise(agent)?, rest)
    }

    /// A key that the store kept: it was checked when it was made.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The agent it names.
    pub(crate) fn agent(&self) -> AgentId {
        let agent = split(&self.0).map_or("main", |(agent, _)| agent);
        AgentId(agent.to_owned())
    }

    /// Whether it is its agent's main session.
    pub(crate) fn is_main(&self) -> bool {
        self.rest() == "main"
    }

    /// Whether it belongs to nobody in particular: an agent's main session, what is everybody's, or a chat of a channel.
    pub(crate) fn is_shared(&self) -> bool {
        gatehouse_core::session_key::is_shared(&self.0)
    }

    /// The UUID with which it ends.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        let start = self.0.len().checked_sub(UUID_LENGTH)?;
        // The hyphenated form alone.
        self.0.get(start..).and_then(|end| end.parse().ok())
    }

    /// What follows the agent.
    pub(crate) fn rest(&self) -> &str {
        split(&self.0).map_or("", |(_, rest)| rest)
    }

    /// The key as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn split(key: &str) -> Option<(&str, &str)> {
    let (head, tail) = key.trim().split_at_checked("agent:".len())?;
    if !head.eq_ignore_ascii_case("agent:") {
        return None;
    }
    tail.split_once(':')
}

/// What a caller wrote where a session is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyText {
    Full(SessionKey),
    /// An alias or a bare name, such as `main`, `global` or `tui-4711`: it belongs to an agent that is still to be chosen.
    OfAgent(String),
}

impl KeyText {
    /// Reads it.
    ///
    /// # Errors
    /// When it cannot be a key.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let starts_like_a_key = text
            .split_at_checked("agent:".len())
            .is_some_and(|(head, _)| head.eq_ignore_ascii_case("agent:"));
        if starts_like_a_key {
            SessionKey::parse(text).map(Self::Full)
        } else {
            Ok(Self::OfAgent(text.to_lowercase()))
        }
    }
}

/// Writes one part of a key that comes from a platform, such as a person's id. `:` and `%`, spaces and control characters
/// are percent-encoded: a person called `bob:thread:7` does not reach the thread 7 of bob.
pub(crate) fn part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().to_lowercase().chars() {
        if c == ':' || c == '%' || c.is_whitespace() || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02x}"));
            }
        } else {
            out.push(c);
        }
    }
    if out.is_empty() { "unknown".to_owned() } else { out }
}

/// Why something is not a session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// Nothing there.
    #[error("a session key is needed")]
    Empty,
    /// More than [`KEY_BYTES_MAX`].
    #[error("the session key is longer than 512 bytes")]
    TooLong,
    /// Starts with `agent:` but is not complete.
    #[error("a session key has the form agent:<agent>:<name>")]
    Form,
    /// A space or a control character.
    #[error("a session key holds no spaces or control characters")]
    Character,
    /// Not an agent id.
    #[error("an agent id has 1 to 64 letters, digits, '-' or '_'")]
    Agent,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(text: &str) -> AgentId {
        AgentId::normalise(text).unwrap()
    }

    #[test]
    fn a_full_key_is_lower_cased_and_its_agent_normalised() {
        let key = SessionKey::parse("Agent:My Bot:IRC:channel:#Home").unwrap();

        assert_eq!(key.as_str(), "agent:my-bot:irc:channel:#home");
        assert_eq!(key.agent(), agent("my-bot"));
        assert_eq!(key.rest(), "irc:channel:#home");
    }

    #[test]
    fn an_alias_waits_for_its_agent() {
        assert_eq!(
            KeyText::parse(" Main ").unwrap(),
            KeyText::OfAgent("main".to_owned())
        );
        assert_eq!(
            KeyText::parse("agent:main:main").unwrap(),
            KeyText::Full(SessionKey::main(&AgentId::main()))
        );
    }

    #[test]
    fn half_a_key_is_refused() {
        assert_eq!(KeyText::parse("agent:main"), Err(KeyError::Form));
        assert_eq!(KeyText::parse("agent::main"), Err(KeyError::Agent));
        assert_eq!(KeyText::parse("agent:main:"), Err(KeyError::Empty));
        assert_eq!(KeyText::parse("agent:main:a b"), Err(KeyError::Character));
        assert_eq!(KeyText::parse(""), Err(KeyError::Empty));
        assert_eq!(KeyText::parse(&"x".repeat(513)), Err(KeyError::TooLong));
    }

    #[test]
    fn a_blank_agent_id_is_nobody() {
        assert_eq!(AgentId::normalise("  "), Err(KeyError::Agent));
        assert_eq!(AgentId::normalise("--"), Err(KeyError::Agent));
        assert_eq!(AgentId::normalise(&"a".repeat(65)), Err(KeyError::Agent));
        assert_eq!(agent("Ärger 1").as_str(), "rger-1");
    }

    #[test]
    fn a_sender_cannot_forge_another_key() {
        assert_eq!(part("bob:thread:7"), "bob%3athread%3a7");
        assert_eq!(part("100%"), "100%25");
        assert_ne!(part("bob%3athread"), part("bob:thread"));
        assert_eq!(part("  "), "unknown");
    }
}
