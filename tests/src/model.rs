//! A model at the other end of an OpenAI-compatible address: it answers every question word by word, as slowly as a test wants.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
    routing::post,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::task::AbortOnDropHandle;

/// A running model. It ends when it is dropped.
#[derive(Debug)]
pub struct Model {
    base: String,
    asked: Arc<AtomicUsize>,
    said: Arc<Mutex<Vec<Answer>>>,
    _server: AbortOnDropHandle<()>,
}

/// The pieces of an answer.
type Answer = &'static [&'static str];

#[derive(Clone, Debug)]
struct Script {
    words: usize,
    pause: Duration,
    asked: Arc<AtomicUsize>,
    /// What it says in turn, in the place of words; empty, words.
    said: Arc<Mutex<Vec<Answer>>>,
}

impl Model {
    /// Serves answers of so many words with this pause before each.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(words: usize, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let said = Arc::default();
        let script = Script {
            words,
            pause,
            asked: Arc::clone(&asked),
            said: Arc::clone(&said),
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state(script);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            base,
            asked,
            said,
            _server: AbortOnDropHandle::new(server),
        }
    }

    /// Says these in turn from now on, piece by piece.
    pub fn says(&self, answers: &[Answer]) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = answers.to_vec();
    }

    /// The parts of the configuration that make a gateway ask this model, and these on top.
    #[must_use]
    pub fn config(&self, more: &Value) -> Value {
        let mut config = json!({
            "models": {"providers": {"slow": {
                "baseUrl": self.base, "apiKey": "none", "api": "openai-completions",
                "models": [{"id": "words"}],
            }}},
            "agents": {"defaults": {"model": "slow/words"}},
        });
        if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
            config.extend(more.clone());
        }
        config
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }
}

/// The whole answer to a question.
#[must_use]
pub fn whole(question: &str, words: usize) -> String {
    (0..words).map(|n| word(question, words, n)).collect()
}

/// The question comes back with the last word, so that an answer can be told from a part of one.
fn word(question: &str, words: usize, n: usize) -> String {
    if n + 1 == words {
        format!("w{n} {question}")
    } else {
        format!("w{n} ")
    }
}

async fn answer(State(script): State<Script>, Json(request): Json<Value>) -> Response {
    let count = script.asked.fetch_add(1, Ordering::AcqRel);
    let question = request["messages"]
        .as_array()
        .and_then(|messages| messages.last())
        .and_then(|message| message["content"].as_str())
        .unwrap_or_default()
        .to_owned();
    let said = script.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let words: Vec<String> = if said.is_empty() {
        let words = (0..script.words).map(|n| word(&question, script.words, n));
        words.collect()
    } else {
        let answer = said.get(count % said.len()).copied().unwrap_or_default();
        answer.iter().map(|piece| (*piece).to_owned()).collect()
    };
    let pause = script.pause;
    let chunks = words.into_iter().map(Some).chain([None]);
    let words = stream::iter(chunks).then(move |word| async move {
        let Some(word) = word else {
            return Bytes::from_static(
                b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            );
        };
        sleep(pause).await;
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": word}}]});
        Bytes::from(format!("data: {chunk}\n\n"))
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(words.map(Ok::<_, Infallible>)))
        .expect("a response")
}
