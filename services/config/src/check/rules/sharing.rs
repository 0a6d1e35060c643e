//! Whether a second person is let into the main session, where everybody reads what the others said.

use std::collections::BTreeSet;

use gatehouse_document::{
    Document,
    channels::{ChannelAccount, ChannelSection},
    policies::DmPolicy,
    session::{DmScope, Scope},
};
use serde_json::Value;

use crate::{issue::Issue, path::Path};

/// Whom direct messages bring into the main session.
#[derive(Default)]
struct LetIn {
    people: BTreeSet<String>,
    /// Channels that let in everybody.
    open: BTreeSet<String>,
    /// Channels that let in whoever is approved.
    pairing: BTreeSet<String>,
}

/// The warning, if there is one. A person who is alone may want one conversation over all channels, and says so with `main`; then
/// only what certainly lets in several is warned about.
pub(super) fn check(document: &Document, written: &Value) -> Option<Issue> {
    let session = &document.session;
    if session.dm_scope != DmScope::Main || session.scope == Scope::Global {
        return None;
    }
    let let_in = let_in(document);
    let is_written = written.pointer("/session/dmScope").is_some();
    let others = if !let_in.open.is_empty() {
        format!("{} lets everybody in", named(&let_in.open))
    } else if let_in.people.len() > 1 {
        format!("{} people are let in", let_in.people.len())
    } else if !is_written && !let_in.pairing.is_empty() {
        format!("{} lets in whoever is approved", named(&let_in.pairing))
    } else {
        return None;
    };
    let remedy = if is_written {
        "set \"per-channel-peer\""
    } else {
        "set \"per-channel-peer\", or \"main\" if nobody but you is let in"
    };
    let problem = format!(
        "is \"main\" and {others}: all of them share one conversation with you, and the assistant tells each what the others said; {remedy}"
    );
    Some(Issue::warning(Path::of(["session", "dmScope"]), problem))
}

fn let_in(document: &Document) -> LetIn {
    let mut found = LetIn::default();
    let brought = document.brought();
    let brought = brought
        .iter()
        .map(|(kind, section)| (*kind, section as &dyn ChannelSection));
    for (channel, section) in document.channels.sections().chain(brought) {
        let base = section.base();
        let is_on = |account: &dyn ChannelAccount| account.enabled() != Some(false);
        let accounts = section.accounts();
        let single = [("default", base)];
        let all = if accounts.is_empty() {
            &single[..]
        } else {
            &accounts[..]
        };
        if !is_on(base) {
            continue;
        }
        for (id, account) in all.iter().filter(|(_, account)| is_on(*account)) {
            if !is_kept_apart(document, channel, id) {
                account_lets_in(document, channel, *account, section, &mut found);
            }
        }
    }
    found
}

fn account_lets_in(
    document: &Document,
    channel: &str,
    account: &dyn ChannelAccount,
    section: &dyn ChannelSection,
    found: &mut LetIn,
) {
    let (own, base) = (account.policies(), section.base().policies());
    let policy = own.dm_policy.or(base.dm_policy).unwrap_or_default();
    if policy == DmPolicy::Disabled {
        return;
    }
    let senders = own.allow_from.as_ref().or(base.allow_from.as_ref());
    for sender in senders.into_iter().flatten() {
        if sender.0 == "*" {
            found.open.insert(channel.to_owned());
        } else {
            found.people.insert(person(document, channel, &sender.0));
        }
    }
    if policy == DmPolicy::Pairing {
        found.pairing.insert(channel.to_owned());
    }
}

/// One person may have several names.
fn person(document: &Document, channel: &str, sender: &str) -> String {
    let name = format!("{channel}:{sender}").to_lowercase();
    let mut links = document.session.identity_links.iter();
    let known = links.find(|(_, names)| names.iter().any(|one| one.to_lowercase() == name));
    known.map_or(name, |(person, _)| format!("person {person}"))
}

