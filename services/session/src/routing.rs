//! Which agent answers a message from a channel, and in which session. Nine tiers, the most specific first; within a tier
//! the first binding in the order of the configuration; every other field that a binding sets must match too. Access
//! control has happened before; nothing is let in or kept out here.

mod company;
pub(crate) mod grpc;
mod scope;
#[cfg(test)]
mod tests;
mod tier;

use std::collections::BTreeMap;

use gatehouse_core::Case;

pub(crate) use self::scope::Scopes;
pub(crate) use self::tier::Tier;

use crate::agents::{AgentError, Agents};
use crate::config::{Binding, BindingKind, BindingSession, SessionConfig};
use crate::key::{AgentId, KeyError, SessionKey};

use self::company::Company;
use self::tier::Rule;

/// More bindings than anybody has; what follows them is ignored.
const BINDINGS_MAX: usize = 10_000;

/// What kind of place people talk in. For bindings a group and a channel are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerKind {
    Direct,
    Group,
    /// A channel or room.
    Channel,
}

impl PeerKind {
    /// The word in keys and rows.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Channel => "channel",
        }
    }

    /// Reads the word in rows.
    pub(crate) fn stored(word: &str) -> Option<Self> {
        [Self::Direct, Self::Group, Self::Channel]
            .into_iter()
            .find(|kind| kind.word() == word)
    }

    fn is_direct(self) -> bool {
        matches!(self, Self::Direct)
    }
}

/// A place where people talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) kind: PeerKind,
    /// The platform's stable id of it.
    pub(crate) id: String,
    /// How it is compared with the ids in bindings.
    pub(crate) case: Case,
}

/// Where a message was said and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    pub(crate) channel: String,
    /// The account of it.
    pub(crate) account: String,
    pub(crate) peer: Peer,
    pub(crate) parent: Option<Peer>,
    /// The server or community.
    pub(crate) guild: Option<String>,
    pub(crate) team: Option<String>,
    /// The sender's roles there.
    pub(crate) roles: Vec<String>,
    pub(crate) thread: Option<String>,
}

/// Who answers, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) agent: AgentId,
    pub(crate) key: SessionKey,
    pub(crate) matched_by: Tier,
}

/// All bindings, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    by_channel: BTreeMap<String, Vec<Rule>>,
    scopes: Scopes,
    company: Company,
}

impl Router {
    /// Reads the bindings. One that cannot be understood is left out with a warning, as the config service said already.
    pub(crate) fn read(config: &SessionConfig) -> Self {
        let mut by_channel: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for (index, binding) in config.bindings.iter().take(BINDINGS_MAX).enumerate() {
            match Rule::read(index, binding) {
                Some(rule) => by_channel
                    .entry(lower(&binding.when.channel))
                    .or_default()
                    .push(rule),
                None if is_acp(binding) => {}
                None => tracing::warn!(
                    binding = index,
                    "a binding without a usable agent, channel or peer is left out"
                ),
            }
        }
        Self {
            by_channel,
            scopes: Scopes::read(&config.session),
            company: Company::default(),
        }
    }

    /// Decides.
    ///
    /// # Errors
    /// When the binding that matches names an agent that does not exist (never a fallback to somebody else), or when
    /// nothing matches and there is no default agent.
    pub(crate) fn route(&self, inbound: &Inbound, agents: &Agents) -> Result<Route, RouteError> {
        let place = tier::Place::of(inbound);
        let rules = self
            .by_channel
            .get(&lower(&inbound.channel))
            .map_or(&[] as &[Rule], Vec::as_slice);
        let found = Tier::BINDINGS.into_iter().find_map(|tier| {
            rules
                .iter()
                .find(|rule| rule.holds(tier, &place))
                .map(|rule| (tier, rule))
        });
        let (tier, agent, session) = match found {
            Some((tier, rule)) => {
                if agents.get(&rule.agent).is_none() {
                    return Err(RouteError::UnknownAgent {
                        binding: rule.index,
                        agent: rule.agent.clone(),
                    });
                }
                (tier, rule.agent.clone(), rule.session)
            }
            None => (
                Tier::Default,
                agents.default_id().map_err(RouteError::Agent)?.clone(),
                BindingSession::default(),
            ),
        };
        let key = self
            .scopes
            .key(&agent, inbound, session)
            .map_err(RouteError::Key)?;
        let is_main = inbound.peer.kind.is_direct() && key == SessionKey::main(&agent);
        if is_main && self.company.is_second(&key, &self.scopes.person(inbound)) {
            tracing::warn!(
                session.key = %key,
                "a second person writes into the main session, where each is told what the others said: set session.dmScope to \
                 \"per-channel-peer\""
            );
        }
        Ok(Route {
            agent,
            key,
            matched_by: tier,
        })
    }
}

fn is_acp(binding: &Binding) -> bool {
    binding.kind == BindingKind::Acp
}

fn lower(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Why a message has no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RouteError {
    /// A binding matches, its agent does not exist.
    #[error("bindings[{binding}] names agent '{agent}', which the configuration does not have")]
    UnknownAgent { binding: usize, agent: AgentId },
    /// Nobody to answer.
    #[error(transparent)]
    Agent(AgentError),
    /// The ids of the platform make no key.
    #[error(transparent)]
    Key(KeyError),
}
