//! Who may talk. A pure decision over what an operator wrote and what the platform vouches for.
//!
//! Three rules hold everywhere: an empty list is nobody, never everybody; a name is not an identity, so it is matched only
//! when the operator says so; and what was approved for direct messages counts in direct messages only.

use std::collections::BTreeMap;

pub(crate) use gatehouse_document::policies::{DmPolicy, GroupPolicy};
use gatehouse_document::policies::{Group, Policies, Sender};
use serde::Deserialize;

use crate::{
    adapter::{Case, ChatKind, InboundMessage},
    id::SenderId,
    pace::{Answers, Pace},
};

/// What holds in one group, or in all (`"*"`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupRule {
    /// False: nobody is heard here.
    pub(crate) enabled: Option<bool>,
    /// Whether the assistant must be spoken to. Unset: yes.
    pub(crate) require_mention: Option<bool>,
    /// Senders who are heard here, besides `groupAllowFrom`. With the policy `open` it narrows to these.
    pub(crate) allow_from: Vec<String>,
}

/// Who may talk on one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Policies")]
pub(crate) struct Policy {
    /// Direct messages.
    pub(crate) dm_policy: DmPolicy,
    /// Senders of direct messages.
    pub(crate) allow_from: Vec<String>,
    /// Groups.
    pub(crate) group_policy: GroupPolicy,
    /// Senders in groups.
    pub(crate) group_allow_from: Vec<String>,
    /// Groups by id.
    pub(crate) groups: BTreeMap<String, GroupRule>,
    /// Match a sender's name as well. A name can be taken by anybody the moment it is free.
    pub(crate) dangerously_allow_name_matching: bool,
    /// How often one partner is answered.
    pub(crate) pace: Pace,
    /// Who owns the gateway, on this channel.
    pub(crate) owners: Vec<String>,
}

/// As whom a sender is known, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Somebody who may talk, because everybody may.
    Anybody,
    /// Listed by name, or approved by a code.
    Listed,
    /// In `commands.ownerAllowFrom`.
    Owner,
}

impl From<Policies> for Policy {
    fn from(policies: Policies) -> Self {
        let Policies {
            dm_policy,
            allow_from,
            group_policy,
            group_allow_from,
            groups,
            dangerously_allow_name_matching,
            loop_guard,
        } = policies;
        let groups = groups.into_iter().flatten();
        Self {
            dm_policy: dm_policy.unwrap_or_default(),
            allow_from: ids(allow_from),
            group_policy: group_policy.unwrap_or_default(),
            group_allow_from: ids(group_allow_from),
            groups: groups.map(|(id, group)| (id, group.into())).collect(),
            dangerously_allow_name_matching: dangerously_allow_name_matching.unwrap_or_default(),
            pace: loop_guard.map(Pace::from).unwrap_or_default(),
            owners: Vec::new(),
        }
    }
}

/// The part of `commands.ownerAllowFrom` that counts on a channel: `<channel>:<id>` of this one, and ids without a channel. An id may hold
/// colons itself, so only the names of `channels` are channels.
pub(crate) fn owners(list: &[String], channel: &str, channels: &[&str]) -> Vec<String> {
    let is_channel = |prefix: &str| channels.iter().any(|known| known.eq_ignore_ascii_case(prefix));
    let here = list.iter().filter_map(|entry| match entry.split_once(':') {
        Some((prefix, id)) if is_channel(prefix.trim()) => {
            prefix.trim().eq_ignore_ascii_case(channel).then_some(id)
        }
        Some(_) | None => Some(entry.as_str()),
    });
    // Everybody cannot be the owner.
    let named = here
        .map(str::trim)
        .filter(|id| !id.is_empty() && *id != EVERYBODY);
    named.map(str::to_owned).collect()
}

/// The entry of a list that stands for everybody.
const EVERYBODY: &str = "*";

impl From<Group> for GroupRule {
    fn from(group: Group) -> Self {
        let Group {
            require_mention,
            allow_from,
            enabled,
        } = group;
        Self {
            enabled,
            require_mention,
            allow_from: ids(allow_from),
        }
    }
}

