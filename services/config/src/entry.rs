//! Which part of a document is left out when something in it cannot be used, so that the rest runs.
//!
//! A part is left out only where the gateway is no wider open without it: a provider, an account, a rule, a setting whose
//! default grants nothing. Who may come in, who may talk and whose words share a conversation are not among them: a mistake
//! there refuses the document, and what runs goes on.

use serde_json::{Map, Value, json};

use crate::path::{Path, Step};

/// A part that can be left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Where it stands.
    pub(crate) place: Path,
    /// What stands in its place for those who read the document. `None`: nothing.
    pub(crate) instead: Option<Value>,
}

/// The smallest part around a place that can be left out. `None`: a mistake there refuses the document.
pub(crate) fn around(place: &Path, document: &Value) -> Option<Entry> {
    smallest(place, document).or_else(|| {
        // A key without a value says what a key that is not there says.
        let says_nothing = place.get(document).is_some_and(Value::is_null);
        (says_nothing && !place.steps().is_empty()).then(|| Entry {
            place: place.clone(),
            instead: None,
        })
    })
}

fn smallest(place: &Path, document: &Value) -> Option<Entry> {
    let keys: Vec<&str> = place
        .steps()
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.as_str(),
            Step::Index(_) => "[]",
        })
        .collect();
    let length = match keys.as_slice() {
        ["gateway", rest @ ..] => 1 + in_gateway(rest)?,
        ["agents", rest @ ..] => 1 + in_agents(rest)?,
        ["models", rest @ ..] => 1 + in_models(rest),
        ["channels", rest @ ..] => 1 + in_channels(rest)?,
        ["messages", "queue", "byChannel" | "debounceMsByChannel", _, ..] => 4,
        ["messages", "queue", _, ..] => 3,
        ["messages", "queue"] => 2,
        // When a conversation ends and is forgotten: without it no more people share one.
        ["session", rest @ ..] => 1 + in_session(rest)?,
        // The network is told nothing.
        ["discovery", ..] => 1,
        ["cron", rest @ ..] => 1 + in_cron(rest),
        // A rule with scopes of its own keeps people apart, and without it they may share a conversation.
        ["bindings", "[]", ..] if place.first(2).key("session").get(document).is_some() => return None,
        ["bindings", "[]", ..] => 2,
        // Without a mapping less is taken, without the rest nothing is: hooks are off unless they are switched on.
        ["hooks", "mappings", "[]", ..] => 3,
        ["hooks", ..] => 1,
        ["secrets", "providers", _, ..] => 3,
        ["env", "allow", ..] => 2,
        // Without the list nobody owns the gateway in chats: what is left out never lets more people do more.
        ["commands", "ownerAllowFrom", "[]", ..] => 3,
        ["commands", ..] => 1,
        // A plugin that is left out takes its methods and its credential with it, and what it overrode is the core's again.
        // Without it recordings are only named.
        ["tools", ..] => 1,
        ["plugins", "entries", _, ..] => 3,
        ["plugins", "entries"] => 2,
        ["messages" | "bindings" | "env" | "logging" | "plugins" | "$schema"] => 1,
        _ => return None,
    };
    let mut place = place.first(length);
    if place.get(document).is_none() && keys == ["gateway", "customBindHost"] {
        place = Path::of(["gateway", "bind"]); // what asks for the address that is missing
    }
    let instead = instead(&place, document);
    Some(Entry { place, instead })
}

fn in_gateway(keys: &[&str]) -> Option<usize> {
    Some(match keys {
        // Without a range fewer devices are paired; without a wrong word about local ones more would be.
        ["nodes", "pairing", "autoApproveCidrs", "[]", ..] => 4,
        ["controlUi", "allowedOrigins", "[]", ..] | ["auth", "tokenScopes", "[]", ..] => 3,
        ["trustedProxies", "[]", ..] | ["controlUi", "allowedOrigins", ..] | ["auth", "token", ..] => 2,
        [
            "mode" | "bind" | "customBindHost" | "publicOrigin" | "drainSeconds" | "controlUi" | "http"
            | "trustedProxies",
            ..,
        ] => 1,
        _ => return None,
    })
}

