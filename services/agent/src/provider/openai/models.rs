//! The models that a provider says it has: `GET /models`, in the shapes in which servers answer it.

use std::time::Duration;

use gatehouse_proto::agent::v1::FailureKind;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Endpoint, chunk, reading,
    whole::{self, Unread},
};
use crate::provider::{Unanswered, failure, json};

/// The longest that a provider may take to list its models: somebody looks at a screen.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest list that is read. The longest that is known, of a reseller of hundreds of models, has a tenth of it.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most models that are taken of one list.
const LIST_MODELS_MAX: usize = 2_000;

/// The longest id that is believed to be one.
const ID_BYTES_MAX: usize = 256;

/// A model that a provider says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Tokens that fit in one conversation, where the provider says so.
    pub context_window: Option<u64>,
    /// Whether it is one for conversations, as far as what is said of it tells: vectors, recordings and pictures come from others.
    pub converses: bool,
}

/// What the names of models hold that are for no conversation, in parts of a name and as whole words of it.
const NO_TALK: [&str; 17] = [
    "embed",
    "minilm",
    "rerank",
    "whisper",
    "transcribe",
    "moderation",
    "dall-e",
    "gpt-image",
    "imagen",
    "stable-diffusion",
    "paraphrase-",
    "colbert",
    "llama-guard",
    "kokoro",
    "davinci-002",
    "babbage-002",
    "text-similarity",
];
const NO_TALK_WORDS: [&str; 8] = ["bge", "e5", "gte", "tts", "clip", "flux", "sora", "veo"];

/// OpenAI's object, Ollama's own one, or the bare list of some.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum List {
    Data { data: Vec<Value> },
    Models { models: Vec<Value> },
    Bare(Vec<Value>),
}

impl Endpoint {
    /// What the provider has.
    pub(crate) async fn models(&self) -> Result<Vec<Offered>, Unanswered> {
        match timeout(LIST_TIMEOUT, self.read_models()).await {
            Ok(models) => models,
            Err(_) => {
                let what = format!("did not list its models within {} s", LIST_TIMEOUT.as_secs());
                Err(self.no_list(FailureKind::Timeout, &what))
            }
        }
    }

    async fn read_models(&self) -> Result<Vec<Offered>, Unanswered> {
        let request = self.http.get(self.base.models()).headers(self.headers.clone());
        let response = request
            .header("accept", "application/json")
            .send()
            .await
            .map_err(|error| failure::from_transport(&self.callee(), &error))?;
        if !response.status().is_success() {
            return Err(reading::refusal(&self.callee(), response).await);
        }
        let callee = self.callee();
        let list = match whole::read(&callee, response, LIST_BYTES_MAX).await {
            Ok(list) => list,
            Err(Unread::TooLong) => {
                return Err(self.no_list(FailureKind::Unavailable, "sent a list of models that is too long"));
            }
            Err(Unread::Failed(why)) => return Err(why),
        };
        read(&list.text).ok_or_else(|| list.refused(&callee, "sent no list of models"))
    }

    fn no_list(&self, kind: FailureKind, what: &str) -> Unanswered {
        let callee = self.callee();
        let message = format!("provider {} at {} {what}", callee.provider, callee.origin());
        callee.failed(kind, message)
    }
}

fn read(text: &str) -> Option<Vec<Offered>> {
    let parsed = json::parse(text.trim_start_matches('\u{feff}'))?;
    let (List::Data { data: list } | List::Models { models: list } | List::Bare(list)) =
        serde_json::from_value(parsed.value).ok()?;
    let mut models: Vec<Offered> = Vec::new();
    for offered in list.iter().filter_map(offered) {
        if models.len() >= LIST_MODELS_MAX {
            break;
        }
        models.push(offered);
    }
    models.sort_by(|one, other| (!one.converses, &one.id).cmp(&(!other.converses, &other.id)));
    models.dedup_by(|one, other| one.id == other.id);
    Some(models)
}

