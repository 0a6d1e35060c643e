//! `gatehouse setup`: from nothing to a real answer. Finds what is on the machine, asks for a provider and a model, tries it with one
//! call, and only then writes: the key into a file of the home, the provider into the configuration.

pub(crate) mod ask;
mod find;
mod known;
mod place;
pub(crate) mod write;

use std::{fs, path::PathBuf, time::Duration};

use gatehouse_core::{Env, Secret};
use gatehouse_proto::agent::v1::TestModelResponse;
use serde_json::json;

use self::{ask::Picked, find::Candidate, write::Written};
use crate::{
    args::{Common, Setup},
    client::{self, Client},
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, printable},
};

/// A local server loads its model first.
const TRIAL: Duration = Duration::from_secs(120);

/// In the home, once a person did not want to be asked.
const DECLINED: &str = "setup.declined";

const ANSWER: Duration = Duration::from_secs(10);

/// So many models are named to somebody who named one that is not there.
const MODELS_SHOWN: usize = 8;

/// What another server is called in the configuration.
const CUSTOM: &str = "custom";

/// Where well-known providers are, by their name in the configuration.
pub(crate) fn addresses() -> impl Iterator<Item = (&'static str, &'static str)> {
    known::HOSTED.iter().map(|hosted| (hosted.id, hosted.base_url))
}

/// Sets a model up.
pub(crate) async fn run(common: &Common, setup: &Setup, style: Style) -> Result<(), Failed> {
    let asks = !setup.yes && !common.json && ask::is_possible();
    let env = Env::process();
    loop {
        let (mut candidate, model) = chosen(setup, &env, asks).await?;
        let place = place::of(
            &candidate,
            setup.provider.is_some(),
            &write::document(common).await?,
        );
        candidate.id = place.id;
        output::remark(&format!(
            "asking {} for one word ...",
            printable(&format!("{}/{model}", candidate.id))
        ));
        let tried = gatehouse_agent::try_model(&candidate.id, candidate.entry(), &model, TRIAL).await;
        let tried = tried.map_err(|failure| Failed::new(Exit::Failed, failure.message))?;
        if tried.ok {
            output::remark(&style.paint(Ink::Green, &format!("it answers, after {} ms", tried.latency_ms)));
        } else if !setup.force {
            if tried.status == "no_model" && candidate.models.is_empty() {
                let _ = candidate.list().await; // then none is named
            }
            let failed = did_not_answer(&candidate, &tried);
            if !asks {
                return Err(failed);
            }
            output::remark(&failed.text(style));
            if ask::agree("Nothing is written yet. Choose again?", true)? {
                continue;
            }
            return Err(Failed::new(Exit::Failed, "nothing was written")
                .next("`gatehouse setup` begins again; --force writes what does not answer"));
        }
        let key = candidate.key.as_ref().map(|(key, _)| key);
        let files: Vec<_> = key
            .map(|key| (format!("{}.key", candidate.id), key.clone()))
            .into_iter()
            .collect();
        let written = write::keep(common, &files, "gatehouse setup", |paths| {
            patch(&candidate, &model, paths.first())
        })
        .await?;
        if let Some(url) = place.instead_of {
            output::remark(&format!(
                "models.providers.{} was {} before; --provider NAME keeps both",
                candidate.id,
                printable(&url)
            ));
        }
        return tell(common, &candidate, &model, &tried, &written);
    }
}

/// Offers the set-up to a person who talks to the echo, once.
pub(crate) async fn offer(common: &Common, style: Style) -> Result<(), Failed> {
    if !ask::is_possible() || common.json || common.home.join(DECLINED).exists() || !only_echo(common).await {
        return Ok(());
    }
    output::remark("No model is set up yet: the echo only repeats what you say.");
    match ask::agree("Set one up now?", true) {
        Ok(true) => {
            let setup = Setup::default();
            // Whatever came of it was said; the chat begins all the same.
            if let Err(failed) = Box::pin(run(common, &setup, style)).await {
                output::remark(failed.text(style).trim_end());
            }
            Ok(())
        }
        Ok(false) => {
            let _ = gatehouse_core::private::create_new(&common.home.join(DECLINED), &[]); // then it is asked again
            output::remark("`gatehouse setup` does it later.");
            Ok(())
        }
        Err(failed) => Err(failed),
    }
}

/// Whether the gateway of this home runs and has no provider of models.
async fn only_echo(common: &Common) -> bool {
    let Ok((gateway, mut client)) = Client::follow(common, &["config.get"]).await else {
        return false;
    };
    let answer = client
        .call("config.get", &client::params(&json!({})), ANSWER)
        .await;
    client.close().await;
    let Ok(answer) = answer else { return false };
    let running: serde_json::Value = serde_json::from_str(answer.get()).unwrap_or_default();
    let providers = running
        .pointer("/config/models/providers")
        .and_then(serde_json::Value::as_object);
    gateway.is_own && providers.is_none_or(serde_json::Map::is_empty)
}

