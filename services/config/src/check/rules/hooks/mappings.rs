//! Mappings of hooks against the rest of the document: whom they ask, by which model, and whom they tell.

use gatehouse_document::{
    Document,
    agents::normal_id,
    hooks::{Action, Mapping},
};
use serde_json::Value;

use crate::{
    check::rules::{known_agents, model_problem, no_agent},
    issue::Issue,
    path::Path,
};

/// Sessions that the gateway names for its own work: the session service takes no event for them.
const RESERVED: [&str; 3] = ["subagent:", "cron:", "acp:"];

/// The chat that spoke last.
const LAST: &str = "last";

/// Says what each mapping needs of the rest of the document. One that can never act is a mistake; what may be meant so is not.
pub(super) fn check(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
    let mappings = &document.hooks.mappings;
    for (index, mapping) in mappings.iter().enumerate() {
        let place = Path::of(["hooks", "mappings"]).index(index);
        whom(document, written, mapping, &place, issues);
        how(document, written, mapping, &place, issues);
        without_effect(mapping, &place, issues);
        let before = mappings
            .iter()
            .take(index)
            .position(|other| covers(other, mapping));
        if let Some(before) = before {
            let problem = format!("is never used: hooks.mappings[{before}] takes all that fits it");
            issues.push(Issue::warning(&place, problem));
        }
    }
}

/// Whether the session of requests that name none can be.
pub(super) fn default_session(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
    let path = Path::of(["hooks", "defaultSessionKey"]);
    let Some(key) = document.hooks.default_session_key.as_deref() else {
        return;
    };
    if let Some(problem) = session_problem(document, written, key) {
        // What names a session of its own is taken all the same.
        issues.push(Issue::warning(
            path,
            format!("{problem}; what names no session of its own is refused"),
        ));
    }
}

/// Agents that may be asked and are none.
pub(super) fn allowed(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
    let listed = document.hooks.allowed_agent_ids.iter().flatten().enumerate();
    for (index, id) in listed.filter(|(_, id)| !matches!(id.trim(), "" | "*")) {
        if let Some(problem) = no_agent(document, written, id) {
            let path = Path::of(["hooks", "allowedAgentIds"]).index(index);
            issues.push(Issue::warning(path, problem));
        }
    }
}

fn whom(document: &Document, written: &Value, mapping: &Mapping, place: &Path, issues: &mut Vec<Issue>) {
    let refused = |key: &str, problem: &str| {
        let problem = format!("{problem}; every event of this mapping would be refused");
        Issue::error(place.key(key), problem)
    };
    let literal = |text: &'_ Option<String>| text.clone().filter(|text| is_literal(text));
    let named = literal(&mapping.agent_id);
    if let Some(problem) = named.as_ref().and_then(|id| no_agent(document, written, id)) {
        issues.push(refused("agentId", &problem));
        return;
    }
    let own = literal(&mapping.session_key);
    if let Some(problem) = own
        .as_ref()
        .and_then(|key| session_problem(document, written, key))
    {
        issues.push(refused("sessionKey", &problem));
        return;
    }
    let (named, of_own) = (
        named.as_deref().and_then(normal_id),
        own.as_deref().and_then(agent_of),
    );
    let of_default = match (mapping.action, &mapping.session_key) {
        (Action::Agent, None) => document.hooks.default_session_key.as_deref().and_then(agent_of),
        _ => None,
    };
    let of_key = of_own.clone().or(of_default);
    if let (Some(named), Some(of_key)) = (&named, &of_key)
        && named != of_key
    {
        let problem = match &of_own {
            Some(_) => format!("is {named}, and sessionKey is of the agent {of_key}: leave one of them out"),
            None => format!(
                "is {named}, and hooks.defaultSessionKey is of the agent {of_key}: give the mapping a sessionKey"
            ),
        };
        issues.push(refused("agentId", &problem));
        return;
    }
    let key = if of_own.is_some() { "sessionKey" } else { "agentId" };
    match of_key.or(named).or_else(|| default_agent(document)) {
        None => {
            let problem = format!(
                "is needed where several agents are and none of them has `default: true`; there are: {}",
                known_agents(document).join(", ")
            );
            issues.push(refused("agentId", &problem));
        }
        Some(asked) if !may_be_asked(document, &asked) => {
            let problem = format!(
                "asks {asked}, which hooks.allowedAgentIds does not allow: add it there, or ask another agent"
            );
            issues.push(refused(key, &problem));
        }
        Some(_) => {}
    }
}

