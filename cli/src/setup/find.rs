//! What there is to answer with: model servers on this machine, which are asked, and keys in the environment, which are not sent anywhere.

use std::{fmt, time::Duration};

use futures::future::join_all;
use gatehouse_core::{Env, Secret};
use gatehouse_document::{SecretInput, models::Provider};
use tokio::time::timeout;

use super::known::{HOSTED, LOCAL};

/// A server on this machine that is there answers within milliseconds; nobody waits for one that is not.
const LOCAL_ANSWER: Duration = Duration::from_millis(1_500);

/// A service on the network lists its models.
const LIST_ANSWER: Duration = Duration::from_secs(15);

/// Where an address of another server than the usual one stands, by what the server's own tools read.
const OLLAMA_HOST: &str = "OLLAMA_HOST";

/// A provider that may be chosen.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its name in the configuration.
    pub(super) id: String,
    /// Its name for people.
    pub(super) label: String,
    /// Its address.
    pub(super) base_url: String,
    /// Whether it wants a key.
    pub(super) wants_key: bool,
    /// The key, and where it was found.
    pub(super) key: Option<(Secret, String)>,
    /// What it says it has. Empty: not asked yet, or nothing.
    pub(super) models: Vec<String>,
    /// How the id of a usual model begins.
    pub(super) usual: &'static str,
    /// The model to begin with where the list cannot be had. Blank: none is known.
    pub(super) unlisted: &'static str,
}

impl Candidate {
    /// The entry in the configuration as the agent service is sent it.
    pub(super) fn entry(&self) -> Provider {
        Provider {
            base_url: Some(self.base_url.clone()),
            api_key: self
                .key
                .as_ref()
                .map(|(key, _)| SecretInput::Text(key.expose().to_owned())),
            ..Provider::default()
        }
    }

    /// The models that it has, asked now.
    pub(super) async fn list(&mut self) -> Result<(), String> {
        let asked = timeout(
            LIST_ANSWER,
            gatehouse_agent::offered_models(&self.id, self.entry()),
        )
        .await;
        match asked {
            Ok(Ok(offered)) => self.models = offered.into_iter().map(|model| model.id).collect(),
            Ok(Err(why)) => return Err(why.message),
            Err(_) => return Err(format!("no list of models within {} s", LIST_ANSWER.as_secs())),
        }
        self.models.sort();
        Ok(())
    }

    /// Whether its address is that of a host alone.
    pub(super) fn has_no_path(&self) -> bool {
        url::Url::parse(&self.base_url).is_ok_and(|url| url.path() == "/" && url.query().is_none())
    }

    /// The models that it has. Where the address is that of a host alone and has no list, it is looked for where most servers have theirs,
    /// and that address is kept.
    pub(super) async fn list_or_find(&mut self) -> Result<(), String> {
        let Err(why) = self.list().await else {
            return Ok(());
        };
        if self.has_no_path() {
            let mut below = self.clone();
            below.base_url = format!("{}/v1", self.base_url.trim_end_matches('/'));
            if below.list().await.is_ok() {
                *self = below;
                return Ok(());
            }
        }
        Err(why)
    }

    /// The model to begin with, of those that it has.
    pub(super) fn usual_model(&self) -> Option<&String> {
        let usual = self
            .models
            .iter()
            .find(|model| !self.usual.is_empty() && model.contains(self.usual));
        // An embedding model answers nothing.
        let talks = |model: &&String| {
            !["embed", "rerank", "whisper", "tts"]
                .iter()
                .any(|word| model.contains(word))
        };
        usual
            .or_else(|| self.models.iter().find(talks))
            .or_else(|| self.models.first())
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, base_url, .. } = self;
        match (&self.key, self.wants_key) {
            (Some((_, place)), _) => write!(f, "{label} (key in {place})"),
            (None, true) => write!(f, "{label} (needs a key)"),
            (None, false) => match self.models.len() {
                0 => write!(f, "{label} at {base_url}, which has no model yet"),
                1 => write!(f, "{label} at {base_url}, 1 model"),
                count => write!(f, "{label} at {base_url}, {count} models"),
            },
        }
    }
}

/// Whatever is here, the best first: servers with models, keys, servers without.
pub(super) async fn all(env: &Env, look_at: &[String]) -> Vec<Candidate> {
    let asked = join_all(local(env, look_at).into_iter().map(|mut candidate| async {
        match timeout(LOCAL_ANSWER, candidate.list()).await {
            Ok(Ok(())) => Some(candidate),
            Ok(Err(_)) | Err(_) => None,
        }
    }));
    let (with, without): (Vec<_>, Vec<_>) = asked
        .await
        .into_iter()
        .flatten()
        .partition(|candidate| !candidate.models.is_empty());
    let keys = hosted(env)
        .into_iter()
        .filter(|candidate| candidate.key.is_some());
    with.into_iter().chain(keys).chain(without).collect()
}

