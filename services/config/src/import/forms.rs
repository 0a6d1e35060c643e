//! Forms of OpenClaw that mean something here when they are written in another way.

use serde_json::{Map, Value};
use url::Url;

use super::notes::{Fate, Notes};
use crate::{
    path::{Path, Step, children},
    redact,
    secrets::variables as named,
};

/// Where OpenAI's chat completions are on a server of Ollama's.
const OLLAMA_PATH: &str = "/v1";

/// OpenClaw follows `${NAME}` everywhere, Gatehouse where a secret belongs. Elsewhere the value is written, where it is known.
pub(super) fn variables(value: &mut Value, env: &dyn Fn(&str) -> Option<String>, notes: &mut Notes) {
    let mut found = Vec::new();
    collect(value, &Path::default(), &mut found);
    for place in found {
        let Some(text) = place.get(value).and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        let names: Vec<String> = named(&text).into_iter().map(str::to_owned).collect();
        let mut meant = text.clone();
        for name in &names {
            if let Some(value) = env(name) {
                meant = meant.replace(&format!("${{{name}}}"), &value);
            }
        }
        if named(&meant).is_empty() && !names.is_empty() {
            put(value, &place, Value::from(meant));
            let told = format!("the value that {} has here is written out", names.join(", "));
            notes.add(&place, Fate::Moved, told);
        } else {
            let told = format!(
                "a variable is followed only where a secret belongs: write the value of {} itself",
                names.join(", ")
            );
            notes.add(&place, Fate::Decision, told);
        }
    }
}

/// The places of texts that name variables and are no secrets.
fn collect(value: &Value, place: &Path, found: &mut Vec<Path>) {
    let is_named = value.as_str().is_some_and(|text| !named(text).is_empty());
    if is_named && !redact::is_secret_place(place) {
        found.push(place.clone());
    }
    for (step, child) in children(value) {
        collect(child, &place.with(step), found);
    }
}

/// Providers whose address OpenClaw knows by their name, and servers of Ollama, which speak what Gatehouse speaks as well.
pub(super) fn providers(value: &mut Value, addresses: &[(&str, &str)], notes: &mut Notes) {
    let Some(providers) = value
        .pointer_mut("/models/providers")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for (id, provider) in providers {
        let place = Path::of(["models", "providers", id]);
        let Some(provider) = provider.as_object_mut() else {
            continue;
        };
        if provider.get("api").and_then(Value::as_str) == Some("ollama") {
            provider.shift_remove("api");
            let told = "Ollama speaks OpenAI's chat completions as well: it is asked by them, under /v1";
            notes.add(&place.key("api"), Fate::Moved, told);
            if let Some(url) = provider.get("baseUrl").and_then(Value::as_str).and_then(under_v1) {
                provider.insert("baseUrl".to_owned(), Value::from(url));
                notes.add(&place.key("baseUrl"), Fate::Moved, "ends in /v1 now");
            }
        }
        let known = addresses.iter().find(|(known, _)| known == id);
        if let Some((_, address)) = known.filter(|_| !provider.contains_key("baseUrl")) {
            provider.insert("baseUrl".to_owned(), Value::from(*address));
            let told = format!("is written out, as OpenClaw knows it by the name alone: {address}");
            notes.add(&place.key("baseUrl"), Fate::Moved, told);
        }
    }
}

/// The same server with the path of its chat completions. `None`: it has one.
fn under_v1(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    matches!(parsed.path(), "" | "/").then(|| format!("{}{OLLAMA_PATH}", url.trim_end_matches('/')))
}

/// `agents.list[]`, the older form, becomes `agents.entries`.
pub(super) fn agents(mut value: Value, notes: &mut Notes) -> Value {
    let Some(agents) = value.get_mut("agents").and_then(Value::as_object_mut) else {
        return value;
    };
    let Some(Value::Array(list)) = agents.shift_remove("list") else {
        return value;
    };
    let entries = agents
        .entry("entries")
        .or_insert_with(|| Value::Object(Map::new()));
    for (index, item) in list.into_iter().enumerate() {
        let place = Path::of(["agents", "list"]).index(index);
        let (Value::Object(mut agent), Some(entries)) = (item, entries.as_object_mut()) else {
            continue;
        };
        let Some(Value::String(id)) = agent.shift_remove("id") else {
            continue;
        };
        if entries.contains_key(&id) {
            notes.moved(
                &place,
                Fate::Decision,
                &format!("agents.entries has the agent {id} already, which counts"),
            );
            continue;
        }
        notes.moved(
            &place,
            Fate::Moved,
            &format!("stands under {}", Path::of(["agents", "entries", &id])),
        );
        entries.insert(id, Value::Object(agent));
    }
    value
}

fn put(value: &mut Value, place: &Path, new: Value) {
    let at = place.steps().iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    if let Some(at) = at {
        *at = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ollama_server_is_asked_under_v1_and_a_path_of_its_own_stays() {
        assert_eq!(
            under_v1("http://127.0.0.1:11434").as_deref(),
            Some("http://127.0.0.1:11434/v1")
        );
        assert_eq!(
            under_v1("http://127.0.0.1:11434/").as_deref(),
            Some("http://127.0.0.1:11434/v1")
        );
        assert_eq!(under_v1("http://h/ollama/v1"), None);
    }
}