fn how(document: &Document, written: &Value, mapping: &Mapping, place: &Path, issues: &mut Vec<Issue>) {
    if mapping.action == Action::Agent {
        let model = mapping.model.as_deref().filter(|model| is_literal(model));
        if let Some(problem) = model.and_then(|model| model_problem(document, written, model)) {
            issues.push(Issue::warning(place.key("model"), problem));
        }
        let level = mapping.thinking.as_deref().filter(|word| !word.trim().is_empty());
        let levels = document.models.levels();
        if level.is_some_and(|word| levels.read(word).is_none()) {
            let problem = format!(
                "is no level, and every event of this mapping would be refused: write one of {}",
                levels.listed()
            );
            issues.push(Issue::error(place.key("thinking"), problem));
        }
        let channel = mapping.channel.as_deref().filter(|channel| is_literal(channel));
        if let Some(channel) =
            channel.filter(|channel| *channel != LAST && !document.accounts().contains_key(*channel))
        {
            let problem = format!("there is no channels.{channel}: an agent answers, and nobody is told");
            issues.push(Issue::warning(place.key("channel"), problem));
        }
    }
    if let (key, Some(Ok(template))) = mapping.template()
        && let Some(computed) = template.computed()
    {
        let problem = format!(
            "has {{{{{computed}}}}}, which stands for the value of a key that is called so: a template names values and computes nothing"
        );
        let path = key.iter().fold(place.clone(), |path, key| path.key(key));
        issues.push(Issue::warning(path, problem));
    }
}

/// Keys that the action does not read.
fn without_effect(mapping: &Mapping, place: &Path, issues: &mut Vec<Issue>) {
    let (action, unread): (_, &[(&str, bool)]) = match mapping.action {
        Action::Agent => ("agent", &[("textTemplate", mapping.text_template.is_some())]),
        Action::Wake => (
            "wake",
            &[
                ("messageTemplate", mapping.message_template.is_some()),
                ("channel", mapping.channel.is_some()),
                ("to", mapping.to.is_some()),
                ("model", mapping.model.is_some()),
                ("thinking", mapping.thinking.is_some()),
                ("timeoutSeconds", mapping.timeout_seconds.is_some()),
            ],
        ),
    };
    for (key, _) in unread.iter().filter(|(_, is_there)| *is_there) {
        issues.push(Issue::warning(
            place.key(key),
            format!("has no effect with `action: \"{action}\"`"),
        ));
    }
}

/// Whether the first takes every request that the second fits.
fn covers(first: &Mapping, second: &Mapping) -> bool {
    let source = |mapping: &Mapping| {
        let source = mapping.fits.source.as_deref().map(str::trim);
        source.filter(|source| !source.is_empty()).map(str::to_owned)
    };
    // What is signed, and with what, decides between two that are.
    let same_proof = first.signature.is_none() && second.signature.is_none();
    same_proof
        && first.wrong().is_empty()
        && (first.path().is_none() || first.path() == second.path())
        && (source(first).is_none() || source(first) == source(second))
}

/// What is a template is refused as one.
fn is_literal(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains("{{")
}

/// Why no event can be for a session.
fn session_problem(document: &Document, written: &Value, key: &str) -> Option<String> {
    let agent = agent_of(key);
    let rest = match &agent {
        Some(_) => key.splitn(3, ':').nth(2).unwrap_or_default(),
        None => key,
    };
    let rest = rest.trim().to_lowercase();
    if let Some(name) = RESERVED.iter().find(|name| rest.starts_with(**name)) {
        return Some(format!(
            "begins with {name}, a name that the gateway gives to its own work"
        ));
    }
    agent.and_then(|agent| no_agent(document, written, &agent))
}

/// The agent that a whole key names, `agent:<agent>:<name>`.
fn agent_of(key: &str) -> Option<String> {
    let mut parts = key.trim().splitn(3, ':');
    let (head, agent, _rest) = (parts.next()?, parts.next()?, parts.next()?);
    head.eq_ignore_ascii_case("agent")
        .then(|| normal_id(agent))
        .flatten()
}

/// Who answers where nobody is named. `None`: nobody does.
fn default_agent(document: &Document) -> Option<String> {
    let agents = &document.agents;
    let listed = agents.list.iter().map(|listed| (&listed.id, &listed.agent));
    let chosen = agents
        .entries
        .iter()
        .chain(listed)
        .find(|(_, entry)| entry.default == Some(true));
    let known = known_agents(document);
    match (chosen, known.as_slice()) {
        (Some((id, _)), _) => normal_id(id),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

fn may_be_asked(document: &Document, agent: &str) -> bool {
    match &document.hooks.allowed_agent_ids {
        None => true,
        Some(listed) => listed
            .iter()
            .any(|id| id.trim() == "*" || normal_id(id).as_deref() == Some(agent)),
    }
}

#[cfg(test)]
mod tests;