/// Whether a rule for the whole account gives its people conversations of their own.
fn is_kept_apart(document: &Document, channel: &str, account: &str) -> bool {
    document.bindings.iter().any(|binding| {
        let when = &binding.when;
        let here = when.account_id.as_deref().unwrap_or("default");
        let scope = binding.session.and_then(|session| session.dm_scope);
        when.channel.eq_ignore_ascii_case(channel)
            && (here == "*" || here == account)
            && when.peer.is_none()
            && when.guild_id.is_none()
            && when.team_id.is_none()
            && when.roles.is_empty()
            && scope.is_some_and(|scope| scope != DmScope::Main)
    })
}

fn named(channels: &BTreeSet<String>) -> String {
    let names: Vec<String> = channels
        .iter()
        .map(|channel| format!("channels.{channel}"))
        .collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warned(written: Value) -> Option<String> {
        let document: Document = serde_json::from_value(written.clone()).expect("readable");
        check(&document, &written).map(|issue| issue.to_string())
    }

    #[test]
    fn a_second_person_in_the_main_session_is_warned_about() {
        let irc = |policies: Value| {
            let mut irc = json!({"server": "s", "nick": "n"});
            for (key, value) in policies.as_object().expect("an object") {
                irc[key] = value.clone();
            }
            irc
        };
        let stranger = json!({"webhook": {"dmPolicy": "open", "allowFrom": ["*"], "secret": "s"}});
        for (document, words) in [
            (
                json!({"channels": stranger}),
                "channels.webhook lets everybody in",
            ),
            (
                json!({"channels": stranger, "session": {"dmScope": "main"}}),
                "channels.webhook lets everybody in",
            ),
            (
                json!({"channels": {"irc": irc(json!({}))}}),
                "channels.irc lets in whoever is approved",
            ),
            (
                json!({"channels": {"irc": irc(json!({"dmPolicy": "allowlist", "allowFrom": ["anna", "ben"]}))}}),
                "2 people are let in",
            ),
            (
                json!({"channels": {"irc": irc(json!({"dmPolicy": "allowlist", "allowFrom": ["anna"]})),
                    "webhook": {"secret": "s", "dmPolicy": "allowlist", "allowFrom": ["anna"]}}}),
                "2 people are let in",
            ),
        ] {
            let told = warned(document).expect("warned");

            assert!(
                told.starts_with("session.dmScope: is \"main\" and ") && told.contains(words),
                "{told}"
            );
            assert!(told.contains("per-channel-peer"), "{told}");
        }
    }

    #[test]
    fn who_is_alone_or_kept_apart_is_not_warned() {
        let alone = json!({"server": "s", "nick": "n", "dmPolicy": "allowlist", "allowFrom": ["me"]});
        let open = json!({"webhook": {"secret": "s", "dmPolicy": "open", "allowFrom": ["*"]}});
        for document in [
            json!({}),
            json!({"channels": {"irc": alone}}),
            json!({"channels": {"irc": {"server": "s", "nick": "n"}}, "session": {"dmScope": "main"}}),
            json!({"channels": open, "session": {"dmScope": "per-channel-peer"}}),
            json!({"channels": open, "session": {"scope": "global"}}),
            json!({"channels": {"irc": {"server": "s", "nick": "n", "dmPolicy": "disabled"}}}),
            json!({"channels": {"irc": {"enabled": false, "dmPolicy": "open", "allowFrom": ["*"]}}}),
            json!({"channels": open, "bindings": [
                {"agentId": "main", "match": {"channel": "webhook"}, "session": {"dmScope": "per-peer"}}]}),
            json!({"channels": {"irc": alone, "webhook": {"secret": "s", "dmPolicy": "allowlist", "allowFrom": ["it"]}},
                "session": {"identityLinks": {"owner": ["irc:me", "webhook:it"]}}}),
        ] {
            assert_eq!(warned(document.clone()), None, "{document}");
        }
    }
}
