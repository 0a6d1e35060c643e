//! A client on the WebSocket, in both dialects. It keeps every frame it was sent.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use futures::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, Notify, oneshot},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config, tungstenite::Message};

use crate::{Gateway, wait::DEADLINE};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the gateway answers when it does not do what was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The protocol's code, for example `INVALID_REQUEST`.
    pub code: String,
    /// For a person.
    pub message: String,
    /// For a program.
    pub details: Value,
    /// Whether to try again.
    pub retryable: bool,
}

/// One connection. Dropping it cuts the socket.
#[derive(Debug)]
pub struct Client {
    sink: AsyncMutex<SplitSink<Socket, Message>>,
    inbox: Arc<Inbox>,
    reader: JoinHandle<()>,
    ids: AtomicU64,
    /// The answer to `connect`.
    pub hello: Value,
}

#[derive(Debug, Default)]
struct Inbox {
    frames: Mutex<Vec<Value>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    close: Mutex<Option<(u16, String)>>,
    ended: AtomicBool,
    changed: Notify,
}

impl Inbox {
    fn take(&self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let waiting = frame["id"].as_str().and_then(|id| lock(&self.answers).remove(id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(frame.clone());
        }
        lock(&self.frames).push(frame);
        self.changed.notify_waiters();
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        lock(&self.answers).clear();
        self.changed.notify_waiters();
    }
}

impl Client {
    /// Connects with the v4 handshake, the shared token and these scopes.
    ///
    /// # Panics
    /// When the gateway refuses.
    pub async fn v4(gateway: &Gateway, scopes: &[&str]) -> Self {
        let params = json!({
            "minProtocol": 4, "maxProtocol": 4,
            "client": {"id": "cli", "version": "1.0.0", "platform": "linux", "mode": "cli"},
            "role": "operator", "scopes": scopes, "auth": {"token": gateway.token()},
        });
        let mut client = Self::open(&gateway.url()).await.expect("a socket");
        client.hello = client.call("connect", params).await.expect("a hello");
        client
    }

    /// Connects with the plain handshake, the shared token and these scopes.
    ///
    /// # Panics
    /// When the gateway refuses.
    pub async fn plain(gateway: &Gateway, scopes: &[&str]) -> Self {
        Self::try_plain(gateway, scopes).await.expect("a hello")
    }

    /// The same, for a gateway that may be away.
    ///
    /// # Errors
    /// When the socket or the handshake fails.
    pub async fn try_plain(gateway: &Gateway, scopes: &[&str]) -> Result<Self, String> {
        let params =
            json!({"token": gateway.token(), "role": "operator", "scopes": scopes, "clientId": "tests"});
        let mut client = Self::open(&gateway.url()).await?;
        client
            .send(&json!({"method": "connect", "params": params}))
            .await?;
        let hello = client
            .first(|frame| frame["type"] == "hello-ok" || frame.get("error").is_some())
            .await?;
        if hello["type"] != "hello-ok" {
            return Err(hello.to_string());
        }
        client.hello = hello;
        Ok(client)
    }

    /// A socket without a handshake.
    ///
    /// # Errors
    /// When the edge does not answer.
    pub async fn open(url: &str) -> Result<Self, String> {
        let (socket, _) = connect_async_with_config(url, None, true)
            .await
            .map_err(|error| error.to_string())?;
        let (sink, mut stream) = socket.split();
        let inbox = Arc::new(Inbox::default());
        let kept = Arc::clone(&inbox);
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Text(text) = &message {
                    kept.take(text);
                } else if let Message::Close(Some(frame)) = message {
                    *lock(&kept.close) = Some((frame.code.into(), frame.reason.to_string()));
                }
            }
            kept.end();
        });
        let sink = AsyncMutex::new(sink);
        Ok(Self {
            sink,
            inbox,
            reader,
            ids: AtomicU64::new(1),
            hello: Value::Null,
        })
    }

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// When the socket is cut.
    pub async fn send(&self, frame: &Value) -> Result<(), String> {
        self.send_message(Message::text(frame.to_string())).await
    }

    /// Sends a WebSocket message as it is.
    ///
    /// # Errors
    /// When the socket is cut.
    pub async fn send_message(&self, message: Message) -> Result<(), String> {
        self.sink
            .lock()
            .await
            .send(message)
            .await
            .map_err(|error| error.to_string())
    }

    /// Calls a method and waits for its first answer.
    ///
    /// # Errors
    /// What the gateway answered, or code `CUT` when the socket is gone.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, Refusal> {
        let id = format!("t{}", self.ids.fetch_add(1, Ordering::Relaxed));
        let cut = |message: String| Refusal {
            code: "CUT".into(),
            message,
            details: Value::Null,
            retryable: true,
        };
        let (waiting, answer) = oneshot::channel();
        lock(&self.inbox.answers).insert(id.clone(), waiting);
        self.send(&json!({"type": "req", "id": id, "method": method, "params": params}))
            .await
            .map_err(cut)?;
        let answer = timeout_at(Instant::now() + DEADLINE, answer)
            .await
            .map_err(|_| cut(format!("no answer to {method} within {DEADLINE:?}")))?
            .map_err(|_| cut(format!("the socket was closed: {:?}", self.close())))?;
        if answer["ok"] == true {
            return Ok(answer["payload"].clone());
        }
        let error = &answer["error"];
        Err(Refusal {
            code: error["code"].as_str().unwrap_or_default().to_owned(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            details: error["details"].clone(),
            retryable: error["retryable"] == true,
        })
    }

    /// The first frame, past or to come, that fits.
    ///
    /// # Errors
    /// When the socket ends without one.
    pub async fn first(&self, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let changed = self.inbox.changed.notified();
            let ended = self.has_ended();
            if let Some(frame) = lock(&self.inbox.frames).iter().find(|frame| fits(frame)) {
                return Ok(frame.clone());
            }
            if ended {
                return Err(format!("the socket was closed: {:?}", self.close()));
            }
            timeout_at(deadline, changed)
                .await
                .map_err(|_| format!("no such frame within {DEADLINE:?}"))?;
        }
    }

    /// The first event of this name, past or to come, whose payload fits.
    ///
    /// # Panics
    /// When the socket ends without one.
    pub async fn event(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let frame = self
            .first(|frame| frame["event"] == name && fits(&frame["payload"]))
            .await;
        frame.expect(name)["payload"].clone()
    }

    /// All frames so far.
    #[must_use]
    pub fn frames(&self) -> Vec<Value> {
        lock(&self.inbox.frames).clone()
    }

    /// The payloads of all events of this name so far.
    #[must_use]
    pub fn events(&self, name: &str) -> Vec<Value> {
        let frames = lock(&self.inbox.frames);
        frames
            .iter()
            .filter(|frame| frame["event"] == name)
            .map(|frame| frame["payload"].clone())
            .collect()
    }

    /// Whether the socket is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.inbox.ended.load(Ordering::Acquire)
    }

    /// The close code and reason, once the gateway closed the socket.
    #[must_use]
    pub fn close(&self) -> Option<(u16, String)> {
        lock(&self.inbox.close).clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