/// A provider with its key, and a model.
async fn chosen(setup: &Setup, env: &Env, asks: bool) -> Result<(Candidate, String), Failed> {
    let mut candidate = match named(setup, env)? {
        Some(candidate) => candidate,
        None => found(env, &setup.look_at, asks).await?,
    };
    if let Some(path) = &setup.api_key_file {
        let key = fs::read_to_string(path).map_err(|error| {
            Failed::new(
                Exit::Failed,
                format!("cannot read the key in {}: {error}", path.display()),
            )
        })?;
        let key = key.trim();
        if key.is_empty() || key.lines().count() > 1 {
            return Err(Failed::new(
                Exit::Usage,
                format!("{} holds no key: one line is wanted", path.display()),
            ));
        }
        candidate.key = Some((Secret::new(key), path.display().to_string()));
    }
    if candidate.wants_key && candidate.key.is_none() {
        if !asks {
            return Err(Failed::new(Exit::Usage, format!("{} wants a key", candidate.label))
                .next("give it with --api-key-file FILE, or in the environment under the name that its own tools use"));
        }
        let key = ask::secret(&format!("Key of {}", candidate.label))?;
        if !key.is_empty() {
            candidate.key = Some((Secret::new(key), "the terminal".to_owned()));
        }
    }
    if let Some(model) = &setup.model {
        // A list is not needed, only the path under which there is one.
        if candidate.has_no_path() {
            let _ = candidate.list_or_find().await;
        }
        // Also as it stands in the configuration.
        let model = model
            .strip_prefix(&format!("{}/", candidate.id))
            .unwrap_or(model)
            .to_owned();
        return Ok((candidate, model));
    }
    if candidate.models.is_empty()
        && let Err(why) = candidate.list_or_find().await
    {
        let failed = Failed::new(
            Exit::Failed,
            format!("{} does not say which models it has: {why}", candidate.label),
        );
        if candidate.unlisted.is_empty() && !asks {
            return Err(failed.next("name one with --model, or look at the address and the key"));
        }
        output::remark(&failed.text(Style::of(&std::io::stderr(), None)));
        if !candidate.unlisted.is_empty() {
            // It is tried before anything is written, like every other.
            output::remark(&format!(
                "{} is tried; --model names another one",
                candidate.unlisted
            ));
            candidate.models = vec![candidate.unlisted.to_owned()];
        }
    }
    let usual = candidate.usual_model().cloned();
    let model = match (asks, usual) {
        (false, Some(usual)) => usual,
        (false, None) => {
            return Err(Failed::new(Exit::Failed, format!("{} has no model", candidate.label))
                .next("load one there first, with Ollama for example `ollama pull llama3.2`; or name one with --model"));
        }
        (true, Some(usual)) => {
            let first = candidate
                .models
                .iter()
                .position(|model| *model == usual)
                .unwrap_or(0);
            match ask::pick("Which model? A number or a name:", &candidate.models, first, true)? {
                Picked::Listed(index) => candidate.models.get(index).cloned().unwrap_or(usual),
                Picked::Other(name) => name,
            }
        }
        (true, None) => {
            let name = ask::line("The name of the model", "")?;
            if name.is_empty() {
                return Err(Failed::new(Exit::Usage, "no model was named"));
            }
            name
        }
    };
    Ok((candidate, model))
}

/// The provider that the command line names.
fn named(setup: &Setup, env: &Env) -> Result<Option<Candidate>, Failed> {
    let known = || find::local(env, &[]).into_iter().chain(find::hosted(env));
    let id = setup.provider.as_deref();
    let found = id.and_then(|id| known().find(|candidate| candidate.id == id));
    let candidate = match (found, &setup.base_url, id) {
        (None, None, None) => return Ok(None),
        (None, None, Some(id)) => {
            let ids: Vec<_> = known().map(|candidate| candidate.id).collect();
            return Err(
                Failed::new(Exit::Usage, format!("the address of {id} is not known"))
                    .next(format!("name it with --base-url; known are {}", ids.join(", "))),
            );
        }
        (Some(known), None, _) => known,
        (found, Some(url), id) => {
            let id = id.unwrap_or(CUSTOM).to_owned();
            Candidate {
                label: id.clone(),
                id,
                base_url: address(url)?,
                wants_key: false,
                // A key of the environment goes where its own tools send it, and nowhere else.
                key: None,
                models: Vec::new(),
                usual: found.map_or("", |known| known.usual),
                unlisted: "", // what answers there is not known
            }
        }
    };
    if candidate.id.contains(['/', '.', '"']) || candidate.id.chars().any(char::is_whitespace) {
        return Err(Failed::new(
            Exit::Usage,
            format!(
                "{:?} is no name for a provider: letters, digits and - are",
                candidate.id
            ),
        ));
    }
    Ok(Some(candidate))
}