/// No list is an empty one: nobody.
fn ids(list: Option<Vec<Sender>>) -> Vec<String> {
    list.into_iter().flatten().map(|Sender(id)| id).collect()
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Hand it on.
    Accept,
    /// Forget it, for this reason.
    Refuse(&'static str),
    /// Offer the sender a code.
    Pair,
}

impl Policy {
    /// The same on a platform where these answer, as a rule.
    pub(crate) fn on(mut self, answers: Answers) -> Self {
        self.pace.answers = answers;
        self
    }

    /// Decides. `approved`: the sender was let in by pairing on this very account.
    pub(crate) fn decide(&self, message: &InboundMessage, approved: bool) -> Verdict {
        match message.chat_kind {
            ChatKind::Direct => self.decide_direct(message, approved),
            ChatKind::Group | ChatKind::Channel => self.decide_group(message),
        }
    }

    /// As whom the sender of a message is known that was let in. What lets everybody in makes nobody known.
    pub(crate) fn standing(&self, message: &InboundMessage, approved: bool) -> Standing {
        let by_name = |list: &[String]| {
            let named: Vec<String> = list.iter().filter(|entry| *entry != EVERYBODY).cloned().collect();
            self.lists(&named, message)
        };
        let listed = || match message.chat_kind {
            ChatKind::Direct => approved || by_name(&self.allow_from),
            ChatKind::Group | ChatKind::Channel => {
                by_name(&self.group_allow_from)
                    || self
                        .rule_of(message)
                        .is_some_and(|rule| by_name(&rule.allow_from))
            }
        };
        if by_name(&self.owners) {
            Standing::Owner
        } else if listed() {
            Standing::Listed
        } else {
            Standing::Anybody
        }
    }

    /// What holds in the room of a message: what is said of it, or of every room.
    fn rule_of(&self, message: &InboundMessage) -> Option<&GroupRule> {
        let mut names = std::iter::once(&message.chat_id).chain(&message.chat_aliases);
        let own = names.find_map(|name| {
            let own = self
                .groups
                .iter()
                .find(|(id, _)| same(message.case, id, name.as_str()));
            own.map(|(_, rule)| rule)
        });
        own.or_else(|| self.groups.get(EVERYBODY))
    }

    /// Whether the sender may talk here, be the assistant meant or not.
    pub(crate) fn may_talk(&self, message: &InboundMessage, approved: bool) -> bool {
        let mut spoken_to = message.clone();
        spoken_to.mentioned = true;
        self.decide(&spoken_to, approved) == Verdict::Accept
    }

    /// Whether somebody of these ids may talk where this message was said, which is going to be answered. Nobody is known by none.
    pub(crate) fn admits(&self, message: &InboundMessage, ids: &[String]) -> bool {
        if message.chat_kind == ChatKind::Direct {
            return true; // there is nobody but the sender
        }
        let mut ids = ids.iter().cloned().flat_map(SenderId::try_from);
        // Who is not known may talk where everybody may.
        let unknown = || SenderId::stored(String::new());
        let somebody = InboundMessage {
            sender_id: ids.next().unwrap_or_else(unknown),
            sender_aliases: ids.collect(),
            sender_name: None,
            ..message.clone()
        };
        self.may_talk(&somebody, false)
    }

    fn decide_direct(&self, message: &InboundMessage, approved: bool) -> Verdict {
        let listed = self.lists(&self.allow_from, message);
        match self.dm_policy {
            DmPolicy::Disabled => Verdict::Refuse("direct messages are disabled"),
            DmPolicy::Open | DmPolicy::Allowlist | DmPolicy::Pairing if listed => Verdict::Accept,
            DmPolicy::Open => Verdict::Refuse("dmPolicy open needs allowFrom [\"*\"]"),
            DmPolicy::Allowlist => Verdict::Refuse("sender is not in allowFrom"),
            DmPolicy::Pairing if approved => Verdict::Accept,
            DmPolicy::Pairing => Verdict::Pair,
        }
    }

    fn decide_group(&self, message: &InboundMessage) -> Verdict {
        // By its id first, so that a rule for one of its other names does not take the place of its own.
        let names = std::iter::once(&message.chat_id).chain(&message.chat_aliases);
        let mut known = names
            .flat_map(|name| {
                self.groups
                    .iter()
                    .filter(|(id, _)| same(message.case, id, name.as_str()))
            })
            .map(|(_, rule)| rule)
            .peekable();
        let own = known.peek().copied();
        // One room may be written twice: off is off.
        let off = known.any(|rule| rule.enabled == Some(false));
        let every = self.groups.get("*");
        let rule = own.or(every);
        match self.group_policy {
            GroupPolicy::Disabled => return Verdict::Refuse("groups are disabled"),
            GroupPolicy::Allowlist | GroupPolicy::Open
                if off || rule.is_some_and(|rule| rule.enabled == Some(false)) =>
            {
                return Verdict::Refuse("this group is disabled");
            }
            GroupPolicy::Allowlist => {
                let Some(rule) = rule else {
                    return Verdict::Refuse("group is not in groups");
                };
                if !self.lists(&rule.allow_from, message) && !self.lists(&self.group_allow_from, message) {
                    return Verdict::Refuse("sender is not in groupAllowFrom");
                }
            }
            GroupPolicy::Open => {
                if rule
                    .is_some_and(|rule| !rule.allow_from.is_empty() && !self.lists(&rule.allow_from, message))
                {
                    return Verdict::Refuse("sender is not in this group's allowFrom");
                }
            }
        }
        let asked = own
            .and_then(|rule| rule.require_mention)
            .or_else(|| every.and_then(|rule| rule.require_mention))
            .unwrap_or(true);
        if asked && !message.mentioned {
            Verdict::Refuse("not mentioned")
        } else {
            Verdict::Accept
        }
    }

    fn lists(&self, list: &[String], message: &InboundMessage) -> bool {
        let same = |entry: &str, id: &str| same(message.case, entry, id);
        list.iter().any(|entry| {
            entry == EVERYBODY
                || same(entry, message.sender_id.as_str())
                || message
                    .sender_aliases
                    .iter()
                    .any(|alias| same(entry, alias.as_str()))
                || (self.dangerously_allow_name_matching
                    && message.sender_name.as_ref().is_some_and(|name| same(entry, name)))
        })
    }
}

/// Ids are compared whole, as the platform tells them apart; case aside, because people type them. Blank never equals anything.
fn same(case: Case, entry: &str, id: &str) -> bool {
    let entry = entry.trim();
    !entry.is_empty() && case.same(entry, id)
}

#[cfg(test)]
mod tests;
