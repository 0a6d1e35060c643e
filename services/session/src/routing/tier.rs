//! One binding, and in which tier it holds for a place.

use gatehouse_core::Case;

use super::{Inbound, is_acp, lower};
use crate::config::{self, Binding, BindingSession};
use crate::key::AgentId;

/// Why an agent was chosen, the most specific reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// A binding for exactly this place.
    Peer,
    /// A binding for the place it hangs under.
    Parent,
    /// A binding for all places of the kind.
    PeerWildcard,
    /// A binding for the server and a role of the sender.
    GuildRoles,
    /// A binding for the server.
    Guild,
    /// A binding for the workspace.
    Team,
    /// A binding for the account.
    Account,
    /// A binding for the channel, whatever the account.
    Channel,
    Default,
}

impl Tier {
    /// The tiers that a binding can hold in, in order.
    pub(super) const BINDINGS: [Self; 8] = [
        Self::Peer,
        Self::Parent,
        Self::PeerWildcard,
        Self::GuildRoles,
        Self::Guild,
        Self::Team,
        Self::Account,
        Self::Channel,
    ];

    /// The word in answers.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Peer => "binding.peer",
            Self::Parent => "binding.peer.parent",
            Self::PeerWildcard => "binding.peer.wildcard",
            Self::GuildRoles => "binding.guild+roles",
            Self::Guild => "binding.guild",
            Self::Team => "binding.team",
            Self::Account => "binding.account",
            Self::Channel => "binding.channel",
            Self::Default => "default",
        }
    }
}

/// A message's place, lower-cased once for all rules.
#[derive(Debug)]
pub(super) struct Place {
    account: String,
    peer: Spot,
    parent: Option<Spot>,
    guild: Option<String>,
    team: Option<String>,
    roles: Vec<String>,
}

impl Place {
    pub(super) fn of(inbound: &Inbound) -> Self {
        let peer = |peer: &super::Peer| Spot {
            direct: peer.kind.is_direct(),
            id: lower(&peer.id),
            case: peer.case,
        };
        Self {
            account: account(&inbound.account),
            peer: peer(&inbound.peer),
            parent: inbound.parent.as_ref().map(peer),
            guild: inbound.guild.as_deref().map(lower),
            team: inbound.team.as_deref().map(lower),
            roles: inbound.roles.iter().map(|role| lower(role)).collect(),
        }
    }
}

/// A chat, or what it hangs under.
#[derive(Debug)]
struct Spot {
    direct: bool,
    id: String,
    case: Case,
}

impl Spot {
    fn is(&self, direct: bool, id: &str) -> bool {
        self.direct == direct && self.case.same(&self.id, id)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) index: usize,
    pub(super) agent: AgentId,
    pub(super) session: BindingSession,
    account: Option<String>,
    peer: Option<PeerRule>,
    guild: Option<String>,
    team: Option<String>,
    roles: Vec<String>,
}

#[derive(Clone, Debug)]
struct PeerRule {
    direct: bool,
    id: Option<String>,
}

impl Rule {
    pub(super) fn read(index: usize, binding: &Binding) -> Option<Self> {
        let when = &binding.when;
        if is_acp(binding) || when.channel.trim().is_empty() {
            return None;
        }
        let peer = match &when.peer {
            None => None,
            Some(peer) => {
                let id = Some(lower(&peer.id)).filter(|id| !id.is_empty())?;
                Some(PeerRule {
                    direct: peer.kind == config::PeerKind::Direct,
                    id: Some(id).filter(|id| id != "*"),
                })
            }
        };
        let named = |text: &Option<String>| text.as_deref().map(lower).filter(|text| !text.is_empty());
        Some(Self {
            index,
            agent: AgentId::normalise(&binding.agent_id).ok()?,
            session: binding.session.unwrap_or_default(),
            account: Some(account(when.account_id.as_deref().unwrap_or_default()))
                .filter(|account| account != "*"),
            peer,
            guild: named(&when.guild_id),
            team: named(&when.team_id),
            roles: when.roles.iter().map(|role| lower(role)).collect(),
        })
    }

    /// Whether the binding holds for the place in this very tier.
    pub(super) fn holds(&self, tier: Tier, place: &Place) -> bool {
        self.belongs(tier, place) && self.surroundings_match(place)
    }

    fn belongs(&self, tier: Tier, place: &Place) -> bool {
        let Some(peer) = &self.peer else {
            let own = match (&self.guild, &self.team) {
                (Some(_), _) if !self.roles.is_empty() => Tier::GuildRoles,
                (Some(_), _) => Tier::Guild,
                (None, Some(_)) => Tier::Team,
                (None, None) if self.account.is_some() => Tier::Account,
                (None, None) => Tier::Channel,
            };
            return own == tier;
        };
        match (&peer.id, tier) {
            (Some(id), Tier::Peer) => place.peer.is(peer.direct, id),
            (Some(id), Tier::Parent) => place
                .parent
                .as_ref()
                .is_some_and(|parent| parent.is(peer.direct, id)),
            (None, Tier::PeerWildcard) => place.peer.direct == peer.direct,
            _ => false,
        }
    }

    fn surroundings_match(&self, place: &Place) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        self.account
            .as_ref()
            .is_none_or(|account| *account == place.account)
            && same(&self.guild, &place.guild)
            && same(&self.team, &place.team)
            && (self.roles.is_empty() || self.roles.iter().any(|role| place.roles.contains(role)))
    }
}

/// An account that is not named is `default`, in bindings and in messages.
fn account(text: &str) -> String {
    let account = lower(text);
    if account.is_empty() {
        "default".to_owned()
    } else {
        account
    }
}