/// Every service that is known, with its key where the environment has one.
pub(super) fn hosted(env: &Env) -> Vec<Candidate> {
    let one = |known: &super::known::Hosted| {
        let key = known.keys.iter().find_map(|name| {
            let value = env.get(name).map(str::trim).filter(|value| !value.is_empty())?;
            Some((Secret::new(value), format!("${name}")))
        });
        Candidate {
            id: known.id.to_owned(),
            label: known.label.to_owned(),
            base_url: known.base_url.to_owned(),
            wants_key: true,
            key,
            models: Vec::new(),
            usual: known.usual,
            unlisted: known.model,
        }
    };
    HOSTED.iter().map(one).collect()
}

/// Every program on this machine that is known, whether it runs or not; others instead, where somebody names them.
pub(super) fn local(env: &Env, look_at: &[String]) -> Vec<Candidate> {
    let candidate = |id: &str, label: &str, base_url: &str| Candidate {
        id: id.to_owned(),
        label: label.to_owned(),
        base_url: base_url.to_owned(),
        wants_key: false,
        key: None,
        models: Vec::new(),
        usual: "",
        unlisted: "",
    };
    if !look_at.is_empty() {
        return look_at
            .iter()
            .map(|url| candidate("local", "a server", url))
            .collect();
    }
    let ollama = env.get(OLLAMA_HOST).and_then(ollama_url);
    let one = |known: &super::known::Local| {
        let moved = ollama.as_deref().filter(|_| known.id == "ollama");
        candidate(known.id, known.label, moved.unwrap_or(known.base_url))
    };
    LOCAL.iter().map(one).collect()
}

/// What Ollama's own variable means: a host, a port, or both, or a URL.
fn ollama_url(host: &str) -> Option<String> {
    let host = host.trim().trim_end_matches('/');
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, port),
        _ => (rest, "11434"),
    };
    // It listens everywhere, which is no address to connect to.
    let name = if name.is_empty() || name == "0.0.0.0" {
        "127.0.0.1"
    } else {
        name
    };
    let url = format!("{scheme}://{name}:{port}/v1");
    url::Url::parse(&url).ok().map(|_| url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_that_is_known_has_a_model_to_begin_with_although_its_list_cannot_be_had() {
        for service in hosted(&Env::of([("HOME", "/home/anna")])) {
            assert!(service.unlisted.starts_with(service.usual), "{}", service.id);
        }
    }

    #[test]
    fn a_key_in_the_environment_is_found_under_the_names_that_other_tools_use() {
        let env = Env::of([
            ("GOOGLE_API_KEY", "g-key"),
            ("OPENAI_API_KEY", " "),
            ("GROQ_API_KEY", "q-key\n"),
        ]);

        let with_key: Vec<_> = hosted(&env)
            .into_iter()
            .filter(|candidate| candidate.key.is_some())
            .collect();

        let ids: Vec<_> = with_key.iter().map(|candidate| candidate.id.as_str()).collect();
        assert_eq!(ids, ["gemini", "groq"]);
        assert_eq!(with_key[0].to_string(), "Google Gemini (key in $GOOGLE_API_KEY)");
        assert_eq!(with_key[1].key.as_ref().unwrap().0.expose(), "q-key");
    }

    #[test]
    fn the_address_of_ollama_is_the_one_that_its_own_variable_names() {
        for (host, url) in [
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("nas.local:1234", "http://nas.local:1234/v1"),
            (":9999", "http://127.0.0.1:9999/v1"),
            (
                "https://models.example.org:443/",
                "https://models.example.org:443/v1",
            ),
        ] {
            assert_eq!(ollama_url(host).as_deref(), Some(url), "{host}");
        }
        let env = Env::of([("OLLAMA_HOST", "10.0.0.7")]);
        assert_eq!(local(&env, &[])[0].base_url, "http://10.0.0.7:11434/v1");
    }

    #[test]
    fn the_model_to_begin_with_is_one_that_talks() {
        let mut candidate = hosted(&Env::of([("OPENAI_API_KEY", "k")])).remove(0);
        candidate.models = ["dall-e-3", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"]
            .map(str::to_owned)
            .into();
        assert_eq!(candidate.usual_model().unwrap(), "gpt-4o-mini");
        candidate.usual = "";
        candidate.models = ["all-minilm-embed:latest", "llama3.2:3b"]
            .map(str::to_owned)
            .into();
        assert_eq!(candidate.usual_model().unwrap(), "llama3.2:3b");
    }
}
