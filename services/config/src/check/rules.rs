//! What the schema cannot say: rules between keys, and forms of texts.

mod channels;
pub(crate) mod door;
mod heartbeats;
mod hooks;
mod models;
mod plugins;
mod rooms;
mod sharing;

use std::net::IpAddr;

use serde_json::{Map, Value};
use url::Url;

use gatehouse_document::{
    Channels, Document, SecretInput,
    agents::{AGENT_BYTES_MAX, normal_id},
    gateway::{Bind, network},
};

pub(crate) use self::models::{is_asked, model_problem};
use crate::{
    exposure,
    issue::Issue,
    path::Path,
    strength::{TOKEN_CHARS_MIN, weakness},
};

/// Every rule that the document breaks. `written` is the whole of what stands in the file, entries that are left out included.
pub(crate) fn check(document: &Document, written: &Value) -> Vec<Issue> {
    let mut issues = Vec::new();
    gateway(document, &mut issues);
    agents(document, written, &mut issues);
    heartbeats::check(document, &mut issues);
    if let Err(problem) = document.session.maintenance.prune_after_ms() {
        issues.push(Issue::error("session.maintenance.pruneAfter", problem));
    }
    if let Err(problem) = document.session.maintenance.disk_bytes_max() {
        issues.push(Issue::error("session.maintenance.maxDiskBytes", problem));
    }
    hooks::check(document, written, &mut issues);
    models::check(document, written, &mut issues);
    channels::check(document, &mut issues);
    rooms::check(document, &mut issues);
    plugins::check(document, &mut issues);
    issues.extend(sharing::check(document, written));
    let exposed = exposure::of(document)
        .into_iter()
        .filter(|one| one.is_warned_about);
    issues.extend(exposed.map(|one| one.issue));
    issues
}

fn gateway(document: &Document, issues: &mut Vec<Issue>) {
    let gateway = &document.gateway;
    door::check(gateway, issues);
    match (&gateway.bind, gateway.custom_bind_host.as_deref()) {
        (Bind::Custom, None) => {
            issues.push(Issue::error(
                "gateway.customBindHost",
                "is required with `bind: \"custom\"`: an IP address",
            ));
        }
        (_, Some(host)) if host.parse::<IpAddr>().is_err() => {
            issues.push(Issue::error(
                "gateway.customBindHost",
                "must be an IP address, for example \"192.168.1.10\"",
            ));
        }
        (Bind::Loopback | Bind::Auto | Bind::Lan | Bind::Tailnet | Bind::Address(_), Some(_)) => {
            issues.push(Issue::warning(
                "gateway.customBindHost",
                "has no effect without `bind: \"custom\"`",
            ));
        }
        _ => {}
    }
    if let Some(SecretInput::Text(token)) = &gateway.auth.token {
        let path = "gateway.auth.token";
        if token.trim().is_empty() {
            issues.push(Issue::error(
                path,
                "must not be empty; remove the key to let Gatehouse make a token",
            ));
        } else if let Some(why) = weakness(token) {
            issues.push(Issue::error(
                path,
                format!(
                    "can be guessed: it {why}; use {TOKEN_CHARS_MIN} random characters or more, for example of `openssl \
                     rand -hex 24`, or remove the key to let Gatehouse make a token"
                ),
            ));
        }
    }
    if let Some(origin) = &gateway.public_origin
        && !is_origin(origin)
    {
        issues.push(Issue::error(
            "gateway.publicOrigin",
            "must be an origin, for example \"https://home.example.org\"",
        ));
    }
    for (index, origin) in gateway.control_ui.allowed_origins.iter().enumerate() {
        let path = format!("gateway.controlUi.allowedOrigins[{index}]");
        if origin != "*" && !is_origin(origin) {
            issues.push(Issue::error(
                path,
                "must be an origin, for example \"https://ui.example.org\"",
            ));
        }
    }
    if let Some(base) = &gateway.control_ui.base_path
        && !is_base_path(base)
    {
        issues.push(Issue::error(
            "gateway.controlUi.basePath",
            "must be a path, for example \"/claw\": letters, digits, dots, dashes and underscores between slashes",
        ));
    }
    for (index, range) in gateway.nodes.pairing.auto_approve_cidrs.iter().enumerate() {
        if network(range).is_none() {
            issues.push(Issue::error(
                format!("gateway.nodes.pairing.autoApproveCidrs[{index}]"),
                "must be an IP address or a range, for example \"192.168.1.0/24\"",
            ));
        }
    }
    for (index, proxy) in gateway.trusted_proxies.iter().enumerate() {
        if network(proxy).is_none() {
            issues.push(Issue::error(
                format!("gateway.trustedProxies[{index}]"),
                "must be an IP address or a range, for example \"172.16.0.0/12\"",
            ));
        }
    }
}

