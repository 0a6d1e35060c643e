//! From a place to the key of its session.

use std::collections::BTreeMap;

use super::{Inbound, PeerKind, lower};
use crate::config::{BindingSession, DmScope, GroupScope, Scope, SessionSection};
use crate::key::{AgentId, KeyError, SessionKey, part};

/// What stands between a group and its topic.
const TOPIC: &str = ":topic:";

/// How conversations are told apart.
#[derive(Clone, Debug)]
pub(crate) struct Scopes {
    scope: Scope,
    dm: DmScope,
    group: GroupScope,
    /// `<channel>:<id>` to the person's one name.
    people: BTreeMap<String, String>,
}

impl Scopes {
    pub(crate) fn read(section: &SessionSection) -> Self {
        let mut people = BTreeMap::new();
        for (person, ids) in &section.identity_links {
            for id in ids {
                people.entry(lower(id)).or_insert_with(|| person.clone());
            }
        }
        Self {
            scope: section.scope,
            dm: section.dm_scope,
            group: section.group_scope,
            people,
        }
    }

    /// The session of a message.
    ///
    /// # Errors
    /// When the platform's ids are too long for a key.
    pub(crate) fn key(
        &self,
        agent: &AgentId,
        inbound: &Inbound,
        over: BindingSession,
    ) -> Result<SessionKey, KeyError> {
        if self.scope == Scope::Global {
            return SessionKey::of(agent, "global");
        }
        let channel = part(&inbound.channel);
        let place = match inbound.peer.kind {
            PeerKind::Direct => {
                let peer = self.person(inbound);
                match over.dm_scope.unwrap_or(self.dm) {
                    DmScope::Main => return Ok(SessionKey::main(agent)),
                    DmScope::PerPeer => format!("direct:{peer}"),
                    DmScope::PerChannelPeer => format!("{channel}:direct:{peer}"),
                    DmScope::PerAccountChannelPeer => {
                        format!("{channel}:{}:direct:{peer}", part(&inbound.account))
                    }
                }
            }
            kind @ (PeerKind::Group | PeerKind::Channel) => match over.group_scope.unwrap_or(self.group) {
                GroupScope::Main => return Ok(SessionKey::main(agent)),
                GroupScope::PerGroup => format!("{channel}:{}:{}", kind.word(), group(&inbound.peer.id)),
            },
        };
        match inbound
            .thread
            .as_deref()
            .filter(|thread| !thread.trim().is_empty())
        {
            Some(thread) => SessionKey::of(agent, &format!("{place}:thread:{}", part(thread))),
            None => SessionKey::of(agent, &place),
        }
    }

    /// Who writes, under the one name that the configuration gives them.
    pub(super) fn person(&self, inbound: &Inbound) -> String {
        let known = format!("{}:{}", lower(&inbound.channel), lower(&inbound.peer.id));
        part(self.people.get(&known).unwrap_or(&inbound.peer.id))
    }
}

/// A topic of a group is written behind its group, as clients know such keys: `-1001234567890:topic:42`. No other id leaves a
/// colon, so no two groups have one key.
fn group(id: &str) -> String {
    match id.rsplit_once(TOPIC) {
        Some((chat, topic)) if !topic.is_empty() && topic.chars().all(|c| c.is_ascii_digit()) => {
            format!("{}{TOPIC}{topic}", part(chat))
        }
        Some(_) | None => part(id),
    }
}
