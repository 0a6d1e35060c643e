//! What the schema cannot say: rules between keys, and forms of texts.

mod channels;

use std::net::IpAddr;

use url::Url;

use gatehouse_document::{
    Channels, Document, SecretInput,
    gateway::{Bind, network},
};

use crate::{
    exposure,
    issue::Issue,
    strength::{TOKEN_CHARS_MIN, weakness},
};

/// The provider that is built in.
const ECHO: &str = "echo";

/// Every rule that the document breaks.
pub(crate) fn check(document: &Document) -> Vec<Issue> {
    let mut issues = Vec::new();
    gateway(document, &mut issues);
    agents(document, &mut issues);
    models(document, &mut issues);
    channels::check(document, &mut issues);
    let exposed = exposure::of(document)
        .into_iter()
        .filter(|one| one.is_warned_about);
    issues.extend(exposed.map(|one| one.issue));
    issues
}

fn gateway(document: &Document, issues: &mut Vec<Issue>) {
    let gateway = &document.gateway;
    match (gateway.bind, gateway.custom_bind_host.as_deref()) {
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
        (Bind::Loopback | Bind::Auto | Bind::Lan, Some(_)) => {
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
    for (index, proxy) in gateway.trusted_proxies.iter().enumerate() {
        if network(proxy).is_none() {
            issues.push(Issue::error(
                format!("gateway.trustedProxies[{index}]"),
                "must be an IP address or a range, for example \"172.16.0.0/12\"",
            ));
        }
    }
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

fn agents(document: &Document, issues: &mut Vec<Issue>) {
    let agents = &document.agents;
    let known: Vec<&str> = agents
        .entries
        .keys()
        .map(String::as_str)
        .chain(agents.list.iter().map(|listed| listed.id.as_str()))
        .collect();
    let defaults = agents
        .entries
        .values()
        .chain(agents.list.iter().map(|listed| &listed.agent));
    if defaults.filter(|agent| agent.default == Some(true)).count() > 1 {
        issues.push(Issue::error("agents", "only one agent can have `default: true`"));
    }
    for (index, binding) in document.bindings.iter().enumerate() {
        let exists = if known.is_empty() {
            binding.agent_id == "main"
        } else {
            known.contains(&binding.agent_id.as_str())
        };
        if !exists {
            let list = if known.is_empty() {
                "main".to_owned()
            } else {
                known.join(", ")
            };
            issues.push(Issue::error(
                format!("bindings[{index}].agentId"),
                format!("there is no agent {:?}; there is: {list}", binding.agent_id),
            ));
        }
        if !Channels::KNOWN.contains(&binding.when.channel.as_str()) {
            issues.push(Issue::warning(
                format!("bindings[{index}].match.channel"),
                format!(
                    "Gatehouse has no channel {:?} yet; this rule matches nothing",
                    binding.when.channel
                ),
            ));
        }
    }
}

fn models(document: &Document, issues: &mut Vec<Issue>) {
    for (id, provider) in &document.models.providers {
        let path = format!("models.providers.{id}.baseUrl");
        match &provider.base_url {
            None if id != ECHO => issues.push(Issue::error(path, "is required: where the provider's API is")),
            None => {}
            Some(url)
                if !Url::parse(url)
                    .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) =>
            {
                let hint = if url.contains("${") {
                    "; a variable is followed only where a secret belongs"
                } else {
                    ""
                };
                issues.push(Issue::error(
                    path,
                    format!("must be an address, for example \"http://127.0.0.1:11434/v1\"{hint}"),
                ));
            }
            Some(_) => {}
        }
        if let Some((name, _)) = provider.headers.iter().find(|(name, _)| !is_header(name)) {
            let path = format!("models.providers.{id}.headers.{name}");
            issues.push(Issue::error(path, "is not the name of an HTTP header"));
        }
    }
    let agents = &document.agents;
    let mut chosen = Vec::new();
    chosen.extend(
        agents
            .defaults
            .model
            .as_ref()
            .map(|model| ("agents.defaults.model".to_owned(), model)),
    );
    for (id, agent) in &agents.entries {
        chosen.extend(
            agent
                .model
                .as_ref()
                .map(|model| (format!("agents.entries.{id}.model"), model)),
        );
    }
    for (index, listed) in agents.list.iter().enumerate() {
        chosen.extend(
            listed
                .agent
                .model
                .as_ref()
                .map(|model| (format!("agents.list[{index}].model"), model)),
        );
    }
    for (path, choice) in chosen {
        for model in choice.primary.iter().chain(&choice.fallbacks) {
            if let Some(problem) = model_problem(document, model) {
                issues.push(Issue::warning(&path, problem));
            }
        }
    }
}

/// A model that is not there is a warning: the agent then says so in its answer, and everything else works.
fn model_problem(document: &Document, model: &str) -> Option<String> {
    let provider = model.split_once('/').map_or(model, |(provider, _)| provider);
    if provider == ECHO || document.models.providers.contains_key(provider) {
        return None;
    }
    let known: Vec<&str> = document
        .models
        .providers
        .keys()
        .map(String::as_str)
        .chain(std::iter::once(ECHO))
        .collect();
    Some(format!(
        "{model:?} needs an entry `models.providers.{provider}`, which is not there; there is: {}",
        known.join(", ")
    ))
}

fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