fn address(url: &str) -> Result<String, Failed> {
    let wrong = |why: &str| {
        Failed::new(
            Exit::Usage,
            format!("{url:?} is not an address of a provider: {why}"),
        )
        .next("it looks like http://127.0.0.1:11434/v1, up to and without /chat/completions")
    };
    // As people type it: a host is on this machine or in its network, where few speak TLS.
    let with_scheme;
    let url = if url.contains("://") || url.is_empty() {
        url
    } else {
        with_scheme = format!("http://{url}");
        &with_scheme
    };
    let parsed = url::Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    match parsed.scheme() {
        "http" | "https" if parsed.has_host() => Ok(url.trim_end_matches('/').to_owned()),
        scheme => Err(wrong(&format!("{scheme} is neither http nor https"))),
    }
}

/// What is on this machine, and what a person may have elsewhere.
async fn found(env: &Env, look_at: &[String], asks: bool) -> Result<Candidate, Failed> {
    let mut list = find::all(env, look_at).await;
    if !asks {
        return list.into_iter().next().ok_or_else(|| {
            Failed::new(Exit::Failed, "no model server answers on this machine, and no key is in the environment")
                .next("name one: --provider openai --api-key-file FILE, or --base-url http://HOST:PORT/v1 --model NAME; or start Ollama")
        });
    }
    let missing = find::hosted(env)
        .into_iter()
        .filter(|candidate| candidate.key.is_none());
    list.extend(missing);
    let mut lines: Vec<_> = list.iter().map(ToString::to_string).collect();
    lines.push("another server that speaks OpenAI's API".to_owned());
    let index = ask::choose("Who is to answer?", &lines, 0)?;
    if index < list.len() {
        return Ok(list.swap_remove(index));
    }
    let url = ask::line("Its address, for example http://nas.local:11434/v1", "")?;
    let mut candidate = Candidate {
        id: CUSTOM.to_owned(),
        label: CUSTOM.to_owned(),
        base_url: address(&url)?,
        wants_key: false,
        key: None,
        models: Vec::new(),
        usual: "",
        unlisted: "",
    };
    let key = ask::secret("Its key; empty when it wants none")?;
    candidate.key = Some(key)
        .filter(|key| !key.is_empty())
        .map(|key| (Secret::new(key), "the terminal".to_owned()));
    Ok(candidate)
}

/// Nothing of it stands in a configuration yet: what to do is said in words of this command.
fn did_not_answer(candidate: &Candidate, tried: &TestModelResponse) -> Failed {
    let why = tried.reason.as_deref().unwrap_or("it did not answer");
    let failed = Failed::new(
        Exit::Failed,
        format!("{}/{} does not answer: {why}", tried.provider, tried.model),
    );
    let failed = failed.about(tried.status.to_uppercase(), None);
    let others: Vec<_> = candidate
        .models
        .iter()
        .filter(|model| **model != tried.model)
        .take(MODELS_SHOWN)
        .map(|model| printable(model))
        .collect();
    let step = match tried.status.as_str() {
        "auth" => "give another key with --api-key-file FILE; ".to_owned(),
        "no_model" if !others.is_empty() => {
            format!("name another with --model: it has {}; ", others.join(", "))
        }
        _ => String::new(),
    };
    failed.next(format!("{step}nothing was written (--force writes all the same)"))
}

fn tell(
    common: &Common,
    candidate: &Candidate,
    model: &str,
    tried: &TestModelResponse,
    written: &Written,
) -> Result<(), Failed> {
    let next = match written.is_applied {
        true => "gatehouse chat",
        false => "gatehouse up -d, then gatehouse chat",
    };
    if common.json {
        let files: Vec<&PathBuf> = written.secrets.iter().chain([&written.document]).collect();
        return output::line(
            &json!({
                "ok": tried.ok, "provider": candidate.id, "model": model, "baseUrl": candidate.base_url, "latencyMs": tried.latency_ms,
                "home": common.home, "written": files, "next": next,
            })
            .to_string(),
        );
    }
    let mut text = format!(
        "{}/{model} answers from now on: written into {}\n",
        candidate.id,
        written.document.display()
    );
    if let Some(key) = written.secrets.first() {
        text += &format!("its key is in {}, for you alone\n", key.display());
    }
    text += &format!("next: {next}\n");
    output::text(&text)
}
/// What is merged into the document.
fn patch(chosen: &Candidate, model: &str, key: Option<&PathBuf>) -> serde_json::Value {
    let api_key = key.map_or(
        serde_json::Value::Null,
        |path| json!({"source": "file", "path": path}),
    );
    json!({
        "models": {"providers": {&chosen.id: {"baseUrl": chosen.base_url, "apiKey": api_key}}},
        "agents": {"defaults": {"model": {"primary": format!("{}/{model}", chosen.id)}}},
    })
}
