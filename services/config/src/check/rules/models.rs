//! Where models are, and whether those that are named can be asked.

use gatehouse_document::{Document, agents::ModelChoice};
use serde_json::Value;
use url::Url;

use crate::{issue::Issue, path::Path};

/// The provider that is built in.
const ECHO: &str = "echo";

pub(super) fn check(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
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
            if let Some((name, _)) = headers.iter().find(|(name, _)| !super::is_header(name)) {
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
    for (path, model) in named_models(document) {
        if let Some(problem) = model_problem(document, written, &model) {
            issues.push(Issue::warning(path, problem));
        }
    }
}

/// The models that are named for one kind of work, each with its place. Those of hooks are among their mappings.
fn named_models(document: &Document) -> Vec<(Path, String)> {
    let agents = &document.agents;
    let defaults = (
        Path::of(["agents", "defaults"]),
        agents.defaults.heartbeat.as_ref(),
    );
    let entries = agents.entries.iter().map(|(id, agent)| {
        let path = Path::of(["agents", "entries", id]);
        (path, agent.heartbeat.as_ref())
    });
    let list = agents.list.iter().enumerate().map(|(index, listed)| {
        let path = Path::of(["agents", "list"]).index(index);
        (path, listed.agent.heartbeat.as_ref())
    });
    let beats = std::iter::once(defaults).chain(entries).chain(list);
    let beats = beats.filter_map(|(path, heartbeat)| {
        let model = heartbeat?.model.clone()?;
        Some((path.key("heartbeat").key("model"), model))
    });
    let vectors = document.gateway.http.endpoints.embeddings.model.clone();
    let vectors = vectors.map(|model| {
        let path = Path::of(["gateway", "http", "endpoints", "embeddings", "model"]);
        (path, model)
    });
    let audio = document.tools.media.audio.models.iter().enumerate();
    let audio = audio.map(|(index, one)| {
        let path = Path::of(["tools", "media", "audio", "models"]).index(index);
        (path, format!("{}/{}", one.provider.trim(), one.model.trim()))
    });
    beats.chain(vectors).chain(audio).collect()
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
