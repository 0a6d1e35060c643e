//! A model that streams tokens which say when they were written, and the reference: one reader at its socket.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
    routing::post,
};
use futures::{StreamExt, stream};
use gatehouse_tests::http;
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::{listener::number_after, rpc::milliseconds, screens::now};

/// A running model. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Model {
    /// Its address, as `baseUrl` wants it.
    pub(crate) base: String,
    _server: AbortOnDropHandle<()>,
}

/// What it answers to every question.
#[derive(Clone, Copy, Debug)]
struct Script {
    tokens: u64,
    pause: Duration,
}

impl Model {
    /// Serves so many tokens with this pause between two. Tokens carry the microseconds since 1970.
    pub(crate) async fn serve(tokens: u64, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state(Script { tokens, pause });
        let listener = axum::serve::ListenerExt::tap_io(listener, |socket| drop(socket.set_nodelay(true)));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            base,
            _server: AbortOnDropHandle::new(server),
        }
    }

    /// Reads the answer without a gateway between: the delay of every token.
    pub(crate) async fn read(&self) -> Vec<f64> {
        let request = http::client()
            .post(format!("{}/chat/completions", self.base))
            .body("{}");
        let mut chunks = request.send().await.expect("an answer").bytes_stream();
        let mut delays = Vec::new();
        while let Some(Ok(chunk)) = chunks.next().await {
            let now = now();
            if let Some(sent) = number_after(&chunk, b"\"content\":\"t") {
                delays.push(milliseconds(now.saturating_sub(Duration::from_micros(sent))));
            }
        }
        delays
    }
}

/// Streams tokens that say when they were written.
async fn answer(State(script): State<Script>) -> Response {
    let tokens = stream::unfold(0, move |sent| async move {
        if sent > script.tokens {
            return None;
        }
        if !script.pause.is_zero() {
            sleep(script.pause).await;
        }
        let chunk = if sent == script.tokens {
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".to_owned()
        } else {
            let token = format!("t{} ", now().as_micros());
            format!(
                "data: {}\n\n",
                json!({"choices": [{"index": 0, "delta": {"content": token}}]})
            )
        };
        Some((Bytes::from(chunk), sent + 1))
    });
    let body = Body::from_stream(tokens.map(Ok::<_, Infallible>));
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .expect("a response")
}
