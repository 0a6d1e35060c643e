//! Who may talk. A pure decision over what an operator wrote and what the platform vouches for.
//!
//! Three rules hold everywhere: an empty list is nobody, never everybody; a name is not an identity, so it is matched only
//! when the operator says so; and what was approved for direct messages counts in direct messages only.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::adapter::{ChatKind, InboundMessage};

/// Who may send direct messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DmPolicy {
    /// Everybody, if `allowFrom` says `"*"` as well; else who is listed.
    Open,
    /// Who is listed.
    Allowlist,
    /// Who is listed or was approved; an unknown sender gets a code.
    #[default]
    Pairing,
    /// Nobody.
    Disabled,
}

impl DmPolicy {
    /// The word in the configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Allowlist => "allowlist",
            Self::Pairing => "pairing",
            Self::Disabled => "disabled",
        }
    }
}

/// Who may talk in groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupPolicy {
    /// Listed senders in listed groups.
    #[default]
    Allowlist,
    /// Everybody.
    Open,
    /// Nobody.
    Disabled,
}

/// What holds in one group, or in all (`"*"`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GroupRule {
    /// False: nobody is heard here.
    pub(crate) enabled: Option<bool>,
    /// Whether the assistant must be spoken to. Unset: yes.
    pub(crate) require_mention: Option<bool>,
    /// Senders who are heard here, besides `groupAllowFrom`. With the policy `open` it narrows to these.
    #[serde(deserialize_with = "ids")]
    pub(crate) allow_from: Vec<String>,
}

/// Who may talk on one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Policy {
    /// Direct messages.
    pub(crate) dm_policy: DmPolicy,
    /// Senders of direct messages.
    #[serde(deserialize_with = "ids")]
    pub(crate) allow_from: Vec<String>,
    /// Groups.
    pub(crate) group_policy: GroupPolicy,
    /// Senders in groups.
    #[serde(deserialize_with = "ids")]
    pub(crate) group_allow_from: Vec<String>,
    /// Groups by id.
    pub(crate) groups: BTreeMap<String, GroupRule>,
    /// Match a sender's name as well. A name can be taken by anybody the moment it is free.
    pub(crate) dangerously_allow_name_matching: bool,
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
    /// Decides. `approved`: the sender was let in by pairing on this very account.
    pub(crate) fn decide(&self, message: &InboundMessage, approved: bool) -> Verdict {
        match message.chat_kind {
            ChatKind::Direct => self.decide_direct(message, approved),
            ChatKind::Group | ChatKind::Channel => self.decide_group(message),
        }
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
        let own = self
            .groups
            .iter()
            .find(|(id, _)| same(id, message.chat_id.as_str()))
            .map(|(_, rule)| rule);
        let every = self.groups.get("*");
        let rule = own.or(every);
        match self.group_policy {
            GroupPolicy::Disabled => return Verdict::Refuse("groups are disabled"),
            GroupPolicy::Allowlist | GroupPolicy::Open
                if rule.is_some_and(|rule| rule.enabled == Some(false)) =>
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
        list.iter().any(|entry| {
            entry == "*"
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

/// Ids as people write them: some platforms' are numbers.
fn ids<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(i64),
    }
    let ids = Vec::<Id>::deserialize(source)?;
    Ok(ids
        .into_iter()
        .map(|id| match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        })
        .collect())
}

/// Ids are compared whole; ASCII case aside, because people type them. Blank never equals anything.
fn same(entry: &str, id: &str) -> bool {
    let entry = entry.trim();
    !entry.is_empty() && entry.eq_ignore_ascii_case(id)
}

#[cfg(test)]
mod tests;