fn in_agents(keys: &[&str]) -> Option<usize> {
    Some(match keys {
        [] | ["defaults" | "entries" | "list"] => keys.len(),
        // What a model is told may be what it must not do: without it the agent does not answer.
        ["defaults", "systemPrompt", ..] => return None,
        ["entries" | "list", _, "systemPrompt" | "id", ..] | ["entries" | "list", _] => 2,
        ["entries" | "list", _, _, ..] => 3,
        _ => 2,
    })
}

fn in_models(keys: &[&str]) -> usize {
    match keys {
        ["providers", _, "models", "[]", ..] => 4,
        ["providers", _, ..] => 2,
        [_, ..] => 1,
        [] => 0,
    }
}

fn in_session(keys: &[&str]) -> Option<usize> {
    Some(match keys {
        ["resetTriggers", "[]", ..] | ["resetByType" | "resetByChannel" | "maintenance", _, ..] => 2,
        [
            "reset" | "resetTriggers" | "resetByType" | "resetByChannel" | "maintenance",
            ..,
        ] => 1,
        _ => return None,
    })
}

fn in_cron(keys: &[&str]) -> usize {
    match keys {
        ["webhookSsrfPolicy", "allowedHostnames", "[]", ..] => 3,
        [_, ..] => 1,
        [] => 0,
    }
}

fn in_channels(keys: &[&str]) -> Option<usize> {
    Some(match keys {
        ["defaults", ..] => return None,
        [_, "accounts", _, "groups", _, ..] => 5,
        [_, "accounts", _, ..] | [_, "groups", _, ..] => 3,
        [_, "defaultAccount", ..] => 2,
        [_, ..] => 1,
        [] => 0,
    })
}