fn offered(entry: &Value) -> Option<Offered> {
    let text = |keys: &[&str]| {
        let texts = keys.iter().filter_map(|key| entry.get(*key)?.as_str());
        texts
            .map(str::trim)
            .find(|text| is_shown(text))
            .map(str::to_owned)
    };
    let id = match entry.as_str() {
        Some(id) => Some(id.trim().to_owned()).filter(|id| is_shown(id)),
        None => text(&["id", "model", "name"]),
    }?;
    // Gemini's list has its resources' names.
    let id = id.strip_prefix("models/").map_or(id.clone(), str::to_owned);
    let windows = [
        "/context_window",
        "/context_length",
        "/max_model_len",
        "/max_context_length",
        "/loaded_context_length",
        "/meta/n_ctx",
        "/meta/n_ctx_train",
    ];
    let name = text(&["display_name", "name"]).filter(|name| *name != id);
    Some(Offered {
        converses: converses(entry, &id),
        id,
        name,
        context_window: windows
            .iter()
            .find_map(|place| u64::try_from(chunk::tokens(entry.pointer(place)?)?).ok())
            .filter(|tokens| *tokens > 0),
    })
}

/// By what its entry says of it (Mistral, Together, LM Studio), else by its name.
fn converses(entry: &Value, id: &str) -> bool {
    if let Some(chats) = entry
        .pointer("/capabilities/completion_chat")
        .and_then(Value::as_bool)
    {
        return chats;
    }
    let is_other = |kind: &str| {
        [
            "embedding",
            "embeddings",
            "rerank",
            "image",
            "audio",
            "moderation",
            "transcribe",
        ]
        .contains(&kind)
    };
    if entry.get("type").and_then(Value::as_str).is_some_and(is_other) {
        return false;
    }
    let id = id.to_lowercase();
    let mut words = id.split(|c: char| !c.is_ascii_alphanumeric());
    !NO_TALK.iter().any(|part| id.contains(part)) && !words.any(|word| NO_TALK_WORDS.contains(&word))
}

fn is_shown(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Vec<String> {
        let models = read(body).unwrap();
        models.into_iter().map(|model| model.id).collect()
    }

    #[test]
    fn every_shape_of_a_list_is_read() {
        let openai = r#"{"object":"list","data":[{"id":"b","object":"model","owned_by":"x"},{"id":"a/c:d"},{"id":"b"}]}"#;
        assert_eq!(ids(openai), ["a/c:d", "b"]);
        assert_eq!(
            ids(r#"{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest"}]}"#),
            ["llama3.2:latest"]
        );
        assert_eq!(ids(r#"[{"id":"one"},"two",{"what":1},null,7]"#), ["one", "two"]);
        assert_eq!(ids(r#"{"data":[{"id":"models/gemini-3"}]}"#), ["gemini-3"]);
        assert_eq!(
            ids(r#"{"data":[{"id":"a\u001b[31m"},{"id":""},{"id":"b"}]}"#),
            ["b"]
        );
        assert_eq!(
            ids("\u{feff}{\"data\":[{\"id\":\"a\",\"created\":1e400},{\"id\":\"b\",\"x\":NaN}]}"),
            ["a", "b"]
        );
        assert_eq!(read("<html>"), None);
        assert_eq!(read(r#"{"error":"no"}"#), None);
    }

    #[test]
    fn names_and_windows_are_taken_where_servers_say_them() {
        let list = r#"{"data":[{"id":"a","name":"A","context_length":4096},{"id":"b","max_model_len":2048},
            {"id":"c","meta":{"n_ctx_train":8192.0}},{"id":"d","name":"d"}]}"#;

        let read = read(list).unwrap();

        let seen: Vec<_> = read
            .iter()
            .map(|model| (model.name.as_deref(), model.context_window))
            .collect();
        assert_eq!(
            seen,
            [
                (Some("A"), Some(4096)),
                (None, Some(2048)),
                (None, Some(8192)),
                (None, None)
            ]
        );
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let many: Vec<Value> = (0..LIST_MODELS_MAX * 2)
            .map(|number| format!("m{number}").into())
            .collect();

        let read = read(&Value::from(many).to_string()).unwrap();

        assert_eq!(read.len(), LIST_MODELS_MAX);
    }

    #[test]
    fn models_that_are_for_no_conversation_stand_behind_the_others() {
        let local = r#"{"data":[{"id":"all-minilm:latest"},{"id":"bge-m3"},{"id":"llama3.2:latest"},{"id":"nomic-embed-text:latest"}]}"#;
        assert_eq!(
            ids(local),
            [
                "llama3.2:latest",
                "all-minilm:latest",
                "bge-m3",
                "nomic-embed-text:latest"
            ]
        );
        let told = r#"{"data":[{"id":"a","capabilities":{"completion_chat":false}},{"id":"b","type":"embeddings"},
            {"id":"c","type":"llm"},{"id":"embed-chat","capabilities":{"completion_chat":true}}]}"#;
        assert_eq!(ids(told), ["c", "embed-chat", "a", "b"]);
    }
}
