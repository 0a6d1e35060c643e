//! Groups in which nobody would be answered although somebody wrote them down.

use gatehouse_document::{
    Document,
    channels::ChannelSection,
    irc::IrcAccount,
    policies::{GroupPolicy, Policies},
};

use crate::{issue::Issue, path::Path};

/// What a rule for every group is called.
const EVERY: &str = "*";
/// With what the name of a room begins on IRC (RFC 2811, 2.1).
const ROOM_SIGNS: [char; 4] = ['#', '&', '+', '!'];

pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    let common = document.channels.defaults.group_policy;
    let brought = document.brought();
    let brought = brought
        .iter()
        .map(|(kind, section)| (*kind, section as &dyn ChannelSection));
    for (channel, section) in document.channels.sections().chain(brought) {
        let (path, base) = (Path::of(["channels", channel]), section.base().policies());
        let accounts = section.accounts();
        if accounts.is_empty() {
            silent(&path, Rules::of(base, None, common), issues);
        }
        for (id, account) in accounts {
            let path = path.key("accounts").key(id);
            silent(&path, Rules::of(account.policies(), Some(base), common), issues);
        }
    }
    if let Some(irc) = &document.channels.irc {
        let path = Path::of(["channels", "irc"]);
        if irc.accounts.is_empty() {
            rooms(&path, &irc.account, None, common, issues);
        }
        for (id, account) in &irc.accounts {
            let path = path.key("accounts").key(id);
            rooms(&path, account, Some(&irc.account), common, issues);
        }
    }
}

/// Who may talk in the groups of one account: its own keys over those of its channel.
#[derive(Clone, Copy)]
struct Rules<'a> {
    policy: GroupPolicy,
    everywhere: usize,
    /// With what was written for the account itself.
    own: &'a Policies,
    base: Option<&'a Policies>,
}

impl<'a> Rules<'a> {
    fn of(own: &'a Policies, base: Option<&'a Policies>, common: Option<GroupPolicy>) -> Self {
        let policy = own.group_policy.or(base.and_then(|base| base.group_policy));
        let senders = own
            .group_allow_from
            .as_ref()
            .or(base.and_then(|base| base.group_allow_from.as_ref()));
        Self {
            policy: policy.or(common).unwrap_or_default(),
            everywhere: senders.map_or(0, Vec::len),
            own,
            base,
        }
    }

    fn groups(&self) -> impl Iterator<Item = &'a str> {
        let groups = self
            .own
            .groups
            .as_ref()
            .or(self.base.and_then(|base| base.groups.as_ref()));
        groups.into_iter().flatten().map(|(id, _)| id.as_str())
    }
}

/// Groups that are listed, and in which nobody is.
fn silent(path: &Path, rules: Rules<'_>, issues: &mut Vec<Issue>) {
    if rules.policy != GroupPolicy::Allowlist || rules.everywhere > 0 {
        return;
    }
    for (id, group) in rules.own.groups.iter().flatten() {
        if group.enabled != Some(false) && group.allow_from.as_ref().is_none_or(Vec::is_empty) {
            issues.push(Issue::warning(
                path.key("groups").key(id),
                "nobody is answered here: say who may talk with `allowFrom` in it or with `groupAllowFrom`, for example [\"*\"]",
            ));
        }
    }
}

/// Rooms of IRC: those that are joined for nothing, and rules for what is no room.
fn rooms(
    path: &Path,
    own: &IrcAccount,
    base: Option<&IrcAccount>,
    common: Option<GroupPolicy>,
    issues: &mut Vec<Issue>,
) {
    let rules = Rules::of(
        &own.common.policies,
        base.map(|base| &base.common.policies),
        common,
    );
    for id in own.common.policies.groups.iter().flatten().map(|(id, _)| id) {
        if id != EVERY && !id.starts_with(ROOM_SIGNS) {
            issues.push(Issue::warning(
                path.key("groups").key(id),
                format!("is no room's name, and holds for none: did you mean \"#{id}\"?"),
            ));
        }
    }
    if rules.policy != GroupPolicy::Allowlist {
        return;
    }
    for (index, room) in own.channels.iter().flatten().enumerate() {
        let mut groups = rules.groups();
        if !groups.any(|id| id == EVERY || id.eq_ignore_ascii_case(room)) {
            issues.push(Issue::warning(
                path.key("channels").index(index),
                format!(
                    "is joined, and nobody is answered there: add groups: {{\"{room}\": {{}}}} and who may talk (`groupAllowFrom`)"
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(channels: Value) -> Vec<String> {
        let document = json!({"channels": channels});
        let mut issues = Vec::new();
        check(
            &serde_json::from_value(document).expect("a document"),
            &mut issues,
        );
        issues
            .into_iter()
            .map(|issue| issue.place().to_string())
            .collect()
    }

    #[test]
    fn a_group_in_which_nobody_would_be_answered_is_named() {
        for heard in [
            json!({"irc": {"channels": ["#home"], "groups": {"#HOME": {}}, "groupAllowFrom": ["anna"]}}),
            json!({"irc": {"channels": ["#home"], "groups": {"*": {"allowFrom": ["anna"]}}}}),
            json!({"irc": {"channels": ["#home"], "groupPolicy": "open"}}),
            json!({"irc": {"channels": ["#home"]}, "defaults": {"groupPolicy": "open"}}),
            json!({"irc": {"channels": ["#home"], "groupPolicy": "disabled"}}),
            json!({"irc": {
                "groups": {"#home": {}}, "groupAllowFrom": ["*"],
                "accounts": {"a": {"channels": ["#home"]}},
            }}),
            json!({"telegram": {"groups": {"-100": {"allowFrom": ["1"]}, "-200": {"enabled": false}}}}),
        ] {
            assert_eq!(found(heard.clone()), [] as [&str; 0], "{heard}");
        }
        for (silent, places) in [
            (
                json!({"irc": {"channels": ["#home"]}}),
                vec!["channels.irc.channels[0]"],
            ),
            (
                json!({"irc": {"channels": ["#home"], "groups": {"home": {}}, "groupAllowFrom": ["*"]}}),
                vec!["channels.irc.groups.home", "channels.irc.channels[0]"],
            ),
            (
                json!({"telegram": {"groups": {"-100": {}}}}),
                vec!["channels.telegram.groups.-100"],
            ),
            (
                json!({"slack": {"accounts": {"a": {"groups": {"*": {}}}}}}),
                vec!["channels.slack.accounts.a.groups.*"],
            ),
        ] {
            assert_eq!(found(silent.clone()), places, "{silent}");
        }
    }
}