/// What stands for a channel, an account or a group that cannot be used: it is off. Deliveries to it wait, and nobody is heard there;
/// without an entry of its own a group would fall under the rule for every group. So are jobs and discovery, which are on where nobody
/// says otherwise.
fn instead(place: &Path, document: &Value) -> Option<Value> {
    let keys = place.steps();
    let key = |at: usize| match keys.get(at) {
        Some(Step::Key(key)) => key.as_str(),
        Some(Step::Index(_)) | None => "",
    };
    let off = json!({"enabled": false});
    match keys.len() {
        1 if key(0) == "discovery" => Some(json!({"mdns": {"mode": "off"}})),
        1 if key(0) == "cron" => Some(off),
        2 if key(0) == "cron" && key(1) == "enabled" => Some(Value::Bool(false)),
        2 if key(0) == "channels" => {
            let accounts = place.get(document)?.get("accounts").and_then(Value::as_object);
            let ids = accounts.into_iter().flat_map(Map::keys);
            let accounts: Map<String, Value> = ids.map(|id| (id.clone(), off.clone())).collect();
            let mut off = off;
            if !accounts.is_empty() {
                off["accounts"] = Value::Object(accounts);
            }
            Some(off)
        }
        4 if key(0) == "channels" && key(2) != "defaultAccount" => Some(off),
        6 if key(0) == "channels" => Some(off),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(place: &str, document: &Value) -> Option<String> {
        around(&Path::from(place), document).map(|entry| entry.place.to_string())
    }

    #[test]
    fn the_smallest_part_around_a_mistake_is_left_out() {
        for (mistake, part) in [
            ("models.providers.a.api", "models.providers.a"),
            (
                "models.providers.a.models[2].maxTokens",
                "models.providers.a.models[2]",
            ),
            ("models.mode", "models.mode"),
            ("models", "models"),
            ("channels.irc.port", "channels.irc"),
            ("channels.irc.accounts.home.port", "channels.irc.accounts.home"),
            (
                "channels.irc.accounts.home.groups.#a.enabled",
                "channels.irc.accounts.home.groups.#a",
            ),
            ("channels.irc.defaultAccount", "channels.irc.defaultAccount"),
            ("agents.defaults.timeoutSeconds", "agents.defaults.timeoutSeconds"),
            ("agents.entries.a.identity.name", "agents.entries.a.identity"),
            ("agents.entries.a.systemPrompt", "agents.entries.a"),
            ("agents.list[1].id", "agents.list[1]"),
            ("bindings[3].match.peer.kind", "bindings[3]"),
            ("messages.queue.byChannel.irc", "messages.queue.byChannel.irc"),
            ("gateway.trustedProxies[0]", "gateway.trustedProxies[0]"),
            (
                "gateway.controlUi.allowedOrigins[1]",
                "gateway.controlUi.allowedOrigins[1]",
            ),
            (
                "gateway.controlUi.allowedOrigins",
                "gateway.controlUi.allowedOrigins",
            ),
            ("gateway.auth.tokenScopes[1]", "gateway.auth.tokenScopes[1]"),
            ("gateway.auth.token", "gateway.auth.token"),
            ("gateway.customBindHost", "gateway.bind"),
            ("secrets.providers.vault.source", "secrets.providers.vault"),
            ("plugins.entries.kitchen.endpoint", "plugins.entries.kitchen"),
            ("plugins.entries.kitchen.overrides[1]", "plugins.entries.kitchen"),
            ("plugins.entries", "plugins.entries"),
            ("session.reset.mode", "session.reset"),
            ("session.resetByType.group.atHour", "session.resetByType.group"),
            ("session.resetByChannel.irc.mode", "session.resetByChannel.irc"),
            ("session.resetTriggers[2]", "session.resetTriggers[2]"),
            ("session.maintenance.pruneAfter", "session.maintenance.pruneAfter"),
            ("session.maintenance", "session.maintenance"),
            ("discovery.mdns.mode", "discovery"),
            ("cron.skipMissedJobs", "cron.skipMissedJobs"),
            (
                "cron.webhookSsrfPolicy.allowedHostnames[1]",
                "cron.webhookSsrfPolicy.allowedHostnames[1]",
            ),
        ] {
            assert_eq!(left_out(mistake, &json!({})).as_deref(), Some(part), "{mistake}");
        }
    }

    #[test]
    fn a_mistake_in_what_keeps_others_out_or_apart_refuses_the_document() {
        let document = json!({
            "bindings": [{"session": {"dmScope": "per-peer"}}],
            "gateway": {"auth": {"mode": "tokn"}},
        });
        for place in [
            "",
            "gateway",
            "gateway.port",
            "gateway.auth",
            "gateway.auth.mode",
            "gateway.auth.tokenScopes",
            "gateway.auth.rateLimit.maxAttempts",
            "session",
            "session.scope",
            "session.dmScope",
            "session.groupScope",
            "session.identityLinks",
            "session.identityLinks.alice[0]",
            "channels.defaults.groupPolicy",
            "bindings[0].match",
            "secrets.dirs",
            "agents.defaults.systemPrompt",
        ] {
            assert_eq!(left_out(place, &document), None, "{place}");
        }
    }

    #[test]
    fn a_key_without_a_value_is_left_out_wherever_it_stands() {
        let document = json!({"gateway": null, "session": {"dmScope": null}, "secrets": {"dirs": [null]}});
        for place in ["gateway", "session.dmScope", "secrets.dirs[0]"] {
            assert_eq!(left_out(place, &document).as_deref(), Some(place), "{place}");
        }
        assert_eq!(left_out("", &Value::Null), None);
    }

    #[test]
    fn what_is_left_out_of_a_channel_is_off_and_keeps_its_name() {
        let document = json!({"channels": {"irc": {"port": "x", "accounts": {"home": {}, "work": {}}}}});
        let instead = |place: &str| around(&Path::from(place), &document).and_then(|entry| entry.instead);

        let off = json!({"enabled": false});
        assert_eq!(
            instead("channels.irc.port"),
            Some(json!({"enabled": false, "accounts": {"home": off, "work": off}}))
        );
        assert_eq!(instead("channels.irc.accounts.home.nick"), Some(off.clone()));
        assert_eq!(instead("channels.irc.groups.#a.allowFrom"), Some(off));
        assert_eq!(
            instead("discovery.mdns.mode"),
            Some(json!({"mdns": {"mode": "off"}}))
        );
        assert_eq!(instead("cron.enabled"), Some(Value::Bool(false)));
        assert_eq!(instead("cron.webhookToken"), None);
        assert_eq!(instead("models.providers.a.api"), None);
    }
}
