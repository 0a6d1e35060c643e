//! What the schema cannot say: rules between keys, and forms of texts.

mod channels;
pub(crate) mod door;
mod heartbeats;
mod hooks;
mod plugins;
mod sharing;

use std::net::IpAddr;

use serde_json::Value;
use url::Url;

use gatehouse_document::{
    Channels, Document, SecretInput,
    agents::{AGENT_BYTES_MAX, ModelChoice, normal_id},
    gateway::{Bind, network},
};

use crate::{
    exposure,
    issue::Issue,
    path::Path,
    strength::{TOKEN_CHARS_MIN, weakness},
};

/// The provider that is built in.
const ECHO: &str = "echo";

/// Every rule that the document breaks. `written` is the whole of what stands in the file, entries that are left out included.
pub(crate) fn check(document: &Document, written: &Value) -> Vec<Issue> {
    let mut issues = Vec::new();
    gateway(document, &mut issues);
    agents(document, &mut issues);
    heartbeats::check(document, &mut issues);
    if let Err(problem) = document.session.maintenance.prune_after_ms() {
        issues.push(Issue::error("session.maintenance.pruneAfter", problem));
    }
    if let Err(problem) = document.session.maintenance.disk_bytes_max() {
        issues.push(Issue::error("session.maintenance.maxDiskBytes", problem));
    }
    hooks::check(document, &mut issues);
    models(document, written, &mut issues);
    channels::check(document, &mut issues);
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

fn agents(document: &Document, issues: &mut Vec<Issue>) {
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
        let wanted = normal_id(&binding.agent_id).unwrap_or_default();
        let exists = if known.is_empty() {
            wanted == "main"
        } else {
            known.contains(&wanted)
        };
        if !exists {
            let list = if known.is_empty() {
                "main".to_owned()
            } else {
                known.join(", ")
            };
            issues.push(Issue::warning(
                format!("bindings[{index}].agentId"),
                format!(
                    "there is no agent {:?}: nobody answers what this rule matches; there is: {list}",
                    binding.agent_id
                ),
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

fn models(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
    for (id, provider) in &document.models.providers {
        let place = Path::of(["models", "providers", id]);
        let path = place.key("baseUrl");
        if id.trim().is_empty() || id.contains('/') {
            let problem = "cannot be asked for by its name, as models are named `provider/model`: give it a name without a slash, and use \
                           that where its models are chosen";
            issues.push(Issue::error(&place, problem));
        }
        match &provider.base_url {
            None if id != ECHO => issues.push(Issue::error(path, "is required: where the provider's API is")),
            None => {}
            Some(url)
                if !Url::parse(url)
                    .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) =>
            {
                let hint = if url.contains("${") {
                    "; a variable is followed only where a secret belongs"
                } else if !url.contains("://") {
                    "; it begins with its scheme, `http://` or `https://`"
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
        let of_models = provider.models.iter().enumerate();
        let of_models = of_models.map(|(index, model)| (place.key("models").index(index), &model.headers));
        for (holder, headers) in std::iter::once((place.clone(), &provider.headers)).chain(of_models) {
            if let Some((name, _)) = headers.iter().find(|(name, _)| !is_header(name)) {
                let path = holder.key("headers").key(name);
                issues.push(Issue::error(path, "is not the name of an HTTP header"));
            }
        }
    }
    for (path, choice) in chosen_models(document) {
        for model in choice.primary.iter().chain(&choice.fallbacks) {
            if let Some(problem) = model_problem(document, written, model) {
                issues.push(Issue::warning(&path, problem));
            }
        }
    }
}

/// Every choice of a model, each with its place.
fn chosen_models(document: &Document) -> Vec<(Path, &ModelChoice)> {
    let agents = &document.agents;
    let defaults = (Path::of(["agents", "defaults", "model"]), &agents.defaults.model);
    let entries = agents.entries.iter().map(|(id, agent)| {
        let path = Path::of(["agents", "entries", id, "model"]);
        (path, &agent.model)
    });
    let list = agents.list.iter().enumerate().map(|(index, listed)| {
        let path = Path::of(["agents", "list"]).index(index).key("model");
        (path, &listed.agent.model)
    });
    std::iter::once(defaults)
        .chain(entries)
        .chain(list)
        .filter_map(|(path, model)| Some((path, model.as_ref()?)))
        .collect()
}

/// Whether some agent asks this provider, first or after others.
pub(crate) fn is_asked(document: &Document, provider: &str) -> bool {
    chosen_models(document)
        .into_iter()
        .flat_map(|(_, choice)| choice.primary.iter().chain(&choice.fallbacks))
        .any(|model| provider_of(document.agents.defaults.full_name(model)) == provider)
}

fn provider_of(model: &str) -> &str {
    model.split_once('/').map_or(model, |(provider, _)| provider)
}

/// Why nobody would be asked for a model. In a document that is a warning: the agent then says so in its answer, and everything else
/// works. Who chooses one by a method is refused.
pub(crate) fn model_problem(document: &Document, written: &Value, model: &str) -> Option<String> {
    let model = document.agents.defaults.full_name(model);
    let providers = &document.models.providers;
    if model == ECHO {
        return None;
    }
    let known: Vec<&str> = providers.keys().map(String::as_str).collect();
    let have = if known.is_empty() {
        "you have no provider yet: add one under `models.providers`".to_owned()
    } else {
        format!("you have: {}", known.join(", "))
    };
    match model.split_once('/') {
        Some((provider, _)) if is_left_out(document, written, provider) => {
            let place = Path::of(["models", "providers", provider]);
            Some(format!("{model:?} is not asked: {place} is left out"))
        }
        Some((provider, id)) if !provider.is_empty() && !id.is_empty() => {
            (provider != ECHO && !providers.contains_key(provider)).then(|| {
                format!(
                    "{model:?} needs an entry `models.providers.{provider}` or, if it is a model of another provider, the name \
                     <provider>/{model}; {have}"
                )
            })
        }
        None if providers.contains_key(model) => Some(format!(
            "{model:?} is a provider and no model: write {model}/<model>"
        )),
        Some(_) | None => Some(format!(
            "{model:?} names no provider: write <provider>/{}; {have}",
            model.trim_matches('/')
        )),
    }
}

/// Whether a provider stands in the file and is not among those that can be used.
fn is_left_out(document: &Document, written: &Value, provider: &str) -> bool {
    let place = Path::of(["models", "providers", provider]);
    !document.models.providers.contains_key(provider) && place.get(written).is_some()
}

pub(crate) fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