/// Below the root, `/`, there may be a path of plain words.
fn is_base_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_word = |word: &str| !word.is_empty() && !word.starts_with('.') && word.bytes().all(plain);
    let path = text.strip_suffix('/').unwrap_or(text);
    path.is_empty()
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(is_word))
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

fn agents(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
    let agents = &document.agents;
    let entries = agents
        .entries
        .keys()
        .map(|id| (Path::of(["agents", "entries", id]), id));
    let list = agents.list.iter().enumerate();
    let list = list.map(|(index, listed)| (Path::of(["agents", "list"]).index(index), &listed.id));
    let mut known: Vec<String> = Vec::new();
    for (place, id) in entries.chain(list) {
        match normal_id(id) {
            None => {
                let problem = format!(
                    "cannot be an agent's id: it needs a letter or a digit, and {AGENT_BYTES_MAX} of them are the most"
                );
                issues.push(Issue::error(place, problem));
            }
            Some(id) if known.contains(&id) => {
                let problem = format!("has the id {id} of an agent above, which is the one that counts");
                issues.push(Issue::warning(place, problem));
            }
            Some(id) => known.push(id),
        }
    }
    let defaults = agents
        .entries
        .values()
        .chain(agents.list.iter().map(|listed| &listed.agent));
    if defaults.filter(|agent| agent.default == Some(true)).count() > 1 {
        let problem =
            "only one agent can have `default: true`; the first of them answers when nothing chose one";
        issues.push(Issue::warning("agents", problem));
    }
    for (index, binding) in document.bindings.iter().enumerate() {
        if let Some(problem) = no_agent(document, written, &binding.agent_id) {
            issues.push(Issue::warning(
                format!("bindings[{index}].agentId"),
                format!("{problem}; nobody answers what this rule matches"),
            ));
        }
        let channel = binding.when.channel.as_str();
        let is_brought = document.plugins.channels().any(|(kind, _)| kind == channel);
        if !is_brought && !Channels::KNOWN.contains(&channel) {
            issues.push(Issue::warning(
                format!("bindings[{index}].match.channel"),
                format!("Gatehouse has no channel {channel:?} yet; this rule matches nothing"),
            ));
        }
    }
}

/// The agents that answer, each once. Never empty: without any there is one.
pub(crate) fn known_agents(document: &Document) -> Vec<String> {
    let entries = document.agents.entries.keys();
    let listed = document.agents.list.iter().map(|listed| &listed.id);
    let mut known: Vec<String> = Vec::new();
    for id in entries.chain(listed).filter_map(|id| normal_id(id)) {
        if !known.contains(&id) {
            known.push(id);
        }
    }
    if known.is_empty() {
        known.push("main".to_owned());
    }
    known
}

/// Why an agent cannot be asked.
fn no_agent(document: &Document, written: &Value, id: &str) -> Option<String> {
    let known = known_agents(document);
    let wanted = normal_id(id);
    if wanted.as_ref().is_some_and(|wanted| known.contains(wanted)) {
        return None;
    }
    let is_it = |other: &str| wanted.is_some() && normal_id(other) == wanted;
    let entries = written.pointer("/agents/entries").and_then(Value::as_object);
    let listed = written.pointer("/agents/list").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(|one| one["id"].as_str());
    let mut written = entries
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .chain(listed);
    Some(if written.any(is_it) {
        format!("the agent {id:?} is left out: mend its entry under `agents`")
    } else {
        format!("there is no agent {id:?}; there is: {}", known.join(", "))
    })
}

pub(crate) fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
